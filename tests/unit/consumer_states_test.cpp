// Tests of what may become of a consumer through the machine: settled, drained, paused, resumed.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"
#include "wire/field_table.h"

namespace haigha::protocol {
namespace {

using test::content;
using test::deliver_method;
using test::joined;
using test::Lines;
using test::MachinePeer;
using test::method_frame;
using test::Octets;
using test::token;
using test::tune_method;

class ConsumerStatesTest : public testing::Test {
  protected:
    void SetUp() override {
        peer_.handshake(tune_method(0, 0, 0));
        ASSERT_EQ(peer_.open_channel(), 1);
        peer_.consuming(1, 10, "c");
    }
    void deliver(std::uint64_t tag, std::string_view consumer = "c") {
        peer_.feed(content(1, deliver_method(consumer, tag), "m"));
    }
    void cancel_ok(std::string_view tag = "c") { peer_.send(1, wire::basic::CancelOk{{tag}}); }
    void consume_ok(std::string_view tag = "c") { peer_.send(1, wire::basic::ConsumeOk{{tag}}); }
    Status drain(std::uintptr_t subject, Instant deadline = Instant::never()) {
        return peer_.cancel(1, subject, "c", CallKind::drain, deadline);
    }
    Status pause(std::uintptr_t subject, Instant deadline = Instant::never()) {
        return peer_.cancel(1, subject, "c", CallKind::pause, deadline);
    }
    template <class Method>
    Status call(CallKind kind, std::uintptr_t subject, const Method& method, wire::MethodId reply) {
        Call call;
        call.kind = kind;
        call.token = token(subject);
        call.reply = reply;
        return peer_.machine.call(peer_.id(1), std::move(call), method);
    }

    MachinePeer peer_{test::without_heartbeats()};
};

// ---- settling

TEST_F(ConsumerStatesTest, RefusesToSettleWhatIsNotOpen) {
    deliver(1);
    EXPECT_EQ(peer_.ack(1, 2), Status::argument);
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    EXPECT_EQ(peer_.ack(1, 1), Status::argument);
    EXPECT_EQ(peer_.ack(1, 0, true), Status::ok);  // all there are: none, and nothing to say
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.ack delivery_tag=1 multiple=0"}));
}

TEST_F(ConsumerStatesTest, NamesTheLastOpenDeliveryForAll) {
    deliver(1);
    deliver(2);
    deliver(3);
    EXPECT_EQ(peer_.ack(1, 3), Status::ok);
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.ack delivery_tag=3 multiple=0"}));
    EXPECT_EQ(peer_.ack(1, 0, true), Status::ok);
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.ack delivery_tag=2 multiple=1"}));
}

// As long as they have not left, and everything before them is settled.
TEST_F(ConsumerStatesTest, SaysAcksThatFollowOneAnotherTogether) {
    for (std::uint64_t tag = 1; tag <= 20; ++tag)
        deliver(tag);
    for (const std::uint64_t tag : {1U, 2U, 3U})
        EXPECT_EQ(peer_.ack(1, tag), Status::ok);
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.ack delivery_tag=3 multiple=1"}));
    // In another order: alone while one before them is open.
    for (const std::uint64_t tag : {6U, 5U, 4U, 7U})
        EXPECT_EQ(peer_.ack(1, tag), Status::ok);
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.ack delivery_tag=6 multiple=0",
                                         "1 basic.ack delivery_tag=7 multiple=1"}));
    // What was refused is not acknowledged with them, and whatever is said between is not
    // overtaken.
    EXPECT_EQ(peer_.ack(1, 8), Status::ok);
    EXPECT_EQ(peer_.machine.settle(peer_.id(1), wire::basic::Nack{9, false, true}), Status::ok);
    EXPECT_EQ(peer_.ack(1, 10), Status::ok);
    EXPECT_EQ(peer_.publish(1), Status::ok);
    EXPECT_EQ(peer_.ack(1, 11), Status::ok);
    Lines said = peer_.output(true);
    std::erase_if(said,
                  [](const std::string& line) { return line.find("basic.") == std::string::npos; });
    ASSERT_EQ(said.size(), 5U);
    EXPECT_EQ(said[0], "1 basic.ack delivery_tag=8 multiple=0");
    EXPECT_EQ(said[2], "1 basic.ack delivery_tag=10 multiple=0");
    EXPECT_EQ(said[4], "1 basic.ack delivery_tag=11 multiple=0");
    // What is on its way to the operating system is not touched any more.
    EXPECT_EQ(peer_.ack(1, 12), Status::ok);
    std::array<Outbox::Segment, 4> segments;
    ASSERT_EQ(peer_.machine.outbox().gather(segments, 1000), 1U);
    const Octets before(segments[0].data, segments[0].data + segments[0].size);
    EXPECT_EQ(peer_.ack(1, 13), Status::ok);
    EXPECT_EQ(Octets(segments[0].data, segments[0].data + segments[0].size), before);
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.ack delivery_tag=12 multiple=0",
                                         "1 basic.ack delivery_tag=13 multiple=0"}));
}

