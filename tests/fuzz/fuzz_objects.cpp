// The C API's headers but haigha.h against their callers: pools, RPC clients, ladders of retries,
// readers of streams, bodies in pieces, workers, topologies, and what value_caller.h has; on a
// connection that was never opened, on a loop whose clock goes when the input says so.
//
// An input is a series of calls, as in fuzz_arguments.cpp. Objects are dropped in any order, their
// connection, channel and loop among them, and then everything that was accepted has been released.
#include <haigha/pieces.h>
#include <haigha/testing.h>
#include <haigha/topology.h>
#include <haigha/workers.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz_target.h"
#include "object_caller.h"
#include "support/api_handles.h"
#include "topology_handles.h"

namespace haigha::fuzz {
namespace {

using test::out;
using test::str;
using test::view;

constexpr std::size_t most_calls = 60;

class Caller : private ObjectCaller {
  public:
    Caller(Input input, Environment& environment) : ObjectCaller(input, environment) {}

    // Ends without a handle.
    void run() {
        for (std::size_t calls = 0; !input_.empty() && calls < most_calls; ++calls)
            call(input_.u8());
        const std::size_t first = input_.u8();
        for (std::size_t i = 0; i < dropped_kinds; ++i) {
            drop((first + i) % dropped_kinds);
            if (input_.flag()) environment_.turn();
        }
    }
    // Once the loop has ended.
    void require_released() const {
        for (const Callback& callback : callbacks_)
            callback.require_released();
    }

  private:
    static constexpr std::size_t dropped_kinds = 10;

    void drop(std::size_t kind) {
        switch (kind) {
            case 0:
                return pool_.reset();
            case 1:
                return rpc_.reset();
            case 2:
                return retry_.reset();
            case 3:
                return reader_.reset();
            case 4:
                return writer_.reset();
            case 5:
                return workers_.reset();
            case 6:
                return topology_.reset();
            case 7:
                return environment_.drop_channel();
            case 8:
                return environment_.drop_connection();
            default:
                return environment_.drop_loop();
        }
    }

    void call(unsigned which) {
        switch (which % 32) {
            case 0:
                return make_pool();
            case 1:
                return publish_by_pool();
            case 2:
                return end_pool();
            case 3:
                return make_rpc_client();
            case 4:
                return call_rpc();
            case 5:
                return answer_rpc();
            case 6:
                return make_retry();
            case 7:
                return retry_message();
            case 8:
                return use_retry();
            case 9:
                return make_reader();
            case 10:
                return consume_stream();
            case 11:
                return use_reader();
            case 12:
                return make_writer();
            case 13:
                return write_body();
            case 14:
                return consume_pieces();
            case 15:
                return pause_reading();
            case 16:
                return make_workers();
            case 17:
                return consume_by_workers();
            case 18:
                return end_workers();
            case 19:
                return describe();
            case 20:
                return describe_text();
            case 21:
                return apply_topology();
            case 22:
                return read_report();
            case 23:
                return advance();
            case 24:
                return set_trace_fn();
            case 25:
                return ask_number();
            case 26:
                return drop(input_.below(dropped_kinds));
            case 27:
                return call_value(input_.u8());
            case 28:
                return environment_.turn();
            case 29:
                return read_message();
            default:
                return call_table();
        }
    }
    void call_value(unsigned which) {
        switch (which % 6) {
            case 0:
                return use_trace_context();
            case 1:
                return add_queue_arguments();
            case 2:
                return add_consumer_arguments();
            case 3:
                return ask_statistics();
            case 4:
                return add_metrics();
            default:
                return write_record();
        }
    }
    void call_table() {
        if (input_.flag()) return add_field();
        add_common_field();
    }

    // ---- streams

    void make_reader() {
        haigha_stream_reader_args args = HAIGHA_STREAM_READER_ARGS_INIT;
        args.stream = text();
        args.name = text();
        args.offset_queue = text();
        args.save_every = number_of_any_size();
        args.save_interval_ms = static_cast<std::uint32_t>(number_of_any_size());
        args.quorum = input_.u8();
        fill(args.reserved);
        const haigha_stream_reader_args* const given = sized(args);
        haigha_channel* const on = channel();
        make(reader_, [&](haigha_stream_reader** made) {
            return haigha_stream_reader_new(on, given, made, error());
        });
    }

