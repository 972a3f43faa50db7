// Tests of LogLimit: no more than so many, none without a trace, and memory that does not grow.
#include "client/log_limit.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace haigha::client {
namespace {

constexpr Instant begin{};

TEST(LogLimit, LetsSoManyPassWithinAPeriodAndTellsHowManyItDidNot) {
    LogLimit limit;
    for (std::uint32_t i = 0; i < LogLimit::most_lines; ++i)
        EXPECT_TRUE(limit.ask(1, "blocked", begin + milliseconds(i)).write);
    for (int i = 0; i < 7; ++i)
        EXPECT_FALSE(limit.ask(1, "blocked", begin + seconds(1)).write);
    // Others are not concerned.
    EXPECT_TRUE(limit.ask(1, "unblocked", begin + seconds(1)).write);
    EXPECT_TRUE(limit.ask(2, "blocked", begin + seconds(1)).write);
    const LogLimit::Verdict next = limit.ask(1, "blocked", begin + LogLimit::period);
    EXPECT_TRUE(next.write);
    EXPECT_EQ(next.left_out, 7U);
    EXPECT_EQ(limit.ask(1, "blocked", begin + LogLimit::period).left_out, 0U);
}

TEST(LogLimit, TellsAtTheEndOfAConnectionWhatWasNotTold) {
    LogLimit limit;
    for (std::uint32_t i = 0; i < LogLimit::most_lines + 3; ++i) {
        (void)limit.ask(1, "blocked", begin);
        (void)limit.ask(1, "channel_closed", begin);
        (void)limit.ask(2, "channel_closed", begin);
    }
    EXPECT_EQ(limit.end(1), 6U);
    EXPECT_EQ(limit.end(1), 0U);
    EXPECT_TRUE(limit.ask(1, "blocked", begin).write);
    EXPECT_EQ(limit.end(2), 3U);
}

TEST(LogLimit, ForgetsWhoHasBeenSilentForLongest) {
    LogLimit limit;
    const auto fill = [&](std::uint32_t connection, Instant now) {
        for (std::uint32_t i = 0; i < LogLimit::most_lines; ++i)
            ASSERT_TRUE(limit.ask(connection, "blocked", now).write);
        ASSERT_FALSE(limit.ask(connection, "blocked", now).write);
    };
    fill(1, begin);
    for (std::uint32_t connection = 2; connection <= LogLimit::most_kinds; ++connection)
        fill(connection, begin + seconds(1));
    EXPECT_FALSE(limit.ask(1, "blocked", begin + seconds(2)).write);
    fill(1000, begin + seconds(2));
    EXPECT_TRUE(limit.ask(1, "blocked", begin + seconds(2)).write) << "it was forgotten";
    EXPECT_FALSE(limit.ask(1000, "blocked", begin + seconds(2)).write);
}

}  // namespace
}  // namespace haigha::client
