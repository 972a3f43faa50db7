// Each of the 14 basic properties, and bodies of every shape, through the broker and back.
#include <cstdint>
#include <string>

#include "check_probes.h"
#include "failure.h"

namespace tool {

namespace {

struct TextProperty {
    const char* name;
    std::uint32_t bit;
    haigha_str haigha_properties::*member;
    bool free_text;  // RabbitMQ looks into the others
};

constexpr TextProperty text_properties[] = {
    {"content_type", HAIGHA_PROPERTY_CONTENT_TYPE, &haigha_properties::content_type, true},
    {"content_encoding", HAIGHA_PROPERTY_CONTENT_ENCODING, &haigha_properties::content_encoding,
     true},
    {"correlation_id", HAIGHA_PROPERTY_CORRELATION_ID, &haigha_properties::correlation_id, true},
    {"reply_to", HAIGHA_PROPERTY_REPLY_TO, &haigha_properties::reply_to, true},
    {"expiration", HAIGHA_PROPERTY_EXPIRATION, &haigha_properties::expiration, false},
    {"message_id", HAIGHA_PROPERTY_MESSAGE_ID, &haigha_properties::message_id, true},
    {"type", HAIGHA_PROPERTY_TYPE, &haigha_properties::type, true},
    {"user_id", HAIGHA_PROPERTY_USER_ID, &haigha_properties::user_id, false},
    {"app_id", HAIGHA_PROPERTY_APP_ID, &haigha_properties::app_id, true},
    {"cluster_id", HAIGHA_PROPERTY_CLUSTER_ID, &haigha_properties::cluster_id, true},
};

// A property of the broker's own is no difference.
std::string property_difference(const haigha_properties& sent, const haigha_properties& got) {
    if (sent.present != got.present) {
        char text[80];
        std::snprintf(text, sizeof text, "sent the property flags %04x, got %04x", sent.present,
                      got.present);
        return text;
    }
    if (sent.delivery_mode != got.delivery_mode) return "another delivery_mode";
    if (sent.priority != got.priority) return "another priority";
    if (sent.timestamp != got.timestamp) return "another timestamp";
    for (const TextProperty& property : text_properties) {
        const std::string_view expected = to_view(sent.*property.member);
        const std::string_view found = to_view(got.*property.member);
        if (expected != found) {
            return std::string("sent the ") + property.name + " \"" + std::string(expected) +
                   "\", got \"" + std::string(found) + "\"";
        }
    }
    return "";
}

void expect_round_trip(ProbeScope& scope, const haigha_properties& sent) {
    const std::string queue = scope.queue();
    scope.publish("", queue, "x", &sent);
    const MessageHandle message = scope.get(queue);
    haigha_properties got = HAIGHA_PROPERTIES_INIT;
    ErrorSlot error;
    require(haigha_message_properties(message.get(), &got, error), error);
    const std::string difference = property_difference(sent, got);
    expect(difference.empty(), difference);
}

std::vector<std::string> values_of(const TextProperty& property, const std::string& user) {
    if (property.bit == HAIGHA_PROPERTY_USER_ID) return {user};
    // Milliseconds: long enough not to expire meanwhile, up to what RabbitMQ takes.
    if (property.bit == HAIGHA_PROPERTY_EXPIRATION) return {"60000", "4294967295"};
    return {"", "text",
            "Gr\xC3\xBC\xC3\x9F"
            "e",
            std::string(255, 'x')};
}

std::string detail_of(const TextProperty& property) {
    if (property.bit == HAIGHA_PROPERTY_USER_ID) return "the connection's user";
    if (property.bit == HAIGHA_PROPERTY_EXPIRATION) return "milliseconds as text";
    if (property.bit == HAIGHA_PROPERTY_CLUSTER_ID) return "deprecated, and passed on";
    return "empty to 255 bytes, not ASCII";
}

Probe text_probe(const TextProperty& property, const std::string& user) {
    const auto run = [&property, user](ProbeScope& scope) {
        for (const std::string& value : values_of(property, user)) {
            haigha_properties properties = HAIGHA_PROPERTIES_INIT;
            properties.present = property.bit;
            properties.*property.member = to_str(value);
            expect_round_trip(scope, properties);
        }
        return detail_of(property);
    };
    return {property.name, true, false, run};
}

std::string headers(ProbeScope& scope) {
    const TableHandle table = make_table("name", "value");
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = table.get();
    expect_round_trip(scope, properties);
    return "";
}

std::string delivery_mode(ProbeScope& scope) {
    for (const std::uint8_t mode : {1, 2}) {
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_DELIVERY_MODE;
        properties.delivery_mode = mode;
        expect_round_trip(scope, properties);
    }
    return "transient and persistent";
}

std::string priority(ProbeScope& scope) {
    for (const std::uint8_t value : {0, 1, 9, 255}) {
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_PRIORITY;
        properties.priority = value;
        expect_round_trip(scope, properties);
    }
    return "0 to 255";
}

std::string timestamp(ProbeScope& scope) {
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1234567890}, UINT64_MAX}) {
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_TIMESTAMP;
        properties.timestamp = value;
        expect_round_trip(scope, properties);
    }
    return "0 to 18446744073709551615";
}

