// Tests of how channels end, from either side, at any moment; and of connection.close around them.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::channel_close;
using test::connection_close;
using test::deliver_method;
using test::joined;
using test::Lines;
using test::MachinePeer;
using test::method_frame;
using test::token;
using test::tune_method;

class ChannelCloseTest : public testing::Test {
  protected:
    void SetUp() override {
        peer_.handshake(tune_method(3, 0, 0));
        ASSERT_EQ(peer_.open_channel(), 1);
    }
    // A verb on an ended channel.
    void expect_ended() {
        EXPECT_EQ(peer_.publish(1), Status::closed);
        EXPECT_EQ(peer_.ack(1, 1), Status::closed);
        EXPECT_EQ(peer_.declare(1, 99), Status::closed);
        EXPECT_EQ(peer_.close_channel(1, 99), Status::closed);
    }
    bool is_taken() const { return peer_.machine.channel_count() == 1; }

    MachinePeer peer_{test::without_heartbeats()};
};

TEST_F(ChannelCloseTest, IsClosedAsAsked) {
    EXPECT_EQ(peer_.close_channel(1, 5), Status::ok);
    expect_ended();
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close"}));
    EXPECT_TRUE(is_taken());  // rule 25
    peer_.send(1, wire::channel::CloseOk{});
    EXPECT_EQ(peer_.told(), (Lines{"1 closed", "1 done #5"}));
    EXPECT_FALSE(is_taken());
}

// rules 26, 27: the number is free after close-ok, no sooner; past the limit nothing is written
TEST_F(ChannelCloseTest, GivesTheNumberBackWithCloseOk) {
    ASSERT_EQ(peer_.open_channel(), 2);
    ASSERT_EQ(peer_.open_channel(), 3);
    EXPECT_EQ(peer_.close_channel(2, 5), Status::ok);
    (void)peer_.output();
    Call open;
    std::uint16_t number = 0;
    EXPECT_EQ(peer_.machine.open_channel(token(77), open, &number), Status::channel_limit);
    EXPECT_TRUE(peer_.output().empty());
    peer_.send(2, wire::channel::CloseOk{});
    EXPECT_EQ(peer_.machine.open_channel(token(77), open, &number), Status::ok);
    EXPECT_EQ(number, 2);
    // The old owner's name for it is no longer good.
    EXPECT_EQ(peer_.publish(2), Status::closed);
}

// rule 26
TEST_F(ChannelCloseTest, DoesNotLeakNumbersWhenTheBrokerCloses) {
    for (int i = 0; i < 300; ++i) {
        const auto number = peer_.open_channel();
        ASSERT_NE(number, 0);
        EXPECT_EQ(peer_.declare(number, 5), Status::ok);
        (void)peer_.output();
        peer_.send(number, channel_close(404, "NOT_FOUND"));
        EXPECT_EQ(peer_.output(), (Lines{std::to_string(number) + " channel.close-ok"}));
    }
    EXPECT_TRUE(is_taken());
}

// Every number up to the largest can be had, once.
TEST(ChannelNumbers, ReachTheLargestNumberThereIs) {
    ConnectionParameters parameters;
    parameters.channel_max = 65535;
    MachinePeer peer(parameters);
    peer.handshake(tune_method(65535, 0, 0));
    std::vector<bool> used(65536);
    for (int i = 0; i < 65535; ++i) {
        const auto number = peer.ask_channel();
        ASSERT_NE(number, 0);
        ASSERT_FALSE(used[number]);
        used[number] = true;
    }
    EXPECT_EQ(peer.ask_channel(), 0);
    peer.machine.outbox().clear();
    peer.send(65535, wire::channel::OpenOk{});
    EXPECT_EQ(peer.close_channel(65535, 5), Status::ok);
    EXPECT_EQ(peer.ask_channel(), 0);
    peer.send(65535, wire::channel::CloseOk{});
    EXPECT_EQ(peer.ask_channel(), 65535);
}

