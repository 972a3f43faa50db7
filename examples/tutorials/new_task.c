/* examples/tutorials/new_task.c: work queues: a task, as words with a dot for each second of work.
 */
#include "tutorial.h"

int main(int argc, char** argv) {
    haigha_error* error = NULL;
    haigha_connection* connection = connected();
    const char* task = argc > 1 ? argv[1] : "Hello...";
    haigha_channel* channel;
    haigha_channel_args confirms = HAIGHA_CHANNEL_ARGS_INIT;
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_reply* reply;
    confirms.confirm = 1;
    must(haigha_channel_open_wait(connection, &confirms, -1, &channel, &error), error);

    queue.queue = haigha_text("task_queue");
    queue.durable = 1; /* it outlives the broker ... */
    must(haigha_queue_declare_wait(channel, &queue, -1, NULL, &error), error);
    properties.present = HAIGHA_PROPERTY_DELIVERY_MODE;
    properties.delivery_mode = 2; /* ... and so does the message */
    message.routing_key = queue.queue;
    message.properties = &properties;
    /* Waits for the broker's confirm: now the task is its. */
    must(haigha_publish_wait(channel, &message, haigha_text(task), -1, &reply, &error), error);
    if (haigha_reply_outcome(reply) != HAIGHA_OUTCOME_CONFIRMED) {
        fprintf(stderr, "the broker did not take it\n");
        return 1;
    }
    printf(" [x] Sent '%s'\n", task);

    haigha_reply_unref(reply);
    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    return 0;
}
