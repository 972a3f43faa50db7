// The part of Connection that brings back what was on a lost connection, or on a lost channel.
#include <algorithm>
#include <string>
#include <utility>

#include "base/insist.h"
#include "client/channel.h"
#include "client/connection.h"
#include "wire/frame.h"
#include "wire/method_codec.h"

namespace haigha::client {

using protocol::EventKind;
using protocol::MachineEvent;
using transport::Loop;

namespace {

// A consumer's basic.consume with another queue in it.
std::vector<std::byte> with_queue(const std::vector<std::byte>& frame, std::string_view queue) {
    wire::basic::Consume method{};
    const auto parsed = wire::parse_frame(frame, 0);
    if (parsed.status != wire::FrameParse::Status::complete ||
        !wire::decode_method(parsed.frame.payload.subspan(wire::method_id_size), method) ||
        method.queue.text == queue) {
        return frame;
    }
    method.queue = {queue};
    std::vector<std::byte> changed(wire::method_frame_size(method));
    wire::write_method_frame(changed.data(), parsed.frame.channel, method);
    return changed;
}

bool was_refused_by_broker(const ErrorRef& error) {
    return error && error->status == Status::channel_closed_by_broker;
}

}  // namespace

Status Connection::unsettled(const Channel& channel, Status status, std::uint64_t delivery_tag) {
    if (status == Status::closed && delivery_tag != 0 && delivery_tag <= channel.stale_up_to_) {
        status = Status::stale;
    }
    if (status == Status::stale) stale_acks_.fetch_add(1, std::memory_order_relaxed);
    return channel.told(status);
}

// ---- calls of the library's own

protocol::Call Connection::make(Answer answer) {
    auto operation = std::make_unique<Operation>();
    operation->note = [this, answer = std::move(answer)](const ErrorRef& error,
                                                         const Reply* reply) {
        {
            const std::lock_guard lock(mutex_);
            answer(error, reply != nullptr ? std::string_view(reply->queue) : std::string_view());
            (void)note_work(loop_time() + timeout(-1));
        }
        tell_loop();
        // What is late now is on the wire all the same, and nobody knows what became of it
        // (rule 46).
        if (error && error->status == Status::timeout) attempt_fails_soon(error);
        check_recoveries();
    };
    protocol::Call call;
    call.deadline = loop_time() + timeout(-1);
    call.token = operation.release();
    return call;
}

void Connection::drop(protocol::Token call) {
    const std::unique_ptr<Operation> dropped(static_cast<Operation*>(call));
}

// ---- recoveries

bool Connection::is_recoverys(protocol::Token owner) const {
    return owner != nullptr &&
           std::any_of(recoveries_.begin(), recoveries_.end(),
                       [owner](const auto& recovery) { return recovery->token() == owner; });
}

void Connection::start_recovery(std::vector<Recovery::Plan> plans, bool topology) {
    Recovery& recovery = insist([&]() -> Recovery& {
        recoveries_.push_back(std::make_unique<Recovery>(*machine_, topology ? &topology_ : nullptr,
                                                         static_cast<OwnCalls&>(*this)));
        return *recoveries_.back();
    });
    recovery.take(std::move(plans));
    for (Recovery::Plan& plan : recovery.plans())
        plan.settings = static_cast<Channel*>(plan.channel)->settings_;
    if (careful_) recovery.be_careful(spared_);
    leave_out(recovery.plans(), recovery.replay());
    Status status = Status::ok;
    {
        const std::lock_guard lock(mutex_);
        status = recovery.start(state() == State::recovering);
        (void)note_work(loop_time() + timeout(-1));
    }
    tell_loop();
    if (status != Status::ok) {
        attempt_fails_soon(
            failure(status, "there is no channel to declare the topology on", Stage::ready));
        return;
    }
    check_recoveries();
}

void Connection::leave_out(std::vector<Recovery::Plan>& plans, TopologyReplay* replay) const {
    const auto& wanted = options_.recovery_filter;
    if (wanted && replay != nullptr) replay->leave_out(wanted);
    const auto is_wanted = [&](const protocol::ConsumerRemains& consumer) {
        const std::string& queue = static_cast<Consumer*>(consumer.token)->queue;
        return (replay == nullptr || !replay->leaves_out_queue(queue)) &&
               wanted({RecoveryEntity::Kind::consumer, queue, {}, {}, consumer.tag});
    };
    for (Recovery::Plan& plan : plans) {
        for (protocol::ConsumerRemains& consumer : plan.remains.consumers) {
            consumer.left_out = nullptr;
            for (const Channel::Unanswered& one :
                 static_cast<Channel*>(plan.channel)->unanswered_) {
                if (one.tag == consumer.tag && one.times >= most_unanswered)
                    consumer.left_out = one.error;
            }
            if (wanted && !is_wanted(consumer)) {
                consumer.left_out = make_error(Status::closed,
                                               "the program's recovery filter has left the "
                                               "consumer, or its queue, out");
            }
        }
    }
}

void Connection::dispatch_to_recovery(MachineEvent& event) {
    if (event.kind == EventKind::call_done) {
        dispatch_reply(event);
        return;
    }
    if (event.kind != EventKind::channel_closed && event.kind != EventKind::channel_lost) return;
    const auto found = std::find_if(recoveries_.begin(), recoveries_.end(),
                                    [&](const auto& one) { return one->token() == event.owner; });
    {
        const std::lock_guard lock(mutex_);
        // The connection's end tells the rest.
        if (machine_->state() == protocol::ConnectionState::closed) return;
        (*found)->on_channel_end(event.channel, event.error);
        (void)note_work(loop_time() + timeout(-1));
    }
    tell_loop();
    if (event.error && !was_refused_by_broker(event.error)) attempt_fails_soon(event.error);
    check_recoveries();
}

void Connection::check_recoveries() {
    for (std::size_t i = 0; i < recoveries_.size() && !attempt_failed_;) {
        {
            const std::lock_guard lock(mutex_);
            if (machine_->state() != protocol::ConnectionState::open) return;
        }
        if (!recoveries_[i]->ready()) {
            ++i;
            continue;
        }
        const std::unique_ptr<Recovery> done = std::move(recoveries_[i]);
        recoveries_.erase(recoveries_.begin() + static_cast<std::ptrdiff_t>(i));
        finish_recovery(*done);
    }
}

// Without memory finishing a recovery ends on the way, and the connection with it: what it has not
// given back waits for the next attempt.
class Connection::Unfinished {
  public:
    Unfinished(Connection& connection, std::vector<Recovery::Plan>& plans)
        : connection_(connection), plans_(plans) {}
    ~Unfinished() {
        for (Recovery::Plan& plan : plans_) {
            if (!plan.over) {
                insist([&] { connection_.waiting_.push_back(std::move(plan)); });
            } else if (plan.number != 0 &&
                       std::any_of(plan.remains.consumers.begin(), plan.remains.consumers.end(),
                                   [](const auto& one) { return one.token != nullptr; })) {
                static_cast<Channel*>(plan.channel)->left_behind_ =
                    std::move(plan.remains.consumers);
            }
        }
    }
    Unfinished(const Unfinished&) = delete;
    Unfinished& operator=(const Unfinished&) = delete;

