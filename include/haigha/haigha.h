/* haigha.h: libhaigha, an AMQP 0-9-1 client. The whole C API; needs no other header of ours.
 *
 * C89 with <stdint.h>, and C++. See "reading this file" below for the rules that every
 * declaration follows; a comment states only what departs from them. Laid out by hand: a formatter
 * breaks its initialisers and the columns of its comments. */
/* clang-format off */
#ifndef HAIGHA_HAIGHA_H
#define HAIGHA_HAIGHA_H

#include <stddef.h>
#include <stdint.h>

/* ---- version ------------------------------------------------------------------------------ */

#define HAIGHA_VERSION_MAJOR 0
#define HAIGHA_VERSION_MINOR 1
#define HAIGHA_VERSION_PATCH 0
#define HAIGHA_MAKE_VERSION(major, minor, patch) ((major) * 1000000 + (minor) * 1000 + (patch))
#define HAIGHA_VERSION \
    HAIGHA_MAKE_VERSION(HAIGHA_VERSION_MAJOR, HAIGHA_VERSION_MINOR, HAIGHA_VERSION_PATCH)

#if defined(__GNUC__)
#define HAIGHA_API __attribute__((visibility("default")))
#else
#define HAIGHA_API
#endif

/* Whether a call may wait. Nothing to the compiler; the bindings' tests read it: a Python
 * wrapper must release the GIL around every HAIGHA_BLOCKING function. */
#define HAIGHA_NONBLOCKING
#define HAIGHA_BLOCKING

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reading this file ----------------------------------------------------------------------
 *
 * Threads    Every function may be called from any thread and from inside any callback, unless
 *            its comment says otherwise.
 * Callbacks  Run on the loop's thread, from consistent state, with no lock held. Never before
 *            the call that registered them has returned when that call was made on the loop's
 *            thread. They must not throw or unwind, and must not wait.
 * Refusal    A call that returns an error has taken nothing: no callback and no release hook
 *            will run, and every reference, body and user_data passed in is still the caller's.
 *            In a waiting form an error can also come later: haigha_error_accepted tells.
 * Completion An accepted operation completes exactly once, whatever happens; only dropping the
 *            last reference to its connection (abortive, silent) leaves the release hook alone.
 * Release    A release hook runs exactly once, after the last callback that could see its
 *            user_data has returned, and from any thread. That of a haigha_then may drop references
 *            (X_unref, X_free); otherwise it must not call this library.
 * Lifetimes  "Borrowed" memory is valid until the callback returns, or until the object named in
 *            the comment is released. Everything passed in is copied before the call returns,
 *            unless its comment says "lent".
 * Handles    X_new and X_open give a reference; X_ref adds one; X_unref drops one and takes
 *            NULL. Any order of dropping is legal. A pointer to const means "reads only".
 * Order      Operations on one channel reach the broker in the order of the calls made on one
 *            thread. At most one method that has a reply is on the wire per channel; the next
 *            ones, and what follows them, wait inside the library.
 * Recovering With the option recovery a connection that is lost comes back with its channels and
 *            consumers, and handles stay what they are. Meanwhile calls are refused, RECOVERING,
 *            but for publishes of channels whose publish_policy keeps them.
 * Numbers    Names end in their unit: timeout_ms, capacity_bytes. Where a timeout is asked for,
 *            -1 means the connection's rpc_timeout_ms option and 0 means "at once".
 * Forking    After fork() the child's calls return HAIGHA_ERR_FORKED and write nothing.
 */

/* ---- values --------------------------------------------------------------------------------- */

/* Bytes owned by someone else. Text is UTF-8, not NUL-terminated. {NULL, 0} is the empty string.
 * Frozen. */
typedef struct haigha_str {
    const char* data;
    size_t size;
} haigha_str;
/* The bytes of a C string, which stays the caller's; {NULL, 0} for NULL. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_text(const char* text);

/* 0 or a negative HAIGHA_ERR_*. A number, not an enum: a newer library may return a code that an
 * older caller does not know. */
typedef int32_t haigha_status;

enum {
    HAIGHA_OK = 0,
    /* refused by this library: nothing was sent, nothing was taken */
    HAIGHA_ERR_ARGUMENT = -1,       /* an argument is wrong; the message names it */
    HAIGHA_ERR_WOULD_BLOCK = -2,    /* not taken; HAIGHA_EVENT_WRITABLE follows */
    HAIGHA_ERR_WRONG_THREAD = -3,   /* a waiting form on the thread that would have to answer */
    HAIGHA_ERR_CLOSED = -4,         /* not open, or ended; the cause is in the error */
    HAIGHA_ERR_STALE = -5,          /* a delivery tag of an earlier incarnation of the channel */
    HAIGHA_ERR_NO_MEMORY = -6,
    HAIGHA_ERR_STRUCT_VERSION = -7, /* an argument struct this library cannot read */
    HAIGHA_ERR_CHANNEL_LIMIT = -8,  /* channel_max channels are open */
    HAIGHA_ERR_FORKED = -9,         /* the process was forked after the loop was made */
    HAIGHA_ERR_UNSUPPORTED = -10,
    HAIGHA_ERR_MALFORMED = -11,     /* contents of a table that cannot be decoded */
    HAIGHA_ERR_RECOVERING = -12,    /* lost and not yet back: not taken; the cause is in the error */
    /* the world: the operation was tried and failed */
    HAIGHA_ERR_TIMEOUT = -100,
    HAIGHA_ERR_IO = -101,
    HAIGHA_ERR_TLS = -102,
    HAIGHA_ERR_PROTOCOL = -103, /* the peer broke the protocol, or speaks another one */
    HAIGHA_ERR_AUTH = -104,     /* the broker refused the credentials */
    HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER = -105,
    HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER = -106,
    HAIGHA_ERR_RESOLVE = -107,   /* the host's name has no address */
    HAIGHA_ERR_HEARTBEAT = -108, /* nothing was heard from the peer for two intervals */
    HAIGHA_ERR_RETURNED = -109,  /* no queue took a request (rpc.h), or a retry (retry.h) */
    /* a bug in this library */
    HAIGHA_ERR_INTERNAL = -900
};

typedef struct haigha_error haigha_error;
typedef struct haigha_loop haigha_loop;
typedef struct haigha_options haigha_options;
typedef struct haigha_connection haigha_connection;
typedef struct haigha_channel haigha_channel;
typedef struct haigha_inbox haigha_inbox;
typedef struct haigha_publisher haigha_publisher;
typedef struct haigha_message haigha_message;
typedef struct haigha_reply haigha_reply;
typedef struct haigha_table haigha_table;

/* Frees what user_data points to. Must not call back into this library. */
typedef void (*haigha_release_fn)(void* user_data);

/* The library's version at run time, as HAIGHA_MAKE_VERSION gives it. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING uint32_t haigha_version(void);
/* For example "0.1.0". Static. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING const char* haigha_version_string(void);

/* ---- errors --------------------------------------------------------------------------------- */

/* Every fallible call may be given `haigha_error** error`, last. On failure *error receives a new
 * error, the caller's to free; on success it is not touched. NULL asks for no details. An error is
 * immutable, needs nothing else alive, and may go to another thread. Accessors take NULL and then
 * answer 0, "" or an empty string. */

/* Where in the life of a connection it happened. */
enum {
    HAIGHA_STAGE_NONE = 0,
    HAIGHA_STAGE_RESOLVE = 1,   /* finding the host's addresses */
    HAIGHA_STAGE_CONNECT = 2,   /* the transport connection */
    HAIGHA_STAGE_TLS = 3,       /* the TLS handshake */
    HAIGHA_STAGE_HANDSHAKE = 4, /* protocol header, start, secure, tune */
    HAIGHA_STAGE_OPEN = 5,      /* connection.open: the virtual host */
    HAIGHA_STAGE_READY = 6      /* the connection was open */
};

HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_error_status(const haigha_error* error);
/* One sentence, NUL-terminated. Borrowed from the error. Never holds a password. */
HAIGHA_API HAIGHA_NONBLOCKING const char* haigha_error_message(const haigha_error* error);
/* The broker's reply code (for example 404), or 0 when none was received. */
HAIGHA_API HAIGHA_NONBLOCKING uint16_t haigha_error_reply_code(const haigha_error* error);
/* The broker's reply text word for word. Borrowed from the error. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_error_reply_text(const haigha_error* error);
/* The method that the broker blames, for example 50 and 10 and "queue.declare"; or 0, 0, "". */
HAIGHA_API HAIGHA_NONBLOCKING uint16_t haigha_error_class_id(const haigha_error* error);
HAIGHA_API HAIGHA_NONBLOCKING uint16_t haigha_error_method_id(const haigha_error* error);
HAIGHA_API HAIGHA_NONBLOCKING const char* haigha_error_method_name(const haigha_error* error);
/* HAIGHA_STAGE_*, and its name ("resolve", "connect", ...; "" for NONE). */
HAIGHA_API HAIGHA_NONBLOCKING int32_t haigha_error_stage(const haigha_error* error);
HAIGHA_API HAIGHA_NONBLOCKING const char* haigha_error_stage_name(const haigha_error* error);
/* The channel's number, or 0 when it is not about one channel. */
HAIGHA_API HAIGHA_NONBLOCKING uint16_t haigha_error_channel_id(const haigha_error* error);
/* "host:port" of the broker as configured, or "". Borrowed from the error. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_error_host(const haigha_error* error);
/* The operating system's errno, or 0. */
HAIGHA_API HAIGHA_NONBLOCKING int32_t haigha_error_os_errno(const haigha_error* error);
/* 1: a waiting form had its call accepted before it failed, so what that was given is the library's
 * and is released as ever; 0: nothing was taken. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING int32_t haigha_error_accepted(const haigha_error* error);
/* Another reference to the same error; NULL for NULL. To be freed too. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_error* haigha_error_copy(const haigha_error* error);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_error_free(haigha_error* error);
/* Static text such as "HAIGHA_ERR_TIMEOUT"; never NULL, for any number. */
HAIGHA_API HAIGHA_NONBLOCKING const char* haigha_status_name(haigha_status status);

