// The part of Connection that ends it so that nothing is left: its consumers, then its publishes,
// then itself.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/insist.h"
#include "client/channel.h"
#include "client/connection.h"

namespace haigha::client {

using transport::Loop;

ErrorRef Connection::stop(const StopTimes& times, Completion completion) {
    auto shared = std::make_shared<Completion>(std::move(completion));
    const bool posted = loop_->transport().post([self = Ref<Connection>(this), times, shared] {
        self->guarded([&] { self->begin_stop(times, std::move(*shared)); });
    });
    if (posted) return nullptr;
    shared->disarm();
    return make_error(Status::closed, "the loop was closed");
}

void Connection::begin_stop(const StopTimes& times, Completion completion) {
    if (!stop_) {
        stop_ = std::make_unique<Stop>();
        stop_->times = times;
        stop_->deadline = loop_time() + milliseconds(times.settle_ms);
    }
    stop_->completions.push_back(std::move(completion));
    if (stop_->completions.size() > 1) return;
    const State now = state();
    if (now == State::open || now == State::recovering) {
        {
            const std::lock_guard lock(mutex_);
            timer_due_ = std::min(timer_due_, stop_->deadline);
        }
        advance_stop();
        arm_timer();
        return;
    }
    // Nothing was begun on it, or its end is under way.
    stop_->phase = Stop::Phase::closing;
    if (now == State::fresh || now == State::opening) (void)close(Completion(), times.close_ms);
    if (state() == State::closed) finish_stop(nullptr);
}

// Those that come back, or are begun, meanwhile too.
void Connection::cancel_consumers() {
    std::vector<std::pair<Ref<Channel>, std::string>> consumers;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [id, tag] : machine_->consumers_to_cancel()) {
            if (is_recoverys(id.owner)) continue;
            consumers.emplace_back(Ref<Channel>(static_cast<Channel*>(id.owner)), std::move(tag));
        }
    }
    for (const auto& [channel, tag] : consumers)
        (void)channel->stop_consumer(protocol::CallKind::cancel, tag, Completion(), -1);
}

protocol::Unfinished Connection::unfinished() const {
    protocol::Unfinished left = machine_->unfinished();
    const auto add = [&](protocol::Token channel) {
        const auto& kept = static_cast<const Channel*>(channel)->kept_;
        left.publishes += kept ? kept->outstanding() : 0;
    };
    for (const protocol::ChannelRemains& lost : lost_)
        add(lost.owner);
    for (const Recovery::Plan& plan : waiting_)
        add(plan.channel);
    for (const auto& recovery : recoveries_) {
        for (const Recovery::Plan& plan : recovery->plans())
            add(plan.channel);
    }
    return left;
}

void Connection::advance_stop() {
    if (!stop_ || stop_->phase == Stop::Phase::closing || state() == State::closed) return;
    const Instant now = loop_time();
    cancel_consumers();
    bool stopped = false;
    {
        const std::lock_guard lock(mutex_);
        stop_->left = unfinished();
        const bool recovering = state() == State::recovering;
        if (stop_->phase == Stop::Phase::settling) {
            // What was delivered on a connection that is lost is the broker's again.
            const bool settled =
                recovering || (stop_->left.deliveries == 0 && machine_->consumers() == 0);
            if (!settled && now < stop_->deadline) return;
            stop_->phase = Stop::Phase::publishing;
            stop_->deadline = now + milliseconds(stop_->times.publish_ms);
            stopped = publishes_stopped_ = true;
            machine_->stop_publishing();
            timer_due_ = std::min(timer_due_, stop_->deadline);
        }
    }
    if (stopped) wake_room_waiters();
    const protocol::Unfinished& left = stop_->left;
    const bool written = left.bytes == 0 || state() == State::recovering;
    if ((left.publishes > 0 || !written) && now < stop_->deadline) {
        if (stopped) arm_timer();
        return;
    }
    stop_->phase = Stop::Phase::closing;
    (void)close(Completion(), stop_->times.close_ms);
}

// The connection has ended. cause: null, if that was asked for.
void Connection::finish_stop(const ErrorRef& cause) {
    const std::unique_ptr<Stop> done = std::move(stop_);
    if (!done) return;
    const protocol::Unfinished& left = done->left;
    const Ref<Reply> reply = insist([] { return Ref<Reply>::adopt(new Reply); });
    reply->unwritten_bytes = left.bytes;
    reply->unconfirmed = left.publishes;
    reply->unsettled = left.deliveries;
    ErrorRef error = cause ? cause : hard_close_;
    if (!error && (left.bytes > 0 || left.publishes > 0 || left.deliveries > 0)) {
        error = insist([&] {
            return failure(Status::timeout,
                           "the connection was stopped with " + std::to_string(left.bytes) +
                               " bytes not written, " + std::to_string(left.publishes) +
                               " publishes not confirmed and " + std::to_string(left.deliveries) +
                               " deliveries not settled",
                           Stage::ready);
        });
    }
    for (Completion& completion : done->completions) {
        Event event = event_for(EventType::reply, nullptr);
        completion.complete(event, error, reply, muted_);
    }
}

}  // namespace haigha::client
