#include "bench_charts.h"

#include <haigha/haigha.h>

#include <algorithm>
#include <cmath>

#include "latency_steps.h"
#include "svg_chart.h"
#include "terminal.h"

namespace tool {

namespace {

using Sample = BenchTimeline::Sample;

// 1, 2 or 5 times a power of ten, of which there are at most about six up to `most`.
double round_step(double most) {
    const double rough = std::max(most, 1e-9) / 6;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= rough) return factor * power;
    }
    return 10 * power;
}

std::string short_number(double number) {
    if (number == std::floor(number)) return grouped(static_cast<std::uint64_t>(number));
    std::string text = fixed(number, 3);
    text.erase(text.find_last_not_of('0') + 1);
    return text;
}

std::vector<ChartTick> linear_ticks(double most, double step) {
    std::vector<ChartTick> ticks;
    for (int i = 0; i * step <= most * 1.0001; ++i)
        ticks.push_back({i * step / most, short_number(i * step)});
    return ticks;
}

std::vector<std::pair<double, double>> rates_of(const std::vector<Sample>& samples,
                                                std::uint64_t Sample::*count) {
    std::vector<std::pair<double, double>> rates;
    for (std::size_t i = 1; i < samples.size(); ++i) {
        const double seconds = samples[i].seconds - samples[i - 1].seconds;
        if (seconds <= 0) continue;
        const double rate =
            static_cast<double>(samples[i].*count - samples[i - 1].*count) / seconds;
        // What happened between the two, as a step.
        rates.emplace_back(samples[i - 1].seconds, rate);
        rates.emplace_back(samples[i].seconds, rate);
    }
    return rates;
}

Chart throughput_chart(const BenchResult& result) {
    const BenchOptions& options = result.options;
    const std::vector<Sample>& samples = result.timeline->samples();
    Chart chart{"Throughput", "seconds from the beginning", "messages a second", {}, {}, {}};
    const auto add = [&](const char* name, int colour, std::uint64_t Sample::*count) {
        chart.lines.push_back({name, colour, rates_of(samples, count)});
    };
    if (options.channels > 0) add("published", 0, &Sample::published);
    if (options.confirm) add("confirmed", 1, &Sample::confirmed);
    if (options.transaction > 0) add("committed", 1, &Sample::confirmed);
    if (options.consumers > 0) add("consumed", 2, &Sample::consumed);
    double most = 1;
    for (const ChartLine& line : chart.lines) {
        for (const auto& [seconds, rate] : line.points)
            most = std::max(most, rate);
    }
    const double step = round_step(most);
    most = std::ceil(most / step) * step;
    const double seconds = std::max(samples.back().seconds, 1e-3);
    chart.x_ticks = linear_ticks(seconds, round_step(seconds));
    chart.y_ticks = linear_ticks(most, step);
    for (ChartLine& line : chart.lines) {
        for (auto& [x, y] : line.points) {
            x /= seconds;
            y /= most;
        }
    }
    return chart;
}

// 90 % is 1, 99 % is 2, 99.9 % is 3: where latencies become interesting there is room.
double percent_at(double nines) {
    return 100 - 100 * std::pow(10, -nines);
}

Chart latency_chart(const std::vector<std::pair<std::string, const LatencyHistogram*>>& of) {
    std::vector<const LatencyHistogram*> histograms;
    double most_nines = 1;
    for (const auto& [name, latencies] : of) {
        histograms.push_back(latencies);
        most_nines = std::max(
            most_nines,
            std::log10(static_cast<double>(std::max<std::uint64_t>(latencies->count(), 1))));
    }
    most_nines = std::min(most_nines, 6.0);
    const std::vector<LatencyStep> steps = latency_steps(histograms);
    const auto least = static_cast<double>(std::max<std::uint64_t>(steps.front().from_ns, 50));
    const auto most = static_cast<double>(steps.back().to_ns);
    const auto height = [&](double value_ns) {
        return std::clamp(std::log(value_ns / least) / std::log(most / least), 0.0, 1.0);
    };
    Chart chart{"Latency", "percentile", "latency (log scale)", {}, {}, {}};
    chart.y_ticks.push_back({0, step_label(static_cast<std::uint64_t>(least))});
    for (const LatencyStep& step : steps)
        chart.y_ticks.push_back({height(static_cast<double>(step.to_ns)), step_label(step.to_ns)});
    for (const double percent : {0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999}) {
        const double nines = -std::log10(1 - percent / 100);
        if (nines > most_nines + 1e-9) break;
        chart.x_ticks.push_back({nines / most_nines, short_number(percent) + " %"});
    }
    int colour = 1;
    for (const auto& [name, latencies] : of) {
        ChartLine line{name, colour++, {}};
        constexpr int points = 240;
        for (int i = 0; i <= points && latencies->count() > 0; ++i) {
            const double at = static_cast<double>(i) / points;
            const auto value = latencies->percentile_ns(percent_at(at * most_nines));
            line.points.emplace_back(at, height(static_cast<double>(value)));
        }
        if (!line.points.empty()) chart.lines.push_back(std::move(line));
    }
    return chart;
}

}  // namespace

std::string result_svg(const BenchResult& result) {
    const BenchOptions& options = result.options;
    const bool commits = options.transaction > 0;
    std::vector<std::pair<std::string, const LatencyHistogram*>> latencies;
    latencies.emplace_back(commits ? "to commit" : "to confirm", result.confirm_latency);
    latencies.emplace_back("to deliver", result.deliver_latency);
    std::vector<Chart> charts = {throughput_chart(result)};
    if (result.confirm_latency->count() + result.deliver_latency->count() > 0) {
        charts.push_back(latency_chart(latencies));
    }
    const std::string heading = std::string("haigha ") + haigha_version_string() + " bench with " +
                                result.broker + " at " + options.broker.address();
    return svg_of(
        heading,
        counted(std::max(result.published.messages, result.consumed.messages), "message") + " of " +
            counted(options.size_bytes, "byte") + ", " +
            (options.persistent ? "persistent" : "transient") + "; " +
            counted(options.channels, "channel") + " publishing, " +
            counted(options.consumers, "consumer"),
        charts);
}

}  // namespace tool
