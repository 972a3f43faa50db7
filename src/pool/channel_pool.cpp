#include "pool/channel_pool.h"

#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "base/insist.h"
#include "base/named_number.h"
#include "protocol/held_body.h"
#include "protocol/kept_publishes.h"
#include "transport/loop.h"
#include "wire/methods_modes.h"

namespace haigha::pool {

using client::Channel;
using client::Completion;
using client::Event;
using client::EventType;
using client::State;
using client::Then;
using client::Waiter;
using transport::Loop;

namespace {

// A commit may take the broker long; a broker that has died is found out by the heartbeat.
constexpr std::int64_t commit_timeout_ms = 24LL * 3600 * 1000;

constexpr const char* pool_closed = "the pool was closed";

}  // namespace

ChannelPool::ChannelPool(Ref<client::Connection> connection, Then events,
                         const PoolSettings& settings, bool correlate_returns)
    : connection_(std::move(connection)),
      correlate_returns_(correlate_returns),
      events_(std::move(events)),
      schedule_(settings) {}

ErrorRef ChannelPool::create(Ref<client::Connection> connection, Then events,
                             const PoolSettings& settings, bool correlate_returns,
                             Ref<ChannelPool>* pool) {
    Ref<ChannelPool> made = Ref<ChannelPool>::adopt(
        new ChannelPool(std::move(connection), std::move(events), settings, correlate_returns));
    // A reader of a stream comes by its channel, whose connection may have been dropped already.
    if (!made->connection_->handles().add_to_others()) {
        made->events_.disarm();
        return make_error(Status::closed, "the connection was dropped");
    }
    constexpr auto drop = [](client::Connection* of) { client::drop_handle(*of); };
    std::unique_ptr<client::Connection, decltype(drop)> handle(made->connection_.get(), drop);
    ErrorRef refused = made->connection_->watch_states(
        made.get(),
        [made](State now, const ErrorRef& error) { made->connection_state(now, error); });
    if (refused) {
        made->events_.disarm();
        return refused;
    }
    (void)handle.release();
    *pool = std::move(made);
    return nullptr;
}

void ChannelPool::abandon() {
    if (connection_->forked()) return;
    muted_.store(true, std::memory_order_release);
    std::vector<Ref<Slot>> slots;
    {
        const std::lock_guard lock(mutex_);
        // Told to none but a thread that still waits.
        if (!std::exchange(ended_, true)) {
            schedule_.end(
                insist([] { return make_error(Status::closed, "the pool was dropped"); }));
        }
        end_told_ = true;
        slots.swap(slots_);
    }
    for (const Ref<Slot>& slot : slots) {
        // Its events hold it, and it the pool.
        const Ref<Channel> channel = slot ? std::move(slot->channel) : nullptr;
        try {
            if (channel) channel->abandon();
        } catch (const std::bad_alloc&) {
            continue;  // it ends with its connection
        }
    }
    connection_->unwatch_states(this);
    (void)tell_soon();  // the release hooks
    client::drop_handle(*connection_);
}

// ---- from any thread

Status ChannelPool::publish(const Ref<PooledMessage>& message, std::uint64_t* number,
                            bool tells_room) {
    {
        const std::lock_guard lock(mutex_);
        if (closing_ || ended_) return Status::closed;
        if (!schedule_.has_room(message->body.size())) {
            refused_ |= tells_room;
            return Status::would_block;
        }
        schedule_.add(message);
        if (number != nullptr) *number = message->number;
        pump();
        if (!owes()) return Status::ok;
    }
    (void)tell_soon();
    return Status::ok;
}

ErrorRef ChannelPool::publish_wait(const protocol::PublishRequest& request, std::int64_t timeout_ms,
                                   Ref<client::Reply>* reply) {
    if (ErrorRef refused = connection_->may_wait()) return refused;
    const Instant deadline = Loop::real_now() + connection_->timeout(timeout_ms);
    const client::Connection::ReadOn read_on(*connection_);
    const Ref<PooledMessage> message = Ref<PooledMessage>::adopt(new PooledMessage(request));
    const Ref<Waiter> answer = Ref<Waiter>::adopt(new Waiter);
    message->completion = Completion(answer);
    message->awaited = true;
    while (true) {
        const Status status = publish(message, nullptr, false);
        if (status == Status::ok) break;
        if (status != Status::would_block) return refusal(status);
        const Ref<Waiter> room = Ref<Waiter>::adopt(new Waiter);
        {
            const std::lock_guard lock(mutex_);
            if (!ended_ && !schedule_.has_room(message->body.size())) {
                room_waiters_.push_back(room);
            } else {
                continue;
            }
        }
        if (ErrorRef late = await(*room, deadline,
                                  "the message could not be taken in time: the pool has as many "
                                  "without an outcome as it may have",
                                  nullptr)) {
            return late;
        }
    }
    return client::Connection::accepted(await(
        *answer, deadline, "the message has no outcome in time; it is still under way", reply));
}

ErrorRef ChannelPool::await(Waiter& waiter, Instant deadline, const char* late,
                            Ref<client::Reply>* reply) {
    const Duration left = deadline - Loop::real_now();
    if (!waiter.wait_for(left.nanoseconds > 0 ? left : Duration{})) {
        return make_error(Status::timeout, late);
    }
    if (reply != nullptr) *reply = waiter.reply();
    return waiter.error();
}

template <class Start>
ErrorRef ChannelPool::wait(Start start, Instant deadline, const char* late) {
    if (ErrorRef refused = connection_->may_wait()) return refused;
    const Ref<Waiter> waiter = Ref<Waiter>::adopt(new Waiter);
    const client::Connection::ReadOn read_on(*connection_);
    if (ErrorRef refused = start(Completion(waiter))) return refused;
    return client::Connection::accepted(await(*waiter, deadline, late, nullptr));
}

ErrorRef ChannelPool::refusal(Status status) const {
    if (status == Status::would_block) {
        return make_error(status,
                          "the pool has as many messages, or bytes of them, without an outcome as "
                          "it may have: not taken");
    }
    const std::lock_guard lock(mutex_);
    if (!end_error_) return make_error(status, pool_closed);
    const Ref<Error> error = edit_error(*end_error_);
    error->status = status;
    error->message = "the pool has ended with its connection: " + end_error_->message;
    return ErrorRef(error.get());
}

ErrorRef ChannelPool::drain(Completion completion) {
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(mutex_);
        id = ++wait_ids_;
        waits_.push_back({id, false, schedule_.last(), schedule_.unsettled() + schedule_.untold(),
                          std::move(completion)});
    }
    return tell_soon() ? nullptr : take_back(id);
}

