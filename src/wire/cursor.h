// Reads and writes the primitive values of AMQP 0-9-1: integers, packed bits, strings and tables.
#pragma once

#include <bit>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace haigha::wire {

using Bytes = std::span<const std::byte>;

inline std::string_view as_text(Bytes bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Bytes as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// A short string's length is one unsigned octet and counts bytes, not characters (rule 115). Longer
// text must be refused before it gets here: see oversized_field and oversized_property.
inline constexpr std::size_t max_short_string = 255;

// Distinct types, so that one visitor can tell the encodings apart.
struct ShortString {
    std::string_view text{};
    bool operator==(const ShortString&) const = default;
};

struct LongString {
    std::string_view text{};
    bool operator==(const LongString&) const = default;
};

// The encoded fields of a table, without the four octets of its length. They are not validated
// here: see TableCursor and check_table.
struct TableBytes {
    Bytes bytes{};
    friend bool operator==(const TableBytes& left, const TableBytes& right) noexcept {
        return as_text(left.bytes) == as_text(right.bytes);
    }
};

// An integer of the wire. bool is unsigned_integral for the standard, but it is a packed bit here.
template <class T>
concept WireInteger = std::unsigned_integral<T> && !std::same_as<T, bool>;

template <WireInteger T>
inline T swap_to_big(T value) noexcept {
    if constexpr (sizeof(T) == 1 || std::endian::native == std::endian::big) {
        return value;
    } else if constexpr (sizeof(T) == 2) {
        return __builtin_bswap16(value);
    } else if constexpr (sizeof(T) == 4) {
        return __builtin_bswap32(value);
    } else {
        static_assert(sizeof(T) == 8);
        return static_cast<T>(__builtin_bswap64(value));
    }
}

template <WireInteger T>
inline T load_big(const std::byte* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof value);
    return swap_to_big(value);
}

template <WireInteger T>
inline std::byte* store_big(std::byte* to, T value) noexcept {
    value = swap_to_big(value);
    std::memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

// Reads forward through octets it does not own. Failure is sticky: after a short read everything
// reads as zero or empty, and ok() stays false, so a decoder asks once, at its end. Lengths are
// compared with what remains and never added to a position, which could wrap (rule 105).
class Reader {
  public:
    explicit Reader(Bytes in) noexcept : at_(in.data()), end_(in.data() + in.size()) {}

    bool ok() const noexcept { return ok_; }
    std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }
    Bytes rest() const noexcept { return {at_, remaining()}; }

    std::uint8_t u8() noexcept { return integer<std::uint8_t>(); }
    std::uint16_t u16() noexcept { return integer<std::uint16_t>(); }
    std::uint32_t u32() noexcept { return integer<std::uint32_t>(); }
    std::uint64_t u64() noexcept { return integer<std::uint64_t>(); }

    Bytes take(std::size_t count) noexcept {
        bit_ = no_bit;
        if (count > remaining()) [[unlikely]] {
            fail();
            return {};
        }
        const Bytes taken{at_, count};
        at_ += count;
        return taken;
    }
    std::string_view short_string() noexcept { return as_text(take(u8())); }
    std::string_view long_string() noexcept { return as_text(take(u32())); }

    template <WireInteger T>
    void operator()(T& value) noexcept {
        value = integer<T>();
    }
    // Neighbouring bits share octets, the first in the lowest bit; any other field ends the octet.
    // Unused bits of an octet are ignored, as every broker and client does.
    void operator()(bool& value) noexcept {
        if (bit_ >= no_bit) {
            bits_ = u8();
            bit_ = 0;
        }
        value = ((bits_ >> bit_) & 1U) != 0;
        ++bit_;
    }
    void operator()(ShortString& value) noexcept { value.text = short_string(); }
    void operator()(LongString& value) noexcept { value.text = long_string(); }
    void operator()(TableBytes& value) noexcept { value.bytes = take(u32()); }

  private:
    static constexpr unsigned no_bit = 8;

    template <WireInteger T>
    T integer() noexcept {
        bit_ = no_bit;
        if (sizeof(T) > remaining()) [[unlikely]] {
            fail();
            return 0;
        }
        const T value = load_big<T>(at_);
        at_ += sizeof(T);
        return value;
    }
    void fail() noexcept {
        ok_ = false;
        at_ = end_;
    }

    const std::byte* at_;
    const std::byte* end_;
    bool ok_ = true;
    unsigned bit_ = no_bit;
    std::uint8_t bits_ = 0;
};

// Adds up the octets that Writer will write for the same values.
class Sizer {
  public:
    std::size_t size() const noexcept { return size_; }

    template <WireInteger T>
    void operator()(const T&) noexcept {
        add(sizeof(T));
    }
    void operator()(const bool&) noexcept {
        if (bit_ >= no_bit) {
            ++size_;
            bit_ = 0;
        }
        ++bit_;
    }
    void operator()(const ShortString& value) noexcept { add(1 + value.text.size()); }
    void operator()(const LongString& value) noexcept { add(4 + value.text.size()); }
    void operator()(const TableBytes& value) noexcept { add(4 + value.bytes.size()); }

  private:
    static constexpr unsigned no_bit = 8;

    void add(std::size_t octets) noexcept {
        bit_ = no_bit;
        size_ += octets;
    }

    std::size_t size_ = 0;
    unsigned bit_ = no_bit;
};

// Writes into memory that the caller reserved with Sizer's result: it has no bound of its own, so
// that encoding a publish costs stores and nothing else. Lengths must have been checked before.
class Writer {
  public:
    explicit Writer(std::byte* out) noexcept : at_(out) {}

    std::byte* position() const noexcept { return at_; }

    template <WireInteger T>
    void operator()(const T& value) noexcept {
        bit_ = no_bit;
        at_ = store_big(at_, value);
    }
    void operator()(const bool& value) noexcept {
        if (bit_ >= no_bit) {
            bits_ = 0;
            bit_ = 0;
            ++at_;
        }
        bits_ |= static_cast<unsigned>(value) << bit_;
        ++bit_;
        at_[-1] = static_cast<std::byte>(bits_);
    }
    void operator()(const ShortString& value) noexcept {
        assert(value.text.size() <= max_short_string);
        (*this)(static_cast<std::uint8_t>(value.text.size()));
        raw(as_bytes(value.text));
    }
    void operator()(const LongString& value) noexcept { counted(as_bytes(value.text)); }
    void operator()(const TableBytes& value) noexcept { counted(value.bytes); }

    void raw(Bytes bytes) noexcept {
        bit_ = no_bit;
        // memcpy may not be given null, which is what an empty span holds.
        if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
        at_ += bytes.size();
    }

  private:
    static constexpr unsigned no_bit = 8;

    void counted(Bytes bytes) noexcept {
        assert(bytes.size() <= UINT32_MAX);
        (*this)(static_cast<std::uint32_t>(bytes.size()));
        raw(bytes);
    }

    std::byte* at_;
    unsigned bits_ = 0;
    unsigned bit_ = no_bit;
};

}  // namespace haigha::wire
