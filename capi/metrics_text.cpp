#include "metrics_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <utility>

namespace haigha::capi {

namespace {

constexpr std::size_t max_labels = 64;
constexpr std::size_t max_label_value = 4096;

// Those that the metrics' own values are told apart by.
constexpr std::array<std::string_view, 6> own_labels = {"le",
                                                        "outcome",
                                                        "how",
                                                        "messaging_system",
                                                        "messaging_operation_name",
                                                        "messaging_operation_type"};

// ---- the metrics

using Count = std::uint64_t haigha_statistics::*;
using Lengths = haigha_histogram haigha_statistics::*;

struct Value {
    Count member;
    std::string_view labels = {};
};
enum class Unit : std::uint8_t { one, milliseconds };
struct Counted {
    std::string_view name;
    std::string_view type;
    std::string_view help;
    std::array<Value, 5> values;  // those after the first may have no member
    Unit unit = Unit::one;
};
struct Measured {
    std::string_view name;
    std::string_view help;
    Lengths member;
    std::string_view labels = {};
};

using S = haigha_statistics;
constexpr std::string_view gauge = "gauge";
constexpr std::string_view counter = "counter";

// Where OpenTelemetry's messaging conventions have a metric it has their name.
constexpr Counted counted[] = {
    {"haigha_channels", gauge, "Channels that are open.", {{{&S::channels}}}},
    {"haigha_consumers", gauge, "Consumers.", {{{&S::consumers}}}},
    {"haigha_outbox_bytes",
     gauge,
     "Bytes that are not yet handed to the operating system.",
     {{{&S::outbox_bytes}}}},
    {"haigha_waiting_calls", gauge, "Calls without an answer.", {{{&S::calls_waiting}}}},
    {"haigha_unconfirmed_publishes", gauge, "Publishes without an outcome.", {{{&S::unconfirmed}}}},
    {"haigha_unsettled_deliveries", gauge, "Deliveries that are not settled.", {{{&S::unsettled}}}},
    {"haigha_oldest_unconfirmed_publish_seconds",
     gauge,
     "For how long the oldest publish has had no outcome.",
     {{{&S::oldest_unconfirmed_ms}}},
     Unit::milliseconds},
    {"haigha_oldest_unsettled_delivery_seconds",
     gauge,
     "For how long the oldest delivery has not been settled.",
     {{{&S::oldest_unsettled_ms}}},
     Unit::milliseconds},
    {"haigha_sent_bytes_total",
     counter,
     "Bytes handed to the operating system.",
     {{{&S::bytes_sent}}}},
    {"haigha_received_bytes_total", counter, "Bytes read.", {{{&S::bytes_received}}}},
    {"haigha_sent_frames_total", counter, "Frames made to be sent.", {{{&S::frames_sent}}}},
    {"haigha_received_frames_total", counter, "Frames read.", {{{&S::frames_received}}}},
    {"haigha_writes_total", counter, "System calls that write.", {{{&S::writes}}}},
    {"haigha_reads_total", counter, "System calls that read.", {{{&S::reads}}}},
    {"haigha_sent_heartbeats_total", counter, "Heartbeats sent.", {{{&S::heartbeats_sent}}}},
    {"haigha_received_heartbeats_total",
     counter,
     "Heartbeats received.",
     {{{&S::heartbeats_received}}}},
    {"messaging_client_sent_messages_total",
     counter,
     "Publishes that were taken.",
     {{{&S::published, "messaging_system=\"rabbitmq\",messaging_operation_name=\"publish\""}}}},
    {"haigha_publish_outcomes_total",
     counter,
     "What publishes on confirm channels have become.",
     {{{&S::confirmed, "outcome=\"confirmed\""},
       {&S::nacked, "outcome=\"nacked\""},
       {&S::returned, "outcome=\"returned\""},
       {&S::not_sent, "outcome=\"not_sent\""},
       {&S::unknown, "outcome=\"unknown\""}}}},
    {"haigha_republished_messages_total",
     counter,
     "Publishes sent once more after a recovery.",
     {{{&S::republished}}}},
    {"haigha_refused_publishes_total",
     counter,
     "Publishes refused for want of room.",
     {{{&S::publishes_refused}}}},
    {"haigha_returned_messages_total",
     counter,
     "Messages that no queue took.",
     {{{&S::messages_returned}}}},
    {"messaging_client_consumed_messages_total",
     counter,
     "Messages received.",
     {{{&S::delivered, "messaging_system=\"rabbitmq\",messaging_operation_name=\"deliver\""},
       {&S::got, "messaging_system=\"rabbitmq\",messaging_operation_name=\"get\""}}}},
    {"haigha_redelivered_messages_total",
     counter,
     "Messages received that had been before.",
     {{{&S::redelivered}}}},
    {"haigha_settled_deliveries_total",
     counter,
     "Deliveries that were settled.",
     {{{&S::acked, "how=\"ack\""},
       {&S::nacks_sent, "how=\"nack\""},
       {&S::rejected, "how=\"reject\""}}}},
    {"haigha_late_settlements_total",
     counter,
     "Settlements of deliveries of a lost channel.",
     {{{&S::settled_too_late}}}},
    {"haigha_blocked_times_total",
     counter,
     "How often the broker has said connection.blocked.",
     {{{&S::blocked_times}}}},
    {"haigha_blocked_seconds_total",
     counter,
     "For how long altogether that was so.",
     {{{&S::blocked_ms}}},
     Unit::milliseconds},
    {"haigha_opened_channels_total", counter, "Channels opened.", {{{&S::channels_opened}}}},
    {"haigha_lost_channels_total",
     counter,
     "Channels that ended without having been asked to.",
     {{{&S::channels_lost}}}},
    {"haigha_opened_connections_total",
     counter,
     "Transport connections opened.",
     {{{&S::connections_opened}}}},
    {"haigha_lost_connections_total",
     counter,
     "Transport connections that ended without having been asked to.",
     {{{&S::connections_lost}}}},
    {"haigha_recovery_attempts_total",
     counter,
     "Attempts to connect again.",
     {{{&S::recovery_attempts}}}},
    {"haigha_failed_recovery_attempts_total",
     counter,
     "Those of them that failed.",
     {{{&S::recovery_failures}}}},
    {"haigha_recoveries_total",
     counter,
     "Recoveries after which everything was back.",
     {{{&S::recoveries}}}},
};

constexpr Measured measured[] = {
    {"messaging_client_operation_duration_seconds", "From a publish to the broker's ack or nack.",
     &S::confirm_latency,
     "messaging_system=\"rabbitmq\",messaging_operation_name=\"publish\","
     "messaging_operation_type=\"send\""},
    {"haigha_call_duration_seconds", "From a call's turn to its answer.", &S::round_trip},
};

// ---- writing

// Without an exponent, as exactly as it is known.
std::string seconds_text(std::uint64_t nanoseconds) {
    std::string text = std::to_string(nanoseconds / 1'000'000'000);
    std::string fraction = std::to_string(nanoseconds % 1'000'000'000);
    fraction.insert(0, 9 - fraction.size(), '0');
    fraction.erase(fraction.find_last_not_of('0') + 1);
    if (!fraction.empty()) text += "." + fraction;
    return text;
}

void write_head(std::string& to, std::string_view name, std::string_view type,
                std::string_view help) {
    to.append("# HELP ").append(name).append(" ").append(help).append("\n");
    to.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void write_value(std::string& to, std::string_view name, std::string_view given,
                 std::string_view own, std::string_view value) {
    to.append(name);
    if (!given.empty() || !own.empty()) {
        to.append("{").append(given);
        if (!given.empty() && !own.empty()) to.append(",");
        to.append(own).append("}");
    }
    to.append(" ").append(value).append("\n");
}

std::string joined(std::string_view own, std::string_view more) {
    return own.empty() ? std::string(more) : std::string(own) + "," + std::string(more);
}

void write_histogram(std::string& to, const Measured& metric, std::string_view labels,
                     const haigha_histogram& lengths) {
    const std::string name(metric.name);
    std::uint64_t up_to = 0;
    for (std::size_t i = 0; i < HAIGHA_HISTOGRAM_BUCKETS; ++i) {
        up_to += lengths.buckets[i];
        const bool last = i + 1 == HAIGHA_HISTOGRAM_BUCKETS;
        const std::string limit = last ? "+Inf" : seconds_text((std::uint64_t{1} << i) * 1000);
        write_value(to, name + "_bucket", labels, joined(metric.labels, "le=\"" + limit + "\""),
                    std::to_string(up_to));
    }
    write_value(to, name + "_sum", labels, metric.labels, seconds_text(lengths.sum_ns));
    write_value(to, name + "_count", labels, metric.labels, std::to_string(up_to));
}

// ---- labels

// RFC 3629: neither too long a form, nor a surrogate, nor beyond U+10FFFF.
bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
        const unsigned first = octet(at);
        const std::size_t more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        if ((first >= 0x80 && first < 0xC2) || first > 0xF4 || more >= text.size() - at)
            return false;
        std::uint32_t point = more == 0 ? first : first & (0x3FU >> more);
        for (std::size_t i = 1; i <= more; ++i) {
            if ((octet(at + i) & 0xC0U) != 0x80U) return false;
            point = point << 6 | (octet(at + i) & 0x3FU);
        }
        const bool too_long = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
        if (too_long || (point >= 0xD800 && point <= 0xDFFF) || point > 0x10FFFF) return false;
        at += more + 1;
    }
    return true;
}

bool is_label_name(std::string_view name) {
    const auto fits = [](char c) {
        return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9');
    };
    return !name.empty() && name.substr(0, 2) != "__" && (name[0] < '0' || name[0] > '9') &&
           std::all_of(name.begin(), name.end(), fits);
}

std::string escaped(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c == '\n') {
            text += "\\n";
            continue;
        }
        if (c == '\\' || c == '"') text += '\\';
        text += c;
    }
    return text;
}

}  // namespace

