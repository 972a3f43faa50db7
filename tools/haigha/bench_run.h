// One benchmark from its connections to its result.
#pragma once

#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench_consumer.h"
#include "bench_options.h"
#include "bench_producer.h"
#include "bench_queue.h"
#include "bench_report.h"
#include "bench_state.h"
#include "session.h"

namespace tool {

class BenchRun {
  public:
    explicit BenchRun(const BenchOptions& options);
    BenchRun(const BenchRun&) = delete;
    BenchRun& operator=(const BenchRun&) = delete;

    // Runs until everything has arrived, the time is over or nothing moves any more. The result
    // refers to this object.
    BenchResult run();

  private:
    static void on_connection_event(const haigha_event* event, void* self);
    static void on_turn(const haigha_event* event, void* self);

    std::unique_ptr<Session> connect(std::string_view purpose);
    void prepare();
    void post_pump();
    // Why it gave up; empty when the run ended by itself.
    std::string watch();
    bool is_stalled(std::uint64_t at_ns);
    BenchTimeline::Sample sample(std::uint64_t at_ns) const;
    void finish();
    void add_connection(const Session* session);

    const BenchOptions& options_;
    BenchState state_;
    std::string exchange_;
    std::string routing_key_;
    BenchResult result_;
    BenchTimeline timeline_;
    rusage cpu_before_{};
    std::atomic<bool> pump_posted_{false};
    std::uint64_t last_events_ = 0;
    std::uint64_t last_event_ns_ = 0;

    // Callbacks of the library see everything above and below; it ends only with the loop, and so
    // the loop ends before anything that they see.
    std::vector<std::unique_ptr<BenchProducer>> producers_;
    std::vector<std::unique_ptr<BenchConsumer>> consumers_;
    std::optional<Loop> loop_;
    // Two connections: a broker that slows a publishing connection down would slow down the
    // deliveries and acks on it as well.
    std::unique_ptr<Session> publishing_;
    std::unique_ptr<Session> consuming_;
    std::optional<BenchQueue> queue_;
};

}  // namespace tool
