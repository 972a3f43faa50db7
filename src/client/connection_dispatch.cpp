// What the machine reported, told to whoever asked: the part of Connection that runs user code.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/insist.h"
#include "client/channel.h"
#include "client/connection.h"

namespace haigha::client {

using protocol::EventKind;
using protocol::MachineEvent;

Event Connection::event_for(EventType type, Channel* channel) {
    Event event;
    event.type = type;
    event.connection = this;
    event.channel = channel;
    event.channel_id = channel != nullptr ? channel->number() : 0;
    return event;
}

// User code runs in here, and nowhere else on the way of an event.
void Connection::tell(const Then& then, Event& event) {
    const bool quiet =
        muted_.load(std::memory_order_acquire) ||
        (event.channel != nullptr && event.channel->muted_.load(std::memory_order_acquire) &&
         event.type != EventType::consumer_cancelled);
    if (quiet) return;
    (void)then.deliver(event);
}

void Connection::dispatch() {
    called_back_ = true;
    bool without_memory = false;
    for (std::size_t at = 0; at < machine_events_.size();) {
        // What follows an event that cannot be told still is: it may be its own last chance.
        try {
            for (; at < machine_events_.size(); ++at) {
                MachineEvent& event = machine_events_[at];
                if (event.kind == EventKind::delivery) [[likely]] {
                    dispatch_delivery(event);
                } else {
                    filler_.flush();
                    dispatch_one(event);
                }
            }
        } catch (const std::bad_alloc&) {
            ++at;
            without_memory = true;
        }
    }
    filler_.flush();
    machine_events_.clear();
    if (without_memory && !ended_) throw std::bad_alloc();
    if (recovered_is_due_) [[unlikely]]
        check_recovered();
    if (stop_) [[unlikely]]
        advance_stop();
    if (full_inboxes_.empty()) return;
    const Ref<Inbox> full = full_inboxes_.front();
    full_inboxes_.clear();
    pause_reading(full);
}

void Connection::pause_reading(const Ref<Inbox>& full) {
    if (paused_ || ended_ || stream_ == nullptr) return;
    paused_ = true;
    if (waiting_threads_ > 0) {
        paused_ = false;
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        machine_->set_reading(false, loop_time());
    }
    watch();
    const auto is_full = [inbox = full.get()](const Ref<Inbox>& one) { return one.get() == inbox; };
    if (std::any_of(pausers_.begin(), pausers_.end(), is_full)) return;
    pausers_.push_back(full);
    full->when_half_empty([self = Ref<Connection>(this), is_full] {
        self->loop_->transport().post([self, is_full] {
            std::erase_if(self->pausers_, is_full);
            self->resume_reading();
        });
    });
}

// Whoever hears of a call that an end has failed, or is refused because of it, sees the end in what
// can be asked of the connection and its channels, although the machine tells it last. After
// whatever may end something, with the mutex held.
void Connection::note_ends() {
    if (!machine_->take_ended()) return;
    const MachineEvent& last = machine_events_.back();
    const bool all = last.kind == EventKind::connection_closed;
    const bool goes_on = !all || will_recover(last.error);
    note_lost(goes_on);
    for (const MachineEvent& event : machine_events_) {
        if (event.kind == EventKind::channel_lost && !is_recoverys(event.owner)) {
            static_cast<Channel*>(event.owner)->last_error_ = event.error;
        } else if (event.kind == EventKind::channel_closed && !is_recoverys(event.owner)) {
            auto* const channel = static_cast<Channel*>(event.owner);
            channel->last_error_ = event.error;
            channel->state_before_end_ = channel->state_.exchange(State::closed);
        } else if (event.kind == EventKind::connection_closed) {
            (goes_on ? outage_error_ : last_error_) = event.error;
            state_before_end_ = state_.exchange(goes_on ? State::recovering : State::closed);
        }
    }
}

void Connection::dispatch_one(MachineEvent& event) {
    if (!recoveries_.empty() && is_recoverys(event.owner)) {
        dispatch_to_recovery(event);
        return;
    }
    auto* const channel = static_cast<Channel*>(event.owner);
    switch (event.kind) {
        case EventKind::connection_open: {
            stages_.enter(Stage::ready, loop_time());
            if (state() == State::recovering) {
                transport_up();
                return;
            }
            {
                const std::lock_guard lock(mutex_);
                open_deadline_ = Instant::never();
                timer_due_ = std::min(machine_->deadline(), renew_at_);
                if (!closings_.empty()) machine_->close(200, "closed");
                ++links_.opened;
                state_.store(closings_.empty() ? State::open : State::closing,
                             std::memory_order_release);
            }
            if (timer_ != nullptr) timer_->set(timer_due_);
            if (strategy_) strategy_->connected(endpoint_at_, loop_time());
            log_opened();
            tell_state(State::open, nullptr);
            Completion opening;
            {
                const std::lock_guard lock(mutex_);
                opening = std::exchange(opening_, Completion());
            }
            Event reply = event_for(EventType::reply, nullptr);
            opening.complete(reply, nullptr, nullptr, muted_);
            return;
        }
        case EventKind::connection_closed:
            dispatch_end(event);
            return;
        case EventKind::blocked:
        case EventKind::unblocked: {
            Event told = event_for(
                event.kind == EventKind::blocked ? EventType::blocked : EventType::unblocked,
                nullptr);
            told.error = event.error.get();
            log(LogLevel::warn, "connection", {event.error ? "blocked" : "unblocked"},
                event.error ? std::string_view(event.error->message)
                            : std::string_view("the broker takes publishes again"),
                event.error);
            tell(events_, told);
            return;
        }
        case EventKind::writable: {
            if (channel == nullptr) wake_room_waiters();
            Event told = event_for(EventType::writable, channel);
            tell(channel != nullptr ? channel->events_ : events_, told);
            return;
        }
        case EventKind::channel_open: {
            if (channel == nullptr) return;
            State expected = State::opening;
            if (!channel->state_.compare_exchange_strong(expected, State::open) &&
                expected == State::closed) {
                channel->state_before_end_ = State::open;  // its end came in with it
            }
            Event told = event_for(EventType::channel_state, channel);
            told.state = static_cast<std::int32_t>(State::open);
            told.previous_state = static_cast<std::int32_t>(State::opening);
            tell(channel->events_, told);
            return;
        }
        case EventKind::channel_closed:
            dispatch_channel_end(event);
            return;
        case EventKind::channel_lost:
            dispatch_channel_lost(event);
            return;
        case EventKind::call_done:
            dispatch_reply(event);
            return;
        case EventKind::delivery:
            dispatch_delivery(event);
            return;
        case EventKind::returned:
            dispatch_return(event);
            return;
        case EventKind::body_room:
        case EventKind::body_done:
            dispatch_body(event);
            return;
        case EventKind::delivery_begin:
        case EventKind::delivery_piece:
        case EventKind::delivery_end:
        case EventKind::delivery_cut:
            dispatch_piece(event);
            return;
        case EventKind::outcomes:
            dispatch_outcomes(event);
            return;
        case EventKind::consumer_cancelled: {
            const std::unique_ptr<Consumer> consumer(static_cast<Consumer*>(event.subject));
            if (event.silent || channel == nullptr) return;
            if (!consumer->queue.empty()) {
                record([&](TopologyRecords& r) { r.consumer_ended(consumer->queue); });
            }
            Event told = event_for(EventType::consumer_cancelled, channel);
            told.consumer_tag = Str(consumer->tag);
            told.error = event.error.get();
            tell(consumer->then, told);
            return;
        }
        case EventKind::consumer_lost:
            if (channel != nullptr) {
                resubscribe(*channel, *static_cast<Consumer*>(event.subject), event.error);
            }
            return;
        case EventKind::delivery_held: {
            if (channel == nullptr) return;
            Event told = event_for(EventType::delivery_held, channel);
            told.number = event.number;
            told.consumer_tag = Str(event.name);
            told.state = static_cast<std::int32_t>(event.message_count);
            told.delay_ms = options_.delivery_warning_ms;
            tell(channel->events_, told);
            return;
        }
        case EventKind::auth:
            ask(static_cast<AuthQuestion>(event.number), event.name,
                {reinterpret_cast<const char*>(event.body.data()), event.body.size()});
            return;
        case EventKind::flow: {
            if (channel == nullptr) return;
            Event told = event_for(EventType::flow, channel);
            told.state = static_cast<std::int32_t>(event.number);
            tell(channel->events_, told);
            return;
        }
    }
}

// The message borrows the machine's views; its memory is the event's slab, or what was read into.
Message* Connection::make_message(const MachineEvent& event) {
    Message* message = messages_->take();
    message->exchange = event.exchange;
    message->routing_key = event.routing_key;
    message->consumer_tag = event.name;
    message->body =
        std::string_view(reinterpret_cast<const char*>(event.body.data()), event.body.size());
    message->properties = event.properties;
    message->delivery_tag = event.number;
    message->redelivered = event.redelivered;
    return message;
}

void Connection::dispatch_delivery(MachineEvent& event) {
    auto* const channel = static_cast<Channel*>(event.owner);
    const auto* const consumer = static_cast<const Consumer*>(event.subject);
    Message* message = make_message(event);
    // Also when holding back who cannot keep more has thrown.
    struct Settled {
        MessagePool& pool;
        Message* message;
        Slab* slab;
        ~Settled() { pool.settle(message, slab); }
    } const settled{*messages_, message, event.slab ? event.slab.get() : input_.slab()};
    Event told = event_for(EventType::delivery, channel);
    told.flags = message->flags();
    told.number = event.number;
    told.message = message;
    told.exchange = message->exchange;
    told.routing_key = message->routing_key;
    told.consumer_tag = message->consumer_tag;
    told.body = message->body;
    // As tell(), but that a channel nobody holds keeps its consumers.
    if (!muted_.load(std::memory_order_acquire)) {
        if (consumer->observer) [[unlikely]]
            consumer->observer->delivered(*message);
        const Inbox::Fill fill = hand_over(consumer->then, told);
        if (fill != Inbox::Fill::room) [[unlikely]]
            inbox_is_full(*channel, *consumer, fill);
    }
}

// Into an inbox with those that follow; else user code runs now, which finds all before it told.
Inbox::Fill Connection::hand_over(const Then& then, Event& delivery) {
    if (then.inbox() != nullptr) return filler_.add(then, delivery);
    filler_.flush();
    return then.deliver(delivery);
}

void Connection::dispatch_return(MachineEvent& event) {
    auto* const channel = static_cast<Channel*>(event.owner);
    if (channel == nullptr) return;
    Message* message = make_message(event);
    Event told = event_for(EventType::returned, channel);
    told.flags = message->flags();
    told.number = event.number;
    told.message = message;
    told.error = event.error.get();
    told.exchange = message->exchange;
    told.routing_key = message->routing_key;
    told.body = message->body;
    tell(channel->events_, told);
    messages_->settle(message, event.slab ? event.slab.get() : input_.slab());
}

void Connection::dispatch_reply(MachineEvent& event) {
    const std::unique_ptr<Operation> operation(static_cast<Operation*>(event.subject));
    Event told = event_for(EventType::reply, operation->channel.get());
    Channel* const channel = operation->channel.get();
    const bool muted = muted_ || (channel != nullptr && channel->muted_);
    if (event.error) {
        if (operation->note) operation->note(event.error, nullptr);
        operation->completion.complete(told, event.error, nullptr, muted);
        return;
    }
    const Ref<Reply> reply = insist([&] {
        Ref<Reply> made = Ref<Reply>::adopt(new Reply);
        made->queue = event.name;
        made->consumer_tag = event.name;
        return made;
    });
    reply->message_count = event.message_count;
    reply->consumer_count = event.consumer_count;
    if (event.has_message) {
        Message* message = insist([&] { return make_message(event); });
        messages_->keep(message, event.slab ? event.slab.get() : input_.slab());
        reply->message = Ref<Message>::adopt(message);
    }
    if (operation->note) operation->note(nullptr, reply.get());
    operation->completion.complete(told, nullptr, reply, muted);
}

void Connection::dispatch_outcomes(MachineEvent& event) {
    auto* const channel = static_cast<Channel*>(event.owner);
    std::array<protocol::Settled, 256> settled;
    protocol::EventList writable;  // told behind the outcomes
    bool done = false;
    while (!done) {
        std::size_t count = 0;
        {
            const std::lock_guard lock(mutex_);
            count = event.ring->take(settled, &done, outcomes_);
            if (done && channel != nullptr) {
                machine_->outcomes_taken({channel->number_, channel}, writable);
            }
        }
        for (const protocol::Settled& one : std::span(settled).first(count)) {
            ErrorRef why;
            if (one.outcome == protocol::Outcome::returned) {
                const std::lock_guard lock(mutex_);
                why = event.ring->take_return(one.sequence);
            } else if (one.outcome == protocol::Outcome::not_sent ||
                       one.outcome == protocol::Outcome::unknown) {
                why = event.error;
            }
            if (one.waiter) {
                const Ref<Waiter> waiter = Ref<Waiter>::adopt(static_cast<Waiter*>(one.data));
                const Ref<Reply> reply = insist([] { return Ref<Reply>::adopt(new Reply); });
                reply->outcome = static_cast<std::int32_t>(one.outcome);
                reply->return_reason = why;
                waiter->finish(nullptr, reply);
                continue;
            }
            if (channel == nullptr) continue;
            Event told = event_for(EventType::outcome, channel);
            told.number = one.sequence;
            told.user_data = one.data;
            told.outcome = static_cast<std::int32_t>(one.outcome);
            told.error = why.get();
            tell(channel->events_, told);
        }
    }
    for (MachineEvent& one : writable)
        dispatch_one(one);
    if (event.ring->kept() != nullptr) [[unlikely]]
        give_back();
}

// Bodies that were kept until now.
void Connection::give_back() {
    protocol::ReturnedBodies returned;
    const std::lock_guard lock(mutex_);
    returned = machine_->take_returned();
}

// Has each publish_wait that waits for room try again.
void Connection::wake_room_waiters() {
    std::vector<Ref<Waiter>> waiters;
    {
        const std::lock_guard lock(mutex_);
        waiters.swap(room_waiters_);
    }
    for (const Ref<Waiter>& waiter : waiters)
        waiter->finish(nullptr, nullptr);
}

void Connection::dispatch_channel_end(MachineEvent& event) {
    // The machine's share ends here.
    const Ref<Channel> channel = Ref<Channel>::adopt(static_cast<Channel*>(event.owner));
    if (event.error) {
        log(LogLevel::warn, "channel", {"channel_closed"}, event.error->message, event.error);
    }
    wake_room_waiters();  // those of this channel are refused now
    tell_channel_state(*channel, State::closed, event.error);
}

void Connection::tell_channel_state(Channel& channel, State now, const ErrorRef& error) {
    Event told = event_for(EventType::channel_state, &channel);
    told.state = static_cast<std::int32_t>(now);
    told.previous_state = static_cast<std::int32_t>(now == State::open ? State::recovering
                                                                       : channel.state_before_end_);
    told.error = error.get();
    tell(channel.events_, told);
    // The last that is heard of it: what hears may hold the channel.
    if (now == State::closed) channel.events_ = Then();
}

void Connection::tell_state(State now, const ErrorRef& error) {
    State before = State::fresh;
    if (now == State::open) {
        before = recovered_is_due_ ? State::recovering : State::opening;
    } else if (now == State::closed || now == State::recovering) {
        before = state_before_end_;
    }
    tell_watches(now, error);
    Event told = event_for(EventType::connection_state, nullptr);
    told.state = static_cast<std::int32_t>(now);
    told.previous_state = static_cast<std::int32_t>(before);
    told.error = error.get();
    tell(events_, told);
    if (now != State::closed) return;
    events_ = Then();
    auth_ = Then();
}

void Connection::tell_watches(State now, const ErrorRef& error) {
    std::vector<std::pair<const void*, StateWatch>> watches;
    insist([&] {
        const std::lock_guard lock(mutex_);
        watches = watches_;
        if (now == State::closed) watches_.clear();
    });
    for (const auto& [key, watch] : watches)
        watch(now, error);
}

// Whoever waits for something else than an answer of the broker's.
void Connection::fail_waiters(const ErrorRef& cause) {
    std::vector<Flush> flushes;
    std::vector<Ref<Waiter>> room_waiters;
    {
        const std::lock_guard lock(mutex_);
        flushes.swap(flushes_);
        room_waiters.swap(room_waiters_);
        timer_due_ = Instant::never();
        renew_at_ = Instant::never();
        question_open_ = false;
    }
    for (Flush& flush : flushes) {
        Event told = event_for(EventType::reply, nullptr);
        flush.completion.complete(told, cause, nullptr, muted_);
    }
    for (const Ref<Waiter>& waiter : room_waiters)
        waiter->finish(cause, nullptr);
}

void Connection::dispatch_end(MachineEvent& event) {
    ended_ = true;
    const bool goes_on = state() == State::recovering;
    Completion opening;
    std::vector<Closing> closings;
    ErrorRef cause = event.error;
    {
        const std::lock_guard lock(mutex_);
        opening = std::exchange(opening_, Completion());
        if (in_attempt_) {
            ++links_.failed_attempts;
        } else if (state_before_end_ == State::open && event.error) {
            ++links_.lost;
        }
        if (!goes_on) closings.swap(closings_);
        if (!cause) cause = insist([this] { return closed_error("not finished"); });
    }
    if (goes_on) {
        const bool was_open = !in_attempt_;
        begin_outage(event.error);
        fail_waiters(cause);
        if (was_open) {
            log(LogLevel::warn, "connection", {"connection_lost"}, event.error->message,
                event.error);
            tell_state(State::recovering, event.error);
        }
    } else {
        stop_recoveries();
        for (Recovery::Plan& plan : std::exchange(waiting_, {}))
            end_channel(plan, event.error);
        // That it was closed or dropped on this side is no failure.
        const bool failed = event.error && event.error->status != Status::closed;
        log(failed ? LogLevel::error : LogLevel::info, "connection",
            {"connection_closed", LogEvent::Limit::last},
            event.error ? std::string_view(event.error->message) : std::string_view("closed"),
            event.error);
        Event reply = event_for(EventType::reply, nullptr);
        opening.complete(reply, cause, nullptr, muted_);
        fail_waiters(cause);
        if (state_before_end_ == State::recovering && failed) {
            tell_recovery(RecoveryStep::failed, event.error, strategy_->attempts());
        }
        tell_state(State::closed, event.error);
    }
    for (Closing& closing : closings) {
        Event answer = event_for(EventType::reply, nullptr);
        closing.completion.complete(answer, hard_close_, nullptr, muted_);
    }
    if (!goes_on) finish_stop(event.error);
    // The last words, if there are any, have a little time.
    if (timer_ != nullptr) timer_->set(loop_time() + seconds(1));
    if (stream_ != nullptr) tell_loop();
}

}  // namespace haigha::client
