// The methods of class connection: handshake, tuning, blocking and close.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include "wire/cursor.h"
#include "wire/method_id.h"

namespace haigha::wire::connection {

struct Start {
    std::uint8_t version_major = 0;
    std::uint8_t version_minor = 0;
    TableBytes server_properties{};
    LongString mechanisms{};
    LongString locales{};

    static constexpr MethodId id{10, 10};
    static constexpr std::string_view name = "connection.start";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{10, 11}}};
    static constexpr auto fields =
        std::tuple{&Start::version_major, &Start::version_minor, &Start::server_properties,
                   &Start::mechanisms, &Start::locales};
};

// response holds the password of PLAIN.
struct StartOk {
    TableBytes client_properties{};
    ShortString mechanism{};
    LongString response{};
    ShortString locale{};

    static constexpr MethodId id{10, 11};
    static constexpr std::string_view name = "connection.start-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr std::string_view secret = "response";
    static constexpr auto fields = std::tuple{&StartOk::client_properties, &StartOk::mechanism,
                                              &StartOk::response, &StartOk::locale};
};

struct Secure {
    LongString challenge{};

    static constexpr MethodId id{10, 20};
    static constexpr std::string_view name = "connection.secure";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{10, 21}}};
    static constexpr auto fields = std::tuple{&Secure::challenge};
};

struct SecureOk {
    LongString response{};

    static constexpr MethodId id{10, 21};
    static constexpr std::string_view name = "connection.secure-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr std::string_view secret = "response";
    static constexpr auto fields = std::tuple{&SecureOk::response};
};

struct Tune {
    std::uint16_t channel_max = 0;
    std::uint32_t frame_max = 0;
    std::uint16_t heartbeat = 0;

    static constexpr MethodId id{10, 30};
    static constexpr std::string_view name = "connection.tune";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{10, 31}}};
    static constexpr auto fields =
        std::tuple{&Tune::channel_max, &Tune::frame_max, &Tune::heartbeat};
};

struct TuneOk {
    std::uint16_t channel_max = 0;
    std::uint32_t frame_max = 0;
    std::uint16_t heartbeat = 0;

    static constexpr MethodId id{10, 31};
    static constexpr std::string_view name = "connection.tune-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields =
        std::tuple{&TuneOk::channel_max, &TuneOk::frame_max, &TuneOk::heartbeat};
};

struct Open {
    ShortString virtual_host{};
    ShortString reserved_1{};
    bool reserved_2 = false;

    static constexpr MethodId id{10, 40};
    static constexpr std::string_view name = "connection.open";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{10, 41}}};
    static constexpr auto fields =
        std::tuple{&Open::virtual_host, &Open::reserved_1, &Open::reserved_2};
};

struct OpenOk {
    ShortString reserved_1{};

    static constexpr MethodId id{10, 41};
    static constexpr std::string_view name = "connection.open-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&OpenOk::reserved_1};
};

struct Close {
    std::uint16_t reply_code = 0;
    ShortString reply_text{};
    std::uint16_t class_id = 0;
    std::uint16_t method_id = 0;

    static constexpr MethodId id{10, 50};
    static constexpr std::string_view name = "connection.close";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{10, 51}}};
    static constexpr auto fields =
        std::tuple{&Close::reply_code, &Close::reply_text, &Close::class_id, &Close::method_id};
};

struct CloseOk {
    static constexpr MethodId id{10, 51};
    static constexpr std::string_view name = "connection.close-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

// RabbitMQ: sent to a client that announced the capability connection.blocked.
struct Blocked {
    ShortString reason{};

    static constexpr MethodId id{10, 60};
    static constexpr std::string_view name = "connection.blocked";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{&Blocked::reason};
};

struct Unblocked {
    static constexpr MethodId id{10, 61};
    static constexpr std::string_view name = "connection.unblocked";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

// RabbitMQ 3.8: renews the credentials (an OAuth 2 token) of an open connection.
struct UpdateSecret {
    LongString new_secret{};
    ShortString reason{};

    static constexpr MethodId id{10, 70};
    static constexpr std::string_view name = "connection.update-secret";
    static constexpr bool synchronous = true;
    static constexpr bool has_content = false;
    static constexpr Replies replies{{{10, 71}}};
    static constexpr std::string_view secret = "new_secret";
    static constexpr auto fields = std::tuple{&UpdateSecret::new_secret, &UpdateSecret::reason};
};

struct UpdateSecretOk {
    static constexpr MethodId id{10, 71};
    static constexpr std::string_view name = "connection.update-secret-ok";
    static constexpr bool synchronous = false;
    static constexpr bool has_content = false;
    static constexpr Replies replies{};
    static constexpr auto fields = std::tuple{};
};

}  // namespace haigha::wire::connection
