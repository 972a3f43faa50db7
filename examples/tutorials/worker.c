/* examples/tutorials/worker.c: work queues: several of these share the tasks. */
#include <unistd.h>

#include "tutorial.h"

int main(void) {
    haigha_error* error = NULL;
    haigha_connection* connection = connected();
    haigha_channel* channel;
    haigha_inbox* inbox;
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_qos_args one = HAIGHA_QOS_ARGS_INIT;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    must(haigha_channel_open_wait(connection, NULL, -1, &channel, &error), error);

    queue.queue = haigha_text("task_queue");
    queue.durable = 1;
    must(haigha_queue_declare_wait(channel, &queue, -1, NULL, &error), error);
    one.prefetch_count = 1; /* the next task only when this one is done */
    must(haigha_qos_wait(channel, &one, -1, NULL, &error), error);
    must(haigha_inbox_new(0, &inbox, &error), error);
    consume.queue = queue.queue;
    consume.deliveries.inbox = inbox;
    must(haigha_consume_wait(channel, &consume, -1, NULL, &error), error);

    printf(" [*] Waiting for messages. To exit press CTRL+C\n");
    fflush(stdout);
    for (;;) {
        haigha_message* task;
        haigha_str body;
        size_t i;
        must(haigha_inbox_next_message(inbox, -1, &task, &error), error);
        body = haigha_message_body(task);
        printf(" [x] Received '%.*s'\n", (int)body.size, body.data);
        fflush(stdout);
        /* However long that takes: the library's thread sends heartbeats meanwhile. */
        for (i = 0; i < body.size; ++i)
            if (body.data[i] == '.') sleep(1);
        printf(" [x] Done\n");
        fflush(stdout);
        /* A task whose worker has died before this goes to another one. */
        must(haigha_ack(channel, haigha_message_delivery_tag(task), 0, &error), error);
        haigha_message_unref(task);
    }
}
