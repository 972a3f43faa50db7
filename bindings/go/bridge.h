/* What Go calls. cgo passes no pointer to Go memory that holds pointers, so the argument structs of
 * haigha.h are put together here, on C's stack, from strings and numbers; and an outcome comes back by
 * value, so that nothing has to be allocated for it. Only for preambles of cgo, which know _GoString_. */
#ifndef HAIGHA_GO_BRIDGE_H
#define HAIGHA_GO_BRIDGE_H

#include <haigha/haigha.h>
#include <haigha/pool.h>
#include <stdlib.h>
#include <string.h>

#if HAIGHA_VERSION < HAIGHA_MAKE_VERSION(0, 1, 0) || HAIGHA_VERSION >= HAIGHA_MAKE_VERSION(0, 2, 0)
#error "this package is for libhaigha 0.1"
#endif

/* How a call ended. */
typedef struct hg_result {
    haigha_error* error; /* to be freed */
    void* object;        /* what the call made */
    uint64_t number;     /* of a publish */
    int32_t status;
    int32_t reserved;
} hg_result;

static inline haigha_str hg_str(_GoString_ text) {
    haigha_str view;
    view.data = _GoStringPtr(text);
    view.size = _GoStringLen(text);
    return view;
}

static inline haigha_str hg_bytes(const char* data, size_t size) {
    haigha_str view;
    view.data = data;
    view.size = size;
    return view;
}

/* An answer that goes into `inbox`; none is wanted where that is NULL. */
static inline haigha_then hg_then(haigha_inbox* inbox, uint64_t tag) {
    haigha_then then = {NULL, NULL, NULL, NULL, 0};
    then.inbox = inbox;
    then.tag = tag;
    return then;
}

static inline hg_result hg_result_of(void) {
    hg_result result = {NULL, NULL, 0, 0, 0};
    return result;
}

/* ---- errors ---------------------------------------------------------------------------------- */

typedef struct hg_error {
    haigha_str reply_text;
    haigha_str host;
    const char* message;
    const char* method;
    const char* stage;
    int32_t status;
    int32_t os_errno;
    uint16_t reply_code;
    uint16_t channel_id;
    uint16_t reserved[2];
} hg_error;

static inline hg_error hg_error_read(const haigha_error* error) {
    hg_error read;
    memset(&read, 0, sizeof read);
    read.reply_text = haigha_error_reply_text(error);
    read.host = haigha_error_host(error);
    read.message = haigha_error_message(error);
    read.method = haigha_error_method_name(error);
    read.stage = haigha_error_stage_name(error);
    read.status = haigha_error_status(error);
    read.os_errno = haigha_error_os_errno(error);
    read.reply_code = haigha_error_reply_code(error);
    read.channel_id = haigha_error_channel_id(error);
    return read;
}

/* ---- the inbox ------------------------------------------------------------------------------- */

#define HG_BATCH 256

/* In C's memory: cgo would look through an array of Go's for pointers with each call. */
typedef struct hg_batch {
    haigha_event events[HG_BATCH];
    uint32_t present[HG_BATCH]; /* of a message: which properties it has */
} hg_batch;

static inline hg_result hg_inbox_new(size_t capacity) {
    hg_result result = hg_result_of();
    haigha_inbox* inbox = NULL;
    result.status = haigha_inbox_new(capacity, &inbox, &result.error);
    result.object = inbox;
    return result;
}

static inline size_t hg_poll(haigha_inbox* inbox, hg_batch* batch) {
    size_t count = 0;
    size_t i;
    haigha_inbox_poll(inbox, batch->events, sizeof(haigha_event), HG_BATCH, 0, &count, NULL);
    for (i = 0; i < count; ++i) {
        const uint32_t type = batch->events[i].type;
        batch->present[i] = 0;
        if (type == HAIGHA_EVENT_DELIVERY || type == HAIGHA_EVENT_RETURN) {
            haigha_properties properties = HAIGHA_PROPERTIES_INIT;
            haigha_message_properties(batch->events[i].message, &properties, NULL);
            batch->present[i] = properties.present;
        }
    }
    return count;
}

/* ---- options and connections ----------------------------------------------------------------- */

static inline hg_result hg_options_set_uri(haigha_options* options, _GoString_ uri) {
    hg_result result = hg_result_of();
    result.status = haigha_options_set_uri(options, hg_str(uri), &result.error);
    return result;
}

static inline hg_result hg_options_set_string(haigha_options* options, _GoString_ name,
                                              _GoString_ value) {
    hg_result result = hg_result_of();
    result.status = haigha_options_set_string(options, hg_str(name), hg_str(value), &result.error);
    return result;
}

static inline hg_result hg_options_set_int(haigha_options* options, _GoString_ name, int64_t value) {
    hg_result result = hg_result_of();
    result.status = haigha_options_set_int(options, hg_str(name), value, &result.error);
    return result;
}

