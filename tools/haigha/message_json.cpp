#include "message_json.h"

#include <algorithm>
#include <string>

#include "failure.h"

namespace tool {

namespace {

using Json = nlohmann::ordered_json;

// The octets of the UTF-8 sequence that begins here; 0 when there is none.
std::size_t sequence_size(std::string_view text) {
    const auto octet = [&text](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto goes_on = [&octet](std::size_t i) { return (octet(i) & 0xC0U) == 0x80U; };
    const unsigned first = octet(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF && goes_on(1)) return 2;
    if ((first & 0xF0U) == 0xE0 && goes_on(1) && goes_on(2)) {
        const bool overlong = first == 0xE0 && octet(1) < 0xA0;
        const bool surrogate = first == 0xED && octet(1) >= 0xA0;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xF0 && first <= 0xF4 && goes_on(1) && goes_on(2) && goes_on(3)) {
        const bool overlong = first == 0xF0 && octet(1) < 0x90;
        const bool too_large = first == 0xF4 && octet(1) >= 0x90;
        return overlong || too_large ? 0 : 4;
    }
    return 0;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t size = sequence_size(text);
        if (size == 0) return false;
        text.remove_prefix(size);
    }
    return true;
}

std::string base64(std::string_view octets) {
    static constexpr char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        const std::size_t size = std::min<std::size_t>(3, octets.size() - i);
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            const auto octet = j < size ? static_cast<unsigned char>(octets[i + j]) : 0U;
            bits = bits << 8 | octet;
        }
        for (std::size_t j = 0; j < 4; ++j) {
            text += j <= size ? digits[bits >> (18 - 6 * j) & 63U] : '=';
        }
    }
    return text;
}

Json octets_json(std::string_view octets) {
    return {{"base64", base64(octets)}};
}

Json text_json(std::string_view text) {
    return is_utf8(text) ? Json(text) : octets_json(text);
}

// As text, since no binary number holds 0.1 exactly.
std::string decimal_text(std::int64_t unscaled, std::uint32_t scale) {
    std::string digits = std::to_string(unscaled < 0 ? -unscaled : unscaled);
    if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
    if (scale > 0) digits.insert(digits.size() - scale, ".");
    return unscaled < 0 ? "-" + digits : digits;
}

Json field_json(const haigha_cursor& cursor, const haigha_field& field) {
    switch (field.type) {
        case HAIGHA_FIELD_BOOL:
            return field.integer != 0;
        case HAIGHA_FIELD_FLOAT:
        case HAIGHA_FIELD_DOUBLE:
            return field.real;
        case HAIGHA_FIELD_DECIMAL:
            return decimal_text(field.integer, field.scale);
        case HAIGHA_FIELD_STRING:
            return text_json(to_view(field.bytes));
        case HAIGHA_FIELD_BYTES:
            return octets_json(to_view(field.bytes));
        case HAIGHA_FIELD_TIMESTAMP:
            return static_cast<std::uint64_t>(field.integer);
        case HAIGHA_FIELD_ARRAY:
        case HAIGHA_FIELD_TABLE: {
            haigha_cursor nested;
            if (haigha_cursor_enter(&cursor, &field, &nested) != HAIGHA_OK) return nullptr;
            return to_json(nested, field.type == HAIGHA_FIELD_ARRAY);
        }
        case HAIGHA_FIELD_VOID:
            return nullptr;
        default:
            return field.integer;
    }
}

Json properties_json(const haigha_properties& properties) {
    Json json = Json::object();
    const auto text = [&](std::uint32_t bit, const char* name, haigha_str value) {
        if ((properties.present & bit) != 0) json[name] = text_json(to_view(value));
    };
    const auto number = [&](std::uint32_t bit, const char* name, std::uint64_t value) {
        if ((properties.present & bit) != 0) json[name] = value;
    };
    text(HAIGHA_PROPERTY_CONTENT_TYPE, "content_type", properties.content_type);
    text(HAIGHA_PROPERTY_CONTENT_ENCODING, "content_encoding", properties.content_encoding);
    number(HAIGHA_PROPERTY_DELIVERY_MODE, "delivery_mode", properties.delivery_mode);
    number(HAIGHA_PROPERTY_PRIORITY, "priority", properties.priority);
    text(HAIGHA_PROPERTY_CORRELATION_ID, "correlation_id", properties.correlation_id);
    text(HAIGHA_PROPERTY_REPLY_TO, "reply_to", properties.reply_to);
    text(HAIGHA_PROPERTY_EXPIRATION, "expiration", properties.expiration);
    text(HAIGHA_PROPERTY_MESSAGE_ID, "message_id", properties.message_id);
    number(HAIGHA_PROPERTY_TIMESTAMP, "timestamp", properties.timestamp);
    text(HAIGHA_PROPERTY_TYPE, "type", properties.type);
    text(HAIGHA_PROPERTY_USER_ID, "user_id", properties.user_id);
    text(HAIGHA_PROPERTY_APP_ID, "app_id", properties.app_id);
    text(HAIGHA_PROPERTY_CLUSTER_ID, "cluster_id", properties.cluster_id);
    return json;
}

}  // namespace

Json to_json(haigha_cursor cursor, bool is_array) {
    Json json = is_array ? Json::array() : Json::object();
    haigha_field field;
    while (haigha_cursor_next(&cursor, &field) == 1) {
        Json value = field_json(cursor, field);
        if (is_array) {
            json.push_back(std::move(value));
        } else {
            const std::string_view name = to_view(field.name);
            json[is_utf8(name) ? std::string(name) : base64(name)] = std::move(value);
        }
    }
    return json;
}

Json to_json(const haigha_message* message) {
    Json json;
    json["exchange"] = text_json(to_view(haigha_message_exchange(message)));
    json["routing_key"] = text_json(to_view(haigha_message_routing_key(message)));
    json["redelivered"] = haigha_message_redelivered(message) != 0;
    ErrorSlot error;
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    require(haigha_message_properties(message, &properties, error), error);
    json["properties"] = properties_json(properties);
    haigha_cursor headers;
    require(haigha_message_headers(message, &headers, error), error);
    json["headers"] = to_json(headers, false);
    json["body"] = text_json(to_view(haigha_message_body(message)));
    return json;
}

}  // namespace tool
