#include "rpc/rpc_client.h"

#include <charconv>
#include <new>
#include <string>

#include "base/insist.h"
#include "base/named_number.h"
#include "wire/properties.h"

namespace haigha::rpc {

using client::Channel;
using client::Completion;
using client::Event;
using client::EventType;
using client::State;
using client::Then;
using client::Waiter;
using transport::Loop;

namespace {

// RabbitMQ's: consuming from it, without acks, gives the channel an address of its own, which the
// broker puts in place of this name into what is published with it as reply_to.
constexpr std::string_view direct_reply_to = "amq.rabbitmq.reply-to";

// The number of the call that a message is about; 0: of none.
std::uint64_t number_of(const client::Message& message) {
    wire::Properties properties;
    if (!wire::parse_properties(message.properties, properties)) return 0;
    const std::string_view id = properties.correlation_id;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
    return error == std::errc() && end == id.data() + id.size() ? number : 0;
}

}  // namespace

RpcClient::RpcClient(Ref<client::Connection> connection, std::size_t max_calls)
    : connection_(std::move(connection)), max_calls_(max_calls) {}

ErrorRef RpcClient::create(Ref<client::Connection> connection, std::size_t max_calls,
                           Ref<RpcClient>* made) {
    Ref<RpcClient> client = Ref<RpcClient>::adopt(new RpcClient(std::move(connection), max_calls));
    ErrorRef refused = client->connection_->watch_states(
        client.get(),
        [client](State now, const ErrorRef& error) { client->connection_state(now, error); });
    if (refused) return refused;
    client->connection_->handles().add();
    *made = std::move(client);
    return nullptr;
}

void RpcClient::abandon() {
    if (connection_->forked()) return;
    muted_.store(true, std::memory_order_release);
    Ref<Channel> channel;
    auto dropped = insist([] { return std::make_shared<std::vector<Answered>>(); });
    // Of a thread that still waits.
    const ErrorRef why =
        insist([] { return make_error(Status::closed, "the client was dropped"); });
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        channel = std::move(channel_);
        *dropped = fail_calls(true, why);
    }
    // Its consumer would keep it.
    if (channel) (void)insist([&] { return channel->close(Completion(), -1); });
    connection_->unwatch_states(this);
    insist([&] {
        (void)connection_->loop().transport().post([self = Ref<RpcClient>(this), dropped] {
            self->timer_.reset();
            self->tell(std::move(*dropped));
        });
    });
    client::drop_handle(*connection_);
}

// ---- from any thread

ErrorRef RpcClient::call(const protocol::PublishRequest& request, std::int64_t timeout_ms,
                         Completion completion) {
    const Instant deadline = connection_->loop_time() + connection_->timeout(timeout_ms);
    Instant armed = Instant::never();
    std::vector<Answered> unsendable;
    {
        const std::lock_guard lock(mutex_);
        if (ended_) {
            completion.disarm();
            if (!end_error_) return make_error(Status::closed, "the client was dropped");
            const Ref<Error> error = edit_error(*end_error_);
            error->status = Status::closed;
            error->message = "answers can no longer come: " + end_error_->message;
            return ErrorRef(error.get());
        }
        if (calls_.size() >= max_calls_) {
            completion.disarm();
            return make_error(Status::would_block,
                              std::to_string(max_calls_) + " calls have no answer: not taken");
        }
        const Number number = ++last_;
        const std::string id = std::to_string(number);
        wire::Properties properties;
        if (request.properties != nullptr) properties = *request.properties;
        properties.present |= wire::property_correlation_id | wire::property_reply_to;
        properties.correlation_id = id;
        properties.reply_to = direct_reply_to;
        protocol::PublishRequest addressed = request;
        addressed.properties = &properties;
        addressed.mandatory = true;  // that nobody serves is told at once
        Call& call = calls_[number];
        try {
            call.request = std::make_unique<Request>(Request{
                protocol::PreparedHead(addressed), {request.body.begin(), request.body.end()}});
            call.deadline = deadline;
            deadlines_.emplace(deadline.nanoseconds, number);
            waiting_.emplace(number, &call);
        } catch (const std::bad_alloc&) {
            deadlines_.erase({deadline.nanoseconds, number});
            calls_.erase(number);
            throw;
        }
        call.completion = std::move(completion);
        if (!channel_ && connection_->state() == State::open) open_channel();
        send_waiting(unsendable);
        armed = std::exchange(armed_, std::min(armed_, deadline));
    }
    if (deadline < armed) arm_soon(deadline);
    if (!unsendable.empty()) tell_soon(std::move(unsendable));
    return nullptr;
}

