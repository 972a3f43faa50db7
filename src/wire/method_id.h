// Names an AMQP method by the two numbers that stand before its arguments on the wire.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

namespace haigha::wire {

struct MethodId {
    std::uint16_t class_id = 0;
    std::uint16_t method_id = 0;

    constexpr auto operator<=>(const MethodId&) const = default;
    // One number to switch on.
    constexpr std::uint32_t key() const noexcept {
        return static_cast<std::uint32_t>(class_id) << 16 | method_id;
    }
};

// The methods that may answer a synchronous one; {0, 0} stands for none. Only basic.get has two.
using Replies = std::array<MethodId, 2>;

}  // namespace haigha::wire
