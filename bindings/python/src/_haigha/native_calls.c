/* The calls of AMQP's methods on a channel: each starts one, whose answer comes as a REPLY event
 * with the tag that was given last. */
#include "native.h"

/* What every call ends with. */
#define ANSWER(function, ...)                                                             \
    do {                                                                                  \
        const haigha_then then = native_then(self->connection, tag);                      \
        haigha_error* error = NULL;                                                       \
        const haigha_status status = function(self->channel, __VA_ARGS__, &then, &error); \
        return native_finish(self->connection->state, status, error);                     \
    } while (0)

/* The same of a call that has a table. */
#define ANSWER_WITH_TABLE(function, args)                                              \
    do {                                                                               \
        const haigha_then then = native_then(self->connection, tag);                   \
        haigha_error* error = NULL;                                                    \
        haigha_table* made = NULL;                                                     \
        haigha_status status;                                                          \
        if (!native_dict_to_table(self->connection->state, table, &made)) return NULL; \
        (args).arguments = made;                                                       \
        status = function(self->channel, &(args), &then, &error);                      \
        haigha_table_free(made);                                                       \
        return native_finish(self->connection->state, status, error);                  \
    } while (0)

/* PyArg_ParseTuple's s# into a haigha_str. */
#define TEXT(member) &(member).data, &(member).size

static PyObject* exchange_declare(native_channel* self, PyObject* given) {
    haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    PyObject* table;
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#s#bbbbOK", TEXT(args.exchange), TEXT(args.type), &args.passive,
                          &args.durable, &args.auto_delete, &args.internal, &table, &tag))
        return NULL;
    ANSWER_WITH_TABLE(haigha_exchange_declare, args);
}

static PyObject* exchange_delete(native_channel* self, PyObject* given) {
    haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#bK", TEXT(args.exchange), &args.if_unused, &tag)) return NULL;
    ANSWER(haigha_exchange_delete, &args);
}

static int exchange_bind_args(PyObject* given, haigha_exchange_bind_args* args, PyObject** table,
                              unsigned long long* tag) {
    return PyArg_ParseTuple(given, "s#s#s#OK", TEXT(args->destination), TEXT(args->source),
                            TEXT(args->routing_key), table, tag);
}

static PyObject* exchange_bind(native_channel* self, PyObject* given) {
    haigha_exchange_bind_args args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    PyObject* table;
    unsigned long long tag;
    if (!exchange_bind_args(given, &args, &table, &tag)) return NULL;
    ANSWER_WITH_TABLE(haigha_exchange_bind, args);
}

static PyObject* exchange_unbind(native_channel* self, PyObject* given) {
    haigha_exchange_bind_args args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    PyObject* table;
    unsigned long long tag;
    if (!exchange_bind_args(given, &args, &table, &tag)) return NULL;
    ANSWER_WITH_TABLE(haigha_exchange_unbind, args);
}

static PyObject* queue_declare(native_channel* self, PyObject* given) {
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    PyObject* table;
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#bbbbOK", TEXT(args.queue), &args.passive, &args.durable,
                          &args.exclusive, &args.auto_delete, &table, &tag))
        return NULL;
    ANSWER_WITH_TABLE(haigha_queue_declare, args);
}

static int queue_bind_args(PyObject* given, haigha_queue_bind_args* args, PyObject** table,
                           unsigned long long* tag) {
    return PyArg_ParseTuple(given, "s#s#s#OK", TEXT(args->queue), TEXT(args->exchange),
                            TEXT(args->routing_key), table, tag);
}

static PyObject* queue_bind(native_channel* self, PyObject* given) {
    haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
    PyObject* table;
    unsigned long long tag;
    if (!queue_bind_args(given, &args, &table, &tag)) return NULL;
    ANSWER_WITH_TABLE(haigha_queue_bind, args);
}

static PyObject* queue_unbind(native_channel* self, PyObject* given) {
    haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
    PyObject* table;
    unsigned long long tag;
    if (!queue_bind_args(given, &args, &table, &tag)) return NULL;
    ANSWER_WITH_TABLE(haigha_queue_unbind, args);
}

static PyObject* queue_purge(native_channel* self, PyObject* given) {
    haigha_str queue = {NULL, 0};
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#K", TEXT(queue), &tag)) return NULL;
    ANSWER(haigha_queue_purge, queue);
}

static PyObject* queue_delete(native_channel* self, PyObject* given) {
    haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#bbK", TEXT(args.queue), &args.if_unused, &args.if_empty, &tag))
        return NULL;
    ANSWER(haigha_queue_delete, &args);
}

static PyObject* qos(native_channel* self, PyObject* given) {
    haigha_qos_args args = HAIGHA_QOS_ARGS_INIT;
    unsigned long long tag;
    int count;
    if (!PyArg_ParseTuple(given, "ibK", &count, &args.global, &tag)) return NULL;
    if (count < 0 || count > UINT16_MAX)
        return PyErr_Format(PyExc_ValueError, "prefetch is %d, and is to be 0 to 65535", count);
    args.prefetch_count = (uint16_t)count;
    ANSWER(haigha_qos, &args);
}

