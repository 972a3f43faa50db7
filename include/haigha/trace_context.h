/* libhaigha: traces that go on in the messages' headers, as W3C Trace Context has them. Read the
 * rules at the top of haigha.h first; they hold here too. */
#ifndef HAIGHA_TRACE_CONTEXT_H
#define HAIGHA_TRACE_CONTEXT_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where in which trace something was done. In a message it is two headers, STRINGs: "traceparent"
 * and, where it is not empty, "tracestate". A program has it from its tracing library, or makes it:
 * 16 and 8 random octets. Frozen. Source: W3C, "Trace Context", level 1, for the format;
 * "Trace Context: AMQP protocol" for the headers' names. */
typedef struct haigha_trace_context {
    uint8_t trace_id[16];  /* not all zeros */
    uint8_t parent_id[8];  /* of the span; not all zeros */
    uint8_t flags;         /* HAIGHA_TRACE_SAMPLED */
    uint8_t reserved[7];   /* zeros */
    haigha_str tracestate; /* what tracing systems add, passed on as it is; may be empty */
} haigha_trace_context;

enum {
    HAIGHA_TRACE_SAMPLED = 1 /* whoever sent it may have recorded it */
};

/* The text of a traceparent, without a NUL at its end. */
#define HAIGHA_TRACEPARENT_SIZE 55

/* Reads both texts. A later version's traceparent is read as far as version 00 goes. A tracestate
 * that is not valid (over 32 members, a key twice or with capitals, ...) is left out, as the
 * standard has it; otherwise it borrows. Errors: ARGUMENT, MALFORMED (a traceparent with other than
 * lower-case digits, with version ff, with an id of zeros, ...; the message says which). Since:
 * 0.1.
 */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_trace_context_parse(haigha_str traceparent, haigha_str tracestate,
                           haigha_trace_context* context, haigha_error** error);
/* Writes the traceparent, version 00; of the flags only HAIGHA_TRACE_SAMPLED. Errors: ARGUMENT (an
 * id of zeros). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_trace_context_format(
    const haigha_trace_context* context, char text[HAIGHA_TRACEPARENT_SIZE], haigha_error** error);

/* What a message came with: *found is 1 and *context filled, tracestate borrowed from the message;
 * or *found is 0, when it has no valid context, which a program treats as the beginning of a trace.
 * Errors: ARGUMENT, MALFORMED (headers that cannot be decoded). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_message_trace_context(const haigha_message* message, haigha_trace_context* context,
                             int32_t* found, haigha_error** error);
/* Adds the two headers to a table. Errors: ARGUMENT (an id of zeros, a tracestate that is not
 * valid, a table that has a traceparent or tracestate, an array). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_add_trace_context(
    haigha_table* table, const haigha_trace_context* context, haigha_error** error);

/* Fills *context, which is all zeros before, and returns 1; or returns 0: the message has none.
 * What tracestate points to must stay until the call that publishes has returned. Called by whoever
 * publishes, on the same thread, with no lock held. May call this library; must not throw. */
typedef int32_t (*haigha_trace_fn)(haigha_str exchange, haigha_str routing_key,
                                   haigha_trace_context* context, void* user_data);

/* From now on `fn` is asked for the context of each message that is published on this connection,
 * by whatever function of this library's, pools, prepared publishers, bodies in pieces and answers
 * included, unless the message has a header traceparent or tracestate already. A context that is
 * not valid is no context: the message goes without. Before the connection is opened, and once.
 * `release` (may be NULL) runs once, when the connection is gone. Errors: ARGUMENT, CLOSED (too
 * late, or a second one), FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_connection_set_trace_fn(haigha_connection* connection, haigha_trace_fn fn, void* user_data,
                               haigha_release_fn release, haigha_error** error);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_TRACE_CONTEXT_H */
