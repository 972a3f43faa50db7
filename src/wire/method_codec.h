// Encodes, decodes, measures and describes any method from its declaration.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "wire/cursor.h"
#include "wire/method_declarations.h"
#include "wire/trace_text.h"

namespace haigha::wire {

inline constexpr std::size_t method_id_size = 4;

template <class Method>
inline constexpr std::size_t field_count = std::tuple_size_v<decltype(Method::fields)>;

// Calls visit(field) for each field in wire order. By index rather than std::apply: each member
// pointer is then a constant where it is used, and decoding basic.deliver is straight-line code
// with either compiler.
template <class Method, class Visitor, std::size_t... at>
[[gnu::always_inline]] inline void each_field_at(Method& method, Visitor& visit,
                                                 std::index_sequence<at...>) {
    (visit(method.*std::get<at>(Method::fields)), ...);
}

template <class Method, class Visitor>
[[gnu::always_inline]] inline void each_field(Method& method, Visitor& visit) {
    each_field_at(method, visit, std::make_index_sequence<field_count<Method>>{});
}

template <class Method>
inline std::size_t method_size(const Method& method) noexcept {
    Sizer sizer;
    each_field(method, sizer);
    return method_id_size + sizer.size();
}

// Writes ids and arguments; `out` has room for method_size(method) octets.
template <class Method>
inline std::byte* encode_method(const Method& method, std::byte* out) noexcept {
    Writer writer(out);
    writer(Method::id.class_id);
    writer(Method::id.method_id);
    each_field(method, writer);
    return writer.position();
}

// Reads the arguments that follow the ids. False when they are too short or when octets are left
// over; `out` is then of no use. Strings and tables of `out` are views into `arguments`.
template <class Method>
inline bool decode_method(Bytes arguments, Method& out) noexcept {
    Reader reader(arguments);
    each_field(out, reader);
    return reader.ok() && reader.remaining() == 0;
}

inline std::optional<MethodId> read_method_id(Bytes payload) noexcept {
    if (payload.size() < method_id_size) return std::nullopt;
    return MethodId{load_big<std::uint16_t>(payload.data()),
                    load_big<std::uint16_t>(payload.data() + 2)};
}

// The name of a member, taken from the compiler's spelling of the template argument, so that no
// declaration has to give its names twice. GCC and Clang end it with ";" or "]"; the test of the
// declarations compares every name with the protocol's XML.
template <auto member>
constexpr std::string_view member_name() noexcept {
    constexpr std::string_view spelled = __PRETTY_FUNCTION__;
    constexpr std::string_view start = spelled.substr(spelled.find("member = ") + 9);
    constexpr std::string_view path = start.substr(0, start.find_first_of(";])"));
    return path.substr(path.rfind(':') + 1);
}

template <class Method>
inline constexpr auto field_names = []<std::size_t... at>(std::index_sequence<at...>) {
    return std::array<std::string_view, sizeof...(at)>{
        member_name<std::get<at>(Method::fields)>()...};
}
(std::make_index_sequence<field_count<Method>>{});

// The name of the first short string that is longer than its length octet can say (rule 115), or
// empty. To be asked before encoding, whenever text comes from a caller.
template <class Method>
inline std::string_view oversized_field(const Method& method) noexcept {
    std::string_view found;
    std::size_t at = 0;
    auto visit = [&]<class Value>(const Value& value) {
        if constexpr (std::is_same_v<Value, ShortString>) {
            if (found.empty() && value.text.size() > max_short_string) {
                found = field_names<Method>[at];
            }
        }
        ++at;
    };
    each_field(method, visit);
    return found;
}

// True for a field that no trace may show: credentials.
template <class Method>
constexpr bool is_secret(std::string_view field) noexcept {
    if constexpr (requires { Method::secret; }) {
        return field == Method::secret;
    } else {
        return false;
    }
}

// Appends one line for the tracer: the method's name and its fields, reserved ones left out.
template <class Method>
void describe_method(const Method& method, std::string& out) {
    out += Method::name;
    std::size_t at = 0;
    auto visit = [&]<class Value>(const Value& value) {
        const std::string_view name = field_names<Method>[at++];
        if (name.starts_with("reserved_")) return;
        out += ' ';
        out += name;
        out += '=';
        if (is_secret<Method>(name)) {
            out += "<hidden>";
        } else if constexpr (std::is_same_v<Value, TableBytes>) {
            append_table(value.bytes, out);
        } else if constexpr (std::is_same_v<Value, ShortString> ||
                             std::is_same_v<Value, LongString>) {
            append_quoted(value.text, out);
        } else {
            append_number(std::uint64_t{value}, out);
        }
    };
    each_field(method, visit);
}

}  // namespace haigha::wire
