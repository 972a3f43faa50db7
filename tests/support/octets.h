// Octet vectors for tests, written as hexadecimal with quoted text: octets("00 32 'orders' ce").
#pragma once

#include <cctype>
#include <cstddef>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace haigha::test {

using Octets = std::vector<std::byte>;

inline Octets octets(std::string_view spelled) {
    Octets result;
    int high = -1;
    bool quoted = false;
    for (const char character : spelled) {
        if (character == '\'') {
            quoted = !quoted;
        } else if (quoted) {
            result.push_back(static_cast<std::byte>(character));
        } else if (std::isxdigit(static_cast<unsigned char>(character)) != 0) {
            const int digit = character <= '9' ? character - '0' : (character | 0x20) - 'a' + 10;
            if (high >= 0) result.push_back(static_cast<std::byte>(high * 16 + digit));
            high = high >= 0 ? -1 : digit;
        } else if (character != ' ') {
            throw std::invalid_argument("octets: neither hexadecimal nor quoted");
        }
    }
    if (high >= 0 || quoted) throw std::invalid_argument("octets: ends in the middle");
    return result;
}

// The other way, for failure messages.
inline std::string hex(std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::byte octet : bytes) {
        const auto value = std::to_integer<unsigned>(octet);
        text += digits[value >> 4];
        text += digits[value & 15U];
        text += ' ';
    }
    if (!text.empty()) text.pop_back();
    return text;
}

template <class... Parts>
Octets joined(const Parts&... parts) {
    Octets result;
    (result.insert(result.end(), parts.begin(), parts.end()), ...);
    return result;
}

// A copy of its own, of exactly this size, so that the address sanitizer sees any read past it.
inline Octets copy_of(std::span<const std::byte> bytes) {
    return {bytes.begin(), bytes.end()};
}

}  // namespace haigha::test