/* ---- field tables ------------------------------------------------------------------------- */

/* Message headers, arguments and properties of a peer are AMQP field tables: ordered (name, typed
 * value) pairs. They are read by a cursor, in place and without allocation, and written by adding
 * fields to a haigha_table. Source: AMQP 0-9-1 4.2.5.5, with RabbitMQ's errata of the types. */

/* The type letters, as on the wire. All are read; HAIGHA_FIELD_INT64_L is written as INT64. */
enum {
    HAIGHA_FIELD_BOOL = 't',      /* integer: 0 or 1 */
    HAIGHA_FIELD_INT8 = 'b',      /* integer */
    HAIGHA_FIELD_UINT8 = 'B',     /* integer */
    HAIGHA_FIELD_INT16 = 's',     /* integer */
    HAIGHA_FIELD_UINT16 = 'u',    /* integer */
    HAIGHA_FIELD_INT32 = 'I',     /* integer */
    HAIGHA_FIELD_UINT32 = 'i',    /* integer */
    HAIGHA_FIELD_INT64 = 'l',     /* integer */
    HAIGHA_FIELD_INT64_L = 'L',   /* integer; some clients' letter for INT64 */
    HAIGHA_FIELD_FLOAT = 'f',     /* real */
    HAIGHA_FIELD_DOUBLE = 'd',    /* real */
    HAIGHA_FIELD_DECIMAL = 'D',   /* integer, divided by 10 to the power of scale */
    HAIGHA_FIELD_STRING = 'S',    /* bytes: text, or any bytes */
    HAIGHA_FIELD_BYTES = 'x',     /* bytes */
    HAIGHA_FIELD_TIMESTAMP = 'T', /* integer: seconds since the Unix epoch, unsigned */
    HAIGHA_FIELD_ARRAY = 'A',     /* bytes: the encoded elements, for haigha_cursor_enter */
    HAIGHA_FIELD_TABLE = 'F',     /* bytes: the encoded fields, for haigha_cursor_enter */
    HAIGHA_FIELD_VOID = 'V'       /* no value */
};

/* One named value. Members that do not apply to the type are zero. Frozen. */
typedef struct haigha_field {
    haigha_str name;  /* empty in an array; at most 255 bytes */
    haigha_str bytes; /* STRING, BYTES, ARRAY, TABLE */
    int64_t integer;  /* BOOL, the integers, DECIMAL, TIMESTAMP */
    double real;      /* FLOAT, DOUBLE */
    uint32_t type;    /* HAIGHA_FIELD_* */
    uint32_t scale;   /* DECIMAL: 0 to 255 */
} haigha_field;

/* A place in an encoded table or array. Plain memory of the caller: nothing to free. It borrows
 * what it walks. Frozen; its members are private. */
typedef struct haigha_cursor {
    const void* at;
    size_t left_bytes;
    uint32_t kind;
    uint32_t depth;
} haigha_cursor;

/* Gives the next field: 1 when *field was filled, 0 at the end, HAIGHA_ERR_MALFORMED when the rest
 * cannot be decoded, HAIGHA_ERR_ARGUMENT. The field borrows what the cursor walks. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING int32_t haigha_cursor_next(haigha_cursor* cursor,
                                                         haigha_field* field);
/* Sets *nested to walk `field`, an ARRAY or a TABLE that `cursor` gave. At most 32 levels deep:
 * HAIGHA_ERR_MALFORMED beyond. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_cursor_enter(const haigha_cursor* cursor,
                                                                const haigha_field* field,
                                                                haigha_cursor* nested);

/* An empty table, or an empty array (whose fields' names are not used). Not for two threads at
 * once while it is being built. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_new(haigha_table** table,
                                                             haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_new_array(haigha_table** table,
                                                                   haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_table_free(haigha_table* table);
/* Appends a copy of the field, just as a cursor gives it. Errors: ARGUMENT (a name over 255 bytes,
 * an unknown type, a value out of the type's range, contents that do not decode). Names are not
 * compared: adding one twice sends it twice. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_add(haigha_table* table,
                                                             const haigha_field* field,
                                                             haigha_error** error);
/* The common ones: a STRING, an integer (INT32 where it fits, else INT64), a BOOL, a DOUBLE, and a
 * nested table or array. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_add_string(haigha_table* table,
                                                                    haigha_str name,
                                                                    haigha_str value,
                                                                    haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_add_int(haigha_table* table,
                                                                 haigha_str name, int64_t value,
                                                                 haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_add_bool(haigha_table* table,
                                                                  haigha_str name, int32_t value,
                                                                  haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_add_double(haigha_table* table,
                                                                    haigha_str name, double value,
                                                                    haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_add_table(haigha_table* table,
                                                                   haigha_str name,
                                                                   const haigha_table* value,
                                                                   haigha_error** error);
/* Sets *cursor to the first field. It borrows the table, which must not grow meanwhile. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_table_cursor(const haigha_table* table,
                                                                haigha_cursor* cursor);

/* ---- events: one flat record for callbacks and for the inbox -------------------------------- */

enum {
    HAIGHA_EVENT_REPLY = 1,    /* an operation completed: reply, or error */
    HAIGHA_EVENT_DELIVERY = 2, /* basic.deliver */
    HAIGHA_EVENT_OUTCOME = 3,  /* what became of one publish on a confirm channel; error: with
                                * RETURNED the broker's code and text, with NOT_SENT and UNKNOWN how
                                * its channel ended; a pool's: why not CONFIRMED */
    HAIGHA_EVENT_RETURN = 4,   /* basic.return: message, and error with the broker's code, text */
    /* The last event of a connection or a channel is that it is CLOSED; the release hook of what
     * hears them runs then. */
    HAIGHA_EVENT_CONNECTION_STATE = 5,
    HAIGHA_EVENT_CHANNEL_STATE = 6,
    /* The last event of a consumer. error: why, when its channel ended or the broker cancelled it;
     * NULL after haigha_cancel. */
    HAIGHA_EVENT_CONSUMER_CANCELLED = 7,
    HAIGHA_EVENT_WRITABLE = 8,           /* publishes that were refused with WOULD_BLOCK may go */
    HAIGHA_EVENT_BLOCKED = 9,            /* connection.blocked: error holds the broker's reason */
    HAIGHA_EVENT_UNBLOCKED = 10,
    HAIGHA_EVENT_FLOW = 11, /* channel.flow from the broker: state is 0 (stop) or 1 (go on) */
    /* Credentials are wanted: number is the question's, state a HAIGHA_AUTH_*, and reply holds the
     * mechanism and the challenge. */
    HAIGHA_EVENT_AUTH = 12,
    /* What recovery does: state is a HAIGHA_RECOVERY_*. */
    HAIGHA_EVENT_RECOVERY = 13,
    /* The broker chose another name for a queue that it had named: name is the new one, routing_key
     * the one before. */
    HAIGHA_EVENT_QUEUE_RENAMED = 14,
    /* A channel's: a delivery was not settled for delay_ms (option delivery_warning_ms): number is
     * the oldest one's tag, consumer_tag its consumer's, state how many there are. Each is told
     * once. A broker closes the channel of who keeps one too long: RabbitMQ's consumer_timeout is
     * 30 minutes unless it is set. */
    HAIGHA_EVENT_DELIVERY_HELD = 15,
    HAIGHA_EVENT_POOL_STATE = 16 /* of a pool (pool.h): state is HAIGHA_STATE_CLOSED; error: why,
                                  * or NULL after haigha_pool_close */
};

/* What a RECOVERY event tells. */
enum {
    /* Before each attempt: number counts those of the outage from 1, name is the host, delay_ms the
     * wait before it, error why it is needed: how the connection ended, or the attempt before. */
    HAIGHA_RECOVERY_ATTEMPT = 1,
    HAIGHA_RECOVERY_TRANSPORT_UP = 2, /* the connection is open, what was on it is not back */
    HAIGHA_RECOVERY_RECOVERED = 3,    /* everything is back */
    HAIGHA_RECOVERY_FAILED = 4,       /* no more attempts: CLOSED follows */
    /* Something was refused, or twice not answered (TIMEOUT), error says why: number is 1 for the
     * exchange `name`, 2 for the queue `name`, 3 for a binding of `name` to `exchange` by
     * `routing_key`, 4 for the consumer `consumer_tag` of the queue `name`, on `channel`. */
    HAIGHA_RECOVERY_ENTITY = 5,
    /* The consumer `consumer_tag` of the queue `name`, on `channel`, which the broker had cancelled,
     * error says why, consumes again: recovery_policy HAIGHA_CHANNEL_RESUBSCRIBE. */
    HAIGHA_RECOVERY_RESUBSCRIBED = 6
};

/* What an AUTH event asks for, and so how it is to be answered. */
enum {
    HAIGHA_AUTH_CREDENTIALS = 1, /* haigha_connection_answer_credentials */
    /* haigha_connection_answer_response: what a mechanism that the library does not know says
     * first (an empty challenge), or to the broker's challenge */
    HAIGHA_AUTH_RESPONSE = 2,
    HAIGHA_AUTH_RENEWAL = 3 /* the credentials are about to expire; answered as CREDENTIALS */
};

enum {
    HAIGHA_FLAG_REDELIVERED = 1, /* DELIVERY, and a reply of get */
    /* DELIVERY, RETURN, and a reply of get: the message has a property or a header. Without it
     * haigha_message_properties and haigha_message_headers have nothing to tell. */
    HAIGHA_FLAG_PROPERTIES = 2
};

