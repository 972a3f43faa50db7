#include "bench_report.h"

#include <haigha/haigha.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench_plot.h"
#include "latency_steps.h"
#include "terminal.h"

namespace tool {

namespace {

constexpr std::array<double, 4> percents = {50, 90, 99, 99.9};
constexpr std::size_t label_columns = 14;

bool has_confirms(const BenchOptions& options) {
    return options.confirm || options.transaction > 0;
}

std::uint64_t message_count(const BenchResult& result) {
    return std::max(result.published.messages, result.consumed.messages);
}

double megabytes(const BenchResult& result, const BenchResult::Stream& stream) {
    return stream.per_second() * static_cast<double>(result.options.size_bytes) / 1e6;
}

// A quotient by the number of messages; 0 where there are none.
double per_message(const BenchResult& result, double amount) {
    const std::uint64_t messages = message_count(result);
    return messages == 0 ? 0 : amount / static_cast<double>(messages);
}

std::string joined(const std::vector<std::string>& parts, const char* between = ", ") {
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : between) + part;
    return text;
}

void print_line(const std::string& text) {
    std::printf("%s\n", text.c_str());
}

void print_settings(const BenchResult& result, bool colour) {
    const BenchOptions& options = result.options;
    print_line(bold(std::string("haigha ") + haigha_version_string() + " with " + result.broker +
                        " at " + options.broker.address(),
                    colour));
    if (options.channels > 0) {
        std::vector<std::string> parts = {counted(options.channels, "channel")};
        if (options.confirm) {
            parts.emplace_back("publisher confirms");
            parts.emplace_back("window " + grouped(options.window));
        } else if (options.transaction > 0) {
            parts.emplace_back("transactions of " + grouped(options.transaction));
        } else {
            parts.emplace_back("no confirms");
        }
        if (options.rate > 0) parts.push_back(fixed(options.rate, 0) + " a second");
        print_line(left("publish", label_columns) + counted(result.published.messages, "message") +
                   " of " + counted(options.size_bytes, "byte") + ", " +
                   (options.persistent ? "persistent" : "transient") + "; " + joined(parts));
    }
    if (options.consumers > 0) {
        std::vector<std::string> parts = {counted(options.consumers, "consumer")};
        parts.emplace_back(options.ack ? "each message acknowledged" : "no acks");
        if (options.ack) parts.emplace_back("prefetch " + grouped(options.prefetch));
        print_line(left("consume", label_columns) + joined(parts));
    }
    print_line(left("through", label_columns) +
               (options.exchange.empty() ? "" : "exchange " + options.exchange + ", ") +
               result.queue);
}

void print_streams(const BenchResult& result, bool colour) {
    constexpr std::size_t columns = 13;
    print_line("");
    print_line(bold(left("", label_columns) + right("messages", columns) +
                        right("messages/s", columns) + right("MB/s", columns) +
                        right("seconds", columns),
                    colour));
    print_line(rule(label_columns + 4 * columns));
    const auto row = [&](const char* name, const BenchResult::Stream& stream) {
        print_line(left(name, label_columns) + right(grouped(stream.messages), columns) +
                   right(grouped(static_cast<std::uint64_t>(stream.per_second())), columns) +
                   right(fixed(megabytes(result, stream), 1), columns) +
                   right(fixed(stream.seconds, 3), columns));
    };
    if (result.options.channels > 0) row("published", result.published);
    if (has_confirms(result.options)) {
        row(result.options.confirm ? "confirmed" : "committed", result.confirmed);
    }
    if (result.options.consumers > 0) row("consumed", result.consumed);
}

void print_latencies(const BenchResult& result, bool colour) {
    if (result.confirm_latency->count() == 0 && result.deliver_latency->count() == 0) return;
    constexpr std::size_t columns = 11;
    print_line("");
    print_line(bold(left("latency", label_columns) + right("p50", columns) + right("p90", columns) +
                        right("p99", columns) + right("p99.9", columns) + right("max", columns),
                    colour));
    print_line(rule(label_columns + 5 * columns));
    const auto row = [&](const char* name, const LatencyHistogram& latencies) {
        if (latencies.count() == 0) return;
        std::string line = left(name, label_columns);
        for (const double percent : percents) {
            line += right(latency(latencies.percentile_ns(percent)), columns);
        }
        print_line(line + right(latency(latencies.max_ns()), columns));
    };
    const char* const first = result.options.confirm ? "to confirm" : "to commit";
    row(first, *result.confirm_latency);
    row("to deliver", *result.deliver_latency);
    print_line("");
    const std::vector<std::string> plot =
        latency_plot({{first, result.confirm_latency}, {"to deliver", result.deliver_latency}});
    print_line(bold(plot.front(), colour));
    print_line(rule(label_columns + 5 * columns));
    for (std::size_t i = 1; i < plot.size(); ++i)
        print_line(plot[i]);
}

void print_client(const BenchResult& result) {
    const std::string unit = can_print_utf8() ? " µs" : " us";
    const double user = per_message(result, result.user_seconds * 1e6);
    const double system = per_message(result, result.system_seconds * 1e6);
    print_line(left("client", label_columns) + fixed(user + system, 2) + unit +
               " CPU a message (user " + fixed(user, 2) + ", system " + fixed(system, 2) + "); " +
               fixed(per_message(result, static_cast<double>(result.writes)), 3) + " writes, " +
               fixed(per_message(result, static_cast<double>(result.reads)), 3) + " reads");
}

void print_verdict(const BenchResult& result, bool colour) {
    const BenchOptions& options = result.options;
    std::vector<std::string> troubles;
    const auto trouble = [&troubles](std::uint64_t number, const char* what) {
        if (number > 0) troubles.push_back(grouped(number) + " " + what);
    };
    trouble(result.nacked, "refused by the broker");
    trouble(result.not_sent, "not sent");
    trouble(result.unknown, "of unknown outcome");
    if (!troubles.empty()) {
        print_line(left("outcomes", label_columns) + red(joined(troubles), colour));
    }
    troubles.clear();
    trouble(result.missing, "missing");
    trouble(result.duplicate, "duplicate");
    trouble(result.corrupt, "corrupt");
    if (!troubles.empty()) {
        print_line(
            left(options.verify ? "verified" : "arrived", label_columns) +
            red("FAILED: " + joined(troubles) + " of " + grouped(message_count(result)), colour));
    } else if (options.verify) {
        const bool all = result.consumed.messages == message_count(result);
        const std::string counts =
            grouped(result.consumed.messages) + " of " + grouped(message_count(result));
        print_line(left("verified", label_columns) +
                   (all ? green(counts + ": each arrived exactly once, intact", colour)
                        : counts + " arrived, each exactly once and intact"));
    }
    if (result.foreign > 0) {
        print_line(left("besides", label_columns) + counted(result.foreign, "message") +
                   " that lay in the queue before");
    }
}

nlohmann::ordered_json stream_json(const BenchResult& result, const BenchResult::Stream& stream) {
    return {{"messages", stream.messages},
            {"seconds", stream.seconds},
            {"per_second", stream.per_second()},
            {"megabytes_per_second", megabytes(result, stream)}};
}

nlohmann::ordered_json latency_json(const LatencyHistogram& latencies) {
    if (latencies.count() == 0) return nullptr;
    const auto microseconds = [](std::uint64_t value_ns) {
        return static_cast<double>(value_ns) / 1e3;
    };
    nlohmann::ordered_json histogram = nlohmann::ordered_json::array();
    for (const LatencyStep& step : latency_steps({&latencies})) {
        histogram.push_back(
            {{"up_to", microseconds(step.to_ns)},
             {"messages", latencies.count_to(step.to_ns) - latencies.count_to(step.from_ns)}});
    }
    return {{"p50", microseconds(latencies.percentile_ns(50))},
            {"p90", microseconds(latencies.percentile_ns(90))},
            {"p99", microseconds(latencies.percentile_ns(99))},
            {"p99.9", microseconds(latencies.percentile_ns(99.9))},
            {"max", microseconds(latencies.max_ns())},
            {"histogram", std::move(histogram)}};
}

nlohmann::ordered_json timeline_json(const BenchTimeline& timeline) {
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const BenchTimeline::Sample& sample : timeline.samples()) {
        json.push_back({{"seconds", sample.seconds},
                        {"published", sample.published},
                        {"confirmed", sample.confirmed},
                        {"consumed", sample.consumed}});
    }
    return json;
}

}  // namespace

