#include "message_json.h"

#include "failure.h"

namespace tool {

Json properties_json(const haigha_properties& properties) {
    Json json = Json::object();
    const auto has = [&](std::uint32_t bit) { return (properties.present & bit) != 0; };
    for (const PropertyText& text : property_texts) {
        if (has(text.bit)) json[text.name] = text_json(to_view(properties.*text.member));
    }
    if (has(HAIGHA_PROPERTY_DELIVERY_MODE)) json["delivery_mode"] = properties.delivery_mode;
    if (has(HAIGHA_PROPERTY_PRIORITY)) json["priority"] = properties.priority;
    if (has(HAIGHA_PROPERTY_TIMESTAMP)) {
        json["timestamp"] = exact_json(properties.timestamp);
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
    json["headers"] = nullptr;
    if ((properties.present & HAIGHA_PROPERTY_HEADERS) != 0) {
        haigha_cursor headers;
        require(haigha_message_headers(message, &headers, error), error);
        json["headers"] = table_json(headers);
    }
    json["body"] = text_json(to_view(haigha_message_body(message)));
    return json;
}

}  // namespace tool
