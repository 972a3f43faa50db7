// Tests of CallQueue: one call in flight, everything else in its turn.
#include "protocol/call_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::Lines;
using test::method_frame;
using test::Octets;
using test::token;

class CallQueueTest : public testing::Test {
  protected:
    void declare(std::uintptr_t subject, CallKind kind = CallKind::plain, bool barrier = false) {
        Call call;
        call.token = token(subject);
        call.kind = kind;
        call.barrier = barrier;
        calls_.add(std::move(call), method_frame(1, wire::queue::Declare{}), outbox_);
    }
    void close(std::uintptr_t subject) {
        Call call;
        call.token = token(subject);
        call.kind = CallKind::channel_close;
        calls_.add(std::move(call), method_frame(1, wire::channel::Close{}), outbox_);
    }
    // As a channel does: straight out when nothing waits, or after what does.
    void ack() {
        const Octets frame = method_frame(1, wire::basic::Ack{});
        std::byte* at = calls_.idle() ? outbox_.append(frame.size()) : calls_.hold(frame.size());
        std::memcpy(at, frame.data(), frame.size());
    }
    void large(std::size_t frames) {
        const Octets head = test::joined(method_frame(1, wire::basic::Publish{}),
                                         test::header_frame(1, frames * 10));
        const Octets body(frames * 10, std::byte{'x'});
        std::byte* const at =
            calls_.hold(head.size(), {HeldBody::copy(body, returned_), 10, 1}, true);
        std::memcpy(at, head.data(), head.size());
    }
    Lines output() {
        while (!outbox_.empty()) {
            std::array<Outbox::Segment, 1> segment;
            outbox_.gather(segment, 1);
            wire_.insert(wire_.end(), segment[0].data, segment[0].data + segment[0].size);
            outbox_.consume(segment[0].size);
        }
        return test::frame_lines(wire_);
    }
    std::uintptr_t finish() {
        return reinterpret_cast<std::uintptr_t>(calls_.finish(outbox_).token);
    }

    ReturnedBodies returned_;
    Outbox outbox_;
    std::size_t total_ = 0;
    Counters counters_;
    CallQueue calls_{total_, counters_};
    Octets wire_;
};

// rule 18
TEST_F(CallQueueTest, HasOneCallOnTheWireAndTheOthersInOrder) {
    declare(1);
    declare(2);
    declare(3);
    EXPECT_EQ(output(), (Lines{"1 queue.declare"}));
    EXPECT_GT(total_, 0U);
    EXPECT_EQ(finish(), 1U);
    EXPECT_EQ(output(), (Lines{"1 queue.declare"}));
    EXPECT_EQ(finish(), 2U);
    EXPECT_EQ(finish(), 3U);
    EXPECT_EQ(output(), (Lines{"1 queue.declare"}));
    EXPECT_FALSE(calls_.in_flight());
    EXPECT_EQ(total_, 0U);
}

TEST_F(CallQueueTest, LetsFramesPassTheCallInFlightButNotOneThatWaits) {
    declare(1);
    ack();
    declare(2);
    ack();
    ack();
    EXPECT_EQ(output(), (Lines{"1 queue.declare", "1 basic.ack"}));
    EXPECT_EQ(finish(), 1U);
    EXPECT_EQ(output(), (Lines{"1 queue.declare", "1 basic.ack", "1 basic.ack"}));
    EXPECT_TRUE(calls_.idle());
}

// rule 69
TEST_F(CallQueueTest, HoldsEverythingBackBehindABarrier) {
    declare(1, CallKind::confirm_select, true);
    ack();
    declare(2);
    EXPECT_EQ(output(), (Lines{"1 queue.declare"}));
    EXPECT_EQ(finish(), 1U);
    EXPECT_EQ(output(), (Lines{"1 basic.ack", "1 queue.declare"}));
}

// rule 17; and what waited behind the abandoned one does not wait for the one before it
TEST_F(CallQueueTest, NeverWritesACallThatFailedWhileItWaited) {
    declare(1);
    declare(2);
    ack();
    declare(3);
    (void)output();
    calls_.waiting().front().call.failed = true;
    calls_.advance(outbox_);
    EXPECT_EQ(output(), (Lines{"1 basic.ack"}));
    EXPECT_EQ(finish(), 1U);
    EXPECT_EQ(output(), (Lines{"1 queue.declare"}));
    EXPECT_EQ(finish(), 3U);
    EXPECT_EQ(total_, 0U);
}

TEST_F(CallQueueTest, LetsACloseOvertakeOnlyACallThatFailed) {
    declare(1);
    close(2);
    EXPECT_EQ(output(), (Lines{"1 queue.declare"}));
    calls_.current().failed = true;
    calls_.advance(outbox_);
    EXPECT_EQ(output(), (Lines{"1 channel.close"}));
    EXPECT_EQ(calls_.current().kind, CallKind::channel_close);
}

TEST_F(CallQueueTest, LetsACloseGoAtOnceWhenOnlyAFailedCallIsThere) {
    declare(1);
    calls_.current().failed = true;
    close(2);
    EXPECT_EQ(output(), (Lines{"1 queue.declare", "1 channel.close"}));
}

TEST_F(CallQueueTest, WritesALargeContentFrameByFrame) {
    declare(1);
    large(2);
    ack();
    declare(2);
    EXPECT_EQ(output(), (Lines{"1 queue.declare"}));
    ASSERT_TRUE(calls_.large_is_next());
    EXPECT_FALSE(calls_.idle());
    EXPECT_TRUE(calls_.write_large_frame(outbox_));
    EXPECT_EQ(output(), (Lines{"1 basic.publish", "1 header 20"}));
    EXPECT_TRUE(calls_.write_large_frame(outbox_));
    EXPECT_EQ(output(), (Lines{"1 body 10"}));
    EXPECT_FALSE(calls_.write_large_frame(outbox_));
    EXPECT_EQ(output(), (Lines{"1 body 10", "1 basic.ack"}));
    EXPECT_EQ(finish(), 1U);
    EXPECT_EQ(finish(), 2U);
    EXPECT_EQ(total_, 0U);
}

TEST_F(CallQueueTest, DoesNotBeginALargeContentBehindABarrier) {
    declare(1, CallKind::confirm_select, true);
    large(1);
    EXPECT_FALSE(calls_.large_is_next());
    EXPECT_EQ(finish(), 1U);
    EXPECT_TRUE(calls_.large_is_next());
}

TEST_F(CallQueueTest, WritesTheRestOfABegunContentAndNotTheNextOne) {
    large(2);
    large(1);
    calls_.write_rest(outbox_);
    EXPECT_TRUE(outbox_.empty());
    ASSERT_TRUE(calls_.write_large_frame(outbox_));
    calls_.write_rest(outbox_);
    EXPECT_EQ(output(), (Lines{"1 basic.publish", "1 header 20", "1 body 10", "1 body 10"}));
    EXPECT_EQ(calls_.waiting().size(), 1U);
}

TEST_F(CallQueueTest, GivesItsBytesBackWhenItIsCleared) {
    declare(1);
    declare(2);
    large(3);
    calls_.clear();
    EXPECT_EQ(total_, 0U);
    EXPECT_TRUE(calls_.idle());
    large(3);
    (void)calls_.write_large_frame(outbox_);
    calls_.clear();
    EXPECT_EQ(total_, 0U);
}

}  // namespace
}  // namespace haigha::protocol
