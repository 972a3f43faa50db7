// The properties of a message: the list of optional fields in a content header of class basic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "wire/cursor.h"

namespace haigha::wire {

inline constexpr std::uint16_t property_content_type = 1U << 15;
inline constexpr std::uint16_t property_content_encoding = 1U << 14;
inline constexpr std::uint16_t property_headers = 1U << 13;
inline constexpr std::uint16_t property_delivery_mode = 1U << 12;
inline constexpr std::uint16_t property_priority = 1U << 11;
inline constexpr std::uint16_t property_correlation_id = 1U << 10;
inline constexpr std::uint16_t property_reply_to = 1U << 9;
inline constexpr std::uint16_t property_expiration = 1U << 8;
inline constexpr std::uint16_t property_message_id = 1U << 7;
inline constexpr std::uint16_t property_timestamp = 1U << 6;
inline constexpr std::uint16_t property_type = 1U << 5;
inline constexpr std::uint16_t property_user_id = 1U << 4;
inline constexpr std::uint16_t property_app_id = 1U << 3;
inline constexpr std::uint16_t property_cluster_id = 1U << 2;
// All of the above. Bit 1 has no meaning; bit 0 says that more flags follow, which class basic,
// with fourteen properties, never needs.
inline constexpr std::uint16_t known_properties = 0xFFFC;

struct Properties {
    // A field counts only when its bit is set, so that absent differs from empty or zero.
    std::uint16_t present = 0;
    std::string_view content_type{};
    std::string_view content_encoding{};
    TableBytes headers{};  // not validated: a bad table spoils the headers, not the message
    std::uint8_t delivery_mode = 0;
    std::uint8_t priority = 0;
    std::string_view correlation_id{};
    std::string_view reply_to{};
    std::string_view expiration{};
    std::string_view message_id{};
    std::uint64_t timestamp = 0;  // seconds since 1970 by convention
    std::string_view type{};
    std::string_view user_id{};
    std::string_view app_id{};
    std::string_view cluster_id{};

    bool has(std::uint16_t property) const noexcept { return (present & property) != 0; }
};

// Octets of flags and list together.
std::size_t properties_size(const Properties& properties) noexcept;

// Writes flags and list; `out` has room for properties_size. Unknown bits of `present` are dropped.
std::byte* write_properties(const Properties& properties, std::byte* out) noexcept;

// Reads flags and list; the fields are views into `raw`. False when they are too short, when octets
// are left over, or when a flag is set whose field nobody can know.
bool parse_properties(Bytes raw, Properties& out) noexcept;

// The name of the first present short string that is longer than max_short_string, or nullptr. To
// be asked before write_properties, whenever text comes from a caller (rule 115).
const char* oversized_property(const Properties& properties) noexcept;

// Appends `content_type="text/plain" delivery_mode=2 ...` for the tracer.
void describe_properties(const Properties& properties, std::string& out);

}  // namespace haigha::wire