static inline haigha_option_info hg_options_describe(size_t index) {
    haigha_option_info info;
    memset(&info, 0, sizeof info);
    info.size = sizeof info;
    if (haigha_options_describe(index, &info) != HAIGHA_OK) info.type = 0;
    return info;
}

/* On a loop of its own, which ends with it. */
static inline hg_result hg_connection_new(const haigha_options* options, haigha_inbox* inbox) {
    hg_result result = hg_result_of();
    haigha_loop* loop = NULL;
    haigha_connection* connection = NULL;
    const haigha_then then = hg_then(inbox, 0);
    result.status = haigha_loop_start(&loop, &result.error);
    if (result.status != HAIGHA_OK) return result;
    result.status = haigha_connection_new(loop, options, &then, &connection, &result.error);
    haigha_loop_unref(loop);
    result.object = connection;
    return result;
}

static inline hg_result hg_connection_open(haigha_connection* connection, haigha_inbox* inbox,
                                           uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    result.status = haigha_connection_open(connection, &then, &result.error);
    return result;
}

static inline hg_result hg_connection_close(haigha_connection* connection, haigha_inbox* inbox,
                                            uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    result.status = haigha_connection_close(connection, &then, &result.error);
    return result;
}

static inline hg_result hg_connection_stop(haigha_connection* connection, uint32_t settle_ms,
                                           uint32_t publish_ms, haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    haigha_stop_args args = HAIGHA_STOP_ARGS_INIT;
    args.settle_timeout_ms = settle_ms;
    args.publish_timeout_ms = publish_ms;
    result.status = haigha_connection_stop(connection, &args, &then, &result.error);
    return result;
}

static inline hg_result hg_connection_flush(haigha_connection* connection, haigha_inbox* inbox,
                                            uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    result.status = haigha_connection_flush(connection, &then, &result.error);
    return result;
}

static inline hg_result hg_connection_update_secret(haigha_connection* connection, _GoString_ secret,
                                                    _GoString_ reason, haigha_inbox* inbox,
                                                    uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    result.status = haigha_connection_update_secret(connection, hg_str(secret), hg_str(reason), &then,
                                                    &result.error);
    return result;
}

static inline hg_result hg_connection_info(const haigha_connection* connection, _GoString_ name) {
    hg_result result = hg_result_of();
    int64_t value = 0;
    result.status = haigha_connection_info(connection, hg_str(name), &value, &result.error);
    result.number = (uint64_t)value;
    return result;
}

/* which: 0 the server's properties, 1 what is known of the peer */
static inline hg_result hg_connection_table(const haigha_connection* connection, int32_t which) {
    hg_result result = hg_result_of();
    haigha_table* table = NULL;
    result.status = which == 0
                        ? haigha_connection_server_properties(connection, &table, &result.error)
                        : haigha_connection_peer_info(connection, &table, &result.error);
    result.object = table;
    return result;
}

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
    case HG_CLOSE: result.status = haigha_channel_close(channel, &then, &result.error); break;
    case HG_TX_SELECT: result.status = haigha_tx_select(channel, &then, &result.error); break;
    case HG_TX_COMMIT: result.status = haigha_tx_commit(channel, &then, &result.error); break;
    case HG_TX_ROLLBACK: result.status = haigha_tx_rollback(channel, &then, &result.error); break;
    default: result.status = haigha_recover(channel, 1, &then, &result.error);
    }
    return result;
}

/* Bits of `flags` below. */
enum { HG_PASSIVE = 1, HG_DURABLE = 2, HG_EXCLUSIVE = 4, HG_AUTO_DELETE = 8, HG_INTERNAL = 16 };
enum { HG_IF_UNUSED = 1, HG_IF_EMPTY = 2 };
enum { HG_NO_LOCAL = 1, HG_NO_ACK = 2, HG_ALONE = 4, HG_PAUSE_WHEN_FULL = 8 };
#define HG_HAS(flags, bit) ((uint8_t)(((flags) & (bit)) != 0))

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

static inline hg_result hg_consume(haigha_channel* channel, _GoString_ queue, _GoString_ consumer_tag,
                                   uint32_t flags, const haigha_table* arguments,
                                   haigha_inbox* deliveries, haigha_inbox* inbox, uint64_t tag) {
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

static inline hg_result hg_cancel(haigha_channel* channel, _GoString_ consumer_tag,
                                  haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    result.status = haigha_cancel(channel, hg_str(consumer_tag), &then, &result.error);
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
    case HG_ACK: result.status = haigha_ack(channel, delivery_tag, flags, &result.error); break;
    case HG_NACK: result.status = haigha_nack(channel, delivery_tag, flags, &result.error); break;
    default: result.status = haigha_reject(channel, delivery_tag, flags, &result.error);
    }
    return result;
}

/* ---- messages -------------------------------------------------------------------------------- */

static inline haigha_properties hg_message_properties(const haigha_message* message) {
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    haigha_message_properties(message, &properties, NULL);
    return properties;
}

