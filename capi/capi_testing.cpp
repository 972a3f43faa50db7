// haigha/testing.h: a loop's clock that goes when a test says so.
#include "haigha/testing.h"

#include <algorithm>

#include "boundary.h"
#include "handles.h"
#include "usable.h"

using haigha::Duration;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::core;
using haigha::capi::guard;
using haigha::client::Completion;
using haigha::client::Waiter;

namespace {

constexpr int64_t most_milliseconds = int64_t{1} << 40;
constexpr Duration patience = haigha::seconds(30);

void check_advance(Arguments& arguments, haigha_loop* loop, int64_t milliseconds) {
    arguments.required(loop, "loop");
    if (milliseconds < 0 || milliseconds > most_milliseconds) {
        arguments.fault(Status::argument,
                        "milliseconds is " + std::to_string(milliseconds) + ", not 0 to 2^40");
    }
    if (!arguments.bad() && !core(loop)->transport().clock_stands_still()) {
        arguments.fault(Status::argument,
                        "loop has the real clock: haigha_loop_stop_clock comes first");
    }
}

haigha_status refused(haigha_loop* loop, haigha_error** error) {
    return core(loop)->transport().forked()
               ? haigha::capi::refuse(Status::forked,
                                      "the process was forked after the loop was made: the loop "
                                      "belongs to the parent",
                                      error)
               : haigha::capi::refuse(Status::closed, "the loop was closed", error);
}

}  // namespace

haigha_status haigha_loop_stop_clock(haigha_loop* loop, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(loop, "loop");
        if (arguments.bad()) return arguments.refuse(error);
        if (core(loop)->transport().forked()) return refused(loop, error);
        if (core(loop)->stop_clock()) return HAIGHA_OK;
        return haigha::capi::refuse(
            Status::argument, "loop has had a connection, whose timers have the real clock", error);
    });
}

haigha_status haigha_loop_advance(haigha_loop* loop, int64_t milliseconds, const haigha_then* then,
                                  haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        check_advance(arguments, loop, milliseconds);
        haigha::capi::check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        if (core(loop)->transport().forked()) return refused(loop, error);
        const bool taken = core(loop)->advance(haigha::milliseconds(milliseconds),
                                               Completion(haigha::capi::then_from(then)));
        return taken ? HAIGHA_OK : refused(loop, error);
    });
}

haigha_status haigha_loop_advance_wait(haigha_loop* loop, int64_t milliseconds, int64_t timeout_ms,
                                       haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        check_advance(arguments, loop, milliseconds);
        haigha::capi::check_timeout(arguments, timeout_ms);
        if (arguments.bad()) return arguments.refuse(error);
        if (core(loop)->transport().forked()) return refused(loop, error);
        if (core(loop)->transport().on_thread()) {
            return haigha::capi::refuse(
                Status::wrong_thread,
                "a waiting form was called on the loop's own thread, which would have to answer it",
                error);
        }
        const Ref<Waiter> waiter = Ref<Waiter>::adopt(new Waiter);
        if (!core(loop)->advance(haigha::milliseconds(milliseconds), Completion(waiter))) {
            return refused(loop, error);
        }
        const Duration limit = timeout_ms < 0
                                   ? patience
                                   : haigha::milliseconds(std::min(timeout_ms, most_milliseconds));
        if (!waiter->wait_for(limit)) {
            return haigha::capi::refuse(Status::timeout,
                                        "the clock is not there in time: is the loop running, or "
                                        "is a callback keeping it?",
                                        error);
        }
        return waiter->error() ? haigha::capi::refuse(waiter->error(), error) : HAIGHA_OK;
    });
}

int64_t haigha_loop_advanced(haigha_loop* loop) {
    if (loop == nullptr || !core(loop)->transport().clock_stands_still()) return -1;
    return core(loop)->transport().advanced().nanoseconds / 1'000'000;
}
