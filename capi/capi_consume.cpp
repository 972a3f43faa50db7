// The basic class, receiving: qos, consume, cancel, get, recover.
#include <utility>

#include "boundary.h"
#include "channel_calls.h"
#include "consume_request.h"
#include "handles.h"

using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::calls;

namespace {

using haigha::client::Channel;
using haigha::client::Completion;
using haigha::protocol::CallKind;

auto qos(const haigha_qos_args* args) {
    return [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        haigha::wire::basic::Qos method{};
        method.prefetch_size = given.prefetch_bytes;
        method.prefetch_count = given.prefetch_count;
        method.global = given.global != 0;
        return [method](Channel& channel, Completion done, int64_t timeout_ms) {
            return channel.qos(method, std::move(done), timeout_ms);
        };
    };
}

auto consume(const haigha_consume_args* args) {
    return [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        if (given.deliveries.fn == nullptr && given.deliveries.inbox == nullptr) {
            arguments.fault(Status::argument, "args->deliveries has neither fn nor inbox");
        }
        haigha::capi::check_then(arguments, &given.deliveries, "args->deliveries");
        const auto method = haigha::capi::consume_method(arguments, given);
        return [method, deliveries = given.deliveries, pauses = given.pause_when_full != 0](
                   Channel& channel, Completion done, int64_t timeout_ms) {
            return channel.consume(method, {.pause_when_full = pauses},
                                   haigha::capi::then_from(&deliveries), std::move(done),
                                   timeout_ms);
        };
    };
}

auto stop(CallKind kind, haigha_str consumer_tag) {
    return [kind, consumer_tag](Arguments& arguments) {
        const auto tag = arguments.name(consumer_tag, "consumer_tag");
        if (tag.empty()) arguments.fault(Status::argument, "consumer_tag is empty");
        return [kind, tag](Channel& channel, Completion done, int64_t timeout_ms) {
            return channel.stop_consumer(kind, tag, std::move(done), timeout_ms);
        };
    };
}

auto resume(haigha_str consumer_tag) {
    return [consumer_tag](Arguments& arguments) {
        const auto tag = arguments.name(consumer_tag, "consumer_tag");
        return [tag](Channel& channel, Completion done, int64_t timeout_ms) {
            return channel.resume_consumer(tag, std::move(done), timeout_ms);
        };
    };
}

auto get(const haigha_get_args* args) {
    return [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        haigha::wire::basic::Get method{};
        method.queue = {arguments.name(given.queue, "queue")};
        method.no_ack = given.no_ack != 0;
        return calls(method);
    };
}

auto recover(int32_t requeue) {
    return [requeue](Arguments&) {
        haigha::wire::basic::Recover method{};
        method.requeue = requeue != 0;
        return calls(method, CallKind::recover);
    };
}

}  // namespace

haigha_status haigha_qos(haigha_channel* channel, const haigha_qos_args* args,
                         const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, qos(args));
}
haigha_status haigha_qos_wait(haigha_channel* channel, const haigha_qos_args* args,
                              int64_t timeout_ms, haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, qos(args));
}

haigha_status haigha_consume(haigha_channel* channel, const haigha_consume_args* args,
                             const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, consume(args));
}
haigha_status haigha_consume_wait(haigha_channel* channel, const haigha_consume_args* args,
                                  int64_t timeout_ms, haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, consume(args));
}

haigha_status haigha_cancel(haigha_channel* channel, haigha_str consumer_tag,
                            const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, stop(CallKind::cancel, consumer_tag));
}
haigha_status haigha_cancel_wait(haigha_channel* channel, haigha_str consumer_tag,
                                 int64_t timeout_ms, haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  stop(CallKind::cancel, consumer_tag));
}

haigha_status haigha_consumer_drain(haigha_channel* channel, haigha_str consumer_tag,
                                    int64_t timeout_ms, const haigha_then* then,
                                    haigha_error** error) {
    return haigha::capi::run(channel, then, error, stop(CallKind::drain, consumer_tag), timeout_ms);
}
haigha_status haigha_consumer_drain_wait(haigha_channel* channel, haigha_str consumer_tag,
                                         int64_t timeout_ms, haigha_reply** reply,
                                         haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  stop(CallKind::drain, consumer_tag));
}

haigha_status haigha_consumer_pause(haigha_channel* channel, haigha_str consumer_tag,
                                    const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, stop(CallKind::pause, consumer_tag));
}
haigha_status haigha_consumer_pause_wait(haigha_channel* channel, haigha_str consumer_tag,
                                         int64_t timeout_ms, haigha_reply** reply,
                                         haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  stop(CallKind::pause, consumer_tag));
}

haigha_status haigha_consumer_resume(haigha_channel* channel, haigha_str consumer_tag,
                                     const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, resume(consumer_tag));
}
haigha_status haigha_consumer_resume_wait(haigha_channel* channel, haigha_str consumer_tag,
                                          int64_t timeout_ms, haigha_reply** reply,
                                          haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, resume(consumer_tag));
}

haigha_status haigha_get(haigha_channel* channel, const haigha_get_args* args,
                         const haigha_then* then, haigha_error** error) {
    return haigha::capi::run(channel, then, error, get(args));
}
haigha_status haigha_get_wait(haigha_channel* channel, const haigha_get_args* args,
                              int64_t timeout_ms, haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, get(args));
}

haigha_status haigha_recover(haigha_channel* channel, int32_t requeue, const haigha_then* then,
                             haigha_error** error) {
    return haigha::capi::run(channel, then, error, recover(requeue));
}
haigha_status haigha_recover_wait(haigha_channel* channel, int32_t requeue, int64_t timeout_ms,
                                  haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, recover(requeue));
}
