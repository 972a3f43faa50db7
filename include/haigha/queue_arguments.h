/* libhaigha: the arguments of queues and of consumers by type, refused before the broker would.
 * Read the rules at the top of haigha.h first; they hold here too. */
#ifndef HAIGHA_QUEUE_ARGUMENTS_H
#define HAIGHA_QUEUE_ARGUMENTS_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What RabbitMQ knows as x-arguments, and which kind of queue takes which. What is refused here is
 * what every RabbitMQ from 3.10 to 4.3 refuses, by closing the channel; and, since nobody would
 * notice, what every one of them takes and does not do (docs/queues.md lists both). Whatever is not
 * here may be added to the same table. Source: RabbitMQ's "Queues", "Quorum Queues", "Streams",
 * "Dead Letter Exchanges", "Time-To-Live", "Queue Length Limit". */

/* x-queue-type. */
enum {
    HAIGHA_QUEUE_KIND_DEFAULT = 0, /* the virtual host's: classic unless it was set */
    HAIGHA_QUEUE_CLASSIC = 1,
    HAIGHA_QUEUE_QUORUM = 2,
    HAIGHA_QUEUE_STREAM = 3
};

/* x-overflow: what happens to messages beyond a length limit. */
enum {
    HAIGHA_OVERFLOW_DEFAULT = 0,           /* drop-head, or what a policy says */
    HAIGHA_OVERFLOW_DROP_HEAD = 1,         /* the oldest ones go, and are dead-lettered */
    HAIGHA_OVERFLOW_REJECT_PUBLISH = 2,    /* new ones are nacked */
    HAIGHA_OVERFLOW_REJECT_PUBLISH_DLX = 3 /* and dead-lettered; classic queues */
};

/* x-dead-letter-strategy, of quorum queues. */
enum {
    HAIGHA_DEAD_LETTER_DEFAULT = 0, /* at most once, or what a policy says */
    HAIGHA_DEAD_LETTER_AT_MOST_ONCE = 1,
    HAIGHA_DEAD_LETTER_AT_LEAST_ONCE = 2 /* with HAIGHA_OVERFLOW_REJECT_PUBLISH */
};

/* Bits of haigha_queue_arguments.present: the member counts also when it is 0 or empty. */
enum {
    HAIGHA_QUEUE_HAS_DEAD_LETTER_EXCHANGE = 1, /* empty: the default exchange */
    HAIGHA_QUEUE_HAS_DEAD_LETTER_ROUTING_KEY = 2,
    HAIGHA_QUEUE_HAS_MESSAGE_TTL = 4, /* 0: expires unless a consumer takes it at once */
    HAIGHA_QUEUE_HAS_MAX_LENGTH = 8,
    HAIGHA_QUEUE_HAS_MAX_LENGTH_BYTES = 16,
    HAIGHA_QUEUE_HAS_DELIVERY_LIMIT = 32 /* 0: delivered once */
};

/* delivery_limit: as often as it takes. From RabbitMQ 4.0, where the default is 20; before, the
 * default is no limit, and this would be a limit that every message is over. */
#define HAIGHA_DELIVERY_UNLIMITED (-1)