std::string labels_text(Arguments& arguments, std::span<const haigha_label> labels) {
    if (labels.size() > max_labels) {
        arguments.fault(Status::argument, "there are " + std::to_string(labels.size()) +
                                              " labels, over " + std::to_string(max_labels));
        return {};
    }
    std::vector<std::pair<std::string_view, std::string_view>> all;
    for (const haigha_label& label : labels) {
        const std::string_view name = arguments.name(label.name, "labels->name");
        const std::string_view value =
            arguments.text(label.value, "labels->value", max_label_value);
        if (arguments.bad()) return {};
        if (!is_label_name(name)) {
            arguments.fault(Status::argument,
                            "\"" + std::string(name) + "\" is no name of a label");
        } else if (std::find(own_labels.begin(), own_labels.end(), name) != own_labels.end()) {
            arguments.fault(Status::argument,
                            "the label \"" + std::string(name) + "\" is one of the metrics' own");
        } else if (!is_utf8(value)) {
            arguments.fault(Status::argument,
                            "the value of the label \"" + std::string(name) + "\" is not UTF-8");
        }
        all.emplace_back(name, value);
    }
    std::sort(all.begin(), all.end());
    std::string text;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i > 0 && all[i].first == all[i - 1].first) {
            arguments.fault(Status::argument,
                            "the label \"" + std::string(all[i].first) + "\" is there twice");
        }
        text += i > 0 ? "," : "";
        text.append(all[i].first).append("=\"").append(escaped(all[i].second)).append("\"");
    }
    return text;
}

