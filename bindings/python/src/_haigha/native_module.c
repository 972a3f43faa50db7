/* The module haigha._native: its types, its state, and the library's numbers. */
#include <stddef.h>

#include "native.h"

native_state* native_state_of(PyObject* self) {
    return PyType_GetModuleState(Py_TYPE(self));
}

/* ---- the records that events are ---- */

static PyStructSequence_Field event_fields[] = {
    {"type", NULL},           {"number", NULL},   {"channel_id", NULL},  {"state", NULL},
    {"previous_state", NULL}, {"delay_ms", NULL}, {"error", NULL},       {"reply", NULL},
    {"message", NULL},        {"exchange", NULL}, {"routing_key", NULL}, {"consumer_tag", NULL},
    {"name", NULL},           {NULL, NULL},
};
static PyStructSequence_Field reply_fields[] = {
    {"queue", NULL},        {"message_count", NULL}, {"consumer_count", NULL},
    {"consumer_tag", NULL}, {"message", NULL},       {"unwritten_bytes", NULL},
    {"unconfirmed", NULL},  {"unsettled", NULL},     {"mechanism", NULL},
    {NULL, NULL},
};
static PyStructSequence_Field outcome_fields[] = {
    {"number", NULL}, {"outcome", NULL}, {"error", NULL}, {NULL, NULL}};

static PyStructSequence_Desc event_record = {"haigha._native.Event", NULL, event_fields, 13};
static PyStructSequence_Desc reply_record = {"haigha._native.Reply", NULL, reply_fields, 9};
static PyStructSequence_Desc outcome_record = {"haigha._native.Outcome", NULL, outcome_fields, 3};

/* ---- functions ---- */

static void put(PyObject** place, PyObject* value) {
    PyObject* before = *place;
    Py_INCREF(value);
    *place = value;
    Py_XDECREF(before);
}

/* (make_error, to_field, from_field, make_properties): what C leaves to Python. */
static PyObject* configure(PyObject* module, PyObject* args) {
    native_state* state = PyModule_GetState(module);
    PyObject *make_error, *to_field, *from_field, *make_properties;
    if (!PyArg_ParseTuple(args, "OOOO:configure", &make_error, &to_field, &from_field,
                          &make_properties))
        return NULL;
    put(&state->make_error, make_error);
    put(&state->to_field, to_field);
    put(&state->from_field, from_field);
    put(&state->make_properties, make_properties);
    Py_RETURN_NONE;
}

static PyObject* library_version(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(none)) {
    return PyUnicode_FromString(haigha_version_string());
}

