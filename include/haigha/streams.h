/* libhaigha: reading a stream, and going on there after a restart. Read the rules at the top of
 * haigha.h first; they hold here too. */
#ifndef HAIGHA_STREAMS_H
#define HAIGHA_STREAMS_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where in its stream a message is: x-stream-offset, from 0. Errors: ARGUMENT (it is not of a
 * stream). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_message_stream_offset(const haigha_message* message, uint64_t* offset, haigha_error** error);

/* A consumer of a stream that knows how far it has come. The program says of each message that it
 * is handled, in whatever order and from any thread; up to where all of them are is kept in a queue
 * of the broker, which holds that offset, in decimal digits, as its only message. A reader of the
 * same name goes on behind it: after a restart, on another machine, at any time. What was handled
 * and not yet kept comes again: nothing is left out, and at most save_every messages, or those of
 * save_interval_ms, come twice when a program dies. After haigha_stream_reader_save none do.
 *
 * Two readers of one name at a time would each overwrite what the other keeps. A program that puts
 * what it makes of a stream into a database does best to keep the offset there, in the same
 * transaction, and to consume from HAIGHA_STREAM_OFFSET_NUMBER without a reader.
 *
 * While a connection recovers, its consumers of streams go on behind the last message that was
 * delivered, so that what the program still works on does not come again. */
typedef struct haigha_stream_reader haigha_stream_reader;

typedef struct haigha_stream_reader_args {
    size_t size;       /* by HAIGHA_STREAM_READER_ARGS_INIT */
    haigha_str stream; /* the queue; required */
    haigha_str
        name; /* of the reader; required, unless offset_queue says where it keeps its place */
    haigha_str offset_queue;   /* empty: stream + ".offset." + name */
    uint64_t save_every;       /* messages handled; 0: 1000 */
    uint32_t save_interval_ms; /* after which what is handled is kept, however little; 0: 5000 */
    uint8_t quorum; /* 1: the queue that keeps the place is a quorum queue, else durable */
    uint8_t reserved[3];
} haigha_stream_reader_args;
#define HAIGHA_STREAM_READER_ARGS_INIT                                                 \
    {                                                                                  \
        sizeof(haigha_stream_reader_args), {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, 0, 0, { \
            0, 0, 0                                                                    \
        }                                                                              \
    }

/* A reader on a channel, which need not be open yet and to which it holds a reference, as it does
 * to a pool of one channel that it publishes its place by. To be released by
 * haigha_stream_reader_unref. Errors: ARGUMENT, STRUCT_VERSION, CLOSED, FORKED, NO_MEMORY. Since:
 * 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_stream_reader_new(haigha_channel* channel, const haigha_stream_reader_args* args,
                         haigha_stream_reader** reader, haigha_error** error);

/* Declares the queue that keeps the place, reads it, and consumes behind it, as haigha_consume
 * does: deliveries go to args->deliveries, a finite prefetch bounds those that are not handled.
 * args->queue has to be empty, and args->no_ack 0. args->arguments (haigha_consumer_arguments_add)
 * say where a reader begins for which nothing is kept; without them with what comes from then on.
 * Answers by a REPLY event, haigha_reply_consumer_tag. A reader has one consumer: this is to be
 * called once, and again only if it was answered with an error. Errors: ARGUMENT (also: it has a
 * consumer), STRUCT_VERSION, CLOSED, RECOVERING, FORKED, NO_MEMORY; in the answer also MALFORMED
 * (what is kept is no offset), TIMEOUT, and what the broker says. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_stream_reader_consume(haigha_stream_reader* reader, const haigha_consume_args* args,
                             const haigha_then* then, haigha_error** error);
/* The same, waiting for the answer: timeout_ms as in haigha_consume_wait, for all steps together;
 * *reply, if wanted, is the caller's. */
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_stream_reader_consume_wait(haigha_stream_reader* reader, const haigha_consume_args* args,
                                  int64_t timeout_ms, haigha_reply** reply, haigha_error** error);

/* Says that a message which the reader was given is done with. It is settled by this: do not
 * acknowledge it. That it came by a connection that is gone makes no difference. Any thread may
 * call, also in the delivery's callback. Errors: ARGUMENT (it is not of a stream, was not given by
 * this reader, or is handled already), FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_stream_reader_handled(
    haigha_stream_reader* reader, const haigha_message* message, haigha_error** error);

/* Keeps the place now, before a program ends say, and answers by a REPLY event when the broker has
 * confirmed it: with an error if it has not, RETURNED when the queue is not there; the place is
 * then tried again after save_interval_ms. It is up to where everything is handled at the time of
 * the call. Errors: ARGUMENT, CLOSED, FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_stream_reader_save(haigha_stream_reader* reader,
                                                                      const haigha_then* then,
                                                                      haigha_error** error);
/* The same, waiting for the answer, as long as haigha_connection_open_wait says of timeout_ms. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_stream_reader_save_wait(
    haigha_stream_reader* reader, int64_t timeout_ms, haigha_error** error);

/* A number about the reader by name: "offset" (everything up to there is handled; -1: nothing yet),
 * "saved_offset" (the same, of what is kept), "unhandled" (messages given and not handled),
 * "handled", "saves", "failed_saves". Errors: ARGUMENT (no such name). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_stream_reader_info(
    const haigha_stream_reader* reader, haigha_str name, int64_t* value, haigha_error** error);
/* References may be taken and dropped by any thread. Dropping the last one keeps nothing more, and
 * ends what is under way in silence; the consumer goes on until it is cancelled. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_stream_reader* haigha_stream_reader_ref(
    haigha_stream_reader* reader);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_stream_reader_unref(haigha_stream_reader* reader);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_STREAMS_H */
