// How a benchmark went over its time: counts at steps that are as short as the run allows.
#pragma once

#include <cstdint>
#include <vector>

namespace tool {

class BenchTimeline {
  public:
    // What had happened by then, from the beginning.
    struct Sample {
        double seconds = 0;
        std::uint64_t published = 0;
        std::uint64_t confirmed = 0;
        std::uint64_t consumed = 0;
    };

    // Keeps it if a step has passed since the last one.
    void note(const Sample& sample);
    // The last one, however short its step.
    void finish(const Sample& sample);

    // From {0, 0, 0, 0} on.
    const std::vector<Sample>& samples() const noexcept { return samples_; }

  private:
    // Of a run of any length; when they are as many the steps become twice as long.
    static constexpr std::size_t most_samples = 400;

    std::vector<Sample> samples_ = {{}};
    double step_seconds_ = 0.1;
};

}  // namespace tool
