/* A batch of events as Python has it: deliveries and outcomes that follow each other are one entry.
 */
#include "native.h"

native_channel* native_channel_of(native_connection* self, haigha_channel* channel) {
    PyObject *key, *address;
    native_channel* found = NULL;
    if (channel == NULL) return NULL;
    key = PyLong_FromVoidPtr(channel);
    if (key == NULL) return NULL;
    address = PyDict_GetItemWithError(self->channels, key);
    if (address != NULL) found = PyLong_AsVoidPtr(address);
    Py_DECREF(key);
    return found;
}

/* Fills a struct sequence, and takes the values' references; NULL if one of them is. */
static PyObject* fill(PyTypeObject* type, PyObject** values, Py_ssize_t count) {
    PyObject* made = PyStructSequence_New(type);
    Py_ssize_t index;
    int right = made != NULL;
    for (index = 0; index < count; ++index)
        right = right && values[index] != NULL;
    for (index = 0; index < count; ++index) {
        if (right)
            PyStructSequence_SetItem(made, index, values[index]);
        else
            Py_XDECREF(values[index]);
    }
    if (right) return made;
    Py_XDECREF(made);
    return NULL;
}

static PyObject* none(void) {
    Py_RETURN_NONE;
}

static PyObject* error_or_none(native_state* state, const haigha_error* error) {
    return error == NULL ? none() : native_exception(state, haigha_error_status(error), error);
}

static PyObject* message_or_none(native_connection* self, haigha_message* message,
                                 haigha_channel* channel, PyObject* consumer_tag) {
    native_channel* owner = native_channel_of(self, channel);
    if (message == NULL) return none();
    if (owner == NULL && PyErr_Occurred()) return NULL;
    return native_message_new(self->state, message, owner, consumer_tag);
}

static PyObject* reply_of(native_connection* self, const haigha_event* event) {
    const haigha_reply* reply = event->reply;
    PyObject* values[9];
    if (reply == NULL) return none();
    values[0] = native_text(haigha_reply_queue(reply));
    values[1] = PyLong_FromUnsignedLong(haigha_reply_message_count(reply));
    values[2] = PyLong_FromUnsignedLong(haigha_reply_consumer_count(reply));
    values[3] = native_text(haigha_reply_consumer_tag(reply));
    values[4] =
        message_or_none(self, haigha_reply_message(reply), event->channel, self->state->empty);
    values[5] = PyLong_FromUnsignedLongLong(haigha_reply_unwritten_bytes(reply));
    values[6] = PyLong_FromUnsignedLongLong(haigha_reply_unconfirmed(reply));
    values[7] = PyLong_FromUnsignedLongLong(haigha_reply_unsettled(reply));
    values[8] = native_text(haigha_reply_mechanism(reply));
    return fill(self->state->reply_type, values, 9);
}

static PyObject* event_of(native_connection* self, const haigha_event* event) {
    PyObject* values[13];
    values[0] = PyLong_FromUnsignedLong(event->type);
    values[1] = PyLong_FromUnsignedLongLong(event->number);
    values[2] = PyLong_FromUnsignedLong(event->channel_id);
    values[3] = PyLong_FromLong(event->state);
    values[4] = PyLong_FromLong(event->previous_state);
    values[5] = PyLong_FromLongLong(event->delay_ms);
    values[6] = error_or_none(self->state, event->error);
    values[7] = reply_of(self, event);
    values[8] = message_or_none(self, event->message, event->channel, self->state->empty);
    values[9] = native_text(event->exchange);
    values[10] = native_text(event->routing_key);
    values[11] = native_text(event->consumer_tag);
    values[12] = native_text(event->name);
    return fill(self->state->event_type, values, 13);
}

static PyObject* outcome_of(native_connection* self, const haigha_event* event) {
    PyObject* values[3];
    if (event->outcome == HAIGHA_OUTCOME_CONFIRMED)
        return PyLong_FromUnsignedLongLong(event->number);
    values[0] = PyLong_FromUnsignedLongLong(event->number);
    values[1] = PyLong_FromLong(event->outcome);
    values[2] = error_or_none(self->state, event->error);
    return fill(self->state->outcome_type, values, 3);
}

/* Whether an event goes into the entry before it. */
static int follows(const haigha_event* event, const haigha_event* before) {
    return event->type == before->type && event->tag == before->tag &&
           event->channel == before->channel &&
           (event->type == HAIGHA_EVENT_DELIVERY || event->type == HAIGHA_EVENT_OUTCOME);
}

/* The deliveries, or outcomes, from `first` on that belong together; sets *taken to their number.
 */
static PyObject* run_of(native_connection* self, const haigha_event* first, const haigha_event* end,
                        size_t* taken) {
    const haigha_event* event;
    native_channel* owner = native_channel_of(self, first->channel);
    PyObject* consumer_tag = NULL;
    PyObject* run = PyList_New(0);
    if (first->type == HAIGHA_EVENT_DELIVERY) consumer_tag = native_text(first->consumer_tag);
    if (PyErr_Occurred()) Py_CLEAR(run);
    for (event = first; run != NULL && event < end && follows(event, first); ++event) {
        PyObject* item = first->type == HAIGHA_EVENT_DELIVERY
                             ? native_message_new(self->state, event->message, owner, consumer_tag)
                             : outcome_of(self, event);
        if (item == NULL || PyList_Append(run, item) != 0) Py_CLEAR(run);
        Py_XDECREF(item);
        ++*taken;
    }
    Py_XDECREF(consumer_tag);
    return run;
}

PyObject* native_events_to_list(native_connection* self, size_t count) {
    PyObject* list = PyList_New(0);
    const haigha_event* const end = self->events + count;
    const haigha_event* event = self->events;
    while (list != NULL && event < end) {
        size_t taken = 0;
        PyObject *payload, *entry = NULL;
        if (event->type == HAIGHA_EVENT_DELIVERY || event->type == HAIGHA_EVENT_OUTCOME) {
            payload = run_of(self, event, end, &taken);
        } else {
            payload = event_of(self, event);
            taken = 1;
        }
        if (payload != NULL)
            entry = Py_BuildValue("IKN", (unsigned int)event->type, (unsigned long long)event->tag,
                                  payload);
        if (entry == NULL || PyList_Append(list, entry) != 0) Py_CLEAR(list);
        Py_XDECREF(entry);
        event += taken;
    }
    return list;
}
