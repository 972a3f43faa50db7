/* libhaigha: requests and their answers. Read the rules at the top of haigha.h first; they hold
 * here too. */
#ifndef HAIGHA_RPC_H
#define HAIGHA_RPC_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Publishes requests, and matches what comes back to them: by correlation id and RabbitMQ's direct
 * reply-to (amq.rabbitmq.reply-to), which needs no queue of the client's own. Thousands of calls
 * may be open, each has its deadline, and an answer that comes too late is never taken for
 * another's. Source: RabbitMQ's "Direct Reply-to". */
typedef struct haigha_rpc_client haigha_rpc_client;

typedef struct haigha_rpc_client_args {
    size_t size;        /* by HAIGHA_RPC_CLIENT_ARGS_INIT */
    uint64_t max_calls; /* without an answer: 1 to 1,000,000; 0: 65,536 */
} haigha_rpc_client_args;
#define HAIGHA_RPC_CLIENT_ARGS_INIT \
    { sizeof(haigha_rpc_client_args), 0 }

/* A client on a connection, which need not be open yet; `args` may be NULL. It has a channel of its
 * own, and holds a reference to the connection. To be released by haigha_rpc_client_unref. Errors:
 * ARGUMENT, STRUCT_VERSION, CLOSED (the loop has ended), FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_rpc_client_new(haigha_connection* connection, const haigha_rpc_client_args* args,
                      haigha_rpc_client** client, haigha_error** error);
/* Publishes a request, with the reply_to and correlation_id that it needs in place of those of
 * args->properties; mandatory, args->immediate and args->user_data are not used. Answers by a REPLY
 * event: its message is the answer, or its error says why there is none:
 *   TIMEOUT   none came within timeout_ms (-1: option rpc_timeout_ms), which counts from this call
 *   RETURNED  no queue took the request: nobody serves it
 *   else      the channel, or the connection, was lost after the request was published: it may have
 *             been done, and its answer can no longer come
 * A call that is made while there is no connection waits for one, within its time. Any thread may
 * call. Errors: ARGUMENT, STRUCT_VERSION, CLOSED, WOULD_BLOCK (max_calls are open), FORKED,
 * NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_rpc_call(haigha_rpc_client* client,
                                                            const haigha_publish_args* args,
                                                            haigha_str body, int64_t timeout_ms,
                                                            const haigha_then* then,
                                                            haigha_error** error);
/* The same, waiting: OK with haigha_reply_message, or the error. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_rpc_call_wait(haigha_rpc_client* client,
                                                              const haigha_publish_args* args,
                                                              haigha_str body, int64_t timeout_ms,
                                                              haigha_reply** reply,
                                                              haigha_error** error);
/* A number about the client by name: "calls" (made so far), "open", "waiting" (of the open ones,
 * those that were not published yet), "answers", "late_answers" (that nobody waited for any more),
 * "timeouts". Errors: ARGUMENT (no such name). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_rpc_client_info(const haigha_rpc_client* client,
                                                                   haigha_str name, int64_t* value,
                                                                   haigha_error** error);
/* References may be taken and dropped by any thread. Dropping the last one ends its calls,
 * silently: only their release hooks run. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_rpc_client* haigha_rpc_client_ref(haigha_rpc_client* client);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_rpc_client_unref(haigha_rpc_client* client);

/* For whoever serves: publishes the answer to a request, on `channel`, to its reply_to and with its
 * correlation_id; other `properties` may be NULL. The request is not settled by it. Errors: those
 * of haigha_publish, and MALFORMED for a request that names no reply_to. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_rpc_reply(haigha_channel* channel,
                                                             const haigha_message* request,
                                                             const haigha_properties* properties,
                                                             haigha_str body, haigha_error** error);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_RPC_H */
