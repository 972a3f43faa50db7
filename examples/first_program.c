/* Connects, publishes one message with a confirm, gets it back, closes. It knows no event loop.
 *
 *     cc first_program.c $(pkg-config --cflags --libs haigha) -o first_program
 *     ./first_program amqp://guest:guest@localhost */
#include <haigha/haigha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static haigha_str text(const char* s) {
    haigha_str str;
    str.data = s;
    str.size = strlen(s);
    return str;
}

static void must(haigha_status status, const haigha_error* error) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s\n", haigha_status_name(status), haigha_error_message(error));
    exit(1);
}

int main(int argc, char** argv) {
    haigha_error* error = NULL;
    haigha_loop* loop;
    haigha_options* options;
    haigha_connection* connection;
    haigha_channel* channel;
    haigha_reply* reply;
    haigha_channel_args with_confirms = HAIGHA_CHANNEL_ARGS_INIT;
    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_get_args get = HAIGHA_GET_ARGS_INIT;
    haigha_str queue, body;

    must(haigha_loop_start(&loop, &error), error);
    must(haigha_options_new(&options, &error), error);
    if (argc > 1) must(haigha_options_set_uri(options, text(argv[1]), &error), error);
    must(haigha_connection_new(loop, options, NULL, &connection, &error), error);
    must(haigha_connection_open_wait(connection, -1, &error), error);
    with_confirms.confirm = 1;
    must(haigha_channel_open_wait(connection, &with_confirms, -1, &channel, &error), error);

    declare.exclusive = 1; /* the broker chooses the name, and deletes it with the connection */
    must(haigha_queue_declare_wait(channel, &declare, -1, &reply, &error), error);
    queue = haigha_reply_queue(reply);
    publish.routing_key = queue;
    must(haigha_publish_wait(channel, &publish, text("hello"), -1, NULL, &error), error);
    get.queue = queue;
    get.no_ack = 1;
    {
        haigha_reply* got;
        must(haigha_get_wait(channel, &get, -1, &got, &error), error);
        body = haigha_message_body(haigha_reply_message(got));
        printf("got \"%.*s\"\n", (int)body.size, body.data);
        haigha_reply_unref(got);
    }
    haigha_reply_unref(reply);

    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    haigha_options_free(options);
    haigha_loop_unref(loop);
    return 0;
}
