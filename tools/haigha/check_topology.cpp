// Exchanges, queues and what RabbitMQ makes of their arguments.
#include <chrono>
#include <string>
#include <thread>

#include "check_probes.h"
#include "failure.h"

namespace tool {

namespace {

std::string direct(ProbeScope& scope) {
    const std::string exchange = scope.exchange("direct");
    const std::string queue = scope.queue();
    scope.bind(queue, exchange, "yes");
    scope.publish(exchange, "no", "x");
    scope.publish(exchange, "yes", "right");
    expect(to_view(haigha_message_body(scope.get(queue).get())) == "right",
           "the wrong message was routed");
    return "";
}

std::string fanout(ProbeScope& scope) {
    const std::string exchange = scope.exchange("fanout");
    const std::string first = scope.queue();
    const std::string second = scope.queue();
    scope.bind(first, exchange, "");
    scope.bind(second, exchange, "");
    scope.publish(exchange, "any", "x");
    scope.get(first);
    scope.get(second);
    return "";
}

std::string topic(ProbeScope& scope) {
    const std::string exchange = scope.exchange("topic");
    const std::string queue = scope.queue();
    scope.bind(queue, exchange, "a.*.c.#");
    scope.publish(exchange, "a.c", "wrong");
    scope.publish(exchange, "a.b.c.d.e", "right");
    expect(to_view(haigha_message_body(scope.get(queue).get())) == "right",
           "the wrong message was routed");
    return "";
}

std::string headers(ProbeScope& scope) {
    const std::string exchange = scope.exchange("headers");
    const std::string queue = scope.queue();
    const TableHandle wanted = make_table("x-match", "all");
    add(wanted, "kind", "right");
    scope.bind(queue, exchange, "", wanted.get());
    for (const char* kind : {"wrong", "right"}) {
        const TableHandle table = make_table("kind", kind);
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_HEADERS;
        properties.headers = table.get();
        scope.publish(exchange, "", kind, &properties);
    }
    expect(to_view(haigha_message_body(scope.get(queue).get())) == "right",
           "the wrong message was routed");
    return "";
}

std::string exchange_to_exchange(ProbeScope& scope) {
    const std::string source = scope.exchange("direct");
    const std::string destination = scope.exchange("fanout");
    const std::string queue = scope.queue();
    scope.bind(queue, destination, "");
    haigha_exchange_bind_args args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    args.destination = to_str(destination);
    args.source = to_str(source);
    args.routing_key = to_str("key");
    ErrorSlot error;
    require(haigha_exchange_bind_wait(scope.channel(), &args, scope.timeout_ms(), nullptr, error),
            error);
    scope.publish(source, "key", "x");
    scope.get(queue);
    require(haigha_exchange_unbind_wait(scope.channel(), &args, scope.timeout_ms(), nullptr, error),
            error);
    return "bind and unbind";
}

std::string alternate_exchange(ProbeScope& scope) {
    const std::string fallback = scope.exchange("fanout");
    const TableHandle arguments = make_table("alternate-exchange", fallback);
    const std::string exchange = scope.exchange("direct", arguments.get());
    const std::string queue = scope.queue();
    scope.bind(queue, fallback, "");
    scope.publish(exchange, "nowhere", "x");
    scope.get(queue);
    return "";
}

std::string server_named_queue(ProbeScope& scope) {
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.exclusive = 1;
    ReplyHandle reply;
    ErrorSlot error;
    require(
        haigha_queue_declare_wait(scope.channel(), &args, scope.timeout_ms(), out(reply), error),
        error);
    std::string name(to_view(haigha_reply_queue(reply.get())));
    expect(!name.empty(), "the broker gave no name");
    scope.publish("", name, "x");
    scope.get(name);
    return name;
}

std::string purge_and_delete(ProbeScope& scope) {
    const std::string queue = scope.queue();
    ErrorSlot error;
    for (int i = 0; i < 3; ++i)
        scope.publish("", queue, "x");
    ReplyHandle reply;
    require(haigha_queue_purge_wait(scope.channel(), to_str(queue), scope.timeout_ms(), out(reply),
                                    error),
            error);
    expect(haigha_reply_message_count(reply.get()) == 3, "purge counted wrong");
    scope.publish("", queue, "x");
    haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    args.queue = to_str(queue);
    require(haigha_queue_delete_wait(scope.channel(), &args, scope.timeout_ms(), out(reply), error),
            error);
    expect(haigha_reply_message_count(reply.get()) == 1, "delete counted wrong");
    return "with the counts of messages";
}

std::string missing_queue(ProbeScope& scope) {
    try {
        scope.message_count(scope.fresh_name());
    } catch (const ApiFailure& refused) {
        expect(refused.reply_code() == 404, std::string("refused differently: ") + refused.what());
        scope.another_channel();
        return "closes the channel with 404, not the connection";
    }
    throw Failure(exit_failed, "a queue that does not exist was found");
}

std::string unbind(ProbeScope& scope) {
    const std::string exchange = scope.exchange("fanout");
    const std::string queue = scope.queue();
    scope.bind(queue, exchange, "");
    haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
    args.queue = to_str(queue);
    args.exchange = to_str(exchange);
    ErrorSlot error;
    require(haigha_queue_unbind_wait(scope.channel(), &args, scope.timeout_ms(), nullptr, error),
            error);
    scope.publish(exchange, "", "x");
    expect(!scope.get_at_once(queue), "a message came after the unbind");
    return "";
}

std::string dead_letters(ProbeScope& scope) {
    const std::string last = scope.queue();
    const TableHandle arguments = make_table("x-dead-letter-exchange", "");
    add(arguments, "x-dead-letter-routing-key", last);
    add(arguments, "x-message-ttl", 50);
    const std::string first = scope.queue(arguments.get());
    scope.publish("", first, "x");
    scope.get(last);
    return "x-message-ttl and x-dead-letter-exchange";
}

std::string length_limit(ProbeScope& scope) {
    const TableHandle arguments = make_table("x-max-length", 2);
    const std::string queue = scope.queue(arguments.get());
    for (const char* body : {"1", "2", "3"})
        scope.publish("", queue, body);
    expect(to_view(haigha_message_body(scope.get(queue).get())) == "2",
           "the oldest message was not dropped");
    return "x-max-length";
}

std::string queue_priority(ProbeScope& scope) {
    const TableHandle arguments = make_table("x-max-priority", 10);
    const std::string queue = scope.queue(arguments.get());
    for (const std::uint8_t priority : {1, 9}) {
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_PRIORITY;
        properties.priority = priority;
        scope.publish("", queue, std::to_string(priority), &properties);
    }
    expect(to_view(haigha_message_body(scope.get(queue).get())) == "9",
           "the message of higher priority did not come first");
    return "x-max-priority";
}

std::string quorum_queue(ProbeScope& scope) {
    scope.use_confirms();
    const TableHandle arguments = make_table("x-queue-type", "quorum");
    const std::string queue = scope.durable_queue(arguments.get());
    expect(scope.publish_confirmed(queue, "x") == HAIGHA_OUTCOME_CONFIRMED,
           "a publish was not confirmed");
    scope.set_prefetch(10);
    scope.consume(queue, false);
    const Received delivery = scope.wait(HAIGHA_EVENT_DELIVERY);
    ErrorSlot error;
    require(haigha_ack(scope.channel(), delivery.number, 0, error), error);
    return "declared, published to, consumed";
}

std::string stream_queue(ProbeScope& scope) {
    scope.use_confirms();
    const TableHandle arguments = make_table("x-queue-type", "stream");
    const std::string queue = scope.durable_queue(arguments.get());
    expect(scope.publish_confirmed(queue, "x") == HAIGHA_OUTCOME_CONFIRMED,
           "a publish was not confirmed");
    scope.set_prefetch(10);
    const TableHandle from_the_first = make_table("x-stream-offset", "first");
    scope.consume(queue, false, from_the_first.get());
    const Received delivery = scope.wait(HAIGHA_EVENT_DELIVERY);
    expect(delivery.body() == "x", "another message came");
    ErrorSlot error;
    require(haigha_ack(scope.channel(), delivery.number, 0, error), error);
    return "declared, published to, consumed from its first message";
}

}  // namespace

std::vector<Probe> topology_probes() {
    return {
        {"direct exchange", true, false, direct},
        {"fanout exchange", true, false, fanout},
        {"topic exchange", true, false, topic},
        {"headers exchange", true, false, headers},
        {"exchange-to-exchange bindings", false, false, exchange_to_exchange},
        {"alternate exchange", false, false, alternate_exchange},
        {"queue named by the broker", true, false, server_named_queue},
        {"queue.unbind", true, false, unbind},
        {"queue.purge and queue.delete", true, false, purge_and_delete},
        {"a queue that does not exist", true, false, missing_queue},
        {"expiry and dead letters", false, false, dead_letters},
        {"length limit", false, false, length_limit},
        {"priority queue", false, false, queue_priority},
        {"quorum queue", false, false, quorum_queue},
        {"stream", false, false, stream_queue},
    };
}

}  // namespace tool
