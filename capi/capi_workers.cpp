// A pool of threads that handle deliveries.
#include "haigha/workers.h"

#include <cstdint>
#include <string>
#include <utility>

#include "boundary.h"
#include "channel_calls.h"
#include "handles.h"
#include "usable.h"
#include "workers/worker_pool.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::check_then;
using haigha::capi::check_timeout;
using haigha::capi::guard;
using haigha::client::Channel;
using haigha::client::Completion;
using haigha::client::Event;
using haigha::workers::Handler;
using haigha::workers::Order;
using haigha::workers::WorkerPool;
using haigha::workers::WorkerSettings;

namespace {

constexpr std::uint32_t most_threads = 1024;
constexpr std::uint32_t most_in_a_row = 1'000'000;

WorkerPool* core(haigha_workers* workers) {
    return reinterpret_cast<WorkerPool*>(workers);
}

WorkerPool* usable(Arguments& arguments, haigha_workers* workers) {
    WorkerPool* const object = core(workers);
    arguments.required(object, "workers");
    if (object != nullptr && object->forked()) {
        arguments.fault(Status::forked,
                        "the process was forked after the workers were made: they belong to the "
                        "parent");
    }
    return object;
}

std::int32_t invoke(Handler::AnyFunction fn, const Event& event, void* user_data) {
    return reinterpret_cast<haigha_work_fn>(fn)(reinterpret_cast<const haigha_event*>(&event),
                                                user_data);
}
std::uint64_t key_of(Handler::AnyFunction fn, const Event& event, void* user_data) {
    return reinterpret_cast<haigha_order_key_fn>(fn)(reinterpret_cast<const haigha_event*>(&event),
                                                     user_data);
}

void at_most(Arguments& arguments, std::uint32_t given, std::uint32_t most, const char* name) {
    if (given <= most) return;
    arguments.fault(Status::argument, std::string("args->") + name + " is " +
                                          std::to_string(given) + ", over " + std::to_string(most));
}

WorkerSettings read_settings(Arguments& arguments, const haigha_workers_args& given) {
    at_most(arguments, given.threads, most_threads, "threads");
    at_most(arguments, given.most_in_a_row, most_in_a_row, "most_in_a_row");
    WorkerSettings settings;
    if (given.threads > 0) settings.threads = given.threads;
    if (given.most_in_a_row > 0) settings.in_a_row = given.most_in_a_row;
    settings.threads_per_channel = given.max_threads_per_channel;
    if (given.max_queued > 0) settings.waiting = given.max_queued;
    if (given.max_queued_bytes > 0) settings.waiting_bytes = given.max_queued_bytes;
    return settings;
}

// Reads the arguments, and returns what starts the consumer.
auto consume(haigha_workers* workers, const haigha_work_args* args) {
    return [workers, args](Arguments& arguments) {
        WorkerPool* const pool = usable(arguments, workers);
        const auto given = arguments.args(args, "args");
        if (args != nullptr && given.handle == nullptr) {
            arguments.fault(Status::argument, "args->handle is NULL");
        }
        if (given.order > HAIGHA_ORDER_NONE) {
            arguments.fault(Status::argument, "args->order is " + std::to_string(given.order) +
                                                  ", not a HAIGHA_ORDER_*");
        }
        haigha::wire::basic::Consume method{};
        method.queue = {arguments.name(given.queue, "queue")};
        method.consumer_tag = {arguments.name(given.consumer_tag, "consumer_tag")};
        method.no_ack = given.no_ack != 0;
        method.exclusive = given.exclusive != 0;
        method.arguments = haigha::capi::arguments_table(arguments, given.arguments);
        Handler handler;
        handler.invoke = &invoke;
        handler.fn = reinterpret_cast<Handler::AnyFunction>(given.handle);
        handler.key = &key_of;
        handler.key_fn = reinterpret_cast<Handler::AnyFunction>(given.key);
        handler.user_data = given.user_data;
        handler.release = given.release;
        return [pool, method, handler, order = static_cast<Order>(given.order)](
                   Channel& channel, Completion done, int64_t timeout_ms) {
            return pool->consume(channel, method, handler, order, std::move(done), timeout_ms);
        };
    };
}

auto finder(haigha_workers* workers) {
    return [workers](Arguments& arguments) { return usable(arguments, workers); };
}

}  // namespace

haigha_status haigha_workers_new(haigha_loop* loop, const haigha_workers_args* args,
                                 haigha_workers** workers, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = haigha::capi::core(loop);
        arguments.required(object, "loop");
        if (object != nullptr && object->transport().forked()) {
            arguments.fault(Status::forked, "the process was forked after the loop was made");
        }
        haigha_workers_args given = HAIGHA_WORKERS_ARGS_INIT;
        if (args != nullptr) given = arguments.args(args, "args");
        const WorkerSettings settings = read_settings(arguments, given);
        arguments.required(workers, "workers");
        if (arguments.bad()) return arguments.refuse(error);
        Ref<WorkerPool> made;
        ErrorRef refused =
            WorkerPool::create(Ref<haigha::client::EventLoop>(object), settings, &made);
        if (refused) return haigha::capi::refuse(std::move(refused), error);
        *workers = reinterpret_cast<haigha_workers*>(made.leak());
        return HAIGHA_OK;
    });
}

haigha_status haigha_workers_consume(haigha_workers* workers, haigha_channel* channel,
                                     const haigha_work_args* args, const haigha_then* then,
                                     haigha_error** error) {
    return haigha::capi::run(channel, then, error, consume(workers, args));
}
haigha_status haigha_workers_consume_wait(haigha_workers* workers, haigha_channel* channel,
                                          const haigha_work_args* args, int64_t timeout_ms,
                                          haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, consume(workers, args));
}

haigha_status haigha_workers_drain(haigha_workers* workers, const haigha_then* then,
                                   haigha_error** error) {
    return haigha::capi::start_on(
        finder(workers), then, error,
        [](WorkerPool& of, Completion done) { return of.drain(std::move(done)); });
}
haigha_status haigha_workers_drain_wait(haigha_workers* workers, int64_t timeout_ms,
                                        haigha_error** error) {
    return haigha::capi::wait_on(finder(workers), timeout_ms, error,
                                 [&](WorkerPool& of) { return of.drain_wait(timeout_ms); });
}

haigha_status haigha_workers_close(haigha_workers* workers, const haigha_then* then,
                                   haigha_error** error) {
    return haigha::capi::start_on(
        finder(workers), then, error,
        [](WorkerPool& of, Completion done) { return of.close(std::move(done)); });
}
haigha_status haigha_workers_close_wait(haigha_workers* workers, int64_t timeout_ms,
                                        haigha_error** error) {
    return haigha::capi::wait_on(finder(workers), timeout_ms, error,
                                 [&](WorkerPool& of) { return of.close_wait(timeout_ms); });
}

haigha_status haigha_workers_info(const haigha_workers* workers, haigha_str name, int64_t* value,
                                  haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        return haigha::capi::info(arguments,
                                  usable(arguments, const_cast<haigha_workers*>(workers)), name,
                                  value, "workers have no number called", error);
    });
}

haigha_workers* haigha_workers_ref(haigha_workers* workers) {
    if (workers != nullptr) core(workers)->handles().add();
    return workers;
}
void haigha_workers_unref(haigha_workers* workers) {
    haigha::capi::unref(core(workers));
}
