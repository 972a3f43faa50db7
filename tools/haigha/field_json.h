// Field tables as JSON and back, each value with its exact type.
//
// What JSON's own type says is a plain value: true and false are bool, null is void, text is
// string, a whole number int32 where that holds it and otherwise int64, a number with a fraction
// double, an object a table and a list an array. Everything else is an object of one member, whose
// name is the type:
//
//   {"int8": -1}  {"uint8": 1}  {"int16": -1}  {"uint16": 1}  {"uint32": 1}  {"int64": 1}
//   {"int64": "9223372036854775807"}   text where a program that counts in doubles would round it
//   {"timestamp": 1700000000}          seconds since the Unix epoch
//   {"float": 1.5}  {"double": 1}  {"double": "-0"}; "inf", "-inf" and "nan" can only be received
//   {"decimal": "3.1416"}              with as many digits behind the point as its scale says
//   {"base64": "/w=="}                 a string that is not UTF-8
//   {"bytes": "/w=="}                  a byte array, in base64
//   {"table": {"int8": 1}}             a table that would otherwise be taken for one of these
//   {"fields": [["a", 1], ["a", 2]]}   a table with a name twice, or one that is not UTF-8
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "owned_handles.h"

namespace tool {

using Json = nlohmann::ordered_json;

// JSON that is no message: one sentence that says where and why.
class JsonProblem : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// A place in JSON, for sentences: "headers.x-death[0].count". Lives on the stack.
struct JsonPath {
    const JsonPath* parent = nullptr;
    std::string_view name;  // of a member
    std::size_t index = 0;  // of an element, where there is no name

    std::string text() const;
    [[noreturn]] void refuse(const std::string& sentence) const;
};

// A number, or text where a reader that counts in doubles would round it.
template <class Integer>
Json exact_json(Integer value) {
    constexpr auto limit = std::int64_t{1} << 53;
    if (std::cmp_greater(value, limit) || std::cmp_less(value, -limit)) {
        return std::to_string(value);
    }
    return value;
}
// Seconds since the Unix epoch, either way.
std::uint64_t timestamp_of_json(const Json& json, const JsonPath& path);

// Text, or {"base64": "..."}.
Json text_json(std::string_view text);
std::string text_of_json(const Json& json, const JsonPath& path);

// A table in a place where only a table can stand, such as headers.
Json table_json(const haigha_cursor& cursor);
TableHandle table_of_json(const Json& json, const JsonPath& path);

}  // namespace tool
