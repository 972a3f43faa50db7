// Tests of what arrives on a channel with a content: deliveries, gets, returns; and of consumers.
#include <gtest/gtest.h>

#include <string>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::body_frame;
using test::content;
using test::deliver_method;
using test::header_frame;
using test::joined;
using test::Lines;
using test::MachinePeer;
using test::method_frame;
using test::tune_method;

class ChannelContentTest : public testing::Test {
  protected:
    explicit ChannelContentTest(ConnectionParameters parameters = {})
        : peer_(std::move(parameters)) {}
    void SetUp() override {
        peer_.handshake(tune_method(0, 4096, 0));
        ASSERT_EQ(peer_.open_channel(), 1);
    }
    void deliver(std::string_view consumer, std::uint64_t tag, std::string_view body = "m") {
        peer_.feed(content(1, deliver_method(consumer, tag), body));
    }

    MachinePeer peer_;
};

// rule 83: by the fast path and by assembling, the same
TEST_F(ChannelContentTest, DeliversBodiesOfEverySize) {
    peer_.consuming(1, 10, "c");
    for (const std::size_t size : {0, 1, 4087, 4088, 4089, 8176, 8177, 50'000}) {
        const std::string body(size, 'b');
        for (const std::size_t piece : {std::size_t{4088}, std::size_t{1000}}) {
            peer_.feed(content(1, deliver_method("c", size + 1), body, piece));
            EXPECT_EQ(peer_.told(), (Lines{"1 delivery #11 tag=" + std::to_string(size + 1) +
                                           " x/k '" + body + "'"}));
        }
    }
    EXPECT_TRUE(peer_.output().empty());
}

TEST_F(ChannelContentTest, TellsContentsOfSeveralChannelsApart) {
    ASSERT_EQ(peer_.open_channel(), 2);
    peer_.consuming(1, 10, "c");
    peer_.consuming(2, 20, "c");
    peer_.feed(joined(method_frame(1, deliver_method("c", 1)),
                      method_frame(2, deliver_method("c", 2)), header_frame(1, 4),
                      body_frame(1, "ab"), header_frame(2, 2), wire::heartbeat_frame,
                      body_frame(2, "xy"), body_frame(1, "cd")));
    EXPECT_EQ(peer_.told(),
              (Lines{"2 delivery #21 tag=2 x/k 'xy'", "1 delivery #11 tag=1 x/k 'abcd'"}));
}

// rule 46: never dropped in silence
TEST_F(ChannelContentTest, GivesBackWhatIsDeliveredToNobody) {
    deliver("nobody", 9);
    deliver("nobody", 10, std::string(5000, 'b'));
    EXPECT_TRUE(peer_.told().empty());
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.reject delivery_tag=9 requeue=1",
                                         "1 basic.reject delivery_tag=10 requeue=1"}));
}

TEST_F(ChannelContentTest, RemembersTheLastConsumerOnlyWhileItLives) {
    for (int i = 0; i < 40; ++i)
        peer_.consuming(1, 100 + 2u * static_cast<unsigned>(i), "c" + std::to_string(i));
    deliver("c0", 1);
    EXPECT_EQ(peer_.told(), (Lines{"1 delivery #101 tag=1 x/k 'm'"}));
    for (int i = 40; i < 100; ++i)  // the map moves house
        peer_.consuming(1, 100 + 2u * static_cast<unsigned>(i), "c" + std::to_string(i));
    deliver("c0", 2);
    EXPECT_EQ(peer_.told(), (Lines{"1 delivery #101 tag=2 x/k 'm'"}));
    peer_.send(1, wire::basic::Cancel{{"c0"}, true});
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #101: HAIGHA_ERR_CLOSED"}));
    deliver("c0", 3);
    EXPECT_TRUE(peer_.told().empty());
    // The same tag, another consumer.
    peer_.consuming(1, 900, "c0");
    deliver("c0", 4);
    EXPECT_EQ(peer_.told(), (Lines{"1 delivery #901 tag=4 x/k 'm'"}));
}

