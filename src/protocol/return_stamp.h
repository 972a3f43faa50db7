// The header by which a returned message is matched to its publish, where that is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "wire/cursor.h"
#include "wire/properties.h"

namespace haigha::protocol {

// basic.return says nothing of which publish it is about (rule 67). Names that begin with x- are
// not looked at by exchanges of type headers.
inline constexpr std::string_view return_stamp_name = "x-haigha-sequence";

// `headers`, the contents of a table, and the stamp.
std::vector<std::byte> stamped_headers(wire::Bytes headers, std::uint64_t sequence);

struct Stamped {
    wire::Properties properties;
    std::vector<std::byte> headers;  // what they point to
};
Stamped stamp(const wire::Properties& given, std::uint64_t sequence);

struct Unstamped {
    std::uint64_t sequence;
    std::size_t size;  // of the properties without it
};
// Takes the stamp out of encoded properties, in place. Headers that are empty without it go too.
std::optional<Unstamped> take_stamp(std::span<std::byte> properties);

}  // namespace haigha::protocol
