// haigha_connection: who is to authenticate, asked and answered.
#include "boundary.h"
#include "handles.h"
#include "usable.h"

using haigha::Status;
using haigha::capi::answer;
using haigha::capi::Arguments;
using haigha::capi::check_then;
using haigha::capi::check_timeout;
using haigha::capi::guard;
using haigha::capi::usable;
using haigha::client::Completion;
using haigha::client::Connection;

namespace {

// A long string of AMQP; the frame's limit is far below.
constexpr std::size_t max_secret_size = std::size_t{1} << 24;

}  // namespace

haigha_status haigha_connection_set_auth(haigha_connection* connection, const haigha_then* auth,
                                         haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        if (auth == nullptr || (auth->fn == nullptr && auth->inbox == nullptr)) {
            arguments.fault(Status::argument, "auth has neither fn nor inbox");
        }
        check_then(arguments, auth, "auth");
        if (arguments.bad()) return arguments.refuse(error);
        if (object->set_auth(haigha::capi::then_from(auth))) return HAIGHA_OK;
        return haigha::capi::refuse(Status::closed, "the connection was opened before", error);
    });
}

haigha_status haigha_connection_answer_credentials(haigha_connection* connection, uint64_t number,
                                                   haigha_str user, haigha_str password,
                                                   int64_t lifetime_ms, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        const auto name = arguments.text(user, "user", max_secret_size);
        const auto secret = arguments.text(password, "password", max_secret_size);
        if (lifetime_ms < 0) arguments.fault(Status::argument, "lifetime_ms is negative");
        if (arguments.bad()) return arguments.refuse(error);
        return answer(object->answer_credentials(number, {std::string(name), std::string(secret)},
                                                 lifetime_ms),
                      error);
    });
}

haigha_status haigha_connection_answer_response(haigha_connection* connection, uint64_t number,
                                                haigha_str response, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        const auto octets = arguments.text(response, "response", max_secret_size);
        if (arguments.bad()) return arguments.refuse(error);
        return answer(object->answer_response(number, octets), error);
    });
}

haigha_status haigha_connection_refuse_auth(haigha_connection* connection, uint64_t number,
                                            haigha_str why, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        const auto words = arguments.text(why, "why", 4096);
        if (arguments.bad()) return arguments.refuse(error);
        return answer(object->refuse_to_authenticate(number, std::string(words)), error);
    });
}

haigha_status haigha_connection_update_secret(haigha_connection* connection, haigha_str secret,
                                              haigha_str reason, const haigha_then* then,
                                              haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        const auto octets = arguments.text(secret, "secret", max_secret_size);
        const auto words = arguments.name(reason, "reason");
        check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        return answer(
            object->update_secret(octets, words, Completion(haigha::capi::then_from(then)), -1),
            error);
    });
}

haigha_status haigha_connection_update_secret_wait(haigha_connection* connection, haigha_str secret,
                                                   haigha_str reason, int64_t timeout_ms,
                                                   haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        const auto octets = arguments.text(secret, "secret", max_secret_size);
        const auto words = arguments.name(reason, "reason");
        check_timeout(arguments, timeout_ms);
        if (arguments.bad()) return arguments.refuse(error);
        return answer(object->wait(
                          [&](Completion done) {
                              return object->update_secret(octets, words, std::move(done),
                                                           timeout_ms);
                          },
                          timeout_ms, nullptr),
                      error);
    });
}
