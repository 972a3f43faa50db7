// Tests of ContentAssembler: what comes in pieces comes out whole, and memory follows the bytes.
#include "protocol/content_assembler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "support/octets.h"

namespace haigha::protocol {
namespace {

using test::copy_of;
using test::Octets;
using test::octets;
using Part = ContentAssembler::Part;

class ContentAssemblerTest : public testing::Test {
  protected:
    bool header(std::uint64_t body_size, const Octets& properties = octets("0000")) {
        wire::ContentHeader header;
        header.class_id = 60;
        header.body_size = body_size;
        header.properties = properties;
        return assembler_.header(header, *pool_);
    }
    bool body(const Octets& bytes) { return assembler_.body(bytes, *pool_); }

    Ref<SlabPool> pool_ = Ref<SlabPool>::adopt(new SlabPool);
    ContentAssembler assembler_;
};

// rule 83
TEST_F(ContentAssemblerTest, IsCompleteAtTheHeaderWhenTheBodyIsEmpty) {
    assembler_.begin(octets("003c003c 'm'"));
    EXPECT_EQ(assembler_.expects(), Part::header);
    EXPECT_TRUE(header(0, octets("8000 01 'a'")));
    EXPECT_EQ(copy_of(assembler_.method_payload()), octets("003c003c 'm'"));
    EXPECT_EQ(copy_of(assembler_.properties()), octets("8000 01 'a'"));
    EXPECT_TRUE(assembler_.body().empty());
    EXPECT_TRUE(assembler_.finish());
    EXPECT_EQ(assembler_.expects(), Part::none);
}

TEST_F(ContentAssemblerTest, PutsPiecesOfEverySizeTogether) {
    std::mt19937 random(7);
    for (const std::size_t size : {1, 7, 4088, 4089, 32767, 32768, 32769, 100'000, 1'000'003}) {
        Octets expected(size);
        for (std::byte& octet : expected)
            octet = static_cast<std::byte>(random());
        assembler_.begin(octets("003c003c"));
        ASSERT_FALSE(header(size));
        bool complete = false;
        for (std::size_t at = 0; at < size;) {
            ASSERT_FALSE(complete);
            ASSERT_EQ(assembler_.left(), size - at);
            const std::size_t piece = std::min<std::size_t>(random() % 9000, size - at);
            const auto from = expected.begin() + static_cast<std::ptrdiff_t>(at);
            complete = body({from, from + static_cast<std::ptrdiff_t>(piece)});
            at += piece;
        }
        ASSERT_TRUE(complete);
        const auto view = assembler_.body();
        const Ref<Slab> slab = assembler_.finish();
        EXPECT_EQ(copy_of(view), expected);  // the views stay in what was given away
    }
}

// rule 109: on its word alone nothing much is allocated, and with each byte not much more
TEST_F(ContentAssemblerTest, AllocatesByWhatCameNotByWhatWasAnnounced) {
    assembler_.begin(octets("003c003c"));
    ASSERT_FALSE(header(std::uint64_t{1} << 63));
    ASSERT_FALSE(body(octets("01")));
    const Ref<Slab> slab = assembler_.finish();
    EXPECT_LT(slab->capacity(), 64U * 1024);

    assembler_.begin(octets("003c003c"));
    ASSERT_FALSE(header(UINT64_MAX));
    std::size_t came = 0;
    for (int i = 0; i < 20; ++i, came += 5000)
        ASSERT_FALSE(body(Octets(5000, std::byte{1})));
    EXPECT_LE(assembler_.finish()->capacity(), came * ContentAssembler::growth + 64);
}

// rule 141: few steps, and no room wasted in the end
TEST_F(ContentAssemblerTest, GrowsInFewStepsToExactlyWhatIsNeeded) {
    constexpr std::size_t size = 10'000'003;
    assembler_.begin(octets("003c003c"));
    ASSERT_FALSE(header(size));
    const Octets piece(131064, std::byte{2});
    const std::byte* where = assembler_.body().data();
    int moves = 0;
    for (std::size_t left = size; left > 0; left -= std::min(left, piece.size())) {
        (void)body({piece.begin(),
                    piece.begin() + static_cast<std::ptrdiff_t>(std::min(left, piece.size()))});
        if (std::exchange(where, assembler_.body().data()) != assembler_.body().data()) ++moves;
    }
    EXPECT_LE(moves, 3);
    EXPECT_EQ(assembler_.finish()->capacity(), size + 4 + 2);
}

TEST_F(ContentAssemblerTest, StartsAfreshAfterReset) {
    assembler_.begin(octets("003c003c"));
    ASSERT_FALSE(header(10));
    ASSERT_FALSE(body(octets("0102")));
    assembler_.reset();
    EXPECT_EQ(assembler_.expects(), Part::none);
    assembler_.begin(octets("003c003c"));
    ASSERT_FALSE(header(2));
    ASSERT_TRUE(body(octets("0304")));
    EXPECT_EQ(copy_of(assembler_.body()), octets("0304"));
}

TEST_F(ContentAssemblerTest, TakesEmptyBodyFrames) {
    assembler_.begin(octets("003c003c"));
    ASSERT_FALSE(header(1));
    ASSERT_FALSE(body({}));
    ASSERT_TRUE(body(octets("05")));
}

}  // namespace
}  // namespace haigha::protocol
