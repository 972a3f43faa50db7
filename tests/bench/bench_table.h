// The benchmark's table, and the same as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct Figures {
    double cpu_us = 0;  // client CPU time per message
    double rate = 0;    // messages per second of wall time
    double writes = 0;  // system calls per message
    double reads = 0;
    bool knows_calls = false;  // writes and reads were counted
};

// The repetitions of one line of the table.
struct Series {
    std::size_t size = 0;
    std::string work;
    std::string client;
    std::vector<Figures> runs = {};
    std::uint64_t count = 0;  // messages of each

    const Figures& least() const;  // the run with the least CPU time: noise only adds
    double median_cpu_us() const;
    double most_rate() const;
};

// `peer` is what the clients work against.
void print_heading(const std::string& peer, int repetitions);
// `floor` may be the series itself; null: there is none.
void print_row(const Series& series, const Series* floor);

class JsonReport {
  public:
    explicit JsonReport(std::string table) : table_(std::move(table)) {}
    void add(const Series& series, const Series* floor);
    void write(const std::string& file) const;

  private:
    const std::string table_;
    std::string rows_;
};

}  // namespace bench
