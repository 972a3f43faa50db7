/* examples/tutorials/publisher_confirms.c: that messages have arrived: known one by one, of many at
 * once, or left to a pool of channels. */
#include <haigha/pool.h>

#include "tutorial.h"

enum { messages = 1000 };

static int confirmed; /* of the loop's thread, until it is waited for */

static void on_outcome(const haigha_event* event, void* user_data) {
    (void)user_data;
    if (event->type != HAIGHA_EVENT_OUTCOME) return;
    if (event->outcome == HAIGHA_OUTCOME_CONFIRMED) {
        ++confirmed;
    } else {
        /* Not confirmed: which one, by event->number or event->user_data, and why, by event->error.
         * A program would send it again, or say so. */
        fprintf(stderr, "message %llu: outcome %d\n", (unsigned long long)event->number,
                (int)event->outcome);
    }
}

/* Simple, and slow: a round trip for each. */
static void one_by_one(haigha_channel* channel, const haigha_publish_args* message) {
    int i;
    for (i = 0; i < 100; ++i) {
        haigha_error* error = NULL;
        haigha_reply* reply;
        must(haigha_publish_wait(channel, message, haigha_text("x"), -1, &reply, &error), error);
        confirmed += haigha_reply_outcome(reply) == HAIGHA_OUTCOME_CONFIRMED;
        haigha_reply_unref(reply);
    }
    printf("one by one: %d confirmed\n", confirmed);
}

/* A pool keeps what it cannot send yet, sends what its channels have lost again, and tells what has
 * become of each. */
static void by_a_pool(haigha_connection* connection, const haigha_publish_args* message) {
    haigha_error* error = NULL;
    haigha_pool* pool;
    haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
    int i;
    args.events.fn = on_outcome;
    must(haigha_pool_new(connection, &args, &pool, &error), error);
    for (i = 0; i < messages; ++i)
        must(haigha_pool_publish(pool, message, haigha_text("x"), NULL, &error), error);
    must(haigha_pool_close_wait(pool, 30000, &error), error);
    printf("by a pool: %d confirmed\n", confirmed);
    haigha_pool_unref(pool);
}

int main(void) {
    haigha_error* error = NULL;
    haigha_connection* connection = connected();
    haigha_channel* channel;
    haigha_channel_args confirms = HAIGHA_CHANNEL_ARGS_INIT;
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_reply* declared;
    confirms.confirm = 1;
    must(haigha_channel_open_wait(connection, &confirms, -1, &channel, &error), error);
    queue.exclusive = 1;
    must(haigha_queue_declare_wait(channel, &queue, -1, &declared, &error), error);
    message.routing_key = haigha_reply_queue(declared);

    one_by_one(channel, &message);
    confirmed = 0;
    by_a_pool(connection, &message);

    haigha_reply_unref(declared);
    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    return 0;
}
