// The basic properties that are text, by the names that they have in JSON.
#pragma once

#include <haigha/haigha.h>

#include <cstdint>

namespace tool {

struct PropertyText {
    const char* name;
    std::uint32_t bit;
    haigha_str haigha_properties::*member;
};

// In the order of the wire, as far as they are text.
inline constexpr PropertyText property_texts[] = {
    {"content_type", HAIGHA_PROPERTY_CONTENT_TYPE, &haigha_properties::content_type},
    {"content_encoding", HAIGHA_PROPERTY_CONTENT_ENCODING, &haigha_properties::content_encoding},
    {"correlation_id", HAIGHA_PROPERTY_CORRELATION_ID, &haigha_properties::correlation_id},
    {"reply_to", HAIGHA_PROPERTY_REPLY_TO, &haigha_properties::reply_to},
    {"expiration", HAIGHA_PROPERTY_EXPIRATION, &haigha_properties::expiration},
    {"message_id", HAIGHA_PROPERTY_MESSAGE_ID, &haigha_properties::message_id},
    {"type", HAIGHA_PROPERTY_TYPE, &haigha_properties::type},
    {"user_id", HAIGHA_PROPERTY_USER_ID, &haigha_properties::user_id},
    {"app_id", HAIGHA_PROPERTY_APP_ID, &haigha_properties::app_id},
    {"cluster_id", HAIGHA_PROPERTY_CLUSTER_ID, &haigha_properties::cluster_id},
};

}  // namespace tool
