// The handle that the arguments of a call name, and that may be used here.
#pragma once

#include <string>
#include <string_view>

#include "boundary.h"
#include "client/completion.h"
#include "handles.h"

namespace haigha::capi {

inline const client::Connection& connection_of(const client::Connection& connection) {
    return connection;
}
// Of a channel, a pool, an RPC client.
template <class Object>
const client::Connection& connection_of(const Object& object) {
    return object.connection();
}

// `object`: what the handle is, null for none; `name`: of the argument.
template <class Object>
Object* usable_object(Arguments& arguments, Object* object, const char* name) {
    arguments.required(object, name);
    if (object != nullptr && connection_of(*object).forked()) [[unlikely]] {
        arguments.forked(name);
    }
    return object;
}

inline client::Connection* usable(Arguments& arguments, haigha_connection* connection) {
    return usable_object(arguments, core(connection), "connection");
}
inline client::Channel* usable(Arguments& arguments, haigha_channel* channel) {
    return usable_object(arguments, core(channel), "channel");
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

// `start(object, completion)`: an operation that needs no more than its object, which
// `find(arguments)` gives.
template <class Find, class Start>
haigha_status start_on(Find find, const haigha_then* then, haigha_error** error, Start start) {
    const client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = find(arguments);
        check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        return answer(start(*object, client::Completion(then_from(then))), error);
    });
}
// `wait(object)`: one that is waited for.
template <class Find, class Wait>
haigha_status wait_on(Find find, int64_t timeout_ms, haigha_error** error, Wait wait) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = find(arguments);
        check_timeout(arguments, timeout_ms);
        if (arguments.bad()) return arguments.refuse(error);
        return answer(wait(*object), error);
    });
}

// What haigha_X_unref does.
template <class Object>
void unref(Object* object) {
    if (object == nullptr) return;
    (void)guard(nullptr, [&]() -> haigha_status {
        client::drop_handle(*object);
        return HAIGHA_OK;
    });
}

// What haigha_X_info does. no_such: "a pool has no number called". `object`: usable.
template <class Object>
haigha_status info(Arguments& arguments, const Object* object, haigha_str name, int64_t* value,
                   const char* no_such, haigha_error** error) {
    arguments.required(value, "value");
    const std::string_view wanted = arguments.name(name, "name");
    if (arguments.bad()) return arguments.refuse(error);
    if (object->info(wanted, value)) return HAIGHA_OK;
    return refuse(Status::argument, std::string(no_such) + " \"" + std::string(wanted) + "\"",
                  error);
}

}  // namespace haigha::capi
