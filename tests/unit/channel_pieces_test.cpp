// Tests of bodies in pieces: what is published bit by bit, and what is delivered so.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/body_pieces.h"
#include "protocol/connection_machine.h"
#include "protocol/publish_head.h"
#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::body_frame;
using test::channel_close;
using test::content;
using test::deliver_method;
using test::header_frame;
using test::joined;
using test::Lines;
using test::MachinePeer;
using test::method_frame;
using test::token;
using test::tune_method;

class ChannelPiecesTest : public testing::Test {
  protected:
    void SetUp() override {
        peer_->handshake(tune_method(0, 131072, 0));
        ASSERT_EQ(peer_->open_channel(), 1);
    }
    Status begin(std::uintptr_t writer, std::uint64_t size, bool mandatory = false) {
        PublishRequest request;
        request.routing_key = "k";
        request.mandatory = mandatory;
        return peer_->machine.begin_body(peer_->id(1), PreparedHead(request), size, token(writer),
                                         nullptr, &peer_->sequence);
    }
    Status write(std::uintptr_t writer, std::size_t size) {
        const std::string octets(size, 'b');
        taken_ = 0;
        return peer_->machine.write_body(peer_->id(1), token(writer),
                                         std::as_bytes(std::span(octets)), &taken_);
    }
    void abandon(std::uintptr_t writer) {
        EventList events;
        peer_->machine.abandon_body(peer_->id(1), token(writer), events);
        for (const MachineEvent& event : events)
            kinds_.push_back(event.kind);
    }
    // A consumer #11 of pieces, "c".
    void consuming() {
        Call call;
        call.kind = CallKind::consume;
        call.token = token(10);
        call.consumer = token(11);
        call.name = "c";
        call.in_pieces = true;
        call.reply = wire::basic::ConsumeOk::id;
        wire::basic::Consume method{};
        method.consumer_tag = {"c"};
        ASSERT_EQ(peer_->machine.call(peer_->id(1), std::move(call), method), Status::ok);
        peer_->send(1, wire::basic::ConsumeOk{{"c"}});
        (void)peer_->output();
        (void)peer_->told();
    }

    std::optional<MachinePeer> peer_{std::in_place};
    std::size_t taken_ = 0;
    std::vector<EventKind> kinds_;
};

// ---- publishing

TEST_F(ChannelPiecesTest, WritesTheFramesOfABodyAsItComes) {
    ASSERT_EQ(begin(5, 10), Status::ok);
    EXPECT_EQ(peer_->output(), (Lines{"1 basic.publish", "1 header 10"}));
    ASSERT_EQ(write(5, 4), Status::ok);
    EXPECT_EQ(peer_->output(), (Lines{"1 body 4"}));
    EXPECT_TRUE(peer_->told().empty());
    EXPECT_EQ(write(5, 7), Status::argument);
    ASSERT_EQ(write(5, 6), Status::ok);
    EXPECT_EQ(peer_->output(), (Lines{"1 body 6"}));
    EXPECT_EQ(peer_->told(), (Lines{"1 body #5"}));
    EXPECT_EQ(write(5, 0), Status::closed);
}

// rule 83
TEST_F(ChannelPiecesTest, WritesAnEmptyBodyAtOnce) {
    ASSERT_EQ(begin(5, 0), Status::ok);
    EXPECT_EQ(peer_->output(), (Lines{"1 basic.publish", "1 header 0"}));
    EXPECT_EQ(peer_->told(), (Lines{"1 body #5"}));
}

// AMQP 0-9-1, 4.2.6: nothing of the same channel in the middle of a content
TEST_F(ChannelPiecesTest, HoldsBackWhatFollowsOnItsChannelOnly) {
    ASSERT_EQ(peer_->open_channel(), 2);
    ASSERT_EQ(begin(5, 10), Status::ok);
    ASSERT_EQ(write(5, 4), Status::ok);
    ASSERT_EQ(peer_->publish(1), Status::ok);
    ASSERT_EQ(peer_->declare(1, 7), Status::ok);
    ASSERT_EQ(begin(6, 3), Status::ok);
    ASSERT_EQ(write(6, 3), Status::would_block);
    ASSERT_EQ(peer_->publish(2), Status::ok);
    EXPECT_EQ(peer_->output(), (Lines{"1 basic.publish", "1 header 10", "1 body 4",
                                      "2 basic.publish", "2 header 1", "2 body 1"}));
    ASSERT_EQ(write(5, 6), Status::ok);
    EXPECT_EQ(peer_->output(), (Lines{"1 body 6", "1 basic.publish", "1 header 1", "1 body 1",
                                      "1 queue.declare", "1 basic.publish", "1 header 3"}));
    EXPECT_EQ(peer_->told(), (Lines{"1 body #5", "1 room #6"}));
    ASSERT_EQ(write(6, 3), Status::ok);
    EXPECT_EQ(peer_->output(), (Lines{"1 body 3"}));
    EXPECT_EQ(peer_->told(), (Lines{"1 body #6"}));
}

