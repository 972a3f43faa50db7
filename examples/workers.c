/* Publishes a hundred numbers and handles them on four threads, those with one last digit in order.
 * For each digit that is done a handler publishes a word to a second queue.
 *
 *     cc workers.c $(pkg-config --cflags --libs haigha) -o workers
 *     ./workers amqp://guest:guest@localhost */
#include <haigha/haigha.h>
#include <haigha/workers.h>
#include <stdio.h>
#include <stdlib.h>

enum { messages = 100, keys = 10 };

/* Each place is of the deliveries of one key, which one thread at a time handles. */
struct seen {
    haigha_str done_queue;
    int last[keys];
    int handled[keys];
    int out_of_order[keys];
};

static void must(haigha_status status, const haigha_error* error) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s\n", haigha_status_name(status), haigha_error_message(error));
    exit(1);
}

static int number_of(const haigha_event* event) {
    char text[16] = {0};
    size_t i;
    for (i = 0; i < event->body.size && i < sizeof text - 1; i++)
        text[i] = event->body.data[i];
    return atoi(text);
}

/* On the loop's thread: quick. */
static uint64_t key_of(const haigha_event* event, void* user_data) {
    (void)user_data;
    return (uint64_t)(number_of(event) % keys);
}

/* On a thread of the workers': may take its time. */
static int32_t handle(const haigha_event* event, void* user_data) {
    struct seen* seen = user_data;
    int number, key;
    if (event->type != HAIGHA_EVENT_DELIVERY) return HAIGHA_WORK_ACK; /* the consumer has ended */
    number = number_of(event);
    key = number % keys;
    if (number < seen->last[key]) seen->out_of_order[key]++;
    seen->last[key] = number;
    if (++seen->handled[key] == messages / keys) {
        haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
        haigha_error* error = NULL;
        publish.routing_key = seen->done_queue;
        must(haigha_publish(event->channel, &publish, haigha_text("done"), NULL, &error), error);
    }
    return HAIGHA_WORK_ACK;
}

int main(int argc, char** argv) {
    static struct seen seen;
    haigha_error* error = NULL;
    haigha_loop* loop;
    haigha_options* options;
    haigha_connection* connection;
    haigha_channel* channel;
    haigha_workers* workers;
    haigha_inbox* inbox;
    haigha_reply *declared, *done;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_work_args work = HAIGHA_WORK_ARGS_INIT;
    haigha_str uri = haigha_text(argc > 1 ? argv[1] : "amqp://localhost");
    int64_t handled = 0;
    int i, wrong = 0;

    must(haigha_loop_start(&loop, &error), error);
    must(haigha_options_new(&options, &error), error);
    must(haigha_options_set_uri(options, uri, &error), error);
    must(haigha_connection_new(loop, options, NULL, &connection, &error), error);
    haigha_options_free(options);
    must(haigha_connection_open_wait(connection, -1, &error), error);
    must(haigha_channel_open_wait(connection, NULL, -1, &channel, &error), error);
    declare.exclusive = 1;
    must(haigha_queue_declare_wait(channel, &declare, -1, &declared, &error), error);
    must(haigha_queue_declare_wait(channel, &declare, -1, &done, &error), error);
    must(haigha_inbox_new(0, &inbox, &error), error);
    seen.done_queue = consume.queue = haigha_reply_queue(done);
    consume.deliveries.inbox = inbox;
    consume.no_ack = 1;
    must(haigha_consume_wait(channel, &consume, -1, NULL, &error), error);

    must(haigha_workers_new(loop, NULL, &workers, &error), error);
    work.queue = publish.routing_key = haigha_reply_queue(declared);
    work.handle = handle;
    work.key = key_of;
    work.order = HAIGHA_ORDER_KEY;
    work.user_data = &seen;
    must(haigha_workers_consume_wait(workers, channel, &work, -1, NULL, &error), error);

    for (i = 1; i <= messages; i++) {
        char body[16];
        sprintf(body, "%d", i);
        must(haigha_publish(channel, &publish, haigha_text(body), NULL, &error), error);
    }
    for (i = 0; i < keys; i++) {
        haigha_message* message;
        must(haigha_inbox_next_message(inbox, 30000, &message, &error), error);
        haigha_message_unref(message);
    }
    must(haigha_workers_close_wait(workers, 30000, &error), error);
    must(haigha_workers_info(workers, haigha_text("handled"), &handled, &error), error);

    for (i = 0; i < keys; i++)
        wrong += seen.out_of_order[i] + (seen.handled[i] != messages / keys);
    printf("%d handled, %d wrong\n", (int)handled, wrong);
    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_workers_unref(workers);
    haigha_inbox_unref(inbox);
    haigha_reply_unref(done);
    haigha_reply_unref(declared);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    haigha_loop_unref(loop);
    return wrong > 0;
}
