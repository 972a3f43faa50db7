// Pools of channels.
#include "haigha/pool.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "boundary.h"
#include "handles.h"
#include "pool/channel_pool.h"
#include "publish_request.h"
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
using haigha::pool::ChannelPool;
using haigha::pool::PooledMessage;
using haigha::pool::PoolOutcome;
using haigha::pool::PoolSettings;
using haigha::pool::Retry;

#define SAME_NUMBER(ours, theirs) static_assert(static_cast<int>(ours) == (theirs))
SAME_NUMBER(PoolOutcome::confirmed, HAIGHA_OUTCOME_CONFIRMED);
SAME_NUMBER(PoolOutcome::nacked, HAIGHA_OUTCOME_NACKED);
SAME_NUMBER(PoolOutcome::returned, HAIGHA_OUTCOME_RETURNED);
SAME_NUMBER(PoolOutcome::not_sent, HAIGHA_OUTCOME_NOT_SENT);
SAME_NUMBER(PoolOutcome::unknown, HAIGHA_OUTCOME_UNKNOWN);
SAME_NUMBER(PoolOutcome::refused, HAIGHA_OUTCOME_REFUSED);
SAME_NUMBER(Retry::all, HAIGHA_POOL_RETRY_ALL);
SAME_NUMBER(Retry::safe, HAIGHA_POOL_RETRY_SAFE);
SAME_NUMBER(Retry::none, HAIGHA_POOL_RETRY_NONE);
SAME_NUMBER(haigha::client::EventType::pool_state, HAIGHA_EVENT_POOL_STATE);
#undef SAME_NUMBER

namespace {

constexpr std::uint32_t most_channels = 65'535;
constexpr std::uint64_t most_in_flight = 1'000'000;

ChannelPool* core(haigha_pool* pool) {
    return reinterpret_cast<ChannelPool*>(pool);
}

ChannelPool* usable(Arguments& arguments, haigha_pool* pool) {
    return haigha::capi::usable_object(arguments, core(pool), "pool");
}

// NULL and zeros: the defaults.
PoolSettings read_settings(Arguments& arguments, const haigha_pool_args& given) {
    PoolSettings settings;
    if (given.mode > HAIGHA_POOL_TX) {
        arguments.fault(Status::argument, "args->mode is " + std::to_string(given.mode) +
                                              ", not a HAIGHA_POOL_CONFIRM or HAIGHA_POOL_TX");
    }
    if (given.retry > HAIGHA_POOL_RETRY_NONE) {
        arguments.fault(Status::argument, "args->retry is " + std::to_string(given.retry) +
                                              ", not a HAIGHA_POOL_RETRY_*");
    }
    if (given.max_channels > most_channels) {
        arguments.fault(Status::argument, "args->max_channels is " +
                                              std::to_string(given.max_channels) + ", over 65,535");
    }
    if (given.max_in_flight > most_in_flight) {
        arguments.fault(
            Status::argument,
            "args->max_in_flight is " + std::to_string(given.max_in_flight) + ", over 1,000,000");
    }
    if (given.correlate_returns != 0 && given.mode != HAIGHA_POOL_CONFIRM) {
        arguments.fault(Status::argument,
                        "args->correlate_returns is for publisher confirms: mode is not "
                        "HAIGHA_POOL_CONFIRM");
    }
    settings.transactions = given.mode == HAIGHA_POOL_TX;
    settings.retry = static_cast<Retry>(given.retry);
    settings.attempts = given.max_attempts;
    if (given.max_channels > 0) settings.channels = given.max_channels;
    if (given.max_in_flight > 0) {
        settings.in_flight = static_cast<std::uint32_t>(given.max_in_flight);
    }
    if (given.max_messages > 0) settings.messages = given.max_messages;
    if (given.max_bytes > 0) settings.bytes = given.max_bytes;
    return settings;
}

auto finder(haigha_pool* pool) {
    return [pool](Arguments& arguments) { return usable(arguments, pool); };
}

}  // namespace

