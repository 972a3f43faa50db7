/* libhaigha: threads that handle deliveries, in order. Read the rules at the top of haigha.h first;
 * they hold here too. */
#ifndef HAIGHA_WORKERS_H
#define HAIGHA_WORKERS_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pool of threads that runs handlers of deliveries, so that the loop's thread need not wait for
 * them. A handler may do what a callback may, and also wait: use the forms that end in _wait, a
 * database, a lock. It may publish and settle on any channel.
 *
 * Deliveries of one channel are handled one after the other, in the order in which they came, and
 * different channels at the same time; `order` below widens that. A channel that has more than
 * others waits behind them: after most_in_a_row of its deliveries it is the others' turn. So a slow
 * handler holds up its own channel, and one thread.
 *
 * Memory is bounded by the channel's prefetch count, and by max_queued and max_queued_bytes: a
 * consumer of which more waits is paused, by basic.cancel, until half of that is handled. The loop
 * is never held up.
 *
 * When a channel is lost its deliveries that wait are not handled any more, unless they need no
 * ack: the broker delivers them again. A handler that is running then is not interrupted. */
typedef struct haigha_workers haigha_workers;

typedef struct haigha_workers_args {
    size_t size;            /* by HAIGHA_WORKERS_ARGS_INIT */
    uint32_t threads;       /* 1 to 1,024; 0: 4 */
    uint32_t most_in_a_row; /* 1 to 1,000,000; 0: 16 */
    /* That handle deliveries of one channel at once, which needs an order other than
     * HAIGHA_ORDER_CHANNEL; 0: all but one, so that there is one for the others. */
    uint32_t max_threads_per_channel;
    uint8_t reserved[4];
    /* Of one consumer, deliveries that wait for a thread, and bytes of their bodies; 0: 65,536 and
     * 64 MiB. */
    uint64_t max_queued;
    uint64_t max_queued_bytes;
} haigha_workers_args;
#define HAIGHA_WORKERS_ARGS_INIT \
    { sizeof(haigha_workers_args), 0, 0, 0, {0, 0, 0, 0}, 0, 0 }

/* What becomes of a delivery when its handler has returned. Any other number: REQUEUE. Nothing is
 * done where the handler has settled it, or for a consumer with no_ack. */
enum {
    HAIGHA_WORK_ACK = 0,     /* by basic.ack */
    HAIGHA_WORK_REQUEUE = 1, /* by basic.nack: to be delivered again */
    HAIGHA_WORK_DROP = 2,    /* by basic.nack: to be dead-lettered, or to go */
    HAIGHA_WORK_LATER = 3    /* nothing: the program settles it, when it likes */
};

/* Among which deliveries the order is kept: those are not handled at the same time either. */
enum {
    HAIGHA_ORDER_CHANNEL = 0,  /* those of one channel */
    HAIGHA_ORDER_CONSUMER = 1, /* those of one consumer */
    HAIGHA_ORDER_KEY = 2,      /* those of one consumer with one key */
    HAIGHA_ORDER_NONE = 3      /* none */
};

/* Handles a DELIVERY, on a thread of the pool's, and returns a HAIGHA_WORK_*; the event is borrowed
 * until then. Last comes CONSUMER_CANCELLED (as in haigha_consume), once all deliveries of the
 * consumer are handled; what is returned for that is not read. Must not throw or unwind. */
typedef int32_t (*haigha_work_fn)(const haigha_event* event, void* user_data);
/* The key of a delivery, the same for those that are to stay in order. Called on the loop's thread:
 * must not wait. */
typedef uint64_t (*haigha_order_key_fn)(const haigha_event* event, void* user_data);

