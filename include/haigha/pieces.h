/* libhaigha: large bodies in pieces, published and consumed without ever being whole in memory.
 * Read the rules at the top of haigha.h first; they hold here too. */
#ifndef HAIGHA_PIECES_H
#define HAIGHA_PIECES_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- publishing ---------------------------------------------------------------------------- */

/* A message whose body is written piece by piece. AMQP says the size of a body before the body, so
 * that has to be known; and no other method may come in the middle of a content (AMQP 0-9-1,
 * 4.2.6), so from the first piece to the last whatever else the program asks of the channel waits,
 * in order. Other channels, and heartbeats, go on. At most 384 KiB of a body are in the library. */
typedef struct haigha_body_writer haigha_body_writer;

/* Nothing is taken by the channel, or said to the broker, before the first haigha_body_write.
 * `events`, which may be NULL, hears
 *   WRITABLE  after a write that took less than it was given: there is room again
 *   REPLY     once the message has begun, last: every octet was taken, or the error why that cannot
 *             be any more. Not what the broker makes of the message: that is an OUTCOME of the
 *             channel's events, with args->user_data, as for any other publish.
 * body_size: 0 to 2^40. To be released by haigha_body_writer_unref. Errors: ARGUMENT,
 * STRUCT_VERSION, FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_body_writer_new(
    haigha_channel* channel, const haigha_publish_args* args, uint64_t body_size,
    const haigha_then* events, haigha_body_writer** writer, haigha_error** error);
/* The next octets of the body, copied: as many as there is room for, which *taken says; not one
 * when there is none (WOULD_BLOCK, WRITABLE follows). Each call makes at least one frame, so pieces
 * of some 64 KiB serve best. The first call begins the message, also with no octets, and is refused
 * where haigha_publish would be: by a full outbox, or a broker that holds publishes back (then the
 * WRITABLE of the channel follows). Any thread may call, one at a time. Errors: ARGUMENT (more than
 * is to come), WOULD_BLOCK, CLOSED (the message is whole, or cannot be completed: the error says
 * why), RECOVERING, UNSUPPORTED (a channel with publish_policy; mandatory on a confirm channel
 * without correlate_returns), FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_body_write(haigha_body_writer* writer,
                                                              haigha_str octets, size_t* taken,
                                                              haigha_error** error);
/* The same, waiting until all of them are taken. *taken counts also with an error. Blocks: up to
 * timeout_ms. Errors: also TIMEOUT, after which the rest may be written again, and WRONG_THREAD. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_body_write_wait(haigha_body_writer* writer,
                                                                haigha_str octets,
                                                                int64_t timeout_ms, size_t* taken,
                                                                haigha_error** error);
/* The publish's number on a confirm channel, as haigha_publish gives it; 0 before the first piece.
 * Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING uint64_t
haigha_body_writer_sequence(const haigha_body_writer* writer);
/* No more will be written. A message that has not begun is just forgotten, and one that is whole
 * goes on. One in between ENDS ITS CONNECTION (which comes back where it has the option recovery):
 * AMQP has no way to take back half a content, and RabbitMQ answers a channel.close there by
 * closing the connection (505). Errors: ARGUMENT, FORKED. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_body_writer_abort(haigha_body_writer* writer,
                                                                     haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_body_writer* haigha_body_writer_ref(
    haigha_body_writer* writer);
/* The last reference aborts it. */
HAIGHA_API HAIGHA_NONBLOCKING void haigha_body_writer_unref(haigha_body_writer* writer);

/* ---- consuming ----------------------------------------------------------------------------- */

/* What a haigha_piece tells. */
enum {
    HAIGHA_PIECE_BEGIN = 1,   /* a delivery: message has all but the body; body_size is its size */
    HAIGHA_PIECE_OCTETS = 2,  /* the next octets of its body, at `offset` of it */
    HAIGHA_PIECE_END = 3,     /* it is whole; offset is the body's size */
    HAIGHA_PIECE_ABORTED = 4, /* in place of END: the rest will not come, and error says why; offset
                               * octets came. A delivery of an ended channel: not to be settled */
    HAIGHA_PIECE_CANCELLED = 5 /* the consumer has ended, as CONSUMER_CANCELLED; last */
};

/* Borrowed until the callback returns. */
typedef struct haigha_piece {
    size_t size;           /* of this struct, as the library knows it */
    uint32_t kind;         /* HAIGHA_PIECE_* */
    uint32_t flags;        /* BEGIN: HAIGHA_FLAG_* */
    uint64_t delivery_tag; /* to be settled from BEGIN on; 0 with CANCELLED */
    uint64_t body_size;    /* BEGIN */
    uint64_t offset;       /* OCTETS, END, ABORTED */
    haigha_str octets;     /* OCTETS: never empty */
    haigha_str consumer_tag;
    haigha_message* message; /* BEGIN: its body is empty; haigha_message_ref to keep it */
    haigha_channel* channel;
    const haigha_error* error; /* ABORTED, CANCELLED */
} haigha_piece;

typedef void (*haigha_piece_fn)(const haigha_piece* piece, void* user_data);

typedef struct haigha_pieces_args {
    size_t size;        /* by HAIGHA_PIECES_ARGS_INIT */
    haigha_piece_fn fn; /* required */
    void* user_data;
    haigha_release_fn release; /* may be NULL */
} haigha_pieces_args;
#define HAIGHA_PIECES_ARGS_INIT \
    { sizeof(haigha_pieces_args), NULL, NULL, NULL }

/* As haigha_consume, but that bodies come in pieces, as they are read: none is assembled, whatever
 * its size, and the option max_message_size does not count. args->deliveries and
 * args->pause_when_full must be zero. Between BEGIN and END, or ABORTED, of one delivery nothing
 * else of its channel comes, but other channels' deliveries do. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_consume_pieces(haigha_channel* channel,
                                                                  const haigha_consume_args* args,
                                                                  const haigha_pieces_args* pieces,
                                                                  const haigha_then* then,
                                                                  haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_consume_pieces_wait(
    haigha_channel* channel, const haigha_consume_args* args, const haigha_pieces_args* pieces,
    int64_t timeout_ms, haigha_reply** reply, haigha_error** error);

/* Stops reading the connection's socket, so that TCP holds the broker back: for whoever takes
 * pieces more slowly than they come. All channels of the connection stand still, and answers do not
 * come either; what is written goes on, heartbeats too, and the broker's silence is not held
 * against it. From inside a callback it takes effect behind what was read already, at most 256 KiB.
 * It ends with the transport connection: one that is recovered is read. Errors: ARGUMENT, FORKED,
 * NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_connection_pause_reading(haigha_connection* connection, haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_connection_resume_reading(haigha_connection* connection, haigha_error** error);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_PIECES_H */
