// A connection's numbers, and their text.
#include "haigha/statistics.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "boundary.h"
#include "handles.h"
#include "metrics_text.h"
#include "usable.h"

using haigha::Duration;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::capi::MetricsText;
using haigha::capi::usable;
using haigha::client::Connection;
using haigha::client::Statistics;
using haigha::protocol::Outcome;

static_assert(HAIGHA_HISTOGRAM_BUCKETS == haigha::Histogram::buckets_size);

struct haigha_metrics {
    MetricsText text;
};

namespace {

// What a caller of the first release has.
constexpr std::size_t first_size =
    offsetof(haigha_statistics, round_trip) + sizeof(haigha_histogram);

std::uint64_t whole_ms(Duration length) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(length.nanoseconds, 0)) / 1'000'000;
}

haigha_histogram told(const haigha::Histogram& from) {
    haigha_histogram to{};
    to.count = from.count();
    to.sum_ns = from.sum_ns;
    std::copy(from.buckets.begin(), from.buckets.end(), to.buckets);
    return to;
}

void tell_publishing(const Statistics& from, haigha_statistics& to) {
    const auto ended = [&](Outcome outcome) {
        return from.outcomes.ended[static_cast<std::size_t>(outcome)];
    };
    to.published = from.counted.publishes;
    to.confirmed = ended(Outcome::confirmed);
    to.nacked = ended(Outcome::nacked);
    to.returned = ended(Outcome::returned);
    to.not_sent = ended(Outcome::not_sent);
    to.unknown = ended(Outcome::unknown);
    to.republished = from.counted.republishes;
    to.publishes_refused = from.counted.refused_publishes;
    to.messages_returned = from.counted.returns;
    to.confirm_latency = told(from.outcomes.latency);
}

void tell_consuming(const Statistics& from, haigha_statistics& to) {
    to.delivered = from.counted.deliveries;
    to.got = from.counted.gets;
    to.redelivered = from.counted.redeliveries;
    to.acked = from.counted.acks;
    to.nacks_sent = from.counted.nacks;
    to.rejected = from.counted.rejects;
    to.settled_too_late = from.stale_settlements;
}

void tell_links(const Statistics& from, haigha_statistics& to) {
    to.blocked_times = from.counted.blocked_times;
    to.blocked_ms = from.counted.blocked_ns / 1'000'000;
    to.channels_opened = from.counted.channels_opened;
    to.channels_lost = from.counted.channels_lost;
    to.connections_opened = from.links.opened;
    to.connections_lost = from.links.lost;
    to.recovery_attempts = from.links.attempts;
    to.recovery_failures = from.links.failed_attempts;
    to.recoveries = from.recoveries;
}

haigha_statistics told(const Statistics& from) {
    haigha_statistics to{};
    to.state = static_cast<int32_t>(from.state);
    to.blocked = from.blocked ? 1 : 0;
    to.channels = from.channels;
    to.consumers = from.consumers;
    to.outbox_bytes = from.outbox_bytes;
    to.calls_waiting = from.calls;
    to.unconfirmed = from.unconfirmed;
    to.unsettled = from.unsettled;
    to.oldest_unconfirmed_ms = whole_ms(from.oldest_unconfirmed);
    to.oldest_unsettled_ms = whole_ms(from.oldest_unsettled);
    to.bytes_sent = from.bytes_sent;
    to.bytes_received = from.bytes_received;
    to.frames_sent = from.counted.frames_written;
    to.frames_received = from.counted.frames_read;
    to.writes = from.writes;
    to.reads = from.reads;
    to.heartbeats_sent = from.counted.heartbeats_written;
    to.heartbeats_received = from.counted.heartbeats_read;
    tell_publishing(from, to);
    tell_consuming(from, to);
    tell_links(from, to);
    to.round_trip = told(from.counted.round_trips);
    return to;
}

}  // namespace

haigha_status haigha_connection_statistics(const haigha_connection* connection,
                                           haigha_statistics* statistics, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        const Connection* const object =
            usable(arguments, const_cast<haigha_connection*>(connection));
        arguments.required(statistics, "statistics");
        if (!arguments.bad() &&
            (statistics->size < first_size || statistics->size > haigha::capi::max_struct_size)) {
            arguments.fault(Status::struct_version, "statistics->size is " +
                                                        std::to_string(statistics->size) +
                                                        ": was it set by its initialiser?");
        }
        if (arguments.bad()) return arguments.refuse(error);
        haigha_statistics now = told(object->statistics());
        now.size = statistics->size;
        std::memset(statistics, 0, now.size);
        std::memcpy(statistics, &now, std::min(now.size, sizeof now));
        return HAIGHA_OK;
    });
}

haigha_status haigha_metrics_new(haigha_metrics** metrics, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(metrics, "metrics");
        if (arguments.bad()) return arguments.refuse(error);
        *metrics = std::make_unique<haigha_metrics>().release();
        return HAIGHA_OK;
    });
}

haigha_status haigha_metrics_add(haigha_metrics* metrics, const haigha_statistics* statistics,
                                 const haigha_label* labels, size_t count, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(metrics, "metrics");
        const haigha_statistics given = arguments.args(statistics, "statistics", first_size);
        if (count > 0) arguments.required(labels, "labels");
        std::string text;
        if (!arguments.bad()) {
            text = haigha::capi::labels_text(arguments, {labels, labels != nullptr ? count : 0});
        }
        if (!arguments.bad() && !metrics->text.add(given, std::move(text))) {
            arguments.fault(Status::argument,
                            "labels are those of a connection that was added before: its values "
                            "could not be told from these");
        }
        return arguments.bad() ? arguments.refuse(error) : HAIGHA_OK;
    });
}

haigha_status haigha_metrics_prometheus(haigha_metrics* metrics, haigha_str* text,
                                        haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(metrics, "metrics");
        arguments.required(text, "text");
        if (arguments.bad()) return arguments.refuse(error);
        *text = haigha::capi::str(metrics->text.write());
        return HAIGHA_OK;
    });
}

void haigha_metrics_free(haigha_metrics* metrics) {
    delete metrics;
}