ErrorRef ChannelPool::close(Completion completion) {
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(mutex_);
        id = ++wait_ids_;
        waits_.push_back({id, true, 0, 0, std::move(completion)});
        if (!closing_ && !ended_) {
            closing_ = true;
            stop();
        }
    }
    return tell_soon() ? nullptr : take_back(id);
}

// The loop has ended: nothing is told any more.
ErrorRef ChannelPool::take_back(std::uint64_t id) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(waits_.begin(), waits_.end(),
                                        [id](const Wait& wait) { return wait.id == id; });
        if (found == waits_.end()) return nullptr;
        found->completion.disarm();
        waits_.erase(found);
    }
    return make_error(Status::closed, "the loop was closed");
}

ErrorRef ChannelPool::drain_wait(std::int64_t timeout_ms) {
    return wait([this](Completion done) { return drain(std::move(done)); },
                Loop::real_now() + connection_->timeout(timeout_ms),
                "not every message has its outcome in time");
}

ErrorRef ChannelPool::close_wait(std::int64_t timeout_ms) {
    ErrorRef late = drain_wait(timeout_ms);
    if (late && late->status != Status::timeout) return late;
    ErrorRef failed = wait([this](Completion done) { return close(std::move(done)); },
                           Loop::real_now() + connection_->timeout(-1),
                           "the broker has not answered channel.close in time");
    return late ? late : failed;
}

bool ChannelPool::info(std::string_view name, std::int64_t* value) const {
    const std::lock_guard lock(mutex_);
    const PoolSchedule::Counts& counts = schedule_.counts();
    const auto outcome = [&](PoolOutcome one) {
        return counts.by_outcome[static_cast<std::size_t>(one)];
    };
    return find_number(
        {
            {"channels", schedule_.open_lanes()},
            {"channels_lost", counts.lost_lanes},
            {"published", schedule_.last()},
            {"unsettled", schedule_.unsettled()},
            {"unsettled_bytes", schedule_.unsettled_bytes()},
            {"waiting", schedule_.waiting()},
            {"retried", counts.retried},
            {"confirmed", outcome(PoolOutcome::confirmed)},
            {"nacked", outcome(PoolOutcome::nacked)},
            {"returned", outcome(PoolOutcome::returned)},
            {"not_sent", outcome(PoolOutcome::not_sent)},
            {"unknown", outcome(PoolOutcome::unknown)},
            {"refused", outcome(PoolOutcome::refused)},
        },
        name, value);
}

// ---- with the mutex held

void ChannelPool::pump() {
    if (ended_) return;
    while (const auto next = schedule_.next())
        write(*next);
    for (const PoolSchedule::Lane lane : schedule_.due_commits())
        commit(lane);
    while (connection_state_ == State::open && !closing_ && schedule_.wants_lane()) {
        const std::uint32_t before = schedule_.lanes();
        open_lane();
        if (schedule_.lanes() == before) break;
    }
}