  private:
    Connection& connection_;
    std::vector<Recovery::Plan>& plans_;
};

// Everything is there but the consumers, which come back on channels that are their users' again.
void Connection::finish_recovery(Recovery& recovery) {
    std::vector<Recovery::Plan> plans = recovery.take_plans();
    const Unfinished unfinished(*this, plans);
    std::vector<TopologyReplay::Failure> failures;
    std::vector<TopologyReplay::Renamed> renamed;
    if (TopologyReplay* replay = recovery.replay(); replay != nullptr) {
        failures = replay->take_failures();
        renamed = replay->take_renamed();
    }
    for (const Recovery::Plan& plan : plans)
        static_cast<Channel*>(plan.channel)->rename_queues(renamed, plan.remains.consumers);
    if (stop_) {
        // Nothing more is to be delivered.
        for (Recovery::Plan& plan : plans) {
            for (protocol::ConsumerRemains& consumer : std::exchange(plan.remains.consumers, {}))
                cancel_consumer(*static_cast<Channel*>(plan.channel), consumer, nullptr);
        }
    }
    const bool whole = state() == State::recovering;
    protocol::EventList events;
    {
        const std::lock_guard lock(mutex_);
        for (Recovery::Plan& plan : plans) {
            if (plan.number == 0) continue;
            machine_->give_channel({plan.number, recovery.token()}, plan.channel);
            plan.over = true;
            take_over(plan, events);
        }
        if (whole) {
            outage_error_ = nullptr;
            const bool closing = !closings_.empty();  // which came just now
            if (closing) machine_->close(200, "closed");
            state_.store(closing ? State::closing : State::open, std::memory_order_release);
        }
        (void)note_work(loop_time() + timeout(-1));
    }
    tell_loop();
    if (whole) {
        in_attempt_ = false;
        strategy_->connected(endpoint_at_, loop_time());
    }
    // From here on user code runs: what was taken over may already be something else again.
    rename_queues(renamed);
    tell_failures(failures);
    for (Recovery::Plan& plan : plans) {
        const Ref<Channel> channel(static_cast<Channel*>(plan.channel));
        if (plan.number == 0) {
            plan.over = true;
            end_channel(plan, plan.error);
            continue;
        }
        tell_channel_state(*channel, State::open, nullptr);
        for (protocol::ConsumerRemains& consumer : plan.remains.consumers) {
            if (consumer.token == nullptr) continue;
            const ErrorRef why = consumer.left_out
                                     ? consumer.left_out
                                     : make_error(Status::closed,
                                                  "the consumer's basic.consume is larger than "
                                                  "a frame of this connection may be");
            if (why->status == Status::timeout) tell_consumer_failure(*channel, consumer, why);
            std::erase_if(channel->unanswered_,
                          [&](const auto& one) { return one.tag == consumer.tag; });
            cancel_consumer(*channel, consumer, why);
        }
    }
    if (whole) tell_state(State::open, nullptr);
    for (MachineEvent& event : events)
        dispatch_one(event);
}

// With the mutex held.
void Connection::take_over(Recovery::Plan& plan, protocol::EventList& events) {
    auto& channel = *static_cast<Channel*>(plan.channel);
    channel.number_ = plan.number;
    channel.last_error_ = nullptr;
    channel.state_.store(State::open, std::memory_order_release);
    // As long as its consumers are coming back one that the broker refuses is not its end.
    machine_->keep_when_closed({plan.number, &channel}, channel.policy_ != ChannelPolicy::report ||
                                                            !plan.remains.consumers.empty());
    machine_->keep_when_cancelled({plan.number, &channel},
                                  channel.policy_ == ChannelPolicy::resubscribe);
    restore_consumers(channel, plan.remains);
    if (!channel.kept_) return;
    machine_->continue_publishes({plan.number, &channel}, channel.kept_, loop_time(), events);
}

void Connection::restore_consumers(Channel& channel, protocol::ChannelRemains& remains) {
    channel.refused_consumer_.clear();
    channel.restoring_ = 0;
    std::ranges::sort(remains.consumers, {}, [](const protocol::ConsumerRemains& consumer) {
        return static_cast<const Consumer*>(consumer.token)->made;
    });
    for (protocol::ConsumerRemains& consumer : remains.consumers) {
        if (consumer.left_out) continue;
        const auto* const known = static_cast<Consumer*>(consumer.token);
        if (!known->queue.empty()) {
            consumer.consume_frame = with_queue(consumer.consume_frame, known->queue);
        }
        if (consumer.paused && std::erase_if(channel.held_back_, [&](const auto& held) {
                                   return held.is_due && held.tag == consumer.tag;
                               }) > 0) {
            consumer.paused = false;
        }
        protocol::Call call;
        std::unique_ptr<Operation> operation;
        if (!consumer.paused) {
            operation = std::make_unique<Operation>();
            operation->channel = Ref<Channel>(&channel);
            operation->note = [this, &channel, tag = consumer.tag](const ErrorRef& error,
                                                                   const Reply*) {
                on_consumer_restored(channel, tag, error);
            };
            call.deadline = loop_time() + timeout(-1);
            call.token = operation.get();
        }
        const protocol::ChannelId id{channel.number_, &channel};
        const bool said = operation != nullptr;
        if (machine_->restore_consumer(id, consumer, std::move(call)) == Status::ok && said) {
            (void)operation.release();
            ++restoring_;
            ++channel.restoring_;
        }
    }
}

void Connection::on_consumer_restored(Channel& channel, const std::string& tag,
                                      const ErrorRef& error) {
    if (restoring_ > 0) --restoring_;
    if (channel.restoring_ > 0) --channel.restoring_;
    if (error) {
        // The first one that fails is the one that was on the wire.
        const wire::MethodId method{error->class_id, error->method_id};
        const bool blamed = method == wire::basic::Consume::id || method == wire::MethodId{};
        if (was_refused_by_broker(error) && blamed && channel.refused_consumer_.empty())
            channel.refused_consumer_ = tag;
        if (error->status == Status::timeout) {
            note_unanswered(channel, tag, error);
            attempt_fails_soon(error);
        }
        return;
    }
    if (channel.restoring_ > 0) return;
    channel.lost_in_a_row_ = 0;
    channel.unanswered_.clear();
    const std::lock_guard lock(mutex_);
    machine_->keep_when_closed({channel.number_, &channel},
                               channel.policy_ != ChannelPolicy::report);
}

// Those behind it on its channel, which are late as well, had not been said.
void Connection::note_unanswered(Channel& channel, const std::string& tag, const ErrorRef& error) {
    auto& all = channel.unanswered_;
    if (std::any_of(all.begin(), all.end(),
                    [&](const auto& one) { return one.generation == generation_; })) {
        return;
    }
    const auto known =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.tag == tag; });
    if (known == all.end()) {
        all.push_back({tag, generation_, 1, error});
    } else {
        *known = {tag, generation_, known->times + 1, error};
    }
}

