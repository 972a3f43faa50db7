// Tests of what ConnectionMachine counts: each frame, message and call once, wherever it comes
// from.
#include <gtest/gtest.h>

#include <string>

#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::content;
using test::deliver_method;
using test::MachinePeer;
using test::token;

class MachineCountersTest : public testing::Test {
  protected:
    MachineCountersTest() : peer_(test::without_heartbeats()) {
        peer_.handshake(test::tune_method(2047, 4096, 0));
        channel_ = peer_.open_channel();
    }
    Counters now() const { return peer_.machine.counters(peer_.now); }
    void pass(Duration time) { peer_.now = peer_.now + time; }

    MachinePeer peer_;
    std::uint16_t channel_ = 0;
};

TEST_F(MachineCountersTest, FramesBothWays) {
    const Counters before = now();
    // start-ok, tune-ok, open; channel.open
    EXPECT_EQ(before.frames_written, 4U);
    // start, tune, open-ok; channel.open-ok
    EXPECT_EQ(before.frames_read, 4U);
    ASSERT_EQ(peer_.publish(channel_, ""), Status::ok);
    ASSERT_EQ(peer_.publish(channel_, "m"), Status::ok);
    ASSERT_EQ(peer_.publish(channel_, std::string(4096 * 2, 'x')), Status::ok);
    ASSERT_EQ(peer_.publish(channel_, std::string(300'000, 'x')), Status::ok);
    peer_.deliveries_open(channel_);
    const std::size_t written = peer_.output().size();
    // consume; what is published was taken from the wire with it
    EXPECT_EQ(written, 0U);
    const Counters after = now();
    constexpr std::uint64_t large_bodies = (300'000 + 4088 - 1) / 4088;
    EXPECT_EQ(after.frames_written - before.frames_written, 2 + 3 + 5 + (2 + large_bodies) + 1);
    EXPECT_EQ(after.frames_read - before.frames_read, 1U + 3U);
    EXPECT_EQ(after.publishes, 4U);
    EXPECT_EQ(after.numbered, 0U);
}

// The frames are those that are there, one by one.
TEST_F(MachineCountersTest, AsManyFramesAsThereAre) {
    peer_.confirming(channel_);
    const Counters before = now();
    peer_.deliveries_open(channel_, 5);
    ASSERT_EQ(peer_.publish(channel_, std::string(10'000, 'x')), Status::ok);
    ASSERT_EQ(peer_.declare(channel_, 7), Status::ok);
    ASSERT_EQ(peer_.ack(channel_, 1), Status::ok);
    ASSERT_EQ(peer_.ack(channel_, 3), Status::ok);
    const std::size_t written = peer_.output().size();
    // basic.consume was taken from the wire before
    EXPECT_EQ(now().frames_written - before.frames_written, written + 1);
    EXPECT_EQ(now().numbered, 1U);
}

TEST_F(MachineCountersTest, DeliveriesGetsAndSettlements) {
    peer_.deliveries_open(channel_, 6);
    wire::basic::Deliver again = deliver_method("open", 7);
    again.redelivered = true;
    peer_.feed(content(channel_, again, "m"));
    ASSERT_EQ(peer_.get(channel_, 20), Status::ok);
    wire::basic::GetOk got{};
    got.delivery_tag = 8;
    peer_.feed(content(channel_, got, "m"));
    EXPECT_EQ(now().deliveries, 7U);
    EXPECT_EQ(now().redeliveries, 1U);
    EXPECT_EQ(now().gets, 1U);
    ASSERT_EQ(peer_.ack(channel_, 2), Status::ok);
    ASSERT_EQ(peer_.ack(channel_, 4, true), Status::ok);  // 1, 3, 4
    wire::basic::Nack nack{};
    nack.delivery_tag = 6;
    nack.multiple = true;
    ASSERT_EQ(peer_.machine.settle(peer_.id(channel_), nack), Status::ok);  // 5, 6
    wire::basic::Reject reject{};
    reject.delivery_tag = 7;
    ASSERT_EQ(peer_.machine.settle(peer_.id(channel_), reject), Status::ok);
    EXPECT_EQ(peer_.ack(channel_, 2), Status::argument);
    EXPECT_EQ(now().acks, 4U);
    EXPECT_EQ(now().nacks, 2U);
    EXPECT_EQ(now().rejects, 1U);
    EXPECT_EQ(peer_.machine.unfinished().deliveries, 1U);
}

TEST_F(MachineCountersTest, TheAgeOfTheOldestDeliveryAndPublish) {
    peer_.confirming(channel_);
    EXPECT_EQ(peer_.machine.oldest_delivery(peer_.now), peer_.now);
    EXPECT_EQ(peer_.machine.oldest_publish(peer_.now), peer_.now);
    peer_.consuming(channel_, 20, "c");
    pass(seconds(5));
    const Instant first = peer_.now;
    peer_.feed(content(channel_, deliver_method("c", 1), "m"));
    ASSERT_EQ(peer_.publish(channel_), Status::ok);
    pass(seconds(2));
    peer_.feed(content(channel_, deliver_method("c", 2), "m"));
    ASSERT_EQ(peer_.publish(channel_), Status::ok);
    pass(seconds(1));
    EXPECT_EQ(peer_.machine.oldest_delivery(peer_.now), first);
    EXPECT_EQ(peer_.machine.oldest_publish(peer_.now), first);
    ASSERT_EQ(peer_.ack(channel_, 1), Status::ok);
    EXPECT_EQ(peer_.machine.oldest_delivery(peer_.now), first + seconds(2));
}

// From its turn: a call that waits for another one's answer has not begun.
TEST_F(MachineCountersTest, RoundTripsFromACallsTurnToItsAnswer) {
    const Counters before = now();
    ASSERT_EQ(peer_.declare(channel_, 1), Status::ok);
    ASSERT_EQ(peer_.declare(channel_, 2), Status::ok);
    EXPECT_EQ(peer_.machine.unanswered_calls(), 2U);
    pass(milliseconds(30));
    peer_.declare_ok(channel_, "q1");
    EXPECT_EQ(peer_.machine.unanswered_calls(), 1U);
    pass(milliseconds(5));
    peer_.declare_ok(channel_, "q2");
    EXPECT_EQ(now().round_trips.count() - before.round_trips.count(), 2U);
    EXPECT_EQ(now().round_trips.sum_ns - before.round_trips.sum_ns, 35'000'000U);
}

TEST_F(MachineCountersTest, TheTimeOfBeingBlocked) {
    wire::connection::Blocked blocked{};
    blocked.reason = {"low on memory"};
    pass(seconds(1));
    peer_.send(0, blocked);
    pass(seconds(2));
    peer_.send(0, blocked);  // as RabbitMQ says it of another alarm
    EXPECT_EQ(peer_.publish(channel_), Status::would_block);
    pass(seconds(1));
    EXPECT_EQ(now().blocked_ns, 3'000'000'000U);
    peer_.send(0, wire::connection::Unblocked{});
    pass(seconds(9));
    peer_.send(0, blocked);
    pass(seconds(1));
    EXPECT_EQ(now().blocked_ns, 4'000'000'000U);
    EXPECT_EQ(now().blocked_times, 2U);
    EXPECT_EQ(now().refused_publishes, 1U);
    peer_.machine.note_time(peer_.now);
    peer_.transport_fails();
    pass(seconds(50));
    EXPECT_EQ(now().blocked_ns, 4'000'000'000U);
}

TEST_F(MachineCountersTest, ChannelsThatAreLostAndThoseThatAreClosed) {
    const std::uint16_t closed = peer_.open_channel();
    const std::uint16_t ended = peer_.open_channel();
    EXPECT_EQ(now().channels_opened, 3U);
    ASSERT_EQ(peer_.close_channel(closed, 5), Status::ok);
    peer_.send(closed, wire::channel::CloseOk{});
    EXPECT_EQ(now().channels_lost, 0U);
    wire::channel::Close close{};
    close.reply_code = 404;
    peer_.send(ended, close);
    EXPECT_EQ(now().channels_lost, 1U);
    peer_.transport_fails();
    EXPECT_EQ(now().channels_lost, 2U);
}

TEST_F(MachineCountersTest, AConnectionThatIsClosedLosesNoChannels) {
    peer_.machine.close(200, "bye");
    peer_.send(0, wire::connection::CloseOk{});
    EXPECT_EQ(now().channels_lost, 0U);
}

TEST(MachineCounters, Heartbeats) {
    MachinePeer peer;
    peer.handshake();
    peer.feed(test::octets("08 0000 00000000 ce"));
    peer.expire_at(peer.now + seconds(31));
    EXPECT_EQ(peer.output(), (test::Lines{"heartbeat"}));
    const Counters counters = peer.machine.counters(peer.now);
    EXPECT_EQ(counters.heartbeats_read, 1U);
    EXPECT_EQ(counters.heartbeats_written, 1U);
}

TEST(MachineCounters, AddUp) {
    Counters one;
    one.frames_written = one.frames_read = one.publishes = one.numbered = one.deliveries = 3;
    one.blocked_ns = 5;
    one.round_trips.add(milliseconds(1));
    Counters both = one;
    both += one;
    EXPECT_EQ(both.frames_written, 6U);
    EXPECT_EQ(both.frames_read, 6U);
    EXPECT_EQ(both.publishes, 6U);
    EXPECT_EQ(both.numbered, 6U);
    EXPECT_EQ(both.deliveries, 6U);
    EXPECT_EQ(both.blocked_ns, 10U);
    EXPECT_EQ(both.round_trips.count(), 2U);
}

}  // namespace
}  // namespace haigha::protocol