ErrorRef RpcClient::call_wait(const protocol::PublishRequest& request, std::int64_t timeout_ms,
                              Ref<client::Reply>* reply) {
    if (ErrorRef refused = connection_->may_wait()) return refused;
    const Ref<Waiter> waiter = Ref<Waiter>::adopt(new Waiter);
    const client::Connection::ReadOn read_on(*connection_);
    if (ErrorRef refused = call(request, timeout_ms, Completion(waiter))) return refused;
    // The loop keeps to the time; what is begun on a loop that does not run ends here.
    const Duration limit = connection_->timeout(timeout_ms);
    if (!waiter->wait_for(Duration{limit.nanoseconds + seconds(1).nanoseconds})) {
        return client::Connection::accepted(
            make_error(Status::timeout,
                       "no answer in time, and the loop did not say why: is it running, or is a "
                       "callback keeping it?"));
    }
    if (reply != nullptr) *reply = waiter->reply();
    return client::Connection::accepted(waiter->error());
}

bool RpcClient::info(std::string_view name, std::int64_t* value) const {
    const std::lock_guard lock(mutex_);
    return find_number(
        {
            {"calls", last_},
            {"open", calls_.size()},
            {"waiting", waiting_.size()},
            {"answers", answers_},
            {"late_answers", late_},
            {"timeouts", timeouts_},
        },
        name, value);
}

// ---- with the mutex held

void RpcClient::open_channel() {
    client::ChannelModes modes;
    modes.policy = client::ChannelPolicy::resubscribe;
    const ErrorRef refused = insist([&] {
        return connection_->open_channel(client::then_to(*this, &on_event), modes, Completion(), -1,
                                         &channel_);
    });
    if (refused) {
        release();           // what the events had
        channel_ = nullptr;  // the next call tries again
        return;
    }
    consume();
}

// Until the broker has agreed no request goes out: its answer would have nowhere to go.
void RpcClient::consume() {
    consumer_ = Consumer::none;
    if (!channel_) return;
    wire::basic::Consume method{};
    method.queue = {direct_reply_to};
    method.no_ack = true;
    const ErrorRef refused = insist([&] {
        Then answers = client::then_to(*this, &on_answer);
        return channel_->consume(method, {}, std::move(answers),
                                 Completion(client::then_to(*this, &on_consumed)), -1);
    });
    if (refused) {
        // Tried again when there is room, or the channel is back.
        release();
        release();
    } else {
        consumer_ = Consumer::asked;
    }
}

void RpcClient::send_waiting(std::vector<Answered>& unsendable) {
    while (open_ && consumer_ == Consumer::known && !waiting_.empty()) {
        const auto first = waiting_.begin();
        const Number number = first->first;
        const Status status = send(*first->second);
        if (status == Status::ok) {
            waiting_.erase(first);
            continue;
        }
        if (status != Status::argument) return;  // with the next event of the channel's
        insist([&] { unsendable.reserve(unsendable.size() + 1); });
        ErrorRef why = insist([&] { return channel_->refusal(status); });
        std::optional<Call> call = take(number);
        unsendable.push_back({std::move(call->completion), std::move(why), nullptr});
    }
}

Status RpcClient::send(Call& call) {
    protocol::PublishRequest rest;
    rest.body = call.request->body;
    std::uint64_t sequence = 0;
    Status status = Status::no_memory;
    try {
        status = channel_->publish(call.request->head, rest, &sequence);
    } catch (const std::bad_alloc&) {
        return Status::no_memory;
    }
    if (status == Status::ok) call.request = nullptr;
    return status;
}