    void consume_stream() {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        if (input_.below(8) == 0) args.queue = text();
        args.consumer_tag = text();
        args.deliveries = offer().then(input_);
        args.no_ack = input_.u8() == 0xFF ? 1 : 0;
        args.pause_when_full = input_.u8();
        args.arguments = input_.flag() ? table() : nullptr;
        const haigha_consume_args* const given = input_.flag() ? sized(args) : whole(args);
        haigha_stream_reader* const by = some(reader_);
        start_or_wait(
            {HAIGHA_OK, HAIGHA_ERR_CLOSED},
            [&](const haigha_then* answer) {
                return haigha_stream_reader_consume(by, given, answer, error());
            },
            [&](std::int64_t timeout_ms) {
                return haigha_stream_reader_consume_wait(by, given, timeout_ms, &reply_, error());
            });
    }

    void use_reader() {
        haigha_stream_reader* const of = some(reader_);
        const haigha_message* const done = message();
        check(haigha_stream_reader_handled(of, done, error()), {});
        start_or_wait(
            {HAIGHA_OK, HAIGHA_ERR_CLOSED},
            [&](const haigha_then* answer) {
                return haigha_stream_reader_save(of, answer, error());
            },
            [&](std::int64_t timeout_ms) {
                return haigha_stream_reader_save_wait(of, timeout_ms, error());
            });
    }

    // ---- bodies in pieces

    void make_writer() {
        const haigha_publish_args* const given = request();
        const std::uint64_t size = number_of_any_size();
        haigha_channel* const on = channel();
        const haigha_then* const events = then();
        make(writer_, [&](haigha_body_writer** made) {
            return haigha_body_writer_new(on, given, size, events, made, error());
        });
    }

    void write_body() {
        haigha_body_writer* const by = some(writer_);
        const haigha_str octets = text();
        std::size_t taken = 0;
        std::size_t* const told = wanted(&taken);
        check(haigha_body_write(by, octets, told, error()), {HAIGHA_ERR_CLOSED});
        const std::int64_t timeout_ms = timeout();
        check(haigha_body_write_wait(by, octets, timeout_ms, told, error()),
              {HAIGHA_ERR_CLOSED, HAIGHA_ERR_WRONG_THREAD});
        require(taken == 0, "a call that fails has taken nothing");
        require(haigha_body_writer_sequence(by) == 0, "what has not begun has no number");
        if (input_.flag()) check(haigha_body_writer_abort(by, error()), {HAIGHA_OK});
    }

    void consume_pieces() {
        haigha_pieces_args pieces = HAIGHA_PIECES_ARGS_INIT;
        Callback& taker = offer();
        if (input_.u8() != 0xFF) {
            pieces.fn = [](const haigha_piece*, void* self) {
                static_cast<Callback*>(self)->tell();
            };
        }
        pieces.user_data = &taker;
        pieces.release = &Callback::released;
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = text();
        args.consumer_tag = text();
        args.pause_when_full = input_.u8() == 0xFF ? 1 : 0;
        args.arguments = table();
        const haigha_pieces_args* const by = sized(pieces);
        const bool bad_pieces = std::exchange(unreadable_, false);
        const haigha_consume_args* const given = sized(args);
        unreadable_ |= bad_pieces;
        haigha_channel* const on = channel();
        start_or_wait(
            {HAIGHA_ERR_CLOSED},
            [&](const haigha_then* answer) {
                return haigha_consume_pieces(on, given, by, answer, error());
            },
            [&](std::int64_t timeout_ms) {
                return haigha_consume_pieces_wait(on, given, by, timeout_ms, &reply_, error());
            });
    }

    void pause_reading() {
        haigha_connection* const of = connection();
        check(input_.flag() ? haigha_connection_pause_reading(of, error())
                            : haigha_connection_resume_reading(of, error()),
              {HAIGHA_OK});
    }

    // ---- workers

