/* Reads a stream in two lives of a program: the second goes on where the first has left off.
 *
 *     cc streams.c $(pkg-config --cflags --libs haigha) -o streams
 *     ./streams amqp://guest:guest@localhost */
#include <haigha/haigha.h>
#include <haigha/queue_arguments.h>
#include <haigha/streams.h>
#include <stdio.h>
#include <stdlib.h>

static void must(haigha_status status, const haigha_error* error) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s\n", haigha_status_name(status), haigha_error_message(error));
    exit(1);
}

/* Handles `count` messages as the reader "sums"; returns the sum of their offsets. */
static int life(haigha_connection* connection, haigha_str stream, int count) {
    haigha_error* error = NULL;
    haigha_channel* channel;
    haigha_inbox* inbox;
    haigha_table* arguments;
    haigha_stream_reader* reader;
    haigha_reply* consumer;
    haigha_stream_reader_args args = HAIGHA_STREAM_READER_ARGS_INIT;
    haigha_consumer_arguments from = HAIGHA_CONSUMER_ARGUMENTS_INIT;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    int i, sum = 0;

    must(haigha_channel_open_wait(connection, NULL, -1, &channel, &error), error);
    must(haigha_inbox_new(0, &inbox, &error), error);
    must(haigha_table_new(&arguments, &error), error);
    args.stream = stream;
    args.name = haigha_text("sums");
    must(haigha_stream_reader_new(channel, &args, &reader, &error), error);
    from.stream_from = HAIGHA_STREAM_OFFSET_FIRST; /* when nothing is kept yet */
    must(haigha_consumer_arguments_add(&from, NULL, arguments, &error), error);
    consume.arguments = arguments;
    consume.deliveries.inbox = inbox;
    must(haigha_stream_reader_consume_wait(reader, &consume, -1, &consumer, &error), error);
    for (i = 0; i < count; i++) {
        haigha_message* message;
        uint64_t offset = 0;
        must(haigha_inbox_next_message(inbox, 30000, &message, &error), error);
        must(haigha_message_stream_offset(message, &offset, &error), error);
        sum += (int)offset;
        must(haigha_stream_reader_handled(reader, message, &error), error);
        haigha_message_unref(message);
    }
    must(haigha_cancel_wait(channel, haigha_reply_consumer_tag(consumer), -1, NULL, &error), error);
    must(haigha_stream_reader_save_wait(reader, -1, &error), error);
    must(haigha_channel_close_wait(channel, -1, &error), error);
    haigha_stream_reader_unref(reader);
    haigha_reply_unref(consumer);
    haigha_table_free(arguments);
    haigha_channel_unref(channel);
    haigha_inbox_unref(inbox);
    return sum;
}

int main(int argc, char** argv) {
    haigha_error* error = NULL;
    haigha_loop* loop;
    haigha_options* options;
    haigha_connection* connection;
    haigha_channel* channel;
    haigha_table* arguments;
    haigha_queue_arguments stream = HAIGHA_QUEUE_ARGUMENTS_INIT;
    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_queue_delete_args drop = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_channel_args confirming = HAIGHA_CHANNEL_ARGS_INIT;
    haigha_str uri = haigha_text(argc > 1 ? argv[1] : "amqp://localhost");
    int i, first, second;

    must(haigha_loop_start(&loop, &error), error);
    must(haigha_options_new(&options, &error), error);
    must(haigha_options_set_uri(options, uri, &error), error);
    must(haigha_connection_new(loop, options, NULL, &connection, &error), error);
    haigha_options_free(options);
    must(haigha_connection_open_wait(connection, -1, &error), error);
    confirming.confirm = 1;
    must(haigha_channel_open_wait(connection, &confirming, -1, &channel, &error), error);
    declare.queue = publish.routing_key = drop.queue = haigha_text("numbers-of-this-example");
    declare.durable = 1;
    must(haigha_table_new(&arguments, &error), error);
    stream.kind = HAIGHA_QUEUE_STREAM;
    must(haigha_queue_arguments_add(&stream, &declare, connection, arguments, &error), error);
    declare.arguments = arguments;
    must(haigha_queue_delete_wait(channel, &drop, -1, NULL, &error), error); /* of a run before */
    must(haigha_queue_declare_wait(channel, &declare, -1, NULL, &error), error);
    for (i = 0; i < 10; i++) {
        must(haigha_publish_wait(channel, &publish, haigha_text("a number"), -1, NULL, &error),
             error);
    }

    first = life(connection, declare.queue, 4);  /* 0 to 3 */
    second = life(connection, declare.queue, 6); /* 4 to 9 */
    printf("%d in the first life, %d in the second\n", first, second);

    must(haigha_queue_delete_wait(channel, &drop, -1, NULL, &error), error);
    drop.queue = haigha_text("numbers-of-this-example.offset.sums");
    must(haigha_queue_delete_wait(channel, &drop, -1, NULL, &error), error);
    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_table_free(arguments);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    haigha_loop_unref(loop);
    return first == 6 && second == 39 ? 0 : 1;
}