std::optional<RpcClient::Call> RpcClient::take(Number number) {
    const auto found = calls_.find(number);
    if (found == calls_.end()) return std::nullopt;
    Call call = std::move(found->second);
    deadlines_.erase({call.deadline.nanoseconds, number});
    waiting_.erase(number);
    calls_.erase(found);
    return call;
}

std::vector<RpcClient::Answered> RpcClient::fail_calls(bool all, const ErrorRef& error) {
    std::vector<Answered> failed;
    insist([&] { failed.reserve(calls_.size()); });
    for (auto at = calls_.begin(); at != calls_.end();) {
        if (!all && at->second.request) {
            ++at;
            continue;
        }
        failed.push_back({std::move(at->second.completion), error, nullptr});
        deadlines_.erase({at->second.deadline.nanoseconds, at->first});
        waiting_.erase(at->first);
        at = calls_.erase(at);
    }
    return failed;
}

// User code runs in here.
void RpcClient::tell(std::vector<Answered> answers) {
    for (Answered& one : answers) {
        Event event;
        event.connection = connection_.get();
        one.completion.complete(event, one.error, one.reply, muted_);
    }
}

// ---- on the loop's thread

void RpcClient::connection_state(State now, const ErrorRef& error) {
    std::vector<Answered> failed;
    {
        const std::lock_guard lock(mutex_);
        if (now == State::open && !channel_ && !ended_) open_channel();
        if (now == State::closed) {
            channel_ = nullptr;
            open_ = false;
            if (!std::exchange(ended_, true)) {
                end_error_ = error ? error : insist([] {
                    return make_error(Status::closed, "the connection was closed");
                });
            }
            failed = fail_calls(true, end_error_);
        }
    }
    if (now == State::closed) timer_.reset();
    if (now == State::opening) arm(connection_->loop_time());  // those that were made before
    tell(std::move(failed));
}

void RpcClient::on_event(Then::AnyFunction, const Event& event, void* self) {
    const Ref<RpcClient> kept(static_cast<RpcClient*>(self));
    kept->channel_event(event);
}

void RpcClient::on_answer(Then::AnyFunction, const Event& event, void* self) {
    const Ref<RpcClient> kept(static_cast<RpcClient*>(self));
    if (event.type == EventType::delivery) kept->answered(event);
    if (event.type == EventType::consumer_cancelled && event.error != nullptr) {
        kept->cannot_consume(ErrorRef(event.error));
    }
}

void RpcClient::on_consumed(Then::AnyFunction, const Event& event, void* self) {
    const Ref<RpcClient> kept(static_cast<RpcClient*>(self));
    kept->consumed(ErrorRef(event.error));
}

void RpcClient::consumed(const ErrorRef& error) {
    // What the broker says of the consume is said of each that would follow.
    const bool refused = error && error->class_id == wire::basic::Consume::id.class_id &&
                         error->method_id == wire::basic::Consume::id.method_id;
    if (refused) {
        cannot_consume(error);
        return;
    }
    std::vector<Answered> unsendable;
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        consumer_ = error ? Consumer::none : Consumer::known;
        // Unanswered, it is asked again; lost, when the channel is back.
        if (error && open_ && error->status == Status::timeout) consume();
        send_waiting(unsendable);
    }
    tell(std::move(unsendable));
}

void RpcClient::answered(const Event& event) {
    std::vector<Answered> answers;
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        std::optional<Call> call = take(number_of(*event.message));
        if (!call) {
            ++late_;
            return;
        }
        ++answers_;
        insist([&] { answers.reserve(1); });
        const Ref<client::Reply> reply =
            insist([] { return Ref<client::Reply>::adopt(new client::Reply); });
        reply->message = Ref<client::Message>(event.message);
        answers.push_back({std::move(call->completion), nullptr, reply});
    }
    tell(std::move(answers));
}

