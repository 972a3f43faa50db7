// The one record in which everything is told: laid out as haigha_event of the C API, so that
// handing it on costs nothing. capi asserts that they agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace haigha::client {

class Connection;
class Channel;
struct Message;
struct Reply;

struct Str {
    const char* data = nullptr;
    std::size_t size = 0;

    Str() = default;
    Str(std::string_view text) : data(text.data()), size(text.size()) {}
    operator std::string_view() const { return {data, size}; }
};

enum class EventType : std::uint32_t {
    reply = 1,
    delivery = 2,
    outcome = 3,
    returned = 4,
    connection_state = 5,
    channel_state = 6,
    consumer_cancelled = 7,
    writable = 8,
    blocked = 9,
    unblocked = 10,
    flow = 11,
    auth = 12,
    recovery = 13,
    queue_renamed = 14,
    delivery_held = 15,
    pool_state = 16,
    piece = 0x10000,  // a PieceEvent: never told as it is
};

// What an auth event asks for.
enum class AuthQuestion : std::int32_t { credentials = 1, response = 2, renewal = 3 };

enum class State : std::int32_t {
    fresh = 0,
    opening = 1,
    open = 2,
    closing = 3,
    closed = 4,
    recovering = 5,
};

// What a recovery event tells.
enum class RecoveryStep : std::int32_t {
    attempt = 1,
    transport_up = 2,
    recovered = 3,
    failed = 4,
    entity = 5,
    resubscribed = 6,
};

inline constexpr std::uint32_t flag_redelivered = 1;
inline constexpr std::uint32_t flag_properties = 2;

struct Event {
    EventType type = EventType::reply;
    std::uint32_t flags = 0;
    std::uint64_t tag = 0;
    std::uint64_t number = 0;
    void* user_data = nullptr;
    const Error* error = nullptr;
    const Reply* reply = nullptr;
    Message* message = nullptr;
    Connection* connection = nullptr;
    Channel* channel = nullptr;
    Str exchange;
    Str routing_key;
    Str consumer_tag;
    Str body;
    std::uint32_t channel_id = 0;
    std::int32_t outcome = 0;
    std::int32_t state = 0;
    std::int32_t previous_state = 0;
    std::int64_t delay_ms = 0;
    Str name;
};

}  // namespace haigha::client
