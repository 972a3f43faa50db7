// Writes wire values as text for the frame tracer: printable, and bounded in length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "wire/cursor.h"

namespace haigha::wire {

// Of one string, so that a trace line stays readable whatever the peer sends.
inline constexpr std::size_t max_traced_string = 128;
// Of one table, for the same reason; reached, the rest is cut.
inline constexpr std::size_t max_traced_table = 1024;

void append_number(std::uint64_t value, std::string& out);
void append_number(std::int64_t value, std::string& out);
void append_number(double value, std::string& out);

// In double quotes, with control octets, quotes and backslashes escaped, so that a peer's text can
// forge neither a line of a log nor a terminal's commands. UTF-8 passes as it is.
void append_quoted(std::string_view text, std::string& out);

// {name="value", other=1}, from the encoded fields of a table.
void append_table(Bytes contents, std::string& out);

}  // namespace haigha::wire
