// The line that shows how a benchmark is going, on a terminal.
#pragma once

#include <cstdint>

#include "bench_state.h"

namespace tool {

class BenchProgress {
  public:
    explicit BenchProgress(const BenchState& state);
    ~BenchProgress();
    BenchProgress(const BenchProgress&) = delete;
    BenchProgress& operator=(const BenchProgress&) = delete;

    // Draws it again if it is time to.
    void update(std::uint64_t at_ns);

  private:
    struct Counts {
        std::uint64_t published = 0;
        std::uint64_t confirmed = 0;
        std::uint64_t consumed = 0;
    };
    Counts counts() const;

    const BenchState& state_;
    bool shown_;
    Counts last_;
    std::uint64_t last_ns_;
};

}  // namespace tool
