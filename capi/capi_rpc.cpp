// Requests and their answers.
#include "haigha/rpc.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "boundary.h"
#include "handles.h"
#include "publish_request.h"
#include "rpc/rpc_client.h"
#include "traced_request.h"
#include "usable.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::check_then;
using haigha::capi::check_timeout;
using haigha::capi::guard;
using haigha::client::Completion;
using haigha::protocol::PublishRequest;
using haigha::rpc::RpcClient;
using haigha::wire::Properties;

namespace {

constexpr std::uint64_t most_calls = 1'000'000;

RpcClient* core(haigha_rpc_client* client) {
    return reinterpret_cast<RpcClient*>(client);
}

RpcClient* usable(Arguments& arguments, haigha_rpc_client* client) {
    return haigha::capi::usable_object(arguments, core(client), "client");
}

// `call(client, request)`, once all of that was read.
template <class Call>
haigha_status with_request(haigha_rpc_client* client, const haigha_publish_args* args,
                           haigha_str body, int64_t timeout_ms, const haigha_then* then,
                           haigha_error** error, Call call) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        RpcClient* const object = usable(arguments, client);
        std::optional<Properties> properties;
        PublishRequest request;
        haigha::capi::read_request(arguments, args, properties, request);
        haigha::capi::read_body(arguments, body, request);
        check_timeout(arguments, timeout_ms);
        check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        request.immediate = false;
        return haigha::capi::answer(haigha::capi::with_trace(object->connection(), request,
                                                             [&](const PublishRequest& traced) {
                                                                 return call(*object, traced);
                                                             }),
                                    error);
    });
}

}  // namespace

haigha_status haigha_rpc_client_new(haigha_connection* connection,
                                    const haigha_rpc_client_args* args, haigha_rpc_client** client,
                                    haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = haigha::capi::usable(arguments, connection);
        haigha_rpc_client_args given = HAIGHA_RPC_CLIENT_ARGS_INIT;
        if (args != nullptr) given = arguments.args(args, "args");
        if (given.max_calls > most_calls) {
            arguments.fault(
                Status::argument,
                "args->max_calls is " + std::to_string(given.max_calls) + ", over 1,000,000");
        }
        arguments.required(client, "client");
        if (arguments.bad()) return arguments.refuse(error);
        Ref<RpcClient> made;
        ErrorRef refused =
            RpcClient::create(Ref<haigha::client::Connection>(object),
                              given.max_calls > 0 ? static_cast<std::size_t>(given.max_calls)
                                                  : RpcClient::default_max_calls,
                              &made);
        if (refused) return haigha::capi::refuse(std::move(refused), error);
        *client = reinterpret_cast<haigha_rpc_client*>(made.leak());
        return HAIGHA_OK;
    });
}

haigha_status haigha_rpc_call(haigha_rpc_client* client, const haigha_publish_args* args,
                              haigha_str body, int64_t timeout_ms, const haigha_then* then,
                              haigha_error** error) {
    return with_request(client, args, body, timeout_ms, then, error,
                        [&](RpcClient& object, const PublishRequest& request) {
                            return object.call(request, timeout_ms,
                                               Completion(haigha::capi::then_from(then)));
                        });
}

haigha_status haigha_rpc_call_wait(haigha_rpc_client* client, const haigha_publish_args* args,
                                   haigha_str body, int64_t timeout_ms, haigha_reply** reply,
                                   haigha_error** error) {
    Ref<haigha::client::Reply> answered;
    const haigha_status status =
        with_request(client, args, body, timeout_ms, nullptr, error,
                     [&](RpcClient& object, const PublishRequest& request) {
                         return object.call_wait(request, timeout_ms, &answered);
                     });
    if (status == HAIGHA_OK && reply != nullptr) *reply = haigha::capi::give(std::move(answered));
    return status;
}

haigha_status haigha_rpc_client_info(const haigha_rpc_client* client, haigha_str name,
                                     int64_t* value, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        return haigha::capi::info(arguments,
                                  usable(arguments, const_cast<haigha_rpc_client*>(client)), name,
                                  value, "an RPC client has no number called", error);
    });
}

haigha_rpc_client* haigha_rpc_client_ref(haigha_rpc_client* client) {
    if (client != nullptr) core(client)->handles().add();
    return client;
}
void haigha_rpc_client_unref(haigha_rpc_client* client) {
    haigha::capi::unref(core(client));
}

haigha_status haigha_rpc_reply(haigha_channel* channel, const haigha_message* request,
                               const haigha_properties* properties, haigha_str body,
                               haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = haigha::capi::usable(arguments, channel);
        arguments.required(request, "request");
        std::optional<Properties> given;
        PublishRequest answer;
        if (properties != nullptr) {
            haigha::capi::read_properties(arguments, properties, given.emplace());
        }
        haigha::capi::read_body(arguments, body, answer);
        if (arguments.bad()) return arguments.refuse(error);
        if (given) answer.properties = &*given;
        const Status status = haigha::capi::with_trace(
            object->connection(), answer, [&](const PublishRequest& traced) {
                return haigha::rpc::reply_to(*object, *haigha::capi::core(request),
                                             traced.properties, traced.body);
            });
        if (status == Status::ok) return HAIGHA_OK;
        if (status == Status::malformed) {
            return haigha::capi::refuse(status,
                                        "the request names no reply_to: nobody waits for an "
                                        "answer",
                                        error);
        }
        if (error == nullptr) return haigha::capi::number(status);
        return haigha::capi::refuse(object->refusal(status), error);
    });
}
