// The latencies of a benchmark as bars of characters.
#pragma once

#include <string>
#include <vector>

#include "latency_histogram.h"

namespace tool {

struct NamedLatencies {
    std::string name;
    const LatencyHistogram* latencies;
};

// A line for each step of latency, with a bar and a share for each histogram that holds any; the
// first one says which is which. Nothing where none does.
std::vector<std::string> latency_plot(const std::vector<NamedLatencies>& of);

}  // namespace tool