// rule 79: until cancel-ok
TEST_F(ChannelContentTest, DeliversUntilTheCancelIsAnswered) {
    peer_.consuming(1, 10, "c");
    EXPECT_EQ(peer_.cancel(1, 5, "c"), Status::ok);
    EXPECT_EQ(peer_.consume(1, 6, "c"), Status::unsupported);  // still in use
    deliver("c", 1);
    peer_.send(1, wire::basic::CancelOk{{"c"}});
    EXPECT_EQ(peer_.told(),
              (Lines{"1 delivery #11 tag=1 x/k 'm'", "1 cancelled #11", "1 done #5 c"}));
    EXPECT_EQ(peer_.consume(1, 6, "c"), Status::ok);
}

// rule 48; and both sides at once
TEST_F(ChannelContentTest, IsCancelledFromBothSidesOnce) {
    peer_.consuming(1, 10, "c");
    EXPECT_EQ(peer_.cancel(1, 5, "c"), Status::ok);
    peer_.send(1, wire::basic::Cancel{{"c"}, true});
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11: HAIGHA_ERR_CLOSED"}));
    peer_.send(1, wire::basic::CancelOk{{"c"}});
    EXPECT_EQ(peer_.told(), (Lines{"1 done #5 c"}));
    peer_.send(1, wire::basic::Cancel{{"c"}, true});
    EXPECT_TRUE(peer_.told().empty());
    EXPECT_EQ(peer_.machine.channel_count(), 1U);
}

// rules 16, 46: consume timed out, then answered after all: undone, and nothing is lost meanwhile
TEST_F(ChannelContentTest, UndoesAConsumeThatIsAnsweredTooLate) {
    EXPECT_EQ(peer_.consume(1, 10, "c", peer_.now + seconds(1)), Status::ok);
    (void)peer_.output();
    peer_.expire_at(peer_.now + seconds(1));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #10: HAIGHA_ERR_TIMEOUT", "1 silently cancelled #11"}));
    deliver("c", 1);
    peer_.send(1, wire::basic::ConsumeOk{{"c"}});
    deliver("c", 2);
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.reject delivery_tag=1 requeue=1",
                                         "1 basic.cancel consumer_tag=\"c\" no_wait=0",
                                         "1 basic.reject delivery_tag=2 requeue=1"}));
    peer_.send(1, wire::basic::CancelOk{{"c"}});
    EXPECT_TRUE(peer_.told().empty());
    EXPECT_EQ(peer_.consume(1, 20, "c"), Status::ok);
}

// A reject of what needs no ack would close the channel.
TEST_F(ChannelContentTest, RejectsNothingOfAConsumerWithoutAcks) {
    EXPECT_EQ(peer_.consume(1, 10, "c", peer_.now + seconds(1), true), Status::ok);
    (void)peer_.output();
    peer_.expire_at(peer_.now + seconds(1));
    deliver("c", 1);
    EXPECT_TRUE(peer_.output().empty());
    peer_.send(1, wire::basic::ConsumeOk{{"c"}});
    EXPECT_EQ(peer_.output(), (Lines{"1 basic.cancel"}));
    deliver("c", 2);
    EXPECT_TRUE(peer_.output().empty());
}

TEST_F(ChannelContentTest, ForgetsAConsumerWhoseConsumeWasNeverWritten) {
    EXPECT_EQ(peer_.declare(1, 4), Status::ok);
    EXPECT_EQ(peer_.consume(1, 10, "c", peer_.now + seconds(1)), Status::ok);
    peer_.expire_at(peer_.now + seconds(1));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #10: HAIGHA_ERR_TIMEOUT", "1 silently cancelled #11"}));
    EXPECT_EQ(peer_.consume(1, 20, "c"), Status::ok);
    peer_.declare_ok(1, "q");
    EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare", "1 basic.consume"}));
}

TEST_F(ChannelContentTest, DeliversNothingOnceTheChannelIsToClose) {
    peer_.consuming(1, 10, "c");
    EXPECT_EQ(peer_.close_channel(1, 5), Status::ok);
    deliver("c", 1);
    deliver("nobody", 2);
    EXPECT_TRUE(peer_.told().empty());
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close"}));
}

// ---- get

TEST_F(ChannelContentTest, GetsAMessageOrNone) {
    EXPECT_EQ(peer_.get(1, 4), Status::ok);
    wire::basic::GetOk ok{};
    ok.delivery_tag = 6;
    peer_.feed(content(1, ok, std::string(5000, 'g')));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #4 tag=6 '" + std::string(5000, 'g') + "'"}));
    EXPECT_EQ(peer_.get(1, 5), Status::ok);
    peer_.send(1, wire::basic::GetEmpty{});
    EXPECT_EQ(peer_.told(), (Lines{"1 done #5"}));
}