/* A member that is 0 or empty is left out, unless its bit is set in `present`. */
typedef struct haigha_queue_arguments {
    size_t size;                    /* by HAIGHA_QUEUE_ARGUMENTS_INIT */
    uint32_t present;               /* HAIGHA_QUEUE_HAS_* */
    uint8_t kind;                   /* HAIGHA_QUEUE_* */
    uint8_t overflow;               /* HAIGHA_OVERFLOW_*; classic, quorum */
    uint8_t dead_letter_strategy;   /* HAIGHA_DEAD_LETTER_*; quorum */
    uint8_t single_active_consumer; /* the others wait until it is gone; classic, quorum */
    uint8_t lazy;         /* classic; without effect from RabbitMQ 3.12 on, which takes it */
    uint8_t max_priority; /* 1 to 255, few are cheaper; classic */
    uint8_t reserved[2];
    /* Of how many members it begins with, fewer where the cluster has fewer nodes; quorum. */
    uint32_t quorum_initial_group_size;
    haigha_str dead_letter_exchange; /* at most 255 bytes; classic, quorum */
    /* In place of the message's own; with dead_letter_exchange. At most 255 bytes. */
    haigha_str dead_letter_routing_key;
    uint64_t message_ttl_ms; /* 0 to 315,360,000,000 (ten years of 365 days); classic, quorum */
    uint64_t expires_ms;     /* of the unused queue itself: 1 to 315,360,000,000; classic, quorum */
    uint64_t max_length;     /* ready messages; classic, quorum */
    uint64_t max_length_bytes; /* of their bodies; of a stream: of all segments but the last */
    int64_t delivery_limit;    /* returns to the queue; HAIGHA_DELIVERY_UNLIMITED; quorum */
    /* How long a stream's segments are kept: a number over 0 and one of Y M D h m s, "7D". */
    haigha_str stream_max_age;
    uint64_t stream_max_segment_bytes; /* 1 to 3,000,000,000; stream */
} haigha_queue_arguments;
#define HAIGHA_QUEUE_ARGUMENTS_INIT                                                              \
    {                                                                                            \
        sizeof(haigha_queue_arguments), 0, 0, 0, 0, 0, 0, 0, {0, 0}, 0, {NULL, 0}, {NULL, 0}, 0, \
            0, 0, 0, 0, {NULL, 0}, 0                                                             \
    }

/* Adds what `args` says to `table`, for haigha_queue_declare_args.arguments. Each may be NULL:
 * `declare`, the struct that the queue is going to be declared with, whose durable, exclusive and
 * auto_delete have to suit the kind; and `connection`, so that what the broker's version does not
 * do is refused too. With an error nothing was added. Errors: ARGUMENT (the sentence names the
 * argument and says why), STRUCT_VERSION, FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_queue_arguments_add(
    const haigha_queue_arguments* args, const haigha_queue_declare_args* declare,
    const haigha_connection* connection, haigha_table* table, haigha_error** error);

/* Where in a stream a consumer begins: x-stream-offset. */
enum {
    HAIGHA_STREAM_OFFSET_NONE = 0,      /* not said: as NEXT */
    HAIGHA_STREAM_OFFSET_FIRST = 1,     /* the oldest message that is there */
    HAIGHA_STREAM_OFFSET_LAST = 2,      /* the last chunk that was written */
    HAIGHA_STREAM_OFFSET_NEXT = 3,      /* what comes from now on */
    HAIGHA_STREAM_OFFSET_NUMBER = 4,    /* stream_offset: of a message */
    HAIGHA_STREAM_OFFSET_TIMESTAMP = 5, /* stream_offset: seconds since the Unix epoch */
    HAIGHA_STREAM_OFFSET_INTERVAL = 6   /* stream_interval: so long ago */
};

typedef struct haigha_consumer_arguments {
    size_t size;         /* by HAIGHA_CONSUMER_ARGUMENTS_INIT */
    uint8_t kind;        /* of the queue: HAIGHA_QUEUE_*; DEFAULT: not known */
    uint8_t stream_from; /* HAIGHA_STREAM_OFFSET_*; stream */
    uint8_t reserved[2];
    int32_t priority;           /* x-priority: the higher ones are served first; classic, quorum */
    uint64_t stream_offset;     /* up to 2^63 - 1; NUMBER, TIMESTAMP */
    haigha_str stream_interval; /* INTERVAL: as haigha_queue_arguments.stream_max_age, "1h" */
} haigha_consumer_arguments;
#define HAIGHA_CONSUMER_ARGUMENTS_INIT                           \
    {                                                            \
        sizeof(haigha_consumer_arguments), 0, 0, {0, 0}, 0, 0, { \
            NULL, 0                                              \
        }                                                        \
    }

/* Adds what `args` says to `table`, for haigha_consume_args.arguments. `consume` (may be NULL) is
 * what the consumer is going to be started with: streams want acks. Errors: as above. Since: 0.1.
 */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_consumer_arguments_add(
    const haigha_consumer_arguments* args, const haigha_consume_args* consume, haigha_table* table,
    haigha_error** error);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_QUEUE_ARGUMENTS_H */
