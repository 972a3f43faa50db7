#include <bit>
#include <cstdint>
#include <string>

#include "check_probes.h"

namespace tool {

namespace {

std::string describe_field(const haigha_field& field) {
    const std::string type = std::string(1, static_cast<char>(field.type)) + ":";
    switch (field.type) {
        case HAIGHA_FIELD_FLOAT:
        case HAIGHA_FIELD_DOUBLE:
            return type + std::to_string(field.real);
        case HAIGHA_FIELD_STRING:
        case HAIGHA_FIELD_BYTES:
        case HAIGHA_FIELD_ARRAY:
        case HAIGHA_FIELD_TABLE:
            return type + std::to_string(field.bytes.size) + " bytes";
        case HAIGHA_FIELD_DECIMAL:
            return type + std::to_string(field.integer) + "e-" + std::to_string(field.scale);
        default:
            return type + std::to_string(field.integer);
    }
}

std::uint32_t written_type(std::uint32_t type) {
    if (type == HAIGHA_FIELD_INT64_L) return HAIGHA_FIELD_INT64;
    return type;
}

bool is_nested(const haigha_field& field) {
    return field.type == HAIGHA_FIELD_ARRAY || field.type == HAIGHA_FIELD_TABLE;
}

// Apart from what is nested in them.
bool same_value(const haigha_field& a, const haigha_field& b) {
    return written_type(a.type) == written_type(b.type) && a.integer == b.integer &&
           std::bit_cast<std::uint64_t>(a.real) == std::bit_cast<std::uint64_t>(b.real) &&
           a.scale == b.scale && (is_nested(a) || to_view(a.bytes) == to_view(b.bytes));
}

bool find_field(haigha_cursor cursor, std::string_view name, haigha_field& field) {
    while (haigha_cursor_next(&cursor, &field) == 1) {
        if (to_view(field.name) == name) return true;
    }
    return false;
}

std::string field_difference(const haigha_cursor& sent_in, const haigha_field& sent,
                             const haigha_cursor& got_in, const haigha_field& got) {
    if (!same_value(sent, got)) {
        return "sent " + describe_field(sent) + ", got " + describe_field(got);
    }
    if (!is_nested(sent)) return "";
    haigha_cursor sent_nested;
    haigha_cursor got_nested;
    if (haigha_cursor_enter(&sent_in, &sent, &sent_nested) != HAIGHA_OK ||
        haigha_cursor_enter(&got_in, &got, &got_nested) != HAIGHA_OK) {
        return "what is nested cannot be read";
    }
    return table_difference(sent_nested, got_nested, FieldMatch::in_order);
}

}  // namespace

std::string table_difference(haigha_cursor sent, haigha_cursor got, FieldMatch match) {
    haigha_field expected;
    haigha_field found;
    const haigha_cursor all_got = got;
    for (int index = 0;; ++index) {
        const std::int32_t more = haigha_cursor_next(&sent, &expected);
        if (more < 0) return "what was sent cannot be read";
        if (match != FieldMatch::sent_only) {
            const std::int32_t got_more = haigha_cursor_next(&got, &found);
            if (got_more < 0) return "what came back cannot be read";
            if (more != got_more) {
                return more == 1 ? "field " + std::to_string(index) + " is missing"
                                 : "there are more fields than were sent";
            }
        }
        if (more == 0) return "";
        if (match != FieldMatch::in_order) {
            if (!find_field(all_got, to_view(expected.name), found)) {
                return "\"" + std::string(to_view(expected.name)) + "\" is missing";
            }
        } else if (to_view(expected.name) != to_view(found.name)) {
            return "field " + std::to_string(index) + " has another name";
        }
        const std::string difference = field_difference(sent, expected, all_got, found);
        if (!difference.empty()) {
            const std::string name(to_view(expected.name));
            return (name.empty() ? "[" + std::to_string(index) + "]" : name) + ": " + difference;
        }
    }
}

}  // namespace tool
