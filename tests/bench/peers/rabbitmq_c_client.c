/* The benchmark's work with rabbitmq-c.
 *
 * usage: rabbitmq_c_client URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
 * prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND" */
#define _DEFAULT_SOURCE /* clock_gettime, getrusage */

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench_stamp.h"

static void give_up(const char* what) {
    fprintf(stderr, "rabbitmq_c_client: %s\n", what);
    exit(1);
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double wall_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What was used up to the moment from which is measured: after `warm` messages. */
static uint64_t warm;
static double cpu_before;
static double wall_before;

static void before_message(uint64_t number) {
    if (number != warm + 1) return;
    cpu_before = cpu_seconds();
    wall_before = wall_seconds();
}

static void check(amqp_connection_state_t connection, const char* what) {
    if (amqp_get_rpc_reply(connection).reply_type != AMQP_RESPONSE_NORMAL) give_up(what);
}

/* Waits for one basic.ack; returns its delivery tag. */
static uint64_t next_confirm(amqp_connection_state_t connection) {
    amqp_frame_t frame;
    if (amqp_simple_wait_frame(connection, &frame) != AMQP_STATUS_OK ||
        frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
        give_up("no confirm");
    }
    const uint64_t tag = ((amqp_basic_ack_t*)frame.payload.method.decoded)->delivery_tag;
    amqp_maybe_release_buffers(connection);
    return tag;
}

static void publish(amqp_connection_state_t connection, amqp_bytes_t queue, size_t size,
                    uint64_t count, uint64_t window) {
    amqp_bytes_t body;
    uint64_t confirmed = 0;
    body.len = size;
    body.bytes = malloc(size);
    if (body.bytes == NULL) give_up("no memory");
    memset(body.bytes, BENCH_STAMP_FILLER, size);
    for (uint64_t number = 1; number <= count; ++number) {
        before_message(number);
        bench_stamp(body.bytes, size, number);
        if (amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, NULL, body) !=
            AMQP_STATUS_OK) {
            give_up("publish");
        }
        while (window > 0 && number - confirmed >= window)
            confirmed = next_confirm(connection);
    }
    while (window > 0 && confirmed < count)
        confirmed = next_confirm(connection);
    free(body.bytes);
}

static void consume(amqp_connection_state_t connection, amqp_bytes_t queue, size_t size,
                    uint64_t count, int ack) {
    amqp_basic_consume(connection, 1, queue, amqp_empty_bytes, 0, !ack, 0, amqp_empty_table);
    check(connection, "consume");
    for (uint64_t number = 1; number <= count; ++number) {
        amqp_envelope_t envelope;
        before_message(number);
        amqp_maybe_release_buffers(connection);
        if (amqp_consume_message(connection, &envelope, NULL, 0).reply_type !=
            AMQP_RESPONSE_NORMAL) {
            give_up("no message");
        }
        if (envelope.delivery_tag != number || envelope.message.body.len != size ||
            !bench_stamped(envelope.message.body.bytes, size, number)) {
            give_up("a delivery is not what was sent");
        }
        if (ack && amqp_basic_ack(connection, 1, number, 0) != AMQP_STATUS_OK) give_up("ack");
        amqp_destroy_envelope(&envelope);
    }
}

int main(int argc, char** argv) {
    if (argc != 9) {
        give_up("usage: rabbitmq_c_client URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE");
    }
    struct amqp_connection_info uri;
    const char* const work = argv[2];
    const size_t size = (size_t)atoll(argv[3]);
    const uint64_t count = (uint64_t)atoll(argv[4]);
    const uint64_t window = (uint64_t)atoll(argv[6]);
    const uint16_t prefetch = (uint16_t)atoi(argv[7]);
    const amqp_bytes_t queue = amqp_cstring_bytes(argv[8]);
    const int confirm = strcmp(work, "publish+confirm") == 0;
    const int ack = strcmp(work, "consume+ack") == 0;
    warm = (uint64_t)atoll(argv[5]);

    if (amqp_parse_url(argv[1], &uri) != AMQP_STATUS_OK) give_up("URI");
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t* socket = amqp_tcp_socket_new(connection);
    if (socket == NULL || amqp_socket_open(socket, uri.host, uri.port) != AMQP_STATUS_OK) {
        give_up("connect");
    }
    if (amqp_login(connection, uri.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, uri.user,
                   uri.password)
            .reply_type != AMQP_RESPONSE_NORMAL) {
        give_up("login");
    }
    amqp_channel_open(connection, 1);
    check(connection, "channel");
    if (confirm) {
        amqp_confirm_select(connection, 1);
        check(connection, "confirm");
    }
    amqp_basic_qos(connection, 1, 0, prefetch, 0);
    check(connection, "qos");

    if (strcmp(work, "publish") == 0 || confirm) {
        publish(connection, queue, size, count, confirm ? window : 0);
    } else {
        consume(connection, queue, size, count, ack);
    }
    /* A round trip: what was written is then read. */
    amqp_basic_qos(connection, 1, 0, prefetch, 0);
    check(connection, "qos");
    const double measured = (double)(count - warm);
    printf("%.6f %.0f\n", (cpu_seconds() - cpu_before) / measured * 1e6,
           measured / (wall_seconds() - wall_before));

    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    return amqp_destroy_connection(connection) == AMQP_STATUS_OK ? 0 : 1;
}
