#include "octets_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tool {

namespace {

constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The octets of the UTF-8 sequence that begins here; 0 when there is none.
std::size_t sequence_size(std::string_view text) {
    const auto octet = [&text](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto goes_on = [&octet](std::size_t i) { return (octet(i) & 0xC0U) == 0x80U; };
    const unsigned first = octet(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF && goes_on(1)) return 2;
    if ((first & 0xF0U) == 0xE0 && goes_on(1) && goes_on(2)) {
        const bool overlong = first == 0xE0 && octet(1) < 0xA0;
        const bool surrogate = first == 0xED && octet(1) >= 0xA0;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xF0 && first <= 0xF4 && goes_on(1) && goes_on(2) && goes_on(3)) {
        const bool overlong = first == 0xF0 && octet(1) < 0x90;
        const bool too_large = first == 0xF4 && octet(1) >= 0x90;
        return overlong || too_large ? 0 : 4;
    }
    return 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t size = sequence_size(text);
        if (size == 0) return false;
        text.remove_prefix(size);
    }
    return true;
}

std::string base64(std::string_view octets) {
    std::string text;
    text.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        const std::size_t size = std::min<std::size_t>(3, octets.size() - i);
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            const auto octet = j < size ? static_cast<unsigned char>(octets[i + j]) : 0U;
            bits = bits << 8 | octet;
        }
        for (std::size_t j = 0; j < 4; ++j) {
            text += j <= size ? base64_digits[bits >> (18 - 6 * j) & 63U] : '=';
        }
    }
    return text;
}

std::optional<std::string> octets_of_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string octets;
    octets.reserve(text.size() / 4 * 3);
    for (; !text.empty(); text.remove_prefix(4)) {
        std::size_t digits = 4;
        // Padding is only in the last group.
        while (text.size() == 4 && digits > 2 && text[digits - 1] == '=')
            --digits;
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 4; ++j) {
            const std::size_t value = j < digits ? base64_digits.find(text[j]) : 0;
            if (value == std::string_view::npos) return std::nullopt;
            bits = bits << 6 | static_cast<std::uint32_t>(value);
        }
        for (std::size_t j = 0; j + 1 < digits; ++j)
            octets += static_cast<char>(bits >> (16 - 8 * j));
        // Bits that say nothing are zero in what an encoder writes.
        if (digits < 4 && (bits & (digits == 3 ? 0xFFU : 0xFFFFU)) != 0) return std::nullopt;
    }
    return octets;
}

}  // namespace tool
