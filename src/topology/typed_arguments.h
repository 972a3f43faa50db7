// The x-arguments of queues and consumers by type, and what RabbitMQ refuses of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/field_table.h"

namespace haigha::topology {

enum class QueueKind : std::uint8_t { by_default, classic, quorum, stream };
enum class Overflow : std::uint8_t { by_default, drop_head, reject_publish, reject_publish_dlx };
enum class DeadLetters : std::uint8_t { by_default, at_most_once, at_least_once };

// Ten years of 365 days: RabbitMQ's longest time.
inline constexpr std::uint64_t longest_time_ms = 315'360'000'000;
inline constexpr std::uint64_t largest_segment = 3'000'000'000;
inline constexpr std::int64_t unlimited_deliveries = -1;

// Borrows its texts.
struct QueueArguments {
    QueueKind kind = QueueKind::by_default;
    Overflow overflow = Overflow::by_default;
    DeadLetters dead_letters = DeadLetters::by_default;
    bool single_active_consumer = false;
    bool lazy = false;
    std::uint8_t max_priority = 0;                // 0, or empty: not said
    std::uint32_t quorum_initial_group_size = 0;  //
    std::uint64_t expires_ms = 0;
    std::uint64_t stream_max_segment_bytes = 0;
    std::string_view stream_max_age{};
    std::optional<std::string_view> dead_letter_exchange{};
    std::optional<std::string_view> dead_letter_routing_key{};
    std::optional<std::uint64_t> message_ttl_ms{};
    std::optional<std::uint64_t> max_length{};
    std::optional<std::uint64_t> max_length_bytes{};
    std::optional<std::int64_t> delivery_limit{};
};

// What a queue is declared with besides.
struct QueueFlags {
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
};

struct BrokerVersion {
    std::uint32_t major = 0;  // 0: not known
    std::uint32_t minor = 0;
};
// Of the properties that a RabbitMQ has sent; not known of another broker.
BrokerVersion version_of(wire::Bytes server_properties);

// Whether it is a number over 0 and a unit, as x-max-age and x-stream-offset have it.
bool is_age(std::string_view text);

// Why no broker takes them, as a sentence that names the argument, or takes them and does something
// else; empty when they are fine. flags: null where they are not known.
std::string queue_refusal(const QueueArguments& arguments, const QueueFlags* flags,
                          BrokerVersion version);
// Appends them to the table.
wire::FieldError add_to(wire::FieldTable& table, const QueueArguments& arguments);

enum class StreamFrom : std::uint8_t { none, first, last, next, number, timestamp, interval };

struct ConsumerArguments {
    QueueKind kind = QueueKind::by_default;  // of the queue
    StreamFrom from = StreamFrom::none;
    std::int32_t priority = 0;
    std::uint64_t offset = 0;
    std::string_view interval{};
};
std::string consumer_refusal(const ConsumerArguments& arguments, bool no_ack);
wire::FieldError add_to(wire::FieldTable& table, const ConsumerArguments& arguments);

}  // namespace haigha::topology
