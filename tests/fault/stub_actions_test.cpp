// Each action that a stub broker's script can have, as the library's user sees it.
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <haigha/rpc.h>

#include <string>
#include <vector>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

class StubActions : public RecoveryTest {
  protected:
    int outcome(haigha_channel* channel, std::string_view body) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str("q");
        ReplyHandle reply;
        EXPECT_EQ(HAIGHA_OK, haigha_publish_wait(channel, &args, str(body), -1, out(reply), error_))
            << error_;
        return haigha_reply_outcome(reply.get());
    }
    // Of a connection without recovery, when the script has made a declare do it harm.
    Recorded end_of_connection(std::string_view action) {
        EventLog states;
        const haigha_then events = states.then();
        const ConnectionHandle connection = connect({}, &events);
        const ChannelHandle channel = open_channel(connection.get());
        script("on queue.declare " + std::string(action));
        EXPECT_NE(HAIGHA_OK, declare(channel.get(), "q"));
        return states.state(HAIGHA_STATE_CLOSED);
    }
};

TEST_F(StubActions, Nack) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get(), nullptr, true);
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    script("on basic.publish#2 channel 1 nack");
    EXPECT_EQ(outcome(channel.get(), "one"), HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(outcome(channel.get(), "two"), HAIGHA_OUTCOME_NACKED);
    EXPECT_EQ(outcome(channel.get(), "three"), HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(broker_->queue_size("q"), 2U);
    EXPECT_EQ(broker_->fired(), std::vector<std::string>{"1 1 basic.publish#2 channel 1 nack"});
}

TEST_F(StubActions, Return) {
    const ConnectionHandle connection = connect();
    EventLog log;
    const ChannelHandle channel = open_channel(connection.get(), confirming(log));
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    script("on basic.publish return 313 NO_CONSUMERS");
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("q");
    args.mandatory = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str("body"), nullptr, error_));
    const Recorded outcome = log.wait_for(HAIGHA_EVENT_OUTCOME);
    EXPECT_EQ(outcome.outcome, HAIGHA_OUTCOME_RETURNED);
    EXPECT_EQ(outcome.reply_code, 313);
    EXPECT_EQ(outcome.reply_text, "NO_CONSUMERS");
    EXPECT_EQ(broker_->queue_size("q"), 0U);
}

TEST_F(StubActions, RefuseLogin) {
    script("on connection.start-ok#1 refuse-login");
    ConnectionHandle connection = new_connection(loop_.get(), options().get());
    EXPECT_EQ(HAIGHA_ERR_AUTH, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
    EXPECT_NE(error_.message().find("ACCESS_REFUSED"), std::string::npos) << error_;
    connection = connect();
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_OPEN);
}

TEST_F(StubActions, CloseChannelAndConnection) {
    const ConnectionHandle connection = connect();
    ChannelHandle channel = open_channel(connection.get());
    script("on queue.declare#1 close-channel 405 RESOURCE_LOCKED - by script");
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, declare(channel.get(), "q"));
    EXPECT_NE(error_.message().find("RESOURCE_LOCKED - by script"), std::string::npos) << error_;
    channel = open_channel(connection.get());
    script("on queue.declare#1 close-connection 320 CONNECTION_FORCED - by script");
    EXPECT_EQ(HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER, declare(channel.get(), "q")) << error_;
}

TEST_F(StubActions, DropResetAndHalfClose) {
    EXPECT_EQ(end_of_connection("drop").status, HAIGHA_ERR_IO);
    script("clear");
    EXPECT_EQ(end_of_connection("reset").status, HAIGHA_ERR_IO);
    script("clear");
    EXPECT_EQ(end_of_connection("half-close").status, HAIGHA_ERR_IO);
}

TEST_F(StubActions, DropIsRecoveredFromWithItsConsumer) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EventLog deliveries;
    consume(channel.get(), "q", deliveries.then(), true);
    script("on basic.publish#1 drop");
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", "lost"));
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", "found"));
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY).body, "found");
}

TEST_F(StubActions, NoReplyAndHold) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    script("on queue.declare#1 hold");
    EventLog log;
    declare_soon(channel.get(), "held", log.then(1));
    ASSERT_TRUE(broker_->wait_for_method("fired", 1, patience));
    EXPECT_EQ(log.size(), 0U);
    script("go");
    EXPECT_EQ(log.reply(1).queue, "held");
    script("clear");
    script("on queue.declare#1 no-reply");
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, declare(channel.get(), "ignored", 50));
    EXPECT_EQ(broker_->count("queue.declare"), 2U);
}

