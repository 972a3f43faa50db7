// Tests of ConnectionMachine's flow of output: who is held back, who is told, what goes first.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::Lines;
using test::MachinePeer;
using test::tune_method;

ConnectionParameters small_outbox() {
    ConnectionParameters parameters;
    parameters.outbox_high_water = 10'000;
    parameters.outbox_low_water = 5'000;
    return parameters;
}

// rules 1, 2, 3: only publishes are held back, and the end of it is told once
TEST(Gating, HoldsPublishesWhileTheBrokerIsBlocked) {
    MachinePeer peer;
    peer.handshake();
    const auto channel = peer.open_channel();
    const auto other = peer.open_channel();
    peer.deliveries_open(channel);
    peer.send(0, wire::connection::Blocked{{"low on memory"}});
    EXPECT_EQ(peer.told(), (Lines{"blocked low on memory"}));
    EXPECT_TRUE(peer.machine.blocked());
    EXPECT_EQ(peer.publish(channel), Status::would_block);
    EXPECT_EQ(peer.publish(channel), Status::would_block);
    EXPECT_EQ(peer.ack(channel, 1), Status::ok);
    EXPECT_EQ(peer.declare(channel, 7), Status::ok);
    EXPECT_EQ(peer.close_channel(other, 8), Status::ok);
    EXPECT_EQ(peer.output(), (Lines{"1 basic.ack", "1 queue.declare", "2 channel.close"}));
    peer.send(0, wire::connection::Unblocked{});
    EXPECT_EQ(peer.told(), (Lines{"unblocked", "1 writable", "writable"}));
    EXPECT_EQ(peer.publish(channel), Status::ok);
    peer.send(0, wire::connection::Unblocked{});
    EXPECT_EQ(peer.told(), (Lines{"unblocked"}));
}

