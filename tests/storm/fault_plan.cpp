#include "storm/fault_plan.h"

#include <random>
#include <span>
#include <utility>

namespace haigha::storm {

namespace {

constexpr std::string_view names[fault_kinds] = {
    "delay",      "throttle",  "split",        "truncate",      "reset-late",     "corrupt",
    "half-close", "reset",     "black-hole",   "refuse",        "kill-node",      "stop-node",
    "close-one",  "close-all", "memory-alarm", "channel-error", "pause-consumer",
};

// The standard's distributions differ between libraries; this does not.
class Dice {
  public:
    Dice(std::uint64_t seed, unsigned lane) : engine_(seed * 1'000'003 + lane) {}
    std::int64_t between(std::int64_t least, std::int64_t most) {
        return least +
               static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(most - least + 1));
    }
    unsigned below(unsigned count) { return static_cast<unsigned>(between(0, count - 1)); }

  private:
    std::mt19937_64 engine_;
};

// Gives each of the kinds once, in any order, and begins again.
class Bag {
  public:
    explicit Bag(std::vector<FaultKind> kinds) : all_(std::move(kinds)) {}
    FaultKind draw(Dice& dice) {
        if (left_.empty()) left_ = all_;
        const unsigned which = dice.below(static_cast<unsigned>(left_.size()));
        const FaultKind kind = left_[which];
        left_.erase(left_.begin() + which);
        return kind;
    }

  private:
    std::vector<FaultKind> all_;
    std::vector<FaultKind> left_;
};

// An octet within what RabbitMQ says first. Behind it there may be tags and bodies, for which AMQP
// has no checksum: that a wrong one does harm says nothing of the library.
constexpr std::int64_t last_octet_of_start = 480;

Fault network_fault(FaultKind kind, unsigned path, Dice& dice, const PlanSetting& setting) {
    Fault fault;
    fault.kind = kind;
    fault.target = path;
    fault.lasts_ms = dice.between(300, 1500);
    switch (kind) {
        case FaultKind::delay:
            fault.amount = dice.between(5, 150);
            break;
        case FaultKind::throttle:
            fault.amount = dice.between(20'000, 500'000);
            break;
        case FaultKind::split:
            fault.amount = dice.between(1, 100);
            break;
        case FaultKind::truncate:
        case FaultKind::reset_late:
            fault.amount = dice.between(1, 3000);
            break;
        case FaultKind::corrupt:
            fault.amount = dice.between(1, last_octet_of_start);
            break;
        // Long enough to be noticed, most of the time.
        case FaultKind::black_hole:
            fault.lasts_ms += 2 * setting.heartbeat_ms;
            break;
        default:
            break;
    }
    if (kind == FaultKind::half_close || kind == FaultKind::reset) fault.lasts_ms = 0;
    return fault;
}

Fault broker_fault(FaultKind kind, Dice& dice, const PlanSetting& setting) {
    Fault fault;
    fault.kind = kind;
    fault.target = dice.below(setting.nodes);
    fault.amount = dice.between(0, 1000);
    if (kind == FaultKind::kill_node || kind == FaultKind::stop_node) {
        fault.lasts_ms = setting.nodes == 1 ? dice.between(100, 2000) : dice.between(1000, 6000);
    }
    if (kind == FaultKind::memory_alarm) fault.lasts_ms = dice.between(500, 2500);
    return fault;
}

Fault program_fault(FaultKind kind, Dice& dice, const PlanSetting& setting) {
    Fault fault;
    fault.kind = kind;
    fault.target =
        dice.below(kind == FaultKind::channel_error ? setting.channels : setting.consumers);
    if (kind == FaultKind::pause_consumer) fault.lasts_ms = dice.between(100, 1000);
    return fault;
}

// What it takes until a fault is over, about, beyond its time: the plan is to be kept, and not run
// behind. A node starts again; each word to the broker by an operator is a program that starts.
std::int64_t takes_ms(FaultKind kind) {
    constexpr std::int64_t boot_ms = 6000;
    constexpr std::int64_t word_ms = 1500;
    switch (kind) {
        case FaultKind::kill_node:
        case FaultKind::stop_node:
            return boot_ms;
        case FaultKind::close_connection:
        case FaultKind::memory_alarm:
            return 2 * word_ms;
        case FaultKind::close_all_connections:
            return word_ms;
        default:
            return 0;
    }
}

struct Gaps {
    std::int64_t least;
    std::int64_t most;
};

template <class Make>
std::vector<Fault> plan_lane(const PlanSetting& setting, unsigned lane, Gaps gaps,
                             std::vector<FaultKind> kinds, Make make) {
    Dice dice(setting.seed, lane);
    Bag bag(std::move(kinds));
    std::vector<Fault> faults;
    std::int64_t at = 0;
    while (true) {
        at += dice.between(gaps.least, gaps.most);
        const FaultKind kind = bag.draw(dice);
        Fault fault = make(kind, dice);
        fault.at_ms = at;
        at += fault.lasts_ms + takes_ms(kind);
        if (at > setting.duration_ms) return faults;
        faults.push_back(fault);
    }
}

}  // namespace

std::string_view name_of(FaultKind kind) {
    return names[static_cast<int>(kind)];
}

std::string describe(const Fault& fault) {
    std::string text = "at " + std::to_string(fault.at_ms) +
                       " ms: " + std::string(name_of(fault.kind)) + " " +
                       std::to_string(fault.amount) + " on " + std::to_string(fault.target);
    if (fault.lasts_ms != 0) text += " for " + std::to_string(fault.lasts_ms) + " ms";
    return text;
}

FaultPlan plan_faults(const PlanSetting& setting) {
    using enum FaultKind;
    FaultPlan plan;
    for (unsigned path = 0; path < paths; ++path) {
        plan.lane[path] = plan_lane(
            setting, path, {200, 1200},
            {delay, throttle, split, truncate, reset_late, corrupt, half_close, reset, black_hole,
             refuse},
            [&](FaultKind kind, Dice& dice) { return network_fault(kind, path, dice, setting); });
    }
    std::vector<FaultKind> of_broker = {kill_node, close_connection, close_all_connections,
                                        memory_alarm, close_connection};
    if (setting.nodes > 1) of_broker = {kill_node, stop_node, close_connection, memory_alarm};
    plan.lane[paths] =
        plan_lane(setting, paths, {800, 3000}, std::move(of_broker),
                  [&](FaultKind kind, Dice& dice) { return broker_fault(kind, dice, setting); });
    plan.lane[paths + 1] =
        plan_lane(setting, paths + 1, {500, 2500}, {channel_error, pause_consumer},
                  [&](FaultKind kind, Dice& dice) { return program_fault(kind, dice, setting); });
    return plan;
}

}  // namespace haigha::storm
