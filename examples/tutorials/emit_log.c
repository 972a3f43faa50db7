/* examples/tutorials/emit_log.c: publish/subscribe, routing and topics: says something to whoever
 * listens.
 *
 *     emit_log fanout '' "to everybody"
 *     emit_log direct error "to who wants errors"
 *     emit_log topic kern.critical "to who wants kern.* or *.critical" */
#include "tutorial.h"

int main(int argc, char** argv) {
    haigha_error* error = NULL;
    haigha_connection* connection = connected();
    haigha_channel* channel;
    haigha_exchange_declare_args logs = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
    char exchange[64];
    if (argc != 4) {
        fprintf(stderr, "usage: emit_log fanout|direct|topic KEY TEXT\n");
        return 2;
    }
    must(haigha_channel_open_wait(connection, NULL, -1, &channel, &error), error);

    snprintf(exchange, sizeof exchange, "%s_logs", argv[1]);
    logs.exchange = haigha_text(exchange);
    logs.type = haigha_text(argv[1]);
    must(haigha_exchange_declare_wait(channel, &logs, -1, NULL, &error), error);
    message.exchange = logs.exchange;
    message.routing_key = haigha_text(argv[2]);
    must(haigha_publish(channel, &message, haigha_text(argv[3]), NULL, &error), error);
    printf(" [x] Sent '%s':'%s'\n", argv[2], argv[3]);

    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    return 0;
}
