// haigha_inbox: events fetched in batches.
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>

#include "base/record_copy.h"
#include "boundary.h"
#include "handles.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::core;
using haigha::capi::guard;
using haigha::client::Event;
using haigha::client::Inbox;
using haigha::client::ReadyHook;

using Clock = std::chrono::steady_clock;

haigha_status haigha_inbox_new(size_t capacity_events, haigha_inbox** inbox, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(inbox, "inbox");
        if (capacity_events > Inbox::max_capacity) {
            arguments.fault(
                Status::argument,
                "capacity_events is " + std::to_string(capacity_events) + ", more than 1000000");
        }
        if (arguments.bad()) return arguments.refuse(error);
        ErrorRef failed;
        Ref<Inbox> made = Inbox::create(capacity_events, &failed);
        if (!made) return haigha::capi::refuse(failed, error);
        *inbox = reinterpret_cast<haigha_inbox*>(made.leak());
        return HAIGHA_OK;
    });
}

haigha_status haigha_inbox_set_capacity_bytes(haigha_inbox* inbox, uint64_t capacity_bytes,
                                              haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(inbox, "inbox");
        if (capacity_bytes == 0) arguments.fault(Status::argument, "capacity_bytes is 0");
        if (arguments.bad()) return arguments.refuse(error);
        core(inbox)->set_capacity_bytes(capacity_bytes);
        return HAIGHA_OK;
    });
}

haigha_status haigha_inbox_set_ready(haigha_inbox* inbox, haigha_ready_fn ready, void* user_data,
                                     haigha_release_fn release, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(inbox, "inbox");
        if (inbox != nullptr && core(inbox)->forked()) arguments.forked("inbox");
        if (arguments.bad()) return arguments.refuse(error);
        std::shared_ptr<const ReadyHook> hook;
        if (ready != nullptr) hook = std::make_shared<const ReadyHook>(ready, user_data, release);
        core(inbox)->set_ready(std::move(hook));
        return HAIGHA_OK;
    });
}

int haigha_inbox_fd(const haigha_inbox* inbox) {
    return inbox != nullptr ? core(inbox)->fd() : -1;
}

haigha_status haigha_inbox_poll(haigha_inbox* inbox, haigha_event* events, size_t event_bytes,
                                size_t capacity, int64_t timeout_ms, size_t* count,
                                haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(inbox, "inbox");
        arguments.required(events, "events");
        arguments.required(count, "count");
        // No caller was ever compiled with a smaller record than the first release's.
        constexpr std::size_t first_size = 176;
        if (event_bytes < first_size || event_bytes > haigha::capi::max_struct_size) {
            arguments.fault(Status::struct_version, "event_bytes is " +
                                                        std::to_string(event_bytes) +
                                                        ": it has to be sizeof(haigha_event)");
        }
        if (capacity == 0) arguments.fault(Status::argument, "capacity is 0");
        if (timeout_ms < -1) arguments.fault(Status::argument, "timeout_ms is below -1");
        if (inbox != nullptr && core(inbox)->forked()) arguments.forked("inbox");
        if (arguments.bad()) return arguments.refuse(error);
        if (timeout_ms != 0 && core(inbox)->on_a_filling_thread()) {
            return haigha::capi::refuse(Status::wrong_thread,
                                        "a poll that waits, on the thread of a loop", error);
        }
        if (timeout_ms != 0 && core(inbox)->has_ready_hook()) {
            return haigha::capi::refuse(Status::argument,
                                        "timeout_ms is not 0: an inbox with a ready function is "
                                        "not waited for",
                                        error);
        }
        if (event_bytes == sizeof(Event)) {
            *count = core(inbox)->poll({reinterpret_cast<Event*>(events), capacity}, timeout_ms);
            return HAIGHA_OK;
        }
        // An older or newer caller: the array has another stride than ours.
        std::array<Event, 64> batch;
        const std::size_t wanted = std::min(capacity, batch.size());
        *count = core(inbox)->poll(std::span(batch).first(wanted), timeout_ms);
        haigha::copy_records(batch.data(), sizeof(Event), events, event_bytes, *count);
        return HAIGHA_OK;
    });
}

haigha_status haigha_inbox_next_message(haigha_inbox* inbox, int64_t timeout_ms,
                                        haigha_message** message, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(inbox, "inbox");
        arguments.required(message, "message");
        if (arguments.bad()) return arguments.refuse(error);
        const Clock::time_point begun = Clock::now();
        std::int64_t left_ms = timeout_ms;
        while (true) {
            haigha_event event;
            std::size_t count = 0;
            const haigha_status status =
                haigha_inbox_poll(inbox, &event, sizeof event, 1, left_ms, &count, error);
            if (status != HAIGHA_OK) return status;
            if (count == 0) return HAIGHA_ERR_TIMEOUT;
            if (event.type == HAIGHA_EVENT_DELIVERY) {
                *message = haigha_message_ref(event.message);
                return HAIGHA_OK;
            }
            if (event.type != HAIGHA_EVENT_CONSUMER_CANCELLED) {
                const auto passed =
                    std::chrono::ceil<std::chrono::milliseconds>(Clock::now() - begun);
                if (timeout_ms > 0) {
                    left_ms = std::max<std::int64_t>(0, timeout_ms - passed.count());
                }
                continue;
            }
            if (event.error == nullptr) {
                return haigha::capi::refuse(Status::closed, "the consumer was cancelled", error);
            }
            if (error != nullptr) *error = haigha_error_copy(event.error);
            return haigha_error_status(event.error);
        }
    });
}

haigha_inbox* haigha_inbox_ref(haigha_inbox* inbox) {
    if (inbox != nullptr) core(inbox)->add_handle();
    return inbox;
}
void haigha_inbox_unref(haigha_inbox* inbox) {
    if (inbox != nullptr) core(inbox)->drop_handle();
}
