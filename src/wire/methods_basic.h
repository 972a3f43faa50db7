// The methods of class basic: consuming, publishing and acknowledging.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include "wire/cursor.h"
#include "wire/method_id.h"

namespace haigha::wire::basic {

struct Qos {
    std::uint32_t prefetch_size = 0;
    std::uint16_t prefetch_count = 0;
    bool global = false;

    static constexpr MethodId id{60, 10};
    static constexpr std::string_view name = "basic.qos";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{60, 11}}};
    static constexpr auto fields =
        std::tuple{&Qos::prefetch_size, &Qos::prefetch_count, &Qos::global};
};

struct QosOk {
    static constexpr MethodId id{60, 11};
    static constexpr std::string_view name = "basic.qos-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

struct Consume {
    std::uint16_t reserved_1 = 0;
    ShortString queue{};
    ShortString consumer_tag{};
    bool no_local = false;
    bool no_ack = false;
    bool exclusive = false;
    bool no_wait = false;
    TableBytes arguments{};

    static constexpr MethodId id{60, 20};
    static constexpr std::string_view name = "basic.consume";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{60, 21}}};
    static constexpr auto fields = std::tuple{
        &Consume::reserved_1, &Consume::queue,     &Consume::consumer_tag, &Consume::no_local,
        &Consume::no_ack,     &Consume::exclusive, &Consume::no_wait,      &Consume::arguments};
};

struct ConsumeOk {
    ShortString consumer_tag{};

    static constexpr MethodId id{60, 21};
    static constexpr std::string_view name = "basic.consume-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&ConsumeOk::consumer_tag};
};

// RabbitMQ also sends it, when a queue dies under its consumer; then nobody replies.
struct Cancel {
    ShortString consumer_tag{};
    bool no_wait = false;

    static constexpr MethodId id{60, 30};
    static constexpr std::string_view name = "basic.cancel";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{60, 31}}};
    static constexpr auto fields = std::tuple{&Cancel::consumer_tag, &Cancel::no_wait};
};

struct CancelOk {
    ShortString consumer_tag{};

    static constexpr MethodId id{60, 31};
    static constexpr std::string_view name = "basic.cancel-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&CancelOk::consumer_tag};
};

// immediate is refused by RabbitMQ since 3.0.
struct Publish {
    std::uint16_t reserved_1 = 0;
    ShortString exchange{};
    ShortString routing_key{};
    bool mandatory = false;
    bool immediate = false;

    static constexpr MethodId id{60, 40};
    static constexpr std::string_view name = "basic.publish";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = true;
    static constexpr Replies replies{};
    static constexpr auto fields =
        std::tuple{&Publish::reserved_1, &Publish::exchange, &Publish::routing_key,
                   &Publish::mandatory, &Publish::immediate};
};

struct Return {
    std::uint16_t reply_code = 0;
    ShortString reply_text{};
    ShortString exchange{};
    ShortString routing_key{};

    static constexpr MethodId id{60, 50};
    static constexpr std::string_view name = "basic.return";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = true;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&Return::reply_code, &Return::reply_text,
                                              &Return::exchange, &Return::routing_key};
};

struct Deliver {
    ShortString consumer_tag{};
    std::uint64_t delivery_tag = 0;
    bool redelivered = false;
    ShortString exchange{};
    ShortString routing_key{};

    static constexpr MethodId id{60, 60};
    static constexpr std::string_view name = "basic.deliver";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = true;
    static constexpr Replies replies{};
    static constexpr auto fields =
        std::tuple{&Deliver::consumer_tag, &Deliver::delivery_tag, &Deliver::redelivered,
                   &Deliver::exchange, &Deliver::routing_key};
};

struct Get {
    std::uint16_t reserved_1 = 0;
    ShortString queue{};
    bool no_ack = false;

    static constexpr MethodId id{60, 70};
    static constexpr std::string_view name = "basic.get";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{60, 71}, {60, 72}}};
    static constexpr auto fields = std::tuple{&Get::reserved_1, &Get::queue, &Get::no_ack};
};

struct GetOk {
    std::uint64_t delivery_tag = 0;
    bool redelivered = false;
    ShortString exchange{};
    ShortString routing_key{};
    std::uint32_t message_count = 0;

    static constexpr MethodId id{60, 71};
    static constexpr std::string_view name = "basic.get-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = true;
    static constexpr Replies replies{};
    static constexpr auto fields =
        std::tuple{&GetOk::delivery_tag, &GetOk::redelivered, &GetOk::exchange, &GetOk::routing_key,
                   &GetOk::message_count};
};

struct GetEmpty {
    ShortString reserved_1{};

    static constexpr MethodId id{60, 72};
    static constexpr std::string_view name = "basic.get-empty";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&GetEmpty::reserved_1};
};

// From a broker it confirms publishes.
struct Ack {
    std::uint64_t delivery_tag = 0;
    bool multiple = false;

    static constexpr MethodId id{60, 80};
    static constexpr std::string_view name = "basic.ack";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&Ack::delivery_tag, &Ack::multiple};
};

struct Reject {
    std::uint64_t delivery_tag = 0;
    bool requeue = false;

    static constexpr MethodId id{60, 90};
    static constexpr std::string_view name = "basic.reject";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&Reject::delivery_tag, &Reject::requeue};
};

// Deprecated, and refused by RabbitMQ 4.
struct RecoverAsync {
    bool requeue = false;

    static constexpr MethodId id{60, 100};
    static constexpr std::string_view name = "basic.recover-async";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&RecoverAsync::requeue};
};

// The protocol's XML names no response, its text and every broker give recover-ok.
struct Recover {
    bool requeue = false;

    static constexpr MethodId id{60, 110};
    static constexpr std::string_view name = "basic.recover";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{60, 111}}};
    static constexpr auto fields = std::tuple{&Recover::requeue};
};

struct RecoverOk {
    static constexpr MethodId id{60, 111};
    static constexpr std::string_view name = "basic.recover-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

// RabbitMQ. From a broker it refuses publishes.
struct Nack {
    std::uint64_t delivery_tag = 0;
    bool multiple = false;
    bool requeue = false;

    static constexpr MethodId id{60, 120};
    static constexpr std::string_view name = "basic.nack";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&Nack::delivery_tag, &Nack::multiple, &Nack::requeue};
};

}  // namespace haigha::wire::basic
