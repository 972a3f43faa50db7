#include "topology/typed_arguments.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace haigha::topology {

using wire::FieldError;
using wire::FieldTable;

namespace {

constexpr auto most_integer = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
constexpr std::string_view age_rule =
    ": a number over 0 and one of the units Y, M, D, h, m, s, such as 7D";

// Which kinds of queue take an argument.
constexpr unsigned classic = 1;
constexpr unsigned quorum = 2;
constexpr unsigned stream = 4;
constexpr unsigned bit_of(QueueKind kind) {
    switch (kind) {
        case QueueKind::classic:
            return classic;
        case QueueKind::quorum:
            return quorum;
        case QueueKind::stream:
            return stream;
        case QueueKind::by_default:
            break;
    }
    return classic | quorum | stream;
}

struct Rule {
    std::string_view name;
    unsigned kinds;
    bool (*is_set)(const QueueArguments&);
};

// The arguments that each kind knows; a test runs each of them against a broker.
constexpr Rule rules[] = {
    {"x-max-priority", classic, [](const QueueArguments& a) { return a.max_priority != 0; }},
    {"x-queue-mode", classic, [](const QueueArguments& a) { return a.lazy; }},
    {"x-dead-letter-exchange", classic | quorum,
     [](const QueueArguments& a) { return a.dead_letter_exchange.has_value(); }},
    {"x-dead-letter-routing-key", classic | quorum,
     [](const QueueArguments& a) { return a.dead_letter_routing_key.has_value(); }},
    {"x-dead-letter-strategy", quorum,
     [](const QueueArguments& a) { return a.dead_letters != DeadLetters::by_default; }},
    {"x-message-ttl", classic | quorum,
     [](const QueueArguments& a) { return a.message_ttl_ms.has_value(); }},
    {"x-expires", classic | quorum, [](const QueueArguments& a) { return a.expires_ms != 0; }},
    {"x-max-length", classic | quorum,
     [](const QueueArguments& a) { return a.max_length.has_value(); }},
    {"x-overflow", classic | quorum,
     [](const QueueArguments& a) { return a.overflow != Overflow::by_default; }},
    {"x-single-active-consumer", classic | quorum,
     [](const QueueArguments& a) { return a.single_active_consumer; }},
    {"x-delivery-limit", quorum,
     [](const QueueArguments& a) { return a.delivery_limit.has_value(); }},
    {"x-quorum-initial-group-size", quorum,
     [](const QueueArguments& a) { return a.quorum_initial_group_size != 0; }},
    {"x-max-age", stream, [](const QueueArguments& a) { return !a.stream_max_age.empty(); }},
    {"x-stream-max-segment-size-bytes", stream,
     [](const QueueArguments& a) { return a.stream_max_segment_bytes != 0; }},
};

std::string_view plural(QueueKind kind) {
    switch (kind) {
        case QueueKind::classic:
            return "classic queues";
        case QueueKind::quorum:
            return "quorum queues";
        case QueueKind::stream:
            return "streams";
        case QueueKind::by_default:
            break;
    }
    return "queues";
}

std::string takers(unsigned kinds) {
    std::string names;
    for (const QueueKind kind : {QueueKind::classic, QueueKind::quorum, QueueKind::stream}) {
        if ((kinds & bit_of(kind)) == 0) continue;
        if (!names.empty()) names += " and ";
        names += plural(kind);
    }
    return names;
}

// What no kind takes.
std::string value_refusal(const QueueArguments& a, BrokerVersion version) {
    const auto over = [](const char* name, std::uint64_t value, std::uint64_t limit) {
        return std::string(name) + " is " + std::to_string(value) + ", over " +
               std::to_string(limit);
    };
    if (a.message_ttl_ms.value_or(0) > longest_time_ms) {
        return over("x-message-ttl", *a.message_ttl_ms, longest_time_ms) +
               " milliseconds, ten years";
    }
    if (a.expires_ms > longest_time_ms) {
        return over("x-expires", a.expires_ms, longest_time_ms) + " milliseconds, ten years";
    }
    if (a.max_length.value_or(0) > most_integer) {
        return over("x-max-length", *a.max_length, most_integer) + ", AMQP's largest integer";
    }
    if (a.max_length_bytes.value_or(0) > most_integer) {
        return over("x-max-length-bytes", *a.max_length_bytes, most_integer) +
               ", AMQP's largest integer";
    }
    if (a.stream_max_segment_bytes > largest_segment) {
        return over("x-stream-max-segment-size-bytes", a.stream_max_segment_bytes,
                    largest_segment) +
               " bytes, RabbitMQ's largest segment";
    }
    if (!a.stream_max_age.empty() && !is_age(a.stream_max_age)) {
        return "x-max-age is \"" + std::string(a.stream_max_age) + "\", not an age" +
               std::string(age_rule);
    }
    if (a.dead_letter_routing_key && !a.dead_letter_exchange) {
        return "x-dead-letter-routing-key needs x-dead-letter-exchange, which is not set";
    }
    const std::int64_t limit = a.delivery_limit.value_or(0);
    if (limit < unlimited_deliveries) {
        return "x-delivery-limit is " + std::to_string(limit) +
               ": at least 0, or -1 for no limit from RabbitMQ 4.0 on";
    }
    if (limit == unlimited_deliveries && version.major > 0 && version.major < 4) {
        return "x-delivery-limit is -1, which means no limit from RabbitMQ 4.0 on: for " +
               std::to_string(version.major) + "." + std::to_string(version.minor) +
               " every message would be over it, and there none is no limit";
    }
    return {};
}

// What one kind does not take, or takes and does not do.
std::string kind_refusal(const QueueArguments& a, QueueKind kind, const QueueFlags* flags) {
    const std::string of(plural(kind));
    if (flags != nullptr && kind != QueueKind::classic) {
        if (flags->exclusive) return "exclusive: " + of + " cannot be";
        if (!flags->durable) return "durable is 0: " + of + " are always durable";
        if (flags->auto_delete) return "auto_delete: " + of + " cannot be";
    }
    for (const Rule& rule : rules) {
        if ((rule.kinds & bit_of(kind)) != 0 || !rule.is_set(a)) continue;
        return std::string(rule.name) + ": " + of + " do not take it, " + takers(rule.kinds) +
               " do";
    }
    if (kind != QueueKind::quorum) return {};
    if (a.overflow == Overflow::reject_publish_dlx) {
        return "x-overflow is reject-publish-dlx, which quorum queues take and do as drop-head: "
               "use reject-publish";
    }
    if (a.dead_letters == DeadLetters::at_least_once && a.overflow != Overflow::reject_publish) {
        return "x-dead-letter-strategy is at-least-once, which without x-overflow reject-publish "
               "is taken and done as at-most-once (where a policy sets the overflow, add this "
               "argument to the table by hand)";
    }
    return {};
}

FieldError add_optional(FieldTable& table, std::string_view name,
                        const std::optional<std::uint64_t>& value) {
    return value ? table.add_int(name, static_cast<std::int64_t>(*value)) : FieldError::none;
}
FieldError add_optional(FieldTable& table, std::string_view name,
                        const std::optional<std::string_view>& value) {
    return value ? table.add_string(name, *value) : FieldError::none;
}
FieldError add_number(FieldTable& table, std::string_view name, std::uint64_t value) {
    return value != 0 ? table.add_int(name, static_cast<std::int64_t>(value)) : FieldError::none;
}
FieldError add_text(FieldTable& table, std::string_view name, std::string_view value) {
    return value.empty() ? FieldError::none : table.add_string(name, value);
}

// All of them, or none.
FieldError add_all(FieldTable& table, const FieldTable& fields) {
    FieldTable grown(table);
    wire::TableCursor cursor(fields.contents());
    wire::Field field;
    while (cursor.next(field) == wire::FieldStatus::field) {
        const FieldError error = grown.add(field);
        if (error != FieldError::none) return error;
    }
    table = std::move(grown);
    return FieldError::none;
}

std::string_view text_of(QueueKind kind) {
    constexpr std::string_view names[] = {"", "classic", "quorum", "stream"};
    return names[static_cast<std::size_t>(kind)];
}
std::string_view text_of(Overflow overflow) {
    constexpr std::string_view names[] = {"", "drop-head", "reject-publish", "reject-publish-dlx"};
    return names[static_cast<std::size_t>(overflow)];
}
std::string_view text_of(DeadLetters strategy) {
    constexpr std::string_view names[] = {"", "at-most-once", "at-least-once"};
    return names[static_cast<std::size_t>(strategy)];
}

}  // namespace

