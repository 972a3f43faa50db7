/* examples/tutorials/rpc_server.c: remote procedure calls: answers with Fibonacci numbers. */
#include <haigha/rpc.h>

#include "tutorial.h"

static unsigned long fibonacci(unsigned long n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int main(void) {
    haigha_error* error = NULL;
    haigha_connection* connection = connected();
    haigha_channel* channel;
    haigha_inbox* inbox;
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_qos_args one = HAIGHA_QOS_ARGS_INIT;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    must(haigha_channel_open_wait(connection, NULL, -1, &channel, &error), error);

    queue.queue = haigha_text("rpc_queue");
    queue.auto_delete = 1; /* with its last server */
    must(haigha_queue_declare_wait(channel, &queue, -1, NULL, &error), error);
    one.prefetch_count = 1; /* so that several servers share the requests */
    must(haigha_qos_wait(channel, &one, -1, NULL, &error), error);
    must(haigha_inbox_new(0, &inbox, &error), error);
    consume.queue = queue.queue;
    consume.deliveries.inbox = inbox;
    must(haigha_consume_wait(channel, &consume, -1, NULL, &error), error);

    printf(" [x] Awaiting RPC requests\n");
    fflush(stdout);
    for (;;) {
        haigha_message* request;
        haigha_str body;
        char number[24] = "";
        char answer[24];
        must(haigha_inbox_next_message(inbox, -1, &request, &error), error);
        body = haigha_message_body(request);
        snprintf(number, sizeof number, "%.*s", (int)body.size, body.data);
        snprintf(answer, sizeof answer, "%lu", fibonacci(strtoul(number, NULL, 10) % 40));
        must(haigha_rpc_reply(channel, request, NULL, haigha_text(answer), &error), error);
        must(haigha_ack(channel, haigha_message_delivery_tag(request), 0, &error), error);
        haigha_message_unref(request);
    }
}