// A call that waits for its turn is not in the outbox, and yet comes before the acks after it.
TEST_F(ConsumerStatesTest, AnAckDoesNotJoinTheOneBeforeACallThatWaits) {
    deliver(1);
    deliver(2);
    const auto flow = [this](std::uintptr_t subject) {
        return call(CallKind::plain, subject, wire::channel::Flow{true}, wire::channel::FlowOk::id);
    };
    EXPECT_EQ(flow(20), Status::ok);
    EXPECT_EQ(peer_.output(true), (Lines{"1 channel.flow active=1"}));
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    EXPECT_EQ(flow(21), Status::ok);
    EXPECT_EQ(peer_.ack(1, 2), Status::ok);
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.ack delivery_tag=1 multiple=0"}));
    peer_.send(1, wire::channel::FlowOk{true});
    EXPECT_EQ(peer_.output(true),
              (Lines{"1 channel.flow active=1", "1 basic.ack delivery_tag=2 multiple=0"}));
}

TEST_F(ConsumerStatesTest, DoesNotMixTheAcksOfTwoChannels) {
    ASSERT_EQ(peer_.open_channel(), 2);
    peer_.consuming(2, 11, "d");
    for (std::uint64_t tag = 1; tag <= 4; ++tag) {
        deliver(tag);
        peer_.feed(content(2, deliver_method("d", tag), "m"));
    }
    for (const std::uint64_t tag : {1U, 2U}) {
        EXPECT_EQ(peer_.ack(1, tag), Status::ok);
        EXPECT_EQ(peer_.ack(2, tag), Status::ok);
    }
    EXPECT_EQ(peer_.ack(2, 3), Status::ok);
    EXPECT_EQ(
        peer_.output(true),
        (Lines{"1 basic.ack delivery_tag=1 multiple=0", "2 basic.ack delivery_tag=1 multiple=0",
               "1 basic.ack delivery_tag=2 multiple=0", "2 basic.ack delivery_tag=3 multiple=1"}));
    // In the same memory as the one before, of the other channel.
    EXPECT_EQ(peer_.ack(1, 3), Status::ok);
    EXPECT_EQ(peer_.output(true), (Lines{"1 basic.ack delivery_tag=3 multiple=0"}));
    EXPECT_EQ(peer_.ack(2, 4), Status::ok);
    EXPECT_EQ(peer_.ack(1, 4), Status::ok);
    EXPECT_EQ(peer_.output(true), (Lines{"2 basic.ack delivery_tag=4 multiple=0",
                                         "1 basic.ack delivery_tag=4 multiple=0"}));
}

// What is delivered before recover-ok is given back to the queue as well.
TEST_F(ConsumerStatesTest, RecoverTakesBackWhatComesBeforeItsAnswer) {
    deliver(1);
    EXPECT_EQ(call(CallKind::recover, 20, wire::basic::Recover{true}, wire::basic::RecoverOk::id),
              Status::ok);
    EXPECT_EQ(peer_.ack(1, 1), Status::argument);
    deliver(2);
    EXPECT_EQ(peer_.ack(1, 2), Status::argument);
    peer_.send(1, wire::basic::RecoverOk{});
    EXPECT_EQ(peer_.ack(1, 2), Status::argument);
    deliver(3);
    EXPECT_EQ(peer_.ack(1, 3), Status::ok);
}

// A rollback opens them again: the broker alone knows.
TEST_F(ConsumerStatesTest, ChecksNothingInTransactions) {
    deliver(1);
    EXPECT_EQ(call(CallKind::tx_select, 20, wire::tx::Select{}, wire::tx::SelectOk::id),
              Status::ok);
    peer_.send(1, wire::tx::SelectOk{});
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    EXPECT_EQ(drain(30), Status::unsupported);
}

// ---- draining

