// Consumes a queue, checks what it is given, and settles it.
#pragma once

#include <haigha/haigha.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "storm/storm_ledger.h"
#include "storm/storm_link.h"

namespace haigha::storm {

struct ConsumerSetting {
    unsigned queue = 0;
    std::string queue_name;
    std::string tag;
    bool by_inbox = false;       // and not by callbacks
    bool acks_multiple = false;  // many at once, and not each by itself
};

class StormConsumer {
  public:
    using Accounts = std::vector<std::unique_ptr<Account>>;
    StormConsumer(ConsumerSetting setting, StormLink& link, Accounts& accounts, OperationBook& book,
                  Findings& findings);
    ~StormConsumer();
    StormConsumer(const StormConsumer&) = delete;
    StormConsumer& operator=(const StormConsumer&) = delete;

    bool start();
    // Acks what was left for later.
    void settle_rest();
    // Waits until each delivery is settled, and ends. A finding when that does not come about.
    void drain(std::int64_t timeout_ms);
    void stop();

    void pause();
    // Tries until it consumes; a finding when it does not within so long.
    void resume(std::int64_t timeout_ms);
    void provoke();
    // The broker is about to start again, after it was killed.
    void note_killed() { ++epoch_; }

    std::uint64_t redelivered() const { return redelivered_; }
    std::uint64_t republished() const { return republished_; }
    std::uint64_t stale() const { return stale_; }
    std::uint64_t restarts() const { return restarts_; }
    std::uint64_t channel_losses() const { return channel_losses_; }

  private:
    void consume();
    void on_event(const haigha_event& event);
    void on_delivery(const haigha_event& event);
    void settle(const haigha_event& event, bool back);
    void on_cancelled();
    void poll();

    const ConsumerSetting setting_;
    StormLink& link_;
    Accounts& accounts_;
    OperationBook& book_;
    Findings& findings_;
    test::ChannelHandle channel_;
    test::InboxHandle inbox_;
    OrderWatch order_;
    std::atomic<unsigned> epoch_{0};
    unsigned unsettled_ = 0;  // of the one thread that is given deliveries
    std::atomic<bool> ending_{false};
    std::atomic<bool> to_consume_{false};
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> redelivered_{0};
    std::atomic<std::uint64_t> republished_{0};
    std::atomic<std::uint64_t> stale_{0};
    std::atomic<std::uint64_t> restarts_{0};
    std::atomic<std::uint64_t> channel_losses_{0};
    std::thread thread_;
};

}  // namespace haigha::storm
