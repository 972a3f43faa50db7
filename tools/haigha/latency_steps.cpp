#include "latency_steps.h"

#include <algorithm>

#include "terminal.h"

namespace tool {

std::vector<LatencyStep> latency_steps(const std::vector<const LatencyHistogram*>& histograms) {
    std::uint64_t least = UINT64_MAX;
    std::uint64_t most = 0;
    for (const LatencyHistogram* const each : histograms) {
        if (each->count() == 0) continue;
        least = std::min(least, each->percentile_ns(0));
        most = std::max(most, each->max_ns());
    }
    std::vector<LatencyStep> steps;
    if (least > most) return steps;
    std::uint64_t from = 0;
    std::uint64_t decade = 100;  // ns: what is below it is no latency of a network
    while (true) {
        for (const std::uint64_t factor : {1, 2, 5}) {
            const std::uint64_t to = decade * factor;
            if (to >= least) steps.push_back({from, to});
            if (to >= most) return steps;
            from = to;
        }
        decade *= 10;
    }
}

std::string step_label(std::uint64_t value_ns) {
    std::string text = latency(value_ns);
    // 5.00 ms, 20.0 ms
    if (const std::size_t point = text.find('.'); point != std::string::npos) {
        const std::size_t end = text.find(' ');
        const std::size_t last = text.find_last_not_of('0', end - 1);
        const std::size_t kept = last == point ? point : last + 1;
        text.erase(kept, end - kept);
    }
    return text;
}

}  // namespace tool
