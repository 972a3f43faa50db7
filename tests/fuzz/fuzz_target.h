// What the fuzz targets share: their entry, how an input is taken apart, and what a find is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

// libFuzzer calls it with each input; replay_main.cpp with each file of a corpus.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace haigha::fuzz {

using Bytes = std::span<const std::byte>;

// What must hold whatever the input: when it does not, the input is a find. In every build, unlike
// assert().
inline void require(bool holds, const char* what) {
    if (holds) [[likely]]
        return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

// Takes an input apart from its front. At its end there are zeros, so that every input is one.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size)
        : rest_(reinterpret_cast<const std::byte*>(data), size) {}

    bool empty() const { return rest_.empty(); }
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }
    std::size_t below(std::size_t bound) { return u8() % bound; }
    bool flag() { return (u8() & 1U) != 0; }

    Bytes bytes(std::size_t most) {
        const std::size_t size = std::min(most, rest_.size());
        const Bytes taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    Bytes rest() { return bytes(rest_.size()); }
    // Text behind an octet that says how much.
    std::string_view text() {
        const Bytes taken = bytes(u8());
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }

  private:
    std::uint64_t number(std::size_t octets) {
        std::uint64_t value = 0;
        for (const std::byte octet : bytes(octets))
            value = value << 8 | std::to_integer<std::uint8_t>(octet);
        return value;
    }

    Bytes rest_;
};

}  // namespace haigha::fuzz