/* What became of a publish. */
enum {
    HAIGHA_OUTCOME_CONFIRMED = 1, /* basic.ack */
    HAIGHA_OUTCOME_NACKED = 2,    /* basic.nack */
    HAIGHA_OUTCOME_RETURNED = 3,  /* mandatory, and no queue took it */
    HAIGHA_OUTCOME_NOT_SENT = 4,  /* never left this process whole: safe to send again */
    HAIGHA_OUTCOME_UNKNOWN = 5,   /* was on the wire when its channel ended: may have arrived */
    HAIGHA_OUTCOME_REFUSED = 6    /* of a pool (pool.h): the broker ended a channel over it */
};

/* States of a connection and of a channel. */
enum {
    HAIGHA_STATE_NEW = 0,
    HAIGHA_STATE_OPENING = 1,
    HAIGHA_STATE_OPEN = 2,
    HAIGHA_STATE_CLOSING = 3,
    HAIGHA_STATE_CLOSED = 4,
    HAIGHA_STATE_RECOVERING = 5 /* lost, and being brought back; calls are refused meanwhile */
};

/* Flat on purpose: no unions (cgo sees only bytes), no bit-fields, no padding. Members that do not
 * apply are zero. Everything in it is borrowed until the callback returns, or until the next
 * haigha_inbox_poll on the same inbox. Unknown types must be ignored: more may come. Grows only at
 * the end. */
typedef struct haigha_event {
    uint32_t type;      /* HAIGHA_EVENT_* */
    uint32_t flags;     /* HAIGHA_FLAG_* */
    uint64_t tag;       /* the haigha_then.tag of whoever asked */
    uint64_t number;    /* DELIVERY: the delivery tag; OUTCOME: the publish's sequence number;
                         * RETURN: the same; 0 when no publish of a confirm channel is like it */
    void* user_data;    /* the haigha_then.user_data; OUTCOME: haigha_publish_args.user_data */
    const haigha_error* error;
    const haigha_reply* reply; /* haigha_reply_ref to keep it */
    haigha_message* message;   /* haigha_message_ref to keep it */
    haigha_connection* connection;
    haigha_channel* channel; /* NULL when it is not about one channel */
    haigha_str exchange;     /* DELIVERY, RETURN */
    haigha_str routing_key;  /* DELIVERY, RETURN */
    haigha_str consumer_tag; /* DELIVERY, CONSUMER_CANCELLED, DELIVERY_HELD, RECOVERY */
    haigha_str body;         /* DELIVERY, RETURN */
    uint32_t channel_id;
    int32_t outcome;        /* OUTCOME: HAIGHA_OUTCOME_* */
    int32_t state;          /* ..._STATE: the new HAIGHA_STATE_*; FLOW */
    int32_t previous_state; /* ..._STATE: the one before */
    int64_t delay_ms; /* RECOVERY, DELIVERY_HELD */
    haigha_str name;  /* RECOVERY, QUEUE_RENAMED */
} haigha_event;

typedef void (*haigha_event_fn)(const haigha_event* event, void* user_data);

/* How something answers: by a callback, or into an inbox. One of fn and inbox, or neither (no
 * answer wanted). The user_data and release of a call that was accepted are the library's until
 * release has run: with fn after the last call of it, with an inbox once the last event is in it,
 * where that may still wait. So there user_data, and tag, should name what is found by a look-up,
 * rather than carry a reference that release drops. Unused members are zero. Frozen: this struct
 * never grows. */
typedef struct haigha_then {
    haigha_event_fn fn;
    void* user_data;
    haigha_release_fn release; /* may be NULL */
    haigha_inbox* inbox;       /* instead of fn; a reference is taken */
    uint64_t tag;              /* given back in the event */
} haigha_then;

/* ---- inbox ---------------------------------------------------------------------------------- */

/* A queue of events for programs that would rather fetch than be called. One inbox may serve many
 * connections, channels, consumers and operations. capacity_events (1 to 1,000,000; 0: 1024) bounds
 * the deliveries that wait. Beyond it a consumer whose prefetch is finite, and which the broker
 * holds back by that, still fits; one with pause_when_full is paused; otherwise the connection stops
 * reading its socket until the inbox is half empty (heartbeats go on; and while a thread waits in a
 * function that ends in _wait it is read on, since it may be the thread that would empty the
 * inbox). Other events are as many as the operations that were started, and always fit.
 * Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_inbox_new(size_t capacity_events,
                                                             haigha_inbox** inbox,
                                                             haigha_error** error);
/* How many bytes the deliveries that wait may take together, at least 1; 64 MiB unless set. Beyond
 * it consumers with pause_when_full are paused, and for others the connection stops reading; a
 * message of any size is still taken when nothing waits. Errors: ARGUMENT. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_inbox_set_capacity_bytes(
    haigha_inbox* inbox, uint64_t capacity_bytes, haigha_error** error);
/* A descriptor that is readable while events wait (level, not edge). Owned by the inbox: wait for
 * it, never read or close it; a poller that wants one of its own may dup() it. -1 for NULL.
 * Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING int haigha_inbox_fd(const haigha_inbox* inbox);
/* Called on the thread of whoever fills an inbox, mostly a loop's, and holds that up while it runs.
 * May call what a callback may. */
typedef void (*haigha_ready_fn)(void* user_data);
/* Has `ready` called when an event comes to an inbox in which none waited, in place of making its
 * descriptor readable: for runtimes that wake a task themselves. At once, by this call, when some
 * wait. `release` (may be NULL) runs once, when it has been replaced, or the inbox has gone, and no
 * call of it is under way. NULL: the descriptor again; then user_data and release are not looked
 * at. Errors: ARGUMENT, FORKED, NO_MEMORY (release does not run). Threads: any. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_inbox_set_ready(haigha_inbox* inbox,
                                                                   haigha_ready_fn ready,
                                                                   void* user_data,
                                                                   haigha_release_fn release,
                                                                   haigha_error** error);
/* Fills at most `capacity` events and sets *count, which is 0 when the time is up. `event_bytes` is
 * sizeof(haigha_event) as the caller was compiled: the array keeps its stride when a later library
 * knows more members. What the previous poll on this inbox gave is released. timeout_ms: 0 returns
 * at once, -1 waits for ever. Blocks: up to timeout_ms; on a loop's own thread only 0 is allowed
 * (WRONG_THREAD), and so it is with haigha_inbox_set_ready (ARGUMENT). Errors: FORKED besides, in a
 * child of the process that made it. Threads: one poller at a time. Since: 0.1. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_inbox_poll(haigha_inbox* inbox,
                                                           haigha_event* events,
                                                           size_t event_bytes, size_t capacity,
                                                           int64_t timeout_ms, size_t* count,
                                                           haigha_error** error);
/* The next message, for programs that take them one at a time; to be released by
 * haigha_message_unref. Of an inbox that only deliveries go into: what else it holds is passed over,
 * but that a consumer was cancelled, which is returned as its error (CLOSED when it was by the
 * program). Errors: TIMEOUT (there was none; without details), how the consumer ended, ARGUMENT,
 * WRONG_THREAD. timeout_ms, blocking and threads: as haigha_inbox_poll. Since: 0.1. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_inbox_next_message(haigha_inbox* inbox,
                                                                   int64_t timeout_ms,
                                                                   haigha_message** message,
                                                                   haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_inbox* haigha_inbox_ref(haigha_inbox* inbox);
/* The last reference drops the events that wait; nothing is delivered to it afterwards. */
HAIGHA_API HAIGHA_NONBLOCKING void haigha_inbox_unref(haigha_inbox* inbox);

/* ---- loops ---------------------------------------------------------------------------------- */

/* Starts a loop on a thread of its own, with every signal blocked in it. One loop serves many
 * connections. Errors: NO_MEMORY, IO. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_loop_start(haigha_loop** loop,
                                                              haigha_error** error);

/* Attaches to a libuv loop that the caller runs. `uv` stays the caller's and must outlive the
 * attachment: it ends when haigha_loop_close has completed, or some turns after the last reference
 * to the loop and to its connections is gone; until then uv_run does not return for want of work.
 * Threads: the thread that runs `uv`, or any before it runs.
 * The address of the caller's own uv_run shows that caller and library share one libuv; a program
 * with a second, statically linked copy is refused with HAIGHA_ERR_ARGUMENT instead of having its
 * loop corrupted. Since: 0.1. */
struct uv_loop_s;
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_loop_attach_checked(struct uv_loop_s* uv, void (*callers_uv_run)(void), haigha_loop** loop,
                           haigha_error** error);
#define haigha_loop_attach(uv, loop, error) \
    haigha_loop_attach_checked((uv), (void (*)(void))uv_run, (loop), (error))

/* Ends every connection of the loop abortively and leaves the uv loop; completes with a REPLY once
 * the library no longer touches it. Later calls on the loop return CLOSED. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_loop_close(haigha_loop* loop,
                                                              const haigha_then* then,
                                                              haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_loop* haigha_loop_ref(haigha_loop* loop);
/* Connections keep their loop going: it ends after the last reference to it and to them. */
HAIGHA_API HAIGHA_NONBLOCKING void haigha_loop_unref(haigha_loop* loop);

/* ---- log ------------------------------------------------------------------------------------ */

enum {
    HAIGHA_LOG_ERROR = 0,
    HAIGHA_LOG_WARN = 1,
    HAIGHA_LOG_INFO = 2,
    HAIGHA_LOG_DEBUG = 3,
    /* Every frame: methods by name with their fields, properties, bodies by their size. Passwords
     * are hidden; routing keys, headers and whatever else a frame says are not. */
    HAIGHA_LOG_TRACE = 4
};

typedef struct haigha_log_record {
    size_t size; /* of this struct, as the library knows it */
    int32_t level;
    uint32_t connection_id; /* counts the loop's connections from 1; 0: not about one */
    uint64_t time_ns;       /* since the Unix epoch */
    haigha_str subject;     /* "connection", "channel", "frame", ... */
    haigha_str message;     /* one line, no newline; never a password */
    haigha_str event;       /* the kind of record, a name that stays: "recovery_attempt", ... */
    /* What the message tells, by name: STRINGs and INT64s. docs/observability.md has the names. */
    const haigha_field* fields;
    size_t field_count;
} haigha_log_record;

