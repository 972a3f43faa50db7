// The benchmark's table, and the same as JSON.
#pragma once

#include <cstddef>
#include <string>
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
    std::vector<Figures> runs;

    const Figures& least() const;  // the run with the least CPU time: noise only adds
    double median_cpu_us() const;
};

void print_heading(int repetitions);
// `floor` may be the series itself.
void print_row(const Series& series, const Series& floor);

class JsonReport {
  public:
    void add(const Series& series, const Series& floor);
    void write(const std::string& file) const;

  private:
    std::string rows_;
};

}  // namespace bench