// rules 79, 80: what comes before cancel-ok is told, and counts
TEST_F(ConsumerStatesTest, DrainsUntilAllIsSettledAndSent) {
    deliver(1);
    EXPECT_EQ(drain(20), Status::ok);
    EXPECT_EQ(peer_.output(), (Lines{"1 basic.cancel"}));
    deliver(2);
    deliver(3);
    cancel_ok();
    EXPECT_EQ(peer_.told(), (Lines{"1 delivery #11 tag=1 x/k 'm'", "1 delivery #11 tag=2 x/k 'm'",
                                   "1 delivery #11 tag=3 x/k 'm'", "1 cancelled #11"}));
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    (void)peer_.output();
    EXPECT_TRUE(peer_.told().empty());
    EXPECT_EQ(peer_.ack(1, 3, true), Status::ok);
    EXPECT_TRUE(peer_.told().empty());  // not before the ack has left
    EXPECT_EQ(peer_.output(), (Lines{"1 basic.ack"}));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #20"}));
}

TEST_F(ConsumerStatesTest, DrainsWithNothingOpen) {
    EXPECT_EQ(drain(20), Status::ok);
    (void)peer_.output();
    cancel_ok();
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11", "1 done #20"}));
}

TEST_F(ConsumerStatesTest, AnAckBehindACallHoldsTheDrain) {
    deliver(1);
    EXPECT_EQ(drain(20), Status::ok);
    (void)peer_.output();
    (void)peer_.told();
    EXPECT_EQ(peer_.declare(1, 30), Status::ok);  // waits for cancel-ok
    EXPECT_EQ(peer_.declare(1, 31), Status::ok);
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    cancel_ok();
    EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare"}));
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11"}));
    peer_.declare_ok(1, "");
    EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare", "1 basic.ack"}));
    EXPECT_EQ(peer_.told(), (Lines{"1 done #30", "1 done #20"}));
}

// rule 80: within its deadline, with the number that is left
TEST_F(ConsumerStatesTest, ADrainEndsAtItsDeadline) {
    const Instant due = peer_.now + seconds(1);
    deliver(1);
    deliver(2);
    (void)peer_.told();
    EXPECT_EQ(drain(20, due), Status::ok);
    (void)peer_.output();
    cancel_ok();
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    EXPECT_EQ(peer_.machine.deadline(), due);
    peer_.expire_at(due);
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11", "1 done #20 count=1"}));
    EXPECT_EQ(peer_.machine.deadline(), Instant::never());
    EXPECT_EQ(peer_.ack(1, 2), Status::ok);  // still the caller's
}

TEST_F(ConsumerStatesTest, ADrainWithoutAnAnswerToTheCancelTimesOut) {
    const Instant due = peer_.now + seconds(1);
    EXPECT_EQ(drain(20, due), Status::ok);
    peer_.expire_at(due);
    EXPECT_EQ(peer_.told(), (Lines{"1 done #20: HAIGHA_ERR_TIMEOUT"}));
    cancel_ok();
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11"}));
}

TEST_F(ConsumerStatesTest, CountsTheDeliveriesOfItsOwnConsumer) {
    peer_.consuming(1, 12, "d");
    deliver(1, "c");
    deliver(2, "d");
    EXPECT_EQ(drain(20), Status::ok);
    (void)peer_.output();
    cancel_ok();
    (void)peer_.told();
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    (void)peer_.output();
    EXPECT_EQ(peer_.told(), (Lines{"1 done #20"}));
}

TEST_F(ConsumerStatesTest, TheEndOfTheChannelEndsADrain) {
    deliver(1);
    EXPECT_EQ(drain(20), Status::ok);
    (void)peer_.output();
    cancel_ok();
    (void)peer_.told();
    peer_.transport_fails();
    EXPECT_EQ(peer_.told(), (Lines{"1 done #20: HAIGHA_ERR_IO", "1 closed: HAIGHA_ERR_IO",
                                   "closed: HAIGHA_ERR_IO"}));
}

TEST_F(ConsumerStatesTest, RecoverEndsADrain) {
    deliver(1);
    EXPECT_EQ(drain(20), Status::ok);
    (void)peer_.output();
    cancel_ok();
    (void)peer_.told();
    EXPECT_EQ(call(CallKind::recover, 21, wire::basic::Recover{true}, wire::basic::RecoverOk::id),
              Status::ok);
    (void)peer_.output();
    EXPECT_EQ(peer_.told(), (Lines{"1 done #20"}));
}

