// A benchmark's result as charts: its rates over time, and its latencies by percentile.
#pragma once

#include <string>

#include "bench_report.h"

namespace tool {

std::string result_svg(const BenchResult& result);

}  // namespace tool