typedef void (*haigha_log_fn)(const haigha_log_record* record, void* user_data);

/* Per loop, not per process: two libraries in one program do not fight over it. Records up to
 * `level` are given to `fn` (NULL: none), from the loop's thread. Of one kind of record on one
 * connection there are at most 20 within ten seconds, frames excepted: the next one has a field
 * "left_out", how many there would have been, and the connection's last one has it too. The hook
 * that was set before is released once it cannot run any more. Until this is called the
 * environment's HAIGHA_LOG (error, warn, info, debug or trace) has the records go to stderr. Since:
 * 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_loop_set_log(haigha_loop* loop, int32_t level,
                                                                haigha_log_fn fn, void* user_data,
                                                                haigha_release_fn release,
                                                                haigha_error** error);

/* ---- options -------------------------------------------------------------------------------- */

/* One table in the library defines every option's name, type, range, default and meaning. A wrong
 * name, type or range is refused at once, by a sentence that says which. A binding needs no change
 * when an option is added. Not for two threads at once. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_new(haigha_options** options,
                                                               haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_options_free(haigha_options* options);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_set_string(haigha_options* options,
                                                                      haigha_str name,
                                                                      haigha_str value,
                                                                      haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_set_int(haigha_options* options,
                                                                   haigha_str name, int64_t value,
                                                                   haigha_error** error);
/* Sets what the URI names: amqp://user:password@host:port/vhost?option=value&... Absent parts keep
 * their value; an absent vhost is "/", an empty one is "". The scheme amqps turns TLS on, amqp turns
 * it off. Query keys are option names, but `password` there is key_password. An error never repeats
 * the URI. Since: 0.1. Source: RabbitMQ URI specification and query parameters. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_set_uri(haigha_options* options,
                                                                   haigha_str uri,
                                                                   haigha_error** error);

/* What an option is set to, or its default; secrets too. *value is borrowed from the options until
 * one of them is changed. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_get_string(
    const haigha_options* options, haigha_str name, haigha_str* value, haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_get_int(const haigha_options* options,
                                                                   haigha_str name, int64_t* value,
                                                                   haigha_error** error);
/* The URI that makes new options the same as these. with_secrets 0 leaves the secrets out, so that
 * it can be shown. *uri is borrowed from the options until this is called again. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_get_uri(haigha_options* options,
                                                                   int32_t with_secrets,
                                                                   haigha_str* uri,
                                                                   haigha_error** error);

enum { HAIGHA_KEY_PASSWORD_MAX = 1024 };

/* Puts the password of the client's private key into `buffer`, without a NUL, and returns its size
 * in bytes; a negative number when there is none. */
typedef int32_t (*haigha_key_password_fn)(char* buffer, size_t capacity, void* user_data);

/* Has the password asked for when an encrypted key is read, in place of the option key_password:
 * within haigha_connection_open, on its thread. Connections that were made of these options share
 * it; `release` (may be NULL) runs when the last of them and the options are gone. fn NULL: nobody
 * is asked. Errors: ARGUMENT, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_set_key_password_fn(
    haigha_options* options, haigha_key_password_fn fn, void* user_data, haigha_release_fn release,
    haigha_error** error);

/* Sees OpenSSL's SSL_CTX, to set what no option sets. Returns 0, or anything else to refuse, with
 * the reason in OpenSSL's error queue if it likes: the opening is then refused with TLS. */
typedef int32_t (*haigha_tls_fn)(void* ssl_ctx, void* user_data);

/* Has `fn` called with the SSL_CTX of each connection with TLS, within haigha_connection_open, on
 * its thread, after everything that the options set: for lists of revoked certificates, keys in
 * hardware, other authorities. The context is the library's: use it within the call, with the
 * OpenSSL that the library is linked to, and leave its modes, its BIOs and its verify callback
 * alone. Sessions of such connections are not resumed. Sharing, `release` and fn NULL as in
 * haigha_options_set_key_password_fn. Errors: ARGUMENT, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_set_tls_fn(haigha_options* options,
                                                                      haigha_tls_fn fn,
                                                                      void* user_data,
                                                                      haigha_release_fn release,
                                                                      haigha_error** error);

/* What is known of one of the hosts of a connection that recovers. Frozen: an array's stride. */
typedef struct haigha_host_state {
    haigha_str host;   /* "host:port" */
    uint32_t failures; /* since a connection to it was last stable */
    uint32_t refused;  /* 1: for good (the option recovery_permanent is skip) */
} haigha_host_state;

/* Gives the index of the host that is to be tried next; any other number: as host_order says. */
typedef int32_t (*haigha_choose_host_fn)(const haigha_host_state* hosts, size_t count,
                                         void* user_data);

/* Has `fn` choose the host of each attempt at recovery, on the loop's thread. The array is borrowed, and
 * in the order of the option host. Sharing, `release` and fn NULL as in
 * haigha_options_set_key_password_fn. Errors: ARGUMENT, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_set_choose_host_fn(
    haigha_options* options, haigha_choose_host_fn fn, void* user_data, haigha_release_fn release,
    haigha_error** error);

/* What recovery is about to bring back, by its kind as in HAIGHA_RECOVERY_ENTITY: an exchange or a
 * queue `name`, a binding of `name` to `exchange` by `routing_key`, the consumer `consumer_tag` of
 * the queue `name`. Borrowed. Grows only at the end. */
typedef struct haigha_recovery_entity {
    uint32_t kind; /* 1 exchange, 2 queue, 3 binding, 4 consumer */
    uint32_t reserved;
    haigha_str name;
    haigha_str exchange;
    haigha_str routing_key;
    haigha_str consumer_tag;
} haigha_recovery_entity;

/* Nonzero: it is brought back. 0: it is left out. */
typedef int32_t (*haigha_recovery_filter_fn)(const haigha_recovery_entity* entity,
                                             void* user_data);

/* Has `fn` say what each recovery brings back, on the loop's thread, before the broker is asked for
 * anything. What is bound to an exchange or a queue that is left out, and consumes from it, is left
 * out too; such a consumer ends with CONSUMER_CANCELLED, the others stay recorded and are asked
 * about again the next time. `fn` must not call this library. Sharing, `release` and fn NULL as in
 * haigha_options_set_key_password_fn. Errors: ARGUMENT, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_set_recovery_filter_fn(
    haigha_options* options, haigha_recovery_filter_fn fn, void* user_data,
    haigha_release_fn release, haigha_error** error);

enum { HAIGHA_OPTION_STRING = 1, HAIGHA_OPTION_INT = 2 };

/* A row of the table of options. All strings are static. Filled by the library up to `size`. */
typedef struct haigha_option_info {
    size_t size; /* in: sizeof(haigha_option_info) as the caller was compiled */
    haigha_str name;
    haigha_str meaning;        /* one sentence, with the unit */
    haigha_str default_string; /* STRING; empty for a secret */
    int64_t default_int;       /* INT */
    int64_t minimum;           /* INT; STRING: of the length in bytes */
    int64_t maximum;
    int32_t type; /* HAIGHA_OPTION_* */
    int32_t secret;
} haigha_option_info;

/* Fills *info with row `index`; HAIGHA_ERR_ARGUMENT past the last. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_options_describe(size_t index,
                                                                    haigha_option_info* info);

/* ---- connection ----------------------------------------------------------------------------- */

/* A connection that is not yet open. `options` (NULL: all defaults) is copied. `events` (may be
 * NULL) receives CONNECTION_STATE, BLOCKED, UNBLOCKED, WRITABLE, RECOVERY and QUEUE_RENAMED.
 * Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_new(haigha_loop* loop,
                                                                  const haigha_options* options,
                                                                  const haigha_then* events,
                                                                  haigha_connection** connection,
                                                                  haigha_error** error);
/* Replaces where events go. A state that has been CLOSED already is told once more to the new one:
 * nobody comes too late to hear the cause. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_connection_set_events(haigha_connection* connection, const haigha_then* events,
                             haigha_error** error);
/* Has the credentials asked for each time they are needed, by AUTH events, in place of the options
 * user and password; and names in the option auth_mechanism what mechanisms the library need not
 * know. Before the connection is opened (CLOSED afterwards). A question is answered once, from any
 * thread, within the option connection_timeout. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_set_auth(
    haigha_connection* connection, const haigha_then* auth, haigha_error** error);
/* `number` is that of the AUTH event. lifetime_ms: after four fifths of it a RENEWAL is asked for,
 * whose password goes to the broker by connection.update-secret; 0: never. Errors: ARGUMENT, STALE
 * (the question was answered, or its connection has ended). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_answer_credentials(
    haigha_connection* connection, uint64_t number, haigha_str user, haigha_str password,
    int64_t lifetime_ms, haigha_error** error);
/* The response of a mechanism, as its bytes. Errors as above. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_answer_response(
    haigha_connection* connection, uint64_t number, haigha_str response, haigha_error** error);
/* There are none: the connection fails with AUTH and these words; after a RENEWAL it goes on until
 * the broker ends it. Errors: STALE. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_refuse_auth(
    haigha_connection* connection, uint64_t number, haigha_str why, haigha_error** error);
/* Gives the broker a new secret, such as an OAuth 2 token, for what was said at opening. `reason` is
 * for the broker's log, at most 255 bytes. Errors in the completion: TIMEOUT, or how the connection
 * ended. Since: 0.1. Source: RabbitMQ's connection.update-secret (10, 70). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_update_secret(
    haigha_connection* connection, haigha_str secret, haigha_str reason, const haigha_then* then,
    haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_connection_update_secret_wait(
    haigha_connection* connection, haigha_str secret, haigha_str reason, int64_t timeout_ms,
    haigha_error** error);
/* Resolves, connects and opens the virtual host, all within the option connection_timeout, trying
 * each address in turn. Once per connection. With TLS the call itself reads the files that the
 * options name, and is refused, TLS or ARGUMENT, when they are of no use. Errors in the completion
 * name the stage: RESOLVE, IO, TLS, TIMEOUT, PROTOCOL, AUTH, CONNECTION_CLOSED_BY_BROKER.
 * Since: 0.1.
 * Source: AMQP 0-9-1, connection.start to connection.open-ok (10, 10 to 41). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_open(haigha_connection* connection,
                                                                   const haigha_then* then,
                                                                   haigha_error** error);
/* The same, waiting. timeout_ms: -1 is the option connection_timeout. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_connection_open_wait(
    haigha_connection* connection, int64_t timeout_ms, haigha_error** error);
/* For programs that know no event loop: a new connection, on a loop of its own that goes with it, to
 * the broker that `uri` names, with the options in its query ("amqp://host/vhost?recovery=1"). Opens
 * it and waits. Errors: ARGUMENT (the URI, or an option in it), NO_MEMORY, and those of
 * haigha_connection_open. Since: 0.1. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_connect_wait(haigha_str uri, int64_t timeout_ms,
                                                             haigha_connection** connection,
                                                             haigha_error** error);
/* Opens it over a stream socket that the program has connected, to a proxy or by means of its own.
 * Once accepted the descriptor is the library's. With TLS the certificate has to be for the option
 * host, or server_name_indication, as ever. Errors as above; ARGUMENT: it is no connected stream
 * socket. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_open_fd(
    haigha_connection* connection, int fd, const haigha_then* then, haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_connection_open_fd_wait(
    haigha_connection* connection, int fd, int64_t timeout_ms, haigha_error** error);
/* Writes what was taken, says connection.close and waits for the answer, within the option
 * close_timeout_ms; then closes hard. Always completes; a connection that has ended completes at
 * once. Error in the completion: TIMEOUT when it had to be closed hard. Since: 0.1.
 * Source: AMQP 0-9-1, connection.close (10, 50). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_close(haigha_connection* connection,
                                                                    const haigha_then* then,
                                                                    haigha_error** error);
/* The same, waiting up to timeout_ms (-1: close_timeout_ms; 0: hard, at once). */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_connection_close_wait(
    haigha_connection* connection, int64_t timeout_ms, haigha_error** error);