TEST_F(ChannelPiecesTest, WaitsForWhatComesBeforeIt) {
    ASSERT_EQ(peer_->select(1, 3), Status::ok);
    ASSERT_EQ(begin(5, 10), Status::ok);
    EXPECT_EQ(peer_->sequence, 1U);
    EXPECT_EQ(write(5, 4), Status::would_block);
    EXPECT_EQ(peer_->output(), (Lines{"1 confirm.select"}));
    peer_->send(1, wire::confirm::SelectOk{});
    EXPECT_EQ(peer_->output(), (Lines{"1 basic.publish", "1 header 10"}));
    EXPECT_EQ(peer_->told(), (Lines{"1 done #3", "1 room #5"}));
    ASSERT_EQ(write(5, 10), Status::ok);
    EXPECT_EQ(peer_->output(), (Lines{"1 body 10"}));
}

TEST_F(ChannelPiecesTest, KeepsAtMostAWindowOfABody) {
    constexpr std::uint64_t size = std::uint64_t{1} << 30;
    ASSERT_EQ(begin(5, size), Status::ok);
    std::uint64_t written = 0;
    while (written < size) {
        const std::size_t most = std::min<std::uint64_t>(1'000'000, size - written);
        const Status status = write(5, most);
        written += taken_;
        ASSERT_LE(peer_->machine.bytes_waiting(), 3 * BodyWindow::part + 4096);
        if (status == Status::ok && taken_ == most) continue;
        // What is on its way leaves bit by bit; once there is room that is told.
        peer_->wire.clear();
        while (peer_->log.empty() && !peer_->machine.outbox().empty())
            peer_->take(10'000);
        ASSERT_EQ(peer_->told(), (Lines{"1 room #5"}));
    }
    peer_->wire.clear();
    peer_->take(peer_->machine.outbox().size());
    EXPECT_EQ(peer_->told(), (Lines{"1 body #5"}));
}

// An abandoned content can only be ended by ending the connection.
TEST_F(ChannelPiecesTest, EndsTheConnectionForABodyThatIsAbandoned) {
    peer_->confirming(1);
    ASSERT_EQ(begin(5, 10), Status::ok);
    ASSERT_EQ(write(5, 4), Status::ok);
    (void)peer_->output();
    abandon(5);
    EXPECT_EQ(kinds_, (std::vector{EventKind::outcomes, EventKind::body_done,
                                   EventKind::channel_closed, EventKind::connection_closed}));
    EXPECT_EQ(peer_->output(true),
              (Lines{"0 connection.close reply_code=541 reply_text=\"a content "
                     "was abandoned\" class_id=0 method_id=0"}));
    abandon(5);
    EXPECT_EQ(kinds_.size(), 4U);
}

TEST_F(ChannelPiecesTest, LeavesAWholeBodyAloneWhenItIsAbandoned) {
    ASSERT_EQ(begin(5, 4), Status::ok);
    ASSERT_EQ(write(5, 4), Status::ok);
    abandon(5);
    EXPECT_TRUE(kinds_.empty());
    EXPECT_EQ(peer_->output(), (Lines{"1 basic.publish", "1 header 4", "1 body 4"}));
}

// Whatever of it has left: the broker cannot have it, nor what waits behind it.
TEST_F(ChannelPiecesTest, IsNotSentWhenTheConnectionIsLost) {
    for (const std::size_t left :
         {std::size_t{0}, std::size_t{5}, std::size_t{40}, std::size_t{70}, std::size_t{1000}}) {
        SCOPED_TRACE(left);
        peer_.emplace();
        SetUp();
        peer_->confirming(1);
        ASSERT_EQ(peer_->publish(1), Status::ok);
        (void)peer_->output();
        ASSERT_EQ(begin(5, 1000), Status::ok);
        ASSERT_EQ(write(5, 100), Status::ok);
        ASSERT_EQ(peer_->publish(1), Status::ok);
        peer_->take(std::min(left, peer_->machine.outbox().size()));
        peer_->transport_fails();
        EXPECT_EQ(peer_->told(), (Lines{"1 outcomes 1=unknown", "1 outcomes 2=not_sent 3=not_sent",
                                        "1 body #5: HAIGHA_ERR_IO", "1 closed: HAIGHA_ERR_IO",
                                        "closed: HAIGHA_ERR_IO"}));
    }
}

// RabbitMQ answers a close-ok in the middle of a content by closing the connection (505).
TEST_F(ChannelPiecesTest, EndsTheConnectionWhenTheBrokerClosesTheChannelInTheMiddle) {
    ASSERT_EQ(begin(5, 10), Status::ok);
    ASSERT_EQ(write(5, 4), Status::ok);
    (void)peer_->output();
    peer_->send(1, channel_close(406, "no"));
    EXPECT_EQ(peer_->told(), (Lines{"1 body #5: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406",
                                    "1 closed: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406",
                                    "closed: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406"}));
    EXPECT_EQ(peer_->output(), (Lines{"0 connection.close"}));
}

TEST_F(ChannelPiecesTest, FinishesALargeContentBeforeItAnswersAClose) {
    ASSERT_EQ(peer_->publish(1, std::string(300'000, 'b')), Status::ok);
    peer_->machine.pump(1);
    peer_->machine.pump(1 << 20);
    peer_->take(1000);
    peer_->send(1, channel_close(406, "no"));
    EXPECT_EQ(peer_->output(), (Lines{"1 basic.publish", "1 header 300000", "1 body 131064",
                                      "1 body 131064", "1 body 37872", "1 channel.close-ok"}));
}

TEST_F(ChannelPiecesTest, ClosesAChannelBehindItsBody) {
    ASSERT_EQ(begin(5, 10), Status::ok);
    ASSERT_EQ(peer_->close_channel(1, 9), Status::ok);
    ASSERT_EQ(write(5, 10), Status::ok);
    EXPECT_EQ(peer_->output(),
              (Lines{"1 basic.publish", "1 header 10", "1 body 10", "1 channel.close"}));
    peer_->send(1, wire::channel::CloseOk{});
    EXPECT_EQ(peer_->told(), (Lines{"1 body #5", "1 closed", "1 done #9"}));
}

// rule 14: closing always ends
TEST_F(ChannelPiecesTest, EndsTheConnectionWhenABodyOutlastsTheClose) {
    ASSERT_EQ(begin(5, 10), Status::ok);
    ASSERT_EQ(peer_->close_channel(1, 9, peer_->now + seconds(1)), Status::ok);
    (void)peer_->output();
    peer_->expire_at(peer_->now + seconds(1));
    EXPECT_EQ(peer_->output(), (Lines{"0 connection.close"}));
    EXPECT_EQ(peer_->told().back(), "closed: HAIGHA_ERR_TIMEOUT");
}

TEST_F(ChannelPiecesTest, DoesNotHoldUpTheCloseOfAConnection) {
    ASSERT_EQ(begin(5, 10), Status::ok);
    ASSERT_EQ(peer_->publish(1), Status::ok);
    peer_->machine.close(200, "bye");
    EXPECT_EQ(write(5, 10), Status::closed);
    EXPECT_EQ(peer_->output(), (Lines{"1 basic.publish", "1 header 10", "0 connection.close"}));
    peer_->send(0, wire::connection::CloseOk{});
    EXPECT_EQ(peer_->told(),
              (Lines{"1 body #5: HAIGHA_ERR_CLOSED", "1 closed: HAIGHA_ERR_CLOSED", "closed"}));
}

// Found by fuzzing: it said connection.close a second time.
TEST_F(ChannelPiecesTest, ClosesAConnectionOnceWhateverEndsTheChannelMeanwhile) {
    for (const bool by_the_broker : {true, false}) {
        SCOPED_TRACE(by_the_broker);
        peer_.emplace();
        SetUp();
        ASSERT_EQ(begin(5, 10), Status::ok);
        ASSERT_EQ(peer_->close_channel(1, 9, peer_->now + seconds(1)), Status::ok);
        peer_->machine.close(200, "bye");
        (void)peer_->output();
        if (by_the_broker) {
            peer_->send(1, channel_close(404, "NOT_FOUND"));
        } else {
            peer_->expire_at(peer_->now + seconds(1));
        }
        EXPECT_EQ(peer_->output(), Lines());
        peer_->send(0, wire::connection::CloseOk{});
        EXPECT_EQ(peer_->told().back(), "closed");
    }
}

TEST_F(ChannelPiecesTest, RefusesAMandatoryBodyWhoseReturnCouldNotBeMatched) {
    EXPECT_EQ(begin(5, 10, true), Status::ok);
    ASSERT_EQ(write(5, 10), Status::ok);
    peer_->confirming(1);
    EXPECT_EQ(begin(6, 10, true), Status::unsupported);
    peer_->machine.correlate_returns(peer_->id(1));
    EXPECT_EQ(begin(6, 10, true), Status::ok);
}

// ---- delivering

TEST_F(ChannelPiecesTest, HandsABodyOnAsItComes) {
    consuming();
    peer_->feed(joined(method_frame(1, deliver_method("c", 7)), header_frame(1, 6),
                       body_frame(1, "abcd"), wire::heartbeat_frame, body_frame(1, ""),
                       body_frame(1, "ef")));
    EXPECT_EQ(peer_->told(), (Lines{"1 begin #11 tag=7 x/k 6", "1 piece #11 7@0 'abcd'",
                                    "1 piece #11 7@4 'ef'", "1 end #11 7 6"}));
}

TEST_F(ChannelPiecesTest, TakesBodiesBeyondTheLargestMessage) {
    consuming();
    peer_->feed(joined(method_frame(1, deliver_method("c", 1)),
                       header_frame(1, std::uint64_t{1} << 40), body_frame(1, "a")));
    EXPECT_EQ(peer_->told(), (Lines{"1 begin #11 tag=1 x/k 1099511627776", "1 piece #11 1@0 'a'"}));
    EXPECT_TRUE(peer_->output().empty());
    EXPECT_EQ(peer_->ack(1, 1), Status::ok);
}

TEST_F(ChannelPiecesTest, AssemblesForOtherConsumersOfTheChannel) {
    consuming();
    peer_->consuming(1, 20, "whole");
    peer_->feed(content(1, deliver_method("whole", 1), std::string(6, 'w'), 4));
    EXPECT_EQ(peer_->told(), (Lines{"1 delivery #21 tag=1 x/k 'wwwwww'"}));
}

TEST_F(ChannelPiecesTest, TellsOnceThatADeliveryIsCutShort) {
    consuming();
    peer_->feed(
        joined(method_frame(1, deliver_method("c", 1)), header_frame(1, 6), body_frame(1, "abcd")));
    (void)peer_->told();
    peer_->send(1, channel_close(406, "no"));
    EXPECT_EQ(peer_->told(), (Lines{"1 cut #11 1 4: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406",
                                    "1 cancelled #11: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406",
                                    "1 closed: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406"}));
    peer_->transport_fails();
    EXPECT_EQ(peer_->told(), (Lines{"closed: HAIGHA_ERR_IO"}));
}

TEST_F(ChannelPiecesTest, HoldsABrokerToTheSizeItHasAnnounced) {
    consuming();
    peer_->feed(
        joined(method_frame(1, deliver_method("c", 1)), header_frame(1, 3), body_frame(1, "abcd")));
    EXPECT_EQ(peer_->told().back(), "closed: HAIGHA_ERR_PROTOCOL");
}

TEST_F(ChannelPiecesTest, HoldsABrokerToTheOrderOfAContent) {
    consuming();
    peer_->feed(joined(method_frame(1, deliver_method("c", 1)), header_frame(1, 3),
                       body_frame(1, "a"), method_frame(1, deliver_method("c", 2))));
    EXPECT_EQ(peer_->told().back(), "closed: HAIGHA_ERR_PROTOCOL");
}

// The same events however the bytes come.
TEST_F(ChannelPiecesTest, HandsOnTheSameByteByByte) {
    consuming();
    const auto octets = joined(method_frame(1, deliver_method("c", 1)), header_frame(1, 6),
                               body_frame(1, "abcd"), body_frame(1, "ef"));
    for (const std::byte octet : octets)
        peer_->feed({&octet, 1});
    EXPECT_EQ(peer_->told(), (Lines{"1 begin #11 tag=1 x/k 6", "1 piece #11 1@0 'abcd'",
                                    "1 piece #11 1@4 'ef'", "1 end #11 1 6"}));
}

}  // namespace
}  // namespace haigha::protocol
