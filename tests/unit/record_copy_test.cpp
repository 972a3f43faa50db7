// Tests of copy_records: rows of records between a library and a program of different ages.
#include "base/record_copy.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace haigha {
namespace {

struct Old {
    std::uint64_t number;
    std::uint32_t flags;
    std::uint32_t state;
};
struct New {
    std::uint64_t number;
    std::uint32_t flags;
    std::uint32_t state;
    std::uint64_t later;
    const char* name;
};

TEST(CopyRecords, AnOlderReceiverGetsWhatItKnows) {
    const std::array<New, 3> from{{{1, 2, 3, 4, "a"}, {5, 6, 7, 8, "b"}, {9, 10, 11, 12, "c"}}};
    std::array<Old, 4> to{};
    to[3] = {77, 77, 77};
    copy_records(from.data(), sizeof(New), to.data(), sizeof(Old), from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
        EXPECT_EQ(to[i].number, from[i].number);
        EXPECT_EQ(to[i].flags, from[i].flags);
        EXPECT_EQ(to[i].state, from[i].state);
    }
    EXPECT_EQ(to[3].number, 77U) << "wrote past the last";
}

TEST(CopyRecords, ANewerReceiverFindsZeros) {
    const std::array<Old, 2> from{{{1, 2, 3}, {4, 5, 6}}};
    std::array<New, 3> to;
    std::memset(static_cast<void*>(to.data()), 0x5A, sizeof to);
    copy_records(from.data(), sizeof(Old), to.data(), sizeof(New), from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
        EXPECT_EQ(to[i].number, from[i].number);
        EXPECT_EQ(to[i].state, from[i].state);
        EXPECT_EQ(to[i].later, 0U);
        EXPECT_EQ(to[i].name, nullptr);
    }
    EXPECT_EQ(to[2].later, 0x5A5A5A5A5A5A5A5AU) << "wrote past the last";
}

TEST(CopyRecords, NoneIsNothing) {
    copy_records(nullptr, sizeof(New), nullptr, sizeof(Old), 0);
}

}  // namespace
}  // namespace haigha
