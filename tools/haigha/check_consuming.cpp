// Deliveries, acknowledgements and what the broker tells consumers.
#include <string>

#include "check_probes.h"
#include "failure.h"

namespace tool {

namespace {

constexpr int access_refused = 403;

void settle(ProbeScope& scope,
            haigha_status (*call)(haigha_channel*, uint64_t, uint32_t, haigha_error**),
            std::uint64_t tag, std::uint32_t flags) {
    ErrorSlot error;
    require(call(scope.channel(), tag, flags, error), error);
}

std::uint64_t tag_of(const MessageHandle& message) {
    return haigha_message_delivery_tag(message.get());
}

std::string basic_get(ProbeScope& scope) {
    const std::string queue = scope.queue();
    expect(!scope.get_at_once(queue), "an empty queue gave a message");
    scope.publish("", queue, "x");
    const MessageHandle message = scope.get(queue, false);
    expect(to_view(haigha_message_body(message.get())) == "x", "the body has changed");
    settle(scope, haigha_ack, tag_of(message), 0);
    return "";
}

std::string consume(ProbeScope& scope) {
    const std::string queue = scope.queue();
    scope.consume(queue, false);
    for (const char* body : {"one", "two", "three"})
        scope.publish("", queue, body);
    for (const char* body : {"one", "two", "three"}) {
        const Received delivery = scope.wait(HAIGHA_EVENT_DELIVERY);
        expect(delivery.body() == body, "the deliveries are out of order");
        settle(scope, haigha_ack, delivery.number, 0);
    }
    return "in order, each acknowledged";
}

std::string cancel(ProbeScope& scope) {
    const std::string queue = scope.queue();
    const std::string tag = scope.consume(queue);
    ErrorSlot error;
    require(haigha_cancel_wait(scope.channel(), to_str(tag), scope.timeout_ms(), nullptr, error),
            error);
    scope.wait(HAIGHA_EVENT_CONSUMER_CANCELLED);
    scope.publish("", queue, "x");
    expect(scope.stays_silent(HAIGHA_EVENT_DELIVERY), "a delivery came after the cancel");
    return "";
}

std::string cancel_notify(ProbeScope& scope) {
    const std::string queue = scope.queue();
    scope.consume(queue);
    haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    args.queue = to_str(queue);
    ErrorSlot error;
    require(haigha_queue_delete_wait(scope.channel(), &args, scope.timeout_ms(), nullptr, error),
            error);
    scope.wait(HAIGHA_EVENT_CONSUMER_CANCELLED);
    return "the consumer of a deleted queue is told";
}

// nack and reject alike.
std::string requeued(ProbeScope& scope, bool by_nack) {
    const auto call = by_nack ? haigha_nack : haigha_reject;
    const std::string queue = scope.queue();
    scope.publish("", queue, "x");
    settle(scope, call, tag_of(scope.get(queue, false)), HAIGHA_REQUEUE);
    const MessageHandle again = scope.get(queue, false);
    expect(haigha_message_redelivered(again.get()) != 0, "redelivered is not set");
    settle(scope, call, tag_of(again), 0);
    expect(!scope.get_at_once(queue), "a message that was given up came again");
    return "requeued, then given up";
}

std::string acks_of_many(ProbeScope& scope) {
    const std::string queue = scope.queue();
    for (int i = 0; i < 5; ++i)
        scope.publish("", queue, "x");
    std::uint64_t last = 0;
    for (int i = 0; i < 5; ++i)
        last = tag_of(scope.get(queue, false));
    settle(scope, haigha_ack, last, HAIGHA_MULTIPLE);
    ErrorSlot error;
    require(haigha_recover_wait(scope.channel(), 1, scope.timeout_ms(), nullptr, error), error);
    expect(!scope.get_at_once(queue), "an acknowledged message came again");
    return "";
}

std::string recover(ProbeScope& scope, bool requeue) {
    const std::string queue = scope.queue();
    scope.publish("", queue, "x");
    scope.get(queue, false);
    ErrorSlot error;
    require(
        haigha_recover_wait(scope.channel(), requeue ? 1 : 0, scope.timeout_ms(), nullptr, error),
        error);
    if (!requeue) return "";
    const MessageHandle again = scope.get(queue, true);
    expect(haigha_message_redelivered(again.get()) != 0, "redelivered is not set");
    return "";
}

std::string prefetch(ProbeScope& scope) {
    const std::string queue = scope.queue();
    scope.set_prefetch(2);
    for (int i = 0; i < 3; ++i)
        scope.publish("", queue, "x");
    scope.consume(queue, false);
    scope.wait(HAIGHA_EVENT_DELIVERY);
    const Received second = scope.wait(HAIGHA_EVENT_DELIVERY);
    expect(scope.stays_silent(HAIGHA_EVENT_DELIVERY), "more came than the prefetch count");
    settle(scope, haigha_ack, second.number, 0);
    scope.wait(HAIGHA_EVENT_DELIVERY);
    return "";
}

std::string qos(ProbeScope& scope, bool global, std::uint32_t bytes) {
    haigha_qos_args args = HAIGHA_QOS_ARGS_INIT;
    args.prefetch_count = 10;
    args.global = global ? 1 : 0;
    args.prefetch_bytes = bytes;
    ErrorSlot error;
    require(haigha_qos_wait(scope.channel(), &args, scope.timeout_ms(), nullptr, error), error);
    return "";
}

std::string exclusive_consumer(ProbeScope& scope) {
    const std::string queue = scope.queue();
    scope.consume(queue, true, nullptr, true);
    try {
        scope.consume(queue);
    } catch (const ApiFailure& refused) {
        expect(refused.reply_code() == access_refused,
               std::string("refused differently: ") + refused.what());
        return "a second consumer is refused with 403";
    }
    throw Failure(exit_failed, "a second consumer was let in");
}

std::string consumer_priority(ProbeScope& scope) {
    const std::string queue = scope.queue();
    scope.consume(queue);
    const TableHandle arguments = make_table("x-priority", 10);
    const std::string preferred = scope.consume(queue, true, arguments.get());
    scope.publish("", queue, "x");
    scope.wait(HAIGHA_EVENT_DELIVERY);
    return "";
}

std::string flow(ProbeScope& scope, bool active) {
    ErrorSlot error;
    require(haigha_channel_flow_wait(scope.channel(), active ? 1 : 0, scope.timeout_ms(), nullptr,
                                     error),
            error);
    return "";
}

// RabbitMQ's way to answer a request without a queue for the answers.
std::string direct_reply(ProbeScope& scope) {
    constexpr std::string_view reply_to = "amq.rabbitmq.reply-to";
    const std::string requests = scope.queue();
    scope.consume(std::string(reply_to));
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_REPLY_TO;
    properties.reply_to = to_str(reply_to);
    scope.publish("", requests, "question", &properties);
    const MessageHandle request = scope.get(requests);
    haigha_properties received = HAIGHA_PROPERTIES_INIT;
    ErrorSlot error;
    require(haigha_message_properties(request.get(), &received, error), error);
    scope.publish("", to_view(received.reply_to), "answer");
    expect(scope.wait(HAIGHA_EVENT_DELIVERY).body() == "answer", "another answer came");
    return "";
}

}  // namespace

std::vector<Probe> consuming_probes() {
    return {
        {"basic.get", true, false, basic_get},
        {"basic.consume", true, false, consume},
        {"basic.cancel", true, false, cancel},
        {"consumer cancel notification", false, false, cancel_notify},
        {"basic.nack", false, false, [](ProbeScope& scope) { return requeued(scope, true); }},
        {"basic.reject", true, false, [](ProbeScope& scope) { return requeued(scope, false); }},
        {"acks of many at once", true, false, acks_of_many},
        {"recover", true, false, [](ProbeScope& scope) { return recover(scope, true); }},
        {"recover without requeue", false, true,
         [](ProbeScope& scope) { return recover(scope, false); }},
        {"prefetch by count", true, false, prefetch},
        {"prefetch for a whole channel", false, true,
         [](ProbeScope& scope) { return qos(scope, true, 0); }},
        {"prefetch by bytes", false, true,
         [](ProbeScope& scope) { return qos(scope, false, 65536); }},
        {"exclusive consumer", true, false, exclusive_consumer},
        {"consumer priority", false, false, consumer_priority},
        {"channel.flow: resume", false, true, [](ProbeScope& scope) { return flow(scope, true); }},
        {"channel.flow: stop", false, true, [](ProbeScope& scope) { return flow(scope, false); }},
        {"direct reply-to", false, false, direct_reply},
    };
}

}  // namespace tool
