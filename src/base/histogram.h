// How many lengths of time fell into which power of two of microseconds.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "base/clock.h"

namespace haigha {

// Fixed memory, whatever comes: what is asked of it is how many, and how long about.
struct Histogram {
    // Bucket i counts what is over 2^(i-1) and up to 2^i microseconds, the first one what is
    // shorter too, and the last one what is longer.
    static constexpr std::size_t buckets_size = 28;

    std::uint64_t sum_ns = 0;
    std::array<std::uint64_t, buckets_size> buckets{};
    std::uint64_t last_ns = 0;  // and its bucket
    std::size_t last_bucket = 0;

    // `length`, that often. A negative one, which two threads' clock readings can give, is 0.
    void add(Duration length, std::uint64_t times = 1) {
        const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(length.nanoseconds, 0));
        sum_ns += ns * times;
        // Those of one turn are often of one length.
        if (ns != last_ns) {
            last_ns = ns;
            last_bucket = bucket_of(ns);
        }
        buckets[last_bucket] += times;
    }
    std::uint64_t count() const {
        return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
    }
    Histogram& operator+=(const Histogram& other) {
        sum_ns += other.sum_ns;
        for (std::size_t i = 0; i < buckets_size; ++i)
            buckets[i] += other.buckets[i];
        return *this;
    }

    static std::size_t bucket_of(std::uint64_t ns) {
        const std::uint64_t begun_us = (ns + 999) / 1000;
        const auto bucket =
            static_cast<std::size_t>(begun_us <= 1 ? 0 : std::bit_width(begun_us - 1));
        return std::min(bucket, buckets_size - 1);
    }
};

}  // namespace haigha
