// The part of Connection about channels that are lost: by the broker's word, or until their
// connection is back.
#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/insist.h"
#include "client/channel.h"
#include "client/connection.h"

namespace haigha::client {

using protocol::EventKind;
using protocol::MachineEvent;

namespace {

// How often a consumer whose queue is in exclusive use is tried again.
constexpr std::uint32_t most_locked = 200;

}  // namespace

void Connection::dispatch_channel_lost(MachineEvent& event) {
    const auto found = std::find_if(lost_.begin(), lost_.end(), [&](const auto& remains) {
        return remains.owner == event.owner;
    });
    Recovery::Plan plan;
    plan.channel = event.owner;
    plan.remains = std::move(*found);
    lost_.erase(found);
    const Ref<Channel> channel(static_cast<Channel*>(event.owner));
    if (channel->state() != State::recovering) {
        end_channel(plan, event.error);
        return;
    }
    if (state() != State::open) {
        insist([&] { waiting_.push_back(std::move(plan)); });
        tell_channel_state(*channel, State::recovering, event.error);
        tell_room_meanwhile(*channel);
        return;
    }
    recover_channel(std::move(plan), event.error);
}

// The broker has closed one channel.
void Connection::recover_channel(Recovery::Plan plan, const ErrorRef& error) {
    const Ref<Channel> channel(static_cast<Channel*>(plan.channel));
    const std::string refused = std::exchange(channel->refused_consumer_, {});
    restoring_ -= std::min(restoring_, std::exchange(channel->restoring_, 0));
    ++channel->lost_in_a_row_;
    // What its queue needs may just be going at the broker: once more, with the topology
    // (rule 55).
    const bool again = error->reply_code == 404 && channel->lost_in_a_row_ <= 2 &&
                       options_.recovery_topology != 0 && !refused.empty();
    // Or the broker still holds the queue for the connection before, whose consumer was exclusive.
    const bool locked = !refused.empty() && channel->lost_in_a_row_ <= most_locked &&
                        (error->reply_code == 405 ||
                         error->reply_text.find("in exclusive use") != std::string::npos);
    std::vector<protocol::ConsumerRemains> dropped;
    if (!refused.empty() && !again && !locked) {
        auto& consumers = plan.remains.consumers;
        const auto culprit =
            std::find_if(consumers.begin(), consumers.end(),
                         [&](const auto& consumer) { return consumer.tag == refused; });
        if (culprit != consumers.end()) {
            dropped.push_back(std::move(*culprit));
            consumers.erase(culprit);
        }
    } else if (refused.empty() && channel->policy_ == ChannelPolicy::report) {
        {
            const std::lock_guard lock(mutex_);
            channel->last_error_ = error;
            channel->state_.store(State::closed, std::memory_order_release);
        }
        end_channel(plan, error);
        return;
    } else if (refused.empty() && channel->policy_ == ChannelPolicy::reopen) {
        dropped.swap(plan.remains.consumers);
    }
    tell_channel_state(*channel, State::recovering, error);
    tell_room_meanwhile(*channel);
    for (protocol::ConsumerRemains& consumer : dropped) {
        if (!refused.empty()) tell_consumer_failure(*channel, consumer, error);
        cancel_consumer(*channel, consumer, error);
    }
    std::vector<Recovery::Plan> plans;
    plans.push_back(std::move(plan));
    start_recovery(std::move(plans), again);
}

void Connection::tell_consumer_failure(Channel& channel, const protocol::ConsumerRemains& consumer,
                                       const ErrorRef& error) {
    Event told = event_for(EventType::recovery, &channel);
    told.state = static_cast<std::int32_t>(RecoveryStep::entity);
    told.number = 4;
    told.error = error.get();
    told.consumer_tag = Str(consumer.tag);
    told.name = Str(static_cast<Consumer*>(consumer.token)->queue);
    tell(events_, told);
}

void Connection::cancel_consumer(Channel& channel, protocol::ConsumerRemains& remains,
                                 const ErrorRef& error) {
    const std::unique_ptr<Consumer> consumer(
        static_cast<Consumer*>(std::exchange(remains.token, nullptr)));
    if (!consumer) return;
    record([&](TopologyRecords& records) { records.consumer_ended(consumer->queue); });
    Event told = event_for(EventType::consumer_cancelled, &channel);
    told.consumer_tag = Str(consumer->tag);
    told.error = error.get();
    tell(consumer->then, told);
}

// One that waits is not brought back.
void Connection::end_channel(Recovery::Plan& plan, const ErrorRef& error) {
    const Ref<Channel> channel = Ref<Channel>::adopt(static_cast<Channel*>(plan.channel));
    {
        const std::lock_guard lock(mutex_);
        if (channel->state() != State::closed) {
            channel->state_before_end_ = channel->state_.exchange(State::closed);
        }
        channel->last_error_ = error;
    }
    end_kept(*channel);
    for (protocol::ConsumerRemains& consumer : plan.remains.consumers)
        cancel_consumer(*channel, consumer, error);
    tell_channel_state(*channel, State::closed, error);
}

// Nobody will send what it has kept.
void Connection::end_kept(Channel& channel) {
    if (!channel.kept_) return;
    MachineEvent event;
    event.kind = EventKind::outcomes;
    event.owner = &channel;
    event.ring = channel.kept_;
    event.error = channel.refusal(Status::closed);
    std::size_t ranges = 0;
    {
        const std::lock_guard lock(mutex_);
        ranges = channel.kept_->end(std::numeric_limits<std::uint64_t>::max());
    }
    for (; ranges > 0; --ranges)
        dispatch_outcomes(event);
}

// What was refused before the channel was lost may be taken now, and kept.
void Connection::tell_room_meanwhile(Channel& channel) {
    if (!channel.kept_) return;
    {
        const std::lock_guard lock(mutex_);
        protocol::KeptPublishes& kept = *channel.kept_->kept();
        if (channel.state() != State::recovering || !kept.refused || kept.is_full()) return;
        kept.refused = false;
    }
    Event told = event_for(EventType::writable, &channel);
    tell(channel.events_, told);
}

bool Connection::has_waiting_consumers(const Channel& channel) const {
    const auto waits = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const auto& one) { return one.channel == &channel; });
    if (waits != waiting_.end()) return !waits->remains.consumers.empty();
    for (const auto& recovery : recoveries_) {
        if (const Recovery::Plan* plan = recovery->find(&channel); plan != nullptr) {
            return !plan->remains.consumers.empty();
        }
    }
    return false;
}

// Its user has closed it, or dropped it, while it waits. True if it did.
bool Connection::drop_waiting(Channel& channel) {
    Recovery::Plan plan;
    const auto waits = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const auto& one) { return one.channel == &channel; });
    if (waits != waiting_.end()) {
        plan = std::move(*waits);
        waiting_.erase(waits);
        end_channel(plan, nullptr);
        return true;
    }
    for (const auto& recovery : recoveries_) {
        {
            const std::lock_guard lock(mutex_);
            if (!recovery->drop(&channel, &plan)) continue;
            (void)note_work();
        }
        tell_loop();
        end_channel(plan, nullptr);
        check_recoveries();
        return true;
    }
    return false;
}

}  // namespace haigha::client
