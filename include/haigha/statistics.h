/* libhaigha: what a connection has done and how it is, in numbers. Read the rules at the top of
 * haigha.h first; they hold here too. docs/observability.md says how the numbers are used. */
#ifndef HAIGHA_STATISTICS_H
#define HAIGHA_STATISTICS_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAIGHA_HISTOGRAM_BUCKETS 28

/* How many lengths of time fell into which power of two. buckets[i] counts what is over 2^(i-1) and
 * up to 2^i microseconds; the first one what is shorter too, the last one, from 67 seconds on, what
 * is longer. Frozen. */
typedef struct haigha_histogram {
    uint64_t count;  /* the sum of the buckets */
    uint64_t sum_ns; /* of the lengths */
    uint64_t buckets[HAIGHA_HISTOGRAM_BUCKETS];
} haigha_histogram;

/* The numbers of one moment. Those of the second group count from haigha_connection_new on, over
 * every transport connection that the connection has had, and never go down. */
typedef struct haigha_statistics {
    size_t size; /* by HAIGHA_STATISTICS_INIT */

    /* ---- how it is */
    int32_t state;     /* HAIGHA_STATE_* */
    uint32_t blocked;  /* 1: the broker has said connection.blocked */
    uint64_t channels; /* that are open, or being opened or closed */
    uint64_t consumers;
    uint64_t outbox_bytes;  /* taken and not yet handed to the operating system */
    uint64_t calls_waiting; /* without an answer: on the wire, or waiting for their turn */
    uint64_t unconfirmed;   /* publishes of confirm channels without an outcome */
    uint64_t unsettled;     /* deliveries that are not settled; but on channels with transactions */
    /* For how long the oldest of these two have been so; 0 without any. Of publishes that a lost
     * channel keeps nothing is told here. */
    uint64_t oldest_unconfirmed_ms;
    uint64_t oldest_unsettled_ms;

    /* ---- what was done */
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t frames_sent; /* made to be sent: a channel that dies takes back what did not leave */
    uint64_t frames_received;
    uint64_t writes; /* system calls */
    uint64_t reads;
    uint64_t heartbeats_sent;
    uint64_t heartbeats_received;

    uint64_t published; /* taken; each of a confirm channel ends as one of the five below */
    uint64_t confirmed;
    uint64_t nacked;
    uint64_t returned; /* outcomes; the messages that came back are in messages_returned */
    uint64_t not_sent;
    uint64_t unknown;
    uint64_t republished;       /* sent once more after a recovery */
    uint64_t publishes_refused; /* for want of room, or by connection.blocked or channel.flow */
    uint64_t messages_returned; /* by basic.return */

    uint64_t delivered;        /* to consumers */
    uint64_t got;              /* by basic.get */
    uint64_t redelivered;      /* of both, those that the broker says have been delivered before */
    uint64_t acked;            /* deliveries, not methods; channels with transactions: methods */
    uint64_t nacks_sent;       /* likewise, by basic.nack */
    uint64_t rejected;         /* likewise, by basic.reject */
    uint64_t settled_too_late; /* refused with STALE */

    uint64_t blocked_times;
    uint64_t blocked_ms; /* altogether, up to now */

    uint64_t channels_opened; /* the library's own included, which recovery uses */
    uint64_t channels_lost; /* ended without having been asked to, with their connection or alone */
    uint64_t connections_opened; /* transport connections, up to connection.open-ok */
    uint64_t connections_lost;   /* ended without having been asked to */
    uint64_t recovery_attempts;
    uint64_t recovery_failures; /* of these */
    uint64_t recoveries;        /* completed */

    /* From a publish to what the broker says of it, ack or nack. Publishes within one turn of the
     * loop's share a clock reading, so single ones seem longer by up to a turn. */
    haigha_histogram confirm_latency;
    /* From a call's turn on its channel, when its method is ready to be written, to its answer. */
    haigha_histogram round_trip;
} haigha_statistics;
#define HAIGHA_HISTOGRAM_INIT_                                                                 \
    {                                                                                          \
        0, 0, {                                                                                \
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
        }                                                                                      \
    }
#define HAIGHA_STATISTICS_INIT                                                                    \
    {                                                                                             \
        sizeof(haigha_statistics), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                     \
            HAIGHA_HISTOGRAM_INIT_, HAIGHA_HISTOGRAM_INIT_                                        \
    }

/* Fills *statistics, as much of it as its `size` says; a newer caller's further members become 0.
 * In any state, and from any thread; takes the time of a look at each channel. Errors: ARGUMENT,
 * STRUCT_VERSION, FORKED. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_statistics(
    const haigha_connection* connection, haigha_statistics* statistics, haigha_error** error);

/* ---- as text -------------------------------------------------------------------------------- */

/* Statistics of any number of connections, to be written as one text, in which each metric has to
 * stand once with all its values. Not for two threads at once. */
typedef struct haigha_metrics haigha_metrics;

/* A label of a connection's values. Frozen: an array's stride. */
typedef struct haigha_label {
    haigha_str name;  /* [a-zA-Z_][a-zA-Z0-9_]*, at most 255 bytes; not beginning with "__" */
    haigha_str value; /* UTF-8, at most 4,096 bytes */
} haigha_label;

HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_metrics_new(haigha_metrics** metrics,
                                                               haigha_error** error);
/* Adds a copy of one connection's numbers, told from the others' by `labels` (NULL when count is
 * 0). Errors: ARGUMENT (a name twice, or one that the metrics use themselves: "le", "outcome",
 * "how", "messaging_system", "messaging_operation_name", "messaging_operation_type"; more than 64
 * labels; the labels of an earlier one), STRUCT_VERSION. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_metrics_add(haigha_metrics* metrics,
                                                               const haigha_statistics* statistics,
                                                               const haigha_label* labels,
                                                               size_t count, haigha_error** error);
/* Everything that was added in Prometheus' text exposition format 0.0.4, which is what a GET of
 * /metrics is answered with as "text/plain; version=0.0.4"; empty when nothing was. Borrowed from
 * `metrics` until the next call with it. Errors: ARGUMENT, NO_MEMORY. Since: 0.1.
 * Source: Prometheus, "Exposition formats"; OpenTelemetry's names where it has some, see
 * docs/observability.md. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_metrics_prometheus(haigha_metrics* metrics,
                                                                      haigha_str* text,
                                                                      haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_metrics_free(haigha_metrics* metrics);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_STATISTICS_H */