std::string all_at_once(ProbeScope& scope, const std::string& user) {
    const TableHandle table = make_table("name", "value");
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS | HAIGHA_PROPERTY_DELIVERY_MODE |
                         HAIGHA_PROPERTY_PRIORITY | HAIGHA_PROPERTY_TIMESTAMP;
    properties.headers = table.get();
    properties.delivery_mode = 2;
    properties.priority = 7;
    properties.timestamp = 1234567890;
    std::vector<std::string> values;
    values.reserve(std::size(text_properties));
    for (const TextProperty& property : text_properties) {
        values.push_back(property.free_text ? property.name : values_of(property, user).front());
        properties.present |= property.bit;
        properties.*property.member = to_str(values.back());
    }
    expect_round_trip(scope, properties);
    return "";
}

std::string none(ProbeScope& scope) {
    expect_round_trip(scope, HAIGHA_PROPERTIES_INIT);
    return "";
}

// Sizes around those of frames, where bodies are cut and put together.
std::string body_sizes(ProbeScope& scope) {
    constexpr std::size_t frame_overhead = 8;
    const auto frame_max =
        static_cast<std::size_t>(std::max<std::int64_t>(scope.session().info("frame_max"), 4096));
    const std::size_t payload = frame_max - frame_overhead;
    const std::string queue = scope.queue();
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, payload - 1, payload, payload + 1, 3 * payload,
          3 * payload + 1, std::size_t{4} << 20}) {
        std::string body(size, '\0');
        for (std::size_t i = 0; i < size; ++i)
            body[i] = static_cast<char>(i * 31 + (i >> 8));
        scope.publish("", queue, body);
        const MessageHandle message = scope.get(queue);
        expect(to_view(haigha_message_body(message.get())) == body,
               "a body of " + std::to_string(size) + " bytes came back changed");
    }
    return "0 bytes to 4 MiB, around the size of a frame";
}

}  // namespace

std::vector<Probe> property_probes(const std::string& user) {
    std::vector<Probe> probes;
    for (const TextProperty& property : text_properties) {
        probes.push_back(text_probe(property, user));
        if (property.bit == HAIGHA_PROPERTY_CONTENT_ENCODING) {
            probes.push_back({"headers", true, false, headers});
            probes.push_back({"delivery_mode", true, false, delivery_mode});
            probes.push_back({"priority", true, false, priority});
        }
        if (property.bit == HAIGHA_PROPERTY_MESSAGE_ID) {
            probes.push_back({"timestamp", true, false, timestamp});
        }
    }
    probes.push_back({"all 14 at once", true, false,
                      [user](ProbeScope& scope) { return all_at_once(scope, user); }});
    probes.push_back({"none", true, false, none});
    probes.push_back({"bodies", true, false, body_sizes});
    return probes;
}

}  // namespace tool
