// How far long work has come, on standard error: a line that is drawn again and again on a
// terminal, and where it is asked for elsewhere, a line each time.
#pragma once

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tool {

// What --progress and --no-progress say; nothing: where standard error is a terminal.
using ProgressWish = std::optional<bool>;

void add_progress_option(CLI::App& command, ProgressWish& wish);

// Something that is counted: "published 1,234 (567/s)".
struct ProgressCount {
    const char* what;
    std::uint64_t number;
};

class Progress {
  public:
    // `by_default`: whether it is of use on a terminal, if nothing was wished.
    explicit Progress(ProgressWish wish, bool by_default = true);
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Whether it is shown at all, and was not for a while.
    bool is_due() const;
    // done: from 0 to 1, where that is known. `rest` is said behind everything else. The same
    // things are counted each time.
    void show(const std::vector<ProgressCount>& counts, std::optional<double> done = {},
              const std::string& rest = "");
    // A line without counts.
    void show(const std::string& text);
    // Where each time has a line, the last one; on a terminal nothing is left.
    void finish(const std::vector<ProgressCount>& counts);
    // Takes the line off the terminal, so that something else can be said.
    void clear();

  private:
    using Clock = std::chrono::steady_clock;

    bool shown_;
    bool on_terminal_;
    bool drawn_ = false;
    Clock::time_point begun_ = Clock::now();
    Clock::time_point last_ = begun_;
    std::vector<std::uint64_t> last_numbers_;
};

}  // namespace tool
