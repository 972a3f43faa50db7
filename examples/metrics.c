/* Publishes a hundred confirmed messages and tells what that took, as Prometheus reads it. With a
 * port it serves the numbers of the moment to whoever asks for them.
 *
 *     cc metrics.c $(pkg-config --cflags --libs haigha) -o metrics
 *     ./metrics amqp://guest:guest@localhost           prints the text
 *     ./metrics amqp://guest:guest@localhost 9100      serves http://127.0.0.1:9100/metrics */
#include <arpa/inet.h>
#include <haigha/haigha.h>
#include <haigha/statistics.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { messages = 100 };

static void must(haigha_status status, const haigha_error* error) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s\n", haigha_status_name(status), haigha_error_message(error));
    exit(1);
}

static void must_do(int result, const char* what) {
    if (result >= 0) return;
    perror(what);
    exit(1);
}

/* The numbers of now: one connection's here, but it could be any number. Any thread may ask. */
static haigha_metrics* measure(haigha_connection* connection, haigha_str* text) {
    haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
    haigha_metrics* metrics = NULL;
    haigha_error* error = NULL;
    haigha_label label;
    label.name = haigha_text("connection");
    label.value = haigha_text("orders");
    must(haigha_connection_statistics(connection, &statistics, &error), error);
    must(haigha_metrics_new(&metrics, &error), error);
    must(haigha_metrics_add(metrics, &statistics, &label, 1, &error), error);
    must(haigha_metrics_prometheus(metrics, text, &error), error);
    return metrics;
}

static void send_all(int fd, const char* data, size_t size) {
    while (size > 0) {
        const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return; /* gone: its loss */
        data += sent;
        size -= (size_t)sent;
    }
}

/* Whatever is asked for, one client after the other. */
static void serve(haigha_connection* connection, int port) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must_do(bind(listener, (struct sockaddr*)&address, sizeof address), "bind");
    must_do(listen(listener, 8), "listen");
    must_do(getsockname(listener, (struct sockaddr*)&address, &size), "getsockname");
    printf("http://127.0.0.1:%d/metrics\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        char request[4096], head[128];
        haigha_str text;
        haigha_metrics* metrics;
        const int client = accept(listener, NULL, NULL);
        must_do(client, "accept");
        if (recv(client, request, sizeof request, 0) > 0) {
            metrics = measure(connection, &text);
            snprintf(head, sizeof head,
                     "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     text.size);
            send_all(client, head, strlen(head));
            send_all(client, text.data, text.size);
            haigha_metrics_free(metrics);
        }
        close(client);
    }
}

int main(int argc, char** argv) {
    haigha_connection* connection = NULL;
    haigha_channel* channel = NULL;
    haigha_reply* reply = NULL;
    haigha_error* error = NULL;
    haigha_channel_args confirming = HAIGHA_CHANNEL_ARGS_INIT;
    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
    int i;
    must(haigha_connect_wait(haigha_text(argc > 1 ? argv[1] : "amqp://localhost"), -1, &connection,
                             &error),
         error);
    confirming.confirm = 1;
    must(haigha_channel_open_wait(connection, &confirming, -1, &channel, &error), error);
    declare.exclusive = 1; /* the broker names it */
    must(haigha_queue_declare_wait(channel, &declare, -1, &reply, &error), error);
    publish.routing_key = haigha_reply_queue(reply);
    for (i = 0; i < messages; i++)
        must(haigha_publish_wait(channel, &publish, haigha_text("x"), -1, NULL, &error), error);
    if (argc > 2) {
        serve(connection, atoi(argv[2]));
    } else {
        haigha_str text;
        haigha_metrics* metrics = measure(connection, &text);
        fwrite(text.data, 1, text.size, stdout);
        haigha_metrics_free(metrics);
    }
    haigha_reply_unref(reply);
    haigha_channel_unref(channel);
    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_connection_unref(connection);
    return 0;
}
