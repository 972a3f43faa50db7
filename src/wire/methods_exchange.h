// The methods of class exchange, with RabbitMQ's exchange-to-exchange bindings.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include "wire/cursor.h"
#include "wire/method_id.h"

namespace haigha::wire::exchange {

struct Declare {
    std::uint16_t reserved_1 = 0;
    ShortString exchange{};
    ShortString type{};
    bool passive = false;
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
    bool no_wait = false;
    TableBytes arguments{};

    static constexpr MethodId id{40, 10};
    static constexpr std::string_view name = "exchange.declare";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{40, 11}}};
    static constexpr auto fields =
        std::tuple{&Declare::reserved_1, &Declare::exchange, &Declare::type,
                   &Declare::passive,    &Declare::durable,  &Declare::auto_delete,
                   &Declare::internal,   &Declare::no_wait,  &Declare::arguments};
};

struct DeclareOk {
    static constexpr MethodId id{40, 11};
    static constexpr std::string_view name = "exchange.declare-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

struct Delete {
    std::uint16_t reserved_1 = 0;
    ShortString exchange{};
    bool if_unused = false;
    bool no_wait = false;

    static constexpr MethodId id{40, 20};
    static constexpr std::string_view name = "exchange.delete";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{40, 21}}};
    static constexpr auto fields =
        std::tuple{&Delete::reserved_1, &Delete::exchange, &Delete::if_unused, &Delete::no_wait};
};

struct DeleteOk {
    static constexpr MethodId id{40, 21};
    static constexpr std::string_view name = "exchange.delete-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

struct Bind {
    std::uint16_t reserved_1 = 0;
    ShortString destination{};
    ShortString source{};
    ShortString routing_key{};
    bool no_wait = false;
    TableBytes arguments{};

    static constexpr MethodId id{40, 30};
    static constexpr std::string_view name = "exchange.bind";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{40, 31}}};
    static constexpr auto fields =
        std::tuple{&Bind::reserved_1,  &Bind::destination, &Bind::source,
                   &Bind::routing_key, &Bind::no_wait,     &Bind::arguments};
};

struct BindOk {
    static constexpr MethodId id{40, 31};
    static constexpr std::string_view name = "exchange.bind-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

struct Unbind {
    std::uint16_t reserved_1 = 0;
    ShortString destination{};
    ShortString source{};
    ShortString routing_key{};
    bool no_wait = false;
    TableBytes arguments{};

    static constexpr MethodId id{40, 40};
    static constexpr std::string_view name = "exchange.unbind";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{40, 51}}};
    static constexpr auto fields =
        std::tuple{&Unbind::reserved_1,  &Unbind::destination, &Unbind::source,
                   &Unbind::routing_key, &Unbind::no_wait,     &Unbind::arguments};
};

// 51, not 41: an error of the first release that became the protocol.
struct UnbindOk {
    static constexpr MethodId id{40, 51};
    static constexpr std::string_view name = "exchange.unbind-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

}  // namespace haigha::wire::exchange