bool is_age(std::string_view text) {
    if (text.size() < 2) return false;
    constexpr std::string_view units = "YMDhms";
    if (units.find(text.back()) == std::string_view::npos) return false;
    text.remove_suffix(1);
    const bool digits = std::all_of(text.begin(), text.end(),
                                    [](char letter) { return letter >= '0' && letter <= '9'; });
    // More digits than a time of this universe has.
    return digits && text.size() <= 10 && text.find_first_not_of('0') != std::string_view::npos;
}

BrokerVersion version_of(wire::Bytes server_properties) {
    wire::TableCursor cursor(server_properties);
    wire::Field field;
    bool rabbit = false;
    std::string_view version;
    while (cursor.next(field) == wire::FieldStatus::field) {
        if (field.tag != 'S') continue;
        if (field.name == "product") rabbit = wire::as_text(field.bytes) == "RabbitMQ";
        if (field.name == "version") version = wire::as_text(field.bytes);
    }
    BrokerVersion found;
    if (!rabbit) return found;
    const char* const end = version.data() + version.size();
    const auto [at, error] = std::from_chars(version.data(), end, found.major);
    if (error != std::errc() || at == end || *at != '.') return {};
    if (std::from_chars(at + 1, end, found.minor).ec != std::errc()) return {};
    return found;
}