// ---- pausing

// rule 81
TEST_F(ConsumerStatesTest, PausesAndGoesOn) {
    EXPECT_EQ(pause(20), Status::ok);
    EXPECT_EQ(peer_.output(), (Lines{"1 basic.cancel"}));
    deliver(1);
    cancel_ok();
    EXPECT_EQ(peer_.told(), (Lines{"1 delivery #11 tag=1 x/k 'm'", "1 done #20 c"}));
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);  // its deliveries stay open
    (void)peer_.output();
    EXPECT_EQ(peer_.resume(1, 21, "c"), Status::ok);
    EXPECT_EQ(peer_.output(), (Lines{"1 basic.consume"}));
    consume_ok();
    deliver(2);
    EXPECT_EQ(peer_.told(), (Lines{"1 done #21 c", "1 delivery #11 tag=2 x/k 'm'"}));
}

TEST_F(ConsumerStatesTest, ResumesWithItsFirstArguments) {
    wire::FieldTable arguments;
    ASSERT_EQ(arguments.add_int("x-priority", 7), wire::FieldError::none);
    wire::basic::Consume method{};
    method.queue = {"q"};
    method.consumer_tag = {"d"};
    method.exclusive = true;
    method.arguments = {arguments.contents()};
    Call consume;
    consume.kind = CallKind::consume;
    consume.token = token(30);
    consume.consumer = token(31);
    consume.name = "d";
    consume.reply = wire::basic::ConsumeOk::id;
    ASSERT_EQ(peer_.machine.call(peer_.id(1), std::move(consume), method), Status::ok);
    const Lines first = peer_.output(true);
    consume_ok("d");
    ASSERT_EQ(peer_.cancel(1, 40, "d", CallKind::pause), Status::ok);
    (void)peer_.output();
    cancel_ok("d");
    ASSERT_EQ(peer_.resume(1, 41, "d"), Status::ok);
    EXPECT_EQ(peer_.output(true), first);
}

// A stream would begin again where it was first told to.
TEST_F(ConsumerStatesTest, ResumesAStreamBehindItsLastDelivery) {
    wire::FieldTable arguments;
    ASSERT_EQ(arguments.add_string("x-stream-offset", "first"), wire::FieldError::none);
    ASSERT_EQ(arguments.add_int("x-priority", 7), wire::FieldError::none);
    wire::basic::Consume method{};
    method.queue = {"q"};
    method.consumer_tag = {"d"};
    method.arguments = {arguments.contents()};
    Call consume;
    consume.kind = CallKind::consume;
    consume.token = token(30);
    consume.consumer = token(31);
    consume.name = "d";
    consume.reply = wire::basic::ConsumeOk::id;
    ASSERT_EQ(peer_.machine.call(peer_.id(1), std::move(consume), method), Status::ok);
    consume_ok("d");
    (void)peer_.output();
    for (std::uint64_t tag = 1; tag <= 3; ++tag) {
        wire::FieldTable headers;
        wire::Field offset;
        offset.name = "x-stream-offset";
        offset.tag = 'l';
        offset.integer = 5'000'000'000 + static_cast<std::int64_t>(tag);
        ASSERT_EQ(headers.add(offset), wire::FieldError::none);
        wire::Properties properties;
        properties.present = wire::property_headers;
        properties.headers = {headers.contents()};
        const auto size = static_cast<std::uint32_t>(wire::properties_size(properties));
        Octets header(wire::content_header_frame_size(size));
        std::byte* at = wire::write_content_header(header.data(), 1, 60, 0, size);
        at = wire::write_properties(properties, at);
        *at = wire::frame_end;
        peer_.feed(joined(method_frame(1, deliver_method("d", tag)), header));
    }
    ASSERT_EQ(peer_.cancel(1, 40, "d", CallKind::pause), Status::ok);
    (void)peer_.output();
    cancel_ok("d");
    ASSERT_EQ(peer_.resume(1, 41, "d"), Status::ok);
    EXPECT_EQ(peer_.output(true),
              (Lines{"1 basic.consume queue=\"q\" consumer_tag=\"d\" no_local=0 no_ack=0 "
                     "exclusive=0 no_wait=0 arguments={x-priority=7, "
                     "x-stream-offset=5000000004}"}));
}

