/* examples/embedding/in_uv.c: in a libuv loop that the program runs: no thread but its own, nothing
 * that waits. A timer publishes, and the loop ends when everything has come back.
 *
 *     cc in_uv.c $(pkg-config --cflags --libs haigha libuv) -o in_uv && ./in_uv amqp://localhost */
#include <haigha/haigha.h>
#include <stdio.h>
#include <uv.h>

enum { messages = 10 };

static struct {
    haigha_connection* connection;
    haigha_channel* channel;
    char queue[256];
    uv_timer_t timer;
    int published;
    int failed;
} program;

/* Everything starts something and ends in on_event, with the tag that says what it was. */
enum { opened = 1, declared, consuming, delivery, closed };

static void on_event(const haigha_event* event, void* user_data);

static haigha_then then(uint64_t tag) {
    haigha_then answer = {on_event, NULL, NULL, NULL, 0};
    answer.tag = tag;
    return answer;
}

/* When it is closed its handles are dropped, and with the last of them the loop ends. */
static void finish(void) {
    const haigha_then answer = then(closed);
    if (!uv_is_closing((uv_handle_t*)&program.timer)) uv_close((uv_handle_t*)&program.timer, NULL);
    haigha_connection_close(program.connection, &answer, NULL);
}

static void give_up(const char* why) {
    fprintf(stderr, "%s\n", why);
    program.failed = 1;
    finish();
}

static void must(haigha_status status) {
    if (status != HAIGHA_OK) give_up(haigha_status_name(status));
}

static void publish(uv_timer_t* timer) {
    haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
    message.routing_key = haigha_text(program.queue);
    must(haigha_publish(program.channel, &message, haigha_text("tick"), NULL, NULL));
    if (++program.published == messages) uv_timer_stop(timer);
}

static void on_event(const haigha_event* event, void* user_data) {
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    haigha_then answer;
    haigha_str name;
    (void)user_data;
    if (event->tag == closed) {
        haigha_channel_unref(program.channel);
        haigha_connection_unref(program.connection);
        return;
    }
    if (event->type == HAIGHA_EVENT_REPLY && event->error != NULL) {
        give_up(haigha_error_message(event->error));
        return;
    }
    switch (event->tag) {
        case opened:
            answer = then(declared);
            queue.exclusive = 1;
            must(haigha_channel_open(program.connection, NULL, NULL, &program.channel, NULL));
            must(haigha_queue_declare(program.channel, &queue, &answer, NULL));
            return;
        case declared:
            name = haigha_reply_queue(event->reply);
            snprintf(program.queue, sizeof program.queue, "%.*s", (int)name.size, name.data);
            answer = then(consuming);
            consume.queue = name;
            consume.no_ack = 1;
            consume.deliveries = then(delivery);
            must(haigha_consume(program.channel, &consume, &answer, NULL));
            return;
        case consuming:
            uv_timer_start(&program.timer, publish, 0, 5);
            return;
        case delivery: {
            static int received;
            if (event->type != HAIGHA_EVENT_DELIVERY || ++received < messages) return;
            printf("%d messages came back\n", received);
            finish();
            return;
        }
    }
}

int main(int argc, char** argv) {
    uv_loop_t* uv = uv_default_loop();
    haigha_loop* loop;
    haigha_options* options;
    haigha_error* error = NULL;
    haigha_then answer = then(opened);
    if (haigha_loop_attach(uv, &loop, &error) != HAIGHA_OK ||
        haigha_options_new(&options, &error) != HAIGHA_OK ||
        haigha_options_set_uri(options, haigha_text(argc > 1 ? argv[1] : "amqp://localhost"),
                               &error) != HAIGHA_OK ||
        haigha_connection_new(loop, options, NULL, &program.connection, &error) != HAIGHA_OK ||
        haigha_connection_open(program.connection, &answer, &error) != HAIGHA_OK) {
        fprintf(stderr, "%s\n", haigha_error_message(error));
        return 1;
    }
    haigha_options_free(options);
    uv_timer_init(uv, &program.timer);
    /* It leaves the uv loop with the connection, which has it now. */
    haigha_loop_unref(loop);

    uv_run(uv, UV_RUN_DEFAULT);
    return program.failed;
}
