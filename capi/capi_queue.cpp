// The queue class: declare, bind, unbind, purge, delete.
#include <utility>

#include "boundary.h"
#include "channel_calls.h"
#include "handles.h"

using haigha::capi::Arguments;
using haigha::capi::arguments_table;
using haigha::capi::calls;

namespace {

auto declare(const haigha_queue_declare_args* args) {
    return [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        haigha::wire::queue::Declare method{};
        method.queue = {arguments.name(given.queue, "queue")};
        method.passive = given.passive != 0;
        method.durable = given.durable != 0;
        method.exclusive = given.exclusive != 0;
        method.auto_delete = given.auto_delete != 0;
        method.arguments = arguments_table(arguments, given.arguments);
        return calls(method);
    };
}

template <class Method>
auto bind(const haigha_queue_bind_args* args) {
    return [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        Method method{};
        method.queue = {arguments.name(given.queue, "queue")};
        method.exchange = {arguments.name(given.exchange, "exchange")};
        method.routing_key = {arguments.name(given.routing_key, "routing_key")};
        method.arguments = arguments_table(arguments, given.arguments);
        return calls(method);
    };
}

auto purge(haigha_str queue) {
    return [queue](Arguments& arguments) {
        haigha::wire::queue::Purge method{};
        method.queue = {arguments.name(queue, "queue")};
        return calls(method);
    };
}

auto remove(const haigha_queue_delete_args* args) {
    return [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        haigha::wire::queue::Delete method{};
        method.queue = {arguments.name(given.queue, "queue")};
        method.if_unused = given.if_unused != 0;
        method.if_empty = given.if_empty != 0;
        return calls(method);
    };
}

}  // namespace

haigha_status haigha_queue_declare(haigha_channel* channel, const haigha_queue_declare_args* args,
                                   const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, declare(args));
}
haigha_status haigha_queue_declare_wait(haigha_channel* channel,
                                        const haigha_queue_declare_args* args, int64_t timeout_ms,
                                        haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, declare(args));
}

haigha_status haigha_queue_bind(haigha_channel* channel, const haigha_queue_bind_args* args,
                                const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, bind<haigha::wire::queue::Bind>(args));
}
haigha_status haigha_queue_bind_wait(haigha_channel* channel, const haigha_queue_bind_args* args,
                                     int64_t timeout_ms, haigha_reply** reply,
                                     haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  bind<haigha::wire::queue::Bind>(args));
}

haigha_status haigha_queue_unbind(haigha_channel* channel, const haigha_queue_bind_args* args,
                                  const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, bind<haigha::wire::queue::Unbind>(args));
}
haigha_status haigha_queue_unbind_wait(haigha_channel* channel, const haigha_queue_bind_args* args,
                                       int64_t timeout_ms, haigha_reply** reply,
                                       haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  bind<haigha::wire::queue::Unbind>(args));
}

haigha_status haigha_queue_purge(haigha_channel* channel, haigha_str queue, const haigha_then* then,
                                 haigha_error** error) {
    return haigha::capi::run(channel, then, error, purge(queue));
}
haigha_status haigha_queue_purge_wait(haigha_channel* channel, haigha_str queue, int64_t timeout_ms,
                                      haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, purge(queue));
}

haigha_status haigha_queue_delete(haigha_channel* channel, const haigha_queue_delete_args* args,
                                  const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, remove(args));
}
haigha_status haigha_queue_delete_wait(haigha_channel* channel,
                                       const haigha_queue_delete_args* args, int64_t timeout_ms,
                                       haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, remove(args));
}
