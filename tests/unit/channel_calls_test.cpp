// Tests of a channel's calls through the machine: replies, wrong replies, late ones, deadlines.
#include <gtest/gtest.h>

#include <string>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::Lines;
using test::MachinePeer;
using test::token;
using test::tune_method;

class ChannelCallsTest : public testing::Test {
  protected:
    void SetUp() override {
        peer_.handshake(tune_method(0, 0, 0));
        ASSERT_EQ(peer_.open_channel(), 1);
    }
    MachinePeer peer_{test::without_heartbeats()};
};

// rules 16, 18
TEST_F(ChannelCallsTest, AnswersEachCallInOrder) {
    for (std::uintptr_t i = 1; i <= 3; ++i)
        EXPECT_EQ(peer_.declare(1, i), Status::ok);
    for (int i = 1; i <= 3; ++i) {
        EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare"}));
        peer_.declare_ok(1, "name" + std::to_string(i));
    }
    EXPECT_EQ(peer_.told(), (Lines{"1 done #1 name1", "1 done #2 name2", "1 done #3 name3"}));
}

// rule 16: three times too late, and the names never cross
TEST_F(ChannelCallsTest, NeverGivesALateReplyToAnotherCall) {
    for (std::uintptr_t i = 1; i <= 3; ++i) {
        EXPECT_EQ(peer_.declare(1, i, peer_.now + seconds(1)), Status::ok);
        (void)peer_.output();
        peer_.expire_at(peer_.now + seconds(1));
        EXPECT_EQ(peer_.told(), (Lines{"1 done #" + std::to_string(i) + ": HAIGHA_ERR_TIMEOUT"}));
        EXPECT_EQ(peer_.machine.deadline(), Instant::never());
        EXPECT_EQ(peer_.declare(1, 10 + i), Status::ok);
        EXPECT_TRUE(peer_.output().empty());
        peer_.declare_ok(1, "late");
        EXPECT_TRUE(peer_.told().empty());
        peer_.declare_ok(1, "right");
        EXPECT_EQ(peer_.told(), (Lines{"1 done #" + std::to_string(10 + i) + " right"}));
    }
}

// rule 17
TEST_F(ChannelCallsTest, NeverWritesACallThatTimedOutWhileItWaited) {
    EXPECT_EQ(peer_.declare(1, 1), Status::ok);
    EXPECT_EQ(peer_.declare(1, 2, peer_.now + seconds(1)), Status::ok);
    EXPECT_EQ(peer_.declare(1, 3, peer_.now + seconds(5)), Status::ok);
    EXPECT_EQ(peer_.publish(1), Status::ok);
    EXPECT_EQ(peer_.machine.deadline(), peer_.now + seconds(1));
    peer_.expire_at(peer_.now + seconds(1));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #2: HAIGHA_ERR_TIMEOUT"}));
    EXPECT_NE(peer_.errors.back()->message.find("not written"), std::string::npos);
    EXPECT_EQ(peer_.machine.deadline(), peer_.now + seconds(4));
    (void)peer_.output();
    peer_.declare_ok(1, "a");
    EXPECT_EQ(peer_.output(true)[0].substr(0, 32), "1 queue.declare queue=\"q3\" passi");
}

