/* examples/tutorials/receive_logs.c: publish/subscribe, routing and topics: listens for what it is
 * told to.
 *
 *     receive_logs fanout ''
 *     receive_logs direct warning error
 *     receive_logs topic 'kern.*' '*.critical' */
#include "tutorial.h"

int main(int argc, char** argv) {
    haigha_error* error = NULL;
    haigha_connection* connection = connected();
    haigha_channel* channel;
    haigha_inbox* inbox;
    haigha_exchange_declare_args logs = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    haigha_queue_declare_args own = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_queue_bind_args binding = HAIGHA_QUEUE_BIND_ARGS_INIT;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    haigha_reply* declared;
    char exchange[64];
    int i;
    if (argc < 3) {
        fprintf(stderr, "usage: receive_logs fanout|direct|topic KEY...\n");
        return 2;
    }
    must(haigha_channel_open_wait(connection, NULL, -1, &channel, &error), error);

    snprintf(exchange, sizeof exchange, "%s_logs", argv[1]);
    logs.exchange = haigha_text(exchange);
    logs.type = haigha_text(argv[1]);
    must(haigha_exchange_declare_wait(channel, &logs, -1, NULL, &error), error);
    own.exclusive = 1; /* the broker chooses its name, and deletes it with the connection */
    must(haigha_queue_declare_wait(channel, &own, -1, &declared, &error), error);
    binding.queue = haigha_reply_queue(declared);
    binding.exchange = logs.exchange;
    for (i = 2; i < argc; ++i) {
        binding.routing_key = haigha_text(argv[i]);
        must(haigha_queue_bind_wait(channel, &binding, -1, NULL, &error), error);
    }
    must(haigha_inbox_new(0, &inbox, &error), error);
    consume.queue = binding.queue;
    consume.no_ack = 1;
    consume.deliveries.inbox = inbox;
    must(haigha_consume_wait(channel, &consume, -1, NULL, &error), error);
    haigha_reply_unref(declared);

    printf(" [*] Waiting for logs. To exit press CTRL+C\n");
    fflush(stdout);
    for (;;) {
        haigha_message* message;
        haigha_str key, body;
        must(haigha_inbox_next_message(inbox, -1, &message, &error), error);
        key = haigha_message_routing_key(message);
        body = haigha_message_body(message);
        printf(" [x] %.*s:%.*s\n", (int)key.size, key.data, (int)body.size, body.data);
        fflush(stdout);
        haigha_message_unref(message);
    }
}
