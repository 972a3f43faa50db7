// Arguments of a channel's functions, and what those answer. Part of haigha/haigha.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "events.hpp"

namespace haigha {
inline namespace v0_1 {

// ---- arguments, for designated initialisers: {.queue = "tasks", .durable = true}

struct ExchangeDeclare {
    std::string_view exchange{};
    std::string_view type = "direct";
    bool passive = false;  // only ask whether it exists
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
    Table arguments{};
};
struct ExchangeDelete {
    std::string_view exchange{};
    bool if_unused = false;
};
struct ExchangeBind {
    std::string_view destination{};
    std::string_view source{};
    std::string_view routing_key{};
    Table arguments{};
};
struct QueueDeclare {
    std::string_view queue{};  // empty: the broker chooses a name
    bool passive = false;      // only ask whether it exists
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
    Table arguments{};
};
struct QueueBind {
    std::string_view queue{};
    std::string_view exchange{};
    std::string_view routing_key{};
    Table arguments{};
};
struct QueueDelete {
    std::string_view queue{};
    bool if_unused = false;
    bool if_empty = false;
};
struct Qos {
    std::uint16_t prefetch_count = 0;  // 0: no limit
    std::uint32_t prefetch_bytes = 0;  // RabbitMQ: only 0
    bool global = false;
};
struct Consume {
    std::string_view queue{};
    std::string_view consumer_tag{};  // empty: the library makes one
    bool no_local = false;
    bool no_ack = false;
    bool exclusive = false;
    bool pause_when_full = false;  // its inbox
    Table arguments{};
};
struct Get {
    std::string_view queue{};
    bool no_ack = false;
};
// Where a message goes. Its properties, where it has any, are an argument of their own.
struct Publish {
    // Empty: the default exchange, which routes to the queue that the routing key names.
    std::string_view exchange{};
    std::string_view routing_key{};
    bool mandatory = false;  // return it when no queue takes it
};

// ---- answers

struct QueueDeclared {
    std::string queue;
    std::uint32_t message_count = 0;
    std::uint32_t consumer_count = 0;
};
struct PublishResult {
    Outcome outcome = Outcome::none;
    Error reason;  // the broker's, of a return; a pool's: why it is not confirmed
    bool confirmed() const noexcept { return outcome == Outcome::confirmed; }
};

namespace detail {

inline std::uint8_t flag(bool set) noexcept {
    return set ? 1 : 0;
}

inline haigha_publish_args c_args(const Publish& given,
                                  const haigha_properties* properties = nullptr,
                                  void* user_data = nullptr) noexcept {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.exchange = str(given.exchange);
    args.routing_key = str(given.routing_key);
    args.properties = properties;
    args.user_data = user_data;
    args.mandatory = flag(given.mandatory);
    return args;
}

// `call(args)`: a C function that publishes, with properties or, null, without.
template <class Call>
haigha_status with_args(const Publish& given, const Properties* properties, void* user_data,
                        haigha_error** error, Call call) {
    if (properties == nullptr) return call(c_args(given, nullptr, user_data));
    if (properties->headers.error()) return Error(properties->headers.error()).give_to(error);
    const CProperties converted(*properties);
    return call(c_args(given, converted.get(), user_data));
}

}  // namespace detail

}  // namespace v0_1
}  // namespace haigha