/* [(name, meaning, default, minimum, maximum, secret), ...] */
static PyObject* options(PyObject* Py_UNUSED(module), PyObject* Py_UNUSED(none)) {
    PyObject* list = PyList_New(0);
    haigha_option_info info;
    size_t index;
    memset(&info, 0, sizeof info);
    info.size = sizeof info;
    for (index = 0; list != NULL && haigha_options_describe(index, &info) == HAIGHA_OK; ++index) {
        PyObject* standard = info.type == HAIGHA_OPTION_INT
                                 ? PyLong_FromLongLong((long long)info.default_int)
                                 : native_text(info.default_string);
        PyObject* row = NULL;
        if (standard != NULL)
            row = Py_BuildValue("(NNNLLN)", native_text(info.name), native_text(info.meaning),
                                standard, (long long)info.minimum, (long long)info.maximum,
                                PyBool_FromLong(info.secret));
        if (row == NULL || PyList_Append(list, row) != 0) Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

static PyMethodDef functions[] = {
    {"configure", configure, METH_VARARGS, NULL},
    {"library_version", library_version, METH_NOARGS, NULL},
    {"options", options, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* ---- the module ---- */

static PyTypeObject* add_type(PyObject* module, PyType_Spec* spec) {
    PyTypeObject* type = (PyTypeObject*)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type != NULL && PyModule_AddType(module, type) != 0) Py_CLEAR(type);
    return type;
}

static PyTypeObject* add_record(PyObject* module, PyStructSequence_Desc* description) {
    PyTypeObject* type = PyStructSequence_NewType(description);
    if (type != NULL && PyModule_AddType(module, type) != 0) Py_CLEAR(type);
    return type;
}

static PyObject* names_of_properties(void) {
    static const char* const names[] = {
        "content_type",   "content_encoding", "headers",    "delivery_mode", "priority",
        "correlation_id", "reply_to",         "expiration", "message_id",    "timestamp",
        "type",           "user_id",          "app_id",     "cluster_id",
    };
    PyObject* tuple = PyTuple_New(14);
    int index;
    for (index = 0; tuple != NULL && index < 14; ++index) {
        PyObject* name = PyUnicode_InternFromString(names[index]);
        if (name == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SetItem(tuple, index, name);
    }
    return tuple;
}

/* The numbers of the header, so that Python does not repeat them. */
static int add_numbers(PyObject* module) {
    static const struct {
        const char* name;
        long value;
    } numbers[] = {
#define NUMBER(name) {#name, HAIGHA_##name}
        NUMBER(EVENT_REPLY),
        NUMBER(EVENT_DELIVERY),
        NUMBER(EVENT_OUTCOME),
        NUMBER(EVENT_RETURN),
        NUMBER(EVENT_CONNECTION_STATE),
        NUMBER(EVENT_CHANNEL_STATE),
        NUMBER(EVENT_CONSUMER_CANCELLED),
        NUMBER(EVENT_WRITABLE),
        NUMBER(EVENT_BLOCKED),
        NUMBER(EVENT_UNBLOCKED),
        NUMBER(EVENT_FLOW),
        NUMBER(EVENT_RECOVERY),
        NUMBER(EVENT_QUEUE_RENAMED),
        NUMBER(EVENT_DELIVERY_HELD),
        NUMBER(EVENT_POOL_STATE),
        NUMBER(RECOVERY_ATTEMPT),
        NUMBER(RECOVERY_TRANSPORT_UP),
        NUMBER(RECOVERY_RECOVERED),
        NUMBER(RECOVERY_FAILED),
        NUMBER(RECOVERY_ENTITY),
        NUMBER(RECOVERY_RESUBSCRIBED),
        NUMBER(OUTCOME_CONFIRMED),
        NUMBER(OUTCOME_NACKED),
        NUMBER(OUTCOME_RETURNED),
        NUMBER(OUTCOME_NOT_SENT),
        NUMBER(OUTCOME_UNKNOWN),
        NUMBER(OUTCOME_REFUSED),
        NUMBER(STATE_NEW),
        NUMBER(STATE_OPENING),
        NUMBER(STATE_OPEN),
        NUMBER(STATE_CLOSING),
        NUMBER(STATE_CLOSED),
        NUMBER(STATE_RECOVERING),
        NUMBER(MULTIPLE),
        NUMBER(REQUEUE),
        NUMBER(ERR_ARGUMENT),
        NUMBER(ERR_WOULD_BLOCK),
        NUMBER(ERR_WRONG_THREAD),
        NUMBER(ERR_CLOSED),
        NUMBER(ERR_STALE),
        NUMBER(ERR_NO_MEMORY),
        NUMBER(ERR_STRUCT_VERSION),
        NUMBER(ERR_CHANNEL_LIMIT),
        NUMBER(ERR_FORKED),
        NUMBER(ERR_UNSUPPORTED),
        NUMBER(ERR_MALFORMED),
        NUMBER(ERR_RECOVERING),
        NUMBER(ERR_TIMEOUT),
        NUMBER(ERR_IO),
        NUMBER(ERR_TLS),
        NUMBER(ERR_PROTOCOL),
        NUMBER(ERR_AUTH),
        NUMBER(ERR_CHANNEL_CLOSED_BY_BROKER),
        NUMBER(ERR_CONNECTION_CLOSED_BY_BROKER),
        NUMBER(ERR_RESOLVE),
        NUMBER(ERR_HEARTBEAT),
        NUMBER(ERR_RETURNED),
        NUMBER(ERR_INTERNAL),
#undef NUMBER
        {"VERSION", HAIGHA_VERSION},
        {"BATCH", NATIVE_BATCH},
        {"LENT_BYTES", NATIVE_LENT_BYTES},
    };
    size_t index;
    for (index = 0; index < sizeof numbers / sizeof *numbers; ++index) {
        if (PyModule_AddIntConstant(module, numbers[index].name, numbers[index].value) != 0)
            return 0;
    }
    return 1;
}

static int execute(PyObject* module) {
    native_state* state = PyModule_GetState(module);
    /* Before 1.0 each minor version has an ABI of its own. */
    if (haigha_version() / 1000 != HAIGHA_VERSION / 1000) {
        PyErr_Format(PyExc_ImportError,
                     "haigha was compiled for libhaigha %d.%d and finds version %s",
                     HAIGHA_VERSION_MAJOR, HAIGHA_VERSION_MINOR, haigha_version_string());
        return -1;
    }
    state->done = native_done_new();
    if (state->done == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    state->empty = PyUnicode_FromString("");
    state->property_names = names_of_properties();
    state->connection_type = add_type(module, &native_connection_spec);
    state->channel_type = add_type(module, &native_channel_spec);
    state->publisher_type = add_type(module, &native_publisher_spec);
    state->pool_type = add_type(module, &native_pool_spec);
    state->message_type = add_type(module, &native_message_spec);
    state->event_type = add_record(module, &event_record);
    state->reply_type = add_record(module, &reply_record);
    state->outcome_type = add_record(module, &outcome_record);
    return PyErr_Occurred() || !add_numbers(module) ? -1 : 0;
}

/* For each PyObject* of the state. */
#define EACH(state, what)         \
    what(state->connection_type); \
    what(state->channel_type);    \
    what(state->publisher_type);  \
    what(state->pool_type);       \
    what(state->message_type);    \
    what(state->event_type);      \
    what(state->reply_type);      \
    what(state->outcome_type);    \
    what(state->make_error);      \
    what(state->to_field);        \
    what(state->from_field);      \
    what(state->make_properties); \
    what(state->property_names);  \
    what(state->empty)

static int traverse(PyObject* module, visitproc visit, void* arg) {
    native_state* state = PyModule_GetState(module);
    EACH(state, Py_VISIT);
    return 0;
}

static int clear(PyObject* module) {
    native_state* state = PyModule_GetState(module);
    EACH(state, Py_CLEAR);
    return 0;
}

static void free_module(void* module) {
    native_state* state = PyModule_GetState(module);
    clear(module);
    native_done_unref(state->done);
    state->done = NULL;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void*)execute}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "haigha._native",
    "The hot path of haigha, over libhaigha.",
    sizeof(native_state),
    functions,
    slots,
    traverse,
    clear,
    free_module,
};

PyMODINIT_FUNC PyInit__native(void) {
    return PyModuleDef_Init(&definition);
}
