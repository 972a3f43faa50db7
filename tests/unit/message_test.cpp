// Tests of Message and its pool: free while lent, kept from any thread, its memory with it.
#include "client/message.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

namespace haigha::client {
namespace {

class MessageTest : public testing::Test {
  protected:
    // As a delivery: a message over `slab`.
    Message* lend(Slab& slab, std::size_t at, std::size_t size) {
        Message* message = pool_->take();
        message->body = std::string_view(reinterpret_cast<const char*>(slab.data()) + at, size);
        return message;
    }
    Ref<MessagePool> pool_ = Ref<MessagePool>::adopt(new MessagePool);
    Ref<SlabPool> slabs_ = Ref<SlabPool>::adopt(new SlabPool);
};

TEST_F(MessageTest, IsUsedAgainWhenNobodyKeptIt) {
    const Ref<Slab> slab = slabs_->take();
    Message* first = lend(*slab, 0, 10);
    pool_->settle(first, slab.get());
    EXPECT_TRUE(slab->sole());
    EXPECT_EQ(lend(*slab, 0, 10), first);
    pool_->settle(first, slab.get());
}

// rule 77
TEST_F(MessageTest, KeepsItsMemoryWhileItIsKept) {
    Ref<Slab> slab = slabs_->take();
    std::memcpy(slab->data(), "body", 4);
    Message* message = lend(*slab, 0, 4);
    message->add_ref();  // in the callback
    pool_->settle(message, slab.get());
    EXPECT_FALSE(slab->sole());
    slab = nullptr;
    pool_ = nullptr;
    slabs_ = nullptr;
    EXPECT_EQ(std::string_view(message->body), "body");
    message->release();
}

TEST_F(MessageTest, CanBeKeptAheadOfTheCallback) {
    const Ref<Slab> slab = slabs_->take();
    Message* message = lend(*slab, 0, 4);
    pool_->keep(message, slab.get());
    EXPECT_FALSE(slab->sole());
    message->release();
    EXPECT_TRUE(slab->sole());
}

// rule 77: dropped by threads of every kind, in every order; checksums hold meanwhile
TEST_F(MessageTest, IsDroppedFromAnyThread) {
    constexpr int per_thread = 500;
    std::vector<std::vector<Message*>> kept(4);
    for (int i = 0; i < per_thread * 4; ++i) {
        const Ref<Slab> slab = i % 7 == 0 ? slabs_->take() : slabs_->make(64);
        std::memset(slab->data(), i & 0xFF, 64);
        Message* message = lend(*slab, 0, 64);
        message->delivery_tag = static_cast<std::uint64_t>(i);
        message->add_ref();
        pool_->settle(message, slab.get());
        kept[static_cast<std::size_t>(i % 4)].push_back(message);
    }
    std::vector<std::thread> threads;
    for (auto& mine : kept) {
        threads.emplace_back([&mine] {
            for (const Message* message : mine) {
                for (const char octet : std::string_view(message->body)) {
                    ASSERT_EQ(static_cast<unsigned char>(octet), message->delivery_tag & 0xFF);
                }
                message->add_ref();
                message->release();
                message->release();
            }
        });
    }
    // Meanwhile the loop's thread goes on with what came back.
    const Ref<Slab> slab = slabs_->take();
    for (int i = 0; i < 2000; ++i)
        pool_->settle(lend(*slab, 0, 1), slab.get());
    for (std::thread& thread : threads)
        thread.join();
}

}  // namespace
}  // namespace haigha::client
