// The rows of the tables on scale, memory and latency: printed as they come, and as JSON.
#pragma once

#include <optional>
#include <string>

namespace bench {

struct ScaleRow {
    std::string table;  // "scale", "memory" or "latency"
    std::string what;
    double value = 0;
    std::string unit;
    std::string goal;                            // empty: none
    std::optional<double> ratio = std::nullopt;  // what the goal is about, unless it is the value
};

class ScaleReport {
  public:
    void print_heading() const;
    void add(const ScaleRow& row);
    // False when the file cannot be written.
    bool write(const std::string& file) const;

  private:
    std::string rows_;
};

// What the parts of the benchmark run with.
struct ScaleSettings {
    bool quick = false;
    int repetitions = 3;
    ScaleReport* report = nullptr;
};

// Each is one part.
void run_connections(const ScaleSettings& settings);
void run_channels(const ScaleSettings& settings);
void run_confirms(const ScaleSettings& settings);
void run_bodies(const ScaleSettings& settings);
void run_producers(const ScaleSettings& settings);
void run_latency(const ScaleSettings& settings);

}  // namespace bench