static PyObject* consume(native_channel* self, PyObject* given) {
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    PyObject* table;
    unsigned long long deliveries, tag;
    if (!PyArg_ParseTuple(given, "s#s#bbbOKK", TEXT(args.queue), TEXT(args.consumer_tag),
                          &args.no_local, &args.no_ack, &args.exclusive, &table, &deliveries, &tag))
        return NULL;
    args.deliveries = native_then(self->connection, deliveries);
    ANSWER_WITH_TABLE(haigha_consume, args);
}

static PyObject* get(native_channel* self, PyObject* given) {
    haigha_get_args args = HAIGHA_GET_ARGS_INIT;
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#bK", TEXT(args.queue), &args.no_ack, &tag)) return NULL;
    ANSWER(haigha_get, &args);
}

static PyObject* cancel(native_channel* self, PyObject* given) {
    haigha_str consumer = {NULL, 0};
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#K", TEXT(consumer), &tag)) return NULL;
    ANSWER(haigha_cancel, consumer);
}

static PyObject* consumer_pause(native_channel* self, PyObject* given) {
    haigha_str consumer = {NULL, 0};
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#K", TEXT(consumer), &tag)) return NULL;
    ANSWER(haigha_consumer_pause, consumer);
}

static PyObject* consumer_resume(native_channel* self, PyObject* given) {
    haigha_str consumer = {NULL, 0};
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#K", TEXT(consumer), &tag)) return NULL;
    ANSWER(haigha_consumer_resume, consumer);
}

static PyObject* consumer_drain(native_channel* self, PyObject* given) {
    haigha_str consumer = {NULL, 0};
    long long timeout_ms;
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "s#LK", TEXT(consumer), &timeout_ms, &tag)) return NULL;
    ANSWER(haigha_consumer_drain, consumer, timeout_ms);
}

static PyObject* recover(native_channel* self, PyObject* given) {
    int requeue;
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "pK", &requeue, &tag)) return NULL;
    ANSWER(haigha_recover, requeue);
}

/* Calls without arguments. */
typedef haigha_status (*plain_call)(haigha_channel*, const haigha_then*, haigha_error**);

static PyObject* plain(native_channel* self, PyObject* given, plain_call which) {
    haigha_error* error = NULL;
    haigha_status status;
    haigha_then then;
    unsigned long long tag;
    if (!PyArg_ParseTuple(given, "K", &tag)) return NULL;
    then = native_then(self->connection, tag);
    status = which(self->channel, &then, &error);
    return native_finish(self->connection->state, status, error);
}

static PyObject* close_channel(native_channel* self, PyObject* given) {
    return plain(self, given, haigha_channel_close);
}
static PyObject* confirm_select(native_channel* self, PyObject* given) {
    return plain(self, given, haigha_confirm_select);
}
static PyObject* tx_select(native_channel* self, PyObject* given) {
    return plain(self, given, haigha_tx_select);
}
static PyObject* tx_commit(native_channel* self, PyObject* given) {
    return plain(self, given, haigha_tx_commit);
}
static PyObject* tx_rollback(native_channel* self, PyObject* given) {
    return plain(self, given, haigha_tx_rollback);
}

PyObject* native_channel_call(PyObject* object, PyObject* args) {
    static const struct {
        const char* name;
        PyObject* (*run)(native_channel*, PyObject*);
    } calls[] = {
        {"close", close_channel},
        {"exchange_declare", exchange_declare},
        {"exchange_delete", exchange_delete},
        {"exchange_bind", exchange_bind},
        {"exchange_unbind", exchange_unbind},
        {"queue_declare", queue_declare},
        {"queue_bind", queue_bind},
        {"queue_unbind", queue_unbind},
        {"queue_purge", queue_purge},
        {"queue_delete", queue_delete},
        {"confirm_select", confirm_select},
        {"tx_select", tx_select},
        {"tx_commit", tx_commit},
        {"tx_rollback", tx_rollback},
        {"qos", qos},
        {"consume", consume},
        {"get", get},
        {"cancel", cancel},
        {"pause", consumer_pause},
        {"resume", consumer_resume},
        {"drain", consumer_drain},
        {"recover", recover},
    };
    size_t index;
    const char* name;
    PyObject *given, *result = NULL;
    if (!PyArg_ParseTuple(args, "sO!:call", &name, &PyTuple_Type, &given)) return NULL;
    for (index = 0; index < sizeof calls / sizeof *calls; ++index) {
        if (strcmp(calls[index].name, name) == 0) {
            result = calls[index].run((native_channel*)object, given);
            return result;
        }
    }
    return PyErr_Format(PyExc_ValueError, "there is no call '%s'", name);
}
