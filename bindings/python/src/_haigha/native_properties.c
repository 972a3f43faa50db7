/* The fourteen properties of a message, as haigha.Properties has them. */
#include "native.h"

enum {
    HEADERS_AT = 2,
    DELIVERY_MODE_AT = 3,
    PRIORITY_AT = 4,
    TIMESTAMP_AT = 9,
    PROPERTY_COUNT = 14
};

/* Of property `index` in the order of the wire: its bit. */
static uint32_t bit_of(int index) {
    return (uint32_t)1 << (15 - index);
}

/* The member of a property that is text. */
static haigha_str* text_of(haigha_properties* properties, int index) {
    switch (index) {
        case 0:
            return &properties->content_type;
        case 1:
            return &properties->content_encoding;
        case 5:
            return &properties->correlation_id;
        case 6:
            return &properties->reply_to;
        case 7:
            return &properties->expiration;
        case 8:
            return &properties->message_id;
        case 10:
            return &properties->type;
        case 11:
            return &properties->user_id;
        case 12:
            return &properties->app_id;
        case 13:
            return &properties->cluster_id;
        default:
            return NULL;
    }
}

static PyObject* headers_of(native_state* state, const haigha_message* message) {
    haigha_cursor cursor;
    haigha_error* error = NULL;
    const haigha_status status = haigha_message_headers(message, &cursor, &error);
    if (status != HAIGHA_OK) return native_raise(state, status, error);
    return native_table_to_dict(state, &cursor);
}

static PyObject* property_value(native_state* state, const haigha_message* message,
                                haigha_properties* properties, int index) {
    if ((properties->present & bit_of(index)) == 0) Py_RETURN_NONE;
    switch (index) {
        case HEADERS_AT:
            return headers_of(state, message);
        case DELIVERY_MODE_AT:
            return PyLong_FromLong(properties->delivery_mode);
        case PRIORITY_AT:
            return PyLong_FromLong(properties->priority);
        case TIMESTAMP_AT:
            return PyObject_CallFunction(state->from_field, "CKI", 'T',
                                         (unsigned long long)properties->timestamp, 0u);
        default:
            return native_text(*text_of(properties, index));
    }
}

PyObject* native_properties_of(native_state* state, const haigha_message* message) {
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    haigha_error* error = NULL;
    PyObject *values, *made;
    int index;
    const haigha_status status = haigha_message_properties(message, &properties, &error);
    if (status != HAIGHA_OK) return native_raise(state, status, error);
    values = PyTuple_New(PROPERTY_COUNT);
    for (index = 0; values != NULL && index < PROPERTY_COUNT; ++index) {
        PyObject* value = property_value(state, message, &properties, index);
        if (value == NULL)
            Py_CLEAR(values);
        else
            PyTuple_SetItem(values, index, value);
    }
    if (values == NULL) return NULL;
    made = PyObject_CallObject(state->make_properties, values);
    Py_DECREF(values);
    return made;
}

static int get_small(PyObject* value, const char* name, uint8_t* member) {
    const unsigned long number = PyLong_AsUnsignedLong(value);
    if (PyErr_Occurred()) return 0;
    if (number > UINT8_MAX) {
        PyErr_Format(PyExc_ValueError, "%s is %lu, and is to be 0 to 255", name, number);
        return 0;
    }
    *member = (uint8_t)number;
    return 1;
}

static int get_property(native_state* state, PyObject* value, int index,
                        haigha_properties* properties, haigha_table** table) {
    switch (index) {
        case HEADERS_AT:
            if (!native_dict_to_table(state, value, table)) return 0;
            properties->headers = *table;
            return 1;
        case DELIVERY_MODE_AT:
            return get_small(value, "delivery_mode", &properties->delivery_mode);
        case PRIORITY_AT:
            return get_small(value, "priority", &properties->priority);
        case TIMESTAMP_AT:
            properties->timestamp = PyLong_AsUnsignedLongLong(value);
            return !PyErr_Occurred();
        default:
            return native_get_text(value, text_of(properties, index));
    }
}

int native_get_properties(native_state* state, PyObject* source, haigha_properties* properties,
                          haigha_table** table, PyObject** values) {
    const haigha_properties none = HAIGHA_PROPERTIES_INIT;
    int index, right = 1;
    *properties = none;
    *table = NULL;
    *values = PyTuple_New(PROPERTY_COUNT);
    if (*values == NULL) return 0;
    for (index = 0; right && index < PROPERTY_COUNT; ++index) {
        PyObject* value = PyObject_GetAttr(source, PyTuple_GetItem(state->property_names, index));
        if (value == NULL) {
            right = 0;
            break;
        }
        PyTuple_SetItem(*values, index, value);
        if (value == Py_None) continue;
        properties->present |= bit_of(index);
        right = get_property(state, value, index, properties, table);
    }
    if (right) return 1;
    haigha_table_free(*table);
    *table = NULL;
    Py_CLEAR(*values);
    return 0;
}
