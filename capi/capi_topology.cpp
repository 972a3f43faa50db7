// Descriptions of topologies, compared and applied.
#include "haigha/topology.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "boundary.h"
#include "channel_calls.h"
#include "handles.h"
#include "topology/application.h"
#include "topology_handles.h"
#include "usable.h"

using haigha::ErrorRef;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::arguments_table;
using haigha::capi::guard;
using haigha::topology::Application;
using haigha::topology::BindingDescription;
using haigha::topology::EntityKind;
using haigha::topology::EntityState;
using haigha::topology::ExchangeDescription;
using haigha::topology::QueueDescription;

#define SAME_NUMBER(ours, theirs) static_assert(static_cast<int>(ours) == (theirs))
SAME_NUMBER(EntityKind::exchange, HAIGHA_TOPOLOGY_EXCHANGE);
SAME_NUMBER(EntityKind::queue, HAIGHA_TOPOLOGY_QUEUE);
SAME_NUMBER(EntityKind::queue_binding, HAIGHA_TOPOLOGY_QUEUE_BINDING);
SAME_NUMBER(EntityKind::exchange_binding, HAIGHA_TOPOLOGY_EXCHANGE_BINDING);
SAME_NUMBER(EntityState::unknown, HAIGHA_TOPOLOGY_UNKNOWN);
SAME_NUMBER(EntityState::exists, HAIGHA_TOPOLOGY_EXISTS);
SAME_NUMBER(EntityState::missing, HAIGHA_TOPOLOGY_MISSING);
SAME_NUMBER(EntityState::created, HAIGHA_TOPOLOGY_CREATED);
SAME_NUMBER(EntityState::differs, HAIGHA_TOPOLOGY_DIFFERS);
SAME_NUMBER(EntityState::failed, HAIGHA_TOPOLOGY_FAILED);
#undef SAME_NUMBER

namespace {

constexpr std::size_t max_text_size = std::size_t{1} << 24;

// `read(arguments)` makes the entity; what it is made of is checked by the description.
template <class Read>
haigha_status add(haigha_topology* topology, haigha_error** error, Read read) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(topology, "topology");
        auto entity = read(arguments);
        if (arguments.bad()) return arguments.refuse(error);
        const std::string why = topology->description.add(std::move(entity));
        return why.empty() ? HAIGHA_OK : haigha::capi::refuse(Status::argument, why, error);
    });
}

void check_active(Arguments& arguments, std::uint8_t passive) {
    if (passive != 0) {
        arguments.fault(Status::argument,
                        "args->passive: a topology says how things are, and is asked for by "
                        "haigha_topology_compare_wait");
    }
}

haigha::topology::Contents contents(Arguments& arguments, const haigha_table* table) {
    const haigha::wire::Bytes bytes = arguments_table(arguments, table).bytes;
    return {bytes.begin(), bytes.end()};
}

// `work(application)`, with what it has found.
template <class Work>
haigha_status run(const haigha_topology* topology, haigha_connection* connection,
                  std::int64_t timeout_ms, haigha_topology_report** report, haigha_error** error,
                  Work work) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(topology, "topology");
        auto* const object = haigha::capi::usable(arguments, connection);
        haigha::capi::check_timeout(arguments, timeout_ms);
        if (report != nullptr) *report = nullptr;
        if (!arguments.bad()) {
            if (ErrorRef refused = object->may_wait()) {
                return haigha::capi::refuse(std::move(refused), error);
            }
        }
        if (arguments.bad()) return arguments.refuse(error);
        Application application(topology->description, *object, timeout_ms);
        ErrorRef failed = work(application);
        if (report != nullptr) {
            *report = std::make_unique<haigha_topology_report>(
                          haigha_topology_report{application.report()})
                          .release();
        }
        return haigha::capi::answer(std::move(failed), error);
    });
}

}  // namespace

haigha_status haigha_topology_new(haigha_topology** topology, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(topology, "topology");
        if (arguments.bad()) return arguments.refuse(error);
        *topology = std::make_unique<haigha_topology>().release();
        return HAIGHA_OK;
    });
}

haigha_status haigha_topology_add_exchange(haigha_topology* topology,
                                           const haigha_exchange_declare_args* args,
                                           haigha_error** error) {
    return add(topology, error, [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        check_active(arguments, given.passive);
        ExchangeDescription exchange;
        exchange.name = arguments.name(given.exchange, "exchange");
        exchange.type = arguments.name(given.type, "type");
        if (exchange.type.empty()) exchange.type = "direct";
        exchange.durable = given.durable != 0;
        exchange.auto_delete = given.auto_delete != 0;
        exchange.internal = given.internal != 0;
        exchange.arguments = contents(arguments, given.arguments);
        return exchange;
    });
}