bool MetricsText::add(const haigha_statistics& statistics, std::string labels) {
    const bool known = std::any_of(sources_.begin(), sources_.end(),
                                   [&](const Source& one) { return one.labels == labels; });
    if (!known) sources_.push_back({std::move(labels), statistics});
    return !known;
}

std::string_view MetricsText::write() {
    std::string text;
    if (!sources_.empty()) {
        write_head(text, "haigha_connection_state", gauge,
                   "0 new, 1 opening, 2 open, 3 closing, 4 closed, 5 recovering.");
        for (const Source& one : sources_)
            write_value(text, "haigha_connection_state", one.labels, {},
                        std::to_string(one.statistics.state));
        write_head(text, "haigha_connection_blocked", gauge,
                   "Whether the broker has said connection.blocked.");
        for (const Source& one : sources_)
            write_value(text, "haigha_connection_blocked", one.labels, {},
                        std::to_string(one.statistics.blocked));
        for (const Counted& metric : counted) {
            write_head(text, metric.name, metric.type, metric.help);
            for (const Source& one : sources_) {
                for (const Value& value : metric.values) {
                    if (value.member == nullptr) continue;
                    const std::uint64_t number = one.statistics.*value.member;
                    write_value(text, metric.name, one.labels, value.labels,
                                metric.unit == Unit::one ? std::to_string(number)
                                                         : seconds_text(number * 1'000'000));
                }
            }
        }
        for (const Measured& metric : measured) {
            write_head(text, metric.name, "histogram", metric.help);
            for (const Source& one : sources_)
                write_histogram(text, metric, one.labels, one.statistics.*metric.member);
        }
    }
    text_ = std::move(text);
    return text_;
}

}  // namespace haigha::capi