haigha_status haigha_pool_new(haigha_connection* connection, const haigha_pool_args* args,
                              haigha_pool** pool, haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = haigha::capi::usable(arguments, connection);
        haigha_pool_args given = HAIGHA_POOL_ARGS_INIT;
        if (args != nullptr) given = arguments.args(args, "args");
        check_then(arguments, &given.events, "args->events");
        const PoolSettings settings = read_settings(arguments, given);
        arguments.required(pool, "pool");
        if (arguments.bad()) return arguments.refuse(error);
        Ref<ChannelPool> made;
        ErrorRef refused = ChannelPool::create(Ref<haigha::client::Connection>(object),
                                               haigha::capi::then_from(&given.events), settings,
                                               given.correlate_returns != 0, &made);
        if (refused) return haigha::capi::refuse(std::move(refused), error);
        *pool = reinterpret_cast<haigha_pool*>(made.leak());
        return HAIGHA_OK;
    });
}

haigha_status haigha_pool_publish(haigha_pool* pool, const haigha_publish_args* args,
                                  haigha_str body, uint64_t* number, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        ChannelPool* const object = usable(arguments, pool);
        std::optional<haigha::wire::Properties> properties;
        haigha::protocol::PublishRequest request;
        haigha::capi::read_request(arguments, args, properties, request);
        haigha::capi::read_body(arguments, body, request);
        if (arguments.bad()) [[unlikely]]
            return arguments.refuse(error);
        const Status status = haigha::capi::with_trace(
            object->connection(), request, [&](const haigha::protocol::PublishRequest& traced) {
                return object->publish(Ref<PooledMessage>::adopt(new PooledMessage(traced)),
                                       number);
            });
        if (status == Status::ok) [[likely]]
            return HAIGHA_OK;
        // WOULD_BLOCK is no failure, and comes often: details only for who asks.
        if (error == nullptr) return haigha::capi::number(status);
        return haigha::capi::refuse(object->refusal(status), error);
    });
}

haigha_status haigha_pool_publish_wait(haigha_pool* pool, const haigha_publish_args* args,
                                       haigha_str body, int64_t timeout_ms, haigha_reply** reply,
                                       haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        ChannelPool* const object = usable(arguments, pool);
        std::optional<haigha::wire::Properties> properties;
        haigha::protocol::PublishRequest request;
        check_timeout(arguments, timeout_ms);
        haigha::capi::read_request(arguments, args, properties, request);
        haigha::capi::read_body(arguments, body, request);
        if (arguments.bad()) return arguments.refuse(error);
        Ref<haigha::client::Reply> answered;
        ErrorRef failed = haigha::capi::with_trace(
            object->connection(), request, [&](const haigha::protocol::PublishRequest& traced) {
                return object->publish_wait(traced, timeout_ms, &answered);
            });
        if (failed) return haigha::capi::refuse(std::move(failed), error);
        if (reply != nullptr) *reply = haigha::capi::give(std::move(answered));
        return HAIGHA_OK;
    });
}

haigha_status haigha_pool_drain(haigha_pool* pool, const haigha_then* then, haigha_error** error) {
    return haigha::capi::start_on(finder(pool), then, error, [](ChannelPool& of, Completion done) {
        return of.drain(std::move(done));
    });
}
haigha_status haigha_pool_drain_wait(haigha_pool* pool, int64_t timeout_ms, haigha_error** error) {
    return haigha::capi::wait_on(finder(pool), timeout_ms, error,
                                 [&](ChannelPool& of) { return of.drain_wait(timeout_ms); });
}

haigha_status haigha_pool_close(haigha_pool* pool, const haigha_then* then, haigha_error** error) {
    return haigha::capi::start_on(finder(pool), then, error, [](ChannelPool& of, Completion done) {
        return of.close(std::move(done));
    });
}
haigha_status haigha_pool_close_wait(haigha_pool* pool, int64_t timeout_ms, haigha_error** error) {
    return haigha::capi::wait_on(finder(pool), timeout_ms, error,
                                 [&](ChannelPool& of) { return of.close_wait(timeout_ms); });
}

haigha_status haigha_pool_info(const haigha_pool* pool, haigha_str name, int64_t* value,
                               haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        return haigha::capi::info(arguments, usable(arguments, const_cast<haigha_pool*>(pool)),
                                  name, value, "a pool has no number called", error);
    });
}

haigha_pool* haigha_pool_ref(haigha_pool* pool) {
    if (pool != nullptr) core(pool)->handles().add();
    return pool;
}
void haigha_pool_unref(haigha_pool* pool) {
    haigha::capi::unref(core(pool));
}
