// Tests of Slab and SlabPool: counted, recycled, and dropped from any thread.
#include "base/slab.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace haigha {
namespace {

Ref<SlabPool> new_pool() {
    return Ref<SlabPool>::adopt(new SlabPool);
}

TEST(SlabPool, GivesAtLeastWhatWasAskedFor) {
    const auto pool = new_pool();
    EXPECT_EQ(pool->take()->capacity(), SlabPool::slab_capacity);
    EXPECT_EQ(pool->take(1)->capacity(), SlabPool::small_capacity);
    EXPECT_EQ(pool->take(SlabPool::small_capacity + 1)->capacity(), SlabPool::slab_capacity);
    EXPECT_EQ(pool->take(1'000'000)->capacity(), 1'000'000U);
    const Ref<Slab> small = pool->make(10);
    EXPECT_EQ(small->capacity(), 10U);
    std::memset(small->data(), 1, 10);
    EXPECT_EQ(small->memory().size(), 10U);
}

TEST(SlabPool, UsesAnIdleSlabAgain) {
    const auto pool = new_pool();
    const Slab* first = pool->take().get();
    const Slab* small = pool->take(1).get();
    EXPECT_EQ(pool->take().get(), first);
    EXPECT_EQ(pool->take(1).get(), small);
}

// rule 77: what is kept keeps memory, and how much that is has a bound
TEST(SlabPool, AdvisesSmallOnesOnceManyLargeOnesAreOut) {
    const auto pool = new_pool();
    std::vector<Ref<Slab>> kept;
    std::size_t out = 0;
    while (pool->advised(SlabPool::slab_capacity) == SlabPool::slab_capacity) {
        kept.push_back(pool->take());
        out += SlabPool::slab_capacity;
        ASSERT_LE(out, SlabPool::most_in_large);
    }
    EXPECT_GT(out, SlabPool::most_in_large / 2);
    EXPECT_EQ(pool->advised(SlabPool::slab_capacity), SlabPool::small_capacity);
    EXPECT_EQ(pool->take(100'000)->capacity(), SlabPool::slab_capacity);  // who needs it gets it
    kept.pop_back();
    EXPECT_EQ(pool->advised(SlabPool::slab_capacity), SlabPool::slab_capacity);
}

TEST(SlabPool, KeepsOnlyAFewIdleSlabs) {
    const auto pool = new_pool();
    std::vector<Ref<Slab>> held;
    for (std::size_t i = 0; i < 3 * SlabPool::max_idle; ++i)
        held.push_back(pool->take());
    std::set<const Slab*> before;
    for (const auto& slab : held)
        before.insert(slab.get());
    EXPECT_EQ(before.size(), held.size());
    held.clear();  // the address sanitizer sees what is kept too long or freed too soon
}

TEST(Slab, KnowsWhetherItIsShared) {
    const auto pool = new_pool();
    const Ref<Slab> slab = pool->take();
    EXPECT_TRUE(slab->sole());
    {
        const Ref<Slab> other = slab;
        EXPECT_FALSE(slab->sole());
    }
    EXPECT_TRUE(slab->sole());
}

// rule 77: a message that is kept keeps its memory, and that its pool
TEST(Slab, OutlivesEveryOtherOwnerOfItsPool) {
    Ref<SlabPool> pool = new_pool();
    Ref<Slab> slab = pool->take();
    pool = nullptr;
    std::memset(slab->data(), 7, slab->capacity());
    EXPECT_EQ(slab->data()[100], std::byte{7});
    slab = nullptr;
}

TEST(SlabPool, TakesSlabsBackFromAnyThread) {
    const auto pool = new_pool();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([pool] {
            std::vector<Ref<Slab>> held;
            for (int i = 0; i < 300; ++i) {
                held.push_back(i % 3 == 0 ? pool->make(64) : pool->take());
                held.back()->data()[0] = std::byte{1};
                if (held.size() > 12) held.clear();
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
}

}  // namespace
}  // namespace haigha
