/* What Go calls. cgo passes no pointer to Go memory that holds pointers, so the argument structs of
 * haigha.h are put together here, on C's stack, from strings and numbers; and an outcome comes back
 * by value, so that nothing has to be allocated for it. Only for preambles of cgo, which know
 * _GoString_. */
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

/* A bit as a member of haigha.h's that is 0 or 1. */
#define HG_HAS(flags, bit) ((uint8_t)(((flags) & (bit)) != 0))

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
    size_t shared; /* octets of the bodies that are no larger than HG_SHARED */
} hg_batch;

/* Bodies up to this share memory with their neighbours. */
#define HG_SHARED 2048

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
    batch->shared = 0;
    for (i = 0; i < count; ++i) {
        const size_t size = batch->events[i].body.size;
        if (size <= HG_SHARED) batch->shared += size;
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

static inline hg_result hg_options_set_int(haigha_options* options, _GoString_ name,
                                           int64_t value) {
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

static inline hg_result hg_connection_update_secret(haigha_connection* connection,
                                                    _GoString_ secret, _GoString_ reason,
                                                    haigha_inbox* inbox, uint64_t tag) {
    hg_result result = hg_result_of();
    const haigha_then then = hg_then(inbox, tag);
    result.status = haigha_connection_update_secret(connection, hg_str(secret), hg_str(reason),
                                                    &then, &result.error);
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

#endif /* HAIGHA_GO_BRIDGE_H */
