/* Publishing, on channels and by pools: see bridge.h. */
#ifndef HAIGHA_GO_BRIDGE_PUBLISH_H
#define HAIGHA_GO_BRIDGE_PUBLISH_H

#include "bridge.h"

/* ---- publishing ------------------------------------------------------------------------------ */

enum { HG_MANDATORY = 1, HG_IMMEDIATE = 2 };
enum { HG_ON_CHANNEL, HG_PREPARE, HG_ON_POOL };

/* `target` is a haigha_channel, or of HG_ON_POOL a haigha_pool. */
static inline hg_result hg_publish_args(void* target, int32_t kind, haigha_publish_args* args,
                                        uint32_t flags, haigha_str body) {
    hg_result result = hg_result_of();
    haigha_publisher* publisher = NULL;
    args->mandatory = HG_HAS(flags, HG_MANDATORY);
    args->immediate = HG_HAS(flags, HG_IMMEDIATE);
    switch (kind) {
        case HG_ON_CHANNEL:
            result.status =
                haigha_publish((haigha_channel*)target, args, body, &result.number, &result.error);
            break;
        case HG_PREPARE:
            result.status =
                haigha_publisher_new((haigha_channel*)target, args, &publisher, &result.error);
            result.object = publisher;
            break;
        default:
            result.status = haigha_pool_publish((haigha_pool*)target, args, body, &result.number,
                                                &result.error);
    }
    return result;
}

static inline hg_result hg_publish(uintptr_t target, int32_t kind, _GoString_ exchange,
                                   _GoString_ routing_key, uint32_t flags, const char* body,
                                   size_t size) {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.exchange = hg_str(exchange);
    args.routing_key = hg_str(routing_key);
    return hg_publish_args((void*)target, kind, &args, flags, hg_bytes(body, size));
}

static inline hg_result hg_publish_with(uintptr_t target, int32_t kind, _GoString_ exchange,
                                        _GoString_ routing_key, uint32_t flags, const char* body,
                                        size_t size, uint32_t present, uint8_t delivery_mode,
                                        uint8_t priority, uint64_t timestamp,
                                        const haigha_table* headers, _GoString_ content_type,
                                        _GoString_ content_encoding, _GoString_ correlation_id,
                                        _GoString_ reply_to, _GoString_ expiration,
                                        _GoString_ message_id, _GoString_ type, _GoString_ user_id,
                                        _GoString_ app_id, _GoString_ cluster_id) {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = present;
    properties.delivery_mode = delivery_mode;
    properties.priority = priority;
    properties.timestamp = timestamp;
    properties.headers = headers;
    properties.content_type = hg_str(content_type);
    properties.content_encoding = hg_str(content_encoding);
    properties.correlation_id = hg_str(correlation_id);
    properties.reply_to = hg_str(reply_to);
    properties.expiration = hg_str(expiration);
    properties.message_id = hg_str(message_id);
    properties.type = hg_str(type);
    properties.user_id = hg_str(user_id);
    properties.app_id = hg_str(app_id);
    properties.cluster_id = hg_str(cluster_id);
    args.exchange = hg_str(exchange);
    args.routing_key = hg_str(routing_key);
    args.properties = &properties;
    return hg_publish_args((void*)target, kind, &args, flags, hg_bytes(body, size));
}

static inline hg_result hg_publisher_publish(haigha_publisher* publisher, const char* body,
                                             size_t size) {
    hg_result result = hg_result_of();
    result.status = haigha_publisher_publish(publisher, hg_bytes(body, size), NULL, &result.number,
                                             &result.error);
    return result;
}

/* ---- pools ----------------------------------------------------------------------------------- */

typedef struct hg_pool_options {
    uint64_t max_in_flight;
    uint64_t max_messages;
    uint64_t max_bytes;
    uint32_t max_channels;
    uint32_t max_attempts;
    uint8_t mode;
    uint8_t retry;
    uint8_t correlate_returns;
    uint8_t reserved[5];
} hg_pool_options;

static inline hg_result hg_pool_new(haigha_connection* connection, hg_pool_options options,
                                    haigha_inbox* inbox, uint64_t events) {
    hg_result result = hg_result_of();
    haigha_pool* pool = NULL;
    haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
    args.events = hg_then(inbox, events);
    args.mode = options.mode;
    args.retry = options.retry;
    args.correlate_returns = options.correlate_returns;
    args.max_channels = options.max_channels;
    args.max_attempts = options.max_attempts;
    args.max_in_flight = options.max_in_flight;
    args.max_messages = options.max_messages;
    args.max_bytes = options.max_bytes;
    result.status = haigha_pool_new(connection, &args, &pool, &result.error);
    result.object = pool;
    return result;
}

static inline hg_result hg_pool_drain(haigha_pool* pool, haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    result.status = haigha_pool_drain(pool, &then, &result.error);
    return result;
}

static inline hg_result hg_pool_close(haigha_pool* pool, haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    result.status = haigha_pool_close(pool, &then, &result.error);
    return result;
}

static inline hg_result hg_pool_info(const haigha_pool* pool, _GoString_ name) {
    hg_result result = hg_result_of();
    int64_t value = 0;
    result.status = haigha_pool_info(pool, hg_str(name), &value, &result.error);
    result.number = (uint64_t)value;
    return result;
}

#endif /* HAIGHA_GO_BRIDGE_PUBLISH_H */