typedef struct haigha_stop_args {
    size_t size;
    /* In milliseconds; 0: the option rpc_timeout_ms, for the last close_timeout_ms. How long what
     * was delivered may take to be settled, then what was published to be confirmed and written,
     * then the closing itself. */
    uint32_t settle_timeout_ms;
    uint32_t publish_timeout_ms;
    uint32_t close_timeout_ms;
    uint8_t reserved[4];
} haigha_stop_args;
#define HAIGHA_STOP_ARGS_INIT \
    { sizeof(haigha_stop_args), 0, 0, 0, {0, 0, 0, 0} }

/* Ends a connection so that nothing is left, in this order: its consumers are cancelled; what was
 * delivered is settled by the program, which may still publish; then publishes are refused, CLOSED;
 * those that were taken are written and have their outcome; connection.close. `args` may be NULL.
 * Always completes, in every state; one that is RECOVERING goes on until what its channels keep has
 * been published. Error in the completion: TIMEOUT, when something was left at its deadline or the
 * connection had to be closed hard, or how it ended before; haigha_reply_unwritten_bytes,
 * _unconfirmed and _unsettled tell what was left, with the error too. A second call joins the
 * first. Errors: ARGUMENT, STRUCT_VERSION, CLOSED (the loop was closed). Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_stop(haigha_connection* connection,
                                                                   const haigha_stop_args* args,
                                                                   const haigha_then* then,
                                                                   haigha_error** error);
/* The same, waiting. *reply (may be NULL; to be freed) is given on TIMEOUT as well. Blocks: up to the
 * three times together. Errors: WRONG_THREAD, TIMEOUT and the like too. Since: 0.1. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_connection_stop_wait(
    haigha_connection* connection, const haigha_stop_args* args, haigha_reply** reply,
    haigha_error** error);
/* Completes when everything taken before it has been handed to the operating system. Error in the
 * completion: TIMEOUT (rpc_timeout_ms), or why the connection ended. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_flush(haigha_connection* connection,
                                                                    const haigha_then* then,
                                                                    haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_connection_flush_wait(
    haigha_connection* connection, int64_t timeout_ms, haigha_error** error);
/* HAIGHA_STATE_*. CLOSED for NULL. */
HAIGHA_API HAIGHA_NONBLOCKING int32_t
haigha_connection_state(const haigha_connection* connection);
/* Why the connection ended, or NULL while it has not, or was closed as asked; while it is
 * RECOVERING why that is. To be freed. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_error* haigha_connection_last_error(
    const haigha_connection* connection);
/* A number by name: "frame_max", "channel_max", "heartbeat" (as negotiated, 0 before), "blocked" (0
 * or 1), "outbox_bytes" (taken and not yet handed to the operating system), "channels" (open),
 * "bytes_sent", "bytes_received", "writes" and "reads" (system calls), "local_port"; how long the
 * stages of opening it took last, in microseconds, -1 for one that was not gone through or not
 * completed: "resolve_us", "connect_us", "tls_us", "handshake_us", "open_us"; of recovery
 * "recoveries" (completed), "stale_acks" (settlements refused with STALE), "topology_records" (what
 * would be declared again).
 * Errors: ARGUMENT. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_info(
    const haigha_connection* connection, haigha_str name, int64_t* value, haigha_error** error);
/* The broker's properties (product, version, capabilities, ...) as a new table, to be freed.
 * CLOSED before connection.start was received. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_connection_server_properties(const haigha_connection* connection, haigha_table** table,
                                    haigha_error** error);
/* What is known of the other end and of how it was made sure of, as a new table of strings, to be
 * freed: "transport" ("tcp", "unix"), "security" ("none", "tls"), "peer_address"; with TLS
 * "tls_version", "tls_cipher", "tls_verified" ("chain and name", "chain", "nothing"),
 * "tls_server_name" (what the certificate was checked for), "tls_peer_subject", "tls_peer_issuer",
 * "tls_peer_names", "tls_peer_not_after", "tls_session" ("new", or "resumed": verified when it was
 * new); and "auth_mechanism". CLOSED before the transport was connected. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_connection_peer_info(
    const haigha_connection* connection, haigha_table** table, haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_connection* haigha_connection_ref(
    haigha_connection* connection);
/* Dropping the last reference ends an open connection abortively and silently: nothing more is
 * delivered for it and its channels, except that release hooks run. */
HAIGHA_API HAIGHA_NONBLOCKING void haigha_connection_unref(haigha_connection* connection);

/* ---- channel -------------------------------------------------------------------------------- */

/* What is done about a channel that the broker closes while its connection lives. */
enum {
    HAIGHA_CHANNEL_REPORT = 0,     /* its end is told, and it is the end */
    HAIGHA_CHANNEL_REOPEN = 1,     /* it is opened again, in its modes; its consumers have ended */
    HAIGHA_CHANNEL_RESUBSCRIBE = 2 /* and its consumers consume again */
};

/* What becomes of a confirm channel's publishes when it is lost, with its connection or alone, and
 * comes back. Each has one OUTCOME all the same, of the number that it was given. */
enum {
    /* What was under way ends as UNKNOWN or NOT_SENT; meanwhile publishes are refused. */
    HAIGHA_PUBLISH_FAIL = 0,
    /* What never left whole, and what is published meanwhile, is kept and sent when the channel is
     * back, before anything newer. What was on the wire ends as UNKNOWN: nothing is sent twice. */
    HAIGHA_PUBLISH_KEEP_UNSENT = 1,
    /* What was on the wire is sent again too, with a header of its own: x-haigha-republished, true.
     * Unless the broker ended the channel or the connection over a publish: then as above. */
    HAIGHA_PUBLISH_RESEND = 2
};

typedef struct haigha_channel_args {
    size_t size; /* by HAIGHA_CHANNEL_ARGS_INIT */
    /* receives CHANNEL_STATE, OUTCOME, RETURN, FLOW, WRITABLE and DELIVERY_HELD */
    haigha_then events;
    uint8_t confirm; /* open it in confirm mode: confirm.select follows the open */
    /* A return is matched to its publish by exchange, routing key, message id, correlation id, body
     * and order. With this mandatory publishes get a header for it, x-haigha-sequence, which is
     * taken off what comes back; consumers see it. For messages that are alike in all of that while
     * bindings change. With confirm. */
    uint8_t correlate_returns;
    uint8_t recovery_policy; /* HAIGHA_CHANNEL_*; also without the option recovery */
    /* HAIGHA_PUBLISH_*. Other than FAIL, where the channel can come back: each body is kept, copied
     * or lent, until its outcome is known. With confirm. */
    uint8_t publish_policy;
    uint8_t reserved[4];
    /* How many publishes, and bytes of their bodies, may be without an outcome; 0: any number or,
     * where publish_policy keeps them, 65,536 and 64 MiB. A publish beyond either is refused with
     * WOULD_BLOCK; WRITABLE follows when a quarter of it is free. With confirm. */
    uint64_t max_in_flight;
    uint64_t max_in_flight_bytes;
    /* A publish that is older, by the time since it was taken, when it would be sent by a channel
     * that has come back ends as NOT_SENT or, if it was on the wire before, UNKNOWN; 0: of any age.
     * With publish_policy. */
    uint64_t publish_max_age_ms;
} haigha_channel_args;

#define HAIGHA_CHANNEL_ARGS_INIT \
    { sizeof(haigha_channel_args), {NULL, NULL, NULL, NULL, 0}, 0, 0, 0, 0, {0, 0, 0, 0}, 0, 0, 0 }