// rules 4, 76: not taken means not taken; exactly one writable follows
TEST(Gating, RefusesAboveTheHighWaterMarkUntilBelowTheLowOne) {
    MachinePeer peer(small_outbox());
    peer.handshake();
    const auto channel = peer.open_channel();
    peer.deliveries_open(channel);
    const std::string body(1000, 'b');
    int taken = 0;
    while (peer.publish(channel, body) == Status::ok)
        ++taken;
    EXPECT_EQ(taken, 10);
    const std::size_t before = peer.machine.bytes_waiting();
    EXPECT_EQ(peer.publish(channel, body), Status::would_block);
    EXPECT_EQ(peer.machine.bytes_waiting(), before);
    EXPECT_EQ(peer.ack(channel, 1), Status::ok);
    peer.take(before - 5'500);
    EXPECT_TRUE(peer.told().empty());
    EXPECT_EQ(peer.publish(channel, body), Status::would_block);  // not before the low mark
    peer.take(1'000);
    EXPECT_EQ(peer.told(), (Lines{"1 writable", "writable"}));
    peer.take(4'000);
    EXPECT_TRUE(peer.told().empty());
    EXPECT_EQ(peer.publish(channel, body), Status::ok);
}

// rule 73: by number and by octets; a quarter has to be free before more is taken
TEST(Gating, RefusesBeyondWhatMayBeInFlight) {
    for (const InFlightLimit& limit : {InFlightLimit{8, 0}, InFlightLimit{0, 800}}) {
        MachinePeer peer;
        peer.handshake();
        const auto channel = peer.open_channel();
        const auto other = peer.open_channel();
        peer.machine.limit_in_flight(peer.id(channel), limit);
        peer.confirming(channel);
        const std::string body(100, 'b');
        for (int i = 0; i < 8; ++i)
            ASSERT_EQ(peer.publish(channel, body), Status::ok);
        EXPECT_EQ(peer.publish(channel, body), Status::would_block);
        EXPECT_EQ(peer.publish(other, body), Status::ok);  // it is the channel's own
        peer.send(channel, wire::basic::Ack{3, false});
        EXPECT_EQ(peer.told(), (Lines{"1 outcomes 3=confirmed"}));
        EXPECT_EQ(peer.publish(channel, body), Status::would_block);
        peer.send(channel, wire::basic::Ack{1, false});
        EXPECT_EQ(peer.told(), (Lines{"1 outcomes 1=confirmed"}));
        peer.send(channel, wire::basic::Ack{2, false});
        EXPECT_EQ(peer.told(), (Lines{"1 outcomes 2=confirmed", "1 writable", "writable"}));
        for (int i = 0; i < 3; ++i)
            EXPECT_EQ(peer.publish(channel, body), Status::ok);
        EXPECT_EQ(peer.publish(channel, body), Status::would_block);
        // Whoever is held back by something else is not told.
        peer.send(0, wire::connection::Blocked{{"low"}});
        peer.send(channel, wire::basic::Ack{11, true});
        EXPECT_EQ(peer.told().back().find("writable"), std::string::npos);
        peer.send(0, wire::connection::Unblocked{});
        EXPECT_EQ(peer.told(), (Lines{"unblocked", "1 writable", "writable"}));
    }
}

TEST(Gating, TellsNobodyWhoWasNotRefused) {
    MachinePeer peer(small_outbox());
    peer.handshake();
    const auto channel = peer.open_channel();
    EXPECT_EQ(peer.publish(channel, std::string(20'000, 'b')), Status::ok);
    (void)peer.output();
    EXPECT_TRUE(peer.told().empty());
}

// What makes room may be the end of a channel, without a byte being sent.
TEST(Gating, TellsOfRoomThatTheEndOfAChannelMade) {
    MachinePeer peer(small_outbox());
    peer.handshake();
    const auto channel = peer.open_channel();
    const auto late = peer.ask_channel(peer.now + seconds(1));
    (void)peer.output();
    EXPECT_EQ(peer.publish(late, std::string(20'000, 'b')), Status::ok);  // waits for open-ok
    EXPECT_EQ(peer.publish(channel), Status::would_block);
    EXPECT_TRUE(peer.machine.outbox().empty());
    peer.expire_at(peer.now + seconds(1));
    EXPECT_EQ(peer.told(), (Lines{"2 closed: HAIGHA_ERR_TIMEOUT", "1 writable", "writable"}));
    EXPECT_EQ(peer.machine.bytes_waiting(), 0U);
    EXPECT_EQ(peer.publish(channel), Status::ok);
}

// The refused channel has ended: its name must not be told, but those who wait for room must be.
TEST(Gating, DoesNotTellAChannelThatEnded) {
    MachinePeer peer;
    peer.handshake();
    const auto channel = peer.open_channel();
    peer.send(0, wire::connection::Blocked{});
    EXPECT_EQ(peer.publish(channel), Status::would_block);
    // A protocol error ends it for its owner, while its number is still taken.
    peer.send(channel, wire::queue::PurgeOk{});
    (void)peer.told();
    peer.send(0, wire::connection::Unblocked{});
    EXPECT_EQ(peer.told(), (Lines{"unblocked", "writable"}));
}

// The room that the last octets leave is of no use to anybody.
TEST(Gating, TellsNobodyAfterTheEnd) {
    MachinePeer peer(small_outbox());
    peer.handshake();
    const auto channel = peer.open_channel();
    EXPECT_EQ(peer.publish(channel, std::string(20'000, 'b')), Status::ok);
    EXPECT_EQ(peer.publish(channel), Status::would_block);
    peer.send(0, test::connection_close(320, "CONNECTION_FORCED"));
    EXPECT_EQ(peer.told().back(), "closed: HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER 320");
    EXPECT_EQ(peer.output(), (Lines{"0 connection.close-ok"}));
    EXPECT_TRUE(peer.told().empty());
}

TEST(Gating, HoldsPublishesOfAChannelWhoseFlowIsOff) {
    MachinePeer peer;
    peer.handshake();
    const auto channel = peer.open_channel();
    const auto other = peer.open_channel();
    peer.deliveries_open(channel, 3);
    peer.send(channel, wire::channel::Flow{false});
    EXPECT_EQ(peer.told(), (Lines{"1 flow 0"}));
    EXPECT_EQ(peer.output(true), (Lines{"1 channel.flow-ok active=0"}));
    EXPECT_EQ(peer.publish(channel), Status::would_block);
    EXPECT_EQ(peer.publish(other), Status::ok);
    EXPECT_EQ(peer.ack(channel, 3), Status::ok);
    // The whole connection's gate opens: not for a channel that the broker still holds.
    peer.send(0, wire::connection::Blocked{});
    peer.send(0, wire::connection::Unblocked{});
    EXPECT_EQ(peer.told(), (Lines{"blocked ", "unblocked"}));
    peer.send(channel, wire::channel::Flow{true});
    EXPECT_EQ(peer.told(), (Lines{"1 flow 1", "1 writable", "writable"}));
}

// Calls and settlements have a bound of their own, far above.
TEST(Gating, BoundsCallsTooAndTellsWhenTheyMayGoOn) {
    MachinePeer peer(small_outbox());
    peer.handshake();
    const auto channel = peer.open_channel();
    const std::size_t much = ConnectionMachine::control_slack + 20'000;
    EXPECT_EQ(peer.publish(channel, std::string(much, 'b')), Status::ok);
    EXPECT_EQ(peer.declare(channel, 5), Status::would_block);
    (void)peer.output();
    EXPECT_EQ(peer.told(), (Lines{"1 writable", "writable"}));
    EXPECT_EQ(peer.declare(channel, 5), Status::ok);
}

std::size_t bodies(const Lines& lines, const std::string& channel) {
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(),
        [&](const std::string& line) { return line.starts_with(channel + " body"); }));
}

// rules 84, 85: other channels' frames go between those of a large message, its own channel's wait
TEST(Gating, LetsOtherChannelsPassALargeMessage) {
    MachinePeer peer;
    peer.handshake();
    const auto first = peer.open_channel();
    const auto second = peer.open_channel();
    peer.deliveries_open(first);
    EXPECT_EQ(peer.publish(first, std::string(2'000'000, 'a')), Status::ok);
    EXPECT_EQ(peer.ack(first, 1), Status::ok);
    peer.machine.pump(256 * 1024);
    EXPECT_EQ(peer.publish(second), Status::ok);
    const Lines lines = peer.output();
    const auto small = std::find(lines.begin(), lines.end(), "2 basic.publish");
    ASSERT_NE(small, lines.end());
    EXPECT_LE(small - lines.begin(), 6);  // behind what was there already, a few frames
    EXPECT_EQ(*(small + 1), "2 header 1");
    EXPECT_EQ(*(small + 2), "2 body 1");
    EXPECT_EQ(bodies(lines, "1"), 16U);
    EXPECT_EQ(lines.back(), "1 basic.ack");  // order kept on its channel
}

TEST(Gating, TakesTurnsBetweenLargeMessages) {
    MachinePeer peer;
    peer.handshake();
    const auto first = peer.open_channel();
    const auto second = peer.open_channel();
    EXPECT_EQ(peer.publish(first, std::string(1'000'000, 'a')), Status::ok);
    EXPECT_EQ(peer.publish(second, std::string(1'000'000, 'b')), Status::ok);
    EXPECT_EQ(peer.publish(second, std::string(300'000, 'c')), Status::ok);
    const Lines lines = peer.output();
    EXPECT_EQ(bodies(lines, "1"), 8U);
    EXPECT_EQ(bodies(lines, "2"), 11U);
    // Each message's frames are contiguous on its channel: method, header, bodies.
    for (const char* channel : {"1", "2"}) {
        std::string kinds;
        for (const std::string& line : lines) {
            if (line[0] == *channel) kinds += line[2];
        }
        EXPECT_EQ(kinds, channel[0] == '1'
                             ? "bh" + std::string(8, 'b')
                             : "bh" + std::string(8, 'b') + "bh" + std::string(3, 'b'));
    }
    const auto at = std::find(lines.begin(), lines.end(), "2 basic.publish");
    EXPECT_LE(at - lines.begin(), 3);
}

// Even what the broker asks for waits for the end of a content.
TEST(Gating, AnswersFlowAfterAContentThatWasBegun) {
    MachinePeer peer;
    peer.handshake();
    const auto channel = peer.open_channel();
    EXPECT_EQ(peer.publish(channel, std::string(600'000, 'a')), Status::ok);
    peer.machine.pump(100'000);
    peer.send(channel, wire::channel::Flow{false});
    const Lines lines = peer.output();
    EXPECT_EQ(bodies(lines, "1"), 5U);
    EXPECT_EQ(lines.back(), "1 channel.flow-ok");
}

// rule 83, from the publishing side
TEST(Gating, SplitsBodiesAtTheFrameLimit) {
    MachinePeer peer;
    peer.handshake(tune_method(0, 4096, 0));
    const auto channel = peer.open_channel();
    const std::pair<std::size_t, std::vector<std::size_t>> rows[] = {
        {0, {}}, {1, {1}}, {4088, {4088}}, {4089, {4088, 1}}, {8176, {4088, 4088}}};
    for (const auto& [size, pieces] : rows) {
        EXPECT_EQ(peer.publish(channel, std::string(size, 'a')), Status::ok);
        Lines expected{"1 basic.publish", "1 header " + std::to_string(size)};
        for (const std::size_t piece : pieces)
            expected.push_back("1 body " + std::to_string(piece));
        EXPECT_EQ(peer.output(), expected);
    }
}

// A frame over the limit would end the connection: refused before anything is written.
TEST(Gating, RefusesWhatDoesNotFitAFrame) {
    MachinePeer peer;
    peer.handshake(tune_method(0, 4096, 0));
    const auto channel = peer.open_channel();
    const std::string longer(5000, 'h');
    wire::Properties properties;
    properties.present = wire::property_headers;
    properties.headers = {std::as_bytes(std::span(longer))};
    PublishRequest request;
    request.properties = &properties;
    std::uint64_t sequence = 0;
    EXPECT_EQ(peer.machine.publish(peer.id(channel), request, &sequence), Status::argument);
    wire::queue::Declare declare{};
    declare.arguments = {std::as_bytes(std::span(longer))};
    Call call;
    call.reply = wire::queue::DeclareOk::id;
    EXPECT_EQ(peer.machine.call(peer.id(channel), std::move(call), declare), Status::argument);
    EXPECT_TRUE(peer.output().empty());
}

// ---- heartbeats

TEST(Gating, SendsHeartbeatsWhenNothingElseWasWritten) {
    MachinePeer peer;
    peer.handshake(tune_method(0, 0, 10));
    peer.now = peer.machine.deadline();
    peer.expire_at(peer.now);
    EXPECT_EQ(peer.output(), (Lines{"heartbeat"}));
    EXPECT_GT(peer.machine.deadline(), peer.now);
}

// rules 10, 11: output that does not move brings no more heartbeats, and does not hide a dead peer
TEST(Gating, DoesNotPileUpHeartbeatsAndGivesUpAStalledPeer) {
    MachinePeer peer;
    peer.handshake(tune_method(0, 0, 10));
    const Instant start = peer.now;
    const auto channel = peer.open_channel();
    EXPECT_EQ(peer.publish(channel), Status::ok);
    const std::size_t waiting = peer.machine.bytes_waiting();
    int steps = 0;
    while (peer.machine.state() == ConnectionState::open && steps++ < 10) {
        const Instant due = peer.machine.deadline();
        ASSERT_GT(due, peer.now);  // never a moment that is over: that would spin
        peer.expire_at(due);
        if (peer.machine.state() == ConnectionState::open) {
            EXPECT_EQ(peer.machine.bytes_waiting(), waiting);
        }
    }
    EXPECT_EQ(peer.now - start, seconds(20));
    EXPECT_EQ(peer.closed->status, Status::heartbeat);
    EXPECT_TRUE(peer.machine.outbox().empty());
}

// rule 75
TEST(Gating, DoesNotGiveUpAPeerThatIsNotRead) {
    MachinePeer peer;
    peer.handshake(tune_method(0, 0, 10));
    peer.machine.set_reading(false, peer.now);
    for (int i = 0; i < 10; ++i) {
        ASSERT_GT(peer.machine.deadline(), peer.now);
        peer.expire_at(peer.machine.deadline());
        EXPECT_LE(peer.output().size(), 1U);
    }
    EXPECT_EQ(peer.machine.state(), ConnectionState::open);
    peer.machine.set_reading(true, peer.now);
    for (int i = 0; i < 5; ++i) {
        peer.expire_at(peer.machine.deadline());
        (void)peer.output();
    }
    EXPECT_EQ(peer.machine.state(), ConnectionState::closed);
}

}  // namespace
}  // namespace haigha::protocol
