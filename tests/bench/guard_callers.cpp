#include "guard_callers.h"

#include <haigha/haigha.hpp>

#include "bench_peer.h"

namespace bench {

namespace {

constexpr const char* routing_key = "bench";

void publish_in_c(haigha_channel* channel, const std::string& body, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = haigha_str{routing_key, 5};
        std::uint64_t sequence = 0;
        haigha_error* error = nullptr;
        if (haigha_publish(channel, &args, {body.data(), body.size()}, &sequence, &error) !=
            HAIGHA_OK) {
            give_up("a publish was refused");
        }
    }
}

void publish_in_cpp(const haigha::Channel& channel, const std::string& body, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        if (!channel.publish({.routing_key = routing_key}, body)) give_up("a publish was refused");
    }
}

void on_delivery_in_c(const haigha_event* event, void* user_data) {
    switch (event->type) {
        case HAIGHA_EVENT_DELIVERY:
            *static_cast<std::uint64_t*>(user_data) += event->body.size;
            if (haigha_ack(event->channel, event->number, 0, nullptr) != HAIGHA_OK) {
                give_up("an ack was refused");
            }
            return;
        default:
            return;
    }
}

}  // namespace

void publish_in(Language language, haigha_channel* channel, const std::string& body,
                std::uint64_t count) {
    if (language == Language::c) return publish_in_c(channel, body, count);
    publish_in_cpp(haigha::Channel::share(channel), body, count);
}

void consume_in(Language language, haigha_channel* channel, const haigha_then& done,
                std::uint64_t* bytes) {
    if (language == Language::c) {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = {"echo", 4};
        args.deliveries.fn = &on_delivery_in_c;
        args.deliveries.user_data = bytes;
        if (haigha_consume(channel, &args, &done, nullptr) != HAIGHA_OK) give_up("consume");
        return;
    }
    const auto consuming = haigha::Channel::share(channel)
                               .consume({.queue = "echo"},
                                        [bytes](const haigha::Delivery& delivery) {
                                            *bytes += delivery.body().size();
                                            if (!delivery.ack()) give_up("an ack was refused");
                                        })
                               .then([done](const haigha::Result<haigha::Consumer>&) {
                                   const haigha_event event{};
                                   done.fn(&event, done.user_data);
                               });
    if (!consuming) give_up("consume");
}

}  // namespace bench
