/* examples/tutorials/receive.c: "Hello World!", the other half: takes messages as they come. */
#include "tutorial.h"

int main(void) {
    haigha_error* error = NULL;
    haigha_connection* connection = connected();
    haigha_channel* channel;
    haigha_inbox* inbox;
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    must(haigha_channel_open_wait(connection, NULL, -1, &channel, &error), error);

    /* Declared here too: it need not be there when this program is the first to run. */
    queue.queue = haigha_text("hello");
    must(haigha_queue_declare_wait(channel, &queue, -1, NULL, &error), error);
    must(haigha_inbox_new(0, &inbox, &error), error);
    consume.queue = queue.queue;
    consume.no_ack = 1;
    consume.deliveries.inbox = inbox;
    must(haigha_consume_wait(channel, &consume, -1, NULL, &error), error);

    printf(" [*] Waiting for messages. To exit press CTRL+C\n");
    fflush(stdout);
    for (;;) {
        haigha_message* message;
        haigha_str body;
        must(haigha_inbox_next_message(inbox, -1, &message, &error), error);
        body = haigha_message_body(message);
        printf(" [x] Received '%.*s'\n", (int)body.size, body.data);
        fflush(stdout);
        haigha_message_unref(message);
    }
}
