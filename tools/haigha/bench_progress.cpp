#include "bench_progress.h"

#include <cstdio>
#include <string>

#include "terminal.h"

namespace tool {

namespace {

constexpr std::uint64_t interval_ns = 500'000'000;

}  // namespace

BenchProgress::BenchProgress(const BenchState& state)
    : state_(state), shown_(is_terminal(stderr)), last_ns_(state.start_ns()) {}

BenchProgress::~BenchProgress() {
    if (shown_) std::fputs("\r\033[K", stderr);
}

BenchProgress::Counts BenchProgress::counts() const {
    const BenchTallies& tallies = state_.tallies;
    return {tallies.published.get(), tallies.confirmed.get(), tallies.consumed.get()};
}

void BenchProgress::update(std::uint64_t at_ns) {
    if (!shown_ || at_ns - last_ns_ < interval_ns) return;
    const BenchOptions& options = state_.options;
    const Counts now = counts();
    const double seconds = static_cast<double>(at_ns - last_ns_) / 1e9;
    std::string line = fixed(static_cast<double>(at_ns - state_.start_ns()) / 1e9, 1) + " s";
    const auto add = [&](const char* what, std::uint64_t count, std::uint64_t before) {
        const auto rate = static_cast<std::uint64_t>(static_cast<double>(count - before) / seconds);
        line += std::string("   ") + what + " " + grouped(count) + " (" + grouped(rate) + "/s)";
    };
    const std::uint64_t done = options.consumers > 0 ? now.consumed : now.published;
    if (options.count > 0) line += right(std::to_string(done * 100 / options.count) + " %", 7);
    if (options.channels > 0) add("published", now.published, last_.published);
    if (options.confirm) add("confirmed", now.confirmed, last_.confirmed);
    if (options.transaction > 0) add("committed", now.confirmed, last_.confirmed);
    if (options.consumers > 0) add("consumed", now.consumed, last_.consumed);
    if (state_.tallies.blocked.load(std::memory_order_relaxed)) {
        line += "   BLOCKED by the broker";
    }
    std::fprintf(stderr, "\r%s\033[K", line.c_str());
    std::fflush(stderr);
    last_ = now;
    last_ns_ = at_ns;
}

}  // namespace tool
