// ChannelPool, towards its user and from its channels: what is told, and what is heard.
#include <new>
#include <utility>

#include "base/insist.h"
#include "pool/channel_pool.h"
#include "wire/properties.h"

namespace haigha::pool {

using client::Completion;
using client::Event;
using client::EventType;
using client::State;
using client::Then;
using client::Waiter;

// ---- what is told

bool ChannelPool::owes() const {
    const bool wanted = refused_ || !room_waiters_.empty();
    return schedule_.untold() > 0 || (ended_ && !end_told_) ||
           (wanted && (ended_ || schedule_.is_roomy()));
}

void ChannelPool::take_told(Told& told) {
    told.completed.reserve(waits_.size());
    // From here on nothing is thrown.
    schedule_.take_settled(told.settled);
    for (const PoolSchedule::Settled& one : told.settled) {
        for (Wait& wait : waits_) {
            if (!wait.for_end && one.message->number <= wait.up_to) --wait.left;
        }
    }
    std::erase_if(waits_, [&](Wait& wait) {
        if (!ended_ && (wait.for_end || wait.left > 0)) return false;
        told.completed.push_back(std::move(wait.completion));
        return true;
    });
    if (ended_) {
        told.ended = !std::exchange(end_told_, true);
        told.error = end_error_;
    }
    if (ended_ || schedule_.is_roomy()) {
        told.writable = std::exchange(refused_, false) && !ended_;
        for (const Ref<Waiter>& waiter : std::exchange(room_waiters_, {}))
            waiter->finish(nullptr, nullptr);
    }
}

bool ChannelPool::tell_soon() {
    return insist([this] {
        return connection_->loop().transport().post(
            [self = Ref<ChannelPool>(this)] { self->tell(); });
    });
}

// User code runs in here.
void ChannelPool::tell() {
    Told told;
    told.settled = std::move(telling_);
    {
        const std::lock_guard lock(mutex_);
        insist([&] { take_told(told); });
    }
    for (PoolSchedule::Settled& one : told.settled)
        tell_outcome(one);
    told.settled.clear();
    telling_ = std::move(told.settled);
    Event event;
    event.connection = connection_.get();
    if (told.writable && !muted_) {
        event.type = EventType::writable;
        events_.deliver(event);
    }
    if (told.ended && !muted_) {
        event.type = EventType::pool_state;
        event.state = static_cast<std::int32_t>(State::closed);
        event.previous_state = static_cast<std::int32_t>(State::open);
        event.error = told.error.get();
        events_.deliver(event);
    }
    for (Completion& completion : told.completed) {
        Event answer;
        answer.connection = connection_.get();
        completion.complete(answer, nullptr, nullptr, muted_);
    }
}

void ChannelPool::tell_outcome(PoolSchedule::Settled& one) {
    Event event;
    event.connection = connection_.get();
    event.number = one.message->number;
    event.error = one.error.get();
    if (one.message->awaited) {
        const Ref<client::Reply> reply =
            insist([] { return Ref<client::Reply>::adopt(new client::Reply); });
        reply->outcome = static_cast<std::int32_t>(one.outcome);
        reply->return_reason = one.error;
        one.message->completion.complete(event, nullptr, reply, false);
        return;
    }
    if (muted_) return;
    event.type = EventType::outcome;
    event.outcome = static_cast<std::int32_t>(one.outcome);
    event.user_data = one.message->data;
    events_.deliver(event);
}

// ---- what is heard, on the loop's thread

void ChannelPool::on_event(Then::AnyFunction, const Event& event, void* slot) {
    auto* const of = static_cast<Slot*>(slot);
    const Ref<ChannelPool> pool = of->pool;
    pool->channel_event(*of, event);
}

void ChannelPool::on_commit(Then::AnyFunction, const Event& event, void* slot) {
    auto* const of = static_cast<Slot*>(slot);
    const Ref<ChannelPool> pool = of->pool;
    {
        const std::lock_guard lock(pool->mutex_);
        if (pool->ended_) return;
        if (event.error == nullptr) {
            pool->schedule_.committed(of->lane);
        } else {
            pool->schedule_.lane_lost(of->lane, ErrorRef(event.error));
        }
        pool->pump();
        if (!pool->owes()) return;
    }
    pool->tell();
}

void ChannelPool::channel_event(Slot& slot, const Event& event) {
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        switch (event.type) {
            case EventType::outcome: {
                auto& message = *static_cast<PooledMessage*>(event.user_data);
                const auto outcome = static_cast<PoolOutcome>(event.outcome);
                ErrorRef error(event.error);
                if (outcome == PoolOutcome::not_sent || outcome == PoolOutcome::unknown) {
                    error = event.channel->last_error();
                    if (!error) error = connection_->last_error();
                }
                schedule_.settle(message, outcome, error);
                break;
            }
            case EventType::returned:
                if (schedule_.settings().transactions) returned(slot.lane, event);
                return;
            case EventType::channel_state:
                if (is_current(slot)) channel_state(slot, event);
                break;
            case EventType::writable:
                if (is_current(slot)) schedule_.lane_full(slot.lane, false);
                break;
            case EventType::flow:
                if (is_current(slot)) schedule_.lane_flow(slot.lane, event.state != 0);
                break;
            default:
                return;
        }
        pump();
        if (!owes()) return;
    }
    tell();
}

void ChannelPool::returned(PoolSchedule::Lane lane, const Event& event) {
    wire::Properties properties;
    if (!wire::parse_properties(event.message->properties, properties)) return;
    protocol::PublishRequest like;
    like.exchange = event.exchange;
    like.routing_key = event.routing_key;
    like.body = wire::as_bytes(event.body);
    like.properties = &properties;
    schedule_.returned(lane, like, ErrorRef(event.error));
}

void ChannelPool::channel_state(Slot& slot, const Event& event) {
    const ErrorRef error(event.error);
    switch (static_cast<State>(event.state)) {
        case State::open:
            schedule_.lane_open(slot.lane);
            return;
        case State::recovering:
            schedule_.lane_lost(slot.lane, error);
            return;
        case State::closed:
            slot_gone(slot, error);
            return;
        default:
            return;
    }
}

void ChannelPool::connection_state(State now, const ErrorRef& error) {
    {
        const std::lock_guard lock(mutex_);
        connection_state_ = now;
        if (now == State::closed) {
            end(error ? error : insist([] {
                return make_error(Status::closed, "the connection was closed");
            }));
        }
        pump();
    }
    tell();
}

}  // namespace haigha::pool
