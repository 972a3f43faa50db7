/* A connection with a loop and an inbox of its own, and what is asked of it. */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

haigha_then native_then(const native_connection* connection, uint64_t tag) {
    haigha_then then;
    memset(&then, 0, sizeof then);
    then.inbox = connection->inbox;
    then.tag = tag;
    return then;
}

/* ---- making one ---- */

static int set_option(native_state* state, haigha_options* options, PyObject* name_object,
                      PyObject* value) {
    haigha_str name, text;
    haigha_error* error = NULL;
    haigha_status status;
    if (!native_get_text(name_object, &name)) return 0;
    if (PyLong_Check(value)) {
        const long long number = PyLong_AsLongLong(value);
        if (number == -1 && PyErr_Occurred()) return 0;
        status = haigha_options_set_int(options, name, number, &error);
    } else {
        if (!native_get_text(value, &text)) return 0;
        status = haigha_options_set_string(options, name, text, &error);
    }
    if (status == HAIGHA_OK) return 1;
    native_raise(state, status, error);
    return 0;
}

static int set_options(native_state* state, haigha_options* options, haigha_str uri,
                       PyObject* others) {
    haigha_error* error = NULL;
    PyObject *name, *value;
    Py_ssize_t place = 0;
    const haigha_status status = haigha_options_set_uri(options, uri, &error);
    if (status != HAIGHA_OK) {
        native_raise(state, status, error);
        return 0;
    }
    while (PyDict_Next(others, &place, &name, &value)) {
        if (!set_option(state, options, name, value)) return 0;
    }
    return 1;
}

static int make(native_connection* self, const haigha_options* options, uint64_t tag) {
    haigha_error* error = NULL;
    haigha_then then;
    haigha_status status = haigha_loop_start(&self->loop, &error);
    if (status == HAIGHA_OK) status = haigha_inbox_new(0, &self->inbox, &error);
    if (status == HAIGHA_OK) {
        then = native_then(self, tag);
        status = haigha_connection_new(self->loop, options, &then, &self->connection, &error);
    }
    if (status == HAIGHA_OK) return 1;
    native_raise(self->state, status, error);
    return 0;
}

/* (uri, options, tag) */
static PyObject* connection_new(PyTypeObject* type, PyObject* args, PyObject* Py_UNUSED(keywords)) {
    native_state* state = PyType_GetModuleState(type);
    native_connection* self;
    haigha_options* options = NULL;
    haigha_error* error = NULL;
    haigha_status status;
    PyObject *uri_object, *others;
    haigha_str uri;
    unsigned long long tag;
    int right;
    if (!PyArg_ParseTuple(args, "OO!K:Connection", &uri_object, &PyDict_Type, &others, &tag) ||
        !native_get_text(uri_object, &uri))
        return NULL;
    self = PyObject_New(native_connection, type);
    if (self == NULL) return NULL;
    self->state = state;
    self->loop = NULL;
    self->inbox = NULL;
    self->connection = NULL;
    self->polling = 0;
    self->made_by = getpid();
    self->channels = PyDict_New();
    self->events = calloc(NATIVE_BATCH, sizeof *self->events);
    status = haigha_options_new(&options, &error);
    if (status != HAIGHA_OK) native_raise(state, status, error);
    if (self->events == NULL) PyErr_NoMemory();
    right =
        !PyErr_Occurred() && set_options(state, options, uri, others) && make(self, options, tag);
    haigha_options_free(options);
    if (right) return (PyObject*)self;
    Py_DECREF((PyObject*)self);
    return NULL;
}

static void connection_dealloc(PyObject* object) {
    native_connection* self = (native_connection*)object;
    PyTypeObject* type = Py_TYPE(object);
    haigha_connection_unref(self->connection);
    haigha_inbox_unref(self->inbox);
    haigha_loop_unref(self->loop);
    free(self->events);
    Py_XDECREF(self->channels);
    PyObject_Free(object);
    Py_DECREF((PyObject*)type);
}

/* ---- what has happened ---- */

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits without the GIL for the inbox to have something. A signal ends the waiting, so that
 * Python's handlers run, and Ctrl-C is heard. False with an exception set. */
