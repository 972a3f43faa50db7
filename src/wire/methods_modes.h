// The methods of classes tx and RabbitMQ's confirm, the two channel modes, and the old class
// access.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include "wire/cursor.h"
#include "wire/method_id.h"

namespace haigha::wire::tx {

struct Select {
    static constexpr MethodId id{90, 10};
    static constexpr std::string_view name = "tx.select";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{90, 11}}};
    static constexpr auto fields = std::tuple{};
};

struct SelectOk {
    static constexpr MethodId id{90, 11};
    static constexpr std::string_view name = "tx.select-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

struct Commit {
    static constexpr MethodId id{90, 20};
    static constexpr std::string_view name = "tx.commit";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{90, 21}}};
    static constexpr auto fields = std::tuple{};
};

struct CommitOk {
    static constexpr MethodId id{90, 21};
    static constexpr std::string_view name = "tx.commit-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

struct Rollback {
    static constexpr MethodId id{90, 30};
    static constexpr std::string_view name = "tx.rollback";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{90, 31}}};
    static constexpr auto fields = std::tuple{};
};

struct RollbackOk {
    static constexpr MethodId id{90, 31};
    static constexpr std::string_view name = "tx.rollback-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

}  // namespace haigha::wire::tx

namespace haigha::wire::confirm {

struct Select {
    bool no_wait = false;

    static constexpr MethodId id{85, 10};
    static constexpr std::string_view name = "confirm.select";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{85, 11}}};
    static constexpr auto fields = std::tuple{&Select::no_wait};
};

struct SelectOk {
    static constexpr MethodId id{85, 11};
    static constexpr std::string_view name = "confirm.select-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

}  // namespace haigha::wire::confirm

namespace haigha::wire::access {

struct Request {
    ShortString realm{};
    bool exclusive = false;
    bool passive = false;
    bool active = false;
    bool write = false;
    bool read = false;

    static constexpr MethodId id{30, 10};
    static constexpr std::string_view name = "access.request";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{30, 11}}};
    static constexpr auto fields =
        std::tuple{&Request::realm,  &Request::exclusive, &Request::passive,
                   &Request::active, &Request::write,     &Request::read};
};

struct RequestOk {
    std::uint16_t ticket = 0;

    static constexpr MethodId id{30, 11};
    static constexpr std::string_view name = "access.request-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&RequestOk::ticket};
};

}  // namespace haigha::wire::access
