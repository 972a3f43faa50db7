// Ladders of retries.
#include "haigha/retry.h"

#include <string>
#include <utility>
#include <vector>

#include "boundary.h"
#include "handles.h"
#include "message_headers.h"
#include "topology/retrier.h"
#include "topology/typed_arguments.h"
#include "topology_handles.h"
#include "usable.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::client::Completion;
using haigha::topology::Retrier;
using haigha::topology::RetryLadder;

namespace {

constexpr std::size_t max_reason_size = std::size_t{1} << 24;

Retrier* core(haigha_retry* retry) {
    return reinterpret_cast<Retrier*>(retry);
}

Retrier* usable(Arguments& arguments, haigha_retry* retry) {
    return haigha::capi::usable_object(arguments, core(retry), "retry");
}

std::string name_or(std::string_view given, std::string_view queue, const char* ending) {
    return given.empty() ? std::string(queue) + ending : std::string(given);
}

RetryLadder read_ladder(Arguments& arguments, const haigha_retry_args* args) {
    const auto given = arguments.args(args, "args");
    const std::string_view queue = arguments.name(given.queue, "args->queue");
    const std::string_view prefix = arguments.name(given.prefix, "args->prefix");
    const std::string_view quarantine = arguments.name(given.quarantine, "args->quarantine");
    if (queue.empty()) arguments.fault(Status::argument, "args->queue is empty");
    if (given.delay_count < 1 || given.delay_count > haigha::topology::most_steps) {
        arguments.fault(Status::argument, "args->delay_count is " +
                                              std::to_string(given.delay_count) + ", not 1 to 64");
    }
    if (!arguments.bad()) arguments.required(given.delays_ms, "args->delays_ms");
    if (arguments.bad()) return {{}, {}, false};
    const std::vector<std::uint64_t> delays(given.delays_ms, given.delays_ms + given.delay_count);
    for (const std::uint64_t delay : delays) {
        if (delay >= 1 && delay <= haigha::topology::longest_time_ms) continue;
        arguments.fault(Status::argument, "args->delays_ms has " + std::to_string(delay) +
                                              ", not 1 to 315,360,000,000");
    }
    return {{std::string(queue), name_or(prefix, queue, ".retry"),
             name_or(quarantine, queue, ".quarantine")},
            delays,
            given.quorum != 0};
}

haigha_status give_to(haigha_retry* retry, haigha_channel* channel, haigha_message* message,
                      haigha_str reason, bool to_quarantine, const haigha_then* then,
                      haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Retrier* const object = usable(arguments, retry);
        auto* const of = haigha::capi::usable(arguments, channel);
        arguments.required(message, "message");
        const std::string_view why = arguments.text(reason, "reason", max_reason_size);
        haigha::capi::check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(
            object->retry(*of, *haigha::capi::core(message), why, to_quarantine,
                          Completion(haigha::capi::then_from(then))),
            error);
    });
}

}  // namespace

haigha_status haigha_retry_new(haigha_connection* connection, const haigha_retry_args* args,
                               haigha_retry** retry, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = haigha::capi::usable(arguments, connection);
        RetryLadder ladder = read_ladder(arguments, args);
        arguments.required(retry, "retry");
        if (arguments.bad()) return arguments.refuse(error);
        haigha::topology::Description description;
        const std::string why = ladder.add_to(description);
        if (!why.empty()) return haigha::capi::refuse(Status::argument, why, error);
        Ref<Retrier> made;
        ErrorRef refused =
            Retrier::create(Ref<haigha::client::Connection>(object), std::move(ladder), &made);
        if (refused) return haigha::capi::refuse(std::move(refused), error);
        *retry = reinterpret_cast<haigha_retry*>(made.leak());
        return HAIGHA_OK;
    });
}

haigha_status haigha_retry_describe(const haigha_retry* retry, haigha_topology* topology,
                                    haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(retry, "retry");
        arguments.required(topology, "topology");
        if (arguments.bad()) return arguments.refuse(error);
        const std::string why =
            core(const_cast<haigha_retry*>(retry))->ladder().add_to(topology->description);
        return why.empty() ? HAIGHA_OK : haigha::capi::refuse(Status::argument, why, error);
    });
}

haigha_status haigha_retry_declare_wait(haigha_retry* retry, int64_t timeout_ms,
                                        haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        Retrier* const object = usable(arguments, retry);
        haigha::capi::check_timeout(arguments, timeout_ms);
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(object->declare_wait(timeout_ms), error);
    });
}

haigha_status haigha_retry_message(haigha_retry* retry, haigha_channel* channel,
                                   haigha_message* message, haigha_str reason,
                                   const haigha_then* then, haigha_error** error) {
    return give_to(retry, channel, message, reason, false, then, error);
}
haigha_status haigha_retry_quarantine(haigha_retry* retry, haigha_channel* channel,
                                      haigha_message* message, haigha_str reason,
                                      const haigha_then* then, haigha_error** error) {
    return give_to(retry, channel, message, reason, true, then, error);
}

haigha_status haigha_message_retries(const haigha_message* message, uint64_t* count,
                                     haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(count, "count");
        return haigha::capi::read_headers(
            arguments, message, error, [&](haigha::wire::Bytes headers) {
                return haigha::topology::count_retries(headers, count);
            });
    });
}

haigha_status haigha_retry_info(const haigha_retry* retry, haigha_str name, int64_t* value,
                                haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        return haigha::capi::info(arguments, usable(arguments, const_cast<haigha_retry*>(retry)),
                                  name, value, "a ladder of retries has no number called", error);
    });
}

haigha_retry* haigha_retry_ref(haigha_retry* retry) {
    if (retry != nullptr) core(retry)->handles().add();
    return retry;
}
void haigha_retry_unref(haigha_retry* retry) {
    haigha::capi::unref(core(retry));
}
