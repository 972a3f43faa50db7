/* Messages, replies and field tables: see bridge.h. */
#ifndef HAIGHA_GO_BRIDGE_MESSAGE_H
#define HAIGHA_GO_BRIDGE_MESSAGE_H

#include "bridge.h"

/* ---- messages -------------------------------------------------------------------------------- */

typedef struct hg_properties {
    haigha_properties of;
    int32_t status;
    uint32_t reserved;
} hg_properties;

static inline hg_properties hg_message_properties(const haigha_message* message) {
    hg_properties read = {HAIGHA_PROPERTIES_INIT, 0, 0};
    read.status = haigha_message_properties(message, &read.of, NULL);
    return read;
}

typedef struct hg_message {
    haigha_str body;
    haigha_str exchange;
    haigha_str routing_key;
    uint64_t delivery_tag;
} hg_message;

static inline hg_message hg_message_read(const haigha_message* message) {
    hg_message read;
    memset(&read, 0, sizeof read);
    read.body = haigha_message_body(message);
    read.exchange = haigha_message_exchange(message);
    read.routing_key = haigha_message_routing_key(message);
    read.delivery_tag = haigha_message_delivery_tag(message);
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
                                     int64_t integer, double real, uint32_t scale,
                                     _GoString_ bytes) {
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

#endif /* HAIGHA_GO_BRIDGE_MESSAGE_H */