static int wait_readable(native_connection* self, long long timeout_ms) {
    const int64_t deadline = timeout_ms < 0 ? 0 : now_ms() + timeout_ms;
    int64_t left = timeout_ms;
    for (;;) {
        struct pollfd waited = {haigha_inbox_fd(self->inbox), POLLIN, 0};
        int result, number;
        const int slice = left < 0 ? -1 : left > 1000000000 ? 1000000000 : (int)left;
        Py_BEGIN_ALLOW_THREADS result = poll(&waited, 1, slice);
        number = errno;
        Py_END_ALLOW_THREADS if (result >= 0) return 1;
        if (number != EINTR) {
            errno = number;
            PyErr_SetFromErrno(PyExc_OSError);
            return 0;
        }
        if (PyErr_CheckSignals() != 0) return 0;
        if (timeout_ms >= 0) {
            left = deadline - now_ms();
            if (left < 0) left = 0;
        }
    }
}

/* (timeout_ms) -> [(type, tag, payload), ...] */
static PyObject* connection_poll(PyObject* object, PyObject* argument) {
    native_connection* self = (native_connection*)object;
    haigha_error* error = NULL;
    haigha_status status;
    size_t count = 0;
    PyObject* list = NULL;
    const long long timeout_ms = PyLong_AsLongLong(argument);
    if (timeout_ms == -1 && PyErr_Occurred()) return NULL;
    if (self->polling) {
        PyErr_SetString(PyExc_RuntimeError, "another thread is fetching the events");
        return NULL;
    }
    if (getpid() != self->made_by) {
        /* A child has the parent's inbox, into which nothing comes for it. A call that does nothing
         * there has the words. */
        haigha_connection_flush(self->connection, NULL, &error);
        return native_raise(self->state, HAIGHA_ERR_FORKED, error);
    }
    self->polling = 1;
    native_done_release_buffers(self->state->done);
    if (timeout_ms == 0 || wait_readable(self, timeout_ms)) {
        Py_BEGIN_ALLOW_THREADS status = haigha_inbox_poll(
            self->inbox, self->events, sizeof *self->events, NATIVE_BATCH, 0, &count, &error);
        Py_END_ALLOW_THREADS list = status == HAIGHA_OK ? native_events_to_list(self, count)
                                                        : native_raise(self->state, status, error);
    }
    self->polling = 0;
    return list;
}

static PyObject* connection_fileno(PyObject* object, PyObject* Py_UNUSED(none)) {
    return PyLong_FromLong(haigha_inbox_fd(((native_connection*)object)->inbox));
}

/* ---- calls ---- */

typedef haigha_status (*plain_call)(haigha_connection*, const haigha_then*, haigha_error**);

static PyObject* call(PyObject* object, PyObject* argument, plain_call which) {
    native_connection* self = (native_connection*)object;
    haigha_error* error = NULL;
    haigha_status status;
    haigha_then then;
    const unsigned long long tag = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred()) return NULL;
    then = native_then(self, tag);
    status = which(self->connection, &then, &error);
    return native_finish(self->state, status, error);
}

static PyObject* connection_open(PyObject* object, PyObject* tag) {
    return call(object, tag, haigha_connection_open);
}
static PyObject* connection_close(PyObject* object, PyObject* tag) {
    return call(object, tag, haigha_connection_close);
}
static PyObject* connection_flush(PyObject* object, PyObject* tag) {
    return call(object, tag, haigha_connection_flush);
}

/* (settle_timeout_ms, publish_timeout_ms, close_timeout_ms, tag) */
static PyObject* connection_stop(PyObject* object, PyObject* args) {
    native_connection* self = (native_connection*)object;
    haigha_stop_args stop = HAIGHA_STOP_ARGS_INIT;
    haigha_error* error = NULL;
    haigha_status status;
    haigha_then then;
    unsigned long long tag;
    if (!PyArg_ParseTuple(args, "IIIK:stop", &stop.settle_timeout_ms, &stop.publish_timeout_ms,
                          &stop.close_timeout_ms, &tag))
        return NULL;
    then = native_then(self, tag);
    status = haigha_connection_stop(self->connection, &stop, &then, &error);
    return native_finish(self->state, status, error);
}

