// Latencies on a scale of steps: 1, 2, 5, 10, 20, 50, ...
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "latency_histogram.h"

namespace tool {

// From `from_ns`, which is not in it, to `to_ns`.
struct LatencyStep {
    std::uint64_t from_ns;
    std::uint64_t to_ns;
};

// The steps of all that the histograms hold, none left out between them; without any, none.
std::vector<LatencyStep> latency_steps(const std::vector<const LatencyHistogram*>& histograms);

// "5 ms", "200 µs": a step's end.
std::string step_label(std::uint64_t value_ns);

}  // namespace tool
