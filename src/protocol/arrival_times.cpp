#include "protocol/arrival_times.h"

#include <algorithm>
#include <limits>
#include <new>

namespace haigha::protocol {

void ArrivalTimes::begin_step(std::uint64_t number, std::uint64_t oldest, Instant now) {
    forget_found();
    // The last step that begins at or before the oldest is the first one of interest.
    auto kept = std::upper_bound(
        steps_.begin(), steps_.end(), std::min(oldest, number),
        [](std::uint64_t wanted, const Step& step) { return wanted < step.first; });
    if (kept != steps_.begin()) --kept;
    if (!steps_.empty() && oldest >= number) kept = steps_.end();
    steps_.erase(steps_.begin(), kept);
    if (steps_.size() == most_steps) join_steps(now);
    try {
        steps_.push_back({number, now});
        last_ = now;
    } catch (const std::bad_alloc&) {
        // It counts as one of the step before. Without one nothing is known of it.
    }
}

// Steps that are close to the one before, for as long a time as is remembered, become a part of it:
// half of them are left, or fewer.
void ArrivalTimes::join_steps(Instant now) {
    const Duration close{(now - steps_.front().at).nanoseconds /
                         static_cast<std::int64_t>(most_steps / 2 - 1)};
    std::size_t kept = 0;
    for (const Step& step : steps_) {
        if (kept == 0 || step.at - steps_[kept - 1].at > close) steps_[kept++] = step;
    }
    steps_.resize(kept);
}

void ArrivalTimes::find(std::uint64_t number) const {
    auto next = std::upper_bound(
        steps_.begin(), steps_.end(), number,
        [](std::uint64_t wanted, const Step& step) { return wanted < step.first; });
    if (next == steps_.begin()) ++next;
    const Step& step = *(next - 1);
    found_first_ = step.first;
    found_last_ =
        next == steps_.end() ? std::numeric_limits<std::uint64_t>::max() : next->first - 1;
    found_at_ = step.at;
}

}  // namespace haigha::protocol
