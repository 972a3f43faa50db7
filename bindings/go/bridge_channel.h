/* Calls on a channel: see bridge.h. */
#ifndef HAIGHA_GO_BRIDGE_CHANNEL_H
#define HAIGHA_GO_BRIDGE_CHANNEL_H

#include "bridge.h"

/* ---- channels -------------------------------------------------------------------------------- */

typedef struct hg_channel_options {
    uint64_t max_in_flight;
    uint64_t max_in_flight_bytes;
    uint64_t publish_max_age_ms;
    uint8_t confirm;
    uint8_t correlate_returns;
    uint8_t recovery_policy;
    uint8_t publish_policy;
    uint8_t reserved[4];
} hg_channel_options;

static inline hg_result hg_channel_open(haigha_connection* connection, hg_channel_options options,
                                        haigha_inbox* inbox, uint64_t events, uint64_t tag) {
    hg_result result = hg_result_of();
    haigha_channel* channel = NULL;
    const haigha_then then = hg_then(inbox, tag);
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.events = hg_then(inbox, events);
    args.confirm = options.confirm;
    args.correlate_returns = options.correlate_returns;
    args.recovery_policy = options.recovery_policy;
    args.publish_policy = options.publish_policy;
    args.max_in_flight = options.max_in_flight;
    args.max_in_flight_bytes = options.max_in_flight_bytes;
    args.publish_max_age_ms = options.publish_max_age_ms;
    result.status = haigha_channel_open(connection, &args, &then, &channel, &result.error);
    result.object = channel;
    return result;
}

/* Calls with nothing but a channel. */
enum { HG_CLOSE, HG_TX_SELECT, HG_TX_COMMIT, HG_TX_ROLLBACK, HG_RECOVER };

static inline hg_result hg_channel_call(haigha_channel* channel, int32_t call, haigha_inbox* inbox,
                                        uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    switch (call) {
        case HG_CLOSE:
            result.status = haigha_channel_close(channel, &then, &result.error);
            break;
        case HG_TX_SELECT:
            result.status = haigha_tx_select(channel, &then, &result.error);
            break;
        case HG_TX_COMMIT:
            result.status = haigha_tx_commit(channel, &then, &result.error);
            break;
        case HG_TX_ROLLBACK:
            result.status = haigha_tx_rollback(channel, &then, &result.error);
            break;
        default:
            result.status = haigha_recover(channel, 1, &then, &result.error);
    }
    return result;
}

/* Bits of `flags` below. */
enum { HG_PASSIVE = 1, HG_DURABLE = 2, HG_EXCLUSIVE = 4, HG_AUTO_DELETE = 8, HG_INTERNAL = 16 };
enum { HG_IF_UNUSED = 1, HG_IF_EMPTY = 2 };
enum { HG_NO_LOCAL = 1, HG_NO_ACK = 2, HG_ALONE = 4, HG_PAUSE_WHEN_FULL = 8 };

static inline hg_result hg_exchange_declare(haigha_channel* channel, _GoString_ exchange,
                                            _GoString_ type, uint32_t flags,
                                            const haigha_table* arguments, haigha_inbox* inbox,
                                            uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    args.exchange = hg_str(exchange);
    args.type = hg_str(type);
    args.passive = HG_HAS(flags, HG_PASSIVE);
    args.durable = HG_HAS(flags, HG_DURABLE);
    args.auto_delete = HG_HAS(flags, HG_AUTO_DELETE);
    args.internal = HG_HAS(flags, HG_INTERNAL);
    args.arguments = arguments;
    result.status = haigha_exchange_declare(channel, &args, &then, &result.error);
    return result;
}

static inline hg_result hg_exchange_delete(haigha_channel* channel, _GoString_ exchange,
                                           uint32_t flags, haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
    args.exchange = hg_str(exchange);
    args.if_unused = HG_HAS(flags, HG_IF_UNUSED);
    result.status = haigha_exchange_delete(channel, &args, &then, &result.error);
    return result;
}

static inline hg_result hg_exchange_bind(haigha_channel* channel, int32_t unbind,
                                         _GoString_ destination, _GoString_ source,
                                         _GoString_ routing_key, const haigha_table* arguments,
                                         haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_exchange_bind_args args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    args.destination = hg_str(destination);
    args.source = hg_str(source);
    args.routing_key = hg_str(routing_key);
    args.arguments = arguments;
    result.status = unbind ? haigha_exchange_unbind(channel, &args, &then, &result.error)
                           : haigha_exchange_bind(channel, &args, &then, &result.error);
    return result;
}

