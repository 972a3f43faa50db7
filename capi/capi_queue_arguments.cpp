// The arguments of queues and consumers by type.
#include "haigha/queue_arguments.h"

#include <string>

#include "boundary.h"
#include "handles.h"
#include "topology/typed_arguments.h"
#include "usable.h"

using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::topology::BrokerVersion;
using haigha::topology::ConsumerArguments;
using haigha::topology::DeadLetters;
using haigha::topology::Overflow;
using haigha::topology::QueueArguments;
using haigha::topology::QueueFlags;
using haigha::topology::QueueKind;
using haigha::topology::StreamFrom;

#define SAME_NUMBER(ours, theirs) static_assert(static_cast<int>(ours) == (theirs))
SAME_NUMBER(QueueKind::by_default, HAIGHA_QUEUE_KIND_DEFAULT);
SAME_NUMBER(QueueKind::classic, HAIGHA_QUEUE_CLASSIC);
SAME_NUMBER(QueueKind::quorum, HAIGHA_QUEUE_QUORUM);
SAME_NUMBER(QueueKind::stream, HAIGHA_QUEUE_STREAM);
SAME_NUMBER(Overflow::drop_head, HAIGHA_OVERFLOW_DROP_HEAD);
SAME_NUMBER(Overflow::reject_publish, HAIGHA_OVERFLOW_REJECT_PUBLISH);
SAME_NUMBER(Overflow::reject_publish_dlx, HAIGHA_OVERFLOW_REJECT_PUBLISH_DLX);
SAME_NUMBER(DeadLetters::at_most_once, HAIGHA_DEAD_LETTER_AT_MOST_ONCE);
SAME_NUMBER(DeadLetters::at_least_once, HAIGHA_DEAD_LETTER_AT_LEAST_ONCE);
SAME_NUMBER(StreamFrom::none, HAIGHA_STREAM_OFFSET_NONE);
SAME_NUMBER(StreamFrom::first, HAIGHA_STREAM_OFFSET_FIRST);
SAME_NUMBER(StreamFrom::last, HAIGHA_STREAM_OFFSET_LAST);
SAME_NUMBER(StreamFrom::next, HAIGHA_STREAM_OFFSET_NEXT);
SAME_NUMBER(StreamFrom::number, HAIGHA_STREAM_OFFSET_NUMBER);
SAME_NUMBER(StreamFrom::timestamp, HAIGHA_STREAM_OFFSET_TIMESTAMP);
SAME_NUMBER(StreamFrom::interval, HAIGHA_STREAM_OFFSET_INTERVAL);
SAME_NUMBER(haigha::topology::unlimited_deliveries, HAIGHA_DELIVERY_UNLIMITED);
#undef SAME_NUMBER