// rule 30: nothing but close-ok follows, whatever waits; rule 51: and what went is not sent
TEST_F(ChannelCloseTest, TakesBackAThousandPublishesWhenTheBrokerCloses) {
    peer_.confirming(1);
    for (int i = 0; i < 1000; ++i)
        ASSERT_EQ(peer_.publish(1, "body"), Status::ok);
    peer_.take(1000);  // some have left, one partly
    const std::size_t left = peer_.machine.bytes_waiting();
    peer_.send(1, channel_close(404, "NOT_FOUND - no exchange"));
    Lines told = peer_.told();
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[2], "1 closed: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 404");
    EXPECT_EQ(std::count(told[0].begin(), told[0].end(), '=') +
                  std::count(told[1].begin(), told[1].end(), '='),
              1000);
    EXPECT_EQ(told[0].substr(0, 20), "1 outcomes 1=unknown");
    EXPECT_TRUE(told[1].ends_with(" 1000=not_sent"));
    // Whole frames, then close-ok, and none of the publishes that were not begun.
    EXPECT_LT(peer_.machine.bytes_waiting(), left);
    const Lines lines = peer_.output();
    EXPECT_EQ(lines.back(), "1 channel.close-ok");
    const auto whole = std::count(lines.begin(), lines.end(), "1 basic.publish");
    const auto unknown = std::count(told[0].begin(), told[0].end(), '=');
    EXPECT_LE(whole - unknown, 1);
    EXPECT_GE(whole - unknown, 0);
    expect_ended();
}

TEST_F(ChannelCloseTest, ReportsTheBrokersWordsAndWhatItBlames) {
    wire::channel::Close method = channel_close(404, "NOT_FOUND - no queue 'q'");
    method.class_id = 50;
    method.method_id = 10;
    EXPECT_EQ(peer_.declare(1, 4), Status::ok);
    peer_.send(1, method);
    EXPECT_EQ(peer_.told(), (Lines{"1 done #4: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 404",
                                   "1 closed: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 404"}));
    const Error& error = *peer_.errors.back();
    EXPECT_EQ(error.reply_text, "NOT_FOUND - no queue 'q'");
    EXPECT_STREQ(error.method_name, "queue.declare");
    EXPECT_EQ(error.channel_id, 1);
}

// rule 31: also in the middle of a message that arrives
TEST_F(ChannelCloseTest, AnswersACloseInTheMiddleOfAContent) {
    peer_.consuming(1, 10, "c");
    peer_.feed(joined(method_frame(1, deliver_method("c", 1)), test::header_frame(1, 5),
                      test::body_frame(1, "ab")));
    peer_.send(1, channel_close(406, "PRECONDITION_FAILED"));
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close-ok"}));
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406",
                                   "1 closed: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406"}));
    EXPECT_FALSE(is_taken());
}

// rule 31: both close at once; each answers, and the number waits for the answer to ours
TEST_F(ChannelCloseTest, AnswersACloseThatCrossesItsOwn) {
    EXPECT_EQ(peer_.close_channel(1, 5), Status::ok);
    (void)peer_.output();
    peer_.send(1, channel_close(404, "NOT_FOUND"));
    EXPECT_EQ(peer_.told(),
              (Lines{"1 done #5", "1 closed: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 404"}));
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close-ok"}));
    EXPECT_TRUE(is_taken());
    peer_.send(1, wire::channel::CloseOk{});
    EXPECT_FALSE(is_taken());
    EXPECT_TRUE(peer_.told().empty());
}

// The same, but ours had not left: it is taken back, and there is no answer to wait for.
TEST_F(ChannelCloseTest, DoesNotWaitForTheAnswerToACloseThatNeverLeft) {
    EXPECT_EQ(peer_.close_channel(1, 5), Status::ok);
    peer_.send(1, channel_close(404, "NOT_FOUND"));
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close-ok"}));
    EXPECT_FALSE(is_taken());
}