void ChannelPool::write(const PoolSchedule::Assignment& given) {
    Channel& channel = *slots_[given.lane]->channel;
    Status status = Status::no_memory;
    try {
        status = write_to(channel, *given.message);
    } catch (const std::bad_alloc&) {
        status = Status::no_memory;
    }
    switch (status) {
        case Status::ok:
            schedule_.taken(given);
            return;
        case Status::would_block:
            schedule_.lane_full(given.lane, true);
            return;
        case Status::argument:
            schedule_.refused(given, insist([&] { return channel.refusal(status); }));
            return;
        case Status::no_memory:
            schedule_.refused(given, insist([] {
                                  return make_error(Status::no_memory,
                                                    "there is no memory to write it");
                              }));
            return;
        default:  // its end is about to be told, and why
            schedule_.lane_full(given.lane, true);
            return;
    }
}

Status ChannelPool::write_to(Channel& channel, PooledMessage& message) const {
    protocol::PublishRequest rest;
    rest.body = message.body;
    rest.data = &message;
    const bool lent = message.body.size() >= protocol::least_held_body;
    if (lent) {
        rest.release = [](void* lender) { static_cast<PooledMessage*>(lender)->release(); };
        rest.release_data = &message;
        message.add_ref();
    }
    const auto guarded = [&](auto&& publish) {
        std::uint64_t sequence = 0;
        try {
            const Status status = publish(&sequence);
            if (status != Status::ok && lent) message.release();
            return status;
        } catch (const std::bad_alloc&) {
            if (lent) message.release();
            throw;
        }
    };
    if (message.unsure) {
        const protocol::MarkedHead marked(message.head.encoded());
        protocol::PublishRequest request = marked.request;
        request.body = rest.body;
        request.data = rest.data;
        request.release = rest.release;
        request.release_data = rest.release_data;
        return guarded([&](std::uint64_t* number) { return channel.publish(request, number); });
    }
    return guarded(
        [&](std::uint64_t* number) { return channel.publish(message.head, rest, number); });
}

void ChannelPool::commit(PoolSchedule::Lane lane) {
    Slot& slot = *slots_[lane];
    const ErrorRef failed = insist([&] {
        return slot.channel->call(wire::tx::Commit{}, Completion(client::then_to(slot, &on_commit)),
                                  commit_timeout_ms);
    });
    if (failed) {
        slot.release();  // what the completion had; its end is about to be told, and why
    } else {
        schedule_.committing(lane);
    }
}

void ChannelPool::open_lane() {
    const PoolSettings& settings = schedule_.settings();
    client::ChannelModes modes;
    modes.confirm = !settings.transactions;
    modes.tx = settings.transactions;
    modes.correlate_returns = correlate_returns_ && modes.confirm;
    modes.policy = client::ChannelPolicy::reopen;
    const PoolSchedule::Lane lane = schedule_.add_lane();
    insist([&] {
        if (slots_.size() <= lane) slots_.resize(lane + 1);
    });
    // Nothing else may come that would have it tried again.
    const Ref<Slot> slot = insist([&] { return Ref<Slot>::adopt(new Slot(*this, lane)); });
    // The answer matters only as the state that it leads to.
    ErrorRef refused = insist([&] {
        return connection_->open_channel(client::then_to(*slot, &on_event), modes, Completion(), -1,
                                         &slot->channel);
    });
    if (refused) {
        slot->release();  // what the events had
        schedule_.lane_gone(lane, refused);
    } else {
        slots_[lane] = slot;
    }
}

void ChannelPool::slot_gone(Slot& slot, const ErrorRef& error) {
    if (!slot.channel) return;
    schedule_.lane_gone(slot.lane, error);
    slot.channel = nullptr;
    slots_[slot.lane] = nullptr;
    if (closing_ && schedule_.lanes() == 0) end(nullptr);
}

void ChannelPool::stop() {
    schedule_.stop(insist([] { return make_error(Status::closed, pool_closed); }));
    if (schedule_.lanes() == 0) {
        end(nullptr);
        return;
    }
    for (const Ref<Slot>& slot : slots_) {
        if (!slot || !slot->channel) continue;
        // Told as a state of the channel's; refused, it has ended, and that is told.
        (void)insist([&] { return slot->channel->close(Completion(), -1); });
    }
}

void ChannelPool::end(const ErrorRef& error) {
    if (ended_) return;
    ended_ = true;
    end_error_ = error;
    schedule_.end(error ? error : insist([] { return make_error(Status::closed, pool_closed); }));
}

}  // namespace haigha::pool