// A broker that never answers does not hold publishes back for ever.
TEST_F(ChannelCallsTest, LetsGoWhatWaitedBehindACallThatTimedOut) {
    EXPECT_EQ(peer_.declare(1, 1, peer_.now + seconds(1)), Status::ok);
    EXPECT_EQ(peer_.declare(1, 2, peer_.now + seconds(1)), Status::ok);
    EXPECT_EQ(peer_.publish(1), Status::ok);
    EXPECT_EQ(peer_.publish(1, std::string(300'000, 'x')), Status::ok);
    EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare"}));
    peer_.expire_at(peer_.now + seconds(1));
    const Lines lines = peer_.output();
    ASSERT_EQ(lines.size(), 8U);
    EXPECT_EQ(lines[0], "1 basic.publish");
    EXPECT_EQ(lines[3], "1 basic.publish");
    EXPECT_EQ(peer_.machine.bytes_waiting(), 0U);
    peer_.declare_ok(1, "late");
    EXPECT_EQ(peer_.declare(1, 3), Status::ok);
    EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare"}));
}

// rule 16: the channel fails, the connection lives
TEST_F(ChannelCallsTest, FailsTheChannelOverAWrongReply) {
    EXPECT_EQ(peer_.declare(1, 1), Status::ok);
    EXPECT_EQ(peer_.declare(1, 2), Status::ok);
    (void)peer_.output();
    peer_.send(1, wire::queue::PurgeOk{});
    EXPECT_EQ(peer_.told(),
              (Lines{"1 done #1: HAIGHA_ERR_PROTOCOL", "1 done #2: HAIGHA_ERR_PROTOCOL",
                     "1 closed: HAIGHA_ERR_PROTOCOL"}));
    EXPECT_NE(peer_.errors.back()->message.find("queue.purge-ok where queue.declare-ok was due"),
              std::string::npos);
    EXPECT_TRUE(peer_.output(true)[0].starts_with("1 channel.close reply_code=503"));
    EXPECT_EQ(peer_.machine.state(), ConnectionState::open);
    peer_.declare_ok(1, "too late");
    EXPECT_TRUE(peer_.told().empty());
}

TEST_F(ChannelCallsTest, FailsTheChannelOverAReplyThatWasNotAsked) {
    peer_.declare_ok(1, "q");
    EXPECT_EQ(peer_.told(), (Lines{"1 closed: HAIGHA_ERR_PROTOCOL"}));
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close"}));
}

TEST_F(ChannelCallsTest, EndsTheConnectionOverAReplyThatCannotBeDecoded) {
    EXPECT_EQ(peer_.declare(1, 1), Status::ok);
    peer_.feed(test::raw_frame(1, 1, test::octets("0032 000b 05 'q'")));
    EXPECT_EQ(peer_.told(),
              (Lines{"1 done #1: HAIGHA_ERR_PROTOCOL", "1 closed: HAIGHA_ERR_PROTOCOL",
                     "closed: HAIGHA_ERR_PROTOCOL"}));
}

TEST_F(ChannelCallsTest, GivesEveryMemberOfAReply) {
    EXPECT_EQ(peer_.declare(1, 1), Status::ok);
    EventList events;
    const auto frame = test::method_frame(1, wire::queue::DeclareOk{{"amq.gen-1"}, 12, 34});
    (void)peer_.machine.feed(frame, peer_.now, events);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].name, "amq.gen-1");
    EXPECT_EQ(events[0].message_count, 12U);
    EXPECT_EQ(events[0].consumer_count, 34U);
    EXPECT_EQ(events[0].owner, peer_.id(1).owner);
}

// The order of the calls, across what has answers and what has none.
TEST_F(ChannelCallsTest, KeepsTheOrderOfOperations) {
    peer_.deliveries_open(1);
    EXPECT_EQ(peer_.declare(1, 1), Status::ok);
    EXPECT_EQ(peer_.publish(1), Status::ok);
    EXPECT_EQ(peer_.declare(1, 2), Status::ok);
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    EXPECT_EQ(peer_.close_channel(1, 3), Status::ok);
    EXPECT_EQ(peer_.output(),
              (Lines{"1 queue.declare", "1 basic.publish", "1 header 1", "1 body 1"}));
    peer_.declare_ok(1, "");
    EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare", "1 basic.ack"}));
    peer_.declare_ok(1, "");
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close"}));
}

TEST_F(ChannelCallsTest, PipelinesBehindTheOpeningOfItsChannel) {
    ASSERT_EQ(peer_.ask_channel(), 2);
    EXPECT_EQ(peer_.declare(2, 1), Status::ok);
    EXPECT_EQ(peer_.publish(2), Status::ok);
    EXPECT_EQ(peer_.output(), (Lines{"2 channel.open"}));
    peer_.send(2, wire::channel::OpenOk{});
    EXPECT_EQ(peer_.told(), (Lines{"2 open #102"}));
    EXPECT_EQ(peer_.output(),
              (Lines{"2 queue.declare", "2 basic.publish", "2 header 1", "2 body 1"}));
}

TEST_F(ChannelCallsTest, RefusesVerbsOfAChannelOfAnotherOwner) {
    EXPECT_EQ(peer_.machine.settle({1, token(999)}, wire::basic::Ack{}), Status::closed);
    EXPECT_EQ(peer_.machine.settle({7, token(101)}, wire::basic::Ack{}), Status::closed);
    EXPECT_EQ(peer_.machine.settle({0, nullptr}, wire::basic::Ack{}), Status::closed);
    EXPECT_EQ(peer_.machine.settle({65535, nullptr}, wire::basic::Ack{}), Status::closed);
    EXPECT_TRUE(peer_.output().empty());
}

// A deadline that has passed is acted on, whoever it belongs to: it never stays in the past.
TEST_F(ChannelCallsTest, NeverLeavesADeadlineInThePast) {
    const Instant due = peer_.now + seconds(1);
    ASSERT_EQ(peer_.ask_channel(due), 2);
    EXPECT_EQ(peer_.declare(2, 1, due), Status::ok);
    EXPECT_EQ(peer_.declare(1, 2, due), Status::ok);
    EXPECT_EQ(peer_.consume(1, 3, "c", due), Status::ok);
    EXPECT_EQ(peer_.select(1, 5, due), Status::ok);
    EXPECT_EQ(peer_.close_channel(1, 7, due), Status::ok);
    EXPECT_EQ(peer_.machine.deadline(), due);
    peer_.expire_at(due);
    EXPECT_EQ(peer_.machine.deadline(), Instant::never());
    const std::size_t told = peer_.told().size();
    EXPECT_GE(told, 7U);
    peer_.expire_at(due + seconds(100));
    EXPECT_TRUE(peer_.told().empty());
}

}  // namespace
}  // namespace haigha::protocol
