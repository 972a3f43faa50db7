// The part of Connection that goes on after a connection was lost: outages, attempts, giving up.
#include <algorithm>
#include <string>
#include <utility>

#include "base/insist.h"
#include "client/channel.h"
#include "client/connection.h"

namespace haigha::client {

using transport::Loop;

StrategySettings Connection::strategy_settings() const {
    StrategySettings settings;
    settings.order = options_.choose_host                ? HostOrder::chosen
                     : options_.host_order == "shuffled" ? HostOrder::shuffled
                                                         : HostOrder::ordered;
    settings.permanent = options_.recovery_permanent == "retry"  ? PermanentPolicy::retry
                         : options_.recovery_permanent == "skip" ? PermanentPolicy::skip
                                                                 : PermanentPolicy::stop;
    settings.base_delay = milliseconds(options_.recovery_delay_ms);
    settings.largest_delay =
        milliseconds(std::max(options_.recovery_delay_ms, options_.recovery_max_delay_ms));
    settings.attempts = static_cast<std::uint64_t>(options_.recovery_attempts);
    settings.deadline = milliseconds(options_.recovery_deadline_ms);
    settings.stable_after = milliseconds(options_.recovery_stable_ms);
    return settings;
}

ConnectionStrategy::Choose Connection::host_chooser() const {
    if (!options_.choose_host) return {};
    return [this](std::span<const HostState> states) {
        std::vector<KnownHost> hosts;
        for (std::size_t i = 0; i < states.size(); ++i)
            hosts.push_back({endpoints_[i].display(), states[i].failures, states[i].refused});
        return options_.choose_host(hosts);
    };
}

std::unique_ptr<protocol::ConnectionMachine> Connection::new_machine(
    protocol::ReturnedBodies* returned) const {
    return std::make_unique<protocol::ConnectionMachine>(
        machine_parameters(), loop_->transport().slabs(), loop_->chunks(), returned);
}

void Connection::tell_recovery(RecoveryStep step, const ErrorRef& error, std::uint64_t number,
                               Duration delay) {
    const std::string host = endpoint().display();
    Event told = event_for(EventType::recovery, nullptr);
    told.state = static_cast<std::int32_t>(step);
    told.number = number;
    told.error = error.get();
    told.delay_ms = delay.nanoseconds / 1'000'000;
    told.name = Str(host);
    tell(events_, told);
}

// Whatever ends a connection that was open, but for its own side: what is denied is a matter of the
// attempts (rule 56).
bool Connection::will_recover(const ErrorRef& cause) const {
    const State now = state();
    return strategy_ && cause && cause->status != Status::closed && closings_.empty() &&
           !muted_.load(std::memory_order_acquire) && !by_given_fd_ &&
           (now == State::open || now == State::recovering) && !loop_->transport().closing();
}

// With the mutex held: from now on calls are refused because of it.
void Connection::note_lost(bool goes_on) {
    for (protocol::ChannelRemains& remains : machine_->take_remains()) {
        if (is_recoverys(remains.owner)) continue;
        auto* const channel = static_cast<Channel*>(remains.owner);
        channel->state_before_end_ =
            channel->state_.exchange(goes_on ? State::recovering : State::closed);
        channel->stale_up_to_ = remains.bases.deliveries;
        for (protocol::ConsumerRemains& consumer : channel->left_behind_) {
            if (consumer.token == nullptr) continue;
            insist([&] { remains.consumers.push_back(std::move(consumer)); });
        }
        channel->left_behind_.clear();
        insist([&] { lost_.push_back(std::move(remains)); });
    }
}

// What they were to bring back waits again.
void Connection::stop_recoveries() {
    for (const auto& recovery : recoveries_) {
        for (Recovery::Plan& plan : recovery->take_plans())
            insist([&] { waiting_.push_back(std::move(plan)); });
    }
    for (Recovery::Plan& plan : waiting_) {
        plan.number = 0;
        plan.refused = false;
        plan.error = nullptr;
    }
    recoveries_.clear();
    restoring_ = 0;
    recovered_is_due_ = false;
}

// A broker that ends the connection over something of the topology would do so each time, and one
// that has twice said nothing may go on with that: it is found, and then left out (rule 54).
void Connection::note_suspect(const ErrorRef& cause) {
    const bool silent = cause->status == Status::timeout;
    if (!silent && cause->status != Status::connection_closed_by_broker) return;
    for (const auto& recovery : recoveries_) {
        TopologyReplay* const replay = recovery->replay();
        if (replay == nullptr || replay->done()) continue;
        if (silent && ++topology_unanswered_ < most_unanswered) continue;
        const bool was_careful = std::exchange(careful_, true);
        if (silent && !was_careful) continue;
        if (auto suspect = replay->in_hand()) {
            suspect->error = cause;
            spared_.push_back(std::move(*suspect));
        }
    }
}

// The connection was lost, or an attempt to have it back has failed.
void Connection::begin_outage(const ErrorRef& cause) {
    note_suspect(cause);
    stop_recoveries();
    if (in_attempt_) {
        strategy_->failed(is_permanent(*cause));
    } else {
        strategy_->lost(loop_time());
    }
    in_attempt_ = false;
}

// What was of the last connection has gone: decides on the next attempt.
void Connection::next_incarnation() {
    drop_transport();
    ended_ = attempt_failed_ = false;
    ++generation_;
    ErrorRef cause;
    bool closing = false;
    std::unique_ptr<protocol::ConnectionMachine> next_machine =
        insist([this] { return new_machine(&returned_); });
    protocol::ReturnedBodies returned;
    {
        const std::lock_guard lock(mutex_);
        sent_before_ += machine_->outbox().sent();
        machine_.swap(next_machine);
        next_machine.reset();  // the one before: bodies that were lent to it go back
        returned = machine_->take_returned();
        if (publishes_stopped_) machine_->stop_publishing();
        if (asks_) machine_->ask_for_credentials();
        closing = !closings_.empty();
        cause = outage_error_;
        open_deadline_ = timer_due_ = Instant::never();
        flush_scheduled_ = condemned_ = false;
    }
    returned = protocol::ReturnedBodies();
    if (closing || muted_ || loop_->transport().closing()) {
        give_up(nullptr);
        return;
    }
    const Instant now = loop_time();
    const ConnectionStrategy::Next next = strategy_->next(now);
    if (next.give_up != ConnectionStrategy::Why::none) {
        const Ref<Error> last = edit_error(*cause);
        const std::string attempts = std::to_string(strategy_->attempts());
        last->message =
            "recovery was given up after " + attempts + " attempts (" +
            (next.give_up == ConnectionStrategy::Why::attempts   ? "the option recovery_attempts"
             : next.give_up == ConnectionStrategy::Why::deadline ? "the option recovery_deadline_ms"
                                                                 : "trying again would not help") +
            "): " + cause->message;
        give_up(ErrorRef(last.get()));
        return;
    }
    endpoint_at_ = next.host;
    attempt_at_ = next.at;
    {
        const std::lock_guard lock(mutex_);
        machine_->set_host(endpoint().display());
        timer_due_ = attempt_at_;
    }
    arm_timer();
    loop_->log(LogLevel::warn, id_, "recovery",
               "attempt " + std::to_string(next.attempt) + ", to " + endpoint().display() +
                   ", in " + std::to_string((next.at - now).nanoseconds / 1'000'000) +
                   " ms, after: " + cause->message);
    tell_recovery(RecoveryStep::attempt, cause, next.attempt, next.at - now);
}

void Connection::start_attempt() {
    attempt_at_ = Instant::never();
    in_attempt_ = true;
    {
        const std::lock_guard lock(mutex_);
        open_deadline_ = loop_time() + milliseconds(options_.connection_timeout);
        timer_due_ = std::min(timer_due_, open_deadline_);
    }
    connect();
    if (timer_ != nullptr) arm_timer();
}

// The connection is open again; what was on it is not.
void Connection::transport_up() {
    {
        const std::lock_guard lock(mutex_);
        open_deadline_ = Instant::never();
        timer_due_ = std::min(machine_->deadline(), renew_at_);
    }
    if (timer_ != nullptr) timer_->set(timer_due_);
    tell_recovery(RecoveryStep::transport_up, nullptr, strategy_->attempts());
    recovered_is_due_ = true;
    start_recovery(std::exchange(waiting_, {}), options_.recovery_topology != 0);
}

// An attempt that cannot succeed: from a turn of the loop, as whatever ends a connection.
void Connection::attempt_fails_soon(const ErrorRef& error) {
    attempt_failed_ = true;
    loop_->transport().post([self = Ref<Connection>(this), error, generation = generation_] {
        if (self->generation_ == generation) self->fail(error);
    });
}

// No more attempts. error: null when that was asked for.
void Connection::give_up(const ErrorRef& error) {
    attempt_at_ = Instant::never();
    {
        const std::lock_guard lock(mutex_);
        last_error_ = error;
        state_before_end_ = state_.exchange(State::closed);
    }
    protocol::MachineEvent end;
    end.kind = protocol::EventKind::connection_closed;
    end.error = error;
    dispatch_end(end);
    tear_down();
}

}  // namespace haigha::client
