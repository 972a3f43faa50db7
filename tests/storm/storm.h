// A storm: publishers and consumers that go on while faults strike at the network, the broker and
// their own channels, and at the end a verdict on what became of every message.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storm/fault_plan.h"
#include "storm/findings.h"
#include "storm/operation_book.h"
#include "storm/storm_link.h"
#include "storm/storm_meter.h"
#include "storm/storm_weather.h"
#include "support/broker_nodes.h"

namespace haigha::storm {

struct StormSetting {
    std::uint64_t seed = 1;
    std::int64_t duration_ms = 60'000;
    unsigned nodes = 1;
    int per_second = 100;        // of each publisher
    bool tells = false;          // each fault as it strikes
    bool quorum_limits = false;  // quorum queues drop what comes back often, unless told not to
};

struct StormResult {
    StormSetting setting;
    std::uint64_t faults[fault_kinds] = {};
    std::int64_t latest_ms = 0;
    FaultKind latest_after = FaultKind::delay;
    Account::Totals totals;
    std::uint64_t refusals = 0;
    std::uint64_t redelivered = 0;
    std::uint64_t republished = 0;
    std::uint64_t stale_acks = 0;
    std::uint64_t consumer_restarts = 0;
    std::uint64_t channel_losses = 0;
    std::uint64_t operations = 0;
    std::int64_t fewest_without_a_node = -1;
    LinkHistory links;  // of all together; the times sorted
    std::int64_t longest_silence_ms = 0;
    std::int64_t drained_in_ms = 0;
    Holdings before;  // when everything had run and was calm again
    Holdings first;   // after the first round
    Holdings after;
    Findings findings;
};

// How much more of the heap may be in use after the first round than before it: what is kept for
// re-use, by two loops, is filled to its limits by chance. From then on it has to be flat.
inline constexpr std::int64_t heap_filled = 8 * 1024 * 1024;
inline constexpr std::int64_t heap_tolerance = 1024 * 1024;
inline constexpr std::int64_t resident_tolerance = 24 * 1024 * 1024;

// A long storm has several rounds, with a calm between them in which what is held is measured.
unsigned rounds_of(const StormSetting& setting);
// The setting's share in the plan of a round.
PlanSetting plan_setting(const StormSetting& setting, unsigned round);

// Fills *result, whose findings are empty when everything holds.
void run_storm(const StormSetting& setting, StormResult* result);

// What storm_report.cpp prints.
void print_report(const StormResult& result);

}  // namespace haigha::storm
