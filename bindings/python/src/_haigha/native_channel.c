/* A channel: opening it, publishing on it, and its ends. Its calls of AMQP are in native_calls.c.
 */
#include "native.h"

/* Remembers, or forgets, where the object of a haigha_channel is. */
static int note(native_channel* self) {
    PyObject* key = PyLong_FromVoidPtr(self->channel);
    PyObject* address = PyLong_FromVoidPtr(self);
    const int failed =
        key == NULL || address == NULL || PyDict_SetItem(self->connection->channels, key, address);
    Py_XDECREF(key);
    Py_XDECREF(address);
    return !failed;
}

static void forget(native_channel* self) {
    PyObject *type, *value, *traceback, *key;
    PyErr_Fetch(&type, &value, &traceback);
    key = PyLong_FromVoidPtr(self->channel);
    if (key == NULL || PyDict_DelItem(self->connection->channels, key) != 0) PyErr_Clear();
    Py_XDECREF(key);
    PyErr_Restore(type, value, traceback);
}

/* (connection, tag of its events, confirm, recovery_policy, publish_policy, correlate_returns,
 * max_in_flight, max_in_flight_bytes, publish_max_age_ms, tag of the answer) */
static PyObject* channel_new(PyTypeObject* type, PyObject* args, PyObject* Py_UNUSED(keywords)) {
    native_state* state = PyType_GetModuleState(type);
    haigha_channel_args given = HAIGHA_CHANNEL_ARGS_INIT;
    native_channel* self;
    haigha_error* error = NULL;
    haigha_status status;
    haigha_then then;
    PyObject* connection;
    unsigned long long events, in_flight, in_flight_bytes, max_age_ms, tag;
    int confirm, correlate;
    if (!PyArg_ParseTuple(args, "O!KpbbpKKKK:Channel", state->connection_type, &connection, &events,
                          &confirm, &given.recovery_policy, &given.publish_policy, &correlate,
                          &in_flight, &in_flight_bytes, &max_age_ms, &tag))
        return NULL;
    self = PyObject_New(native_channel, type);
    if (self == NULL) return NULL;
    self->channel = NULL;
    self->connection = (native_connection*)connection;
    Py_INCREF(connection);
    given.events = native_then(self->connection, events);
    given.confirm = (uint8_t)confirm;
    given.correlate_returns = (uint8_t)correlate;
    given.max_in_flight = in_flight;
    given.max_in_flight_bytes = in_flight_bytes;
    given.publish_max_age_ms = max_age_ms;
    then = native_then(self->connection, tag);
    status =
        haigha_channel_open(self->connection->connection, &given, &then, &self->channel, &error);
    if (status != HAIGHA_OK) native_raise(state, status, error);
    if (status == HAIGHA_OK && note(self)) return (PyObject*)self;
    Py_DECREF((PyObject*)self);
    return NULL;
}

static void channel_dealloc(PyObject* object) {
    native_channel* self = (native_channel*)object;
    PyTypeObject* type = Py_TYPE(object);
    if (self->channel != NULL) forget(self);
    haigha_channel_unref(self->channel);
    Py_DECREF((PyObject*)self->connection);
    PyObject_Free(object);
    Py_DECREF((PyObject*)type);
}

/* (exchange, routing_key, body, properties, mandatory, pending, future) -> True, or False for
 * WOULD_BLOCK */
static PyObject* channel_publish(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    native_channel* self = (native_channel*)object;
    native_state* state = self->connection->state;
    native_publish publish;
    haigha_error* error = NULL;
    haigha_status status;
    uint64_t number = 0;
    void* lent = NULL;
    if (count != 7) {
        PyErr_SetString(PyExc_TypeError, "publish takes seven arguments");
        return NULL;
    }
    if (!native_publish_begin(state, args, &publish)) return NULL;
    if (native_lends(&publish.body)) lent = native_lend(state, &publish.body);
    if (lent != NULL) {
        status = haigha_publish_lent(self->channel, &publish.args, native_body(&publish.body),
                                     native_release_lent, lent, &number, &error);
        if (status == HAIGHA_OK)
            publish.body.obj = NULL;
        else
            native_take_back(lent);
    } else {
        status = haigha_publish(self->channel, &publish.args, native_body(&publish.body), &number,
                                &error);
    }
    native_publish_end(&publish);
    return native_published(state, status, error, number, args[5], args[6]);
}

static PyObject* channel_id(PyObject* object, PyObject* Py_UNUSED(none)) {
    return PyLong_FromLong(haigha_channel_id(((native_channel*)object)->channel));
}

static PyObject* channel_state(PyObject* object, PyObject* Py_UNUSED(none)) {
    return PyLong_FromLong(haigha_channel_state(((native_channel*)object)->channel));
}

static PyObject* channel_last_error(PyObject* object, PyObject* Py_UNUSED(none)) {
    native_channel* self = (native_channel*)object;
    haigha_error* error = haigha_channel_last_error(self->channel);
    PyObject* exception;
    if (error == NULL) Py_RETURN_NONE;
    exception = native_exception(self->connection->state, haigha_error_status(error), error);
    haigha_error_free(error);
    return exception;
}

/* (number, flags), where number 0 with MULTIPLE is all that is open */
static PyObject* channel_ack(PyObject* object, PyObject* args) {
    native_channel* self = (native_channel*)object;
    haigha_error* error = NULL;
    unsigned long long tag;
    unsigned int flags;
    haigha_status status;
    if (!PyArg_ParseTuple(args, "KI:ack", &tag, &flags)) return NULL;
    status = haigha_ack(self->channel, tag, flags, &error);
    return native_finish(self->connection->state, status, error);
}

static PyObject* channel_nack(PyObject* object, PyObject* args) {
    native_channel* self = (native_channel*)object;
    haigha_error* error = NULL;
    unsigned long long tag;
    unsigned int flags;
    haigha_status status;
    if (!PyArg_ParseTuple(args, "KI:nack", &tag, &flags)) return NULL;
    status = haigha_nack(self->channel, tag, flags, &error);
    return native_finish(self->connection->state, status, error);
}

static PyMethodDef methods[] = {
    {"publish", (PyCFunction)(void (*)(void))channel_publish, METH_FASTCALL, NULL},
    {"id", channel_id, METH_NOARGS, NULL},
    {"state", channel_state, METH_NOARGS, NULL},
    {"last_error", channel_last_error, METH_NOARGS, NULL},
    {"ack", channel_ack, METH_VARARGS, NULL},
    {"nack", channel_nack, METH_VARARGS, NULL},
    {"call", native_channel_call, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void*)channel_new},
    {Py_tp_dealloc, (void*)channel_dealloc},
    {Py_tp_methods, (void*)methods},
    {0, NULL},
};

PyType_Spec native_channel_spec = {"haigha._native.Channel", sizeof(native_channel), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};
