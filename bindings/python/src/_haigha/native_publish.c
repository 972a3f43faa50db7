/* Publishing: what a call is given, bodies that are lent, prepared publishes. */
#include <stdatomic.h>

#include "native.h"

/* ---- bodies that are lent ---- */

typedef struct native_lent {
    struct native_lent* next;
    native_done* done;
    Py_buffer body;
} native_lent;

struct native_done {
    _Atomic(native_lent*) first;
    atomic_size_t references;
};

native_done* native_done_new(void) {
    native_done* done = calloc(1, sizeof *done);
    if (done != NULL) atomic_init(&done->references, 1);
    return done;
}

void native_done_ref(native_done* done) {
    atomic_fetch_add(&done->references, 1);
}

void native_done_unref(native_done* done) {
    if (done != NULL && atomic_fetch_sub(&done->references, 1) == 1) free(done);
}

void native_done_release_buffers(native_done* done) {
    native_lent* lent;
    if (atomic_load_explicit(&done->first, memory_order_relaxed) == NULL) return;
    lent = atomic_exchange(&done->first, NULL);
    while (lent != NULL) {
        native_lent* next = lent->next;
        PyBuffer_Release(&lent->body);
        native_done_unref(lent->done);
        free(lent);
        lent = next;
    }
}

int native_lends(const Py_buffer* body) {
    return body->readonly && body->len >= NATIVE_LENT_BYTES;
}

void* native_lend(native_state* state, const Py_buffer* body) {
    native_lent* lent = malloc(sizeof *lent);
    if (lent == NULL) return NULL;
    lent->body = *body;
    lent->done = state->done;
    native_done_ref(lent->done);
    return lent;
}

void native_take_back(void* pointer) {
    native_lent* lent = pointer;
    native_done_unref(lent->done);
    free(lent);
}

void native_release_lent(void* pointer) {
    native_lent* lent = pointer;
    native_done* done = lent->done;
    lent->next = atomic_load(&done->first);
    while (!atomic_compare_exchange_weak(&done->first, &lent->next, lent)) {
    }
}

/* ---- what a publish is given ---- */

haigha_str native_body(const Py_buffer* body) {
    haigha_str text;
    text.data = body->buf;
    text.size = (size_t)body->len;
    return text;
}

static int get_body(PyObject* body, Py_buffer* view) {
    if (PyUnicode_Check(body)) {
        PyErr_SetString(PyExc_TypeError, "a body is to be bytes, not str: encode it");
        return 0;
    }
    return PyObject_GetBuffer(body, view, PyBUF_SIMPLE) == 0;
}

int native_publish_begin(native_state* state, PyObject* const* args, native_publish* publish) {
    const haigha_publish_args none = HAIGHA_PUBLISH_ARGS_INIT;
    const int mandatory = PyObject_IsTrue(args[4]);
    publish->args = none;
    publish->table = NULL;
    publish->values = NULL;
    if (mandatory < 0 || !native_get_text(args[0], &publish->args.exchange) ||
        !native_get_text(args[1], &publish->args.routing_key))
        return 0;
    publish->args.mandatory = (uint8_t)mandatory;
    native_done_release_buffers(state->done);
    if (!get_body(args[2], &publish->body)) return 0;
    if (args[3] != Py_None) {
        if (!native_get_properties(state, args[3], &publish->properties, &publish->table,
                                   &publish->values)) {
            PyBuffer_Release(&publish->body);
            return 0;
        }
        publish->args.properties = &publish->properties;
    }
    return 1;
}

void native_publish_end(native_publish* publish) {
    if (publish->body.obj != NULL) PyBuffer_Release(&publish->body);
    haigha_table_free(publish->table);
    Py_XDECREF(publish->values);
}