    void make_workers() {
        haigha_workers_args args = HAIGHA_WORKERS_ARGS_INIT;
        // Few: a thread takes longer to start than anything else here.
        args.threads = input_.u8() == 0xFF ? input_.u32() | 1025U : 1;
        args.most_in_a_row = static_cast<std::uint32_t>(number_of_any_size());
        args.max_threads_per_channel = static_cast<std::uint32_t>(number_of_any_size());
        fill(args.reserved);
        args.max_queued = number_of_any_size();
        args.max_queued_bytes = number_of_any_size();
        const haigha_workers_args* const given = sized(args);
        haigha_loop* const on = loop();
        make(workers_,
             [&](haigha_workers** made) { return haigha_workers_new(on, given, made, error()); });
    }

    void consume_by_workers() {
        haigha_work_args args = HAIGHA_WORK_ARGS_INIT;
        args.queue = text();
        args.consumer_tag = text();
        if (input_.u8() != 0xFF) {
            args.handle = [](const haigha_event*, void* self) {
                static_cast<Callback*>(self)->tell();
                return std::int32_t{HAIGHA_WORK_ACK};
            };
        }
        args.user_data = &offer();
        args.release = &Callback::released;
        args.arguments = table();
        args.order = input_.u8() % 5;
        args.no_ack = input_.u8();
        fill(args.reserved);
        const haigha_work_args* const given = sized(args);
        haigha_workers* const by = some(workers_);
        haigha_channel* const on = channel();
        start_or_wait(
            {HAIGHA_ERR_CLOSED},
            [&](const haigha_then* answer) {
                return haigha_workers_consume(by, on, given, answer, error());
            },
            [&](std::int64_t timeout_ms) {
                return haigha_workers_consume_wait(by, on, given, timeout_ms, &reply_, error());
            });
    }

    void end_workers() {
        haigha_workers* const of = some(workers_);
        const bool closes = input_.flag();
        start_or_wait(
            {HAIGHA_OK},
            [&](const haigha_then* answer) {
                return closes ? haigha_workers_close(of, answer, error())
                              : haigha_workers_drain(of, answer, error());
            },
            [&](std::int64_t timeout_ms) {
                return closes ? haigha_workers_close_wait(of, timeout_ms, error())
                              : haigha_workers_drain_wait(of, timeout_ms, error());
            });
    }

    // ---- topologies

    void describe() {
        haigha_topology* const to = some(topology_);
        switch (input_.below(4)) {
            case 0: {
                haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
                args.exchange = text();
                args.type = text();
                args.passive = input_.u8() == 0xFF ? 1 : 0;
                args.arguments = table();
                return check(haigha_topology_add_exchange(to, sized(args), error()), {HAIGHA_OK});
            }
            case 1: {
                haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
                args.queue = text();
                args.durable = input_.u8();
                args.arguments = table();
                return check(haigha_topology_add_queue(to, sized(args), error()), {HAIGHA_OK});
            }
            case 2: {
                haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
                args.queue = text();
                args.exchange = text();
                args.routing_key = text();
                args.arguments = table();
                return check(haigha_topology_add_queue_binding(to, sized(args), error()),
                             {HAIGHA_OK});
            }
            default: {
                haigha_exchange_bind_args args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
                args.destination = text();
                args.source = text();
                args.routing_key = text();
                args.arguments = table();
                return check(haigha_topology_add_exchange_binding(to, sized(args), error()),
                             {HAIGHA_OK});
            }
        }
    }
    void describe_text() {
        haigha_topology* const to = some(topology_);
        check(haigha_topology_add_text(to, text(), error()), {HAIGHA_OK});
    }

    void apply_topology() {
        const haigha_topology* const what = some(topology_);
        haigha_connection* const on = connection();
        const std::uint32_t flags = input_.u8();
        const std::int64_t timeout_ms = timeout();
        haigha_topology_report* report = nullptr;
        haigha_topology_report** const told = wanted(&report);
        check(input_.flag()
                  ? haigha_topology_compare_wait(what, on, timeout_ms, told, error())
                  : haigha_topology_apply_wait(what, on, flags, timeout_ms, told, error()),
              {HAIGHA_ERR_CLOSED, HAIGHA_ERR_WRONG_THREAD});
        require(report == nullptr, "what was refused has no report");
    }

