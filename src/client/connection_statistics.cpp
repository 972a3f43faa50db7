// What can be counted about a connection, at one moment.
#include <algorithm>

#include "client/channel.h"
#include "client/connection.h"

namespace haigha::client {

Statistics Connection::statistics() const {
    Statistics now;
    const std::lock_guard lock(mutex_);
    const Instant time = loop_time();
    now.state = state();
    now.blocked = machine_->blocked();
    now.channels = machine_->channel_count();
    now.consumers = machine_->consumers();
    now.calls = machine_->unanswered_calls();
    const protocol::Unfinished left = machine_->unfinished();
    now.outbox_bytes = left.bytes;
    now.unsettled = left.deliveries;
    now.oldest_unsettled = time - machine_->oldest_delivery(time);
    now.oldest_unconfirmed = time - machine_->oldest_publish(time);
    now.bytes_sent = sent_before_ + machine_->outbox().sent();
    now.bytes_received = bytes_received_.load(std::memory_order_relaxed);
    now.reads = reads_.load(std::memory_order_relaxed);
    now.writes = writes_.load(std::memory_order_relaxed);
    now.stale_settlements = stale_acks_.load(std::memory_order_relaxed);
    now.recoveries = recoveries_done_.load(std::memory_order_relaxed);
    now.counted = machine_->counters(time);
    now.counted += counted_before_;
    now.outcomes = outcomes_;
    // Those that channels keep while they have no machine are among them.
    now.unconfirmed = now.counted.numbered - now.outcomes.total();
    now.links = links_;
    return now;
}

}  // namespace haigha::client
