/* Connects, publishes one message with a confirm, consumes it, closes. It knows no event loop.
 *
 *     cc first_program.c $(pkg-config --cflags --libs haigha) -o first_program
 *     ./first_program amqp://guest:guest@localhost */
#include <haigha/haigha.h>
#include <stdio.h>
#include <stdlib.h>

static void must(haigha_status status, const haigha_error* error) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s\n", haigha_status_name(status), haigha_error_message(error));
    exit(1);
}

int main(int argc, char** argv) {
    haigha_error* error = NULL;
    haigha_connection* connection;
    haigha_channel* channel;
    haigha_inbox* inbox;
    haigha_reply* declared;
    haigha_message* message;
    haigha_channel_args confirms = HAIGHA_CHANNEL_ARGS_INIT;
    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    haigha_str body;

    must(haigha_connect_wait(haigha_text(argc > 1 ? argv[1] : "amqp://localhost"), -1, &connection,
                             &error),
         error);
    confirms.confirm = 1;
    must(haigha_channel_open_wait(connection, &confirms, -1, &channel, &error), error);
    declare.exclusive = 1; /* the broker chooses the name, and deletes it with the connection */
    must(haigha_queue_declare_wait(channel, &declare, -1, &declared, &error), error);
    publish.routing_key = consume.queue = haigha_reply_queue(declared);
    must(haigha_publish_wait(channel, &publish, haigha_text("hello"), -1, NULL, &error), error);

    must(haigha_inbox_new(0, &inbox, &error), error);
    consume.deliveries.inbox = inbox;
    must(haigha_consume_wait(channel, &consume, -1, NULL, &error), error);
    must(haigha_inbox_next_message(inbox, 5000, &message, &error), error);
    body = haigha_message_body(message);
    printf("got \"%.*s\"\n", (int)body.size, body.data);
    must(haigha_ack(channel, haigha_message_delivery_tag(message), 0, &error), error);
    haigha_message_unref(message);
    haigha_reply_unref(declared);

    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_inbox_unref(inbox);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    return 0;
}
