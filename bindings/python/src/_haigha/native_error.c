/* Errors of the library as exceptions, and its texts as str. */
#include "native.h"

PyObject* native_text(haigha_str text) {
    return PyUnicode_DecodeUTF8(text.data != NULL ? text.data : "", (Py_ssize_t)text.size,
                                "surrogateescape");
}

int native_get_text(PyObject* value, haigha_str* text) {
    Py_ssize_t size = 0;
    if (PyUnicode_Check(value)) {
        text->data = PyUnicode_AsUTF8AndSize(value, &size);
        if (text->data == NULL) return 0;
        text->size = (size_t)size;
        return 1;
    }
    if (PyBytes_Check(value)) {
        char* data = NULL;
        if (PyBytes_AsStringAndSize(value, &data, &size) != 0) return 0;
        text->data = data;
        text->size = (size_t)size;
        return 1;
    }
    PyErr_Format(PyExc_TypeError, "text is to be str or bytes, not %R", (PyObject*)Py_TYPE(value));
    return 0;
}

PyObject* native_exception(native_state* state, haigha_status status, const haigha_error* error) {
    const char* message = haigha_error_message(error);
    PyObject *text, *reply_text, *host, *exception = NULL;
    if (error == NULL) message = haigha_status_name(status);
    text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
    reply_text = native_text(haigha_error_reply_text(error));
    host = native_text(haigha_error_host(error));
    if (text != NULL && reply_text != NULL && host != NULL) {
        exception = PyObject_CallFunction(
            state->make_error, "iOiOssiOi", (int)status, text, (int)haigha_error_reply_code(error),
            reply_text, haigha_error_method_name(error), haigha_error_stage_name(error),
            (int)haigha_error_channel_id(error), host, (int)haigha_error_os_errno(error));
    }
    Py_XDECREF(text);
    Py_XDECREF(reply_text);
    Py_XDECREF(host);
    return exception;
}

PyObject* native_raise(native_state* state, haigha_status status, haigha_error* error) {
    PyObject* exception = native_exception(state, status, error);
    haigha_error_free(error);
    if (exception != NULL) {
        PyErr_SetObject((PyObject*)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    }
    return NULL;
}

PyObject* native_finish(native_state* state, haigha_status status, haigha_error* error) {
    if (status != HAIGHA_OK) return native_raise(state, status, error);
    Py_RETURN_NONE;
}
