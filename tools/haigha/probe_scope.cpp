#include "probe_scope.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "failure.h"

namespace tool {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

ProbeScope::~ProbeScope() {
    if ((queues_.empty() && exchanges_.empty()) || !session_.is_open()) return;
    // The probe's own channel may be gone.
    ChannelHandle channel;
    haigha_channel_open_wait(session_.connection(), nullptr, timeout_ms(), out(channel), nullptr);
    for (const std::string& queue : queues_) {
        haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        args.queue = to_str(queue);
        haigha_queue_delete_wait(channel.get(), &args, timeout_ms(), nullptr, nullptr);
    }
    for (const std::string& exchange : exchanges_) {
        haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
        args.exchange = to_str(exchange);
        haigha_exchange_delete_wait(channel.get(), &args, timeout_ms(), nullptr, nullptr);
    }
}

haigha_channel* ProbeScope::channel() {
    return channel_ ? channel_.get() : open(false);
}

void ProbeScope::use_confirms() {
    open(true);
}

haigha_channel* ProbeScope::open(bool confirm) {
    ErrorSlot error;
    require(haigha_inbox_new(0, out(inbox_), error), error);
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.events.inbox = inbox_.get();
    args.confirm = confirm ? 1 : 0;
    channel_ = session_.open_channel(&args);
    return channel_.get();
}

std::string ProbeScope::fresh_name() {
    return prefix_ + "-" + std::to_string(++names_);
}

std::string ProbeScope::queue(const haigha_table* arguments) {
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    std::string name = fresh_name();
    args.queue = to_str(name);
    args.exclusive = 1;
    args.arguments = arguments;
    ErrorSlot error;
    require(haigha_queue_declare_wait(channel(), &args, timeout_ms(), nullptr, error), error);
    return name;
}

std::string ProbeScope::durable_queue(const haigha_table* arguments) {
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    std::string name = fresh_name();
    args.queue = to_str(name);
    args.durable = 1;
    args.arguments = arguments;
    ErrorSlot error;
    require(haigha_queue_declare_wait(channel(), &args, timeout_ms(), nullptr, error), error);
    queues_.push_back(name);
    return name;
}

std::string ProbeScope::exchange(std::string_view type, const haigha_table* arguments) {
    haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    std::string name = fresh_name();
    args.exchange = to_str(name);
    args.type = to_str(type);
    args.arguments = arguments;
    ErrorSlot error;
    require(haigha_exchange_declare_wait(channel(), &args, timeout_ms(), nullptr, error), error);
    exchanges_.push_back(name);
    return name;
}

void ProbeScope::bind(const std::string& queue, const std::string& exchange, std::string_view key,
                      const haigha_table* arguments) {
    haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
    args.queue = to_str(queue);
    args.exchange = to_str(exchange);
    args.routing_key = to_str(key);
    args.arguments = arguments;
    ErrorSlot error;
    require(haigha_queue_bind_wait(channel(), &args, timeout_ms(), nullptr, error), error);
}

void ProbeScope::publish(std::string_view exchange, std::string_view key, std::string_view body,
                         const haigha_properties* properties, bool mandatory) {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.exchange = to_str(exchange);
    args.routing_key = to_str(key);
    args.properties = properties;
    args.mandatory = mandatory ? 1 : 0;
    ErrorSlot error;
    require(haigha_publish(channel(), &args, to_str(body), nullptr, error), error);
}

std::int32_t ProbeScope::publish_confirmed(std::string_view key, std::string_view body,
                                           const haigha_properties* properties) {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = to_str(key);
    args.properties = properties;
    ReplyHandle reply;
    ErrorSlot error;
    require(haigha_publish_wait(channel(), &args, to_str(body), timeout_ms(), out(reply), error),
            error);
    return haigha_reply_outcome(reply.get());
}

MessageHandle ProbeScope::get(const std::string& queue, bool no_ack) {
    const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms());
    for (;;) {
        if (MessageHandle message = get_at_once(queue, no_ack)) return message;
        expect(Clock::now() < deadline, "the message did not arrive");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

MessageHandle ProbeScope::get_at_once(const std::string& queue, bool no_ack) {
    haigha_get_args args = HAIGHA_GET_ARGS_INIT;
    args.queue = to_str(queue);
    args.no_ack = no_ack ? 1 : 0;
    ReplyHandle reply;
    ErrorSlot error;
    require(haigha_get_wait(channel(), &args, timeout_ms(), out(reply), error), error);
    haigha_message* const message = haigha_reply_message(reply.get());
    return MessageHandle(message == nullptr ? nullptr : haigha_message_ref(message));
}

std::uint32_t ProbeScope::message_count(const std::string& queue) {
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = to_str(queue);
    args.passive = 1;
    ReplyHandle reply;
    ErrorSlot error;
    require(haigha_queue_declare_wait(channel(), &args, timeout_ms(), out(reply), error), error);
    return haigha_reply_message_count(reply.get());
}

std::string ProbeScope::consume(const std::string& queue, bool no_ack,
                                const haigha_table* arguments, bool exclusive) {
    channel();
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = to_str(queue);
    args.no_ack = no_ack ? 1 : 0;
    args.exclusive = exclusive ? 1 : 0;
    args.deliveries.inbox = inbox_.get();
    args.arguments = arguments;
    ReplyHandle reply;
    ErrorSlot error;
    require(haigha_consume_wait(channel(), &args, timeout_ms(), out(reply), error), error);
    return std::string(to_view(haigha_reply_consumer_tag(reply.get())));
}

void ProbeScope::set_prefetch(std::uint16_t count) {
    haigha_qos_args args = HAIGHA_QOS_ARGS_INIT;
    args.prefetch_count = count;
    ErrorSlot error;
    require(haigha_qos_wait(channel(), &args, timeout_ms(), nullptr, error), error);
}

Received ProbeScope::wait(std::uint32_t type) {
    Received received;
    if (take(type, timeout_ms(), received)) return received;
    const haigha_error* const none = nullptr;
    if (haigha_error* const error = haigha_channel_last_error(channel())) {
        const ApiFailure failure(haigha_error_status(error), error);
        haigha_error_free(error);
        throw ApiFailure(failure);
    }
    throw ApiFailure(HAIGHA_ERR_TIMEOUT, none);
}

bool ProbeScope::stays_silent(std::uint32_t type, std::int64_t time_ms) {
    Received received;
    return !take(type, time_ms, received);
}

bool ProbeScope::take(std::uint32_t type, std::int64_t time_ms, Received& received) {
    const auto deadline = Clock::now() + std::chrono::milliseconds(time_ms);
    for (;;) {
        const auto found = std::find_if(received_.begin(), received_.end(),
                                        [type](const Received& r) { return r.type == type; });
        if (found != received_.end()) {
            received = std::move(*found);
            received_.erase(found);
            return true;
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        // Once the channel has ended nothing new comes.
        const bool ended = haigha_channel_state(channel()) == HAIGHA_STATE_CLOSED;
        std::array<haigha_event, 16> events;
        std::size_t count = 0;
        ErrorSlot error;
        require(haigha_inbox_poll(inbox_.get(), events.data(), sizeof events[0], events.size(),
                                  ended || left < 0 ? 0 : left, &count, error),
                error);
        if (count == 0 && (ended || left <= 0)) return false;
        for (std::size_t i = 0; i < count; ++i) {
            const haigha_event& event = events[i];
            Received& kept = received_.emplace_back();
            kept.type = event.type;
            kept.number = event.number;
            kept.outcome = event.outcome;
            kept.state = event.state;
            kept.reply_code = haigha_error_reply_code(event.error);
            kept.error = haigha_error_message(event.error);
            if (event.message != nullptr) kept.message.reset(haigha_message_ref(event.message));
        }
    }
}

void expect(bool fact, const std::string& sentence) {
    if (!fact) throw Failure(exit_failed, sentence);
}

TableHandle make_table() {
    TableHandle table;
    ErrorSlot error;
    require(haigha_table_new(out(table), error), error);
    return table;
}

TableHandle make_table(std::string_view name, std::string_view value) {
    TableHandle table = make_table();
    add(table, name, value);
    return table;
}

TableHandle make_table(std::string_view name, std::int64_t value) {
    TableHandle table = make_table();
    add(table, name, value);
    return table;
}

void add(const TableHandle& table, std::string_view name, std::string_view value) {
    ErrorSlot error;
    require(haigha_table_add_string(table.get(), to_str(name), to_str(value), error), error);
}

void add(const TableHandle& table, std::string_view name, std::int64_t value) {
    ErrorSlot error;
    require(haigha_table_add_int(table.get(), to_str(name), value, error), error);
}

}  // namespace tool
