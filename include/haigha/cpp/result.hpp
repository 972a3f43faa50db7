// haigha::Error and haigha::Result: what a call of libhaigha gives back. Part of haigha/haigha.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "../haigha.h"

namespace haigha {
// Programs and libraries that were compiled against different releases of these headers can be
// linked together.
inline namespace v0_1 {

// The same numbers as HAIGHA_ERR_*. A newer library may give one that is not named here.
enum class Status : haigha_status {
    ok = HAIGHA_OK,
    argument = HAIGHA_ERR_ARGUMENT,
    would_block = HAIGHA_ERR_WOULD_BLOCK,
    wrong_thread = HAIGHA_ERR_WRONG_THREAD,
    closed = HAIGHA_ERR_CLOSED,
    stale = HAIGHA_ERR_STALE,
    no_memory = HAIGHA_ERR_NO_MEMORY,
    struct_version = HAIGHA_ERR_STRUCT_VERSION,
    channel_limit = HAIGHA_ERR_CHANNEL_LIMIT,
    forked = HAIGHA_ERR_FORKED,
    unsupported = HAIGHA_ERR_UNSUPPORTED,
    malformed = HAIGHA_ERR_MALFORMED,
    recovering = HAIGHA_ERR_RECOVERING,
    timeout = HAIGHA_ERR_TIMEOUT,
    io = HAIGHA_ERR_IO,
    tls = HAIGHA_ERR_TLS,
    protocol = HAIGHA_ERR_PROTOCOL,
    auth = HAIGHA_ERR_AUTH,
    channel_closed_by_broker = HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER,
    connection_closed_by_broker = HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER,
    resolve = HAIGHA_ERR_RESOLVE,
    heartbeat = HAIGHA_ERR_HEARTBEAT,
    returned = HAIGHA_ERR_RETURNED,
    internal = HAIGHA_ERR_INTERNAL,
};

// "HAIGHA_ERR_TIMEOUT" and the like.
inline std::string_view name(Status status) noexcept {
    return haigha_status_name(static_cast<haigha_status>(status));
}

// The bytes of a C string structure, and the other way round. Neither copies.
inline haigha_str str(std::string_view text) noexcept {
    return {text.data(), text.size()};
}
inline std::string_view view(haigha_str text) noexcept {
    return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

// What went wrong; a copy is another reference to the same. Views are borrowed from it.
class Error {
  public:
    Error() noexcept = default;  // nothing
    // Takes over `details`, which may be null.
    Error(haigha_status status, haigha_error* details) noexcept
        : status_(status), details_(details) {}
    // Of these headers' own; the sentence is static.
    Error(haigha_status status, const char* sentence) noexcept
        : status_(status), sentence_(sentence) {}
    // Of an event or a reply, which keep theirs; null: nothing.
    static Error copy_of(const haigha_error* details) noexcept {
        return details == nullptr ? Error()
                                  : Error(haigha_error_status(details), haigha_error_copy(details));
    }
    Error(const Error& other) noexcept
        : status_(other.status_),
          details_(other.details_ != nullptr ? haigha_error_copy(other.details_) : nullptr),
          sentence_(other.sentence_) {}
    Error(Error&& other) noexcept
        : status_(std::exchange(other.status_, HAIGHA_OK)),
          details_(std::exchange(other.details_, nullptr)),
          sentence_(other.sentence_) {}
    Error& operator=(Error other) noexcept {
        std::swap(status_, other.status_);
        std::swap(details_, other.details_);
        std::swap(sentence_, other.sentence_);
        return *this;
    }
    ~Error() {
        if (details_ != nullptr) haigha_error_free(details_);
    }

    // Whether there is one.
    explicit operator bool() const noexcept { return status_ != HAIGHA_OK; }
    Status status() const noexcept { return static_cast<Status>(status_); }
    // A sentence; the status's name where there is no memory for one.
    std::string_view message() const noexcept {
        if (details_ != nullptr) return haigha_error_message(details_);
        return sentence_ != nullptr ? sentence_ : haigha_status_name(status_);
    }
    // The broker's: 404, "NOT_FOUND - no queue ...", and the method that it blames, or 0 and "".
    std::uint16_t reply_code() const noexcept { return haigha_error_reply_code(details_); }
    std::string_view reply_text() const noexcept { return view(haigha_error_reply_text(details_)); }
    std::string_view method() const noexcept { return haigha_error_method_name(details_); }
    // HAIGHA_STAGE_*, and "resolve", "connect", "tls", "handshake", "open", "ready" or "".
    std::int32_t stage() const noexcept { return haigha_error_stage(details_); }
    std::string_view stage_name() const noexcept { return haigha_error_stage_name(details_); }
    std::uint16_t channel_id() const noexcept { return haigha_error_channel_id(details_); }
    std::string_view host() const noexcept { return view(haigha_error_host(details_)); }
    int os_errno() const noexcept { return haigha_error_os_errno(details_); }

    const haigha_error* get() const noexcept { return details_; }
    // Gives the details to a C function's `haigha_error** error`, which may be null.
    haigha_status give_to(haigha_error** error) && noexcept {
        if (error != nullptr) *error = std::exchange(details_, nullptr);
        return status_;
    }

  private:
    haigha_status status_ = HAIGHA_OK;
    haigha_error* details_ = nullptr;
    const char* sentence_ = nullptr;
};

// What Result::value() throws.
class Exception : public std::runtime_error {
  public:
    explicit Exception(Error error)
        : std::runtime_error(std::string(error.message())), error_(std::move(error)) {}
    const Error& error() const noexcept { return error_; }

  private:
    Error error_;
};

namespace detail {
inline constexpr const char* no_memory = "there is no memory for it";

[[noreturn]] inline void fail(const Error& error) {
#if defined(__cpp_exceptions)
    throw Exception(error);
#else
    (void)error;
    std::abort();
#endif
}
}  // namespace detail

// A value, or why there is none. For who likes exceptions better: value() throws; without
// exceptions it aborts.
template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) noexcept : value_(std::move(value)) {}
    Result(Error error) noexcept : error_(std::move(error)) {}
    Result(T value, Error error) noexcept : error_(std::move(error)), value_(std::move(value)) {}

    explicit operator bool() const noexcept { return !error_; }
    bool has_value() const noexcept { return !error_; }
    const Error& error() const noexcept { return error_; }
    Status status() const noexcept { return error_.status(); }

    // Unchecked: with an error the value is one that was made of nothing.
    T& operator*() & noexcept { return value_; }
    const T& operator*() const& noexcept { return value_; }
    T operator*() && noexcept { return std::move(value_); }
    T* operator->() noexcept { return &value_; }
    const T* operator->() const noexcept { return &value_; }

    T& value() & { return require(), value_; }
    const T& value() const& { return require(), value_; }
    // Of a Result that goes away: by value, so that `for (... : poll(...).value())` is right.
    T value() && { return require(), std::move(value_); }
    T value_or(T other) const& { return error_ ? std::move(other) : value_; }
    T value_or(T other) && { return error_ ? std::move(other) : std::move(value_); }

  private:
    void require() const {
        if (error_) [[unlikely]]
            detail::fail(error_);
    }

    Error error_;
    T value_{};
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() noexcept = default;
    Result(Error error) noexcept : error_(std::move(error)) {}

    explicit operator bool() const noexcept { return !error_; }
    bool has_value() const noexcept { return !error_; }
    const Error& error() const noexcept { return error_; }
    Status status() const noexcept { return error_.status(); }
    void value() const {
        if (error_) [[unlikely]]
            detail::fail(error_);
    }

  private:
    Error error_;
};

}  // namespace v0_1
}  // namespace haigha
