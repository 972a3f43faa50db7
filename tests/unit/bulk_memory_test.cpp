// Tests of bulk memory: blocks of every size can be used to their last octet, and are given back.
#include "base/bulk_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace haigha {
namespace {

TEST(BulkMemory, IsUsableToItsLastOctet) {
    constexpr std::size_t page = std::size_t{2} * 1024 * 1024;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, page, 2 * page - 1, 2 * page,
                                   2 * page + 1, 5 * page + 17}) {
        // Twice: what is given back is had again.
        for (int i = 0; i < 2; ++i) {
            const BulkMemory memory = make_bulk(size);
            ASSERT_NE(memory, nullptr);
            if (size == 0) continue;
            std::memset(memory.get(), 7, size);
            EXPECT_EQ(memory[size - 1], std::byte{7});
        }
    }
}

TEST(BulkMemory, BlocksDoNotOverlap) {
    std::vector<BulkMemory> blocks;
    for (int i = 0; i < 6; ++i) {
        blocks.push_back(make_bulk(4'500'000));
        std::memset(blocks.back().get(), i, 4'500'000);
    }
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(blocks[static_cast<std::size_t>(i)][0], static_cast<std::byte>(i));
        EXPECT_EQ(blocks[static_cast<std::size_t>(i)][4'499'999], static_cast<std::byte>(i));
    }
}

}  // namespace
}  // namespace haigha
