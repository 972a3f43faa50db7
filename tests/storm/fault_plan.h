// Which faults strike a storm, and when: all of it follows from a seed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace haigha::storm {

enum class FaultKind {
    // Of the network, on one of two paths: the publishers' or the consumers'.
    delay,
    throttle,
    split,
    truncate,
    reset_late,  // behind so many octets of a new connection
    corrupt,
    half_close,
    reset,
    black_hole,
    refuse,
    // Of the broker.
    kill_node,
    stop_node,
    close_connection,
    close_all_connections,
    memory_alarm,
    // Of the program.
    channel_error,
    pause_consumer,
};
inline constexpr int fault_kinds = 17;

std::string_view name_of(FaultKind kind);

struct Fault {
    std::int64_t at_ms = 0;  // since the storm's beginning
    FaultKind kind{};
    // The path, the node, or the channel (publishers' first) or consumer.
    unsigned target = 0;
    std::int64_t amount = 0;  // milliseconds, octets a second, octets or a number
    std::int64_t lasts_ms = 0;

    bool operator==(const Fault&) const = default;
};

// "at 1234 ms: delay 20 on path 0 for 700 ms".
std::string describe(const Fault& fault);

struct PlanSetting {
    std::uint64_t seed = 1;
    std::int64_t duration_ms = 20'000;
    unsigned nodes = 1;
    unsigned channels = 1;   // that a bad call can hit
    unsigned consumers = 1;  // that can be paused
    std::int64_t heartbeat_ms = 1000;
};

// What may happen at the same time is in lanes, of which each goes on by itself.
inline constexpr unsigned paths = 2;
inline constexpr unsigned lanes = paths + 2;

struct FaultPlan {
    std::vector<Fault> lane[lanes];
};

// The same for the same setting, with every compiler and on every machine. Each kind of a lane
// comes before any comes again.
FaultPlan plan_faults(const PlanSetting& setting);

}  // namespace haigha::storm
