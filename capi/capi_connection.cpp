// haigha_connection: open, close, flush, and what can be asked of it.
#include <utility>

#include "boundary.h"
#include "handles.h"
#include "usable.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::check_then;
using haigha::capi::check_timeout;
using haigha::capi::core;
using haigha::capi::guard;
using haigha::capi::usable;
using haigha::client::Completion;
using haigha::client::Connection;
using haigha::client::EventLoop;
using haigha::client::Options;

haigha_status haigha_connection_new(haigha_loop* loop, const haigha_options* options,
                                    const haigha_then* events, haigha_connection** connection,
                                    haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(loop, "loop");
        arguments.required(connection, "connection");
        if (!arguments.bad() && core(loop)->transport().forked()) {
            arguments.fault(Status::forked, "the process was forked after the loop was made");
        }
        check_then(arguments, events, "events");
        if (arguments.bad()) return arguments.refuse(error);
        Options values = options != nullptr ? options->values : Options();
        *connection = reinterpret_cast<haigha_connection*>(new Connection(
            Ref<EventLoop>(core(loop)), std::move(values), haigha::capi::then_from(events)));
        return HAIGHA_OK;
    });
}

haigha_status haigha_connection_set_events(haigha_connection* connection, const haigha_then* events,
                                           haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        check_then(arguments, events, "events");
        if (arguments.bad()) return arguments.refuse(error);
        if (object->set_events(haigha::capi::then_from(events))) return HAIGHA_OK;
        return haigha::capi::refuse(Status::closed, "the loop was closed", error);
    });
}

namespace {

// fd: -1 to connect.
haigha_status open(haigha_connection* connection, int fd, const haigha_then* then,
                   haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(object->open(Completion(haigha::capi::then_from(then)), -1, fd),
                                    error);
    });
}

haigha_status open_wait(haigha_connection* connection, int fd, int64_t timeout_ms,
                        haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        check_timeout(arguments, timeout_ms);
        if (arguments.bad()) return arguments.refuse(error);
        const int64_t limit_ms = timeout_ms < 0 ? object->options().connection_timeout : timeout_ms;
        return haigha::capi::answer(
            object->wait(
                [&](Completion done) { return object->open(std::move(done), limit_ms, fd); },
                limit_ms, nullptr),
            error);
    });
}

haigha_status no_descriptor(int fd, haigha_error** error) {
    return haigha::capi::refuse(Status::argument, "fd is " + std::to_string(fd), error);
}

}  // namespace

haigha_status haigha_connection_open(haigha_connection* connection, const haigha_then* then,
                                     haigha_error** error) {
    return open(connection, -1, then, error);
}

haigha_status haigha_connection_open_wait(haigha_connection* connection, int64_t timeout_ms,
                                          haigha_error** error) {
    return open_wait(connection, -1, timeout_ms, error);
}

haigha_status haigha_connect_wait(haigha_str uri, int64_t timeout_ms,
                                  haigha_connection** connection, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(connection, "connection");
        check_timeout(arguments, timeout_ms);
        if (arguments.bad()) return arguments.refuse(error);
        haigha_options options;
        haigha_status status = haigha_options_set_uri(&options, uri, error);
        haigha_loop* loop = nullptr;
        if (status == HAIGHA_OK) status = haigha_loop_start(&loop, error);
        if (status != HAIGHA_OK) return status;
        haigha_connection* made = nullptr;
        status = haigha_connection_new(loop, &options, nullptr, &made, error);
        haigha_loop_unref(loop);  // the connection keeps it
        if (status != HAIGHA_OK) return status;
        status = haigha_connection_open_wait(made, timeout_ms, error);
        if (status != HAIGHA_OK) {
            haigha_connection_unref(made);
            return status;
        }
        *connection = made;
        return HAIGHA_OK;
    });
}

haigha_status haigha_connection_open_fd(haigha_connection* connection, int fd,
                                        const haigha_then* then, haigha_error** error) {
    return fd < 0 ? no_descriptor(fd, error) : open(connection, fd, then, error);
}

haigha_status haigha_connection_open_fd_wait(haigha_connection* connection, int fd,
                                             int64_t timeout_ms, haigha_error** error) {
    return fd < 0 ? no_descriptor(fd, error) : open_wait(connection, fd, timeout_ms, error);
}

haigha_status haigha_connection_close(haigha_connection* connection, const haigha_then* then,
                                      haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(object->close(Completion(haigha::capi::then_from(then)), -1),
                                    error);
    });
}

haigha_status haigha_connection_close_wait(haigha_connection* connection, int64_t timeout_ms,
                                           haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        check_timeout(arguments, timeout_ms);
        if (arguments.bad()) return arguments.refuse(error);
        const int64_t limit_ms = timeout_ms < 0 ? object->options().close_timeout_ms : timeout_ms;
        return haigha::capi::answer(
            object->wait([&](Completion done) { return object->close(std::move(done), limit_ms); },
                         limit_ms, nullptr),
            error);
    });
}

