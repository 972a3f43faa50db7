// The line that shows how a benchmark is going, on a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench_state.h"
#include "progress.h"

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
    std::vector<ProgressCount> counts() const;
    std::optional<double> done(std::uint64_t at_ns) const;

    const BenchState& state_;
    Progress progress_;
};

}  // namespace tool
