// Publishes numbered messages on a confirm channel, and those that are not confirmed again: what a
// program does that wants each message to arrive at least once.
#pragma once

#include <haigha/haigha.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "storm/storm_ledger.h"
#include "storm/storm_link.h"
#include "storm/storm_outlet.h"

namespace haigha::storm {

struct PublisherSetting {
    unsigned index = 0;
    std::string exchange;
    std::string routing_key;
    int per_second = 100;
    // How long a refusal may last before the event that ends it counts as missing.
    std::int64_t patience_ms = 60'000;
};

class StormPublisher {
  public:
    StormPublisher(PublisherSetting setting, StormLink& link, Account& account, OperationBook& book,
                   Findings& findings);
    ~StormPublisher();
    StormPublisher(const StormPublisher&) = delete;
    StormPublisher& operator=(const StormPublisher&) = delete;

    // Opens its outlet and begins. False, and a finding, when it cannot.
    bool start();
    enum class Pace { none, steady, flood };
    // Of new messages: as many a second as it is set to, or as many as are taken. With none those
    // without a good outcome go on.
    void produce(Pace pace);
    // Nothing is left to do: every message is settled.
    bool idle() const;
    // Ends its thread at once, whatever is left, and closes the outlet.
    void stop();

    // Has the broker close a channel of its.
    void provoke();

    std::int64_t lent_bodies_out() const { return outlet_->lent_bodies_out(); }
    std::int64_t longest_silence_ms() const { return longest_silence_ms_; }
    std::uint64_t refusals() const { return refusals_; }
    std::uint64_t channel_losses() const { return channel_losses_ + outlet_->channel_losses(); }

  private:
    void run();
    bool next(std::uint64_t* number);
    // False when it is to end.
    bool hand_over(std::uint64_t number);
    haigha_status publish(std::uint64_t number, std::uint32_t attempt, haigha_error** error);
    void on_event(const haigha_event& event);
    void note_provocation(const haigha_event& event);
    void note_outcome(int outcome);

    const PublisherSetting setting_;
    StormLink& link_;
    Account& account_;
    OperationBook& book_;
    Findings& findings_;
    const std::unique_ptr<StormOutlet> outlet_;
    haigha_properties properties_ = HAIGHA_PROPERTIES_INIT;
    haigha_publish_args usual_ = HAIGHA_PUBLISH_ARGS_INIT;  // of nearly all its messages
    Bell bell_;  // rung when publishes may be taken again

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::uint64_t> again_;  // in the order of their outcomes
    Pace pace_ = Pace::none;
    bool stopping_ = false;
    bool busy_ = false;  // with one that it has taken
    std::uint64_t next_number_ = 0;
    std::int64_t next_due_ms_ = 0;
    std::int64_t last_confirm_ms_ = 0;

    std::atomic<std::int64_t> longest_silence_ms_{0};
    std::atomic<std::uint64_t> refusals_{0};
    std::atomic<std::uint64_t> channel_losses_{0};
    std::thread thread_;
};

}  // namespace haigha::storm