TEST_F(ChannelContentTest, GivesALateMessageBackUnlessItNeedsNoAck) {
    for (const bool no_ack : {false, true}) {
        EXPECT_EQ(peer_.get(1, 4, peer_.now + seconds(1), no_ack), Status::ok);
        (void)peer_.output();
        peer_.expire_at(peer_.now + seconds(1));
        EXPECT_EQ(peer_.told(), (Lines{"1 done #4: HAIGHA_ERR_TIMEOUT"}));
        wire::basic::GetOk ok{};
        ok.delivery_tag = 6;
        peer_.feed(content(1, ok, "late"));
        EXPECT_EQ(peer_.output(), no_ack ? Lines{} : Lines{"1 basic.reject"});
        EXPECT_TRUE(peer_.told().empty());
    }
}

// The call ends while its message is arriving.
TEST_F(ChannelContentTest, SurvivesATimeoutInTheMiddleOfAGet) {
    EXPECT_EQ(peer_.get(1, 4, peer_.now + seconds(1)), Status::ok);
    (void)peer_.output();
    peer_.feed(
        joined(method_frame(1, wire::basic::GetOk{}), header_frame(1, 4), body_frame(1, "ab")));
    peer_.expire_at(peer_.now + seconds(1));
    EXPECT_EQ(peer_.close_channel(1, 5), Status::ok);
    peer_.feed(body_frame(1, "cd"));
    EXPECT_EQ(peer_.output(), (Lines{"1 channel.close"}));
    peer_.send(1, wire::channel::CloseOk{});
    EXPECT_EQ(peer_.told(), (Lines{"1 done #4: HAIGHA_ERR_TIMEOUT", "1 closed", "1 done #5"}));
}

// ---- returns and confirms

// rule 66: one ordered path
TEST_F(ChannelContentTest, TellsReturnsBeforeTheirConfirms) {
    peer_.confirming(1);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(peer_.publish(1), Status::ok);
    EXPECT_EQ(peer_.sequence, 3U);
    wire::basic::Return returned{};
    returned.reply_code = 312;
    returned.reply_text = {"NO_ROUTE"};
    peer_.feed(joined(content(1, returned, "m"), method_frame(1, wire::basic::Ack{2, false}),
                      method_frame(1, wire::basic::Nack{1, false, false}),
                      method_frame(1, wire::basic::Ack{3, true})));
    EXPECT_EQ(peer_.told(), (Lines{"1 returned 'm': HAIGHA_OK 312", "1 outcomes 2=confirmed",
                                   "1 outcomes 1=nacked", "1 outcomes 3=confirmed"}));
}

// rule 64: harmless
TEST_F(ChannelContentTest, IgnoresConfirmsOfWhatWasNotPublished) {
    peer_.send(1, wire::basic::Ack{1, false});
    peer_.confirming(1);
    peer_.send(1, wire::basic::Ack{7, true});
    peer_.send(1, wire::basic::Nack{0, false, false});
    EXPECT_TRUE(peer_.told().empty());
    EXPECT_EQ(peer_.machine.channel_count(), 1U);
}

// rule 69: not a publish before select-ok
TEST_F(ChannelContentTest, HoldsPublishesUntilConfirmsAreOn) {
    EXPECT_EQ(peer_.select(1, 4), Status::ok);
    EXPECT_EQ(peer_.publish(1), Status::ok);
    EXPECT_EQ(peer_.sequence, 1U);
    EXPECT_EQ(peer_.output(), (Lines{"1 confirm.select"}));
    peer_.send(1, wire::confirm::SelectOk{});
    EXPECT_EQ(peer_.output(), (Lines{"1 basic.publish", "1 header 1", "1 body 1"}));
}

// Publishes were numbered on its account: it is said although nobody waits for the answer.
TEST_F(ChannelContentTest, SaysAConfirmSelectThatTimedOutInTheQueue) {
    EXPECT_EQ(peer_.declare(1, 3), Status::ok);
    EXPECT_EQ(peer_.select(1, 4, peer_.now + seconds(1)), Status::ok);
    EXPECT_EQ(peer_.publish(1), Status::ok);
    (void)peer_.output();
    peer_.expire_at(peer_.now + seconds(1));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #4: HAIGHA_ERR_TIMEOUT"}));
    peer_.declare_ok(1, "q");
    peer_.send(1, wire::confirm::SelectOk{});
    EXPECT_EQ(peer_.output(),
              (Lines{"1 confirm.select", "1 basic.publish", "1 header 1", "1 body 1"}));
}

