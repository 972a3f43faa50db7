// What the parts of a running benchmark share. Producers and consumers are driven by callbacks on
// the loop's thread, so all of it belongs to that thread, without a lock; only what is atomic, and
// what says so, is for the command's thread as well.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "bench_message.h"
#include "bench_options.h"
#include "latency_histogram.h"
#include "sequence_set.h"

namespace tool {

// Written by the loop's thread alone, read by the command's as well.
class Tally {
  public:
    void add_one() noexcept { value_.store(get() + 1, std::memory_order_relaxed); }
    void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

struct BenchTallies {
    Tally published;
    Tally confirmed;  // or committed
    Tally nacked;
    Tally not_sent;
    Tally unknown;
    Tally consumed;  // messages of this run, intact or not looked at
    Tally duplicate;
    Tally corrupt;
    Tally foreign;  // deliveries of what lay in the queue before
    // When the last one of each kind came.
    Tally last_published_ns;
    Tally last_confirmed_ns;
    Tally last_consumed_ns;
    std::atomic<bool> blocked{false};  // the broker has said connection.blocked
};

class BenchState {
  public:
    explicit BenchState(const BenchOptions& asked) : options(asked), messages(asked.size_bytes) {}

    // Any thread.
    // No more publishing; what is under way comes to its end.
    void stop_publishing() noexcept { stopping_.store(true, std::memory_order_relaxed); }
    // Notes the first failure, and ends the run.
    void fail(const std::string& sentence);

    // The loop's thread.
    std::uint64_t next_sequence() const noexcept { return tallies.published.get(); }
    bool may_publish() const noexcept;
    bool production_ended() const noexcept;
    void on_published(std::uint64_t at_ns) noexcept;
    // The outcome of a message that was tracked: HAIGHA_OUTCOME_*.
    void on_settled(std::uint64_t sequence, std::uint64_t published_ns, std::uint64_t at_ns,
                    std::int32_t outcome);
    void on_delivery(std::string_view body, std::uint64_t at_ns);
    // Ends the run if everything was published, settled and delivered.
    void check_end();

    // The command's thread.
    // Before anything is published or consumed.
    void begin(std::uint64_t at_ns) noexcept { start_ns_ = at_ns; }
    std::uint64_t start_ns() const noexcept { return start_ns_; }
    // Waits until the run has ended. False when the time was up before.
    bool wait_for_end(std::chrono::microseconds time);
    std::string failure() const;
    // From here on channels end because they are asked to.
    void finish() { end(); }
    // Messages that should have arrived and did not; once the connections are closed.
    std::uint64_t missing() const;

    const BenchOptions& options;
    MessageMaker messages;
    BenchTallies tallies;
    LatencyHistogram confirm_latency;
    LatencyHistogram deliver_latency;

  private:
    bool is_tracked() const noexcept { return options.confirm || options.transaction > 0; }
    void note_delivery(const MessageHead& head, std::uint64_t at_ns);
    void end();

    SequenceSet seen_;
    SequenceSet excused_;  // nacked, not sent, unknown: they need not arrive
    std::uint64_t settled_ = 0;
    std::uint64_t start_ns_ = 0;
    std::atomic<bool> stopping_{false};

    mutable std::mutex mutex_;
    std::condition_variable bell_;
    bool ended_ = false;   // guarded by mutex_
    std::string failure_;  // guarded by mutex_
};

}  // namespace tool
