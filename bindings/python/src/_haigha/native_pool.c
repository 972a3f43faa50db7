/* A pool of channels that publishes (haigha/pool.h). */
#include "native.h"

typedef struct native_pool {
    PyObject_HEAD native_connection* connection;
    haigha_pool* pool;
} native_pool;

/* (connection, tag of its events, mode, retry, correlate_returns, max_channels, max_attempts,
 * max_in_flight, max_messages, max_bytes) */
static PyObject* pool_new(PyTypeObject* type, PyObject* args, PyObject* Py_UNUSED(keywords)) {
    native_state* state = PyType_GetModuleState(type);
    haigha_pool_args given = HAIGHA_POOL_ARGS_INIT;
    native_pool* self;
    haigha_error* error = NULL;
    haigha_status status;
    PyObject* connection;
    unsigned long long events, in_flight, messages, bytes;
    unsigned int channels, attempts;
    if (!PyArg_ParseTuple(args, "O!KbbbIIKKK:Pool", state->connection_type, &connection, &events,
                          &given.mode, &given.retry, &given.correlate_returns, &channels, &attempts,
                          &in_flight, &messages, &bytes))
        return NULL;
    self = PyObject_New(native_pool, type);
    if (self == NULL) return NULL;
    self->pool = NULL;
    self->connection = (native_connection*)connection;
    Py_INCREF(connection);
    given.events = native_then(self->connection, events);
    given.max_channels = channels;
    given.max_attempts = attempts;
    given.max_in_flight = in_flight;
    given.max_messages = messages;
    given.max_bytes = bytes;
    status = haigha_pool_new(self->connection->connection, &given, &self->pool, &error);
    if (status == HAIGHA_OK) return (PyObject*)self;
    Py_DECREF((PyObject*)self);
    return native_raise(state, status, error);
}

static void pool_dealloc(PyObject* object) {
    native_pool* self = (native_pool*)object;
    PyTypeObject* type = Py_TYPE(object);
    haigha_pool_unref(self->pool);
    Py_DECREF((PyObject*)self->connection);
    PyObject_Free(object);
    Py_DECREF((PyObject*)type);
}

/* As a channel's. */
static PyObject* pool_publish(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    native_pool* self = (native_pool*)object;
    native_publish publish;
    haigha_error* error = NULL;
    haigha_status status;
    uint64_t number = 0;
    if (count != 7) {
        PyErr_SetString(PyExc_TypeError, "publish takes seven arguments");
        return NULL;
    }
    if (!native_publish_begin(self->connection->state, args, &publish)) return NULL;
    status =
        haigha_pool_publish(self->pool, &publish.args, native_body(&publish.body), &number, &error);
    native_publish_end(&publish);
    return native_published(self->connection->state, status, error, number, args[5], args[6]);
}

typedef haigha_status (*plain_call)(haigha_pool*, const haigha_then*, haigha_error**);

static PyObject* call(PyObject* object, PyObject* argument, plain_call which) {
    native_pool* self = (native_pool*)object;
    haigha_error* error = NULL;
    haigha_status status;
    haigha_then then;
    const unsigned long long tag = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred()) return NULL;
    then = native_then(self->connection, tag);
    status = which(self->pool, &then, &error);
    return native_finish(self->connection->state, status, error);
}

static PyObject* pool_drain(PyObject* object, PyObject* tag) {
    return call(object, tag, haigha_pool_drain);
}
static PyObject* pool_close(PyObject* object, PyObject* tag) {
    return call(object, tag, haigha_pool_close);
}

static PyObject* pool_info(PyObject* object, PyObject* argument) {
    native_pool* self = (native_pool*)object;
    haigha_error* error = NULL;
    haigha_status status;
    haigha_str name;
    int64_t value = 0;
    if (!native_get_text(argument, &name)) return NULL;
    status = haigha_pool_info(self->pool, name, &value, &error);
    if (status != HAIGHA_OK) return native_raise(self->connection->state, status, error);
    return PyLong_FromLongLong((long long)value);
}

static PyMethodDef methods[] = {
    {"publish", (PyCFunction)(void (*)(void))pool_publish, METH_FASTCALL, NULL},
    {"drain", pool_drain, METH_O, NULL},
    {"close", pool_close, METH_O, NULL},
    {"info", pool_info, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void*)pool_new},
    {Py_tp_dealloc, (void*)pool_dealloc},
    {Py_tp_methods, (void*)methods},
    {0, NULL},
};

PyType_Spec native_pool_spec = {"haigha._native.Pool", sizeof(native_pool), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};