    // No report is to be had on such a connection: one is made.
    void read_report() {
        haigha_topology_report report;
        const std::size_t rows = input_.below(3);
        for (std::size_t i = 0; i < rows; ++i) {
            report.rows.push_back({topology::EntityKind::queue,
                                   static_cast<topology::EntityState>(input_.below(6)),
                                   std::string(view(short_text()))});
        }
        const haigha_topology_report* const from = wanted(&report);
        const auto state = static_cast<std::int32_t>(input_.u8() % 7) - 1;
        require(haigha_topology_report_size(from) == (from != nullptr ? rows : 0) &&
                    haigha_topology_report_count(from, state) <= rows,
                "a report has its rows");
        const haigha_topology_row empty = HAIGHA_TOPOLOGY_ROW_INIT;
        auto* const row = const_cast<haigha_topology_row*>(sized(empty));
        const bool unreadable = std::exchange(unreadable_, false);
        const std::size_t index = number_of_any_size();
        const haigha_status status = haigha_topology_report_row(from, index, row, error());
        check(status, {HAIGHA_OK});
        require(!unreadable || status != HAIGHA_OK || row->size > sizeof empty,
                "a struct that cannot be written is refused");
        if (status != HAIGHA_OK) return;
        require(index < rows && view(row->name) == report.rows[index].name, "a row is told");
    }

    // ---- the clock, traces, numbers

    void advance() {
        haigha_loop* const of = loop();
        const std::int64_t by = input_.flag() ? static_cast<std::int16_t>(input_.u16())
                                              : static_cast<std::int64_t>(input_.u64());
        start_or_wait(
            {HAIGHA_OK, HAIGHA_ERR_CLOSED},
            [&](const haigha_then* answer) { return haigha_loop_advance(of, by, answer, error()); },
            [&](std::int64_t timeout_ms) {
                return haigha_loop_advance_wait(of, by, timeout_ms, error());
            });
        require(haigha_loop_advanced(of) >= -1, "a clock goes forward");
        // It stands already.
        check(haigha_loop_stop_clock(of, error()), {HAIGHA_OK});
    }

    void set_trace_fn() {
        Callback& asked = offer();
        haigha_trace_fn fn = [](haigha_str, haigha_str, haigha_trace_context* context, void* self) {
            static_cast<Callback*>(self)->tell();
            context->trace_id[0] = context->parent_id[0] = 1;
            context->tracestate = str("a=b");
            return std::int32_t{1};
        };
        if (input_.u8() == 0xFF) fn = nullptr;
        haigha_connection* const of = connection();
        check(haigha_connection_set_trace_fn(of, fn, &asked, &Callback::released, error()),
              {HAIGHA_OK, HAIGHA_ERR_CLOSED});
    }

    void ask_number() {
        static constexpr std::array<std::string_view, 8> names = {
            "published", "waiting", "calls", "open", "offset", "unhandled", "threads", "queued"};
        const haigha_str name = input_.flag() ? text() : str(names[input_.below(names.size())]);
        std::int64_t value = 0;
        std::int64_t* const told = wanted(&value);
        check(haigha_pool_info(some(pool_), name, told, error()), {HAIGHA_OK});
        check(haigha_rpc_client_info(some(rpc_), name, told, error()), {HAIGHA_OK});
        check(haigha_retry_info(some(retry_), name, told, error()), {HAIGHA_OK});
        check(haigha_stream_reader_info(some(reader_), name, told, error()), {HAIGHA_OK});
        check(haigha_workers_info(some(workers_), name, told, error()), {HAIGHA_OK});
        // A reference more, dropped at once, changes nothing.
        haigha_pool_unref(haigha_pool_ref(pool_.get()));
        haigha_rpc_client_unref(haigha_rpc_client_ref(rpc_.get()));
        haigha_retry_unref(haigha_retry_ref(retry_.get()));
        haigha_stream_reader_unref(haigha_stream_reader_ref(reader_.get()));
        haigha_body_writer_unref(haigha_body_writer_ref(writer_.get()));
        haigha_workers_unref(haigha_workers_ref(workers_.get()));
    }
};

void stop_clock(haigha_loop* loop) {
    require(haigha_loop_stop_clock(loop, nullptr) == HAIGHA_OK, "a clock can be stopped");
}

}  // namespace
}  // namespace haigha::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace haigha::fuzz;
    auto environment = std::make_unique<Environment>(&stop_clock);
    Caller caller(Input(data, size), *environment);
    caller.run();
    environment.reset();
    caller.require_released();
    return 0;
}