// ---- limits

class SmallMessagesTest : public ChannelContentTest {
  protected:
    static ConnectionParameters small() {
        ConnectionParameters parameters;
        parameters.max_message_size = 100;
        return parameters;
    }
    SmallMessagesTest() : ChannelContentTest(small()) {}
};

// rule 109: the channel closes, the error names the option, the rest of the message is ignored
TEST_F(SmallMessagesTest, ClosesTheChannelOverTheLargestMessage) {
    peer_.consuming(1, 10, "c");
    deliver("c", 1, std::string(100, 'b'));
    EXPECT_EQ(peer_.told().size(), 1U);
    deliver("c", 2, std::string(101, 'b'));
    EXPECT_EQ(peer_.told(),
              (Lines{"1 cancelled #11: HAIGHA_ERR_PROTOCOL", "1 closed: HAIGHA_ERR_PROTOCOL"}));
    EXPECT_NE(peer_.errors.back()->message.find("max_message_size"), std::string::npos);
    const Lines said = peer_.output(true);
    ASSERT_EQ(said.size(), 1U);
    EXPECT_TRUE(said[0].starts_with("1 channel.close reply_code=311"));
    deliver("c", 3);
    peer_.send(1, wire::channel::CloseOk{});
    EXPECT_TRUE(peer_.told().empty());
    EXPECT_EQ(peer_.machine.channel_count(), 0U);
}

TEST_F(SmallMessagesTest, RefusesTheLargestSizeThereIs) {
    peer_.consuming(1, 10, "c");
    peer_.feed(joined(method_frame(1, deliver_method("c", 1)), header_frame(1, UINT64_MAX)));
    EXPECT_EQ(peer_.told().back(), "1 closed: HAIGHA_ERR_PROTOCOL");
}

// rule 108: the connection ends, for the frames can no longer be trusted
TEST_F(ChannelContentTest, EndsTheConnectionOverFramesOutOfPlace) {
    const std::pair<test::Octets, int> rows[] = {
        {header_frame(1, 5), 505},
        {body_frame(1, "x"), 505},
        {joined(method_frame(1, deliver_method("c", 1)), body_frame(1, "x")), 505},
        {joined(method_frame(1, deliver_method("c", 1)), header_frame(1, 2), body_frame(1, "abc")),
         501},
        {joined(method_frame(1, deliver_method("c", 1)), header_frame(1, 0), body_frame(1, "")),
         505},
        {joined(method_frame(1, deliver_method("c", 1)), header_frame(1, 2), header_frame(1, 2)),
         505},
        {joined(method_frame(1, deliver_method("c", 1)), method_frame(1, wire::basic::Ack{})), 505},
        {joined(method_frame(1, deliver_method("c", 1)), header_frame(1, 2, 50)), 501},
        {joined(method_frame(1, wire::connection::Blocked{})), 503},
        {test::raw_frame(1, 1, test::octets("003c 003c 05")), 502},
        {test::raw_frame(1, 1, test::octets("0999 0001")), 503},
        {method_frame(9, wire::basic::Ack{}), 504},
        {header_frame(9, 1), 504},
        {body_frame(9, ""), 504},
    };
    for (const auto& [bytes, code] : rows) {
        MachinePeer peer;
        peer.handshake(tune_method(0, 4096, 0));
        ASSERT_EQ(peer.open_channel(), 1);
        test::Octets all = bytes;
        // An undecodable delivery shows once its content is there.
        if (code == 502) all = joined(all, header_frame(1, 0));
        peer.feed(all);
        EXPECT_EQ(peer.told(),
                  (Lines{"1 closed: HAIGHA_ERR_PROTOCOL", "closed: HAIGHA_ERR_PROTOCOL"}))
            << code;
        const Lines said = peer.output(true);
        ASSERT_EQ(said.size(), 1U) << code;
        EXPECT_TRUE(said[0].starts_with("0 connection.close reply_code=" + std::to_string(code)))
            << said[0];
    }
}

}  // namespace
}  // namespace haigha::protocol
