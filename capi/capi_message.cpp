// haigha_message and haigha_reply: what was received.
#include "boundary.h"
#include "handles.h"

using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::core;
using haigha::capi::guard;

namespace {

haigha_str str(haigha::client::Str text) {
    return {text.data, text.size};
}

haigha_status malformed(const char* what, haigha_error** error) {
    return haigha::capi::refuse(Status::malformed, std::string(what) + " cannot be decoded", error);
}

}  // namespace

#define SAME_FLAG(ours, theirs) static_assert(haigha::wire::ours == (theirs))
SAME_FLAG(property_content_type, HAIGHA_PROPERTY_CONTENT_TYPE);
SAME_FLAG(property_headers, HAIGHA_PROPERTY_HEADERS);
SAME_FLAG(property_delivery_mode, HAIGHA_PROPERTY_DELIVERY_MODE);
SAME_FLAG(property_timestamp, HAIGHA_PROPERTY_TIMESTAMP);
SAME_FLAG(property_cluster_id, HAIGHA_PROPERTY_CLUSTER_ID);
#undef SAME_FLAG

haigha_message* haigha_message_ref(haigha_message* message) {
    if (message != nullptr) core(message)->add_ref();
    return message;
}
void haigha_message_unref(haigha_message* message) {
    if (message != nullptr) core(message)->release();
}
haigha_str haigha_message_body(const haigha_message* message) {
    return message != nullptr ? str(core(message)->body) : haigha_str{nullptr, 0};
}
haigha_str haigha_message_exchange(const haigha_message* message) {
    return message != nullptr ? str(core(message)->exchange) : haigha_str{nullptr, 0};
}
haigha_str haigha_message_routing_key(const haigha_message* message) {
    return message != nullptr ? str(core(message)->routing_key) : haigha_str{nullptr, 0};
}
uint64_t haigha_message_delivery_tag(const haigha_message* message) {
    return message != nullptr ? core(message)->delivery_tag : 0;
}
int32_t haigha_message_redelivered(const haigha_message* message) {
    return message != nullptr && core(message)->redelivered ? 1 : 0;
}

haigha_status haigha_message_properties(const haigha_message* message,
                                        haigha_properties* properties, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(message, "message");
        arguments.required(properties, "properties");
        if (!arguments.bad() && (properties->size < sizeof(haigha_properties) ||
                                 properties->size > haigha::capi::max_struct_size)) {
            arguments.fault(Status::struct_version,
                            "properties->size is " + std::to_string(properties->size));
        }
        if (arguments.bad()) return arguments.refuse(error);
        haigha::wire::Properties parsed;
        if (!haigha::wire::parse_properties(core(message)->properties, parsed)) {
            return malformed("the message's properties", error);
        }
        haigha_properties told = HAIGHA_PROPERTIES_INIT;
        told.size = properties->size;
        told.present = parsed.present;
        told.delivery_mode = parsed.delivery_mode;
        told.priority = parsed.priority;
        told.timestamp = parsed.timestamp;
        told.content_type = haigha::capi::str(parsed.content_type);
        told.content_encoding = haigha::capi::str(parsed.content_encoding);
        told.correlation_id = haigha::capi::str(parsed.correlation_id);
        told.reply_to = haigha::capi::str(parsed.reply_to);
        told.expiration = haigha::capi::str(parsed.expiration);
        told.message_id = haigha::capi::str(parsed.message_id);
        told.type = haigha::capi::str(parsed.type);
        told.user_id = haigha::capi::str(parsed.user_id);
        told.app_id = haigha::capi::str(parsed.app_id);
        told.cluster_id = haigha::capi::str(parsed.cluster_id);
        std::memset(properties, 0, properties->size);
        std::memcpy(properties, &told, sizeof told);
        return HAIGHA_OK;
    });
}

haigha_status haigha_message_headers(const haigha_message* message, haigha_cursor* cursor,
                                     haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(message, "message");
        arguments.required(cursor, "cursor");
        if (arguments.bad()) return arguments.refuse(error);
        haigha::wire::Properties parsed;
        if (!haigha::wire::parse_properties(core(message)->properties, parsed)) {
            return malformed("the message's properties", error);
        }
        *cursor = haigha_cursor{parsed.headers.bytes.data(), parsed.headers.bytes.size(), 0, 0};
        return HAIGHA_OK;
    });
}

haigha_str haigha_reply_queue(const haigha_reply* reply) {
    return reply != nullptr ? haigha::capi::str(core(reply)->queue) : haigha_str{nullptr, 0};
}
uint32_t haigha_reply_message_count(const haigha_reply* reply) {
    return reply != nullptr ? core(reply)->message_count : 0;
}
uint64_t haigha_reply_unwritten_bytes(const haigha_reply* reply) {
    return reply != nullptr ? core(reply)->unwritten_bytes : 0;
}
uint64_t haigha_reply_unconfirmed(const haigha_reply* reply) {
    return reply != nullptr ? core(reply)->unconfirmed : 0;
}
uint64_t haigha_reply_unsettled(const haigha_reply* reply) {
    return reply != nullptr ? core(reply)->unsettled : 0;
}
uint32_t haigha_reply_consumer_count(const haigha_reply* reply) {
    return reply != nullptr ? core(reply)->consumer_count : 0;
}
haigha_str haigha_reply_consumer_tag(const haigha_reply* reply) {
    return reply != nullptr ? haigha::capi::str(core(reply)->consumer_tag) : haigha_str{nullptr, 0};
}
haigha_str haigha_reply_mechanism(const haigha_reply* reply) {
    return reply != nullptr ? haigha::capi::str(core(reply)->mechanism) : haigha_str{nullptr, 0};
}
haigha_str haigha_reply_challenge(const haigha_reply* reply) {
    return reply != nullptr ? haigha::capi::str(core(reply)->challenge) : haigha_str{nullptr, 0};
}
haigha_message* haigha_reply_message(const haigha_reply* reply) {
    return reply != nullptr ? reinterpret_cast<haigha_message*>(core(reply)->message.get())
                            : nullptr;
}
int32_t haigha_reply_outcome(const haigha_reply* reply) {
    return reply != nullptr ? core(reply)->outcome : 0;
}
const haigha_error* haigha_reply_return_reason(const haigha_reply* reply) {
    return reply != nullptr
               ? reinterpret_cast<const haigha_error*>(core(reply)->return_reason.get())
               : nullptr;
}
haigha_reply* haigha_reply_ref(const haigha_reply* reply) {
    if (reply != nullptr) core(reply)->add_ref();
    return const_cast<haigha_reply*>(reply);
}
void haigha_reply_unref(haigha_reply* reply) {
    if (reply != nullptr) core(reply)->release();
}