namespace {
haigha::client::StopTimes read_stop(Arguments& arguments, const Connection* connection,
                                    const haigha_stop_args* args) {
    const haigha_stop_args given =
        args != nullptr ? arguments.args(args, "args") : haigha_stop_args HAIGHA_STOP_ARGS_INIT;
    if (connection == nullptr) return {};
    const auto& options = connection->options();
    const auto or_default = [](uint32_t chosen, int64_t otherwise) {
        return chosen != 0 ? int64_t{chosen} : otherwise;
    };
    return {or_default(given.settle_timeout_ms, options.rpc_timeout_ms),
            or_default(given.publish_timeout_ms, options.rpc_timeout_ms),
            or_default(given.close_timeout_ms, options.close_timeout_ms)};
}
}  // namespace

haigha_status haigha_connection_stop(haigha_connection* connection, const haigha_stop_args* args,
                                     const haigha_then* then, haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        check_then(arguments, then, "then");
        const auto times = read_stop(arguments, object, args);
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(object->stop(times, Completion(haigha::capi::then_from(then))),
                                    error);
    });
}

haigha_status haigha_connection_stop_wait(haigha_connection* connection,
                                          const haigha_stop_args* args, haigha_reply** reply,
                                          haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        const auto times = read_stop(arguments, object, args);
        if (arguments.bad()) return arguments.refuse(error);
        // The loop keeps to the parts; what is begun on a loop that does not run ends here.
        constexpr int64_t grace_ms = 1000;
        Ref<haigha::client::Reply> answered;
        ErrorRef failed =
            object->wait([&](Completion done) { return object->stop(times, std::move(done)); },
                         times.settle_ms + times.publish_ms + times.close_ms + grace_ms, &answered);
        if (reply != nullptr && answered) *reply = haigha::capi::give(std::move(answered));
        return haigha::capi::answer(std::move(failed), error);
    });
}

haigha_status haigha_connection_flush(haigha_connection* connection, const haigha_then* then,
                                      haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(object->flush(Completion(haigha::capi::then_from(then)), -1),
                                    error);
    });
}

haigha_status haigha_connection_flush_wait(haigha_connection* connection, int64_t timeout_ms,
                                           haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, connection);
        check_timeout(arguments, timeout_ms);
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(
            object->wait(
                [&](Completion done) { return object->flush(std::move(done), timeout_ms); },
                timeout_ms, nullptr),
            error);
    });
}

int32_t haigha_connection_state(const haigha_connection* connection) {
    if (connection == nullptr) return HAIGHA_STATE_CLOSED;
    return static_cast<int32_t>(core(connection)->state());
}

haigha_error* haigha_connection_last_error(const haigha_connection* connection) {
    if (connection == nullptr || core(connection)->forked()) return nullptr;
    return haigha::capi::give(core(connection)->last_error());
}

haigha_status haigha_connection_info(const haigha_connection* connection, haigha_str name,
                                     int64_t* value, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        return haigha::capi::info(arguments,
                                  usable(arguments, const_cast<haigha_connection*>(connection)),
                                  name, value, "a connection has no number called", error);
    });
}

haigha_status haigha_connection_server_properties(const haigha_connection* connection,
                                                  haigha_table** table, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, const_cast<haigha_connection*>(connection));
        arguments.required(table, "table");
        if (arguments.bad()) return arguments.refuse(error);
        const std::vector<std::byte> contents = object->server_properties();
        if (contents.empty()) {
            return haigha::capi::refuse(Status::closed, "connection.start was not received", error);
        }
        haigha_table* copy = nullptr;
        if (const haigha_status status = haigha_table_new(&copy, error); status != HAIGHA_OK) {
            return status;
        }
        haigha::wire::TableCursor cursor(contents);
        haigha::wire::Field field;
        while (cursor.next(field) == haigha::wire::FieldStatus::field) {
            (void)copy->table.add(field);  // what cannot be written again is left out
        }
        *table = copy;
        return HAIGHA_OK;
    });
}

haigha_status haigha_connection_peer_info(const haigha_connection* connection, haigha_table** table,
                                          haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Connection* object = usable(arguments, const_cast<haigha_connection*>(connection));
        arguments.required(table, "table");
        if (arguments.bad()) return arguments.refuse(error);
        auto facts = object->peer_facts();
        if (facts.empty()) {
            return haigha::capi::refuse(Status::closed, "the transport was not connected", error);
        }
        facts.push_back({"auth_mechanism", object->mechanism()});
        haigha_table* made = nullptr;
        if (const haigha_status status = haigha_table_new(&made, error); status != HAIGHA_OK) {
            return status;
        }
        for (const auto& fact : facts)
            (void)made->table.add_string(fact.name, fact.value);
        *table = made;
        return HAIGHA_OK;
    });
}

haigha_connection* haigha_connection_ref(haigha_connection* connection) {
    if (connection != nullptr) core(connection)->handles().add();
    return connection;
}

void haigha_connection_unref(haigha_connection* connection) {
    haigha::capi::unref(core(connection));
}
