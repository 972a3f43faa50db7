/* A message that was received: a reference of the library's, and its body as a buffer. */
#include "native.h"

typedef struct native_message {
    PyObject_HEAD haigha_message* message;
    native_channel* channel; /* NULL: of a channel that nobody holds any more */
    PyObject* consumer_tag;
    PyObject* properties; /* once they were asked for */
} native_message;

PyObject* native_message_new(native_state* state, haigha_message* message, native_channel* channel,
                             PyObject* consumer_tag) {
    native_message* self = PyObject_New(native_message, state->message_type);
    if (self == NULL) return NULL;
    self->message = haigha_message_ref(message);
    self->channel = channel;
    Py_XINCREF((PyObject*)channel);
    Py_INCREF(consumer_tag);
    self->consumer_tag = consumer_tag;
    self->properties = NULL;
    return (PyObject*)self;
}

static void message_dealloc(PyObject* object) {
    native_message* self = (native_message*)object;
    PyTypeObject* type = Py_TYPE(object);
    haigha_message_unref(self->message);
    Py_XDECREF((PyObject*)self->channel);
    Py_XDECREF(self->consumer_tag);
    Py_XDECREF(self->properties);
    PyObject_Free(object);
    Py_DECREF((PyObject*)type);
}

static int message_getbuffer(PyObject* object, Py_buffer* view, int flags) {
    const haigha_str body = haigha_message_body(((native_message*)object)->message);
    return PyBuffer_FillInfo(view, object, (void*)(body.data != NULL ? body.data : ""),
                             (Py_ssize_t)body.size, 1, flags);
}

static Py_ssize_t message_length(PyObject* object) {
    return (Py_ssize_t)haigha_message_body(((native_message*)object)->message).size;
}

/* A message is true also when its body is empty. */
static int message_true(PyObject* Py_UNUSED(object)) {
    return 1;
}

/* ---- settling ---- */

typedef haigha_status (*settle_fn)(haigha_channel*, uint64_t, uint32_t, haigha_error**);

static PyObject* settle(native_message* self, settle_fn how, uint32_t flags) {
    haigha_error* error = NULL;
    haigha_channel* channel = self->channel != NULL ? self->channel->channel : NULL;
    haigha_status status;
    if (channel == NULL)
        return native_raise(native_state_of((PyObject*)self), HAIGHA_ERR_CLOSED, NULL);
    status = how(channel, haigha_message_delivery_tag(self->message), flags, &error);
    if (status == HAIGHA_OK) Py_RETURN_NONE;
    return native_raise(native_state_of((PyObject*)self), status, error);
}

static PyObject* message_ack(PyObject* object, PyObject* args, PyObject* keywords) {
    static char* names[] = {"multiple", NULL};
    int multiple = 0;
    /* The common case, which is all that is done for most messages. */
    if (keywords == NULL && PyTuple_Size(args) == 0)
        return settle((native_message*)object, haigha_ack, 0);
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$p:ack", names, &multiple)) return NULL;
    return settle((native_message*)object, haigha_ack, multiple ? HAIGHA_MULTIPLE : 0);
}

static PyObject* message_nack(PyObject* object, PyObject* args, PyObject* keywords) {
    static char* names[] = {"requeue", "multiple", NULL};
    int multiple = 0, requeue = 1;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$pp:nack", names, &requeue, &multiple))
        return NULL;
    return settle((native_message*)object, haigha_nack,
                  (multiple ? HAIGHA_MULTIPLE : 0u) | (requeue ? HAIGHA_REQUEUE : 0u));
}

static PyObject* message_reject(PyObject* object, PyObject* args, PyObject* keywords) {
    static char* names[] = {"requeue", NULL};
    int requeue = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$p:reject", names, &requeue)) return NULL;
    return settle((native_message*)object, haigha_reject, requeue ? HAIGHA_REQUEUE : 0);
}

/* ---- what it says ---- */

static PyObject* message_body(PyObject* object, void* Py_UNUSED(closure)) {
    return PyMemoryView_FromObject(object);
}

static PyObject* message_text(PyObject* object, PyObject* Py_UNUSED(none)) {
    const haigha_str body = haigha_message_body(((native_message*)object)->message);
    return PyUnicode_DecodeUTF8(body.data != NULL ? body.data : "", (Py_ssize_t)body.size, NULL);
}