TEST_F(ChannelCloseTest, SaysItsOwnCloseAfterAViolationAlsoWhenOneWasQueued) {
    EXPECT_EQ(peer_.declare(1, 4), Status::ok);
    EXPECT_EQ(peer_.close_channel(1, 5), Status::ok);
    (void)peer_.output();
    peer_.send(1, wire::queue::PurgeOk{});  // not what was asked
    EXPECT_EQ(peer_.told(), (Lines{"1 done #4: HAIGHA_ERR_PROTOCOL", "1 done #5",
                                   "1 closed: HAIGHA_ERR_PROTOCOL"}));
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close"}));
    peer_.send(1, wire::channel::CloseOk{});
    EXPECT_FALSE(is_taken());
}

// A close in the middle of our own content would end the connection.
TEST_F(ChannelCloseTest, CompletesABegunMessageBeforeItCloses) {
    peer_.confirming(1);
    EXPECT_EQ(peer_.publish(1, std::string(600'000, 'a')), Status::ok);
    EXPECT_EQ(peer_.publish(1, "second"), Status::ok);
    peer_.machine.pump(100'000);
    peer_.take(20'000);
    peer_.send(1, wire::queue::PurgeOk{});
    EXPECT_EQ(peer_.told(), (Lines{"1 outcomes 1=unknown", "1 outcomes 2=not_sent",
                                   "1 closed: HAIGHA_ERR_PROTOCOL"}));
    const Lines lines = peer_.output();
    EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                            [](const std::string& line) { return line.starts_with("1 body"); }),
              5);
    EXPECT_EQ(lines.back(), "1 channel.close");
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "1 basic.publish"), 1);
}

// rule 51: a large message whose beginning has left is one message that is not sent, not two
TEST_F(ChannelCloseTest, CountsAPartlyWrittenLargeMessageOnce) {
    peer_.confirming(1);
    EXPECT_EQ(peer_.publish(1, "first"), Status::ok);
    (void)peer_.output();
    EXPECT_EQ(peer_.publish(1, std::string(900'000, 'a')), Status::ok);
    for (int i = 0; i < 3; ++i) {  // the method, the header and a body have left altogether
        peer_.machine.pump(1);
        peer_.take(peer_.machine.outbox().size());
    }
    peer_.machine.pump(1);
    peer_.transport_fails();
    EXPECT_EQ(peer_.told()[0], "1 outcomes 1=unknown");
}

TEST_F(ChannelCloseTest, EndsAChannelThatDoesNotOpenInTime) {
    const Instant due = peer_.now + seconds(1);
    ASSERT_EQ(peer_.ask_channel(due), 2);
    EXPECT_EQ(peer_.publish(2), Status::ok);
    EXPECT_EQ(peer_.machine.deadline(), due);
    peer_.expire_at(due);
    EXPECT_EQ(peer_.told(), (Lines{"2 closed: HAIGHA_ERR_TIMEOUT"}));
    EXPECT_EQ(peer_.machine.deadline(), Instant::never());
    EXPECT_EQ(peer_.output(), (Lines{"2 channel.open"}));
    // Opened after all: closed at once.
    peer_.send(2, wire::channel::OpenOk{});
    EXPECT_EQ(peer_.output(), (Lines{"2 channel.close"}));
    EXPECT_EQ(peer_.machine.channel_count(), 2U);
    peer_.send(2, wire::channel::CloseOk{});
    EXPECT_EQ(peer_.machine.channel_count(), 1U);
    EXPECT_TRUE(peer_.told().empty());
}

TEST_F(ChannelCloseTest, FreesTheNumberWhenALateOpenIsRefused) {
    ASSERT_EQ(peer_.ask_channel(peer_.now + seconds(1)), 2);
    peer_.expire_at(peer_.now + seconds(1));
    (void)peer_.output();
    peer_.send(2, channel_close(504, "no"));
    EXPECT_EQ(peer_.output(), (Lines{"2 channel.close-ok"}));
    EXPECT_EQ(peer_.machine.channel_count(), 1U);
}

// rule 14, for a channel: whatever the broker does not answer
TEST_F(ChannelCloseTest, EndsInTimeWhenTheAnswerDoesNotCome) {
    EXPECT_EQ(peer_.close_channel(1, 5, peer_.now + seconds(1)), Status::ok);
    (void)peer_.output();
    peer_.expire_at(peer_.now + seconds(1));
    EXPECT_EQ(peer_.told(),
              (Lines{"1 done #5: HAIGHA_ERR_TIMEOUT", "1 closed: HAIGHA_ERR_TIMEOUT"}));
    EXPECT_TRUE(is_taken());
    EXPECT_EQ(peer_.machine.deadline(), Instant::never());
    peer_.send(1, wire::channel::CloseOk{});
    EXPECT_FALSE(is_taken());
}

TEST_F(ChannelCloseTest, EndsInTimeWhenWhatItWaitsForDoesNotMove) {
    EXPECT_EQ(peer_.select(1, 4, peer_.now + seconds(1)), Status::ok);
    EXPECT_EQ(peer_.publish(1), Status::ok);  // behind the barrier
    EXPECT_EQ(peer_.close_channel(1, 5, peer_.now + seconds(2)), Status::ok);
    (void)peer_.output();
    peer_.expire_at(peer_.now + seconds(1));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #4: HAIGHA_ERR_TIMEOUT"}));
    peer_.expire_at(peer_.now + seconds(1));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #5: HAIGHA_ERR_TIMEOUT", "1 outcomes 1=not_sent",
                                   "1 closed: HAIGHA_ERR_TIMEOUT"}));
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close"}));
}

// A call that timed out holds no close up, and its late answer is of no interest.
TEST_F(ChannelCloseTest, OvertakesACallThatTimedOut) {
    EXPECT_EQ(peer_.get(1, 4, peer_.now + seconds(1)), Status::ok);
    (void)peer_.output();
    peer_.expire_at(peer_.now + seconds(1));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #4: HAIGHA_ERR_TIMEOUT"}));
    EXPECT_EQ(peer_.close_channel(1, 5), Status::ok);
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close"}));
    peer_.feed(test::content(1, wire::basic::GetOk{}, "late"));
    peer_.declare_ok(1, "q");
    EXPECT_TRUE(peer_.output().empty());
    peer_.send(1, wire::channel::CloseOk{});
    EXPECT_EQ(peer_.told(), (Lines{"1 closed", "1 done #5"}));
}

// ---- connection.close around channels

// rule 36: after all that was taken before it
TEST_F(ChannelCloseTest, ClosesTheConnectionAfterWhatWaits) {
    EXPECT_EQ(peer_.declare(1, 4), Status::ok);
    EXPECT_EQ(peer_.declare(1, 5), Status::ok);
    EXPECT_EQ(peer_.publish(1), Status::ok);
    peer_.machine.close(200, "bye");
    EXPECT_EQ(peer_.publish(1), Status::closed);
    EXPECT_EQ(peer_.ask_channel(), 0);
    EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare"}));
    peer_.declare_ok(1, "q4");
    EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare", "1 basic.publish", "1 header 1", "1 body 1",
                                     "0 connection.close"}));
    EXPECT_EQ(peer_.machine.state(), ConnectionState::closing);
    peer_.send(0, wire::connection::CloseOk{});
    EXPECT_EQ(peer_.told(), (Lines{"1 done #4 q4", "1 done #5: HAIGHA_ERR_CLOSED",
                                   "1 closed: HAIGHA_ERR_CLOSED", "closed"}));
    EXPECT_FALSE(peer_.closed);
}

