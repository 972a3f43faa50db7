/* examples/embedding/embedding.h: a queue that a program publishes to and consumes from by an
 * inbox, whose descriptor any loop can wait for. */
#include <haigha/haigha.h>
#include <stdio.h>
#include <stdlib.h>

enum { messages = 10 };

static haigha_connection* connection;
static haigha_channel* channel;
static haigha_inbox* inbox;
static haigha_reply* declared;

static void must(haigha_status status, const haigha_error* error) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s\n", haigha_status_name(status), haigha_error_message(error));
    exit(1);
}

/* Before the loop runs a program may wait. */
static void begin(const char* uri) {
    haigha_error* error = NULL;
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    must(haigha_connect_wait(haigha_text(uri), -1, &connection, &error), error);
    must(haigha_channel_open_wait(connection, NULL, -1, &channel, &error), error);
    queue.exclusive = 1;
    must(haigha_queue_declare_wait(channel, &queue, -1, &declared, &error), error);
    must(haigha_inbox_new(0, &inbox, &error), error);
    consume.queue = haigha_reply_queue(declared);
    consume.no_ack = 1;
    consume.deliveries.inbox = inbox;
    must(haigha_consume_wait(channel, &consume, -1, NULL, &error), error);
}

/* Publishes one message; 0 after the last one. */
static int tick(void) {
    static int published;
    haigha_error* error = NULL;
    haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
    message.routing_key = haigha_reply_queue(declared);
    must(haigha_publish(channel, &message, haigha_text("tick"), NULL, &error), error);
    return ++published < messages;
}

/* The descriptor is readable: takes everything that is there, without waiting. 0 when all have come
 * back. */
static int receive(void) {
    static int received;
    haigha_error* error = NULL;
    haigha_event events[64];
    size_t count, i;
    do {
        must(haigha_inbox_poll(inbox, events, sizeof events[0], 64, 0, &count, &error), error);
        for (i = 0; i < count; ++i)
            if (events[i].type == HAIGHA_EVENT_DELIVERY) ++received;
    } while (count > 0);
    return received < messages;
}

static void end(void) {
    haigha_error* error = NULL;
    printf("%d messages came back\n", messages);
    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_reply_unref(declared);
    haigha_inbox_unref(inbox);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
}
