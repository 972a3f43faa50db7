/* examples/embedding/with_curl.c: libhaigha and libcurl in one libuv loop: each message names a
 * page, which is fetched while others are, and acknowledged when it is there. One thread, and
 * nothing that waits.
 *
 *     cc with_curl.c $(pkg-config --cflags --libs haigha libuv libcurl) -o with_curl
 *     ./with_curl amqp://localhost http://localhost:8000/ */
#include <curl/curl.h>
#include <haigha/haigha.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { messages = 10, at_once = 4 };

static struct {
    const char* page;
    haigha_connection* connection;
    haigha_channel* channel;
    CURLM* curl;
    uv_timer_t timer;
    int fetched;
    int failed;
} program;

static void on_closed(const haigha_event* event, void* user_data) {
    (void)event, (void)user_data;
    haigha_channel_unref(program.channel);
    haigha_connection_unref(program.connection);
}

static void finish(void) {
    const haigha_then closed = {on_closed, NULL, NULL, NULL, 0};
    uv_close((uv_handle_t*)&program.timer, NULL);
    haigha_connection_close(program.connection, &closed, NULL);
}

static void must(haigha_status status, const char* doing) {
    if (status == HAIGHA_OK || program.failed) return;
    fprintf(stderr, "%s: %s\n", doing, haigha_status_name(status));
    program.failed = 1;
    finish();
}

/* ---- libcurl: its sockets and its one timer are the loop's */

static size_t drop(char* data, size_t size, size_t count, void* user_data) {
    (void)data, (void)user_data;
    return size * count;
}

static void fetch(uint64_t delivery_tag) {
    CURL* transfer = curl_easy_init();
    curl_easy_setopt(transfer, CURLOPT_URL, program.page);
    curl_easy_setopt(transfer, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(transfer, CURLOPT_PRIVATE, (void*)(uintptr_t)delivery_tag);
    curl_multi_add_handle(program.curl, transfer);
}

/* Acknowledges what has come, and has what failed come again. */
static void look(void) {
    int left;
    CURLMsg* message;
    while ((message = curl_multi_info_read(program.curl, &left)) != NULL) {
        CURL* transfer = message->easy_handle;
        const CURLcode result = message->data.result;
        void* tag;
        if (message->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(transfer, CURLINFO_PRIVATE, &tag);
        curl_multi_remove_handle(program.curl, transfer);
        curl_easy_cleanup(transfer);
        if (result != CURLE_OK) {
            must(haigha_nack(program.channel, (uintptr_t)tag, HAIGHA_REQUEUE, NULL), "nack");
            continue;
        }
        must(haigha_ack(program.channel, (uintptr_t)tag, 0, NULL), "ack");
        if (++program.fetched < messages) continue;
        printf("%d pages were fetched\n", program.fetched);
        finish();
    }
}

static void on_ready(uv_poll_t* poll, int status, int events) {
    const int socket = (int)(intptr_t)poll->data;
    int running;
    const int what = ((events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
                     ((events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(program.curl, socket, status < 0 ? CURL_CSELECT_ERR : what, &running);
    look();
}

static void on_poll_closed(uv_handle_t* poll) {
    free(poll);
}

static int on_socket(CURL* transfer, curl_socket_t socket, int wanted, void* user,
                     void* of_socket) {
    uv_poll_t* poll = of_socket;
    (void)transfer, (void)user;
    if (wanted == CURL_POLL_REMOVE) {
        if (poll != NULL) uv_close((uv_handle_t*)poll, on_poll_closed);
        return 0;
    }
    if (poll == NULL) {
        poll = malloc(sizeof *poll);
        if (poll == NULL || uv_poll_init_socket(uv_default_loop(), poll, socket) != 0) return -1;
        poll->data = (void*)(intptr_t)socket;
        curl_multi_assign(program.curl, socket, poll);
    }
    uv_poll_start(
        poll,
        (wanted != CURL_POLL_OUT ? UV_READABLE : 0) | (wanted != CURL_POLL_IN ? UV_WRITABLE : 0),
        on_ready);
    return 0;
}

static void on_time(uv_timer_t* timer) {
    int running;
    (void)timer;
    curl_multi_socket_action(program.curl, CURL_SOCKET_TIMEOUT, 0, &running);
    look();
}

static int on_timer(CURLM* multi, long timeout_ms, void* user) {
    (void)multi, (void)user;
    if (timeout_ms < 0) {
        uv_timer_stop(&program.timer);
    } else {
        uv_timer_start(&program.timer, on_time, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

/* ---- libhaigha */

static void on_delivery(const haigha_event* event, void* user_data) {
    (void)user_data;
    if (event->type == HAIGHA_EVENT_DELIVERY) fetch(event->number);
}

static void on_declared(const haigha_event* event, void* user_data) {
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
    int i;
    (void)user_data;
    must(haigha_error_status(event->error), "declaring the queue");
    consume.queue = haigha_reply_queue(event->reply);
    consume.deliveries.fn = on_delivery;
    must(haigha_consume(program.channel, &consume, NULL, NULL), "consume");
    message.routing_key = consume.queue;
    for (i = 0; i < messages; ++i)
        must(haigha_publish(program.channel, &message, haigha_text(program.page), NULL, NULL),
             "publish");
}

static void on_open(const haigha_event* event, void* user_data) {
    const haigha_then declared = {on_declared, NULL, NULL, NULL, 0};
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_qos_args prefetch = HAIGHA_QOS_ARGS_INIT;
    (void)user_data;
    if (event->error != NULL) fprintf(stderr, "%s\n", haigha_error_message(event->error));
    must(haigha_error_status(event->error), "connecting");
    if (program.failed) return;
    queue.exclusive = 1;
    prefetch.prefetch_count = at_once; /* as many pages are fetched at a time */
    must(haigha_channel_open(program.connection, NULL, NULL, &program.channel, NULL), "channel");
    must(haigha_qos(program.channel, &prefetch, NULL, NULL), "qos");
    must(haigha_queue_declare(program.channel, &queue, &declared, NULL), "declare");
}

int main(int argc, char** argv) {
    const haigha_then opened = {on_open, NULL, NULL, NULL, 0};
    haigha_loop* loop;
    haigha_options* options;
    haigha_error* error = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: with_curl AMQP-URI PAGE\n");
        return 2;
    }
    program.page = argv[2];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    program.curl = curl_multi_init();
    curl_multi_setopt(program.curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(program.curl, CURLMOPT_TIMERFUNCTION, on_timer);
    uv_timer_init(uv_default_loop(), &program.timer);
    if (haigha_loop_attach(uv_default_loop(), &loop, &error) != HAIGHA_OK ||
        haigha_options_new(&options, &error) != HAIGHA_OK ||
        haigha_options_set_uri(options, haigha_text(argv[1]), &error) != HAIGHA_OK ||
        haigha_connection_new(loop, options, NULL, &program.connection, &error) != HAIGHA_OK ||
        haigha_connection_open(program.connection, &opened, &error) != HAIGHA_OK) {
        fprintf(stderr, "%s\n", haigha_error_message(error));
        return 1;
    }
    haigha_options_free(options);
    haigha_loop_unref(loop);

    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    curl_multi_cleanup(program.curl);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT); /* what libcurl has closed */
    curl_global_cleanup();
    return program.failed;
}
