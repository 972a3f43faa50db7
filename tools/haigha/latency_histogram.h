// Latencies as a histogram of fixed size: recording neither allocates nor sorts.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace tool {

// Buckets are as wide as 1/64 of their value, so a percentile is at most 1.6 % too high. The
// maximum is exact.
class LatencyHistogram {
  public:
    void record(std::uint64_t value_ns) noexcept {
        ++buckets_[index_of(value_ns)];
        ++count_;
        if (value_ns > max_ns_) max_ns_ = value_ns;
    }

    std::uint64_t count() const noexcept { return count_; }
    std::uint64_t max_ns() const noexcept { return max_ns_; }
    // The value that `percent` of all are not above; 0 when there are none.
    std::uint64_t percentile_ns(double percent) const noexcept;
    // How many are not above `value_ns`, by the buckets' highest values.
    std::uint64_t count_to(std::uint64_t value_ns) const noexcept;

  private:
    static constexpr unsigned step_bits = 6;
    static constexpr std::uint64_t steps = std::uint64_t{1} << step_bits;

    static std::size_t index_of(std::uint64_t value) noexcept {
        if (value < steps) return static_cast<std::size_t>(value);
        const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - step_bits;
        return static_cast<std::size_t>(shift * steps + (value >> shift));
    }
    static std::uint64_t highest_of(std::size_t index) noexcept;

    std::array<std::uint64_t, (64 - step_bits + 1) * steps> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ns_ = 0;
};

}  // namespace tool