TEST_F(StubActions, BlockAndUnblockBesideTheMethod) {
    EventLog states;
    const haigha_then events = states.then();
    const ConnectionHandle connection = connect({}, &events);
    const ChannelHandle channel = open_channel(connection.get());
    script("on queue.declare#1 block low on memory");
    script("on queue.declare#2 unblock");
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EXPECT_EQ(states.wait_for(HAIGHA_EVENT_BLOCKED).reply_text, "low on memory");
    EXPECT_EQ(HAIGHA_ERR_WOULD_BLOCK, publish(channel.get(), "q", "x"));
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    states.wait_for(HAIGHA_EVENT_UNBLOCKED);
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", "x"));
    EXPECT_TRUE(saw("basic.publish"));
}

TEST_F(StubActions, CancelAConsumer) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EventLog deliveries;
    consume(channel.get(), "q", deliveries.then());
    script("on basic.ack cancel");
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", "x"));
    const Recorded delivery = deliveries.wait_for(HAIGHA_EVENT_DELIVERY);
    EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), delivery.number, 0, error_)) << error_;
    deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
}

TEST_F(StubActions, StopReadingOfOneConnection) {
    const ConnectionHandle slow = connect();
    const ConnectionHandle other = connect();
    const ChannelHandle deaf = open_channel(slow.get());
    const ChannelHandle heard = open_channel(other.get());
    script("on queue.declare#1 connection 1 stop-reading");
    EXPECT_EQ(HAIGHA_OK, declare(deaf.get(), "first")) << error_;
    EventLog log;
    declare_soon(deaf.get(), "second", log.then(1));
    EXPECT_EQ(HAIGHA_OK, declare(heard.get(), "third")) << error_;
    EXPECT_EQ(log.size(), 0U);
    EXPECT_EQ(broker_->count("queue.declare"), 2U);
    script("resume");
    EXPECT_EQ(log.reply(1).queue, "second");
}

TEST_F(StubActions, RawInjectAndOneByte) {
    EventLog states;
    const haigha_then events = states.then();
    const ConnectionHandle connection = connect({}, &events);
    const ChannelHandle channel = open_channel(connection.get());
    // queue.declare-ok for another queue, with three messages and two consumers.
    script("on queue.declare#1 raw 01 0001 00000010 0032 000b 03 'raw' 00000003 00000002 ce");
    std::string name;
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "q", -1, &name)) << error_;
    EXPECT_EQ(name, "raw");
    script("on queue.declare#1 one-byte");
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "byte by byte", -1, &name)) << error_;
    EXPECT_EQ(name, "byte by byte");
    script("clear");
    script("on queue.declare#1 inject 01 0000 00000000 00");
    EXPECT_NE(HAIGHA_OK, declare(channel.get(), "q"));
    EXPECT_EQ(states.state(HAIGHA_STATE_CLOSED).status, HAIGHA_ERR_PROTOCOL);
}

TEST_F(StubActions, TellIsOnlyTold) {
    script("on connect tell");
    script("on basic.publish#2 tell");
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get(), nullptr, true);
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(outcome(channel.get(), "x"), HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(broker_->fired(),
              (std::vector<std::string>{"1 0 connect tell", "1 1 basic.publish#2 tell"}));
    EXPECT_EQ(broker_->queue_size("q"), 3U);
}

TEST_F(StubActions, PutIsDelivered) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    script("put jobs the first");
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY).body, "the first");
    script("put jobs the second");
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY, 1).body, "the second");
}

TEST_F(StubActions, WhatItKeepsIsBounded) {
    StubOptions small;
    small.most_memory = 64 * 1024;
    small.most_body = 32 * 1024;
    start(small);
    EventLog states;
    const haigha_then events = states.then();
    const ConnectionHandle connection = connect({}, &events);
    ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", std::string(32 * 1024 + 1, 'x')));
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, declare(channel.get(), "q"));
    EXPECT_NE(error_.message().find("larger than configured max size"), std::string::npos)
        << error_;
    channel = open_channel(connection.get());
    for (int i = 0; i < 4; ++i)
        (void)publish(channel.get(), "q", std::string(30 * 1024, 'x'));
    const Recorded ended = states.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(ended.reply_code, 506);
    EXPECT_LE(broker_->queue_size("q"), 2U);
}

}  // namespace
}  // namespace haigha::test
