#include "bench_plot.h"

#include <algorithm>
#include <cmath>

#include "latency_steps.h"
#include "terminal.h"

namespace tool {

namespace {

constexpr std::size_t bar_columns = 20;
constexpr std::size_t share_columns = 8;
constexpr std::size_t step_columns = 14;

// In eighths of a column, where the terminal can print them. What is there is seen.
std::string bar(double part) {
    static const char* const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const double columns = part * static_cast<double>(bar_columns);
    std::string text;
    if (!can_print_utf8()) {
        text.assign(static_cast<std::size_t>(std::ceil(columns)), '#');
        return text;
    }
    const auto in_eighths = static_cast<std::size_t>(std::ceil(columns * 8));
    for (std::size_t i = 0; i < in_eighths / 8; ++i)
        text += "█";
    return text + eighths[in_eighths % 8];
}

std::string share_text(double share) {
    if (share == 0) return "";
    return share < 0.0005 ? "<0.1 %" : fixed(share * 100, 1) + " %";
}

}  // namespace

std::vector<std::string> latency_plot(const std::vector<NamedLatencies>& of) {
    std::vector<NamedLatencies> shown;
    std::vector<const LatencyHistogram*> histograms;
    for (const NamedLatencies& each : of) {
        if (each.latencies->count() == 0) continue;
        shown.push_back(each);
        histograms.push_back(each.latencies);
    }
    const std::vector<LatencyStep> steps = latency_steps(histograms);
    if (steps.empty()) return {};
    const auto share = [](const LatencyHistogram& in, const LatencyStep& step) {
        const std::uint64_t count = in.count_to(step.to_ns) - in.count_to(step.from_ns);
        return static_cast<double>(count) / static_cast<double>(in.count());
    };
    double largest = 0;
    for (const LatencyStep& step : steps) {
        for (const LatencyHistogram* const each : histograms)
            largest = std::max(largest, share(*each, step));
    }
    std::vector<std::string> lines = {left("up to", step_columns)};
    for (const NamedLatencies& each : shown)
        lines.front() += left(each.name, bar_columns + share_columns + 2);
    for (const LatencyStep& step : steps) {
        std::string line = left(step_label(step.to_ns), step_columns);
        for (const LatencyHistogram* const each : histograms) {
            const double part = share(*each, step);
            line += left(bar(part / largest), bar_columns) +
                    right(share_text(part), share_columns) + "  ";
        }
        line.erase(line.find_last_not_of(' ') + 1);
        lines.push_back(line);
    }
    lines.front().erase(lines.front().find_last_not_of(' ') + 1);
    return lines;
}

}  // namespace tool