/* Opens a channel; `args` may be NULL. The handle may be used at once: what is called on it before
 * the broker has answered waits inside the library. Errors: CLOSED (the connection is not open),
 * CHANNEL_LIMIT. Since: 0.1. Source: AMQP 0-9-1, channel.open (20, 10). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_channel_open(haigha_connection* connection,
                                                                const haigha_channel_args* args,
                                                                const haigha_then* then,
                                                                haigha_channel** channel,
                                                                haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_channel_open_wait(haigha_connection* connection,
                                                                  const haigha_channel_args* args,
                                                                  int64_t timeout_ms,
                                                                  haigha_channel** channel,
                                                                  haigha_error** error);
/* Says channel.close after what was called before it. A channel that has ended completes at once.
 * Its consumers end with CONSUMER_CANCELLED. Since: 0.1. Source: AMQP 0-9-1, channel.close (20,40).
 */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_channel_close(haigha_channel* channel,
                                                                 const haigha_then* then,
                                                                 haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_channel_close_wait(haigha_channel* channel,
                                                                   int64_t timeout_ms,
                                                                   haigha_error** error);
/* As haigha_connection_set_events. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_channel_set_events(haigha_channel* channel,
                                                                      const haigha_then* events,
                                                                      haigha_error** error);
/* Asks the broker to stop (0) or resume (1) deliveries. RabbitMQ refuses 0 by closing the
 * connection with 540; use qos. Since: 0.1. Source: AMQP 0-9-1, channel.flow (20, 20). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_channel_flow(haigha_channel* channel,
                                                                int32_t active,
                                                                const haigha_then* then,
                                                                haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_channel_flow_wait(haigha_channel* channel,
                                                                  int32_t active,
                                                                  int64_t timeout_ms,
                                                                  haigha_reply** reply,
                                                                  haigha_error** error);
/* HAIGHA_STATE_*. CLOSED for NULL. */
HAIGHA_API HAIGHA_NONBLOCKING int32_t haigha_channel_state(const haigha_channel* channel);
/* The channel's number on the wire, 1 to channel_max; 0 for NULL. */
HAIGHA_API HAIGHA_NONBLOCKING uint16_t haigha_channel_id(const haigha_channel* channel);
/* Why the channel ended, or NULL. To be freed. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_error* haigha_channel_last_error(
    const haigha_channel* channel);
HAIGHA_API HAIGHA_NONBLOCKING haigha_channel* haigha_channel_ref(haigha_channel* channel);
/* Dropping the last reference to an open channel closes it, silently, unless it has consumers:
 * those keep it until they are cancelled or the connection ends. */
HAIGHA_API HAIGHA_NONBLOCKING void haigha_channel_unref(haigha_channel* channel);

/* ---- reply: what an operation answered ------------------------------------------------------ */

/* Accessors answer 0 or an empty string where the operation has no such thing, and take NULL. What
 * they return is borrowed from the reply. */

/* queue.declare: the queue's name, chosen by the broker if it was left empty. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_reply_queue(const haigha_reply* reply);
/* queue.declare, queue.purge, queue.delete, get: messages ready, purged, deleted, left;
 * haigha_consumer_drain: deliveries that are still open. */
HAIGHA_API HAIGHA_NONBLOCKING uint32_t haigha_reply_message_count(const haigha_reply* reply);
/* queue.declare. */
HAIGHA_API HAIGHA_NONBLOCKING uint32_t haigha_reply_consumer_count(const haigha_reply* reply);
/* consume, cancel. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_reply_consumer_tag(const haigha_reply* reply);
/* get: the message, or NULL when the queue was empty. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_message* haigha_reply_message(const haigha_reply* reply);
/* publish_wait on a confirm channel: HAIGHA_OUTCOME_*; otherwise 0. */
HAIGHA_API HAIGHA_NONBLOCKING int32_t haigha_reply_outcome(const haigha_reply* reply);
/* publish_wait whose outcome is RETURNED: the broker's code and text; NOT_SENT, UNKNOWN: how its
 * channel ended; otherwise NULL. */
HAIGHA_API HAIGHA_NONBLOCKING const haigha_error* haigha_reply_return_reason(
    const haigha_reply* reply);
/* haigha_connection_stop: bytes that were taken and not written, publishes without an outcome, and
 * deliveries that were not settled and are the broker's again. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING uint64_t haigha_reply_unwritten_bytes(const haigha_reply* reply);
HAIGHA_API HAIGHA_NONBLOCKING uint64_t haigha_reply_unconfirmed(const haigha_reply* reply);
HAIGHA_API HAIGHA_NONBLOCKING uint64_t haigha_reply_unsettled(const haigha_reply* reply);
/* AUTH: the name of the mechanism, and the broker's challenge (bytes). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_reply_mechanism(const haigha_reply* reply);
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_reply_challenge(const haigha_reply* reply);
HAIGHA_API HAIGHA_NONBLOCKING haigha_reply* haigha_reply_ref(const haigha_reply* reply);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_reply_unref(haigha_reply* reply);

/* ---- argument structs -----------------------------------------------------------------------
 *
 * `size` comes first, set by the initialiser: a struct from an older caller is read as far as it
 * goes and the rest is default; a struct from a newer caller is accepted only if what this library
 * does not know is zero, and otherwise refused with HAIGHA_ERR_STRUCT_VERSION. Zero means default
 * for every member. `arguments` may be NULL. Names are at most 255 bytes. */

/* ---- exchanges ------------------------------------------------------------------------------ */

typedef struct haigha_exchange_declare_args {
    size_t size;
    haigha_str exchange;
    haigha_str type; /* "direct", "fanout", "topic", "headers", ...; empty: "direct" */
    uint8_t passive; /* only ask whether it exists */
    uint8_t durable;
    uint8_t auto_delete; /* RabbitMQ: deleted when its last binding goes */
    uint8_t internal;    /* RabbitMQ: only other exchanges publish to it */
    uint8_t reserved[4];
    const haigha_table* arguments;
} haigha_exchange_declare_args;
#define HAIGHA_EXCHANGE_DECLARE_ARGS_INIT                                                 \
    {                                                                                     \
        sizeof(haigha_exchange_declare_args), {NULL, 0}, {NULL, 0}, 0, 0, 0, 0, {0, 0, 0, 0}, NULL \
    }

/* Source: AMQP 0-9-1, exchange.declare (40, 10). Since: 0.1, as all below. Errors of all
 * operations on a channel: ARGUMENT, STRUCT_VERSION, CLOSED; in the completion TIMEOUT,
 * CHANNEL_CLOSED_BY_BROKER (403, 404, 405, 406), CONNECTION_CLOSED_BY_BROKER, IO, HEARTBEAT,
 * PROTOCOL, CLOSED (closed here meanwhile). The waiting forms return these, and WRONG_THREAD; their
 * `reply` may be NULL, and is the caller's to unref. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_exchange_declare(haigha_channel* channel, const haigha_exchange_declare_args* args,
                        const haigha_then* then, haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_exchange_declare_wait(haigha_channel* channel, const haigha_exchange_declare_args* args,
                             int64_t timeout_ms, haigha_reply** reply, haigha_error** error);

typedef struct haigha_exchange_delete_args {
    size_t size;
    haigha_str exchange;
    uint8_t if_unused;
    uint8_t reserved[7];
} haigha_exchange_delete_args;
#define HAIGHA_EXCHANGE_DELETE_ARGS_INIT \
    { sizeof(haigha_exchange_delete_args), {NULL, 0}, 0, {0, 0, 0, 0, 0, 0, 0} }

/* Source: AMQP 0-9-1, exchange.delete (40, 20). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_exchange_delete(haigha_channel* channel, const haigha_exchange_delete_args* args,
                       const haigha_then* then, haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_exchange_delete_wait(haigha_channel* channel, const haigha_exchange_delete_args* args,
                            int64_t timeout_ms, haigha_reply** reply, haigha_error** error);

typedef struct haigha_exchange_bind_args {
    size_t size;
    haigha_str destination; /* messages flow to this exchange */
    haigha_str source;      /* from this one */
    haigha_str routing_key;
    const haigha_table* arguments;
} haigha_exchange_bind_args;
#define HAIGHA_EXCHANGE_BIND_ARGS_INIT \
    { sizeof(haigha_exchange_bind_args), {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL }

/* Source: RabbitMQ's exchange.bind (40, 30) and exchange.unbind (40, 40). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_exchange_bind(haigha_channel* channel, const haigha_exchange_bind_args* args,
                     const haigha_then* then, haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_exchange_bind_wait(haigha_channel* channel, const haigha_exchange_bind_args* args,
                          int64_t timeout_ms, haigha_reply** reply, haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_exchange_unbind(haigha_channel* channel, const haigha_exchange_bind_args* args,
                       const haigha_then* then, haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_exchange_unbind_wait(haigha_channel* channel, const haigha_exchange_bind_args* args,
                            int64_t timeout_ms, haigha_reply** reply, haigha_error** error);

/* ---- queues --------------------------------------------------------------------------------- */

typedef struct haigha_queue_declare_args {
    size_t size;
    haigha_str queue; /* empty: the broker chooses a name, see haigha_reply_queue */
    uint8_t passive;  /* only ask whether it exists */
    uint8_t durable;
    uint8_t exclusive;
    uint8_t auto_delete;
    uint8_t reserved[4];
    const haigha_table* arguments;
} haigha_queue_declare_args;
#define HAIGHA_QUEUE_DECLARE_ARGS_INIT \
    { sizeof(haigha_queue_declare_args), {NULL, 0}, 0, 0, 0, 0, {0, 0, 0, 0}, NULL }

/* Completes with haigha_reply_queue, _message_count and _consumer_count.
 * Source: AMQP 0-9-1, queue.declare (50, 10). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_queue_declare(haigha_channel* channel, const haigha_queue_declare_args* args,
                     const haigha_then* then, haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_queue_declare_wait(haigha_channel* channel, const haigha_queue_declare_args* args,
                          int64_t timeout_ms, haigha_reply** reply, haigha_error** error);

typedef struct haigha_queue_bind_args {
    size_t size;
    haigha_str queue; /* empty: the last queue declared on this channel */
    haigha_str exchange;
    haigha_str routing_key;
    const haigha_table* arguments;
} haigha_queue_bind_args;
#define HAIGHA_QUEUE_BIND_ARGS_INIT \
    { sizeof(haigha_queue_bind_args), {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL }

/* Source: AMQP 0-9-1, queue.bind (50, 20) and queue.unbind (50, 50). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_queue_bind(haigha_channel* channel,
                                                              const haigha_queue_bind_args* args,
                                                              const haigha_then* then,
                                                              haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_queue_bind_wait(haigha_channel* channel, const haigha_queue_bind_args* args,
                       int64_t timeout_ms, haigha_reply** reply, haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_queue_unbind(haigha_channel* channel,
                                                                const haigha_queue_bind_args* args,
                                                                const haigha_then* then,
                                                                haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_queue_unbind_wait(haigha_channel* channel, const haigha_queue_bind_args* args,
                         int64_t timeout_ms, haigha_reply** reply, haigha_error** error);

/* Completes with haigha_reply_message_count. Source: AMQP 0-9-1, queue.purge (50, 30). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_queue_purge(haigha_channel* channel,
                                                               haigha_str queue,
                                                               const haigha_then* then,
                                                               haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_queue_purge_wait(haigha_channel* channel,
                                                                 haigha_str queue,
                                                                 int64_t timeout_ms,
                                                                 haigha_reply** reply,
                                                                 haigha_error** error);

typedef struct haigha_queue_delete_args {
    size_t size;
    haigha_str queue;
    uint8_t if_unused;
    uint8_t if_empty;
    uint8_t reserved[6];
} haigha_queue_delete_args;
#define HAIGHA_QUEUE_DELETE_ARGS_INIT \
    { sizeof(haigha_queue_delete_args), {NULL, 0}, 0, 0, {0, 0, 0, 0, 0, 0} }

/* Completes with haigha_reply_message_count. Source: AMQP 0-9-1, queue.delete (50, 40). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_queue_delete(haigha_channel* channel, const haigha_queue_delete_args* args,
                    const haigha_then* then, haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status
haigha_queue_delete_wait(haigha_channel* channel, const haigha_queue_delete_args* args,
                         int64_t timeout_ms, haigha_reply** reply, haigha_error** error);

/* ---- messages ------------------------------------------------------------------------------- */

/* Bits of haigha_properties.present: the property flags of the wire. */
enum {
    HAIGHA_PROPERTY_CONTENT_TYPE = 1 << 15,
    HAIGHA_PROPERTY_CONTENT_ENCODING = 1 << 14,
    HAIGHA_PROPERTY_HEADERS = 1 << 13,
    HAIGHA_PROPERTY_DELIVERY_MODE = 1 << 12,
    HAIGHA_PROPERTY_PRIORITY = 1 << 11,
    HAIGHA_PROPERTY_CORRELATION_ID = 1 << 10,
    HAIGHA_PROPERTY_REPLY_TO = 1 << 9,
    HAIGHA_PROPERTY_EXPIRATION = 1 << 8,
    HAIGHA_PROPERTY_MESSAGE_ID = 1 << 7,
    HAIGHA_PROPERTY_TIMESTAMP = 1 << 6,
    HAIGHA_PROPERTY_TYPE = 1 << 5,
    HAIGHA_PROPERTY_USER_ID = 1 << 4,
    HAIGHA_PROPERTY_APP_ID = 1 << 3,
    HAIGHA_PROPERTY_CLUSTER_ID = 1 << 2
};

/* The 14 basic properties. A member counts when its bit is set in `present`, so that an empty
 * string and an absent one are told apart; everything else is ignored. Strings are at most 255
 * bytes. Source: AMQP 0-9-1, class basic. */
typedef struct haigha_properties {
    size_t size;      /* by HAIGHA_PROPERTIES_INIT */
    uint32_t present; /* HAIGHA_PROPERTY_* */
    uint8_t delivery_mode; /* 1: transient, 2: persistent */
    uint8_t priority;      /* 0 to 255; RabbitMQ: up to the queue's x-max-priority */
    uint8_t reserved[2];
    uint64_t timestamp; /* seconds since the Unix epoch */
    haigha_str content_type;
    haigha_str content_encoding;
    haigha_str correlation_id;
    haigha_str reply_to;
    haigha_str expiration; /* RabbitMQ: milliseconds, as decimal text */
    haigha_str message_id;
    haigha_str type;
    haigha_str user_id; /* RabbitMQ checks it against the connection's user */
    haigha_str app_id;
    haigha_str cluster_id;
    const haigha_table* headers; /* in; out: NULL, see haigha_message_headers */
} haigha_properties;
#define HAIGHA_PROPERTIES_INIT                                                                  \
    {                                                                                           \
        sizeof(haigha_properties), 0, 0, 0, {0, 0}, 0, {NULL, 0}, {NULL, 0}, {NULL, 0},         \
            {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL   \
    }

/* A received message: a reference keeps all of it. Accessors take NULL; what they give is borrowed
 * from the message. May be used and dropped on any thread. A kept message keeps the block of memory
 * that it was read into, shared with its neighbours: 16 KiB where little comes, else 256 KiB, but
 * 16 KiB again once the blocks of a loop that are kept take 64 MiB. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_message* haigha_message_ref(haigha_message* message);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_message_unref(haigha_message* message);
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_message_body(const haigha_message* message);
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_message_exchange(const haigha_message* message);
HAIGHA_API HAIGHA_NONBLOCKING haigha_str haigha_message_routing_key(const haigha_message* message);
HAIGHA_API HAIGHA_NONBLOCKING uint64_t haigha_message_delivery_tag(const haigha_message* message);
HAIGHA_API HAIGHA_NONBLOCKING int32_t haigha_message_redelivered(const haigha_message* message);
/* Decodes the properties into *properties, whose `size` says how far the caller knows the struct.
 * Errors: ARGUMENT, STRUCT_VERSION, MALFORMED. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_message_properties(
    const haigha_message* message, haigha_properties* properties, haigha_error** error);
/* Sets *cursor to the headers; to nothing when there are none. Errors: ARGUMENT, MALFORMED. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_message_headers(const haigha_message* message,
                                                                   haigha_cursor* cursor,
                                                                   haigha_error** error);

/* ---- publishing ----------------------------------------------------------------------------- */

typedef struct haigha_publish_args {
    size_t size;
    haigha_str exchange; /* empty: the default exchange, which routes to the queue of that name */
    haigha_str routing_key;
    const haigha_properties* properties; /* may be NULL: none */
    void* user_data;                     /* given back in the OUTCOME event */
    uint8_t mandatory;                   /* return it when no queue takes it */
    uint8_t immediate;                   /* RabbitMQ refuses it with 540 */
    uint8_t reserved[6];
} haigha_publish_args;
#define HAIGHA_PUBLISH_ARGS_INIT \
    { sizeof(haigha_publish_args), {NULL, 0}, {NULL, 0}, NULL, NULL, 0, 0, {0, 0, 0, 0, 0, 0} }

/* Takes one message for sending, or refuses it. WOULD_BLOCK: it was not taken, because the outbox
 * is over its high-water mark (option outbox_high_water_bytes), max_in_flight publishes have no
 * outcome, the broker has said connection.blocked, or channel.flow has stopped the channel; a
 * WRITABLE event follows. On a
 * confirm channel *sequence (may be NULL) numbers it from 1, and one OUTCOME event follows;
 * otherwise *sequence is 0. Taken means ordered and kept in memory, not delivered: use confirms to
 * know. Errors: ARGUMENT, STRUCT_VERSION, CLOSED, WOULD_BLOCK, NO_MEMORY. Since: 0.1.
 * Source: AMQP 0-9-1, basic.publish (60, 40). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_publish(haigha_channel* channel,
                                                           const haigha_publish_args* args,
                                                           haigha_str body, uint64_t* sequence,
                                                           haigha_error** error);
/* The same of a body that stays the caller's: from 16 KiB on it is not copied but written from where
 * it is. It must neither change nor go before `release` (not NULL) has been called with
 * `release_data`: once, by any thread, when nothing of it is needed any more, which is when it was
 * handed to the operating system, or dropped with its channel or connection, and with a
 * publish_policy that keeps it when its outcome is known; for a smaller body before this call
 * returns. A body that was refused is not released. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_publish_lent(haigha_channel* channel, const haigha_publish_args* args, haigha_str body,
                    haigha_release_fn release, void* release_data, uint64_t* sequence,
                    haigha_error** error);
/* Waits until the message is taken, and on a confirm channel until its outcome is known: OK with
 * haigha_reply_outcome, whatever it is; no OUTCOME event follows. On TIMEOUT a message that was
 * taken is still under way. */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_publish_wait(haigha_channel* channel,
                                                             const haigha_publish_args* args,
                                                             haigha_str body, int64_t timeout_ms,
                                                             haigha_reply** reply,
                                                             haigha_error** error);

/* A prepared publish: everything of `args` but user_data is read, checked and encoded once, for
 * many messages that differ in their bodies alone; nothing of it need live longer. The publisher,
 * to be released by haigha_publisher_unref, holds a reference to its channel. Errors: ARGUMENT,
 * STRUCT_VERSION, FORKED, NO_MEMORY. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_publisher_new(haigha_channel* channel,
                                                                 const haigha_publish_args* args,
                                                                 haigha_publisher** publisher,
                                                                 haigha_error** error);
/* As haigha_publish, whose args->user_data is given here; from any thread. Errors: the same. Since:
 * 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status
haigha_publisher_publish(haigha_publisher* publisher, haigha_str body, void* user_data,
                         uint64_t* sequence, haigha_error** error);
/* The same of a body that is lent, as haigha_publish_lent has it. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_publisher_publish_lent(
    haigha_publisher* publisher, haigha_str body, haigha_release_fn release, void* release_data,
    void* user_data, uint64_t* sequence, haigha_error** error);
/* The channel that it publishes on, lent for as long as the publisher is; NULL for NULL.
 * Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_channel* haigha_publisher_channel(
    const haigha_publisher* publisher);
/* References may be taken and dropped by any thread. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_publisher* haigha_publisher_ref(haigha_publisher* publisher);
HAIGHA_API HAIGHA_NONBLOCKING void haigha_publisher_unref(haigha_publisher* publisher);

/* Publisher confirms: every publish called after this one ends in an OUTCOME event, in the order
 * the broker settles them; none is written before the broker has agreed. Not with tx.
 * Source: RabbitMQ's confirm.select (85, 10). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_confirm_select(haigha_channel* channel,
                                                                  const haigha_then* then,
                                                                  haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_confirm_select_wait(haigha_channel* channel,
                                                                    int64_t timeout_ms,
                                                                    haigha_reply** reply,
                                                                    haigha_error** error);

/* Transactions: publishes and acks take effect at commit. Source: AMQP 0-9-1, tx.select (90, 10),
 * tx.commit (90, 20), tx.rollback (90, 30). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_tx_select(haigha_channel* channel,
                                                             const haigha_then* then,
                                                             haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_tx_select_wait(haigha_channel* channel,
                                                               int64_t timeout_ms,
                                                               haigha_reply** reply,
                                                               haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_tx_commit(haigha_channel* channel,
                                                             const haigha_then* then,
                                                             haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_tx_commit_wait(haigha_channel* channel,
                                                               int64_t timeout_ms,
                                                               haigha_reply** reply,
                                                               haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_tx_rollback(haigha_channel* channel,
                                                               const haigha_then* then,
                                                               haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_tx_rollback_wait(haigha_channel* channel,
                                                                 int64_t timeout_ms,
                                                                 haigha_reply** reply,
                                                                 haigha_error** error);

/* ---- consuming ------------------------------------------------------------------------------ */

typedef struct haigha_qos_args {
    size_t size;
    uint32_t prefetch_bytes; /* RabbitMQ: only 0 */
    uint16_t prefetch_count; /* unacknowledged deliveries at a time; 0: no limit */
    uint8_t global;          /* RabbitMQ: for the channel, not for each new consumer */
    uint8_t reserved[1];
} haigha_qos_args;
#define HAIGHA_QOS_ARGS_INIT \
    { sizeof(haigha_qos_args), 0, 0, 0, {0} }

/* A channel on which this was never called gets the option prefetch (300) before its first
 * consumer.
 * Source: AMQP 0-9-1, basic.qos (60, 10). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_qos(haigha_channel* channel,
                                                       const haigha_qos_args* args,
                                                       const haigha_then* then,
                                                       haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_qos_wait(haigha_channel* channel,
                                                         const haigha_qos_args* args,
                                                         int64_t timeout_ms, haigha_reply** reply,
                                                         haigha_error** error);

typedef struct haigha_consume_args {
    size_t size;
    haigha_str queue;
    haigha_str consumer_tag; /* empty: the library makes one, see haigha_reply_consumer_tag */
    /* receives DELIVERY, and CONSUMER_CANCELLED last; required: fn or inbox */
    haigha_then deliveries;
    uint8_t no_local;
    uint8_t no_ack; /* deliveries need no ack, and are lost if the process dies */
    uint8_t exclusive;
    /* When its inbox is full it is paused, by basic.cancel, and goes on once that is half empty; the
     * connection is read on. What was on its way still comes. For consumers without acks or with
     * large messages; not with a queue that is deleted when nobody consumes. */
    uint8_t pause_when_full;
    uint8_t reserved[4];
    const haigha_table* arguments;
} haigha_consume_args;
#define HAIGHA_CONSUME_ARGS_INIT                                                            \
    {                                                                                       \
        sizeof(haigha_consume_args), {NULL, 0}, {NULL, 0}, {NULL, NULL, NULL, NULL, 0}, 0,  \
            0, 0, 0, {0, 0, 0, 0}, NULL                                                     \
    }

/* Starts a consumer; it ends with CONSUMER_CANCELLED: after cancel, when the broker cancels it (the
 * error's method is basic.cancel), or with its channel. When this call completes with an error no
 * delivery and no CONSUMER_CANCELLED comes. Errors: ARGUMENT also when the consumer tag is in use.
 * Source: AMQP 0-9-1, basic.consume (60, 20). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_consume(haigha_channel* channel,
                                                           const haigha_consume_args* args,
                                                           const haigha_then* then,
                                                           haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_consume_wait(haigha_channel* channel,
                                                             const haigha_consume_args* args,
                                                             int64_t timeout_ms,
                                                             haigha_reply** reply,
                                                             haigha_error** error);
/* Deliveries go on until the broker's answer; then CONSUMER_CANCELLED comes, with no error.
 * Source: AMQP 0-9-1, basic.cancel (60, 30). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_cancel(haigha_channel* channel,
                                                          haigha_str consumer_tag,
                                                          const haigha_then* then,
                                                          haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_cancel_wait(haigha_channel* channel,
                                                            haigha_str consumer_tag,
                                                            int64_t timeout_ms,
                                                            haigha_reply** reply,
                                                            haigha_error** error);
/* Ends a consumer so that nothing is lost: cancels it, has it told what was still on its way, then
 * CONSUMER_CANCELLED, and completes when each of its deliveries is settled and that was handed to
 * the operating system; or, unfinished, after timeout_ms: haigha_reply_message_count says how many
 * are still open, which stay the caller's to settle. Errors: ARGUMENT (there is no such consumer),
 * UNSUPPORTED (a channel with tx); in the completion TIMEOUT: the broker had not answered the
 * cancel by then, which with a timeout_ms of 0 is to be expected. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_consumer_drain(haigha_channel* channel,
                                                                  haigha_str consumer_tag,
                                                                  int64_t timeout_ms,
                                                                  const haigha_then* then,
                                                                  haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_consumer_drain_wait(haigha_channel* channel,
                                                                    haigha_str consumer_tag,
                                                                    int64_t timeout_ms,
                                                                    haigha_reply** reply,
                                                                    haigha_error** error);
/* Stops a consumer for a while: deliveries go on until this completes, at most as many as the
 * prefetch count allows, and the consumer keeps its tag, its callback and what it has not settled.
 * The broker knows nothing of it meanwhile: another may become the exclusive or the single active
 * consumer, and nobody tells that the queue was deleted. Errors: ARGUMENT (there is no such
 * consumer, or it is not running). Since: 0.1.
 * Source: AMQP 0-9-1, basic.cancel (60, 30). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_consumer_pause(haigha_channel* channel,
                                                                  haigha_str consumer_tag,
                                                                  const haigha_then* then,
                                                                  haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_consumer_pause_wait(haigha_channel* channel,
                                                                    haigha_str consumer_tag,
                                                                    int64_t timeout_ms,
                                                                    haigha_reply** reply,
                                                                    haigha_error** error);
/* Has a consumer whose pause has completed go on with its first arguments; on a stream behind its
 * last delivery. Errors: ARGUMENT (there is no such consumer, or it is not paused). Since: 0.1.
 * Source: AMQP 0-9-1, basic.consume (60, 20). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_consumer_resume(haigha_channel* channel,
                                                                   haigha_str consumer_tag,
                                                                   const haigha_then* then,
                                                                   haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_consumer_resume_wait(haigha_channel* channel,
                                                                     haigha_str consumer_tag,
                                                                     int64_t timeout_ms,
                                                                     haigha_reply** reply,
                                                                     haigha_error** error);

typedef struct haigha_get_args {
    size_t size;
    haigha_str queue;
    uint8_t no_ack;
    uint8_t reserved[7];
} haigha_get_args;
#define HAIGHA_GET_ARGS_INIT \
    { sizeof(haigha_get_args), {NULL, 0}, 0, {0, 0, 0, 0, 0, 0, 0} }

/* One message, if there is one: haigha_reply_message. Source: AMQP 0-9-1, basic.get (60, 70). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_get(haigha_channel* channel,
                                                       const haigha_get_args* args,
                                                       const haigha_then* then,
                                                       haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_get_wait(haigha_channel* channel,
                                                         const haigha_get_args* args,
                                                         int64_t timeout_ms, haigha_reply** reply,
                                                         haigha_error** error);

enum {
    HAIGHA_MULTIPLE = 1, /* and every earlier open delivery of the channel; tag 0: all so far */
    HAIGHA_REQUEUE = 2   /* nack, reject: give it to a consumer again */
};

