/* examples/tutorials/rpc_client.c: remote procedure calls: asks for a Fibonacci number. */
#include <haigha/rpc.h>

#include "tutorial.h"

int main(int argc, char** argv) {
    haigha_error* error = NULL;
    haigha_connection* connection = connected();
    haigha_rpc_client* client;
    haigha_publish_args request = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_reply* reply;
    haigha_str answer;
    const char* number = argc > 1 ? argv[1] : "30";
    must(haigha_rpc_client_new(connection, NULL, &client, &error), error);

    printf(" [x] Requesting fib(%s)\n", number);
    request.routing_key = haigha_text("rpc_queue");
    /* Ten seconds; when nobody serves the queue, at once. */
    must(haigha_rpc_call_wait(client, &request, haigha_text(number), 10000, &reply, &error), error);
    answer = haigha_message_body(haigha_reply_message(reply));
    printf(" [.] Got %.*s\n", (int)answer.size, answer.data);

    haigha_reply_unref(reply);
    haigha_rpc_client_unref(client);
    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_connection_unref(connection);
    return 0;
}