TEST_F(ChannelCloseTest, ClosesTheConnectionWhenWhatWaitsIsGivenUp) {
    EXPECT_EQ(peer_.declare(1, 4, peer_.now + seconds(1)), Status::ok);
    EXPECT_EQ(peer_.declare(1, 5, peer_.now + seconds(2)), Status::ok);
    peer_.machine.close(200, "bye");
    (void)peer_.output();
    peer_.expire_at(peer_.now + seconds(2));
    EXPECT_EQ(peer_.output(), (Lines{"0 connection.close"}));
}

// Nothing is written after connection.close, whatever comes; confirms still count.
TEST_F(ChannelCloseTest, WritesNothingAfterConnectionClose) {
    peer_.confirming(1);
    EXPECT_EQ(peer_.publish(1), Status::ok);
    peer_.machine.close(200, "bye");
    (void)peer_.output();
    peer_.feed(test::content(1, deliver_method("nobody", 1), "m"));
    peer_.send(1, wire::channel::Flow{false});
    peer_.send(1, wire::basic::Ack{1, false});
    peer_.send(1, wire::queue::PurgeOk{});
    peer_.send(2, wire::channel::OpenOk{});
    peer_.send(1, channel_close(404, ""));
    EXPECT_TRUE(peer_.output().empty());
    EXPECT_EQ(peer_.told()[1], "1 outcomes 1=confirmed");
    peer_.send(0, wire::connection::CloseOk{});
    EXPECT_EQ(peer_.told(), (Lines{"closed"}));
}

