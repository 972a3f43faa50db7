// Points in time and lengths of it, as numbers. No way to read a clock: time is an argument.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace haigha {

struct Duration {
    std::int64_t nanoseconds = 0;
    auto operator<=>(const Duration&) const = default;
};

constexpr Duration milliseconds(std::int64_t n) {
    return Duration{n * 1'000'000};
}
constexpr Duration seconds(std::int64_t n) {
    return milliseconds(n * 1000);
}

// Of a monotonic clock whose origin does not matter.
struct Instant {
    std::int64_t nanoseconds = 0;
    auto operator<=>(const Instant&) const = default;

    // Later than everything: "no deadline".
    static constexpr Instant never() { return {std::numeric_limits<std::int64_t>::max()}; }
};

constexpr Instant operator+(Instant at, Duration length) {
    if (at.nanoseconds > Instant::never().nanoseconds - length.nanoseconds) return Instant::never();
    return Instant{at.nanoseconds + length.nanoseconds};
}
constexpr Duration operator-(Instant later, Instant earlier) {
    return Duration{later.nanoseconds - earlier.nanoseconds};
}

}  // namespace haigha
