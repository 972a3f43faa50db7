// The parts of Connection that know the method they send.
#pragma once

#include <memory>
#include <new>
#include <utility>

#include "client/channel.h"
#include "client/connection.h"

namespace haigha::client {

template <class Method>
ErrorRef Connection::call(Channel& channel, const Method& method, protocol::Call call,
                          Completion completion, std::int64_t timeout_ms, OperationNote note) {
    return start_call(
        channel, std::move(call), std::move(completion), timeout_ms, std::move(note),
        [&](protocol::Call started) {
            return machine_->call({channel.number_, &channel}, std::move(started), method);
        });
}

template <class Start>
ErrorRef Connection::start_call(Channel& channel, protocol::Call call, Completion completion,
                                std::int64_t timeout_ms, OperationNote note, Start start) {
    auto operation = std::make_unique<Operation>();
    operation->completion = std::move(completion);
    operation->note = std::move(note);
    operation->channel = Ref<Channel>(&channel);
    call.token = operation.get();
    call.deadline = loop_time() + timeout(timeout_ms);
    const Instant deadline = call.deadline;
    const protocol::Token consumer = call.consumer;
    bool tell = false;
    Status status = Status::ok;
    {
        const std::lock_guard lock(mutex_);
        // What it is now; what it is called later may be something else.
        status = channel.told(change([&] {
            try {
                return start(std::move(call));
            } catch (const std::bad_alloc&) {
                machine_->forget(operation.get());
                if (consumer != nullptr) machine_->forget(consumer);
                throw;
            }
        }));
        if (status == Status::ok) {
            (void)operation.release();
            tell = note_work(deadline);
        }
    }
    if (status != Status::ok) {
        operation->completion.disarm();
        return channel.refusal(status);
    }
    if (tell) tell_loop();
    return nullptr;
}

template <class Method>
Status Connection::settle(Channel& channel, const Method& method) {
    bool tell = false;
    {
        const std::lock_guard lock(mutex_);
        const Status status = change([&] {
            return machine_->settle({channel.number_, &channel}, method);
        });
        if (status != Status::ok) [[unlikely]]
            return unsettled(channel, status, method.delivery_tag);
        tell = note_work();
    }
    if (tell) tell_loop();
    return Status::ok;
}

inline bool Connection::note_work(Instant deadline) {
    bool tell = !flush_scheduled_;
    flush_scheduled_ = true;
    if (deadline < timer_due_) {
        timer_due_ = deadline;
        tell = true;
    }
    return tell;
}

// *sequence is 0 before.
template <class... What>
Status Connection::publish_on(Channel& channel, std::uint64_t* sequence, const What&... what) {
    const protocol::ChannelId id{channel.number_, &channel};
    try {
        return machine_->publish(id, what..., sequence);
    } catch (const std::bad_alloc&) {
        machine_->forget_publish(id, std::exchange(*sequence, 0));
        throw;
    }
}

template <class... What>
Status Connection::publish(Channel& channel, std::uint64_t* sequence, const What&... what) {
    bool tell = false;
    Status status = Status::ok;
    {
        const std::lock_guard lock(mutex_);
        status = change([&] { return publish_on(channel, sequence, what...); });
        if (status == Status::ok) [[likely]]
            tell = note_work();
    }
    if (status != Status::ok) [[unlikely]]
        return publish_otherwise(channel, status, sequence, what...);
    if (tell) tell_loop();
    return Status::ok;
}

template <class... What>
[[gnu::cold, gnu::noinline]] Status Connection::publish_otherwise(Channel& channel, Status status,
                                                                  std::uint64_t* sequence,
                                                                  const What&... what) {
    if (status != Status::closed && status != Status::unsupported) return status;
    bool tell = false;
    {
        // Once more, so that what is said of the channel is so now.
        const std::lock_guard lock(mutex_);
        status = publish_now(channel, sequence, what...);
        // What is kept for later is not the loop's yet.
        if (status != Status::ok || channel.state() == State::recovering) return status;
        tell = note_work();
    }
    if (tell) tell_loop();
    return Status::ok;
}

template <class... What>
[[gnu::cold, gnu::noinline]] Status Connection::publish_now(Channel& channel,
                                                            std::uint64_t* sequence,
                                                            const What&... what) {
    if (!channel.kept_) {
        return channel.told(change([&] { return publish_on(channel, sequence, what...); }));
    }
    const Instant now = loop_time();
    if (channel.state() != State::recovering) {
        return change([&] {
            return machine_->publish_kept({channel.number_, &channel}, now, sequence, what...);
        });
    }
    if (publishes_stopped_) return Status::closed;
    protocol::KeptPublishes& kept = *channel.kept_->kept();
    if (kept.is_full()) {
        kept.refused = true;
        return Status::would_block;
    }
    return kept.take(
        what..., now, [](const protocol::KeptPublish&) {}, sequence);
}

}  // namespace haigha::client
