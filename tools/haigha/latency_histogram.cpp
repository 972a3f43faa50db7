#include "latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace tool {

std::uint64_t LatencyHistogram::percentile_ns(double percent) const noexcept {
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
        seen += buckets_[i];
        if (seen >= wanted && seen > 0) return std::min(highest_of(i), max_ns_);
    }
    return max_ns_;
}

std::uint64_t LatencyHistogram::count_to(std::uint64_t value_ns) const noexcept {
    if (value_ns >= max_ns_) return count_;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size() && highest_of(i) <= value_ns; ++i)
        seen += buckets_[i];
    return seen;
}

std::uint64_t LatencyHistogram::highest_of(std::size_t index) noexcept {
    if (index < 2 * steps) return index;
    const std::size_t shift = index / steps - 1;
    return ((index - shift * steps + 1) << shift) - 1;
}

}  // namespace tool
