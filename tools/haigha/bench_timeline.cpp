#include "bench_timeline.h"

namespace tool {

void BenchTimeline::note(const Sample& sample) {
    if (sample.seconds - samples_.back().seconds < step_seconds_) return;
    samples_.push_back(sample);
    if (samples_.size() < most_samples) return;
    // Counts from the beginning: those in between can just go.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < samples_.size(); i += 2)
        samples_[kept++] = samples_[i];
    samples_.resize(kept);
    step_seconds_ *= 2;
}

void BenchTimeline::finish(const Sample& sample) {
    // A rate of almost no time says nothing.
    if (samples_.size() > 1 && sample.seconds - samples_.back().seconds < step_seconds_ / 2) {
        samples_.pop_back();
    }
    samples_.push_back(sample);
}

}  // namespace tool