TEST_F(ConsumerStatesTest, RefusesWhatTheStateDoesNotAllow) {
    EXPECT_EQ(peer_.resume(1, 20, "c"), Status::unsupported);
    EXPECT_EQ(peer_.resume(1, 20, "nobody"), Status::unsupported);
    EXPECT_EQ(peer_.cancel(1, 20, "nobody", CallKind::pause), Status::unsupported);
    EXPECT_EQ(peer_.cancel(1, 20, "nobody", CallKind::drain), Status::unsupported);
    EXPECT_EQ(pause(20), Status::ok);
    EXPECT_EQ(pause(21), Status::unsupported);
    EXPECT_EQ(peer_.resume(1, 21, "c"), Status::unsupported);  // not before it has stopped
    cancel_ok();
    EXPECT_EQ(pause(21), Status::unsupported);
    EXPECT_EQ(peer_.consume(1, 21, "c"), Status::unsupported);  // the tag is still taken
    EXPECT_EQ(peer_.resume(1, 21, "c"), Status::ok);
    EXPECT_EQ(pause(22), Status::unsupported);
    consume_ok();
    EXPECT_EQ(pause(22), Status::ok);
}

TEST_F(ConsumerStatesTest, APausedConsumerCanBeCancelled) {
    EXPECT_EQ(pause(20), Status::ok);
    cancel_ok();
    (void)peer_.told();
    EXPECT_EQ(peer_.cancel(1, 21, "c"), Status::ok);
    cancel_ok();  // brokers answer for a tag that they do not know
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11", "1 done #21 c"}));
}

TEST_F(ConsumerStatesTest, APausedConsumerEndsWithItsChannel) {
    EXPECT_EQ(pause(20), Status::ok);
    cancel_ok();
    (void)peer_.told();
    peer_.send(1, test::channel_close(404, "gone"));
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 404",
                                   "1 closed: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 404"}));
}

// rule 16: a late answer still counts
TEST_F(ConsumerStatesTest, LateAnswersLeaveTheTruth) {
    const Instant due = peer_.now + seconds(1);
    EXPECT_EQ(pause(20, due), Status::ok);
    (void)peer_.output();
    peer_.expire_at(due);
    EXPECT_EQ(peer_.told(), (Lines{"1 done #20: HAIGHA_ERR_TIMEOUT"}));
    cancel_ok();
    const Instant later = peer_.now + seconds(1);
    EXPECT_EQ(peer_.resume(1, 21, "c", later), Status::ok);
    (void)peer_.output();
    peer_.expire_at(later);
    EXPECT_EQ(peer_.told(), (Lines{"1 done #21: HAIGHA_ERR_TIMEOUT"}));
    consume_ok();
    deliver(1);
    EXPECT_EQ(peer_.told(), (Lines{"1 delivery #11 tag=1 x/k 'm'"}));
    EXPECT_EQ(pause(22), Status::ok);
}

// rule 17: what was not written has not happened
TEST_F(ConsumerStatesTest, APauseThatWasNotWrittenChangesNothing) {
    const Instant due = peer_.now + seconds(1);
    EXPECT_EQ(peer_.declare(1, 30), Status::ok);
    EXPECT_EQ(pause(20, due), Status::ok);
    peer_.expire_at(due);
    peer_.declare_ok(1, "");
    EXPECT_EQ(peer_.output(), (Lines{"1 queue.declare"}));
    EXPECT_EQ(pause(21), Status::ok);
    cancel_ok();
    const Instant later = peer_.now + seconds(1);
    EXPECT_EQ(peer_.declare(1, 31), Status::ok);
    EXPECT_EQ(peer_.resume(1, 22, "c", later), Status::ok);
    peer_.expire_at(later);
    peer_.declare_ok(1, "");
    EXPECT_EQ(peer_.resume(1, 23, "c"), Status::ok);
}

TEST_F(ConsumerStatesTest, TheBrokerMayCancelAConsumerThatIsBeingPaused) {
    EXPECT_EQ(pause(20), Status::ok);
    peer_.send(1, wire::basic::Cancel{{"c"}, true});
    cancel_ok();
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11: HAIGHA_ERR_CLOSED", "1 done #20 c"}));
    EXPECT_EQ(peer_.resume(1, 21, "c"), Status::unsupported);
}

// ---- the broker cancels

