// How every operation on a channel runs: checked, then started with an answer or waited for.
#pragma once

#include <utility>

#include "boundary.h"
#include "handles.h"
#include "usable.h"

namespace haigha::capi {

// `prepare(Arguments&)` reads the arguments and returns what starts the operation, as
// `ErrorRef (client::Channel&, client::Completion, int64_t timeout_ms)`.
template <class Prepare>
haigha_status run(haigha_channel* channel, const haigha_then* then, haigha_error** error,
                  Prepare prepare, int64_t timeout_ms = -1) noexcept {
    const client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        client::Channel* object = usable(arguments, channel);
        check_timeout(arguments, timeout_ms);
        check_then(arguments, then, "then");
        auto start = prepare(arguments);
        if (arguments.bad()) return arguments.refuse(error);
        return answer(start(*object, client::Completion(then_from(then)), timeout_ms), error);
    });
}

template <class Prepare>
haigha_status run_wait(haigha_channel* channel, int64_t timeout_ms, haigha_reply** reply,
                       haigha_error** error, Prepare prepare) noexcept {
    const client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        client::Channel* object = usable(arguments, channel);
        check_timeout(arguments, timeout_ms);
        auto start = prepare(arguments);
        if (arguments.bad()) return arguments.refuse(error);
        Ref<client::Reply> answered;
        ErrorRef failed = object->wait(
            [&](client::Completion done) { return start(*object, std::move(done), timeout_ms); },
            timeout_ms, &answered);
        if (failed) return refuse(std::move(failed), error);
        if (reply != nullptr) *reply = give(std::move(answered));
        return HAIGHA_OK;
    });
}

// What starts a method that needs no more than its arguments.
template <class Method>
auto calls(Method method, protocol::CallKind kind = protocol::CallKind::plain) {
    return [method, kind](client::Channel& channel, client::Completion done, int64_t timeout_ms) {
        return channel.call(method, std::move(done), timeout_ms, kind);
    };
}

// The contents of a table of arguments; NULL is an empty one.
inline wire::TableBytes arguments_table(Arguments& arguments, const haigha_table* table) {
    if (table == nullptr) return {};
    if (table->table.kind() != wire::TableKind::table) {
        arguments.fault(Status::argument, "arguments is an array, not a table");
    }
    return {table->table.contents()};
}

}  // namespace haigha::capi
