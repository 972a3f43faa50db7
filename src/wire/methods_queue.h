// The methods of class queue.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include "wire/cursor.h"
#include "wire/method_id.h"

namespace haigha::wire::queue {

struct Declare {
    std::uint16_t reserved_1 = 0;
    ShortString queue{};
    bool passive = false;
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
    bool no_wait = false;
    TableBytes arguments{};

    static constexpr MethodId id{50, 10};
    static constexpr std::string_view name = "queue.declare";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{50, 11}}};
    static constexpr auto fields = std::tuple{
        &Declare::reserved_1, &Declare::queue,       &Declare::passive, &Declare::durable,
        &Declare::exclusive,  &Declare::auto_delete, &Declare::no_wait, &Declare::arguments};
};

struct DeclareOk {
    ShortString queue{};
    std::uint32_t message_count = 0;
    std::uint32_t consumer_count = 0;

    static constexpr MethodId id{50, 11};
    static constexpr std::string_view name = "queue.declare-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields =
        std::tuple{&DeclareOk::queue, &DeclareOk::message_count, &DeclareOk::consumer_count};
};

struct Bind {
    std::uint16_t reserved_1 = 0;
    ShortString queue{};
    ShortString exchange{};
    ShortString routing_key{};
    bool no_wait = false;
    TableBytes arguments{};

    static constexpr MethodId id{50, 20};
    static constexpr std::string_view name = "queue.bind";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{50, 21}}};
    static constexpr auto fields = std::tuple{&Bind::reserved_1,  &Bind::queue,   &Bind::exchange,
                                              &Bind::routing_key, &Bind::no_wait, &Bind::arguments};
};

struct BindOk {
    static constexpr MethodId id{50, 21};
    static constexpr std::string_view name = "queue.bind-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

struct Purge {
    std::uint16_t reserved_1 = 0;
    ShortString queue{};
    bool no_wait = false;

    static constexpr MethodId id{50, 30};
    static constexpr std::string_view name = "queue.purge";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{50, 31}}};
    static constexpr auto fields = std::tuple{&Purge::reserved_1, &Purge::queue, &Purge::no_wait};
};

struct PurgeOk {
    std::uint32_t message_count = 0;

    static constexpr MethodId id{50, 31};
    static constexpr std::string_view name = "queue.purge-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&PurgeOk::message_count};
};

struct Delete {
    std::uint16_t reserved_1 = 0;
    ShortString queue{};
    bool if_unused = false;
    bool if_empty = false;
    bool no_wait = false;

    static constexpr MethodId id{50, 40};
    static constexpr std::string_view name = "queue.delete";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{50, 41}}};
    static constexpr auto fields =
        std::tuple{&Delete::reserved_1, &Delete::queue, &Delete::if_unused, &Delete::if_empty,
                   &Delete::no_wait};
};

struct DeleteOk {
    std::uint32_t message_count = 0;

    static constexpr MethodId id{50, 41};
    static constexpr std::string_view name = "queue.delete-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&DeleteOk::message_count};
};

// The one bind or unbind without no_wait.
struct Unbind {
    std::uint16_t reserved_1 = 0;
    ShortString queue{};
    ShortString exchange{};
    ShortString routing_key{};
    TableBytes arguments{};

    static constexpr MethodId id{50, 50};
    static constexpr std::string_view name = "queue.unbind";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{50, 51}}};
    static constexpr auto fields =
        std::tuple{&Unbind::reserved_1, &Unbind::queue, &Unbind::exchange, &Unbind::routing_key,
                   &Unbind::arguments};
};

struct UnbindOk {
    static constexpr MethodId id{50, 51};
    static constexpr std::string_view name = "queue.unbind-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

}  // namespace haigha::wire::queue
