// The exchange class: declare, delete, and RabbitMQ's bind and unbind.
#include <utility>

#include "boundary.h"
#include "channel_calls.h"
#include "handles.h"

using haigha::capi::Arguments;
using haigha::capi::arguments_table;
using haigha::capi::calls;

namespace {

auto declare(const haigha_exchange_declare_args* args) {
    return [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        haigha::wire::exchange::Declare method{};
        method.exchange = {arguments.name(given.exchange, "exchange")};
        method.type = {arguments.name(given.type, "type")};
        if (method.type.text.empty()) method.type = {"direct"};
        method.passive = given.passive != 0;
        method.durable = given.durable != 0;
        method.auto_delete = given.auto_delete != 0;
        method.internal = given.internal != 0;
        method.arguments = arguments_table(arguments, given.arguments);
        return calls(method);
    };
}

auto remove(const haigha_exchange_delete_args* args) {
    return [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        haigha::wire::exchange::Delete method{};
        method.exchange = {arguments.name(given.exchange, "exchange")};
        method.if_unused = given.if_unused != 0;
        return calls(method);
    };
}

template <class Method>
auto bind(const haigha_exchange_bind_args* args) {
    return [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        Method method{};
        method.destination = {arguments.name(given.destination, "destination")};
        method.source = {arguments.name(given.source, "source")};
        method.routing_key = {arguments.name(given.routing_key, "routing_key")};
        method.arguments = arguments_table(arguments, given.arguments);
        return calls(method);
    };
}

}  // namespace

haigha_status haigha_exchange_declare(haigha_channel* channel,
                                      const haigha_exchange_declare_args* args,
                                      const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, declare(args));
}
haigha_status haigha_exchange_declare_wait(haigha_channel* channel,
                                           const haigha_exchange_declare_args* args,
                                           int64_t timeout_ms, haigha_reply** reply,
                                           haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, declare(args));
}

haigha_status haigha_exchange_delete(haigha_channel* channel,
                                     const haigha_exchange_delete_args* args,
                                     const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, remove(args));
}
haigha_status haigha_exchange_delete_wait(haigha_channel* channel,
                                          const haigha_exchange_delete_args* args,
                                          int64_t timeout_ms, haigha_reply** reply,
                                          haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, remove(args));
}

haigha_status haigha_exchange_bind(haigha_channel* channel, const haigha_exchange_bind_args* args,
                                   const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, bind<haigha::wire::exchange::Bind>(args));
}
haigha_status haigha_exchange_bind_wait(haigha_channel* channel,
                                        const haigha_exchange_bind_args* args, int64_t timeout_ms,
                                        haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  bind<haigha::wire::exchange::Bind>(args));
}

haigha_status haigha_exchange_unbind(haigha_channel* channel, const haigha_exchange_bind_args* args,
                                     const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, bind<haigha::wire::exchange::Unbind>(args));
}
haigha_status haigha_exchange_unbind_wait(haigha_channel* channel,
                                          const haigha_exchange_bind_args* args, int64_t timeout_ms,
                                          haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  bind<haigha::wire::exchange::Unbind>(args));
}