typedef struct hg_message {
    haigha_str body;
    haigha_str exchange;
    haigha_str routing_key;
    uint64_t delivery_tag;
    int32_t redelivered;
    uint32_t present;
} hg_message;

static inline hg_message hg_message_read(const haigha_message* message) {
    hg_message read;
    memset(&read, 0, sizeof read);
    read.body = haigha_message_body(message);
    read.exchange = haigha_message_exchange(message);
    read.routing_key = haigha_message_routing_key(message);
    read.delivery_tag = haigha_message_delivery_tag(message);
    read.redelivered = haigha_message_redelivered(message);
    read.present = hg_message_properties(message).present;
    return read;
}

typedef struct hg_reply {
    haigha_str queue;
    haigha_str consumer_tag;
    const haigha_message* message;
    uint64_t unwritten_bytes;
    uint64_t unconfirmed;
    uint64_t unsettled;
    uint32_t message_count;
    uint32_t consumer_count;
} hg_reply;

static inline hg_reply hg_reply_read(const haigha_reply* reply) {
    hg_reply read;
    memset(&read, 0, sizeof read);
    read.queue = haigha_reply_queue(reply);
    read.consumer_tag = haigha_reply_consumer_tag(reply);
    read.message = haigha_reply_message(reply);
    read.unwritten_bytes = haigha_reply_unwritten_bytes(reply);
    read.unconfirmed = haigha_reply_unconfirmed(reply);
    read.unsettled = haigha_reply_unsettled(reply);
    read.message_count = haigha_reply_message_count(reply);
    read.consumer_count = haigha_reply_consumer_count(reply);
    return read;
}

/* ---- field tables ---------------------------------------------------------------------------- */

static inline hg_result hg_table_new(int32_t is_array) {
    hg_result result = hg_result_of();
    haigha_table* table = NULL;
    result.status = is_array ? haigha_table_new_array(&table, &result.error)
                             : haigha_table_new(&table, &result.error);
    result.object = table;
    return result;
}

static inline hg_result hg_table_add(haigha_table* table, _GoString_ name, uint32_t type,
                                     int64_t integer, double real, uint32_t scale, _GoString_ bytes) {
    hg_result result = hg_result_of();
    haigha_field field;
    memset(&field, 0, sizeof field);
    field.name = hg_str(name);
    field.bytes = hg_str(bytes);
    field.integer = integer;
    field.real = real;
    field.type = type;
    field.scale = scale;
    result.status = haigha_table_add(table, &field, &result.error);
    return result;
}

static inline hg_result hg_table_add_table(haigha_table* table, _GoString_ name,
                                           const haigha_table* value) {
    hg_result result = hg_result_of();
    result.status = haigha_table_add_table(table, hg_str(name), value, &result.error);
    return result;
}

#define HG_FIELDS 32

/* One level of a table while it is read, in C's memory. */
typedef struct hg_level {
    haigha_cursor cursor;
    haigha_field fields[HG_FIELDS];
} hg_level;

/* The next fields, at most HG_FIELDS; negative when they cannot be decoded. */
static inline int32_t hg_level_next(hg_level* level) {
    int32_t count = 0;
    while (count < HG_FIELDS) {
        const int32_t status = haigha_cursor_next(&level->cursor, &level->fields[count]);
        if (status < 0) return status;
        if (status == 0) break;
        ++count;
    }
    return count;
}

static inline hg_level* hg_level_of_message(const haigha_message* message) {
    hg_level* level = (hg_level*)calloc(1, sizeof *level);
    if (level != NULL && haigha_message_headers(message, &level->cursor, NULL) != HAIGHA_OK) {
        free(level);
        return NULL;
    }
    return level;
}

static inline hg_level* hg_level_of_table(const haigha_table* table) {
    hg_level* level = (hg_level*)calloc(1, sizeof *level);
    if (level != NULL && haigha_table_cursor(table, &level->cursor) != HAIGHA_OK) {
        free(level);
        return NULL;
    }
    return level;
}

static inline hg_level* hg_level_enter(const hg_level* outer, int32_t index) {
    hg_level* level = (hg_level*)calloc(1, sizeof *level);
    if (level != NULL &&
        haigha_cursor_enter(&outer->cursor, &outer->fields[index], &level->cursor) != HAIGHA_OK) {
        free(level);
        return NULL;
    }
    return level;
}

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
        result.status =
            haigha_pool_publish((haigha_pool*)target, args, body, &result.number, &result.error);
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

static inline hg_result hg_publish_with(
    uintptr_t target, int32_t kind, _GoString_ exchange, _GoString_ routing_key, uint32_t flags,
    const char* body, size_t size, uint32_t present, uint8_t delivery_mode, uint8_t priority,
    uint64_t timestamp, const haigha_table* headers, _GoString_ content_type,
    _GoString_ content_encoding, _GoString_ correlation_id, _GoString_ reply_to,
    _GoString_ expiration, _GoString_ message_id, _GoString_ type, _GoString_ user_id,
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

#endif /* HAIGHA_GO_BRIDGE_H */
