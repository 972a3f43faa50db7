/* libhaigha: why a message was dead-lettered, and how often. Read the rules at the top of haigha.h
 * first; they hold here too. */
#ifndef HAIGHA_DEATH_H
#define HAIGHA_DEATH_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One record of the header x-death, which RabbitMQ gives to what it dead-letters: the deaths in one
 * queue for one reason. What a record does not have is 0 or empty, and so is what has another type
 * than the broker gives it. Borrowed from the message. Frozen: an array's stride. Source: RabbitMQ,
 * "Dead Letter Exchanges". */
typedef struct haigha_death {
    haigha_str queue;               /* that it died in */
    haigha_str reason;              /* "rejected", "expired", "maxlen", "delivery_limit" */
    haigha_str exchange;            /* that it was published to, before it came to that queue */
    haigha_str original_expiration; /* the property that it had, which is taken off */
    haigha_str routing_key;         /* the first of those that it was published with */
    haigha_cursor routing_keys;     /* all of them, as STRINGs */
    uint64_t count;                 /* of deaths, at least 1 */
    uint64_t time_s;                /* of the first of them, seconds since the Unix epoch */
} haigha_death;

/* Fills deaths[0 .. capacity - 1], the latest first, and sets *count to how many there are, which
 * may be more, and is 0 for a message that never died. `deaths` may be NULL when capacity is 0.
 * Elements that are no records are passed over. Until RabbitMQ 4.0 the header is also what a
 * publisher made it. Errors: ARGUMENT, MALFORMED (headers that cannot be decoded). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_message_deaths(const haigha_message* message,
                                                                  haigha_death* deaths,
                                                                  size_t capacity, size_t* count,
                                                                  haigha_error** error);
/* How often it has died in `queue` for `reason`; empty: in any, for any. Errors: the same. Since:
 * 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_message_death_count(const haigha_message* message, haigha_str queue, haigha_str reason,
                           uint64_t* count, haigha_error** error);
/* How often its quorum queue had given it to a consumer before this delivery: x-acquired-count or,
 * before RabbitMQ 4.3, x-delivery-count; 0 when there is neither. Errors: the same. Since: 0.1.
 * Source: RabbitMQ, "Quorum Queues". */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_message_delivery_count(const haigha_message* message, uint64_t* count, haigha_error** error);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_DEATH_H */
