#include "client/channel.h"

#include <array>
#include <memory>
#include <utility>

#include "transport/loop.h"

namespace haigha::client {

ErrorRef Channel::last_error() const {
    const std::lock_guard lock(connection_->mutex_);
    return last_error_;
}

bool Channel::set_events(Then events) {
    auto shared = std::make_shared<Then>(std::move(events));
    const bool posted = connection_->loop().transport().post([self = Ref<Channel>(this), shared] {
        self->events_ = std::move(*shared);
        if (self->state() != State::closed) return;
        const ErrorRef error = self->last_error();
        Event told = self->connection_->event_for(EventType::channel_state, self.get());
        told.state = static_cast<std::int32_t>(State::closed);
        told.previous_state = static_cast<std::int32_t>(State::closed);
        told.error = error.get();
        self->connection_->tell(self->events_, told);
        self->events_ = Then();
    });
    if (!posted) shared->disarm();
    return posted;
}

ErrorRef Channel::refusal(Status status) const {
    if (status == Status::would_block) {
        return make_error(status,
                          "too many bytes wait to be written, or the broker holds publishes "
                          "back: not taken");
    }
    if (status == Status::unsupported) {
        return make_error(Status::argument, "consumer_tag is in use on this channel");
    }
    const std::lock_guard lock(connection_->mutex_);
    if (status == Status::recovering) return recovering_error();
    if (status == Status::argument) {
        return make_error(status,
                          "the arguments or properties do not fit into one frame (frame_max is " +
                              std::to_string(connection_->machine_->frame_max()) + ")");
    }
    if (connection_->publishes_stopped_ &&
        (state() == State::open || state() == State::recovering)) {
        return connection_->failure(Status::closed,
                                    "the connection is being stopped and takes no more publishes");
    }
    if (!last_error_) {
        if (state() == State::closed || state() == State::closing) {
            const Ref<Error> closed =
                edit_error(*make_error(Status::closed, "the channel was closed"));
            closed->channel_id = number_;
            return ErrorRef(closed.get());
        }
        return connection_->closed_error("the channel cannot be used");
    }
    const Ref<Error> error = edit_error(*last_error_);
    error->status = Status::closed;
    error->message = "the channel has ended: " + last_error_->message;
    return ErrorRef(error.get());
}

// With the mutex held.
ErrorRef Channel::recovering_error() const {
    const ErrorRef& cause = last_error_ ? last_error_ : connection_->outage_error_;
    const Ref<Error> error = edit_error(
        cause ? *cause : *make_error(Status::recovering, "what was on it is being brought back"));
    error->message = "the channel was lost and is being recovered: " + error->message;
    error->status = Status::recovering;
    error->channel_id = number_;
    return ErrorRef(error.get());
}

void Channel::abandon() {
    muted_.store(true, std::memory_order_release);
    Connection& connection = *connection_;
    if (connection.forked()) return;
    {
        const std::lock_guard lock(connection.mutex_);
        if (state() == State::recovering) {
            connection.forget_waiting(*this);
            return;
        }
        if (connection.machine_->consumer_count({number_, this}) > 0) return;
        protocol::Call nobody;
        nobody.deadline = Instant::never();
        if (connection.machine_->close_channel({number_, this}, std::move(nobody)) != Status::ok) {
            return;
        }
        (void)connection.note_work();
    }
    connection.tell_loop();
}

ErrorRef Channel::close(Completion completion, std::int64_t timeout_ms) {
    return connection_->close_channel(*this, std::move(completion), timeout_ms);
}

ErrorRef Channel::consume(wire::basic::Consume method, const ConsumeOptions& options,
                          Then deliveries, Completion completion, std::int64_t timeout_ms) {
    auto consumer = std::make_unique<Consumer>();
    consumer->then = std::move(deliveries);
    consumer->tag = method.consumer_tag.text;
    consumer->made = next_consumer_.fetch_add(1) + 1;
    if (consumer->tag.empty()) {
        // Ours, so that deliveries find their consumer whenever they come.
        consumer->tag = "haigha-" + std::to_string(number_) + "." + std::to_string(consumer->made);
    }
    method.consumer_tag = {consumer->tag};
    if (options.tag != nullptr) *options.tag = consumer->tag;
    bool qos_known = true;
    {
        const std::lock_guard lock(connection_->mutex_);
        if (!method.no_ack) qos_known = connection_->machine_->mark_qos({number_, this});
        const bool finite =
            qos_known ? prefetch_each_ || prefetch_all_ : connection_->options().prefetch > 0;
        consumer->is_limited = !method.no_ack && finite;
    }
    consumer->pauses_when_full = options.pause_when_full;
    consumer->observer = Ref<DeliveryObserver>(options.observer);
    const std::int64_t prefetch = connection_->options().prefetch;
    if (!qos_known && prefetch > 0) {
        // A default that is not finite fills the memory of whoever forgets it (rule 74).
        wire::basic::Qos qos{};
        qos.prefetch_count = static_cast<std::uint16_t>(prefetch);
        if (ErrorRef error = call(qos, Completion(), timeout_ms)) {
            consumer->then.disarm();
            completion.disarm();
            return error;
        }
    }
    protocol::Call start_call;
    start_call.kind = protocol::CallKind::consume;
    start_call.name = consumer->tag;
    start_call.consumer = consumer.get();
    start_call.no_ack = method.no_ack;
    start_call.in_pieces = options.in_pieces;
    const wire::MethodInfo* const info = wire::find_method(method.id);
    start_call.reply = info->replies[0];
    OperationNote note;
    if (records()) note = note_of_consume(method, *consumer);
    if (ErrorRef error = connection_->call(*this, method, std::move(start_call),
                                           std::move(completion), timeout_ms, std::move(note))) {
        consumer->then.disarm();
        return error;
    }
    (void)consumer.release();
    return nullptr;
}

ErrorRef Channel::stop_consumer(protocol::CallKind kind, std::string_view consumer_tag,
                                Completion completion, std::int64_t timeout_ms) {
    wire::basic::Cancel method{};
    method.consumer_tag = {consumer_tag};
    protocol::Call stop;
    stop.kind = kind;
    stop.name = consumer_tag;
    const ErrorRef error = start(method, std::move(stop), std::move(completion), timeout_ms);
    return error ? consumer_refusal(error, kind, consumer_tag) : nullptr;
}

ErrorRef Channel::resume_consumer(std::string_view consumer_tag, Completion completion,
                                  std::int64_t timeout_ms) {
    protocol::Call resume;
    resume.kind = protocol::CallKind::resume;
    resume.name = consumer_tag;
    const ErrorRef error = connection_->start_call(
        *this, std::move(resume), std::move(completion), timeout_ms, OperationNote(),
        [this](protocol::Call call) {
            return connection_->machine_->resume({number_, this}, std::move(call));
        });
    return error ? consumer_refusal(error, protocol::CallKind::resume, consumer_tag) : nullptr;
}

// What was wrong with the consumer, when that was the reason.
ErrorRef Channel::consumer_refusal(const ErrorRef& error, protocol::CallKind kind,
                                   std::string_view consumer_tag) const {
    if (error->status != Status::argument || kind == protocol::CallKind::cancel) return error;
    protocol::ConsumerState state{};
    bool tracks = true;
    {
        const std::lock_guard lock(connection_->mutex_);
        const protocol::ChannelId id{number_, const_cast<Channel*>(this)};
        state = connection_->machine_->consumer_state(id, consumer_tag);
        const protocol::DeliveryWindow* deliveries = connection_->machine_->deliveries(id);
        tracks = deliveries != nullptr && deliveries->tracks();
    }
    const std::string name = "consumer \"" + std::string(consumer_tag) + "\"";
    using protocol::ConsumerState;
    if (state == ConsumerState::none) {
        return make_error(Status::argument, "there is no " + name + " on this channel");
    }
    if (kind == protocol::CallKind::drain && !tracks) {
        return make_error(Status::unsupported,
                          name +
                              " cannot be drained: in a transaction, or with a broker that does "
                              "not count its deliveries, nobody knows which are open");
    }
    const bool wanted_paused = kind == protocol::CallKind::resume;
    static constexpr std::array is = {"gone",         "not running yet", "running",
                                      "being paused", "paused already",  "being resumed"};
    const char* now = wanted_paused && state == ConsumerState::running
                          ? "not paused"
                          : is[static_cast<std::size_t>(state)];
    return make_error(Status::argument, name + " is " + now);
}

bool Channel::is_current(std::uint64_t delivery_tag) const {
    const std::lock_guard lock(connection_->mutex_);
    return state() == State::open && delivery_tag > stale_up_to_;
}

ErrorRef Channel::settle_refusal(Status status, std::uint64_t delivery_tag) const {
    if (status == Status::stale) {
        return make_error(status, "delivery_tag " + std::to_string(delivery_tag) +
                                      " is of an earlier incarnation of the channel: the broker "
                                      "has taken the message back");
    }
    if (status != Status::argument) return refusal(status);
    bool came = false;
    {
        const std::lock_guard lock(connection_->mutex_);
        came = connection_->machine_->has_come({number_, const_cast<Channel*>(this)}, delivery_tag);
    }
    return make_error(Status::argument,
                      "delivery_tag " + std::to_string(delivery_tag) +
                          (came ? " needs no settling: it is settled already, or was taken with "
                                  "no_ack"
                                : " was not delivered on this channel"));
}

ErrorRef Channel::confirm_select(Completion completion, std::int64_t timeout_ms) {
    protocol::Call select;
    select.kind = protocol::CallKind::confirm_select;
    select.barrier = true;
    return start(wire::confirm::Select{}, std::move(select), std::move(completion), timeout_ms);
}

ErrorRef Channel::qos(const wire::basic::Qos& method, Completion completion,
                      std::int64_t timeout_ms) {
    if (ErrorRef error = call(method, std::move(completion), timeout_ms)) return error;
    const std::lock_guard lock(connection_->mutex_);
    (void)connection_->machine_->mark_qos({number_, this});
    // As RabbitMQ has it: `global` is for the channel, otherwise for each consumer to come.
    (method.global ? prefetch_all_ : prefetch_each_) = method.prefetch_count > 0;
    return nullptr;
}

ErrorRef Channel::publish_wait(protocol::PublishRequest request, std::int64_t timeout_ms,
                               Ref<Reply>* reply) {
    Connection& connection = *connection_;
    if (ErrorRef refused = connection.may_wait()) return refused;
    const Instant deadline = transport::Loop::real_now() + connection.timeout(timeout_ms);
    const Connection::ReadOn read_on(connection);
    while (true) {
        const Ref<Waiter> waiter = Ref<Waiter>::adopt(new Waiter);
        request.data = waiter.get();
        request.waiter = true;
        std::uint64_t sequence = 0;
        Status status = Status::ok;
        {
            const std::lock_guard lock(connection.mutex_);
            status = connection.publish_now(*this, &sequence, request);
            if (status == Status::ok) {
                if (sequence > 0) waiter->add_ref();  // the ring's share
                if (state() != State::recovering) (void)connection.note_work();
            } else if (status == Status::would_block) {
                connection.room_waiters_.push_back(waiter);
            }
        }
        if (status != Status::ok && status != Status::would_block) return refusal(status);
        if (status == Status::ok) connection.tell_loop();
        if (status == Status::ok && sequence == 0) {
            *reply = Ref<Reply>::adopt(new Reply);
            return nullptr;
        }
        const Duration left = deadline - transport::Loop::real_now();
        if (left.nanoseconds <= 0 || !waiter->wait_for(left)) {
            return make_error(
                Status::timeout,
                status == Status::ok
                    ? "the broker has not confirmed the message in time; it is still "
                      "under way"
                    : "the message could not be taken in time: too many bytes wait to "
                      "be written, or the broker holds publishes back");
        }
        // Where publishes are kept one that was not taken may be taken while there is no
        // connection.
        if (waiter->error() && status == Status::would_block && kept_) continue;
        if (waiter->error()) return waiter->error();
        if (status == Status::ok) {
            *reply = waiter->reply();
            return nullptr;
        }
    }
}

}  // namespace haigha::client
