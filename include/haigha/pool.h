/* libhaigha: a pool of channels that publishes, and answers for every message. Read the rules at
 * the top of haigha.h first; they hold here too. */
#ifndef HAIGHA_POOL_H
#define HAIGHA_POOL_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pool takes messages and publishes them on channels of its own: as many as are needed, up to a
 * limit. It gives each message to an open channel that the broker has not stopped, to the one that
 * has the fewest under way; what no channel has room for waits, first in, first out. Each message
 * has one OUTCOME. Those of a channel that dies are published again, before anything newer, on the
 * channels that live or, where the connection recovers, when it is back; what may have arrived
 * before is marked by the header x-haigha-republished, true, so that a message may arrive twice but
 * is not lost.
 *
 * Messages on different channels may overtake each other. Where order counts, use max_channels 1.
 */
typedef struct haigha_pool haigha_pool;

enum {
    /* Publisher confirms: a message is CONFIRMED when the broker has taken responsibility. */
    HAIGHA_POOL_CONFIRM = 0,
    /* Transactions: what waits is published and committed together, on each channel; all of it is
     * CONFIRMED by tx.commit-ok. For brokers without confirms, and for those who want what was
     * published together to arrive together. Slower. */
    HAIGHA_POOL_TX = 1
};

/* What is published again when its channel has died. */
enum {
    HAIGHA_POOL_RETRY_ALL = 0, /* everything: at least once */
    /* What certainly has not arrived; the rest ends as UNKNOWN: at most once. */
    HAIGHA_POOL_RETRY_SAFE = 1,
    HAIGHA_POOL_RETRY_NONE = 2 /* nothing: it ends as UNKNOWN or NOT_SENT */
};

typedef struct haigha_pool_args {
    size_t size; /* by HAIGHA_POOL_ARGS_INIT */
    /* receives OUTCOME, WRITABLE and POOL_STATE, on the loop's thread */
    haigha_then events;
    uint8_t mode;  /* HAIGHA_POOL_CONFIRM or HAIGHA_POOL_TX */
    uint8_t retry; /* HAIGHA_POOL_RETRY_* */
    /* As haigha_channel_args has it. With HAIGHA_POOL_CONFIRM. */
    uint8_t correlate_returns;
    uint8_t reserved[5];
    uint32_t max_channels; /* 1 to 65,535; 0: 16 */
    /* Of one message, how often it may be published where it may have arrived; it ends as UNKNOWN
     * then. 0: any number. */
    uint32_t max_attempts;
    /* Messages under way on one channel, or in one transaction: 1 to 1,000,000; 0: 1,024. */
    uint64_t max_in_flight;
    /* Messages, and bytes of their bodies, that the pool has without an outcome, waiting or under
     * way; 0: 65,536 and 64 MiB. One that is larger than max_bytes is taken when there is no
     * other. */
    uint64_t max_messages;
    uint64_t max_bytes;
} haigha_pool_args;
#define HAIGHA_POOL_ARGS_INIT                                                                     \
    {                                                                                             \
        sizeof(haigha_pool_args), {NULL, NULL, NULL, NULL, 0}, 0, 0, 0, {0, 0, 0, 0, 0}, 0, 0, 0, \
            0, 0                                                                                  \
    }

/* A pool on a connection, which need not be open yet; `args` may be NULL. It opens a channel when a
 * message needs one, and holds a reference to the connection. To be released by haigha_pool_unref.
 * Errors: ARGUMENT, STRUCT_VERSION, CLOSED (the connection has ended), FORKED, NO_MEMORY. Since:
 * 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_pool_new(haigha_connection* connection,
                                                            const haigha_pool_args* args,
                                                            haigha_pool** pool,
                                                            haigha_error** error);
/* Takes one message, by any thread: head and body are copied. *number (may be NULL) numbers it from
 * 1, and one OUTCOME event of that number, with args->user_data, follows: CONFIRMED; NACKED;
 * RETURNED (error: the broker's code and text); REFUSED (the broker closed a channel over this
 * message alone, error says why: an exchange that does not exist, say); NOT_SENT or UNKNOWN (not
 * published again: by `retry`, max_attempts, or because the pool or its connection has ended; error
 * says why). It is taken also while there is no connection, for when there is one. WOULD_BLOCK: the
 * pool is full; a WRITABLE event follows when a quarter of it is free. Errors: ARGUMENT,
 * STRUCT_VERSION, CLOSED, WOULD_BLOCK, FORKED, NO_MEMORY. Since: 0.1. Source: AMQP 0-9-1,
 * basic.publish (60, 40). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_pool_publish(haigha_pool* pool,
                                                                const haigha_publish_args* args,
                                                                haigha_str body, uint64_t* number,
                                                                haigha_error** error);
/* Waits for room and then for the outcome: OK with haigha_reply_outcome, whatever it is, and
 * haigha_reply_return_reason for what is not CONFIRMED; no OUTCOME event follows. timeout_ms as for
 * every function that ends in _wait. On TIMEOUT a message that was taken is still under way. */
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_pool_publish_wait(haigha_pool* pool, const haigha_publish_args* args, haigha_str body,
                         int64_t timeout_ms, haigha_reply** reply, haigha_error** error);
/* Answers when every message that was taken before has its outcome. More may be published. Errors:
 * FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_pool_drain(haigha_pool* pool,
                                                              const haigha_then* then,
                                                              haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_pool_drain_wait(haigha_pool* pool,
                                                                int64_t timeout_ms,
                                                                haigha_error** error);
/* Takes no more messages, publishes nothing more, and closes the channels: what waits ends at once
 * as NOT_SENT, or UNKNOWN if it was published before; what is under way has its outcome until its
 * channel is closed. Then POOL_STATE is told, with HAIGHA_STATE_CLOSED, and this answers. After
 * haigha_pool_drain nothing is left to end so. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_pool_close(haigha_pool* pool,
                                                              const haigha_then* then,
                                                              haigha_error** error);
/* Drains for up to timeout_ms, and closes then, with everything settled or not: TIMEOUT when it was
 * not. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_pool_close_wait(haigha_pool* pool,
                                                                int64_t timeout_ms,
                                                                haigha_error** error);
/* A number about the pool by name: "channels" (open now), "channels_lost", "published" (taken so
 * far), "unsettled", "unsettled_bytes", "waiting" (of the unsettled, those that no channel has),
 * "retried", and by outcome "confirmed", "nacked", "returned", "not_sent", "unknown", "refused".
 * Errors: ARGUMENT (no such name). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_pool_info(const haigha_pool* pool,
                                                             haigha_str name, int64_t* value,
                                                             haigha_error** error);
/* References may be taken and dropped by any thread. Dropping the last one of a pool that was not
 * closed ends it, silently: its channels are closed, what it has is dropped. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_pool* haigha_pool_ref(haigha_pool* pool);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_pool_unref(haigha_pool* pool);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_POOL_H */