// The broker has no direct reply-to, or does not allow it.
void RpcClient::cannot_consume(const ErrorRef& error) {
    std::vector<Answered> failed;
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        ended_ = true;
        open_ = false;
        end_error_ = error;
        failed = fail_calls(true, error);
    }
    timer_.reset();
    tell(std::move(failed));
}

void RpcClient::channel_event(const Event& event) {
    std::vector<Answered> failed;
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        switch (event.type) {
            case EventType::channel_state:
                open_ = static_cast<State>(event.state) == State::open;
                if (static_cast<State>(event.state) == State::closed) channel_ = nullptr;
                // Answers go to the channel that asked: those to a channel that was lost are lost.
                if (!open_) failed = fail_calls(false, ErrorRef(event.error));
                break;
            case EventType::returned: {
                std::optional<Call> call = take(number_of(*event.message));
                if (!call) return;
                insist([&] { failed.reserve(1); });
                const Ref<Error> error = insist([&] {
                    Ref<Error> edited = edit_error(*event.error);
                    edited->message = "no queue took the request: " + edited->message;
                    return edited;
                });
                error->status = Status::returned;
                failed.push_back({std::move(call->completion), ErrorRef(error.get()), nullptr});
                break;
            }
            default:
                break;
        }
        if (open_ && consumer_ == Consumer::none) consume();
        send_waiting(failed);
    }
    tell(std::move(failed));
}

void RpcClient::tell_soon(std::vector<Answered> answers) {
    auto shared = insist([] { return std::make_shared<std::vector<Answered>>(); });
    *shared = std::move(answers);
    insist([&] {
        (void)connection_->loop().transport().post(
            [self = Ref<RpcClient>(this), shared] { self->tell(std::move(*shared)); });
    });
}

void RpcClient::arm_soon(Instant deadline) {
    insist([&] {
        (void)connection_->loop().transport().post(
            [self = Ref<RpcClient>(this), deadline] { self->arm(deadline); });
    });
}

void RpcClient::arm(Instant deadline) {
    // A timer lives no longer than its connection, of whose end it is told once it was begun.
    if (connection_->state() == State::fresh) return;
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
    }
    if (!timer_) {
        // It goes before this does: with the connection's end, or the last handle.
        timer_ = insist([this] {
            return std::make_unique<transport::Timer>(connection_->loop().transport(),
                                                      [this] { on_time(); });
        });
    }
    if (deadline < timer_->at()) timer_->set(deadline);
}

void RpcClient::on_time() {
    const Ref<RpcClient> kept(this);
    std::vector<Answered> late;
    Instant next = Instant::never();
    {
        const std::lock_guard lock(mutex_);
        const std::int64_t now = connection_->loop_time().nanoseconds;
        while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
            std::optional<Call> call = take(deadlines_.begin()->second);
            ++timeouts_;
            insist([&] { late.reserve(late.size() + 1); });
            ErrorRef why = insist([&] {
                return make_error(Status::timeout,
                                  call->request
                                      ? "the request could not be published in time: there is no "
                                        "connection, or the broker holds publishes back"
                                      : "no answer came in time");
            });
            late.push_back({std::move(call->completion), std::move(why), nullptr});
        }
        if (!deadlines_.empty()) next = Instant{deadlines_.begin()->first};
        armed_ = next;
    }
    if (timer_) timer_->set(next);
    tell(std::move(late));
}

// ---- who answers

Status reply_to(Channel& channel, const client::Message& request,
                const wire::Properties* properties, std::span<const std::byte> body) {
    wire::Properties asked;
    if (!wire::parse_properties(request.properties, asked) || asked.reply_to.empty()) {
        return Status::malformed;
    }
    wire::Properties given;
    if (properties != nullptr) given = *properties;
    if ((asked.present & wire::property_correlation_id) != 0) {
        given.present |= wire::property_correlation_id;
        given.correlation_id = asked.correlation_id;
    }
    protocol::PublishRequest answer;
    answer.routing_key = asked.reply_to;
    answer.properties = &given;
    answer.body = body;
    std::uint64_t sequence = 0;
    return channel.publish(answer, &sequence);
}

}  // namespace haigha::rpc
