// W3C Trace Context, level 1: where in a trace a message was sent, as two texts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/cursor.h"
#include "wire/field_table.h"

namespace haigha::wire {

inline constexpr std::string_view traceparent_name = "traceparent";
inline constexpr std::string_view tracestate_name = "tracestate";
// "00-" 32 digits "-" 16 digits "-" 2 digits
inline constexpr std::size_t traceparent_size = 55;
// Protects from a header that is as long as a frame: as many members as there may be, each as long
// as it may be.
inline constexpr std::size_t most_tracestate_members = 32;
inline constexpr std::size_t most_tracestate_octets = most_tracestate_members * (256 + 1 + 256 + 1);

struct TraceContext {
    std::array<std::uint8_t, 16> trace_id{};
    std::array<std::uint8_t, 8> parent_id{};
    std::uint8_t flags = 0;
    std::string_view tracestate;  // valid, or empty

    // Neither id is all zeros.
    bool valid() const;
};

// What is wrong with a traceparent; null: nothing, and *context has everything but tracestate. A
// later version's is read as far as this one goes.
const char* parse_traceparent(std::string_view text, TraceContext* context);
// Of a valid context, version 00; of the flags what this version knows.
void format_traceparent(const TraceContext& context, char* text);
// Whether it is a list of at most 32 members, each key once, as the standard has them.
bool is_tracestate(std::string_view text);

// The context in a message's headers. Nothing where there is none, or two, or one that is not
// valid; what is no tracestate is left out. *readable: false when the headers cannot be decoded.
std::optional<TraceContext> trace_context_of(Bytes headers, bool* readable);
// Behind what they have, of a valid context.
FieldError add_trace_context(FieldTable& headers, const TraceContext& context);

}  // namespace haigha::wire
