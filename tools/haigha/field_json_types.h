// The names that types have in JSON, where a plain value does not say them.
#pragma once

#include <haigha/haigha.h>

#include <cstdint>
#include <limits>
#include <string_view>

namespace tool {

// The whole numbers that are neither the default nor 64 bits wide.
struct IntegerJsonType {
    std::string_view name;
    std::uint32_t type;
    std::int64_t least;
    std::int64_t most;
};

inline constexpr IntegerJsonType integer_json_types[] = {
    {"int8", HAIGHA_FIELD_INT8, INT8_MIN, INT8_MAX},
    {"uint8", HAIGHA_FIELD_UINT8, 0, UINT8_MAX},
    {"int16", HAIGHA_FIELD_INT16, INT16_MIN, INT16_MAX},
    {"uint16", HAIGHA_FIELD_UINT16, 0, UINT16_MAX},
    {"int32", HAIGHA_FIELD_INT32, INT32_MIN, INT32_MAX},
    {"uint32", HAIGHA_FIELD_UINT32, 0, UINT32_MAX},
    {"int64", HAIGHA_FIELD_INT64, INT64_MIN, INT64_MAX},
};

constexpr const IntegerJsonType* integer_json_type(std::string_view name) noexcept {
    for (const IntegerJsonType& each : integer_json_types) {
        if (each.name == name) return &each;
    }
    return nullptr;
}

constexpr std::string_view integer_type_name(std::uint32_t type) noexcept {
    for (const IntegerJsonType& each : integer_json_types) {
        if (each.type == type) return each.name;
    }
    return "int64";
}

// Tags whose value is a table.
constexpr bool is_table_tag(std::string_view name) noexcept {
    return name == "table" || name == "fields";
}

constexpr bool is_type_tag(std::string_view name) noexcept {
    return integer_json_type(name) != nullptr || is_table_tag(name) || name == "timestamp" ||
           name == "float" || name == "double" || name == "decimal" || name == "base64" ||
           name == "bytes";
}

}  // namespace tool
