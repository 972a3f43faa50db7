// Tests of how far a reader of a stream has come.
#include "streams/offset_tracker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace haigha::streams {
namespace {

TEST(OffsetTrackerTest, IsNowhereAtFirst) {
    OffsetTracker tracker;
    EXPECT_EQ(tracker.position(), OffsetTracker::none);
    EXPECT_FALSE(tracker.handled(0));
    tracker.delivered(0);
    EXPECT_EQ(tracker.position(), OffsetTracker::none);
    EXPECT_EQ(tracker.unhandled(), 1U);
}

TEST(OffsetTrackerTest, AGapHoldsItBack) {
    OffsetTracker tracker;
    for (std::int64_t offset = 5; offset < 10; ++offset)
        tracker.delivered(offset);
    EXPECT_TRUE(tracker.handled(7));
    EXPECT_TRUE(tracker.handled(6));
    EXPECT_EQ(tracker.position(), OffsetTracker::none);
    EXPECT_TRUE(tracker.handled(5));
    EXPECT_EQ(tracker.position(), 7);
    EXPECT_EQ(tracker.unhandled(), 2U);
}

// RabbitMQ numbers what it keeps for itself too: offsets that are told have holes.
TEST(OffsetTrackerTest, OffsetsHaveHoles) {
    OffsetTracker tracker;
    for (const std::int64_t offset : {3, 8, 20})
        tracker.delivered(offset);
    EXPECT_FALSE(tracker.handled(4));
    EXPECT_TRUE(tracker.handled(3));
    EXPECT_TRUE(tracker.handled(8));
    EXPECT_EQ(tracker.position(), 8);
}

TEST(OffsetTrackerTest, NothingIsHandledTwice) {
    OffsetTracker tracker;
    tracker.delivered(0);
    tracker.delivered(1);
    EXPECT_TRUE(tracker.handled(1));
    EXPECT_FALSE(tracker.handled(1));
    EXPECT_TRUE(tracker.handled(0));
    EXPECT_FALSE(tracker.handled(0));
    EXPECT_EQ(tracker.position(), 1);
}

TEST(OffsetTrackerTest, WhatHasComeBeforeCountsOnce) {
    OffsetTracker tracker;
    tracker.begin_behind(9);
    EXPECT_EQ(tracker.position(), 9);
    tracker.delivered(9);
    EXPECT_EQ(tracker.unhandled(), 0U);
    tracker.delivered(10);
    tracker.delivered(10);
    EXPECT_EQ(tracker.unhandled(), 1U);
    EXPECT_TRUE(tracker.handled(10));
    EXPECT_EQ(tracker.position(), 10);
}

// In any order the position is that below which nothing is open.
TEST(OffsetTrackerTest, AgreesWithASlowOne) {
    std::mt19937 random(17);  // NOLINT(cert-msc51-cpp): the same one each time
    for (int round = 0; round < 200; ++round) {
        OffsetTracker tracker;
        std::vector<std::int64_t> open;
        std::int64_t next = 0;
        std::int64_t last_given = OffsetTracker::none;
        std::vector<std::int64_t> given;
        while (given.size() < 60 || !open.empty()) {
            if (given.size() < 60 && (open.empty() || random() % 2 == 0)) {
                next += 1 + static_cast<std::int64_t>(random() % 3);
                tracker.delivered(next);
                given.push_back(next);
                open.push_back(next);
                last_given = next;
            } else {
                const auto at = open.begin() + static_cast<std::ptrdiff_t>(random() % open.size());
                ASSERT_TRUE(tracker.handled(*at));
                open.erase(at);
            }
            std::int64_t expected = OffsetTracker::none;
            for (const std::int64_t offset : given) {
                if (std::find(open.begin(), open.end(), offset) != open.end()) break;
                expected = offset;
            }
            ASSERT_EQ(tracker.position(), expected);
            ASSERT_EQ(tracker.unhandled(), open.size());
        }
        ASSERT_EQ(tracker.position(), last_given);
    }
}

}  // namespace
}  // namespace haigha::streams
