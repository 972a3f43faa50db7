/* What the parts of the extension share. It is written against the limited API of Python 3.11 and
 * the public headers of libhaigha, and nothing in it is called by the library: whatever happens is
 * fetched from an inbox, in batches, by a thread that holds the GIL. */
#ifndef HAIGHA_PYTHON_NATIVE_H
#define HAIGHA_PYTHON_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <haigha/haigha.h>
#include <haigha/pool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* How many events cross at a time. */
enum { NATIVE_BATCH = 256 };

/* Bodies from here on are lent to the library where they cannot change; smaller ones are copied by
 * it anyway. */
enum { NATIVE_LENT_BYTES = 16 * 1024 };

/* Buffers that the library is done with. Its release hook runs on any thread, without the GIL, and
 * may outlive the module, so it pushes onto this list, which is shared by reference; who holds the
 * GIL empties it. */
typedef struct native_done native_done;
native_done* native_done_new(void);
void native_done_ref(native_done* done);
void native_done_unref(native_done* done);
void native_done_release_buffers(native_done* done);

typedef struct native_state {
    PyTypeObject* connection_type;
    PyTypeObject* channel_type;
    PyTypeObject* publisher_type;
    PyTypeObject* pool_type;
    PyTypeObject* message_type;
    PyTypeObject* event_type; /* struct sequences */
    PyTypeObject* reply_type;
    PyTypeObject* outcome_type;
    PyObject* make_error;      /* haigha.errors: (code, message, ...) -> exception */
    PyObject* to_field;        /* haigha.properties: value -> (letter, value, scale) */
    PyObject* from_field;      /* (letter, integer, scale) -> value, of D and T */
    PyObject* make_properties; /* (the fourteen, in order) -> Properties */
    PyObject* property_names;  /* the fourteen, interned */
    PyObject* empty;           /* "" */
    native_done* done;
} native_state;

typedef struct native_connection {
    PyObject_HEAD native_state* state; /* of the module, which `type` keeps */
    haigha_loop* loop;
    haigha_inbox* inbox;
    haigha_connection* connection;
    haigha_event* events; /* NATIVE_BATCH */
    PyObject* channels;   /* {address of a haigha_channel: address of its native_channel} */
    int polling;
    pid_t made_by; /* the process */
} native_connection;

typedef struct native_channel {
    PyObject_HEAD native_connection* connection;
    haigha_channel* channel;
} native_channel;

native_state* native_state_of(PyObject* self);

/* ---- errors and text ---- */

/* A new exception object that tells what `error` (borrowed; may be NULL) says; NULL with an
 * exception set when it cannot be made. */
PyObject* native_exception(native_state* state, haigha_status status, const haigha_error* error);
/* Sets the exception, frees the error, and returns NULL. */
PyObject* native_raise(native_state* state, haigha_status status, haigha_error* error);
/* None, or native_raise. */
PyObject* native_finish(native_state* state, haigha_status status, haigha_error* error);
/* Text of the wire: str, where bytes that are no UTF-8 are surrogates, as file names have them. */
PyObject* native_text(haigha_str text);
/* Fills *text from a str or from bytes, which `value` keeps. False with an exception set. */
int native_get_text(PyObject* value, haigha_str* text);

/* ---- tables and properties ---- */

PyObject* native_table_to_dict(native_state* state, haigha_cursor* cursor);
/* A new table; NULL for None. False with an exception set. */
int native_dict_to_table(native_state* state, PyObject* mapping, haigha_table** table);
/* A Properties of a message. */
PyObject* native_properties_of(native_state* state, const haigha_message* message);
/* Fills *properties from a Properties; *table is to be freed afterwards, and *values to be
 * released: it keeps what the strings point to. */
int native_get_properties(native_state* state, PyObject* source, haigha_properties* properties,
                          haigha_table** table, PyObject** values);

/* ---- messages and events ---- */

/* Takes a reference of its own to the message; `channel` (may be NULL) and `consumer_tag` too. */
PyObject* native_message_new(native_state* state, haigha_message* message, native_channel* channel,
                             PyObject* consumer_tag);
/* [(type, tag, payload), ...] of a batch; see the stub file. */
PyObject* native_events_to_list(native_connection* self, size_t count);
native_channel* native_channel_of(native_connection* self, haigha_channel* channel);

/* ---- publishing ---- */

/* What a publish of any kind is given, taken apart. */
typedef struct native_publish {
    haigha_publish_args args;
    haigha_properties properties;
    haigha_table* table;
    PyObject* values;
    Py_buffer body;
} native_publish;
/* (exchange, routing_key, body, properties, mandatory). False with an exception set. */
int native_publish_begin(native_state* state, PyObject* const* args, native_publish* publish);
void native_publish_end(native_publish* publish);
haigha_str native_body(const Py_buffer* body);
/* Whether the body is to be lent; and the node that its buffer moves into, NULL without memory. */
int native_lends(const Py_buffer* body);
void* native_lend(native_state* state, const Py_buffer* body);
void native_take_back(
    void* lent); /* of a publish that was refused: the buffer stays the caller's */
void native_release_lent(void* lent);
/* What became of the call: True, having put `future` into `pending` under its number, or ended it
 * where nothing is confirmed; or False for WOULD_BLOCK. */
PyObject* native_published(native_state* state, haigha_status status, haigha_error* error,
                           uint64_t number, PyObject* pending, PyObject* future);

/* ---- the types ---- */

extern PyType_Spec native_connection_spec;
extern PyType_Spec native_channel_spec;
extern PyType_Spec native_publisher_spec;
extern PyType_Spec native_pool_spec;
extern PyType_Spec native_message_spec;
/* Where the library answers: the connection's inbox. */
haigha_then native_then(const native_connection* connection, uint64_t tag);
/* (name, arguments): starts one of AMQP's methods. The last argument is the tag of its answer. */
PyObject* native_channel_call(PyObject* channel, PyObject* args);

#endif