// rule 48
TEST_F(ConsumerStatesTest, OneThatTheBrokerCancelsMayConsumeAgain) {
    const auto cancelled = [&] { peer_.send(1, wire::basic::Cancel{{"c"}, true}); };
    peer_.machine.keep_when_cancelled(peer_.id(1), true);
    deliver(1);
    cancelled();
    EXPECT_EQ(peer_.told(),
              (Lines{"1 delivery #11 tag=1 x/k 'm'", "1 lost #11: HAIGHA_ERR_CLOSED"}));
    EXPECT_EQ(peer_.resubscribe(1, 20, "c"), Status::ok);
    EXPECT_EQ(peer_.output(), (Lines{"1 basic.consume"}));
    consume_ok();
    deliver(2);
    EXPECT_EQ(peer_.told(), (Lines{"1 done #20 c", "1 delivery #11 tag=2 x/k 'm'"}));
    EXPECT_EQ(peer_.ack(1, 1), Status::ok);
    EXPECT_EQ(peer_.resubscribe(1, 21, "c"), Status::argument);  // it runs
    (void)peer_.output();
    // Once the program has cancelled it that is the end of it.
    EXPECT_EQ(peer_.cancel(1, 22, "c", CallKind::cancel), Status::ok);
    EXPECT_EQ(peer_.output(), (Lines{"1 basic.cancel"}));
    cancelled();
    EXPECT_EQ(peer_.told(), (Lines{"1 cancelled #11: HAIGHA_ERR_CLOSED"}));
    EXPECT_EQ(peer_.resubscribe(1, 23, "c"), Status::argument);
    cancel_ok();
    EXPECT_EQ(peer_.told(), (Lines{"1 done #22 c"}));
}

// It has to come back with its channel.
TEST_F(ConsumerStatesTest, OneThatTheBrokerCancelsIsAmongTheRemains) {
    peer_.machine.keep_when_cancelled(peer_.id(1), true);
    peer_.machine.keep_when_closed(peer_.id(1), true);
    peer_.send(1, wire::basic::Cancel{{"c"}, true});
    EXPECT_EQ(peer_.resubscribe(1, 20, "c"), Status::ok);
    wire::channel::Close close{};
    close.reply_code = 404;
    peer_.send(1, close);
    const std::vector<ChannelRemains> remains = peer_.machine.take_remains();
    ASSERT_EQ(remains.size(), 1U);
    ASSERT_EQ(remains[0].consumers.size(), 1U);
    EXPECT_EQ(remains[0].consumers[0].tag, "c");
    EXPECT_FALSE(remains[0].consumers[0].paused);
}

// ---- deliveries that are held

class HeldDeliveries : public testing::Test {
  protected:
    void SetUp() override {
        peer_.handshake(tune_method(0, 0, 0));
        ASSERT_EQ(peer_.open_channel(), 1);
        peer_.consuming(1, 10, "c");
    }
    void deliver(std::uint64_t tag) { peer_.feed(content(1, deliver_method("c", tag), "m")); }
    // An eighth of the limit.
    Lines passes() {
        peer_.expire_at(peer_.now + seconds(1));
        return peer_.told();
    }

    static ConnectionParameters warning_after_8_s() {
        ConnectionParameters parameters = test::without_heartbeats();
        parameters.delivery_warning = seconds(8);
        return parameters;
    }
    MachinePeer peer_{warning_after_8_s()};
};

TEST_F(HeldDeliveries, AreToldOnceAfterTheLimit) {
    (void)passes();
    deliver(1);
    deliver(2);
    deliver(3);
    (void)peer_.told();
    EXPECT_EQ(peer_.ack(1, 2), Status::ok);
    for (int i = 0; i < 8; ++i)
        EXPECT_EQ(passes(), Lines{}) << i;
    EXPECT_EQ(passes(), (Lines{"1 held 1 of 2 c"}));
    deliver(4);
    (void)peer_.told();
    for (int i = 0; i < 8; ++i)
        EXPECT_EQ(passes(), Lines{}) << i;
    EXPECT_EQ(passes(), (Lines{"1 held 4 of 1 c"}));
    EXPECT_EQ(passes(), Lines{});
}

TEST_F(HeldDeliveries, AreNotToldWhenTheyAreSettledInTime) {
    for (std::uint64_t tag = 1; tag <= 30; ++tag) {
        deliver(tag);
        EXPECT_EQ(peer_.told().size(), 1U);
        if (tag > 7) {
            EXPECT_EQ(peer_.ack(1, tag - 7), Status::ok);
        }
        EXPECT_EQ(passes(), Lines{}) << tag;
    }
}

}  // namespace
}  // namespace haigha::protocol
