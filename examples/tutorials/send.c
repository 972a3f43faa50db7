/* examples/tutorials/send.c: "Hello World!", one half: puts a message into a queue. */
#include "tutorial.h"

int main(void) {
    haigha_error* error = NULL;
    haigha_connection* connection = connected();
    haigha_channel* channel;
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
    must(haigha_channel_open_wait(connection, NULL, -1, &channel, &error), error);

    queue.queue = haigha_text("hello");
    must(haigha_queue_declare_wait(channel, &queue, -1, NULL, &error), error);
    /* The default exchange routes to the queue whose name is the routing key. */
    message.routing_key = queue.queue;
    must(haigha_publish(channel, &message, haigha_text("Hello World!"), NULL, &error), error);
    printf(" [x] Sent 'Hello World!'\n");

    /* Closing writes what was published before. */
    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    return 0;
}
