/* examples/send_file.c: a file to a queue, and from the queue into another file, neither ever whole
 * in memory.
 *
 * usage: send_file URI FROM TO */
#include <haigha/haigha.h>
#include <haigha/pieces.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (64 * 1024)

static void fail(const char* what, haigha_error* error) {
    fprintf(stderr, "%s: %s\n", what, haigha_error_message(error));
    exit(1);
}

struct receiving {
    FILE* to;
    int done[2]; /* a pipe: tells the main thread how it ended */
};

/* On the loop's thread. A program whose disk is slow would call haigha_connection_pause_reading. */
static void on_piece(const haigha_piece* piece, void* user_data) {
    struct receiving* receiving = user_data;
    char end = 'n';
    switch (piece->kind) {
        case HAIGHA_PIECE_OCTETS:
            if (fwrite(piece->octets.data, 1, piece->octets.size, receiving->to) ==
                piece->octets.size)
                return;
            break;
        case HAIGHA_PIECE_END:
            if (fflush(receiving->to) == 0 &&
                haigha_ack(piece->channel, piece->delivery_tag, 0, NULL) == HAIGHA_OK)
                end = 'y';
            break;
        case HAIGHA_PIECE_ABORTED:
            break;
        default:
            return;
    }
    if (write(receiving->done[1], &end, 1) != 1) abort();
}

static void send_file(haigha_channel* channel, haigha_str queue, FILE* from, uint64_t size) {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_body_writer* writer = NULL;
    haigha_error* error = NULL;
    static char piece[PIECE];
    size_t taken = 0, got = 0;
    args.routing_key = queue;
    if (haigha_body_writer_new(channel, &args, size, NULL, &writer, &error))
        fail("haigha_body_writer_new", error);
    /* The first write begins the message, also when the file is empty. */
    do {
        got = fread(piece, 1, sizeof piece, from);
        if (ferror(from)) {
            /* What is begun and not whole ends the connection. */
            haigha_body_writer_unref(writer);
            perror("reading");
            exit(1);
        }
        if (haigha_body_write_wait(writer, (haigha_str){piece, got}, -1, &taken, &error))
            fail("haigha_body_write_wait", error);
        size -= got;
    } while (size > 0 && got > 0);
    haigha_body_writer_unref(writer);
}

int main(int argc, char** argv) {
    haigha_connection* connection = NULL;
    haigha_channel_args channel_args = HAIGHA_CHANNEL_ARGS_INIT;
    haigha_queue_declare_args queue_args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_consume_args consume_args = HAIGHA_CONSUME_ARGS_INIT;
    haigha_pieces_args pieces = HAIGHA_PIECES_ARGS_INIT;
    haigha_channel* channel = NULL;
    haigha_reply* declared = NULL;
    haigha_error* error = NULL;
    struct receiving receiving;
    struct stat status;
    FILE* from;
    char end = 'n';

    if (argc != 4) {
        fprintf(stderr, "usage: send_file URI FROM TO\n");
        return 2;
    }
    from = fopen(argv[2], "rb");
    receiving.to = fopen(argv[3], "wb");
    if (from == NULL || receiving.to == NULL || stat(argv[2], &status) != 0 ||
        pipe(receiving.done) != 0) {
        perror("opening the files");
        return 1;
    }
    if (haigha_connect_wait(haigha_text(argv[1]), -1, &connection, &error))
        fail("haigha_connect_wait", error);
    if (haigha_channel_open_wait(connection, &channel_args, -1, &channel, &error))
        fail("haigha_channel_open_wait", error);
    queue_args.exclusive = 1;
    if (haigha_queue_declare_wait(channel, &queue_args, -1, &declared, &error))
        fail("haigha_queue_declare_wait", error);

    consume_args.queue = haigha_reply_queue(declared);
    pieces.fn = on_piece;
    pieces.user_data = &receiving;
    if (haigha_consume_pieces_wait(channel, &consume_args, &pieces, -1, NULL, &error))
        fail("haigha_consume_pieces_wait", error);
    send_file(channel, haigha_reply_queue(declared), from, (uint64_t)status.st_size);
    if (read(receiving.done[0], &end, 1) != 1 || end != 'y') {
        fprintf(stderr, "the file did not come back whole\n");
        return 1;
    }
    printf("%llu octets came back\n", (unsigned long long)status.st_size);
    haigha_reply_unref(declared);
    haigha_channel_unref(channel);
    haigha_connection_close_wait(connection, -1, NULL);
    haigha_connection_unref(connection);
    fclose(from);
    return fclose(receiving.to) == 0 ? 0 : 1;
}