/* (secret, reason, tag) */
static PyObject* connection_update_secret(PyObject* object, PyObject* args) {
    native_connection* self = (native_connection*)object;
    haigha_str secret, reason;
    haigha_error* error = NULL;
    haigha_status status;
    haigha_then then;
    PyObject *secret_object, *reason_object;
    unsigned long long tag;
    if (!PyArg_ParseTuple(args, "OOK:update_secret", &secret_object, &reason_object, &tag) ||
        !native_get_text(secret_object, &secret) || !native_get_text(reason_object, &reason))
        return NULL;
    then = native_then(self, tag);
    status = haigha_connection_update_secret(self->connection, secret, reason, &then, &error);
    return native_finish(self->state, status, error);
}

/* Ends it at once and in silence, and its thread, whoever holds this object: a message does. */
static PyObject* connection_abort(PyObject* object, PyObject* Py_UNUSED(none)) {
    native_connection* self = (native_connection*)object;
    haigha_connection* connection = self->connection;
    haigha_loop* loop = self->loop;
    self->connection = NULL;
    self->loop = NULL;
    haigha_connection_unref(connection);
    haigha_loop_unref(loop);
    Py_RETURN_NONE;
}

static PyObject* connection_state(PyObject* object, PyObject* Py_UNUSED(none)) {
    return PyLong_FromLong(haigha_connection_state(((native_connection*)object)->connection));
}

static PyObject* connection_last_error(PyObject* object, PyObject* Py_UNUSED(none)) {
    native_connection* self = (native_connection*)object;
    haigha_error* error = haigha_connection_last_error(self->connection);
    PyObject* exception;
    if (error == NULL) Py_RETURN_NONE;
    exception = native_exception(self->state, haigha_error_status(error), error);
    haigha_error_free(error);
    return exception;
}

static PyObject* connection_info(PyObject* object, PyObject* argument) {
    native_connection* self = (native_connection*)object;
    haigha_error* error = NULL;
    haigha_status status;
    haigha_str name;
    int64_t value = 0;
    if (!native_get_text(argument, &name)) return NULL;
    status = haigha_connection_info(self->connection, name, &value, &error);
    if (status != HAIGHA_OK) return native_raise(self->state, status, error);
    return PyLong_FromLongLong((long long)value);
}

typedef haigha_status (*table_call)(const haigha_connection*, haigha_table**, haigha_error**);

static PyObject* table_of(PyObject* object, table_call which) {
    native_connection* self = (native_connection*)object;
    haigha_table* table = NULL;
    haigha_error* error = NULL;
    haigha_cursor cursor;
    PyObject* dict;
    haigha_status status = which(self->connection, &table, &error);
    if (status == HAIGHA_OK) status = haigha_table_cursor(table, &cursor);
    dict = status == HAIGHA_OK ? native_table_to_dict(self->state, &cursor)
                               : native_raise(self->state, status, error);
    haigha_table_free(table);
    return dict;
}

static PyObject* connection_server_properties(PyObject* object, PyObject* Py_UNUSED(none)) {
    return table_of(object, haigha_connection_server_properties);
}
static PyObject* connection_peer_info(PyObject* object, PyObject* Py_UNUSED(none)) {
    return table_of(object, haigha_connection_peer_info);
}

static PyMethodDef methods[] = {
    {"poll", connection_poll, METH_O, NULL},
    {"fileno", connection_fileno, METH_NOARGS, NULL},
    {"open", connection_open, METH_O, NULL},
    {"close", connection_close, METH_O, NULL},
    {"flush", connection_flush, METH_O, NULL},
    {"stop", connection_stop, METH_VARARGS, NULL},
    {"update_secret", connection_update_secret, METH_VARARGS, NULL},
    {"abort", connection_abort, METH_NOARGS, NULL},
    {"state", connection_state, METH_NOARGS, NULL},
    {"last_error", connection_last_error, METH_NOARGS, NULL},
    {"info", connection_info, METH_O, NULL},
    {"server_properties", connection_server_properties, METH_NOARGS, NULL},
    {"peer_info", connection_peer_info, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void*)connection_new},
    {Py_tp_dealloc, (void*)connection_dealloc},
    {Py_tp_methods, (void*)methods},
    {0, NULL},
};

PyType_Spec native_connection_spec = {"haigha._native.Connection", sizeof(native_connection), 0,
                                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};