void Connection::check_recovered() {
    if (restoring_ > 0 || !recoveries_.empty() || attempt_failed_ || state() != State::open) return;
    recovered_is_due_ = careful_ = false;
    spared_.clear();
    topology_unanswered_ = 0;
    recoveries_done_.fetch_add(1, std::memory_order_relaxed);
    loop_->log(LogLevel::info, id_, "recovery", "everything is back");
    tell_recovery(RecoveryStep::recovered, nullptr, strategy_->attempts());
}

// ---- what could not be brought back, or has another name

void Connection::tell_failures(const std::vector<TopologyReplay::Failure>& failures) {
    for (const TopologyReplay::Failure& failure : failures) {
        loop_->log(LogLevel::warn, id_, "recovery",
                   "\"" + failure.name + "\" could not be declared: " + failure.error->message);
        Event told = event_for(EventType::recovery, nullptr);
        told.state = static_cast<std::int32_t>(RecoveryStep::entity);
        told.number = static_cast<std::uint64_t>(failure.kind) + 1;
        told.error = failure.error.get();
        told.name = Str(failure.name);
        told.exchange = Str(failure.source);
        told.routing_key = Str(failure.routing_key);
        tell(events_, told);
    }
}

void Connection::rename_queues(const std::vector<TopologyReplay::Renamed>& renamed) {
    for (const TopologyReplay::Renamed& one : renamed) {
        Event told = event_for(EventType::queue_renamed, nullptr);
        told.name = Str(one.to);
        told.routing_key = Str(one.from);
        tell(events_, told);
    }
}

}  // namespace haigha::client
