// Tests of Histogram: each length is in the bucket whose limits it lies between.
#include "base/histogram.h"

#include <gtest/gtest.h>

namespace haigha {
namespace {

constexpr std::uint64_t us = 1000;

TEST(Histogram, HasEachLengthInTheBucketThatItLiesIn) {
    EXPECT_EQ(Histogram::bucket_of(0), 0U);
    EXPECT_EQ(Histogram::bucket_of(1), 0U);
    EXPECT_EQ(Histogram::bucket_of(us), 0U);
    EXPECT_EQ(Histogram::bucket_of(us + 1), 1U);
    for (std::size_t bucket = 1; bucket + 1 < Histogram::buckets_size; ++bucket) {
        const std::uint64_t limit = us << bucket;
        EXPECT_EQ(Histogram::bucket_of(limit / 2 + 1), bucket);
        EXPECT_EQ(Histogram::bucket_of(limit), bucket);
    }
    const std::uint64_t largest = us << (Histogram::buckets_size - 2);
    EXPECT_EQ(Histogram::bucket_of(largest + 1), Histogram::buckets_size - 1);
    EXPECT_EQ(Histogram::bucket_of(UINT64_MAX - us), Histogram::buckets_size - 1);
}

TEST(Histogram, CountsAndSums) {
    Histogram lengths;
    lengths.add(milliseconds(3), 5);
    lengths.add(Duration{-1});
    Histogram more;
    more.add(milliseconds(3));
    more.add(seconds(1000));
    lengths += more;
    EXPECT_EQ(lengths.count(), 8U);
    EXPECT_EQ(lengths.sum_ns, std::uint64_t{1'000'018} * 1'000'000);
    EXPECT_EQ(lengths.buckets[12], 6U);  // 2.048 to 4.096 ms
    EXPECT_EQ(lengths.buckets[0], 1U);
    EXPECT_EQ(lengths.buckets[Histogram::buckets_size - 1], 1U);
}

}  // namespace
}  // namespace haigha