namespace {

// A number that is one of an enumeration's.
template <class Enum>
Enum one_of(Arguments& arguments, std::uint8_t value, Enum last, const char* name) {
    if (value <= static_cast<std::uint8_t>(last)) return static_cast<Enum>(value);
    arguments.fault(Status::argument,
                    std::string(name) + " is " + std::to_string(value) + ", which is none");
    return Enum{};
}

QueueArguments read_queue(Arguments& arguments, const haigha_queue_arguments* args) {
    const auto given = arguments.args(args, "args");
    constexpr std::uint32_t known = 2 * HAIGHA_QUEUE_HAS_DELIVERY_LIMIT - 1;
    if ((given.present & ~known) != 0) {
        arguments.fault(Status::argument, "args->present has bits that are no HAIGHA_QUEUE_HAS_*");
    }
    const auto counts = [&](std::uint32_t bit, bool is_set) {
        return is_set || (given.present & bit) != 0;
    };
    QueueArguments to;
    to.kind = one_of(arguments, given.kind, QueueKind::stream, "args->kind");
    to.overflow = one_of(arguments, given.overflow, Overflow::reject_publish_dlx, "args->overflow");
    to.dead_letters = one_of(arguments, given.dead_letter_strategy, DeadLetters::at_least_once,
                             "args->dead_letter_strategy");
    to.single_active_consumer = given.single_active_consumer != 0;
    to.lazy = given.lazy != 0;
    to.max_priority = given.max_priority;
    to.quorum_initial_group_size = given.quorum_initial_group_size;
    to.expires_ms = given.expires_ms;
    to.stream_max_segment_bytes = given.stream_max_segment_bytes;
    to.stream_max_age = arguments.name(given.stream_max_age, "args->stream_max_age");
    const std::string_view exchange =
        arguments.name(given.dead_letter_exchange, "args->dead_letter_exchange");
    const std::string_view routing_key =
        arguments.name(given.dead_letter_routing_key, "args->dead_letter_routing_key");
    if (counts(HAIGHA_QUEUE_HAS_DEAD_LETTER_EXCHANGE, !exchange.empty())) {
        to.dead_letter_exchange = exchange;
    }
    if (counts(HAIGHA_QUEUE_HAS_DEAD_LETTER_ROUTING_KEY, !routing_key.empty())) {
        to.dead_letter_routing_key = routing_key;
    }
    if (counts(HAIGHA_QUEUE_HAS_MESSAGE_TTL, given.message_ttl_ms != 0)) {
        to.message_ttl_ms = given.message_ttl_ms;
    }
    if (counts(HAIGHA_QUEUE_HAS_MAX_LENGTH, given.max_length != 0)) {
        to.max_length = given.max_length;
    }
    if (counts(HAIGHA_QUEUE_HAS_MAX_LENGTH_BYTES, given.max_length_bytes != 0)) {
        to.max_length_bytes = given.max_length_bytes;
    }
    if (counts(HAIGHA_QUEUE_HAS_DELIVERY_LIMIT, given.delivery_limit != 0)) {
        to.delivery_limit = given.delivery_limit;
    }
    return to;
}

ConsumerArguments read_consumer(Arguments& arguments, const haigha_consumer_arguments* args) {
    const auto given = arguments.args(args, "args");
    ConsumerArguments to;
    to.kind = one_of(arguments, given.kind, QueueKind::stream, "args->kind");
    to.from = one_of(arguments, given.stream_from, StreamFrom::interval, "args->stream_from");
    to.priority = given.priority;
    to.offset = given.stream_offset;
    to.interval = arguments.name(given.stream_interval, "args->stream_interval");
    return to;
}

void check_table(Arguments& arguments, const haigha_table* table) {
    arguments.required(table, "table");
    if (table != nullptr && table->table.kind() != haigha::wire::TableKind::table) {
        arguments.fault(Status::argument, "table is an array, not a table");
    }
}

template <class Values>
haigha_status add(haigha_table& table, const Values& values, const std::string& refusal,
                  haigha_error** error) {
    if (!refusal.empty()) return haigha::capi::refuse(Status::argument, refusal, error);
    const haigha::wire::FieldError fault = haigha::topology::add_to(table.table, values);
    if (fault == haigha::wire::FieldError::none) return HAIGHA_OK;
    return haigha::capi::refuse(
        Status::argument,
        std::string("the table has no room: ") + haigha::wire::field_error_text(fault), error);
}

}  // namespace

haigha_status haigha_queue_arguments_add(const haigha_queue_arguments* args,
                                         const haigha_queue_declare_args* declare,
                                         const haigha_connection* connection, haigha_table* table,
                                         haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        const QueueArguments values = read_queue(arguments, args);
        QueueFlags flags;
        if (declare != nullptr) {
            const auto given = arguments.args(declare, "declare");
            flags = {given.durable != 0, given.exclusive != 0, given.auto_delete != 0};
        }
        BrokerVersion version;
        if (connection != nullptr) {
            const auto* const object =
                haigha::capi::usable(arguments, const_cast<haigha_connection*>(connection));
            if (!arguments.bad()) {
                version = haigha::topology::version_of(object->server_properties());
            }
        }
        check_table(arguments, table);
        if (arguments.bad()) return arguments.refuse(error);
        return add(
            *table, values,
            haigha::topology::queue_refusal(values, declare != nullptr ? &flags : nullptr, version),
            error);
    });
}

haigha_status haigha_consumer_arguments_add(const haigha_consumer_arguments* args,
                                            const haigha_consume_args* consume, haigha_table* table,
                                            haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        const ConsumerArguments values = read_consumer(arguments, args);
        const bool no_ack = consume != nullptr && arguments.args(consume, "consume").no_ack != 0;
        check_table(arguments, table);
        if (arguments.bad()) return arguments.refuse(error);
        return add(*table, values, haigha::topology::consumer_refusal(values, no_ack), error);
    });
}
