// haigha::Options: how to connect. Part of haigha/haigha.hpp.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "handle.hpp"

namespace haigha {
inline namespace v0_1 {

// The value of an option.
class OptionValue {
  public:
    template <std::convertible_to<std::string_view> Text>
    OptionValue(const Text& text) noexcept : text_(text), is_text_(true) {}
    OptionValue(std::integral auto number) noexcept : number_(static_cast<std::int64_t>(number)) {}
    // For options whose names end in _ms.
    template <class Count, class Period>
    requires std::convertible_to<std::chrono::duration<Count, Period>, std::chrono::milliseconds>
    OptionValue(std::chrono::duration<Count, Period> time)
    noexcept : number_(std::chrono::milliseconds(time).count()) {}

  private:
    friend class Options;
    std::string_view text_;
    std::int64_t number_ = 0;
    bool is_text_ = false;
};

// How to connect: {"amqp://host/vhost", {{"recovery", 1}, {"heartbeat", 10}}}. docs/client.md has
// the table of options. What cannot be set is remembered: the connection then refuses it.
class Options {
  public:
    using Setting = std::pair<std::string_view, OptionValue>;

    Options() noexcept { make(); }
    Options(const char* uri) noexcept : Options(std::string_view(uri)) {}
    Options(const std::string& uri) noexcept : Options(std::string_view(uri)) {}
    Options(std::string_view uri, std::initializer_list<Setting> settings = {}) noexcept {
        make();
        set_uri(uri);
        for (const auto& [name, value] : settings)
            set(name, value);
    }
    Options(std::initializer_list<Setting> settings) noexcept {
        make();
        for (const auto& [name, value] : settings)
            set(name, value);
    }
    Options(Options&& other) noexcept
        : options_(std::exchange(other.options_, nullptr)), error_(std::move(other.error_)) {}
    Options& operator=(Options&& other) noexcept {
        std::swap(options_, other.options_);
        std::swap(error_, other.error_);
        return *this;
    }
    ~Options() { haigha_options_free(options_); }

    Options& set(std::string_view name, const OptionValue& value) noexcept {
        return change([&](haigha_error** error) {
            return value.is_text_
                       ? haigha_options_set_string(options_, str(name), str(value.text_), error)
                       : haigha_options_set_int(options_, str(name), value.number_, error);
        });
    }
    Options& set_uri(std::string_view uri) noexcept {
        return change([&](haigha_error** error) {
            return haigha_options_set_uri(options_, str(uri), error);
        });
    }
    // `callable(std::span<char> buffer)` puts the key's password there and gives its size, or -1.
    template <std::invocable<std::span<char>> F>
    Options& set_key_password(F callable) {
        return keep(std::move(callable),
                    [&](F* kept, haigha_release_fn release, haigha_error** error) {
                        return haigha_options_set_key_password_fn(
                            options_,
                            [](char* buffer, std::size_t capacity, void* data) {
                                return static_cast<std::int32_t>(
                                    (*static_cast<F*>(data))(std::span<char>(buffer, capacity)));
                            },
                            kept, release, error);
                    });
    }
    // `callable(void* ssl_ctx)` gives whether it is content.
    template <std::predicate<void*> F>
    Options& set_tls(F callable) {
        return keep(std::move(callable),
                    [&](F* kept, haigha_release_fn release, haigha_error** error) {
                        return haigha_options_set_tls_fn(
                            options_,
                            [](void* context, void* data) {
                                return (*static_cast<F*>(data))(context) ? 0 : -1;
                            },
                            kept, release, error);
                    });
    }
    // `callable(std::span<const haigha_host_state>)` gives the index of the host to try.
    template <std::invocable<std::span<const haigha_host_state>> F>
    Options& set_choose_host(F callable) {
        return keep(std::move(callable),
                    [&](F* kept, haigha_release_fn release, haigha_error** error) {
                        return haigha_options_set_choose_host_fn(
                            options_,
                            [](const haigha_host_state* hosts, std::size_t count, void* data) {
                                return static_cast<std::int32_t>((*static_cast<F*>(data))(
                                    std::span<const haigha_host_state>(hosts, count)));
                            },
                            kept, release, error);
                    });
    }
    // `callable(const haigha_recovery_entity&)` gives whether it is to be brought back.
    template <std::predicate<const haigha_recovery_entity&> F>
    Options& set_recovery_filter(F callable) {
        return keep(std::move(callable),
                    [&](F* kept, haigha_release_fn release, haigha_error** error) {
                        return haigha_options_set_recovery_filter_fn(
                            options_,
                            [](const haigha_recovery_entity* entity, void* data) {
                                return (*static_cast<F*>(data))(*entity) ? 1 : 0;
                            },
                            kept, release, error);
                    });
    }

    Result<std::string> text(std::string_view name) const noexcept {
        haigha_str value{};
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_options_get_string(options_, str(name), &value, error);
        });
        if (!read) return read.error();
        return std::string(view(value));
    }
    Result<std::int64_t> number(std::string_view name) const noexcept {
        std::int64_t value = 0;
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_options_get_int(options_, str(name), &value, error);
        });
        return {value, read.error()};
    }
    // The URI that makes the same options; by default one that can be shown.
    Result<std::string> uri(bool with_secrets = false) const noexcept {
        haigha_str value{};
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_options_get_uri(options_, with_secrets ? 1 : 0, &value, error);
        });
        if (!read) return read.error();
        return std::string(view(value));
    }

    // Why something could not be set: the first that was.
    const Error& error() const noexcept { return error_; }
    haigha_options* get() const noexcept { return options_; }

  private:
    void make() noexcept {
        haigha_error* error = nullptr;
        const haigha_status status = haigha_options_new(&options_, &error);
        if (status != HAIGHA_OK) error_ = Error(status, error);
    }
    template <class Change>
    Options& change(Change change) noexcept {
        if (error_) return *this;
        const Result<void> changed = detail::checked(change);
        if (!changed) error_ = changed.error();
        return *this;
    }
    template <class F, class Set>
    Options& keep(F callable, Set set) {
        if (error_) return *this;
        auto* const kept = new (std::nothrow) F(std::move(callable));
        if (kept == nullptr) {
            error_ = Error(HAIGHA_ERR_NO_MEMORY, detail::no_memory);
            return *this;
        }
        change([&](haigha_error** error) {
            return set(
                kept, [](void* data) { delete static_cast<F*>(data); }, error);
        });
        if (error_) delete kept;
        return *this;
    }

    haigha_options* options_ = nullptr;
    Error error_;
};

}  // namespace v0_1
}  // namespace haigha
