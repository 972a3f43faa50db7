// The seam of the C API: nothing thrown leaves, every argument is checked and named when it is
// wrong.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "haigha/haigha.h"

namespace haigha::capi {

// The largest argument struct that is believed: a larger `size` is a mistake, not a later version.
inline constexpr std::size_t max_struct_size = 4096;
// Names are short strings on the wire.
inline constexpr std::size_t max_name_size = 255;

inline haigha_status number(Status status) {
    return static_cast<haigha_status>(status);
}

// Hands an error to the caller, who may not want it; returns its status.
inline haigha_status refuse(ErrorRef error, haigha_error** out) noexcept {
    const haigha_status status = number(error->status);
    if (out != nullptr) *out = reinterpret_cast<haigha_error*>(const_cast<Error*>(error.leak()));
    return status;
}
inline haigha_status refuse(Status status, const std::string& message, haigha_error** out) {
    return refuse(make_error(status, message), out);
}
inline haigha_status answer(ErrorRef error, haigha_error** out) noexcept {
    return error ? refuse(std::move(error), out) : HAIGHA_OK;
}

// Without a message when there is not even memory for one.
haigha_status refuse_without_memory(haigha_error** out) noexcept;
haigha_status refuse_exception(const char* what, haigha_error** out) noexcept;

// Runs the body of an entry point.
template <class Body>
haigha_status guard(haigha_error** error, Body&& body) noexcept {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return refuse_without_memory(error);
    } catch (const std::exception& exception) {
        return refuse_exception(exception.what(), error);
    } catch (...) {
        return refuse_exception("an unknown exception", error);
    }
}

inline haigha_str str(std::string_view text) {
    return {text.data(), text.size()};
}
inline std::string_view view(haigha_str text) {
    return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

// Collects what is wrong with the arguments of one call: the first fault counts.
class Arguments {
  public:
    bool bad() const { return static_cast<bool>(fault_); }
    haigha_status refuse(haigha_error** out) { return capi::refuse(std::move(fault_), out); }

    void fault(Status status, std::string message) {
        if (!fault_) fault_ = make_error(status, std::move(message));
    }
    void required(const void* pointer, const char* name) {
        if (pointer == nullptr) [[unlikely]]
            missing(name);
    }
    // The handle `name` belongs to the process before the fork.
    void forked(const char* name);
    std::string_view text(haigha_str value, const char* name, std::size_t limit) {
        if ((value.data == nullptr && value.size > 0) || value.size > limit) [[unlikely]] {
            bad_text(value, name, limit);
            return {};
        }
        return view(value);
    }
    // rule 115: bytes, not characters; never cut.
    std::string_view name(haigha_str value, const char* name) {
        return text(value, name, max_name_size);
    }

    // Reads a size-first struct of any age into one of today's; see "argument structs" in haigha.h.
    // first_size: the size of its first release.
    template <class Struct>
    Struct args(const Struct* given, const char* name, std::size_t first_size = sizeof(Struct)) {
        Struct today{};
        if (given == nullptr) {
            fault(Status::argument, std::string(name) + " is NULL");
            return today;
        }
        const std::size_t size = given->size;
        if (size < first_size || size > max_struct_size) {
            fault(Status::struct_version, std::string(name) + "->size is " + std::to_string(size) +
                                              ": was it set by its initialiser?");
            return today;
        }
        std::memcpy(&today, given, std::min(size, sizeof(Struct)));
        const auto* bytes = reinterpret_cast<const unsigned char*>(given);
        for (std::size_t i = sizeof(Struct); i < size; ++i) {
            if (bytes[i] != 0) {
                fault(Status::struct_version, std::string(name) +
                                                  " asks for something that this version of the "
                                                  "library does not know");
                break;
            }
        }
        return today;
    }

    // The same without a copy when it is of today, as it nearly always is; otherwise in `storage`.
    template <class Struct>
    const Struct& read_args(const Struct* given, const char* name, Struct& storage) {
        if (given != nullptr && given->size == sizeof(Struct)) [[likely]]
            return *given;
        storage = args(given, name);
        return storage;
    }

  private:
    void missing(const char* name);
    void bad_text(haigha_str value, const char* name, std::size_t limit);

    ErrorRef fault_;
};

}  // namespace haigha::capi