static inline hg_result hg_queue_declare(haigha_channel* channel, _GoString_ queue, uint32_t flags,
                                         const haigha_table* arguments, haigha_inbox* inbox,
                                         uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = hg_str(queue);
    args.passive = HG_HAS(flags, HG_PASSIVE);
    args.durable = HG_HAS(flags, HG_DURABLE);
    args.exclusive = HG_HAS(flags, HG_EXCLUSIVE);
    args.auto_delete = HG_HAS(flags, HG_AUTO_DELETE);
    args.arguments = arguments;
    result.status = haigha_queue_declare(channel, &args, &then, &result.error);
    return result;
}

static inline hg_result hg_queue_bind(haigha_channel* channel, int32_t unbind, _GoString_ queue,
                                      _GoString_ exchange, _GoString_ routing_key,
                                      const haigha_table* arguments, haigha_inbox* inbox,
                                      uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
    args.queue = hg_str(queue);
    args.exchange = hg_str(exchange);
    args.routing_key = hg_str(routing_key);
    args.arguments = arguments;
    result.status = unbind ? haigha_queue_unbind(channel, &args, &then, &result.error)
                           : haigha_queue_bind(channel, &args, &then, &result.error);
    return result;
}

static inline hg_result hg_queue_purge(haigha_channel* channel, _GoString_ queue,
                                       haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    result.status = haigha_queue_purge(channel, hg_str(queue), &then, &result.error);
    return result;
}

static inline hg_result hg_queue_delete(haigha_channel* channel, _GoString_ queue, uint32_t flags,
                                        haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    args.queue = hg_str(queue);
    args.if_unused = HG_HAS(flags, HG_IF_UNUSED);
    args.if_empty = HG_HAS(flags, HG_IF_EMPTY);
    result.status = haigha_queue_delete(channel, &args, &then, &result.error);
    return result;
}

/* ---- consuming ------------------------------------------------------------------------------- */

static inline hg_result hg_qos(haigha_channel* channel, uint16_t count, int32_t global,
                               haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_qos_args args = HAIGHA_QOS_ARGS_INIT;
    args.prefetch_count = count;
    args.global = (uint8_t)(global != 0);
    result.status = haigha_qos(channel, &args, &then, &result.error);
    return result;
}

static inline hg_result hg_consume(haigha_channel* channel, _GoString_ queue,
                                   _GoString_ consumer_tag, uint32_t flags,
                                   const haigha_table* arguments, haigha_inbox* deliveries,
                                   haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = hg_str(queue);
    args.consumer_tag = hg_str(consumer_tag);
    args.deliveries = hg_then(deliveries, 0);
    args.no_local = HG_HAS(flags, HG_NO_LOCAL);
    args.no_ack = HG_HAS(flags, HG_NO_ACK);
    args.exclusive = HG_HAS(flags, HG_ALONE);
    args.pause_when_full = HG_HAS(flags, HG_PAUSE_WHEN_FULL);
    args.arguments = arguments;
    result.status = haigha_consume(channel, &args, &then, &result.error);
    return result;
}

/* Calls with nothing but a consumer's tag, and of HG_DRAIN a time. */
enum { HG_CANCEL, HG_PAUSE, HG_RESUME, HG_DRAIN };

static inline hg_result hg_consumer_call(haigha_channel* channel, int32_t call,
                                         _GoString_ consumer_tag, int64_t timeout_ms,
                                         haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    const haigha_str consumer = hg_str(consumer_tag);
    switch (call) {
        case HG_CANCEL:
            result.status = haigha_cancel(channel, consumer, &then, &result.error);
            break;
        case HG_PAUSE:
            result.status = haigha_consumer_pause(channel, consumer, &then, &result.error);
            break;
        case HG_RESUME:
            result.status = haigha_consumer_resume(channel, consumer, &then, &result.error);
            break;
        default:
            result.status =
                haigha_consumer_drain(channel, consumer, timeout_ms, &then, &result.error);
    }
    return result;
}

static inline hg_result hg_get(haigha_channel* channel, _GoString_ queue, int32_t no_ack,
                               haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_get_args args = HAIGHA_GET_ARGS_INIT;
    args.queue = hg_str(queue);
    args.no_ack = (uint8_t)(no_ack != 0);
    result.status = haigha_get(channel, &args, &then, &result.error);
    return result;
}

enum { HG_ACK, HG_NACK, HG_REJECT };

static inline hg_result hg_settle(haigha_channel* channel, int32_t how, uint64_t delivery_tag,
                                  uint32_t flags) {
    hg_result result = hg_result_of();
    switch (how) {
        case HG_ACK:
            result.status = haigha_ack(channel, delivery_tag, flags, &result.error);
            break;
        case HG_NACK:
            result.status = haigha_nack(channel, delivery_tag, flags, &result.error);
            break;
        default:
            result.status = haigha_reject(channel, delivery_tag, flags, &result.error);
    }
    return result;
}

#endif /* HAIGHA_GO_BRIDGE_CHANNEL_H */