PyObject* native_published(native_state* state, haigha_status status, haigha_error* error,
                           uint64_t number, PyObject* pending, PyObject* future) {
    PyObject* key;
    int failed;
    if (status == HAIGHA_ERR_WOULD_BLOCK) {
        haigha_error_free(error);
        Py_RETURN_FALSE;
    }
    if (status != HAIGHA_OK) return native_raise(state, status, error);
    if (number == 0) { /* nothing is confirmed: being taken is all */
        PyObject* done = PyObject_CallMethod(future, "set_result", "O", Py_None);
        if (done == NULL) return NULL;
        Py_DECREF(done);
        Py_RETURN_TRUE;
    }
    /* Before the GIL is given up: another thread may fetch the outcome as soon as it is. */
    key = PyLong_FromUnsignedLongLong(number);
    failed = key == NULL || PyDict_SetItem(pending, key, future) != 0;
    Py_XDECREF(key);
    if (failed) return NULL;
    Py_RETURN_TRUE;
}

/* ---- prepared publishes ---- */

typedef struct native_publisher {
    PyObject_HEAD native_channel* channel;
    haigha_publisher* publisher;
} native_publisher;

static PyObject* publisher_publish(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    native_publisher* self = (native_publisher*)object;
    native_state* state = self->channel->connection->state;
    haigha_error* error = NULL;
    haigha_status status;
    uint64_t number = 0;
    Py_buffer body;
    void* lent = NULL;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "publish takes body, pending, future");
        return NULL;
    }
    native_done_release_buffers(state->done);
    if (!get_body(args[0], &body)) return NULL;
    if (native_lends(&body)) lent = native_lend(state, &body);
    if (lent != NULL) {
        status = haigha_publisher_publish_lent(self->publisher, native_body(&body),
                                               native_release_lent, lent, NULL, &number, &error);
        if (status == HAIGHA_OK)
            body.obj = NULL;
        else
            native_take_back(lent);
    } else {
        status =
            haigha_publisher_publish(self->publisher, native_body(&body), NULL, &number, &error);
    }
    if (body.obj != NULL) PyBuffer_Release(&body);
    return native_published(state, status, error, number, args[1], args[2]);
}

/* (channel, exchange, routing_key, properties, mandatory) */
static PyObject* publisher_new(PyTypeObject* type, PyObject* args, PyObject* Py_UNUSED(keywords)) {
    native_state* state = PyType_GetModuleState(type);
    native_publish publish;
    native_publisher* self;
    haigha_error* error = NULL;
    haigha_status status;
    PyObject *channel, *given[5];
    if (!PyArg_ParseTuple(args, "O!OOOO:Publisher", state->channel_type, &channel, &given[0],
                          &given[1], &given[3], &given[4]))
        return NULL;
    given[2] = PyBytes_FromStringAndSize("", 0);
    if (given[2] == NULL) return NULL;
    self = PyObject_New(native_publisher, type);
    if (self != NULL) {
        self->publisher = NULL;
        self->channel = (native_channel*)channel;
        Py_INCREF(channel);
    }
    if (self == NULL || !native_publish_begin(state, given, &publish)) {
        Py_XDECREF((PyObject*)self);
        Py_DECREF(given[2]);
        return NULL;
    }
    status = haigha_publisher_new(self->channel->channel, &publish.args, &self->publisher, &error);
    native_publish_end(&publish);
    Py_DECREF(given[2]);
    if (status == HAIGHA_OK) return (PyObject*)self;
    Py_DECREF((PyObject*)self);
    return native_raise(state, status, error);
}

static void publisher_dealloc(PyObject* object) {
    native_publisher* self = (native_publisher*)object;
    PyTypeObject* type = Py_TYPE(object);
    haigha_publisher_unref(self->publisher);
    Py_DECREF((PyObject*)self->channel);
    PyObject_Free(object);
    Py_DECREF((PyObject*)type);
}

static PyMethodDef methods[] = {
    {"publish", (PyCFunction)(void (*)(void))publisher_publish, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void*)publisher_new},
    {Py_tp_dealloc, (void*)publisher_dealloc},
    {Py_tp_methods, (void*)methods},
    {0, NULL},
};

PyType_Spec native_publisher_spec = {"haigha._native.Publisher", sizeof(native_publisher), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};
