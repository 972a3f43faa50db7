#include "field_json.h"

#include <charconv>
#include <cmath>
#include <unordered_set>

#include "failure.h"
#include "field_json_types.h"
#include "octets_text.h"

namespace tool {

namespace {

Json array_json(haigha_cursor cursor);

Json tagged(std::string_view type, Json value) {
    Json json = Json::object();
    json.emplace(std::string(type), std::move(value));
    return json;
}

Json tagged_real(std::string_view type, double value) {
    if (std::isnan(value)) return tagged(type, "nan");
    if (std::isinf(value)) return tagged(type, value > 0 ? "inf" : "-inf");
    if (value == 0) return tagged(type, std::signbit(value) ? Json("-0") : Json(0));
    return tagged(type, value);
}

Json float_json(double value) {
    if (!std::isfinite(value) || value == 0) return tagged_real("float", value);
    // The shortest text that is this float: 0.1, where as a double it has 17 digits.
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, static_cast<float>(value)).ptr;
    double shortest = value;
    std::from_chars(text, end, shortest);
    return tagged("float", shortest);
}

Json double_json(double value) {
    // A whole number would be read as an integer by whoever writes 1.0 as 1.
    const bool plain = std::isfinite(value) && value != std::trunc(value);
    return plain ? Json(value) : tagged_real("double", value);
}

// As text, since no binary number holds 0.1 exactly.
std::string decimal_text(std::int64_t unscaled, std::uint32_t scale) {
    std::string digits = std::to_string(unscaled < 0 ? -unscaled : unscaled);
    if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
    if (scale > 0) digits.insert(digits.size() - scale, ".");
    return unscaled < 0 ? "-" + digits : digits;
}

haigha_cursor inside(const haigha_cursor& cursor, const haigha_field& field) {
    haigha_cursor nested;
    if (haigha_cursor_enter(&cursor, &field, &nested) != HAIGHA_OK) {
        throw Failure(exit_failed, "a message's headers are nested too deeply to be printed");
    }
    return nested;
}

// Among values of every type a table that looks like one of the tags is one itself.
Json table_value_json(const haigha_cursor& cursor) {
    Json json = table_json(cursor);
    const bool ambiguous =
        json.size() == 1 && is_type_tag(json.begin().key()) && !is_table_tag(json.begin().key());
    return ambiguous ? tagged("table", std::move(json)) : json;
}

Json field_json(const haigha_cursor& cursor, const haigha_field& field) {
    switch (field.type) {
        case HAIGHA_FIELD_BOOL:
            return field.integer != 0;
        case HAIGHA_FIELD_INT32:
            return field.integer;
        case HAIGHA_FIELD_INT64:
        case HAIGHA_FIELD_INT64_L:
            return tagged("int64", exact_json(field.integer));
        case HAIGHA_FIELD_FLOAT:
            return float_json(field.real);
        case HAIGHA_FIELD_DOUBLE:
            return double_json(field.real);
        case HAIGHA_FIELD_DECIMAL:
            return tagged("decimal", decimal_text(field.integer, field.scale));
        case HAIGHA_FIELD_STRING:
            return text_json(to_view(field.bytes));
        case HAIGHA_FIELD_BYTES:
            return tagged("bytes", base64(to_view(field.bytes)));
        case HAIGHA_FIELD_TIMESTAMP:
            return tagged("timestamp", exact_json(static_cast<std::uint64_t>(field.integer)));
        case HAIGHA_FIELD_ARRAY:
            return array_json(inside(cursor, field));
        case HAIGHA_FIELD_TABLE:
            return table_value_json(inside(cursor, field));
        case HAIGHA_FIELD_VOID:
            return nullptr;
        default:
            return tagged(integer_type_name(field.type), field.integer);
    }
}

// Calls each(field) for every field.
template <class Each>
void walk(haigha_cursor cursor, Each each) {
    haigha_field field;
    std::int32_t more = 0;
    while ((more = haigha_cursor_next(&cursor, &field)) == 1)
        each(field);
    if (more < 0) throw Failure(exit_failed, "a message has headers that cannot be decoded");
}

Json array_json(haigha_cursor cursor) {
    Json json = Json::array();
    walk(cursor, [&](const haigha_field& element) { json.push_back(field_json(cursor, element)); });
    return json;
}

// Whether JSON objects can hold the names.
bool names_are_plain(const haigha_cursor& cursor) {
    bool plain = true;
    std::unordered_set<std::string_view> seen;
    walk(cursor, [&](const haigha_field& field) {
        const std::string_view name = to_view(field.name);
        plain = plain && is_utf8(name) && seen.insert(name).second;
    });
    return plain;
}

}  // namespace

Json text_json(std::string_view text) {
    return is_utf8(text) ? Json(text) : tagged("base64", base64(text));
}

Json table_json(const haigha_cursor& cursor) {
    if (!names_are_plain(cursor)) {
        Json fields = Json::array();
        walk(cursor, [&](const haigha_field& field) {
            fields.push_back(
                Json::array({text_json(to_view(field.name)), field_json(cursor, field)}));
        });
        return tagged("fields", std::move(fields));
    }
    Json json = Json::object();
    walk(cursor, [&](const haigha_field& field) {
        json.emplace(std::string(to_view(field.name)), field_json(cursor, field));
    });
    if (json.size() == 1 && is_table_tag(json.begin().key()))
        return tagged("table", std::move(json));
    return json;
}

}  // namespace tool
