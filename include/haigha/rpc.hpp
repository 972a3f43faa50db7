// haigha::RpcClient and haigha::reply: rpc.h for C++20. What a function does is said there.
#pragma once

#include <cstdint>
#include <string_view>

#include "haigha.hpp"
#include "rpc.h"

namespace haigha {
inline namespace v0_1 {

namespace detail {
inline auto rpc_operation(haigha_rpc_client* client, const Publish& request, Body body,
                          const Properties* properties, Timeout limit) {
    const std::int64_t limit_ms = limit.count() < 0 ? -1 : limit.count();
    return operation<Message>(
        [=, &request](const haigha_then* then, haigha_error** error) {
            return with_args(
                request, properties, nullptr, error, [&](const haigha_publish_args& args) {
                    return haigha_rpc_call(client, &args, body.c(), limit_ms, then, error);
                });
        },
        [=, &request](std::int64_t timeout_ms, haigha_reply** reply, haigha_error** error) {
            return with_args(request, properties, nullptr, error,
                             [&](const haigha_publish_args& args) {
                                 return haigha_rpc_call_wait(client, &args, body.c(),
                                                             timeout_ms < 0 ? limit_ms : timeout_ms,
                                                             reply, error);
                             });
        },
        [](const haigha_reply* reply, const haigha_event*) {
            return Message::share(haigha_reply_message(reply));
        });
}
}  // namespace detail

// Publishes requests and matches their answers; a copy is another reference.
class RpcClient
    : public detail::Handle<haigha_rpc_client, &haigha_rpc_client_ref, &haigha_rpc_client_unref> {
  public:
    RpcClient() noexcept = default;
    // max_calls: without an answer, 1 to 1,000,000; 0: 65,536.
    static Result<RpcClient> create(const Connection& connection,
                                    std::uint64_t max_calls = 0) noexcept {
        haigha_rpc_client_args args = HAIGHA_RPC_CLIENT_ARGS_INIT;
        args.max_calls = max_calls;
        haigha_rpc_client* made = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_rpc_client_new(connection.get(), &args, &made, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return RpcClient(made);
    }

    // Answers with the answer: see haigha_rpc_call. `limit` holds in every form; below zero it is
    // the connection's option rpc_timeout_ms.
    OperationOf<Message> auto call(const Publish& request, Body body,
                                   Timeout limit = default_timeout) const {
        return detail::rpc_operation(get(), request, body, nullptr, limit);
    }
    OperationOf<Message> auto call(const Publish& request, Body body, const Properties& properties,
                                   Timeout limit = default_timeout) const {
        return detail::rpc_operation(get(), request, body, &properties, limit);
    }
    // A number by name: see haigha_rpc_client_info.
    Result<std::int64_t> info(std::string_view name) const noexcept {
        std::int64_t value = 0;
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_rpc_client_info(get(), str(name), &value, error);
        });
        return {value, read.error()};
    }

  private:
    explicit RpcClient(haigha_rpc_client* owned) noexcept : Handle(owned) {}
};

namespace detail {
inline Result<void> reply(haigha_channel* channel, const haigha_message* request, Body body,
                          const Properties& properties) {
    if (properties.headers.error()) return properties.headers.error();
    const CProperties given(properties);
    return checked([&](haigha_error** error) {
        return haigha_rpc_reply(channel, request, given.get(), body.c(), error);
    });
}
}  // namespace detail

// Publishes the answer to a request, to its reply_to and with its correlation id, on the channel
// that it came by, or another one.
inline Result<void> reply(const Delivery& request, Body body, const Properties& properties = {}) {
    return detail::reply(request.raw().channel, request.raw().message, body, properties);
}
inline Result<void> reply(const Channel& channel, const Message& request, Body body,
                          const Properties& properties = {}) {
    return detail::reply(channel.get(), request.get(), body, properties);
}

}  // namespace v0_1
}  // namespace haigha