static PyObject* message_exchange(PyObject* object, void* Py_UNUSED(closure)) {
    return native_text(haigha_message_exchange(((native_message*)object)->message));
}

static PyObject* message_routing_key(PyObject* object, void* Py_UNUSED(closure)) {
    return native_text(haigha_message_routing_key(((native_message*)object)->message));
}

static PyObject* message_delivery_tag(PyObject* object, void* Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(
        haigha_message_delivery_tag(((native_message*)object)->message));
}

static PyObject* message_redelivered(PyObject* object, void* Py_UNUSED(closure)) {
    return PyBool_FromLong(haigha_message_redelivered(((native_message*)object)->message));
}

static PyObject* message_consumer_tag(PyObject* object, void* Py_UNUSED(closure)) {
    PyObject* const tag = ((native_message*)object)->consumer_tag;
    Py_INCREF(tag);
    return tag;
}

static PyObject* message_properties(PyObject* object, void* Py_UNUSED(closure)) {
    native_message* self = (native_message*)object;
    if (self->properties == NULL)
        self->properties = native_properties_of(native_state_of(object), self->message);
    Py_XINCREF(self->properties);
    return self->properties;
}

static PyObject* message_headers(PyObject* object, void* closure) {
    PyObject* properties = message_properties(object, closure);
    PyObject* headers;
    if (properties == NULL) return NULL;
    headers = PyObject_GetAttrString(properties, "headers");
    Py_DECREF(properties);
    if (headers == Py_None) {
        Py_DECREF(headers);
        return PyDict_New();
    }
    return headers;
}

static PyObject* message_repr(PyObject* object) {
    native_message* self = (native_message*)object;
    PyObject* exchange = message_exchange(object, NULL);
    PyObject* key = message_routing_key(object, NULL);
    PyObject* text = NULL;
    if (exchange != NULL && key != NULL)
        text = PyUnicode_FromFormat("<haigha.Message %llu, exchange %R, routing key %R, %zd bytes>",
                                    (unsigned long long)haigha_message_delivery_tag(self->message),
                                    exchange, key, message_length(object));
    Py_XDECREF(exchange);
    Py_XDECREF(key);
    return text;
}

static PyMethodDef methods[] = {
    {"ack", (PyCFunction)(void (*)(void))message_ack, METH_VARARGS | METH_KEYWORDS,
     "Tells the broker that it was handled. Never waits: the broker does not answer."},
    {"nack", (PyCFunction)(void (*)(void))message_nack, METH_VARARGS | METH_KEYWORDS,
     "Gives it back: to be delivered again or, with requeue=False, dropped or dead-lettered."},
    {"reject", (PyCFunction)(void (*)(void))message_reject, METH_VARARGS | METH_KEYWORDS,
     "AMQP's own nack, of one message and without requeue unless asked."},
    {"text", message_text, METH_NOARGS, "The body, decoded from UTF-8."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"body", message_body, NULL, "The body, not copied, which keeps the message.", NULL},
    {"exchange", message_exchange, NULL, NULL, NULL},
    {"routing_key", message_routing_key, NULL, NULL, NULL},
    {"delivery_tag", message_delivery_tag, NULL, NULL, NULL},
    {"redelivered", message_redelivered, NULL, "Whether it was delivered before.", NULL},
    {"consumer_tag", message_consumer_tag, NULL, "Whose delivery it is; empty after get.", NULL},
    {"properties", message_properties, NULL, "Decoded when first asked for.", NULL},
    {"headers", message_headers, NULL, "Those of the properties; empty if there are none.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, (void*)message_dealloc},
    {Py_tp_repr, (void*)message_repr},
    {Py_tp_methods, (void*)methods},
    {Py_tp_getset, (void*)members},
    {Py_bf_getbuffer, (void*)message_getbuffer},
    {Py_sq_length, (void*)message_length},
    {Py_nb_bool, (void*)message_true},
    {Py_tp_doc, (void*)"A message that was received."},
    {0, NULL},
};

PyType_Spec native_message_spec = {
    "haigha.Message", sizeof(native_message), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, slots};
