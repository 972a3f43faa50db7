#include "publish_request.h"

#include "channel_calls.h"

namespace haigha::capi {

using protocol::PublishRequest;
using wire::Properties;

namespace {

// Larger bodies than any broker takes are a mistake of the caller's.
constexpr std::size_t max_body_size = std::size_t{1} << 40;

}  // namespace

void read_properties(Arguments& arguments, const haigha_properties* from, Properties& to) {
    haigha_properties storage;
    const haigha_properties& given = arguments.read_args(from, "properties", storage);
    constexpr std::uint32_t known = 0xFFFC;
    if ((given.present & ~known) != 0) {
        arguments.fault(Status::argument, "properties->present has bits that are no property");
    }
    to.present = static_cast<std::uint16_t>(given.present & known);
    const auto text = [&](std::uint32_t bit, haigha_str value, const char* name) {
        return (given.present & bit) != 0 ? arguments.name(value, name) : std::string_view();
    };
    to.content_type = text(HAIGHA_PROPERTY_CONTENT_TYPE, given.content_type, "content_type");
    to.content_encoding =
        text(HAIGHA_PROPERTY_CONTENT_ENCODING, given.content_encoding, "content_encoding");
    to.correlation_id =
        text(HAIGHA_PROPERTY_CORRELATION_ID, given.correlation_id, "correlation_id");
    to.reply_to = text(HAIGHA_PROPERTY_REPLY_TO, given.reply_to, "reply_to");
    to.expiration = text(HAIGHA_PROPERTY_EXPIRATION, given.expiration, "expiration");
    to.message_id = text(HAIGHA_PROPERTY_MESSAGE_ID, given.message_id, "message_id");
    to.type = text(HAIGHA_PROPERTY_TYPE, given.type, "type");
    to.user_id = text(HAIGHA_PROPERTY_USER_ID, given.user_id, "user_id");
    to.app_id = text(HAIGHA_PROPERTY_APP_ID, given.app_id, "app_id");
    to.cluster_id = text(HAIGHA_PROPERTY_CLUSTER_ID, given.cluster_id, "cluster_id");
    to.delivery_mode = given.delivery_mode;
    to.priority = given.priority;
    to.timestamp = given.timestamp;
    if ((given.present & HAIGHA_PROPERTY_HEADERS) != 0) {
        to.headers = arguments_table(arguments, given.headers);
    }
}

void read_request(Arguments& arguments, const haigha_publish_args* args,
                  std::optional<Properties>& properties, PublishRequest& request) {
    haigha_publish_args storage;
    const haigha_publish_args& given = arguments.read_args(args, "args", storage);
    request.exchange = arguments.name(given.exchange, "exchange");
    request.routing_key = arguments.name(given.routing_key, "routing_key");
    request.mandatory = given.mandatory != 0;
    request.immediate = given.immediate != 0;
    request.data = given.user_data;
    if (given.properties == nullptr) return;
    read_properties(arguments, given.properties, properties.emplace());
    request.properties = &*properties;
}

void read_body(Arguments& arguments, haigha_str body, PublishRequest& request) {
    request.body = wire::as_bytes(arguments.text(body, "body", max_body_size));
}

}  // namespace haigha::capi