TEST_F(ChannelCloseTest, AnswersAConnectionCloseThatCrossesItsOwn) {
    peer_.machine.close(200, "bye");
    (void)peer_.output();
    peer_.send(0, connection_close(320, "CONNECTION_FORCED"));
    EXPECT_EQ(peer_.told(), (Lines{"1 closed: HAIGHA_ERR_CLOSED", "closed"}));
    EXPECT_EQ(peer_.output(), (Lines{"0 connection.close-ok"}));
}

// rule 51: what is in the outbox when the transport fails was not sent; what has left is unknown
TEST_F(ChannelCloseTest, TellsTheUnsentFromTheUnknownWhenTheTransportFails) {
    peer_.confirming(1);
    EXPECT_EQ(peer_.publish(1, "one"), Status::ok);
    (void)peer_.output();
    EXPECT_EQ(peer_.publish(1, "two"), Status::ok);
    EXPECT_EQ(peer_.publish(1, "three"), Status::ok);
    peer_.take(10);  // of the second
    EXPECT_EQ(peer_.declare(1, 4), Status::ok);
    EXPECT_EQ(peer_.declare(1, 5), Status::ok);
    EXPECT_EQ(peer_.publish(1, "four"), Status::ok);  // waits for its turn
    peer_.transport_fails();
    EXPECT_EQ(peer_.told(),
              (Lines{"1 outcomes 1=unknown", "1 outcomes 2=not_sent 3=not_sent 4=not_sent",
                     "1 done #4: HAIGHA_ERR_IO", "1 done #5: HAIGHA_ERR_IO",
                     "1 closed: HAIGHA_ERR_IO", "closed: HAIGHA_ERR_IO"}));
    EXPECT_TRUE(peer_.output().empty());
}

// But the rest of a begun frame still goes out before our connection.close, and makes it whole.
TEST_F(ChannelCloseTest, DoesNotCallAMessageUnsentThatItCompletes) {
    peer_.confirming(1);
    EXPECT_EQ(peer_.publish(1, "one"), Status::ok);
    EXPECT_EQ(peer_.publish(1, "two"), Status::ok);
    peer_.take(peer_.machine.outbox().size() / 2 - 2);  // but for the end of the first
    peer_.send(0, wire::connection::TuneOk{});
    EXPECT_EQ(peer_.told(),
              (Lines{"1 outcomes 1=unknown", "1 outcomes 2=not_sent",
                     "1 closed: HAIGHA_ERR_PROTOCOL", "closed: HAIGHA_ERR_PROTOCOL"}));
    EXPECT_EQ(peer_.output(),
              (Lines{"1 basic.publish", "1 header 3", "1 body 3", "0 connection.close"}));
}

}  // namespace
}  // namespace haigha::protocol