haigha_status haigha_topology_add_queue(haigha_topology* topology,
                                        const haigha_queue_declare_args* args,
                                        haigha_error** error) {
    return add(topology, error, [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        check_active(arguments, given.passive);
        QueueDescription queue;
        queue.name = arguments.name(given.queue, "queue");
        queue.durable = given.durable != 0;
        queue.exclusive = given.exclusive != 0;
        queue.auto_delete = given.auto_delete != 0;
        queue.arguments = contents(arguments, given.arguments);
        return queue;
    });
}

haigha_status haigha_topology_add_queue_binding(haigha_topology* topology,
                                                const haigha_queue_bind_args* args,
                                                haigha_error** error) {
    return add(topology, error, [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        BindingDescription binding;
        binding.destination = arguments.name(given.queue, "queue");
        binding.source = arguments.name(given.exchange, "exchange");
        binding.routing_key = arguments.name(given.routing_key, "routing_key");
        binding.arguments = contents(arguments, given.arguments);
        return binding;
    });
}

haigha_status haigha_topology_add_exchange_binding(haigha_topology* topology,
                                                   const haigha_exchange_bind_args* args,
                                                   haigha_error** error) {
    return add(topology, error, [args](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        BindingDescription binding;
        binding.to_queue = false;
        binding.destination = arguments.name(given.destination, "destination");
        binding.source = arguments.name(given.source, "source");
        binding.routing_key = arguments.name(given.routing_key, "routing_key");
        binding.arguments = contents(arguments, given.arguments);
        return binding;
    });
}

haigha_status haigha_topology_add_text(haigha_topology* topology, haigha_str text,
                                       haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(topology, "topology");
        const std::string_view lines = arguments.text(text, "text", max_text_size);
        if (arguments.bad()) return arguments.refuse(error);
        const std::string why = topology->description.add_text(lines);
        return why.empty() ? HAIGHA_OK : haigha::capi::refuse(Status::argument, why, error);
    });
}

void haigha_topology_free(haigha_topology* topology) {
    delete topology;
}

haigha_status haigha_topology_compare_wait(const haigha_topology* topology,
                                           haigha_connection* connection, int64_t timeout_ms,
                                           haigha_topology_report** report, haigha_error** error) {
    if (report == nullptr) {
        return guard(
            error, [&] { return haigha::capi::refuse(Status::argument, "report is NULL", error); });
    }
    return run(topology, connection, timeout_ms, report, error,
               [](Application& application) { return application.compare(); });
}

haigha_status haigha_topology_apply_wait(const haigha_topology* topology,
                                         haigha_connection* connection, uint32_t flags,
                                         int64_t timeout_ms, haigha_topology_report** report,
                                         haigha_error** error) {
    if ((flags & ~static_cast<std::uint32_t>(HAIGHA_TOPOLOGY_ANYWAY)) != 0) {
        if (report != nullptr) *report = nullptr;
        return guard(error, [&] {
            return haigha::capi::refuse(
                Status::argument,
                "flags has bits that this call does not know: " + std::to_string(flags), error);
        });
    }
    const bool anyway = (flags & HAIGHA_TOPOLOGY_ANYWAY) != 0;
    return run(topology, connection, timeout_ms, report, error,
               [anyway](Application& application) { return application.apply(anyway); });
}

size_t haigha_topology_report_size(const haigha_topology_report* report) {
    return report != nullptr ? report->rows.size() : 0;
}

size_t haigha_topology_report_count(const haigha_topology_report* report, int32_t state) {
    if (report == nullptr) return 0;
    const auto& rows = report->rows;
    return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](const auto& row) {
        return static_cast<std::int32_t>(row.state) == state;
    }));
}

haigha_status haigha_topology_report_row(const haigha_topology_report* report, size_t index,
                                         haigha_topology_row* row, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(report, "report");
        arguments.required(row, "row");
        if (!arguments.bad() &&
            (row->size < sizeof *row || row->size > haigha::capi::max_struct_size)) {
            arguments.fault(Status::struct_version, "row->size is " + std::to_string(row->size) +
                                                        ": was it set by its initialiser?");
        }
        if (!arguments.bad() && index >= report->rows.size()) {
            arguments.fault(Status::argument, "there is no row " + std::to_string(index) +
                                                  ": the report has " +
                                                  std::to_string(report->rows.size()));
        }
        if (arguments.bad()) return arguments.refuse(error);
        const haigha::topology::ReportRow& from = report->rows[index];
        haigha_topology_row told = HAIGHA_TOPOLOGY_ROW_INIT;
        told.size = row->size;
        told.kind = static_cast<std::int32_t>(from.kind);
        told.state = static_cast<std::int32_t>(from.state);
        told.name = haigha::capi::str(from.name);
        told.source = haigha::capi::str(from.source);
        told.routing_key = haigha::capi::str(from.routing_key);
        told.error = reinterpret_cast<const haigha_error*>(from.error.get());
        std::memset(row, 0, row->size);
        std::memcpy(row, &told, sizeof told);
        return HAIGHA_OK;
    });
}

void haigha_topology_report_free(haigha_topology_report* report) {
    delete report;
}
