// Tests of ReadBuffer: what it is read into follows how much comes, and nothing is lost or
// overwritten on the way.
#include "client/read_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace haigha::client {
namespace {

class ReadBufferTest : public testing::Test {
  protected:
    // As if the peer had sent so much; returns whether there was no room for more.
    bool read(std::size_t size) {
        const std::span<std::byte> room = buffer_.room();
        const std::size_t part = std::min(size, room.size());
        for (std::size_t i = 0; i < part; ++i)
            room[i] = static_cast<std::byte>(read_++);
        return buffer_.add(part);
    }
    void parse(std::size_t size, std::size_t wanted = 0) {
        std::size_t wrong = 0;
        for (const std::byte octet : buffer_.unparsed().first(size))
            wrong += octet == static_cast<std::byte>(parsed_++) ? 0 : 1;
        ASSERT_EQ(wrong, 0U);
        buffer_.take(size, wanted);
    }
    void turn(std::size_t size) {
        read(size);
        parse(buffer_.unparsed().size());
        buffer_.rest();
    }

    Ref<SlabPool> pool_ = Ref<SlabPool>::adopt(new SlabPool);
    ReadBuffer buffer_{pool_};
    std::size_t read_ = 0;
    std::size_t parsed_ = 0;
};

TEST_F(ReadBufferTest, HoldsNothingWhileNothingComes) {
    EXPECT_EQ(buffer_.slab(), nullptr);
    turn(100);
    EXPECT_EQ(buffer_.slab(), nullptr);
    read(100);
    parse(40);
    buffer_.rest();
    ASSERT_NE(buffer_.slab(), nullptr);  // there is a part of a frame
    EXPECT_EQ(buffer_.unparsed().size(), 60U);
    parse(60);
    buffer_.rest();
    EXPECT_EQ(buffer_.slab(), nullptr);
}

TEST_F(ReadBufferTest, GrowsWhenItIsFilledAndShrinksWhenLittleComes) {
    EXPECT_EQ(buffer_.room().size(), SlabPool::small_capacity);
    EXPECT_TRUE(read(SlabPool::small_capacity));
    parse(SlabPool::small_capacity - 10);
    EXPECT_EQ(buffer_.room().size(), SlabPool::slab_capacity - 10);
    EXPECT_FALSE(read(1000));
    parse(1010);
    buffer_.rest();
    EXPECT_EQ(buffer_.room().size(), SlabPool::slab_capacity);
    buffer_.rest();
    for (int i = 0; i < 20; ++i)
        turn(100);
    EXPECT_EQ(buffer_.room().size(), SlabPool::small_capacity);
}

TEST_F(ReadBufferTest, StaysLargeWhileMuchComes) {
    EXPECT_TRUE(read(SlabPool::small_capacity));
    parse(SlabPool::small_capacity);
    buffer_.rest();
    for (int i = 0; i < 100; ++i)
        turn(i % 10 == 0 ? 50'000 : 100);
    EXPECT_EQ(buffer_.room().size(), SlabPool::slab_capacity);
}

TEST_F(ReadBufferTest, MakesRoomForWhatIsWanted) {
    read(10);
    parse(0, 100'000);
    EXPECT_GE(buffer_.room().size(), 100'000U - 10);
    read(10);
    parse(0, 1'000'000);
    EXPECT_EQ(buffer_.room().size(), 1'000'000U - 20);
    EXPECT_EQ(buffer_.unparsed().size(), 20U);
}

// rule 77
TEST_F(ReadBufferTest, DoesNotOverwriteWhatAMessageKeeps) {
    read(1000);
    const Ref<Slab> kept(buffer_.slab());
    parse(1000);
    buffer_.rest();
    read(SlabPool::small_capacity);
    parse(SlabPool::small_capacity);
    read(100'000);
    for (std::size_t i = 0; i < 1000; ++i)
        ASSERT_EQ(kept->data()[i], static_cast<std::byte>(i));
}

// One small message of each large read is kept: what they keep together has a bound.
TEST_F(ReadBufferTest, WhatIsKeptHasABound) {
    std::vector<Ref<Slab>> kept;
    std::size_t octets = 0;
    constexpr std::size_t messages = 400;  // 100 MiB in large ones
    for (std::size_t i = 0; i < messages; ++i) {
        (void)buffer_.room();
        (void)buffer_.add(buffer_.room().size());
        if (kept.empty() || kept.back().get() != buffer_.slab()) {
            kept.emplace_back(buffer_.slab());
            octets += buffer_.slab()->capacity();
        }
        buffer_.take(buffer_.unparsed().size(), 0);
        buffer_.rest();
    }
    EXPECT_EQ(kept.size(), messages);
    EXPECT_LE(octets, SlabPool::most_in_large + messages * SlabPool::small_capacity);
}

TEST_F(ReadBufferTest, LosesNothingWhateverThePieces) {
    std::mt19937 random(5);
    std::vector<Ref<Slab>> kept;
    for (int step = 0; step < 3000; ++step) {
        read(random() % (random() % 50 == 0 ? 400'000 : 2000) + 1);
        const std::size_t all = buffer_.unparsed().size();
        const std::size_t part = random() % 3 == 0 ? all : random() % (all + 1);
        ASSERT_NO_FATAL_FAILURE(
            parse(part, random() % 20 == 0 ? all - part + random() % 300'000 : 0));
        if (random() % 40 == 0) kept.emplace_back(buffer_.slab());
        if (kept.size() > 20) kept.clear();
        if (random() % 4 == 0) buffer_.rest();
    }
    EXPECT_EQ(parsed_ + buffer_.unparsed().size(), read_);
}

}  // namespace
}  // namespace haigha::client
