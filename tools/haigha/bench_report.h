// The result of a benchmark, as a table for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <string>

#include "bench_options.h"
#include "bench_timeline.h"
#include "latency_histogram.h"

namespace tool {

struct BenchResult {
    // What one kind of event came to.
    struct Stream {
        std::uint64_t messages = 0;
        double seconds = 0;  // from the beginning of the run to the last of them

        double per_second() const {
            return seconds > 0 ? static_cast<double>(messages) / seconds : 0;
        }
    };

    explicit BenchResult(const BenchOptions& asked) : options(asked) {}

    bool verified_well() const { return missing == 0 && duplicate == 0 && corrupt == 0; }
    bool is_ok() const;

    const BenchOptions& options;
    std::string broker;  // "RabbitMQ 3.10.8"
    std::string queue;   // described
    Stream published;
    Stream confirmed;
    Stream consumed;
    std::uint64_t nacked = 0;
    std::uint64_t not_sent = 0;
    std::uint64_t unknown = 0;
    std::uint64_t missing = 0;
    std::uint64_t duplicate = 0;
    std::uint64_t corrupt = 0;
    std::uint64_t foreign = 0;
    const LatencyHistogram* confirm_latency = nullptr;
    const LatencyHistogram* deliver_latency = nullptr;
    const BenchTimeline* timeline = nullptr;
    double user_seconds = 0;    // CPU time of this process
    double system_seconds = 0;  //
    std::uint64_t writes = 0;   // system calls, of all connections
    std::uint64_t reads = 0;    //
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::string failure;  // what ended the run early
    bool interrupted = false;
};

// Both go to standard output.
void print_table(const BenchResult& result);
void print_json(const BenchResult& result);

}  // namespace tool
