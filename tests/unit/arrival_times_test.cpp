// Tests of ArrivalTimes: exact as long as the steps are few, and never far off.
#include "protocol/arrival_times.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace haigha::protocol {
namespace {

constexpr Instant at_us(std::int64_t n) {
    return Instant{n * 1000};
}

Instant time_of(const ArrivalTimes& times, std::uint64_t number) {
    std::uint64_t last = 0;
    const Instant at = times.at(number, &last);
    EXPECT_GE(last, number);
    return at;
}

TEST(ArrivalTimes, RemembersWhichStepANumberCameIn) {
    ArrivalTimes times;
    EXPECT_TRUE(times.empty());
    times.note(1, 1, at_us(10));
    times.note(2, 1, at_us(10));
    times.note(3, 1, at_us(20));
    times.note(4, 1, at_us(30));
    times.note(5, 1, at_us(30));
    std::uint64_t last = 0;
    EXPECT_EQ(times.at(1, &last), at_us(10));
    EXPECT_EQ(last, 2U);
    EXPECT_EQ(times.at(3, &last), at_us(20));
    EXPECT_EQ(last, 3U);
    EXPECT_EQ(times.at(5, &last), at_us(30));
    EXPECT_EQ(last, UINT64_MAX);
    EXPECT_EQ(time_of(times, 2), at_us(10));
    times.clear();
    EXPECT_TRUE(times.empty());
    times.note(6, 6, at_us(30));
    EXPECT_EQ(time_of(times, 6), at_us(30));
}

TEST(ArrivalTimes, ForgetsWhatIsOfNoInterest) {
    ArrivalTimes times;
    for (std::uint64_t number = 1; number <= 100'000; ++number) {
        times.note(number, number > 50 ? number - 50 : 1, at_us(static_cast<int>(number)));
        const std::uint64_t oldest = number > 50 ? number - 50 : 1;
        ASSERT_EQ(time_of(times, oldest), at_us(static_cast<int>(oldest)));
        ASSERT_EQ(time_of(times, number), at_us(static_cast<int>(number)));
    }
}

// One delivery is never settled, and the others go on: the memory does not, and the times are good
// enough.
TEST(ArrivalTimes, JoinsOldStepsWhenThereAreManyAndIsOffByLittle) {
    std::mt19937 random(7);
    ArrivalTimes times;
    std::vector<Instant> came{Instant{}};
    std::int64_t now = 0;
    for (std::uint64_t number = 1; number <= 20'000; ++number) {
        now += 50 + static_cast<std::int64_t>(random() % 100);
        came.push_back(at_us(now));
        times.note(number, 1, at_us(now));
    }
    EXPECT_EQ(time_of(times, 1), came[1]);
    const std::int64_t span = (came.back() - came[1]).nanoseconds;
    for (std::uint64_t number = 1; number <= 20'000; ++number) {
        const std::int64_t off = (came[number] - time_of(times, number)).nanoseconds;
        ASSERT_GE(off, 0);
        ASSERT_LT(off, span / 40) << number;
    }
}

}  // namespace
}  // namespace haigha::protocol
