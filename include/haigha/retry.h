/* libhaigha: messages that could not be worked on, again after a while, and at last put aside. Read
 * the rules at the top of haigha.h first; they hold here too. */
#ifndef HAIGHA_RETRY_H
#define HAIGHA_RETRY_H

#include "haigha.h"
#include "topology.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A ladder of delays for one queue, made of queues that nobody consumes from: a message waits there
 * for the queue's TTL and is then dead-lettered back. With the queue "orders" and the delays 1000
 * and 60000 it is
 *
 *   exchange and queue  orders.retry.1000ms    what failed once waits here for a second
 *   exchange and queue  orders.retry.60000ms   what failed twice, for a minute
 *   exchange            orders.retry           where it comes back from, bound to orders
 *   exchange and queue  orders.quarantine      what failed a third time, until somebody looks
 *
 * each exchange a durable fanout, so that a message keeps its routing key. A delivery is given to
 * the ladder in place of being acknowledged: it is published to the next step, and acknowledged
 * when the broker has confirmed that. Whatever happens between, and to whom, the message is in at
 * least one queue: it may come twice (published, and its ack lost: the second one is redelivered),
 * which its message_id shows, since that is kept, and is never lost. */
typedef struct haigha_retry haigha_retry;

typedef struct haigha_retry_args {
    size_t size;           /* by HAIGHA_RETRY_ARGS_INIT */
    haigha_str queue;      /* where messages come from and go back to; required */
    haigha_str prefix;     /* of the names of the ladder; empty: queue + ".retry" */
    haigha_str quarantine; /* exchange and queue at its end; empty: queue + ".quarantine" */
    /* One for each step, in milliseconds: 1 to 315,360,000,000. Equal ones share a queue. Copied.
     */
    const uint64_t* delays_ms;
    size_t delay_count; /* 1 to 64 */
    /* Of the ladder's queues: 1 for quorum queues, which dead-letter at least once and outlive a
     * node of a cluster; 0 for durable classic ones, whose broker may lose what it dead-letters
     * when it dies at that moment. */
    uint8_t quorum;
    uint8_t reserved[7];
} haigha_retry_args;
#define HAIGHA_RETRY_ARGS_INIT                                                    \
    {                                                                             \
        sizeof(haigha_retry_args), {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL, 0, 0, { \
            0, 0, 0, 0, 0, 0, 0                                                   \
        }                                                                         \
    }

/* A ladder on a connection, which need not be open yet, and to which it holds a reference. It
 * publishes by a pool of its own. To be released by haigha_retry_unref. Errors: ARGUMENT,
 * STRUCT_VERSION, CLOSED, FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_retry_new(haigha_connection* connection,
                                                             const haigha_retry_args* args,
                                                             haigha_retry** retry,
                                                             haigha_error** error);
/* Adds the ladder to a topology, to be compared and applied with the rest of it; not the queue that
 * it is for, which is expected to be there or in the topology. Errors: ARGUMENT, NO_MEMORY. Since:
 * 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_retry_describe(const haigha_retry* retry,
                                                                  haigha_topology* topology,
                                                                  haigha_error** error);
/* Declares it: haigha_topology_apply_wait of it alone. The queue that it is for has to be there. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_retry_declare_wait(haigha_retry* retry,
                                                                   int64_t timeout_ms,
                                                                   haigha_error** error);

/* Has `message`, a delivery on `channel` with acks, come again after the delay of its next step;
 * after the last one it goes to the quarantine. It is copied, and settled by this: do not settle
 * it. Answers by a REPLY event:
 *   no error  it is confirmed and the delivery acknowledged: haigha_reply_queue says which queue of
 *             the ladder has it
 *   STALE, CLOSED, RECOVERING, ARGUMENT  it is confirmed but could no longer be acknowledged: the
 *             broker delivers it again, and it will have come twice
 *   else      it was not confirmed, error says why (RETURNED: no queue took it, such as when the
 *             ladder is not there), and the delivery is still open: call this again, or nack it
 * Its body and properties stay what they are, but for these: `expiration` and `user_id`, by which a
 * broker would judge whoever publishes it now, go into the headers x-haigha-retry-expiration and
 * x-haigha-retry-user-id, and x-death begins anew, since a broker drops what it takes for a cycle.
 * The first time x-haigha-retry-exchange gets the exchange that it was published to. Each time
 * x-haigha-retries counts, and x-haigha-retry-reason gets `reason`, of which the first 1,024 bytes
 * are taken. Any thread may call, also in the delivery's callback. Errors: ARGUMENT, MALFORMED (its
 * properties cannot be decoded), WOULD_BLOCK (65,536 are under way, or 64 MiB), CLOSED, FORKED,
 * NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_retry_message(haigha_retry* retry, haigha_channel* channel, haigha_message* message,
                     haigha_str reason, const haigha_then* then, haigha_error** error);
/* The same, straight to the quarantine: for what will never succeed. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_retry_quarantine(haigha_retry* retry, haigha_channel* channel, haigha_message* message,
                        haigha_str reason, const haigha_then* then, haigha_error** error);
/* How often a message has been given to a ladder: x-haigha-retries, or 0. Errors: ARGUMENT,
 * MALFORMED. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_message_retries(const haigha_message* message,
                                                                   uint64_t* count,
                                                                   haigha_error** error);
/* A number about the ladder by name: "open" (not answered yet), "retried" and "quarantined"
 * (confirmed), "unacknowledged" (of these, those that could not be acknowledged), "failed". Errors:
 * ARGUMENT (no such name). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_retry_info(const haigha_retry* retry,
                                                              haigha_str name, int64_t* value,
                                                              haigha_error** error);
/* References may be taken and dropped by any thread. Dropping the last one ends what is under way,
 * silently: its deliveries stay open, and may have been published. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_retry* haigha_retry_ref(haigha_retry* retry);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_retry_unref(haigha_retry* retry);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_RETRY_H */
