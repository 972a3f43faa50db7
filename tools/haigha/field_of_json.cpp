// JSON as field tables: the way back of field_json.cpp.
#include <charconv>
#include <cmath>
#include <optional>

#include "failure.h"
#include "field_json.h"
#include "field_json_types.h"
#include "octets_text.h"

namespace tool {

namespace {

// As deep as the library reads: a table within a table is the second.
constexpr int deepest = 32;

struct Place {
    const JsonPath& path;
    int depth;
};

void add_value(haigha_table* table, std::string_view name, const Json& json, const Place& place);

std::string quoted(const Json& json) {
    std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    constexpr std::size_t most = 60;
    if (text.size() > most) text = text.substr(0, most) + "...";
    return text;
}

// A number with its sign, from all of the text.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
    Number number{};
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

// Whole numbers as a JSON number or as text.
std::optional<std::int64_t> signed_of(const Json& json) {
    if (json.is_string()) return number_of<std::int64_t>(json.get_ref<const std::string&>());
    if (json.is_number_unsigned()) {
        const auto number = json.get<std::uint64_t>();
        if (number > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    if (json.is_number_integer()) return json.get<std::int64_t>();
    return std::nullopt;
}

std::optional<double> real_of(const Json& json) {
    if (json.is_number()) return json.get<double>();
    if (!json.is_string()) return std::nullopt;
    return number_of<double>(json.get_ref<const std::string&>());
}

void set_real(haigha_field& field, const Json& json, bool is_float, const JsonPath& path) {
    const std::optional<double> value = real_of(json);
    if (!value) path.refuse(quoted(json) + " is no " + (is_float ? "float" : "double"));
    if (is_float && std::isfinite(*value) && !std::isfinite(static_cast<float>(*value))) {
        path.refuse(quoted(json) + " does not fit a float");
    }
    field.type = is_float ? HAIGHA_FIELD_FLOAT : HAIGHA_FIELD_DOUBLE;
    field.real = is_float ? double{static_cast<float>(*value)} : *value;
}

// "-3.1416": the digits are the number, those behind the point its scale.
void set_decimal(haigha_field& field, const Json& json, const JsonPath& path) {
    std::string digits = json.is_string() ? json.get<std::string>() : std::string();
    const std::size_t point = digits.find('.');
    const bool whole = point == std::string::npos;
    const std::size_t scale = whole ? 0 : digits.size() - point - 1;
    const bool bare_point = !whole && (scale == 0 || point == 0 || digits[point - 1] == '-');
    if (!whole) digits.erase(point, 1);
    const std::optional<std::int32_t> unscaled = number_of<std::int32_t>(digits);
    if (!unscaled || bare_point || scale > 255) {
        path.refuse(quoted(json) +
                    " is no decimal: text such as \"-3.1416\", whose digits without the point fit "
                    "32 bits, at most 255 of them behind it");
    }
    field.type = HAIGHA_FIELD_DECIMAL;
    field.integer = *unscaled;
    field.scale = static_cast<std::uint32_t>(scale);
}

std::string octets_of(const Json& json, const JsonPath& path) {
    if (json.is_string()) {
        if (auto octets = octets_of_base64(json.get_ref<const std::string&>())) return *octets;
    }
    path.refuse(quoted(json) + " is no base64");
}

void add_nested(haigha_table* table, std::string_view name, const TableHandle& nested,
                const JsonPath& path) {
    ErrorSlot error;
    const haigha_status status = haigha_table_add_table(table, to_str(name), nested.get(), error);
    if (status != HAIGHA_OK) path.refuse(describe(status, error.get()));
}

TableHandle new_table(bool is_array) {
    TableHandle table;
    ErrorSlot error;
    require(
        is_array ? haigha_table_new_array(out(table), error) : haigha_table_new(out(table), error),
        error);
    return table;
}

Place below(const Place& place, const JsonPath& path) {
    if (place.depth == deepest) path.refuse("this is nested more than 32 deep");
    return {path, place.depth + 1};
}

TableHandle array_of(const Json& json, const Place& place) {
    TableHandle array = new_table(true);
    for (std::size_t i = 0; i < json.size(); ++i) {
        const JsonPath path{&place.path, {}, i};
        add_value(array.get(), {}, json[i], {path, place.depth});
    }
    return array;
}

TableHandle plain_table_of(const Json& json, const Place& place) {
    if (!json.is_object()) place.path.refuse(quoted(json) + " is no object");
    TableHandle table = new_table(false);
    for (const auto& [name, value] : json.items()) {
        const JsonPath path{&place.path, name};
        add_value(table.get(), name, value, {path, place.depth});
    }
    return table;
}

TableHandle table_of_pairs(const Json& json, const Place& place) {
    if (!json.is_array()) place.path.refuse("fields takes a list of [name, value]");
    TableHandle table = new_table(false);
    for (std::size_t i = 0; i < json.size(); ++i) {
        const JsonPath path{&place.path, {}, i};
        if (!json[i].is_array() || json[i].size() != 2) {
            path.refuse(quoted(json[i]) + " is no [name, value]");
        }
        add_value(table.get(), text_of_json(json[i][0], path), json[i][1], {path, place.depth});
    }
    return table;
}

// A table where only tables can stand.
TableHandle table_at(const Json& json, const Place& place) {
    if (json.is_object() && json.size() == 1 && is_table_tag(json.begin().key())) {
        const std::string& tag = json.begin().key();
        const JsonPath path{&place.path, tag};
        const Json& value = json.begin().value();
        return tag == "table" ? plain_table_of(value, {path, place.depth})
                              : table_of_pairs(value, {path, place.depth});
    }
    return plain_table_of(json, place);
}

// The value of a tag other than those of tables; `octets` holds what the field borrows.
void set_tagged(haigha_field& field, std::string_view tag, const Json& json, std::string& octets,
                const JsonPath& path) {
    if (const IntegerJsonType* const integer = integer_json_type(tag)) {
        const std::optional<std::int64_t> value = signed_of(json);
        if (!value || *value < integer->least || *value > integer->most) {
            path.refuse(quoted(json) + " is no " + std::string(tag));
        }
        field.type = integer->type;
        field.integer = *value;
    } else if (tag == "timestamp") {
        field.type = HAIGHA_FIELD_TIMESTAMP;
        field.integer = static_cast<std::int64_t>(timestamp_of_json(json, path));
    } else if (tag == "decimal") {
        set_decimal(field, json, path);
    } else if (tag == "float" || tag == "double") {
        set_real(field, json, tag == "float", path);
    } else {
        octets = octets_of(json, path);
        field.type = tag == "bytes" ? HAIGHA_FIELD_BYTES : HAIGHA_FIELD_STRING;
        field.bytes = to_str(octets);
    }
}

void set_plain(haigha_field& field, const Json& json, const JsonPath& path) {
    switch (json.type()) {
        case Json::value_t::null:
            field.type = HAIGHA_FIELD_VOID;
            return;
        case Json::value_t::boolean:
            field.type = HAIGHA_FIELD_BOOL;
            field.integer = json.get<bool>() ? 1 : 0;
            return;
        case Json::value_t::string:
            field.type = HAIGHA_FIELD_STRING;
            field.bytes = to_str(json.get_ref<const std::string&>());
            return;
        case Json::value_t::number_float:
            set_real(field, json, false, path);
            return;
        default:
            break;
    }
    const std::optional<std::int64_t> value = signed_of(json);
    if (!value) path.refuse(quoted(json) + " does not fit 64 bits with a sign, as int64 has");
    const bool small = *value >= INT32_MIN && *value <= INT32_MAX;
    field.type = small ? HAIGHA_FIELD_INT32 : HAIGHA_FIELD_INT64;
    field.integer = *value;
}

void add_value(haigha_table* table, std::string_view name, const Json& json, const Place& place) {
    if (json.is_array()) {
        add_nested(table, name, array_of(json, below(place, place.path)), place.path);
        return;
    }
    const bool one = json.is_object() && json.size() == 1;
    const bool is_tag = one && is_type_tag(json.begin().key());
    if (json.is_object() && (!is_tag || is_table_tag(json.begin().key()))) {
        add_nested(table, name, table_at(json, below(place, place.path)), place.path);
        return;
    }
    haigha_field field = {};
    field.name = to_str(name);
    std::string octets;
    if (is_tag) {
        const JsonPath path{&place.path, json.begin().key()};
        set_tagged(field, json.begin().key(), json.begin().value(), octets, path);
    } else {
        set_plain(field, json, place.path);
    }
    ErrorSlot error;
    const haigha_status status = haigha_table_add(table, &field, error);
    if (status != HAIGHA_OK) place.path.refuse(describe(status, error.get()));
}

}  // namespace

std::string JsonPath::text() const {
    if (parent == nullptr) return std::string(name);
    const std::string before = parent->text();
    if (name.data() == nullptr) return before + "[" + std::to_string(index) + "]";
    return before.empty() ? std::string(name) : before + "." + std::string(name);
}

void JsonPath::refuse(const std::string& sentence) const {
    const std::string where = text();
    throw JsonProblem(where.empty() ? sentence : where + ": " + sentence);
}

std::string text_of_json(const Json& json, const JsonPath& path) {
    if (json.is_string()) return json.get<std::string>();
    if (json.is_object() && json.size() == 1 && json.begin().key() == "base64") {
        return octets_of(json.begin().value(), path);
    }
    path.refuse(quoted(json) + " is neither text nor {\"base64\": \"...\"}");
}

std::uint64_t timestamp_of_json(const Json& json, const JsonPath& path) {
    std::optional<std::uint64_t> seconds;
    if (json.is_number_unsigned()) seconds = json.get<std::uint64_t>();
    if (json.is_string()) seconds = number_of<std::uint64_t>(json.get_ref<const std::string&>());
    if (!seconds)
        path.refuse(quoted(json) + " is no timestamp: whole seconds since 1970-01-01 UTC");
    return *seconds;
}

TableHandle table_of_json(const Json& json, const JsonPath& path) {
    return table_at(json, {path, 1});
}

}  // namespace tool
