#include "base/chunk_pool.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <new>

#include "base/ref.h"

namespace haigha {
namespace {

TEST(ChunkPool, GivesTheLastFirst) {
    const auto pool = Ref<ChunkPool>::adopt(new ChunkPool);
    EXPECT_EQ(pool->take(), nullptr);
    void* const first = ::operator new(64);
    void* const second = ::operator new(64);
    pool->give(first);
    pool->give(second);
    EXPECT_EQ(pool->take(), second);
    EXPECT_EQ(pool->take(), first);
    EXPECT_EQ(pool->take(), nullptr);
    pool->give(first);
    ::operator delete(second);
}

TEST(ChunkPool, KeepsSoManyAndNoMore) {
    const auto pool = Ref<ChunkPool>::adopt(new ChunkPool);
    for (std::size_t i = 0; i <= ChunkPool::max_spare; ++i)
        pool->give(::operator new(64));
    std::size_t kept = 0;
    for (void* block = pool->take(); block != nullptr; block = pool->take()) {
        ::operator delete(block);
        ++kept;
    }
    EXPECT_EQ(kept, ChunkPool::max_spare);
}

}  // namespace
}  // namespace haigha
