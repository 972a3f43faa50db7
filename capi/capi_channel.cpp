// haigha_channel: open, close, flow and state.
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "boundary.h"
#include "channel_calls.h"
#include "handles.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::calls;
using haigha::capi::check_then;
using haigha::capi::core;
using haigha::capi::guard;
using haigha::capi::usable;
using haigha::client::Channel;
using haigha::client::Completion;

namespace {

// What is kept for a channel's next incarnation has a bound.
constexpr uint64_t kept_in_flight = 65536;
constexpr uint64_t kept_in_flight_bytes = 64 * 1024 * 1024;
// As good as any.
constexpr uint64_t longest_age_ms = uint64_t{100} * 365 * 24 * 3600 * 1000;

haigha_channel_args read_args(Arguments& arguments, haigha_connection* connection,
                              const haigha_channel_args* args, haigha_channel** channel) {
    arguments.required(connection, "connection");
    arguments.required(channel, "channel");
    if (!arguments.bad() && core(connection)->forked()) {
        arguments.fault(Status::forked, "the process was forked after the connection was made");
    }
    if (args == nullptr) return HAIGHA_CHANNEL_ARGS_INIT;
    const haigha_channel_args given =
        arguments.args(args, "args", offsetof(haigha_channel_args, max_in_flight));
    check_then(arguments, &given.events, "args->events");
    if (given.correlate_returns != 0 && given.confirm == 0) {
        arguments.fault(Status::argument, "args->correlate_returns needs args->confirm");
    }
    if ((given.max_in_flight != 0 || given.max_in_flight_bytes != 0) && given.confirm == 0) {
        arguments.fault(Status::argument, "args->max_in_flight needs args->confirm");
    }
    if (given.publish_policy > HAIGHA_PUBLISH_RESEND) {
        arguments.fault(Status::argument,
                        "args->publish_policy is " + std::to_string(given.publish_policy));
    }
    if (given.publish_policy != HAIGHA_PUBLISH_FAIL && given.confirm == 0) {
        arguments.fault(Status::argument, "args->publish_policy needs args->confirm");
    }
    if (given.publish_max_age_ms != 0 && given.publish_policy == HAIGHA_PUBLISH_FAIL) {
        arguments.fault(Status::argument, "args->publish_max_age_ms needs args->publish_policy");
    }
    if (given.recovery_policy > HAIGHA_CHANNEL_RESUBSCRIBE) {
        arguments.fault(Status::argument,
                        "args->recovery_policy is " + std::to_string(given.recovery_policy));
    }
    return given;
}

haigha::client::ChannelModes modes_of(const haigha_channel_args& args) {
    haigha::client::ChannelModes modes;
    modes.confirm = args.confirm != 0;
    modes.correlate_returns = args.correlate_returns != 0;
    modes.in_flight = {args.max_in_flight, args.max_in_flight_bytes};
    modes.policy = static_cast<haigha::client::ChannelPolicy>(args.recovery_policy);
    modes.publishes = static_cast<haigha::client::PublishPolicy>(args.publish_policy);
    modes.max_age = haigha::milliseconds(
        static_cast<int64_t>(std::min(args.publish_max_age_ms, longest_age_ms)));
    if (modes.publishes == haigha::client::PublishPolicy::fail) return modes;
    if (modes.in_flight.messages == 0) modes.in_flight.messages = kept_in_flight;
    if (modes.in_flight.bytes == 0) modes.in_flight.bytes = kept_in_flight_bytes;
    return modes;
}

auto flow(int32_t active) {
    return [active](Arguments&) {
        haigha::wire::channel::Flow method{};
        method.active = active != 0;
        return calls(method);
    };
}

}  // namespace

haigha_status haigha_channel_open(haigha_connection* connection, const haigha_channel_args* args,
                                  const haigha_then* then, haigha_channel** channel,
                                  haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        const haigha_channel_args given = read_args(arguments, connection, args, channel);
        check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        Ref<Channel> opened;
        ErrorRef refused =
            core(connection)
                ->open_channel(haigha::capi::then_from(&given.events), modes_of(given),
                               Completion(haigha::capi::then_from(then)), -1, &opened);
        if (refused) return haigha::capi::refuse(std::move(refused), error);
        *channel = reinterpret_cast<haigha_channel*>(opened.leak());
        return HAIGHA_OK;
    });
}

haigha_status haigha_channel_open_wait(haigha_connection* connection,
                                       const haigha_channel_args* args, int64_t timeout_ms,
                                       haigha_channel** channel, haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        const haigha_channel_args given = read_args(arguments, connection, args, channel);
        if (timeout_ms < -1) arguments.fault(Status::argument, "timeout_ms is below -1");
        if (arguments.bad()) return arguments.refuse(error);
        Ref<Channel> opened;
        ErrorRef failed =
            core(connection)
                ->wait(
                    [&](Completion done) {
                        return core(connection)
                            ->open_channel(haigha::capi::then_from(&given.events), modes_of(given),
                                           std::move(done), timeout_ms, &opened);
                    },
                    timeout_ms, nullptr);
        if (failed) {
            if (opened) {
                opened->abandon();  // nobody has the handle; its events' release hook still runs
            }
            return haigha::capi::refuse(std::move(failed), error);
        }
        *channel = reinterpret_cast<haigha_channel*>(opened.leak());
        return HAIGHA_OK;
    });
}

haigha_status haigha_channel_close(haigha_channel* channel, const haigha_then* then,
                                   haigha_error** error) {
    return haigha::capi::run(channel, then, error, [](Arguments&) {
        return [](Channel& object, Completion done, int64_t timeout_ms) {
            return object.close(std::move(done), timeout_ms);
        };
    });
}

haigha_status haigha_channel_close_wait(haigha_channel* channel, int64_t timeout_ms,
                                        haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, nullptr, error, [](Arguments&) {
        return [](Channel& object, Completion done, int64_t limit_ms) {
            return object.close(std::move(done), limit_ms);
        };
    });
}

haigha_status haigha_channel_set_events(haigha_channel* channel, const haigha_then* events,
                                        haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Channel* object = usable(arguments, channel);
        check_then(arguments, events, "events");
        if (arguments.bad()) return arguments.refuse(error);
        if (object->set_events(haigha::capi::then_from(events))) return HAIGHA_OK;
        return haigha::capi::refuse(Status::closed, "the loop was closed", error);
    });
}

haigha_status haigha_channel_flow(haigha_channel* channel, int32_t active, const haigha_then* then,
                                  haigha_error** error) {
    return haigha::capi::run(channel, then, error, flow(active));
}
haigha_status haigha_channel_flow_wait(haigha_channel* channel, int32_t active, int64_t timeout_ms,
                                       haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, flow(active));
}

int32_t haigha_channel_state(const haigha_channel* channel) {
    if (channel == nullptr) return HAIGHA_STATE_CLOSED;
    return static_cast<int32_t>(core(channel)->state());
}
uint16_t haigha_channel_id(const haigha_channel* channel) {
    return channel != nullptr ? core(channel)->number() : uint16_t{0};
}
haigha_error* haigha_channel_last_error(const haigha_channel* channel) {
    if (channel == nullptr || core(channel)->connection().forked()) return nullptr;
    return haigha::capi::give(core(channel)->last_error());
}

haigha_channel* haigha_channel_ref(haigha_channel* channel) {
    if (channel != nullptr) core(channel)->handles().add();
    return channel;
}
void haigha_channel_unref(haigha_channel* channel) {
    haigha::capi::unref(core(channel));
}
