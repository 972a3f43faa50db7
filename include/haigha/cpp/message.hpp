// haigha::Properties and haigha::Message. Part of haigha/haigha.hpp.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "handle.hpp"
#include "table.hpp"

namespace haigha {
inline namespace v0_1 {

inline constexpr std::uint8_t transient = 1;
inline constexpr std::uint8_t persistent = 2;

// The 14 basic properties; those without a value are not sent. Strings are at most 255 bytes, and
// borrowed. Source: AMQP 0-9-1, class basic.
struct Properties {
    std::optional<std::string_view> content_type{};
    std::optional<std::string_view> content_encoding{};
    Table headers{};
    std::optional<std::uint8_t> delivery_mode{};  // transient or persistent
    std::optional<std::uint8_t> priority{};       // RabbitMQ: up to the queue's x-max-priority
    std::optional<std::string_view> correlation_id{};
    std::optional<std::string_view> reply_to{};
    std::optional<std::chrono::milliseconds> expiration{};
    std::optional<std::string_view> message_id{};
    std::optional<std::chrono::sys_seconds> timestamp{};
    std::optional<std::string_view> type{};
    std::optional<std::string_view> user_id{};  // RabbitMQ checks it against the connection's user
    std::optional<std::string_view> app_id{};
    std::optional<std::string_view> cluster_id{};
};

namespace detail {

// As the C functions take them. What it is made of has to outlive it.
class CProperties {
  public:
    explicit CProperties(const Properties& given) noexcept {
        set(given.content_type, HAIGHA_PROPERTY_CONTENT_TYPE, raw_.content_type);
        set(given.content_encoding, HAIGHA_PROPERTY_CONTENT_ENCODING, raw_.content_encoding);
        set(given.correlation_id, HAIGHA_PROPERTY_CORRELATION_ID, raw_.correlation_id);
        set(given.reply_to, HAIGHA_PROPERTY_REPLY_TO, raw_.reply_to);
        set(given.message_id, HAIGHA_PROPERTY_MESSAGE_ID, raw_.message_id);
        set(given.type, HAIGHA_PROPERTY_TYPE, raw_.type);
        set(given.user_id, HAIGHA_PROPERTY_USER_ID, raw_.user_id);
        set(given.app_id, HAIGHA_PROPERTY_APP_ID, raw_.app_id);
        set(given.cluster_id, HAIGHA_PROPERTY_CLUSTER_ID, raw_.cluster_id);
        if (given.delivery_mode) {
            raw_.present |= HAIGHA_PROPERTY_DELIVERY_MODE;
            raw_.delivery_mode = *given.delivery_mode;
        }
        if (given.priority) {
            raw_.present |= HAIGHA_PROPERTY_PRIORITY;
            raw_.priority = *given.priority;
        }
        if (given.timestamp) {
            raw_.present |= HAIGHA_PROPERTY_TIMESTAMP;
            raw_.timestamp =
                static_cast<std::uint64_t>(given.timestamp->time_since_epoch().count());
        }
        if (given.expiration) {
            raw_.present |= HAIGHA_PROPERTY_EXPIRATION;
            const auto [end, error] =
                std::to_chars(expiration_.data(), expiration_.data() + expiration_.size(),
                              given.expiration->count());
            raw_.expiration = {expiration_.data(),
                               static_cast<std::size_t>(end - expiration_.data())};
        }
        if (!given.headers.empty()) {
            raw_.present |= HAIGHA_PROPERTY_HEADERS;
            raw_.headers = given.headers.get();
        }
    }
    CProperties(const CProperties&) = delete;
    CProperties& operator=(const CProperties&) = delete;

    // Null: there are none.
    const haigha_properties* get() const noexcept { return raw_.present != 0 ? &raw_ : nullptr; }

  private:
    void set(std::optional<std::string_view> given, std::uint32_t bit, haigha_str& to) noexcept {
        if (!given) return;
        raw_.present |= bit;
        to = str(*given);
    }

    haigha_properties raw_ = HAIGHA_PROPERTIES_INIT;
    std::array<char, 24> expiration_;
};

// Of a message; all borrowed, and without the headers.
inline Result<Properties> read_properties(const haigha_message* message) noexcept {
    haigha_properties raw = HAIGHA_PROPERTIES_INIT;
    haigha_error* error = nullptr;
    const haigha_status status = haigha_message_properties(message, &raw, &error);
    if (status != HAIGHA_OK) return Error(status, error);
    Properties read;
    const auto text = [&](std::uint32_t bit, haigha_str from, auto& to) {
        if ((raw.present & bit) != 0) to = view(from);
    };
    text(HAIGHA_PROPERTY_CONTENT_TYPE, raw.content_type, read.content_type);
    text(HAIGHA_PROPERTY_CONTENT_ENCODING, raw.content_encoding, read.content_encoding);
    text(HAIGHA_PROPERTY_CORRELATION_ID, raw.correlation_id, read.correlation_id);
    text(HAIGHA_PROPERTY_REPLY_TO, raw.reply_to, read.reply_to);
    text(HAIGHA_PROPERTY_MESSAGE_ID, raw.message_id, read.message_id);
    text(HAIGHA_PROPERTY_TYPE, raw.type, read.type);
    text(HAIGHA_PROPERTY_USER_ID, raw.user_id, read.user_id);
    text(HAIGHA_PROPERTY_APP_ID, raw.app_id, read.app_id);
    text(HAIGHA_PROPERTY_CLUSTER_ID, raw.cluster_id, read.cluster_id);
    if ((raw.present & HAIGHA_PROPERTY_DELIVERY_MODE) != 0) read.delivery_mode = raw.delivery_mode;
    if ((raw.present & HAIGHA_PROPERTY_PRIORITY) != 0) read.priority = raw.priority;
    if ((raw.present & HAIGHA_PROPERTY_TIMESTAMP) != 0) {
        read.timestamp = std::chrono::sys_seconds(
            std::chrono::seconds(static_cast<std::int64_t>(raw.timestamp)));
    }
    std::int64_t expiration_ms = 0;
    const char* const end = raw.expiration.data + raw.expiration.size;
    if (raw.expiration.size > 0 &&
        std::from_chars(raw.expiration.data, end, expiration_ms).ptr == end) {
        read.expiration = std::chrono::milliseconds(expiration_ms);
    }
    return read;
}

inline Fields read_headers(const haigha_message* message) noexcept {
    haigha_cursor cursor{};
    if (haigha_message_headers(message, &cursor, nullptr) != HAIGHA_OK) return {};
    return Fields(cursor);
}

}  // namespace detail

// A received message that is kept; what it gives is borrowed from it. May be used and dropped on
// any thread. See haigha_message in haigha.h for what memory it keeps.
class Message : public detail::Handle<haigha_message, &haigha_message_ref, &haigha_message_unref> {
  public:
    Message() noexcept = default;
    // Takes over a reference; or makes one.
    static Message adopt(haigha_message* message) noexcept { return Message(message); }
    static Message share(haigha_message* message) noexcept {
        return Message(haigha_message_ref(message));
    }

    Bytes body() const noexcept { return detail::bytes(haigha_message_body(get())); }
    std::string_view text() const noexcept { return view(haigha_message_body(get())); }
    std::string_view exchange() const noexcept { return view(haigha_message_exchange(get())); }
    std::string_view routing_key() const noexcept {
        return view(haigha_message_routing_key(get()));
    }
    std::uint64_t delivery_tag() const noexcept { return haigha_message_delivery_tag(get()); }
    bool redelivered() const noexcept { return haigha_message_redelivered(get()) != 0; }
    // Without the headers, which are read in place. Errors: MALFORMED.
    Result<Properties> properties() const noexcept { return detail::read_properties(get()); }
    Fields headers() const noexcept { return detail::read_headers(get()); }

  private:
    explicit Message(haigha_message* owned) noexcept : Handle(owned) {}
};

}  // namespace v0_1
}  // namespace haigha
