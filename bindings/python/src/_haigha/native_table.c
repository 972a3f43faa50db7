/* Field tables, from the wire to dict and back. */
#include "native.h"

static PyObject* list_of(native_state* state, haigha_cursor* cursor);

static PyObject* string_of(haigha_str bytes) {
    /* STRING is text or any bytes: what is no UTF-8 comes as bytes. */
    PyObject* text =
        PyUnicode_DecodeUTF8(bytes.data != NULL ? bytes.data : "", (Py_ssize_t)bytes.size, NULL);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        text = PyBytes_FromStringAndSize(bytes.data, (Py_ssize_t)bytes.size);
    }
    return text;
}

static PyObject* value_of(native_state* state, const haigha_cursor* cursor,
                          const haigha_field* field) {
    haigha_cursor nested;
    switch (field->type) {
        case HAIGHA_FIELD_BOOL:
            return PyBool_FromLong(field->integer != 0);
        case HAIGHA_FIELD_FLOAT:
        case HAIGHA_FIELD_DOUBLE:
            return PyFloat_FromDouble(field->real);
        case HAIGHA_FIELD_STRING:
            return string_of(field->bytes);
        case HAIGHA_FIELD_BYTES:
            return PyBytes_FromStringAndSize(field->bytes.data, (Py_ssize_t)field->bytes.size);
        case HAIGHA_FIELD_DECIMAL:
            return PyObject_CallFunction(state->from_field, "CLI", 'D', (long long)field->integer,
                                         (unsigned int)field->scale);
        case HAIGHA_FIELD_TIMESTAMP:
            return PyObject_CallFunction(state->from_field, "CKI", 'T',
                                         (unsigned long long)field->integer, 0u);
        case HAIGHA_FIELD_ARRAY:
        case HAIGHA_FIELD_TABLE:
            if (haigha_cursor_enter(cursor, field, &nested) != HAIGHA_OK)
                return native_raise(state, HAIGHA_ERR_MALFORMED, NULL);
            return field->type == HAIGHA_FIELD_ARRAY ? list_of(state, &nested)
                                                     : native_table_to_dict(state, &nested);
        case HAIGHA_FIELD_VOID:
            Py_RETURN_NONE;
        default:
            return PyLong_FromLongLong((long long)field->integer);
    }
}

PyObject* native_table_to_dict(native_state* state, haigha_cursor* cursor) {
    PyObject* dict = PyDict_New();
    haigha_field field;
    int32_t more = 0;
    while (dict != NULL && (more = haigha_cursor_next(cursor, &field)) == 1) {
        PyObject* name = native_text(field.name);
        PyObject* value = name != NULL ? value_of(state, cursor, &field) : NULL;
        if (value == NULL || PyDict_SetItem(dict, name, value) != 0) Py_CLEAR(dict);
        Py_XDECREF(name);
        Py_XDECREF(value);
    }
    if (dict != NULL && more < 0) {
        Py_DECREF(dict);
        return native_raise(state, more, NULL);
    }
    return dict;
}

static PyObject* list_of(native_state* state, haigha_cursor* cursor) {
    PyObject* list = PyList_New(0);
    haigha_field field;
    int32_t more = 0;
    while (list != NULL && (more = haigha_cursor_next(cursor, &field)) == 1) {
        PyObject* value = value_of(state, cursor, &field);
        if (value == NULL || PyList_Append(list, value) != 0) Py_CLEAR(list);
        Py_XDECREF(value);
    }
    if (list != NULL && more < 0) {
        Py_DECREF(list);
        return native_raise(state, more, NULL);
    }
    return list;
}

/* ---- back ---- */

static int add_field(native_state* state, haigha_table* table, haigha_field* field) {
    haigha_error* error = NULL;
    const haigha_status status = haigha_table_add(table, field, &error);
    if (status == HAIGHA_OK) return 1;
    native_raise(state, status, error);
    return 0;
}

static int add_value(native_state* state, haigha_table* table, haigha_str name, PyObject* value);

static int fill_list(native_state* state, haigha_table* table, PyObject* sequence) {
    const haigha_str nameless = {NULL, 0};
    PyObject* item;
    PyObject* iterator = PyObject_GetIter(sequence);
    int right = iterator != NULL;
    while (right && (item = PyIter_Next(iterator)) != NULL) {
        right = add_value(state, table, nameless, item);
        Py_DECREF(item);
    }
    Py_XDECREF(iterator);
    return right && !PyErr_Occurred();
}