bool BenchResult::is_ok() const {
    return failure.empty() && verified_well() && nacked == 0 && not_sent == 0 && unknown == 0;
}

void print_table(const BenchResult& result) {
    const bool colour = wants_colour(stdout);
    print_settings(result, colour);
    print_streams(result, colour);
    print_latencies(result, colour);
    print_line("");
    print_client(result);
    print_verdict(result, colour);
}

void print_json(const BenchResult& result) {
    const BenchOptions& options = result.options;
    nlohmann::ordered_json json;
    json["ok"] = result.is_ok() && !result.interrupted;
    json["failure"] = nullptr;
    if (!result.failure.empty()) json["failure"] = result.failure;
    json["interrupted"] = result.interrupted;
    json["library"] = haigha_version_string();
    json["broker"] = result.broker;
    json["address"] = options.broker.address();
    json["settings"] = {{"size_bytes", options.size_bytes},
                        {"channels", options.channels},
                        {"consumers", options.consumers},
                        {"persistent", options.persistent},
                        {"confirm", options.confirm},
                        {"transaction", options.transaction},
                        {"window", options.window},
                        {"rate", options.rate},
                        {"ack", options.ack},
                        {"prefetch", options.prefetch},
                        {"queue", result.queue},
                        {"exchange", options.exchange}};
    json["published"] = stream_json(result, result.published);
    json["confirmed"] = has_confirms(options) ? stream_json(result, result.confirmed) : nullptr;
    json["consumed"] = stream_json(result, result.consumed);
    json["outcomes"] = {
        {"nacked", result.nacked}, {"not_sent", result.not_sent}, {"unknown", result.unknown}};
    json["verify"] = {{"contents", options.verify},
                      {"missing", result.missing},
                      {"duplicate", result.duplicate},
                      {"corrupt", result.corrupt},
                      {"foreign", result.foreign}};
    json["latency_us"] = {{"confirm", latency_json(*result.confirm_latency)},
                          {"deliver", latency_json(*result.deliver_latency)}};
    json["timeline"] = timeline_json(*result.timeline);
    json["client"] = {{"cpu_user_seconds", result.user_seconds},
                      {"cpu_system_seconds", result.system_seconds},
                      {"cpu_us_per_message",
                       per_message(result, (result.user_seconds + result.system_seconds) * 1e6)},
                      {"writes", result.writes},
                      {"reads", result.reads},
                      {"bytes_sent", result.bytes_sent},
                      {"bytes_received", result.bytes_received}};
    print_line(json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace tool
