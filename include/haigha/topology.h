/* libhaigha: exchanges, queues and bindings as a description, compared with what a broker has and
 * applied to it. Read the rules at the top of haigha.h first; they hold here too. */
#ifndef HAIGHA_TOPOLOGY_H
#define HAIGHA_TOPOLOGY_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a program wants to be there. Built by calls or read from text, then used any number of
 * times. Not for two threads at once while it is being built. */
typedef struct haigha_topology haigha_topology;
/* What became of each entity of it. */
typedef struct haigha_topology_report haigha_topology_report;

HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_topology_new(haigha_topology** topology,
                                                                haigha_error** error);
/* Adds a copy of what an entity would be declared, or bound, with. A binding names what it binds,
 * also where haigha.h lets it be empty. Errors: ARGUMENT (also: passive; a queue without a name;
 * one that is described already, in another way), STRUCT_VERSION, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_topology_add_exchange(
    haigha_topology* topology, const haigha_exchange_declare_args* args, haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_topology_add_queue(
    haigha_topology* topology, const haigha_queue_declare_args* args, haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_topology_add_queue_binding(
    haigha_topology* topology, const haigha_queue_bind_args* args, haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_topology_add_exchange_binding(
    haigha_topology* topology, const haigha_exchange_bind_args* args, haigha_error** error);
/* Adds what `text` says, an entity a line:
 *
 *   # orders and who hears of them
 *   exchange orders topic durable alternate-exchange=unrouted
 *   exchange unrouted fanout durable
 *   queue billing durable x-queue-type=quorum x-delivery-limit=5
 *   queue "every order" durable
 *   bind billing from orders by order.paid
 *   bind "every order" from orders by #
 *   bind exchange unrouted from orders by lost x-match=all
 *
 * exchange NAME TYPE and queue NAME take durable, auto-delete and arguments; an exchange internal
 * too, a queue exclusive. `by` and the routing key may be left out. An argument's value is an
 * integer, true, false, or else text. What holds spaces, or would be read as something else, is in
 * double quotes, where \" and \\ stand for these two. A line that begins with # is a comment. With
 * an error nothing was added. Errors: ARGUMENT (the sentence says in which line), NO_MEMORY. Since:
 * 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_topology_add_text(haigha_topology* topology,
                                                                     haigha_str text,
                                                                     haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_topology_free(haigha_topology* topology);

/* What a row of a report is about. */
enum {
    HAIGHA_TOPOLOGY_EXCHANGE = 1,
    HAIGHA_TOPOLOGY_QUEUE = 2,
    HAIGHA_TOPOLOGY_QUEUE_BINDING = 3,
    HAIGHA_TOPOLOGY_EXCHANGE_BINDING = 4
};

/* And what was found of it, or done. */
enum {
    HAIGHA_TOPOLOGY_UNKNOWN = 0, /* not asked: a binding, which AMQP has no question for, or what
                                  * came after the end of the connection or of the time */
    HAIGHA_TOPOLOGY_EXISTS = 1,  /* as it is described */
    HAIGHA_TOPOLOGY_MISSING = 2, /* a binding: what it would bind is */
    HAIGHA_TOPOLOGY_CREATED = 3, /* by this call; a binding may have been there before */
    /* It is there and otherwise than described (406), or is somebody's own (405), or is not this
     * user's to ask for (403): error has the broker's words. */
    HAIGHA_TOPOLOGY_DIFFERS = 4,
    HAIGHA_TOPOLOGY_FAILED = 5 /* to be created: error says why */
};

/* Borrowed from the report. Grows only at the end: `size` says how far the caller knows it. */
typedef struct haigha_topology_row {
    size_t size; /* by HAIGHA_TOPOLOGY_ROW_INIT */
    int32_t kind;
    int32_t state;
    haigha_str name;           /* of the exchange or the queue; a binding: where messages flow to */
    haigha_str source;         /* a binding: where they come from */
    haigha_str routing_key;    /* a binding */
    const haigha_error* error; /* DIFFERS, FAILED; otherwise NULL */
} haigha_topology_row;
#define HAIGHA_TOPOLOGY_ROW_INIT \
    { sizeof(haigha_topology_row), 0, 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL }

/* Asks, on channels of its own, what of the topology is there, and changes nothing: each exchange
 * and each queue is asked for by a passive declare, which says whether it exists, and what exists
 * is declared as described, which says whether it is so. OK whatever is found; *report is to be
 * freed. timeout_ms is for all of it. Errors: ARGUMENT, CLOSED, FORKED, WRONG_THREAD, NO_MEMORY,
 * and TIMEOUT or how the connection ended, with a *report of what was found until then. What is
 * deleted by another between the two questions is created. Since: 0.1. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_topology_compare_wait(
    const haigha_topology* topology, haigha_connection* connection, int64_t timeout_ms,
    haigha_topology_report** report, haigha_error** error);

enum { HAIGHA_TOPOLOGY_ANYWAY = 1 /* apply the rest, though something differs */ };

/* Compares, and then declares what is missing, exchanges first and queues next, and binds, each in
 * the order in which it was added. When something differs nothing is applied, and the error is the
 * broker's about the first of it; with HAIGHA_TOPOLOGY_ANYWAY in `flags` the rest is applied, and
 * the call succeeds when that does. A second call finds everything as it is. *report (may be NULL)
 * is given with those errors too, and is NULL otherwise. With the option recovery what was declared
 * is recorded, as ever. Errors: as above, CHANNEL_CLOSED_BY_BROKER. Since: 0.1. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_topology_apply_wait(
    const haigha_topology* topology, haigha_connection* connection, uint32_t flags,
    int64_t timeout_ms, haigha_topology_report** report, haigha_error** error);

/* Rows in the order of application: exchanges, queues, bindings. 0 for NULL. */
HAIGHA_API HAIGHA_NONBLOCKING size_t
haigha_topology_report_size(const haigha_topology_report* report);
/* How many rows are in `state`, HAIGHA_TOPOLOGY_*. */
HAIGHA_API HAIGHA_NONBLOCKING size_t
haigha_topology_report_count(const haigha_topology_report* report, int32_t state);
/* Errors: ARGUMENT (past the last), STRUCT_VERSION. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_topology_report_row(const haigha_topology_report* report, size_t index,
                           haigha_topology_row* row, haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_topology_report_free(haigha_topology_report* report);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_TOPOLOGY_H */
