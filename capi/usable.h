// The handle that the arguments of a call name, and that may be used here.
#pragma once

#include <string>

#include "boundary.h"
#include "handles.h"

namespace haigha::capi {

inline client::Connection* usable(Arguments& arguments, haigha_connection* connection) {
    if (connection == nullptr) {
        arguments.required(connection, "connection");
        return nullptr;
    }
    if (core(connection)->forked()) {
        arguments.fault(Status::forked,
                        "the process was forked after the connection was made: it belongs to the "
                        "parent");
    }
    return core(connection);
}

inline client::Channel* usable(Arguments& arguments, haigha_channel* channel) {
    if (channel == nullptr) {
        arguments.required(channel, "channel");
        return nullptr;
    }
    if (core(channel)->connection().forked()) {
        arguments.fault(Status::forked,
                        "the process was forked after the channel was made: it belongs to the "
                        "parent");
    }
    return core(channel);
}

// NULL is no answer.
inline void check_then(Arguments& arguments, const haigha_then* then, const char* name) {
    if (then != nullptr && then->fn != nullptr && then->inbox != nullptr) {
        arguments.fault(Status::argument, std::string(name) + " has both fn and inbox");
    }
}

inline void check_timeout(Arguments& arguments, int64_t timeout_ms) {
    if (timeout_ms < -1) arguments.fault(Status::argument, "timeout_ms is below -1");
}

}  // namespace haigha::capi