static int fill_table(native_state* state, haigha_table* table, PyObject* mapping) {
    PyObject* items = PyMapping_Items(mapping);
    int right = items != NULL;
    Py_ssize_t index;
    for (index = 0; right && index < PyList_Size(items); ++index) {
        PyObject* item = PyList_GetItem(items, index);
        haigha_str name = {NULL, 0};
        right = PyTuple_Check(item) && PyTuple_Size(item) == 2 &&
                native_get_text(PyTuple_GetItem(item, 0), &name) &&
                add_value(state, table, name, PyTuple_GetItem(item, 1));
        if (!right && !PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a field table is to be a mapping");
    }
    Py_XDECREF(items);
    return right;
}

static int add_nested(native_state* state, haigha_table* table, haigha_str name, PyObject* value,
                      int array) {
    haigha_table* nested = NULL;
    haigha_error* error = NULL;
    haigha_status status;
    int right = 0;
    if (Py_EnterRecursiveCall(" while a field table is made")) return 0;
    status = array ? haigha_table_new_array(&nested, &error) : haigha_table_new(&nested, &error);
    if (status == HAIGHA_OK) {
        right = array ? fill_list(state, nested, value) : fill_table(state, nested, value);
        if (right) status = haigha_table_add_table(table, name, nested, &error);
    }
    Py_LeaveRecursiveCall();
    haigha_table_free(nested);
    if (status == HAIGHA_OK) return right;
    native_raise(state, status, error);
    return 0;
}

static int add_bytes(native_state* state, haigha_table* table, haigha_field* field,
                     PyObject* value) {
    Py_buffer view;
    int right;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) != 0) return 0;
    field->bytes.data = view.buf;
    field->bytes.size = (size_t)view.len;
    right = add_field(state, table, field);
    PyBuffer_Release(&view);
    return right;
}

/* What is no plain value: haigha.properties says the letter that it is written as. */
static int add_typed(native_state* state, haigha_table* table, haigha_field* field,
                     PyObject* source) {
    PyObject* typed = PyObject_CallFunctionObjArgs(state->to_field, source, NULL);
    PyObject* value = NULL;
    int letter = 0, right = 0;
    unsigned int scale = 0;
    if (typed == NULL || !PyArg_ParseTuple(typed, "COI", &letter, &value, &scale)) {
        Py_XDECREF(typed);
        return 0;
    }
    field->type = (uint32_t)letter;
    field->scale = scale;
    if (letter == HAIGHA_FIELD_ARRAY || letter == HAIGHA_FIELD_TABLE) {
        right = add_nested(state, table, field->name, value, letter == HAIGHA_FIELD_ARRAY);
    } else if (letter == HAIGHA_FIELD_STRING) {
        right = native_get_text(value, &field->bytes) && add_field(state, table, field);
    } else if (letter == HAIGHA_FIELD_BYTES) {
        right = add_bytes(state, table, field, value);
    } else {
        if (letter == HAIGHA_FIELD_FLOAT || letter == HAIGHA_FIELD_DOUBLE)
            field->real = PyFloat_AsDouble(value);
        else if (letter == HAIGHA_FIELD_TIMESTAMP)
            field->integer = (int64_t)PyLong_AsUnsignedLongLong(value);
        else if (letter != HAIGHA_FIELD_VOID)
            field->integer = PyLong_AsLongLong(value);
        right = !PyErr_Occurred() && add_field(state, table, field);
    }
    Py_DECREF(typed);
    return right;
}

static int add_value(native_state* state, haigha_table* table, haigha_str name, PyObject* value) {
    haigha_field field;
    memset(&field, 0, sizeof field);
    field.name = name;
    if (value == Py_None) {
        field.type = HAIGHA_FIELD_VOID;
    } else if (PyBool_Check(value)) {
        field.type = HAIGHA_FIELD_BOOL;
        field.integer = value == Py_True;
    } else if (PyLong_CheckExact(value)) {
        field.integer = PyLong_AsLongLong(value);
        if (PyErr_Occurred()) return 0;
        field.type = field.integer >= INT32_MIN && field.integer <= INT32_MAX ? HAIGHA_FIELD_INT32
                                                                              : HAIGHA_FIELD_INT64;
    } else if (PyFloat_CheckExact(value)) {
        field.type = HAIGHA_FIELD_DOUBLE;
        field.real = PyFloat_AsDouble(value);
    } else if (PyUnicode_Check(value)) {
        field.type = HAIGHA_FIELD_STRING;
        if (!native_get_text(value, &field.bytes)) return 0;
    } else if (PyDict_Check(value)) {
        return add_nested(state, table, name, value, 0);
    } else if (PyList_Check(value) || PyTuple_CheckExact(value)) {
        return add_nested(state, table, name, value, 1);
    } else {
        return add_typed(state, table, &field, value);
    }
    return add_field(state, table, &field);
}

int native_dict_to_table(native_state* state, PyObject* mapping, haigha_table** table) {
    haigha_error* error = NULL;
    haigha_status status;
    *table = NULL;
    if (mapping == NULL || mapping == Py_None) return 1;
    status = haigha_table_new(table, &error);
    if (status != HAIGHA_OK) {
        native_raise(state, status, error);
        return 0;
    }
    if (fill_table(state, *table, mapping)) return 1;
    haigha_table_free(*table);
    *table = NULL;
    return 0;
}
