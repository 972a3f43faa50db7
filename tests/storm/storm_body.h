// What a message of a storm holds: who published it, which one it is, at which attempt, and a
// checksum of it all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace haigha::storm {

struct BodyLabel {
    std::uint32_t publisher = 0;
    std::uint32_t attempt = 0;  // from 1
    std::uint64_t number = 0;   // from 0

    bool operator==(const BodyLabel&) const = default;
};

inline constexpr std::size_t least_body = 40;

// A body of that size, at least least_body. What fills it follows from the label.
std::string make_body(const BodyLabel& label, std::size_t size);

// False when it is not what make_body made.
bool read_body(std::string_view body, BodyLabel* label);

}  // namespace haigha::storm
