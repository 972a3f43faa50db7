/* A stranger's program in plain C11: sends one message through the broker that HAIGHA_TEST_URI
 * names and gets it back. Prints "got: hello"; without a broker in the environment, "no broker". */
#include <haigha/haigha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static haigha_str text(const char* characters) {
    const haigha_str made = {characters, strlen(characters)};
    return made;
}

static void check(haigha_status status, haigha_error* error, const char* what) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, haigha_status_name(status), haigha_error_message(error));
    haigha_error_free(error);
    exit(1);
}
#define CHECK(call) check((call), error, #call)

int main(void) {
    const char* const uri = getenv("HAIGHA_TEST_URI");
    haigha_error* error = NULL;
    haigha_options* options = NULL;
    haigha_loop* loop = NULL;
    haigha_connection* connection = NULL;
    haigha_channel* channel = NULL;
    haigha_reply* declared = NULL;
    haigha_reply* got = NULL;
    haigha_channel_args channel_args = HAIGHA_CHANNEL_ARGS_INIT;
    haigha_queue_declare_args declare_args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_publish_args publish_args = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_get_args get_args = HAIGHA_GET_ARGS_INIT;
    haigha_str body;

    if (uri == NULL || *uri == '\0') {
        puts("no broker");
        return 0;
    }
    CHECK(haigha_loop_start(&loop, &error));
    CHECK(haigha_options_new(&options, &error));
    CHECK(haigha_options_set_uri(options, text(uri), &error));
    CHECK(haigha_connection_new(loop, options, NULL, &connection, &error));
    haigha_options_free(options);
    CHECK(haigha_connection_open_wait(connection, -1, &error));
    channel_args.confirm = 1;
    CHECK(haigha_channel_open_wait(connection, &channel_args, -1, &channel, &error));

    declare_args.exclusive = 1;
    CHECK(haigha_queue_declare_wait(channel, &declare_args, -1, &declared, &error));
    publish_args.routing_key = haigha_reply_queue(declared);
    CHECK(haigha_publish_wait(channel, &publish_args, text("hello"), -1, NULL, &error));
    get_args.queue = haigha_reply_queue(declared);
    get_args.no_ack = 1;
    CHECK(haigha_get_wait(channel, &get_args, -1, &got, &error));
    body = haigha_message_body(haigha_reply_message(got));
    printf("got: %.*s\n", (int)body.size, body.data != NULL ? body.data : "");

    haigha_reply_unref(got);
    haigha_reply_unref(declared);
    CHECK(haigha_connection_close_wait(connection, -1, &error));
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    haigha_loop_unref(loop);
    return 0;
}
