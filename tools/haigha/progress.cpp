#include "progress.h"

#include <algorithm>
#include <cstdio>

#include "terminal.h"

namespace tool {

void add_progress_option(CLI::App& command, ProgressWish& wish) {
    // A flag with a bool would be false where neither is given.
    command
        .add_flag_callback(
            "--progress", [&wish] { wish = true; },
            "Show on standard error how far it has come, which is the\ndefault where that is a "
            "terminal")
        ->option_text(" ");
    command
        .add_flag_callback(
            "--no-progress", [&wish] { wish = false; }, "Do not")
        ->option_text(" ");
}

Progress::Progress(ProgressWish wish, bool by_default)
    : shown_(wish.value_or(by_default && is_terminal(stderr))), on_terminal_(is_terminal(stderr)) {}

bool Progress::is_due() const {
    using namespace std::chrono_literals;
    // Lines that stay are wanted less often than one that moves.
    return shown_ && Clock::now() - last_ >= (on_terminal_ ? 500ms : 5000ms);
}

void Progress::show(const std::vector<ProgressCount>& counts, std::optional<double> done,
                    const std::string& rest) {
    const auto seconds_since = [](Clock::time_point then) {
        return std::chrono::duration<double>(Clock::now() - then).count();
    };
    const double seconds = std::max(seconds_since(last_), 1e-3);
    last_numbers_.resize(counts.size());
    std::string line = fixed(seconds_since(begun_), 1) + " s";
    if (done) line += right(std::to_string(static_cast<int>(*done * 100)) + " %", 7);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const std::uint64_t more = counts[i].number - last_numbers_[i];
        const auto rate = static_cast<std::uint64_t>(static_cast<double>(more) / seconds);
        line += std::string("   ") + counts[i].what + " " + grouped(counts[i].number) + " (" +
                grouped(rate) + "/s)";
        last_numbers_[i] = counts[i].number;
    }
    if (!rest.empty()) line += "   " + rest;
    show(line);
}

void Progress::show(const std::string& text) {
    if (!shown_) return;
    // What was complained about before stands on lines of its own.
    std::fprintf(stderr, on_terminal_ ? "\r%s\033[K" : "%s\n", text.c_str());
    std::fflush(stderr);
    drawn_ = true;
    last_ = Clock::now();
}

void Progress::finish(const std::vector<ProgressCount>& counts) {
    if (shown_ && !on_terminal_) {
        // From the beginning: the rate is that of the whole.
        last_ = begun_;
        last_numbers_.assign(counts.size(), 0);
        show(counts);
    }
    clear();
}

void Progress::clear() {
    if (!drawn_ || !on_terminal_) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
}

}  // namespace tool
