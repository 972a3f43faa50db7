// Carries out a plan of faults.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storm/fault_plan.h"
#include "storm/findings.h"
#include "storm/storm_consumer.h"
#include "storm/storm_publisher.h"
#include "support/broker_nodes.h"
#include "support/fault_proxy.h"

namespace haigha::storm {

// What the faults strike at.
struct StormTargets {
    test::BrokerNodes* brokers = nullptr;
    std::vector<std::unique_ptr<test::FaultProxy>> proxies[paths];  // one for each node
    std::vector<std::unique_ptr<StormPublisher>> publishers;
    std::vector<std::unique_ptr<StormConsumer>> consumers;
};

class StormWeather {
  public:
    StormWeather(StormTargets& targets, Findings& findings, bool tells)
        : targets_(targets), findings_(findings), tells_(tells) {}

    // Returns when all of them are over.
    void run(const FaultPlan& plan);

    // Since when nothing keeps the connections of a path from being made, in the time of now_ms; 0
    // while something does.
    std::int64_t free_since(unsigned path) const;
    std::uint64_t count(FaultKind kind) const { return counts_[static_cast<int>(kind)]; }
    // How far behind the plan a fault came at most, and what the one before in its lane was.
    std::int64_t latest_ms() const { return latest_ms_; }
    FaultKind latest_after() const { return latest_after_; }
    // How many messages were confirmed while a node was away, the fewest of each such time; -1 when
    // there was none.
    std::int64_t fewest_confirmed_without_a_node() const { return fewest_; }
    void set_confirmed(std::function<std::uint64_t()> confirmed) {
        confirmed_ = std::move(confirmed);
    }

  private:
    void run_lane(const std::vector<Fault>& faults);
    void note_lateness(std::int64_t late_ms, FaultKind after);
    void strike(const Fault& fault);
    void on_network(const Fault& fault, const char* verb, const std::string& value);
    void passing(const Fault& fault, const char* verb, const char* begin_value,
                 bool end_connections);
    void take_node(const Fault& fault);
    void close_some(const Fault& fault);
    void raise_alarm(const Fault& fault);
    void upset_channel(const Fault& fault);
    void stand_in_the_way(unsigned path, bool on);
    static void sleep_ms(std::int64_t time);

    StormTargets& targets_;
    Findings& findings_;
    const bool tells_;
    std::function<std::uint64_t()> confirmed_;
    std::int64_t began_ms_ = 0;
    std::atomic<std::uint64_t> counts_[fault_kinds] = {};
    std::atomic<std::int64_t> fewest_{-1};
    mutable std::mutex mutex_;
    std::int64_t latest_ms_ = 0;
    FaultKind latest_after_ = FaultKind::delay;
    int in_the_way_[paths] = {};
    std::int64_t free_since_[paths] = {};
};

}  // namespace haigha::storm
