// JSON as a message: the way back of message_json.cpp.
#include "failure.h"
#include "message_json.h"

namespace tool {

namespace {

// The parser's words are behind "parse error at ...: ".
Json parsed(std::string_view text) {
    try {
        return Json::parse(text);
    } catch (const Json::parse_error& error) {
        std::string why = error.what();
        // "[json.exception.parse_error.101] parse error at line 1, column 3: syntax error ..."
        if (const std::size_t end = why.find(": "); end != std::string::npos) why.erase(0, end + 2);
        throw JsonProblem("no JSON, at its octet " + std::to_string(error.byte) + ": " + why);
    }
}

std::uint8_t octet_of(const Json& json, const JsonPath& path) {
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() > UINT8_MAX) {
        path.refuse("a whole number from 0 to 255 is wanted");
    }
    return json.get<std::uint8_t>();
}

}  // namespace

JsonMessage::JsonMessage(std::string_view text) {
    const Json json = parsed(text);
    if (!json.is_object()) throw JsonProblem("no object");
    for (const auto& [name, value] : json.items())
        take_member(name, value);
    if (!has_body_) throw JsonProblem("it has no body");
}

void JsonMessage::take_member(const std::string& name, const Json& value) {
    const JsonPath path{nullptr, name};
    if (name == "exchange") {
        exchange_ = text_of_json(value, path);
    } else if (name == "routing_key") {
        routing_key_ = text_of_json(value, path);
    } else if (name == "properties") {
        if (!value.is_null()) take_properties(value, path);
    } else if (name == "headers") {
        if (value.is_null()) return;
        headers_ = table_of_json(value, path);
        properties_.present |= HAIGHA_PROPERTY_HEADERS;
        properties_.headers = headers_.get();
    } else if (name == "body") {
        body_ = text_of_json(value, path);
        has_body_ = true;
    } else if (name != "redelivered") {  // which a message that is published cannot be
        path.refuse("a message has no such member");
    }
}

void JsonMessage::take_properties(const Json& json, const JsonPath& path) {
    if (!json.is_object()) path.refuse("an object is wanted");
    for (const auto& [name, value] : json.items())
        take_property(name, value, JsonPath{&path, name});
}

void JsonMessage::take_property(const std::string& name, const Json& json, const JsonPath& path) {
    for (std::size_t i = 0; i < std::size(property_texts); ++i) {
        const PropertyText& text = property_texts[i];
        if (name != text.name) continue;
        texts_[i] = text_of_json(json, path);
        if (texts_[i].size() > 255) path.refuse("it is longer than 255 bytes");
        properties_.present |= text.bit;
        properties_.*text.member = to_str(texts_[i]);
        return;
    }
    if (name == "delivery_mode") {
        properties_.delivery_mode = octet_of(json, path);
        properties_.present |= HAIGHA_PROPERTY_DELIVERY_MODE;
    } else if (name == "priority") {
        properties_.priority = octet_of(json, path);
        properties_.present |= HAIGHA_PROPERTY_PRIORITY;
    } else if (name == "timestamp") {
        properties_.timestamp = timestamp_of_json(json, path);
        properties_.present |= HAIGHA_PROPERTY_TIMESTAMP;
    } else {
        path.refuse("there is no such property");
    }
}

}  // namespace tool
