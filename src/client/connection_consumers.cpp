// The part of Connection that is about consumers: those that are held back while their inbox is
// full, and those that consume again.
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/insist.h"
#include "client/channel.h"
#include "client/connection.h"

namespace haigha::client {

using protocol::CallKind;
using transport::Loop;

// ---- one that is slow must not stall its connection

void Connection::inbox_is_full(Channel& channel, const Consumer& consumer, Inbox::Fill fill) {
    if (consumer.pauses_when_full) {
        filler_.flush();  // so that it knows that it is full
        std::function<void()> go_on = hold_back(channel, consumer.tag);
        if (go_on) consumer.then.inbox()->when_half_empty(std::move(go_on));
        return;
    }
    // The broker holds it back: what comes in has a bound already.
    if (fill == Inbox::Fill::too_many && consumer.is_limited) return;
    // Stop reading once this batch is told; the inbox says when to go on.
    if (!full_inboxes_.empty() && full_inboxes_.back().get() == consumer.then.inbox()) return;
    insist([&] { full_inboxes_.emplace_back(consumer.then.inbox()); });
}

std::function<void()> Connection::hold_back(Channel& channel, const std::string& tag) {
    if (channel.find_held_back(tag) != channel.held_back_.end()) return {};
    std::function<void()> go_on = [self = Ref<Connection>(this), kept = Ref<Channel>(&channel),
                                   tag] {
        self->loop_->transport().post(
            [self, kept, tag] { self->guarded([&] { self->resume_held_back(*kept, tag); }); });
    };
    channel.held_back_.push_back({tag});
    wire::basic::Cancel method{};
    method.consumer_tag = {tag};
    protocol::Call pause;
    pause.kind = CallKind::pause;
    pause.name = tag;
    pause.reply = wire::basic::CancelOk::id;
    const auto paused = [this, &channel, tag](const ErrorRef& error, const Reply*) {
        const auto held = channel.find_held_back(tag);
        if (held == channel.held_back_.end()) return;
        if (error) {
            channel.held_back_.erase(held);
        } else if (held->is_due) {
            resume_held_back(channel, tag);
        }
    };
    if (call(channel, method, std::move(pause), Completion(), -1, paused)) {
        // It is being stopped by the program, and with that what comes in.
        channel.held_back_.pop_back();
        return {};
    }
    return go_on;
}

// What waits of it, in its inbox say, has become half of what may.
void Connection::resume_held_back(Channel& channel, const std::string& tag) {
    const auto held = channel.find_held_back(tag);
    if (held == channel.held_back_.end()) return;
    protocol::ConsumerState state = protocol::ConsumerState::none;
    {
        const std::lock_guard lock(mutex_);
        state = machine_->consumer_state({channel.number_, &channel}, tag);
    }
    if (state == protocol::ConsumerState::pausing || channel.state() == State::recovering) {
        held->is_due = true;
        return;
    }
    channel.held_back_.erase(held);
    if (state == protocol::ConsumerState::paused) {
        (void)channel.resume_consumer(tag, Completion(), -1);
    }
}

// ---- one that the broker has cancelled, rule 48

void Connection::resubscribe(Channel& channel, const Consumer& consumer, const ErrorRef& cause) {
    log(LogLevel::warn, "recovery", {"consumer_cancelled"},
        cause->message + "; it is subscribed again", cause,
        LogFields().text("consumer_tag", consumer.tag).text("queue", consumer.queue));
    auto operation = std::make_unique<Operation>();
    operation->channel = Ref<Channel>(&channel);
    operation->note = [this, &channel, tag = consumer.tag, queue = consumer.queue, cause](
                          const ErrorRef& error, const Reply*) {
        on_consumer_restored(channel, tag, error);
        if (error) return;
        Event told = event_for(EventType::recovery, &channel);
        told.state = static_cast<std::int32_t>(RecoveryStep::resubscribed);
        told.error = cause.get();
        told.consumer_tag = Str(tag);
        told.name = Str(queue);
        tell(events_, told);
    };
    protocol::Call again;
    again.name = consumer.tag;
    again.deadline = loop_time() + timeout(-1);
    again.token = operation.get();
    bool started = false;
    {
        const std::lock_guard lock(mutex_);
        started =
            machine_->resubscribe({channel.number_, &channel}, std::move(again)) == Status::ok;
        if (started) {
            (void)operation.release();
            ++restoring_;
            ++channel.restoring_;
            (void)note_work(loop_time() + timeout(-1));
        }
    }
    if (started) tell_loop();
}

}  // namespace haigha::client