typedef struct haigha_work_args {
    size_t size; /* by HAIGHA_WORK_ARGS_INIT */
    haigha_str queue;
    haigha_str consumer_tag;   /* empty: the library makes one */
    haigha_work_fn handle;     /* required */
    haigha_order_key_fn key;   /* for HAIGHA_ORDER_KEY; NULL: by the routing key */
    void* user_data;           /* of both */
    haigha_release_fn release; /* runs once, after the last call of either; may drop references */
    const haigha_table* arguments;
    uint8_t order; /* HAIGHA_ORDER_* */
    uint8_t no_ack;
    uint8_t exclusive;
    uint8_t reserved[5];
} haigha_work_args;
#define HAIGHA_WORK_ARGS_INIT                                                                    \
    {                                                                                            \
        sizeof(haigha_work_args), {NULL, 0}, {NULL, 0}, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, { \
            0, 0, 0, 0, 0                                                                        \
        }                                                                                        \
    }

/* A pool whose threads are started here; `args` may be NULL. It holds a reference to the loop, on
 * whose thread its operations complete; channels of other loops may be consumed from too. To be
 * released by haigha_workers_unref. Errors: ARGUMENT, STRUCT_VERSION, IO (a thread cannot be
 * started), FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_workers_new(haigha_loop* loop,
                                                               const haigha_workers_args* args,
                                                               haigha_workers** workers,
                                                               haigha_error** error);
/* Starts a consumer on `channel`, as haigha_consume does, whose deliveries the pool handles. It is
 * cancelled, paused and drained by its tag, as any. Errors: those of haigha_consume, and CLOSED
 * (the pool is). Since: 0.1. Source: AMQP 0-9-1, basic.consume (60, 20). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_workers_consume(haigha_workers* workers,
                                                                   haigha_channel* channel,
                                                                   const haigha_work_args* args,
                                                                   const haigha_then* then,
                                                                   haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_workers_consume_wait(
    haigha_workers* workers, haigha_channel* channel, const haigha_work_args* args,
    int64_t timeout_ms, haigha_reply** reply, haigha_error** error);
/* Answers when all that had come before it is handled. More may come. Errors: FORKED, NO_MEMORY; of
 * the waiting form also WRONG_THREAD, on a thread of the pool's too, and TIMEOUT. Its timeout_ms:
 * -1 for as long as it takes. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_workers_drain(haigha_workers* workers,
                                                                 const haigha_then* then,
                                                                 haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_workers_drain_wait(haigha_workers* workers,
                                                                   int64_t timeout_ms,
                                                                   haigha_error** error);
/* Cancels the pool's consumers, gives what waits back to the broker (basic.nack with requeue), and
 * answers when the handlers that are running have returned and the threads have ended. The
 * consumers are told nothing more, CONSUMER_CANCELLED neither. Channels stay open. Errors: FORKED,
 * NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_workers_close(haigha_workers* workers,
                                                                 const haigha_then* then,
                                                                 haigha_error** error);
/* Cancels the consumers, has what waits handled for up to timeout_ms (-1: for as long as it takes),
 * and closes then: TIMEOUT when not all was handled, or a handler is still running, whose thread
 * ends when it returns. Errors: WRONG_THREAD, on a thread of the pool's too; TIMEOUT; FORKED;
 * NO_MEMORY. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_workers_close_wait(haigha_workers* workers,
                                                                   int64_t timeout_ms,
                                                                   haigha_error** error);
/* A number about the pool by name: "threads" (alive), "consumers", "held_back" (of them, paused
 * since too much waits), "queued" (that wait for a thread), "queued_bytes", "running" (handlers),
 * "handled" (deliveries so far), "stale" (not handled: their channel was lost), "requeued" (not
 * handled: the pool was closed). Errors: ARGUMENT (no such name), FORKED. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_workers_info(const haigha_workers* workers,
                                                                haigha_str name, int64_t* value,
                                                                haigha_error** error);
/* References may be taken and dropped by any thread, in a handler too. Dropping the last one of a
 * pool that was not closed closes it. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_workers* haigha_workers_ref(haigha_workers* workers);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_workers_unref(haigha_workers* workers);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_WORKERS_H */