std::string queue_refusal(const QueueArguments& arguments, const QueueFlags* flags,
                          BrokerVersion version) {
    std::string refusal = value_refusal(arguments, version);
    if (!refusal.empty()) return refusal;
    if (arguments.kind != QueueKind::by_default) {
        return kind_refusal(arguments, arguments.kind, flags);
    }
    // The virtual host says which it is: refused when it cannot be any.
    for (const QueueKind kind : {QueueKind::classic, QueueKind::quorum, QueueKind::stream}) {
        const std::string why = kind_refusal(arguments, kind, flags);
        if (why.empty()) return {};
        refusal += (refusal.empty() ? "no kind of queue takes these together: " : "; ") + why;
    }
    return refusal;
}

FieldError add_to(FieldTable& table, const QueueArguments& a) {
    FieldTable built;
    for (const FieldError error : {
             add_text(built, "x-queue-type", text_of(a.kind)),
             add_number(built, "x-max-priority", a.max_priority),
             add_optional(built, "x-dead-letter-exchange", a.dead_letter_exchange),
             add_optional(built, "x-dead-letter-routing-key", a.dead_letter_routing_key),
             add_text(built, "x-dead-letter-strategy", text_of(a.dead_letters)),
             add_optional(built, "x-message-ttl", a.message_ttl_ms),
             add_number(built, "x-expires", a.expires_ms),
             add_optional(built, "x-max-length", a.max_length),
             add_optional(built, "x-max-length-bytes", a.max_length_bytes),
             add_text(built, "x-overflow", text_of(a.overflow)),
             a.single_active_consumer ? built.add_bool("x-single-active-consumer", true)
                                      : FieldError::none,
             a.delivery_limit ? built.add_int("x-delivery-limit", *a.delivery_limit)
                              : FieldError::none,
             add_number(built, "x-quorum-initial-group-size", a.quorum_initial_group_size),
             add_text(built, "x-max-age", a.stream_max_age),
             add_number(built, "x-stream-max-segment-size-bytes", a.stream_max_segment_bytes),
             add_text(built, "x-queue-mode", a.lazy ? "lazy" : ""),
         }) {
        if (error != FieldError::none) return error;
    }
    return add_all(table, built);
}

std::string consumer_refusal(const ConsumerArguments& a, bool no_ack) {
    const bool is_stream = a.kind == QueueKind::stream || a.from != StreamFrom::none;
    if (a.from != StreamFrom::none && a.kind != QueueKind::by_default &&
        a.kind != QueueKind::stream) {
        return "x-stream-offset: " + std::string(plural(a.kind)) + " do not take it, streams do";
    }
    if (is_stream && a.priority != 0) {
        return "x-priority: consumers of streams do not take it, those of classic queues and "
               "quorum queues do";
    }
    if (is_stream && no_ack) return "no_ack: consumers of streams have to acknowledge";
    const bool is_number = a.from == StreamFrom::number || a.from == StreamFrom::timestamp;
    if (is_number && a.offset > most_integer) {
        return "x-stream-offset is " + std::to_string(a.offset) + ", over " +
               std::to_string(most_integer);
    }
    if (!is_number && a.offset != 0) {
        return "x-stream-offset: a number was given without saying that it is one";
    }
    if (a.from == StreamFrom::interval && !is_age(a.interval)) {
        return "x-stream-offset is \"" + std::string(a.interval) + "\", not an interval" +
               std::string(age_rule);
    }
    if (a.from != StreamFrom::interval && !a.interval.empty()) {
        return "x-stream-offset: an interval was given without saying that it is one";
    }
    return {};
}

FieldError add_to(FieldTable& table, const ConsumerArguments& a) {
    FieldTable built;
    constexpr std::string_view name = "x-stream-offset";
    FieldError error = FieldError::none;
    if (a.priority != 0) error = built.add_int("x-priority", a.priority);
    if (error != FieldError::none) return error;
    switch (a.from) {
        case StreamFrom::none:
            break;
        case StreamFrom::first:
            error = built.add_string(name, "first");
            break;
        case StreamFrom::last:
            error = built.add_string(name, "last");
            break;
        case StreamFrom::next:
            error = built.add_string(name, "next");
            break;
        case StreamFrom::number:
            error = built.add_int(name, static_cast<std::int64_t>(a.offset));
            break;
        case StreamFrom::timestamp:
            error = built.add_timestamp(name, a.offset);
            break;
        case StreamFrom::interval:
            error = built.add_string(name, a.interval);
            break;
    }
    return error == FieldError::none ? add_all(table, built) : error;
}

}  // namespace haigha::topology
