#include "bench_progress.h"

#include <algorithm>

namespace tool {

BenchProgress::BenchProgress(const BenchState& state)
    : state_(state), progress_(state.options.progress) {}

BenchProgress::~BenchProgress() {
    progress_.finish(counts());
}

std::vector<ProgressCount> BenchProgress::counts() const {
    const BenchTallies& tallies = state_.tallies;
    const BenchOptions& options = state_.options;
    std::vector<ProgressCount> counts;
    if (options.channels > 0) counts.push_back({"published", tallies.published.get()});
    if (options.confirm) counts.push_back({"confirmed", tallies.confirmed.get()});
    if (options.transaction > 0) counts.push_back({"committed", tallies.confirmed.get()});
    if (options.consumers > 0) counts.push_back({"consumed", tallies.consumed.get()});
    return counts;
}

std::optional<double> BenchProgress::done(std::uint64_t at_ns) const {
    const BenchOptions& options = state_.options;
    const auto part = [](double some, double all) { return std::min(1.0, some / all); };
    if (options.duration_seconds > 0) {
        return part(static_cast<double>(at_ns - state_.start_ns()) / 1e9, options.duration_seconds);
    }
    if (options.count == 0) return std::nullopt;
    const Tally& tally = options.consumers > 0 ? state_.tallies.consumed : state_.tallies.published;
    return part(static_cast<double>(tally.get()), static_cast<double>(options.count));
}

void BenchProgress::update(std::uint64_t at_ns) {
    if (!progress_.is_due()) return;
    const bool blocked = state_.tallies.blocked.load(std::memory_order_relaxed);
    progress_.show(counts(), done(at_ns), blocked ? "BLOCKED by the broker" : "");
}

}  // namespace tool