/* Settle a delivery. Taken at once, never held back by flow control, and never waits: the broker
 * does not answer. Errors: ARGUMENT (tag 0 without MULTIPLE, unknown flags, a delivery that is not
 * open: the broker would close the channel for it), CLOSED, STALE, NO_MEMORY. With MULTIPLE and tag
 * 0 what the broker has sent and the library not yet read is left open.
 * Source: AMQP 0-9-1, basic.ack (60, 80), basic.reject (60, 90); RabbitMQ's basic.nack (60, 120).
 */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_ack(haigha_channel* channel,
                                                       uint64_t delivery_tag, uint32_t flags,
                                                       haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_nack(haigha_channel* channel,
                                                        uint64_t delivery_tag, uint32_t flags,
                                                        haigha_error** error);
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_reject(haigha_channel* channel,
                                                          uint64_t delivery_tag, uint32_t flags,
                                                          haigha_error** error);
/* Unacknowledged deliveries of the channel come again. RabbitMQ refuses requeue 0 with 540.
 * Source: AMQP 0-9-1, basic.recover (60, 110). */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_recover(haigha_channel* channel,
                                                           int32_t requeue,
                                                           const haigha_then* then,
                                                           haigha_error** error);
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_recover_wait(haigha_channel* channel,
                                                             int32_t requeue, int64_t timeout_ms,
                                                             haigha_reply** reply,
                                                             haigha_error** error);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_HAIGHA_H */
