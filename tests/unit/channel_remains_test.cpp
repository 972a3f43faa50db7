// Tests of what is left of channels, and of how they go on with it.
#include <gtest/gtest.h>

#include <algorithm>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::content;
using test::deliver_method;
using test::Lines;
using test::MachinePeer;
using test::token;

ConnectionParameters keeping() {
    ConnectionParameters parameters = test::without_heartbeats();
    parameters.keeps_channels = true;
    return parameters;
}

TEST(ChannelRemains, AreLeftByAnEndThatNobodyHasAskedFor) {
    MachinePeer peer(keeping());
    peer.handshake();
    const std::uint16_t one = peer.open_channel();
    const std::uint16_t opening = peer.ask_channel();
    peer.confirming(one);
    peer.consuming(one, 10, "running");
    peer.consuming(one, 20, "paused");
    peer.consuming(one, 30, "cancelled");
    ASSERT_EQ(peer.cancel(one, 22, "paused", CallKind::pause), Status::ok);
    peer.send(one, wire::basic::CancelOk{{"paused"}});
    ASSERT_EQ(peer.publish(one), Status::ok);
    peer.feed(content(one, deliver_method("running", 1), "m"));
    peer.feed(content(one, deliver_method("running", 2), "m"));
    ASSERT_EQ(peer.cancel(one, 32, "cancelled"), Status::ok);
    ASSERT_EQ(peer.consume(one, 40, "starting"), Status::ok);
    (void)peer.output();
    (void)peer.told();
    peer.transport_fails();
    // Calls and publishes end; so do the consumers that were not running, and the channel that was
    // not open.
    Lines told = peer.told();
    ASSERT_EQ(told.size(), 8U);
    std::sort(told.begin() + 3, told.begin() + 5);  // a table's order is any
    EXPECT_EQ(told, (Lines{"1 outcomes 1=unknown", "1 done #32: HAIGHA_ERR_IO",
                           "1 done #40: HAIGHA_ERR_IO", "1 cancelled #31: HAIGHA_ERR_IO",
                           "1 silently cancelled #41: HAIGHA_ERR_IO", "1 lost: HAIGHA_ERR_IO",
                           "2 closed: HAIGHA_ERR_IO", "closed: HAIGHA_ERR_IO"}));
    EXPECT_EQ(opening, 2);
    const std::vector<ChannelRemains> remains = peer.machine.take_remains();
    ASSERT_EQ(remains.size(), 1U);
    EXPECT_EQ(remains[0].number, 1);
    EXPECT_EQ(remains[0].owner, token(101));
    EXPECT_EQ(remains[0].bases.deliveries, 2U);
    EXPECT_EQ(remains[0].bases.publishes, 1U);
    ASSERT_EQ(remains[0].consumers.size(), 2U);
    for (const ConsumerRemains& consumer : remains[0].consumers) {
        EXPECT_EQ(consumer.paused, consumer.tag == "paused");
        EXPECT_EQ(consumer.token, token(consumer.paused ? 21 : 11));
    }
    EXPECT_TRUE(peer.machine.take_remains().empty());
}

TEST(ChannelRemains, AreNotLeftByACloseOrUnlessAsked) {
    MachinePeer closed(keeping());
    closed.handshake();
    closed.open_channel();
    closed.machine.close(200, "bye");
    closed.transport_fails();
    EXPECT_TRUE(closed.machine.take_remains().empty());
    MachinePeer plain(test::without_heartbeats());
    plain.handshake();
    plain.open_channel();
    plain.transport_fails();
    EXPECT_EQ(plain.told().front(), "1 closed: HAIGHA_ERR_IO");
    EXPECT_TRUE(plain.machine.take_remains().empty());
}

// rules 49, 50: numbers go on where they were.
TEST(ChannelRemains, AChannelGoesOnBehindItsNumbers) {
    MachinePeer peer(keeping());
    peer.handshake();
    std::uint16_t number = 0;
    ASSERT_EQ(peer.machine.open_channel(token(7), Call(), &number, {10, 100}, 5), Status::ok);
    ASSERT_EQ(number, 5);
    peer.send(5, wire::channel::OpenOk{});
    Call select;
    select.kind = CallKind::confirm_select;
    select.barrier = true;
    select.reply = wire::confirm::SelectOk::id;
    ASSERT_EQ(peer.machine.call({5, token(7)}, std::move(select), wire::confirm::Select{}),
              Status::ok);
    peer.send(5, wire::confirm::SelectOk{});
    // Handed over: from now on it is another's.
    peer.machine.give_channel({5, token(7)}, token(8));
    const ChannelId id{5, token(8)};

    wire::basic::Consume consume{};
    consume.queue = {"q"};
    consume.consumer_tag = {"t"};
    ConsumerRemains consumer;
    consumer.tag = "t";
    consumer.token = token(9);
    consumer.consume_frame = test::method_frame(1, consume);
    Call call;
    call.token = token(3);
    ASSERT_EQ(peer.machine.restore_consumer(id, consumer, std::move(call)), Status::ok);
    (void)peer.told();
    EXPECT_EQ(peer.output().back(), "5 basic.consume");
    peer.send(5, wire::basic::ConsumeOk{{"t"}});
    peer.feed(content(5, deliver_method("t", 1), "m"));
    EXPECT_EQ(peer.told(), (Lines{"5 done #3 t", "5 delivery #9 tag=11 x/k 'm'"}));

    wire::basic::Ack ack{};
    for (const std::uint64_t tag : {1, 10}) {
        ack.delivery_tag = tag;
        EXPECT_EQ(peer.machine.settle(id, ack), Status::stale) << tag;
    }
    ack.delivery_tag = 12;
    EXPECT_EQ(peer.machine.settle(id, ack), Status::argument);
    EXPECT_TRUE(peer.output().empty());
    ack.delivery_tag = 11;
    EXPECT_EQ(peer.machine.settle(id, ack), Status::ok);
    EXPECT_EQ(peer.output(true), (Lines{"5 basic.ack delivery_tag=1 multiple=0"}));

    PublishRequest request;
    std::uint64_t sequence = 0;
    ASSERT_EQ(peer.machine.publish(id, request, &sequence), Status::ok);
    EXPECT_EQ(sequence, 101U);
    wire::basic::Ack confirm{};
    confirm.delivery_tag = 1;
    peer.send(5, confirm);
    EXPECT_EQ(peer.told(), (Lines{"5 outcomes 101=confirmed"}));
}

// rule 62
TEST(ChannelRemains, AreLeftWhenTheBrokerClosesAChannelThatIsToBeKept) {
    MachinePeer peer(test::without_heartbeats());
    peer.handshake();
    const std::uint16_t kept = peer.open_channel();
    const std::uint16_t other = peer.open_channel();
    peer.consuming(kept, 10, "t");
    peer.machine.keep_when_closed(peer.id(kept), true);
    peer.send(kept, test::channel_close(406, "timed out"));
    peer.send(other, test::channel_close(406, "timed out"));
    EXPECT_EQ(peer.told(), (Lines{"1 lost: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406",
                                  "2 closed: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 406"}));
    EXPECT_EQ(peer.output(), (Lines{"1 channel.close-ok", "2 channel.close-ok"}));
    ASSERT_EQ(peer.machine.take_remains().size(), 1U);
    // Its number is free at once.
    std::uint16_t number = 0;
    EXPECT_EQ(peer.machine.open_channel(token(7), Call(), &number, {}, kept), Status::ok);
    EXPECT_EQ(number, kept);
}

}  // namespace
}  // namespace haigha::protocol
