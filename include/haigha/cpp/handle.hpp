// Handles, callables and times as the C functions take them. Part of haigha/haigha.hpp.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <ranges>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "result.hpp"

namespace haigha {
inline namespace v0_1 {

using Bytes = std::span<const std::byte>;

// How long a call may wait. Below zero: the connection's option rpc_timeout_ms, or what the call's
// comment says.
using Timeout = std::chrono::milliseconds;
inline constexpr Timeout default_timeout{-1};

// The contents of a message: text, or any range of bytes. Borrowed.
class Body {
  public:
    Body() noexcept = default;
    template <std::convertible_to<std::string_view> Text>
    Body(const Text& text) noexcept : bytes_(str(text)) {}
    template <std::ranges::contiguous_range Range>
    requires(sizeof(std::ranges::range_value_t<Range>) == 1 &&
             std::is_trivially_copyable_v<std::ranges::range_value_t<Range>> &&
             !std::is_array_v<std::remove_cvref_t<Range>> &&
             !std::is_convertible_v<Range, std::string_view>) Body(const Range& range)
    noexcept
        : bytes_{reinterpret_cast<const char*>(std::ranges::data(range)),
                 std::ranges::size(range)} {}

    haigha_str c() const noexcept { return bytes_; }

  private:
    haigha_str bytes_{nullptr, 0};
};

namespace detail {

inline Bytes bytes(haigha_str text) noexcept {
    return std::as_bytes(std::span(text.data, text.size));
}

// A reference to one of the library's objects, or to none; a copy is one more.
// ref, unref: the C functions that count.
template <class Object, auto ref, auto unref>
class Handle {
  public:
    Handle() noexcept = default;
    Handle(const Handle& other) noexcept
        : object_(other.object_ != nullptr ? ref(other.object_) : nullptr) {}
    Handle(Handle&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Handle& operator=(Handle other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Handle() {
        if (object_ != nullptr) unref(object_);
    }

    // For functions of haigha.h; still this handle's.
    Object* get() const noexcept { return object_; }
    // The caller's from now on.
    Object* release() noexcept { return std::exchange(object_, nullptr); }
    explicit operator bool() const noexcept { return object_ != nullptr; }
    bool operator==(const Handle& other) const noexcept { return object_ == other.object_; }

  protected:
    explicit Handle(Object* owned) noexcept : object_(owned) {}

  private:
    Object* object_ = nullptr;
};

// `call(&error)`: a C function that gives a status.
template <class Call>
Result<void> checked(Call call) noexcept {
    haigha_error* error = nullptr;
    const haigha_status status = call(&error);
    if (status == HAIGHA_OK) return {};
    return Error(status, error);
}

}  // namespace detail

// One callable of several, by the type of what it is called with.
template <class... F>
struct overloaded : F... {
    using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

}  // namespace v0_1
}  // namespace haigha
