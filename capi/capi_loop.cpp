// haigha_loop: owned and attached loops, and their log.
#include <algorithm>
#include <array>

#include "boundary.h"
#include "handles.h"
#include "usable.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::core;
using haigha::capi::guard;
using haigha::client::Completion;
using haigha::client::EventLoop;
using haigha::client::LogHook;
using haigha::client::LogLevel;
using haigha::client::LogRecord;

namespace {

void hand_over(const Ref<haigha::transport::Loop>& transport, haigha_loop** loop) {
    try {
        *loop = reinterpret_cast<haigha_loop*>(new EventLoop(transport));
    } catch (...) {
        transport->drop_user();
        throw;
    }
}

haigha_field told(const haigha::wire::Field& from) {
    haigha_field to{};
    to.name = haigha::capi::str(from.name);
    to.type = static_cast<unsigned char>(from.tag);
    to.integer = from.integer;
    to.bytes = {reinterpret_cast<const char*>(from.bytes.data()), from.bytes.size()};
    return to;
}

void invoke_log(LogHook::AnyFunction fn, const LogRecord& record, void* user_data) {
    std::array<haigha_field, haigha::client::LogFields::most> fields;
    std::transform(record.fields.begin(), record.fields.end(), fields.begin(), told);
    const haigha_log_record told{sizeof(haigha_log_record),
                                 static_cast<int32_t>(record.level),
                                 record.connection_id,
                                 record.time_ns,
                                 haigha::capi::str(record.subject),
                                 haigha::capi::str(record.message),
                                 haigha::capi::str(record.event),
                                 fields.data(),
                                 record.fields.size()};
    reinterpret_cast<haigha_log_fn>(fn)(&told, user_data);
}

haigha_status closed(haigha_error** error) {
    return haigha::capi::refuse(Status::closed, "the loop was closed", error);
}
haigha_status forked(haigha_error** error) {
    return haigha::capi::refuse(Status::forked,
                                "the process was forked after the loop was made: the loop belongs "
                                "to the parent",
                                error);
}

}  // namespace

haigha_status haigha_loop_start(haigha_loop** loop, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(loop, "loop");
        if (arguments.bad()) return arguments.refuse(error);
        ErrorRef failed;
        Ref<haigha::transport::Loop> transport = haigha::transport::Loop::start(&failed);
        if (!transport) return haigha::capi::refuse(failed, error);
        hand_over(transport, loop);
        return HAIGHA_OK;
    });
}

haigha_status haigha_loop_attach_checked(struct uv_loop_s* uv, void (*callers_uv_run)(void),
                                         haigha_loop** loop, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(uv, "uv");
        arguments.required(loop, "loop");
        if (callers_uv_run == nullptr) arguments.fault(Status::argument, "callers_uv_run is NULL");
        if (!arguments.bad() && !haigha::transport::Loop::same_libuv(callers_uv_run)) {
            arguments.fault(Status::argument,
                            "callers_uv_run is not the uv_run of the libuv that libhaigha uses: "
                            "the program has a second copy, and sharing a loop would corrupt it");
        }
        if (arguments.bad()) return arguments.refuse(error);
        ErrorRef failed;
        Ref<haigha::transport::Loop> transport = haigha::transport::Loop::attach(uv, &failed);
        if (!transport) return haigha::capi::refuse(failed, error);
        hand_over(transport, loop);
        return HAIGHA_OK;
    });
}

haigha_status haigha_loop_close(haigha_loop* loop, const haigha_then* then, haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(loop, "loop");
        haigha::capi::check_then(arguments, then, "then");
        if (arguments.bad()) return arguments.refuse(error);
        if (core(loop)->transport().forked()) return forked(error);
        const bool taken = core(loop)->close(Completion(haigha::capi::then_from(then)));
        return taken ? HAIGHA_OK : closed(error);
    });
}

haigha_loop* haigha_loop_ref(haigha_loop* loop) {
    if (loop != nullptr) core(loop)->handles().add();
    return loop;
}

void haigha_loop_unref(haigha_loop* loop) {
    haigha::capi::unref(core(loop));
}

haigha_status haigha_loop_set_log(haigha_loop* loop, int32_t level, haigha_log_fn fn,
                                  void* user_data, haigha_release_fn release,
                                  haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(loop, "loop");
        if (level < HAIGHA_LOG_ERROR || level > HAIGHA_LOG_TRACE) {
            arguments.fault(Status::argument, "level is " + std::to_string(level) +
                                                  ", not one of HAIGHA_LOG_ERROR to _TRACE");
        }
        if (arguments.bad()) return arguments.refuse(error);
        if (core(loop)->transport().forked()) return forked(error);
        const LogHook hook{&invoke_log, reinterpret_cast<LogHook::AnyFunction>(fn), user_data,
                           release};
        return core(loop)->set_log(static_cast<LogLevel>(level), hook) ? HAIGHA_OK : closed(error);
    });
}
