// Which core object each opaque handle is, stated once.
#pragma once

#include <string>

#include "base/wipe.h"
#include "client/channel.h"
#include "client/connection.h"
#include "client/event_loop.h"
#include "client/inbox.h"
#include "client/message.h"
#include "client/option_table.h"
#include "client/reply.h"
#include "client/then.h"
#include "haigha/haigha.h"
#include "wire/field_table.h"

// Two handles that are objects of the C API's own.
struct haigha_options {
    haigha::client::Options values;
    std::string uri;  // what haigha_options_get_uri gave
    ~haigha_options() { haigha::wipe(uri); }
};
struct haigha_table {
    haigha::wire::FieldTable table;
};

namespace haigha::capi {

inline client::EventLoop* core(haigha_loop* h) {
    return reinterpret_cast<client::EventLoop*>(h);
}
inline client::Connection* core(haigha_connection* h) {
    return reinterpret_cast<client::Connection*>(h);
}
inline const client::Connection* core(const haigha_connection* h) {
    return reinterpret_cast<const client::Connection*>(h);
}
inline client::Channel* core(haigha_channel* h) {
    return reinterpret_cast<client::Channel*>(h);
}
inline const client::Channel* core(const haigha_channel* h) {
    return reinterpret_cast<const client::Channel*>(h);
}
inline client::Inbox* core(haigha_inbox* h) {
    return reinterpret_cast<client::Inbox*>(h);
}
inline const client::Inbox* core(const haigha_inbox* h) {
    return reinterpret_cast<const client::Inbox*>(h);
}
inline client::Message* core(haigha_message* h) {
    return reinterpret_cast<client::Message*>(h);
}
inline const client::Message* core(const haigha_message* h) {
    return reinterpret_cast<const client::Message*>(h);
}
inline const client::Reply* core(const haigha_reply* h) {
    return reinterpret_cast<const client::Reply*>(h);
}
inline const Error* core(const haigha_error* h) {
    return reinterpret_cast<const Error*>(h);
}

// A share that goes to the caller.
inline haigha_reply* give(Ref<client::Reply> reply) {
    return reinterpret_cast<haigha_reply*>(reply.leak());
}
inline haigha_error* give(ErrorRef error) {
    return reinterpret_cast<haigha_error*>(const_cast<Error*>(error.leak()));
}

// Null stands for "no answer wanted". The result owns then->user_data once the call is accepted,
// and must be disarmed when it is refused.
client::Then then_from(const haigha_then* then);

}  // namespace haigha::capi
