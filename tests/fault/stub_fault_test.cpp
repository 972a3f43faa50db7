// Replies that come late or never, and channels that end: the rules of calls and channel numbers.
#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "support/octets.h"
#include "support/stub_fixture.h"

namespace haigha::test {
namespace {

using StubFault = StubTest;

// Rule 16.
TEST_F(StubFault, LateRepliesNeverCross) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    for (int i = 0; i < 3; ++i) {
        script("on queue.declare#1 hold");
        const std::string next = "next-" + std::to_string(i);
        EXPECT_EQ(HAIGHA_ERR_TIMEOUT, declare(channel.get(), "late", 50));
        // Never written, as the channel still waits.
        EXPECT_EQ(HAIGHA_ERR_TIMEOUT, declare(channel.get(), "abandoned", 20));
        EventLog log;
        declare_soon(channel.get(), next, log.then(1));
        ASSERT_TRUE(saw("queue.declare", 2U * static_cast<std::size_t>(i) + 1));
        script("release");
        script("clear");
        const Recorded reply = log.reply(1);
        EXPECT_EQ(reply.queue, next);
        EXPECT_FALSE(reply.failed) << reply.error;
    }
    std::string name;
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "last", -1, &name)) << error_;
    EXPECT_EQ(name, "last");
    EXPECT_EQ(broker_->count("queue.declare"), 7U);
}

// Rule 17.
TEST_F(StubFault, ManyConcurrentDeclaresAllSucceed) {
    const ConnectionHandle connection = connect({{"rpc_timeout_ms", 20'000}});
    const ChannelHandle channel = open_channel(connection.get());
    EventLog log;
    for (std::uint64_t i = 0; i < 256; ++i)
        declare_soon(channel.get(), "queue-" + std::to_string(i), log.then(i));
    for (std::uint64_t i = 0; i < 256; ++i) {
        const Recorded reply = log.reply(i);
        EXPECT_FALSE(reply.failed) << reply.error;
        EXPECT_EQ(reply.queue, "queue-" + std::to_string(i));
    }
    EXPECT_EQ(broker_->count("queue.declare"), 256U);
}

// Rule 18. The broker records a second synchronous method as a violation.
TEST_F(StubFault, OneSynchronousMethodAtATime) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    script("on queue.declare#1 hold");
    EventLog log;
    declare_soon(channel.get(), "one", log.then(1));
    declare_soon(channel.get(), "two", log.then(2));
    const haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    const haigha_then then = log.then(3);
    ASSERT_EQ(HAIGHA_OK, haigha_qos(channel.get(), &qos, &then, error_)) << error_;
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "two", "after them"));
    // An answer on another channel shows that what could be written has been.
    const ChannelHandle other = open_channel(connection.get());
    EXPECT_EQ(broker_->count("queue.declare"), 1U);
    EXPECT_EQ(broker_->count("basic.qos"), 0U);
    EXPECT_EQ(broker_->count("basic.publish"), 0U);
    script("release");
    for (const std::uint64_t tag : {1, 2, 3})
        EXPECT_FALSE(log.reply(tag).failed);
    EXPECT_TRUE(saw("basic.publish"));
}

TEST_F(StubFault, WhatDoesNotFitAFrameIsRefusedAndSaidSo) {
    const ConnectionHandle connection = connect({{"frame_max", 8192}});
    const ChannelHandle channel = open_channel(connection.get());
    TableHandle table;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(table), error_)) << error_;
    const std::string longer(9000, 'h');
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_string(table.get(), str("h"), str(longer), error_));
    haigha_queue_declare_args args = declare_args("q");
    args.arguments = table.get();
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_queue_declare_wait(channel.get(), &args, -1, nullptr, error_));
    EXPECT_NE(error_.message().find("frame_max is 8192"), std::string::npos) << error_;
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = table.get();
    haigha_publish_args publish_args = HAIGHA_PUBLISH_ARGS_INIT;
    publish_args.properties = &properties;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_publish(channel.get(), &publish_args, str("x"), nullptr, error_));
    EXPECT_NE(error_.message().find("frame_max is 8192"), std::string::npos) << error_;
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
}

// The trace is whole, also when it is set while the connection is at work, and holds no password.
TEST_F(StubFault, TheTraceShowsEveryFrame) {
    std::vector<std::string> lines;
    const auto record = [](const haigha_log_record* one, void* to) {
        if (one->level != HAIGHA_LOG_TRACE) return;
        EXPECT_EQ(view(one->subject), "frame");
        static_cast<std::vector<std::string>*>(to)->emplace_back(view(one->message));
    };
    ASSERT_EQ(HAIGHA_OK,
              haigha_loop_set_log(loop_.get(), HAIGHA_LOG_TRACE, record, &lines, nullptr, error_));
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", "three"));
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    close_loop(loop_.get());  // nothing is logged after it
    std::string text;
    for (const std::string& line : lines)
        text += line + '\n';
    std::size_t at = 0;
    for (const char* const next :
         {"-> protocol header AMQP 0-9-1\n", "<- channel 0 connection.start version_major=0",
          "-> channel 0 connection.start-ok", "response=<hidden>", "<- channel 0 connection.tune ",
          "-> channel 0 connection.tune-ok ", "-> channel 0 connection.open virtual_host=\"/\"",
          "<- channel 0 connection.open-ok", "-> channel 1 channel.open",
          "<- channel 1 channel.open-ok", "-> channel 1 queue.declare queue=\"q\"",
          "<- channel 1 queue.declare-ok queue=\"q\"",
          "-> channel 1 basic.publish exchange=\"\" routing_key=\"q\"",
          "-> channel 1 content header body_size=5", "-> channel 1 body 5 bytes\n",
          "-> channel 0 connection.close ", "<- channel 0 connection.close-ok"}) {
        at = text.find(next, at);
        ASSERT_NE(at, std::string::npos) << next << " is missing in:\n" << text;
    }
    EXPECT_EQ(text.find("guest"), std::string::npos) << text;
}

TEST_F(StubFault, TheEnvironmentTurnsTheLogOn) {
    ::setenv("HAIGHA_LOG", "trace", 1);
    const LoopHandle loop = start_loop();
    ::unsetenv("HAIGHA_LOG");
    testing::internal::CaptureStderr();
    const ConnectionHandle connection = new_connection(loop.get(), options().get());
    EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
    close_loop(loop.get());
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_EQ(text.rfind("haigha: [trace] 1 frame: -> protocol header AMQP 0-9-1\n", 0), 0U)
        << text;
    EXPECT_NE(text.find("-> channel 0 connection.open virtual_host=\"/\""), std::string::npos)
        << text;
}

// What led to a violation is in the log, also when nobody traced.
TEST_F(StubFault, TheLastFramesBeforeAViolationAreLogged) {
    std::vector<std::string> lines;
    const auto record = [](const haigha_log_record* one, void* to) {
        static_cast<std::vector<std::string>*>(to)->push_back(
            std::string(view(one->subject)) + ": " + std::string(view(one->message)));
    };
    ASSERT_EQ(HAIGHA_OK,
              haigha_loop_set_log(loop_.get(), HAIGHA_LOG_ERROR, record, &lines, nullptr, error_));
    EventLog states;
    const haigha_then events = states.then();
    const ConnectionHandle connection = connect({}, &events);
    const ChannelHandle channel = open_channel(connection.get());
    // basic.deliver's header without its method, on an open channel, behind a flow.
    script(
        "inject 01 0001 00000005 0014 0014 01 ce 02 0001 0000000e 003c 0000 0000000000000005 0000 "
        "ce");
    (void)states.state(HAIGHA_STATE_CLOSED);
    close_loop(loop_.get());
    std::string text;
    for (const std::string& line : lines)
        text += line + '\n';
    EXPECT_NE(text.find("last frames: <- channel 1 channel.flow active=1\n"
                        "last frames: <- channel 1 content header body_size=5"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("connection: the broker broke the protocol"), std::string::npos) << text;
}

// Rule 25.
TEST_F(StubFault, AChannelNumberIsTakenUntilCloseOk) {
    const ConnectionHandle connection = connect();
    ChannelHandle first = open_channel(connection.get());
    const std::uint16_t number = haigha_channel_id(first.get());
    script("on channel.close hold");
    EventLog log;
    const haigha_then then = log.then(1);
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close(first.get(), &then, error_)) << error_;
    ASSERT_TRUE(saw("channel.close"));
    std::vector<ChannelHandle> others;
    for (int i = 0; i < 3; ++i) {
        others.push_back(open_channel(connection.get()));
        EXPECT_NE(haigha_channel_id(others.back().get()), number);
    }
    script("clear");
    script("release");
    EXPECT_FALSE(log.reply(1).failed);
    first = open_channel(connection.get());
    EXPECT_EQ(haigha_channel_id(first.get()), number);
}

// A timed-out close keeps the number too.
TEST_F(StubFault, AnUnansweredCloseTimesOut) {
    const ConnectionHandle connection = connect();
    const ChannelHandle first = open_channel(connection.get());
    script("on channel.close no-reply");
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, haigha_channel_close_wait(first.get(), 50, error_));
    const ChannelHandle second = open_channel(connection.get());
    EXPECT_NE(haigha_channel_id(first.get()), haigha_channel_id(second.get()));
    EXPECT_EQ(HAIGHA_OK, declare(second.get(), "alive")) << error_;
}

// Rule 30: what was not yet written is never written.
TEST_F(StubFault, OnlyCloseOkFollowsTheServersClose) {
    StubOptions small;
    small.socket_buffer = 4096;
    start(small);
    const ConnectionHandle connection = connect({{"outbox_high_water_bytes", 64 * 1024 * 1024}});
    EventLog log;
    const haigha_then events = log.then();
    const ChannelHandle channel = open_channel(connection.get(), &events, true);
    const ChannelHandle other = open_channel(connection.get());
    script("stop-reading");
    // More than the buffers of both sockets hold, and less than the high-water mark.
    const std::string body(8192, 'x');
    constexpr std::size_t publishes = 1000;
    for (std::size_t i = 0; i < publishes; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", body)) << i;
    script("close-channel 1 404 NOT_FOUND - as the script says");
    const Recorded closed = log.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(closed.reply_code, 404);
    EXPECT_EQ(closed.status, HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(channel.get(), "q", "late"));
    log.wait_count(HAIGHA_EVENT_OUTCOME, publishes);
    std::size_t unknown = 0;
    for (const Recorded& event : log.events()) {
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        EXPECT_TRUE(event.outcome == HAIGHA_OUTCOME_NOT_SENT ||
                    event.outcome == HAIGHA_OUTCOME_UNKNOWN);
        EXPECT_EQ(event.reply_code, 404);  // why it ended
        unknown += event.outcome == HAIGHA_OUTCOME_UNKNOWN ? 1 : 0;
    }
    script("resume");
    ASSERT_TRUE(saw("channel.close-ok"));
    EXPECT_LT(broker_->count("basic.publish"), publishes);
    EXPECT_GE(unknown + 1, broker_->count("basic.publish"));
    EXPECT_EQ(HAIGHA_OK, declare(other.get(), "alive")) << error_;
    // Nothing came on the number after close-ok, or there were violations; and it can be reused.
    const ChannelHandle again = open_channel(connection.get());
    EXPECT_EQ(haigha_channel_id(again.get()), 1);
    EXPECT_EQ(HAIGHA_OK, declare(again.get(), "alive too")) << error_;
}

// Rule 31.
TEST_F(StubFault, BothSidesCloseAChannelAtOnce) {
    const ConnectionHandle connection = connect();
    EventLog log;
    const haigha_then states = log.then();
    ChannelHandle channel = open_channel(connection.get(), &states);
    const ChannelHandle other = open_channel(connection.get());
    script("on channel.close hold");
    const haigha_then then = log.then(1);
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close(channel.get(), &then, error_)) << error_;
    ASSERT_TRUE(saw("channel.close"));
    script("close-channel 1 406 PRECONDITION_FAILED - at the same time");
    ASSERT_TRUE(saw("channel.close-ok"));
    script("clear");
    script("release");
    EXPECT_FALSE(log.reply(1).failed);
    // The broker's reason counts, although its answer to our close has yet to come.
    EXPECT_EQ(log.state(HAIGHA_STATE_CLOSED).previous_state, HAIGHA_STATE_CLOSING);
    EXPECT_EQ(haigha_channel_state(channel.get()), HAIGHA_STATE_CLOSED);
    // An answer shows that the broker's close-ok has come: the number is free.
    EXPECT_EQ(HAIGHA_OK, declare(other.get(), "alive")) << error_;
    channel = open_channel(connection.get());
    EXPECT_EQ(haigha_channel_id(channel.get()), 1);
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "alive")) << error_;
}

TEST_F(StubFault, BothSidesCloseTheConnectionAtOnce) {
    const ConnectionHandle connection = connect();
    script("on connection.close hold");
    EventLog log;
    const haigha_then then = log.then(1);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close(connection.get(), &then, error_)) << error_;
    ASSERT_TRUE(saw("connection.close"));
    script("close-connection 320 CONNECTION_FORCED - at the same time");
    ASSERT_TRUE(saw("connection.close-ok"));
    script("release");
    EXPECT_FALSE(log.reply(1).failed) << log.reply(1).error;
}

TEST_F(StubFault, AConnectionClosedByTheBrokerSaysWhy) {
    EventLog log;
    const haigha_then events = log.then();
    const ConnectionHandle connection = connect({}, &events);
    const ChannelHandle channel = open_channel(connection.get());
    script("on queue.declare close-connection 541 INTERNAL_ERROR - as the script says");
    EXPECT_EQ(HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER, declare(channel.get(), "q"));
    EXPECT_EQ(error_.code(), 541);
    EXPECT_EQ(log.state(HAIGHA_STATE_CLOSED).reply_code, 541);
    EXPECT_TRUE(saw("connection.close-ok"));
}

TEST_F(StubFault, AQueuesEndCancelsItsConsumers) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const ChannelHandle other = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EventLog log;
    consume(channel.get(), "q", log.then());
    haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    args.queue = str("q");
    EXPECT_EQ(HAIGHA_OK, haigha_queue_delete_wait(other.get(), &args, -1, nullptr, error_));
    const Recorded cancelled = log.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    EXPECT_TRUE(cancelled.failed);
    EXPECT_TRUE(log.wait_released(1));
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "still")) << error_;
}

// Rules 32 and 109: the library ends the channel itself, whose number stays taken until close-ok.
TEST_F(StubFault, AMessageTooLargeEndsItsChannelWithTheReason) {
    const ConnectionHandle connection = connect({{"max_message_size", 10}});
    EventLog log;
    const haigha_then states = log.then();
    const ChannelHandle channel = open_channel(connection.get(), &states);
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    consume(channel.get(), "q", log.then());
    script("on channel.close hold");
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", "eleven bytes"));
    const Recorded ended = log.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(ended.previous_state, HAIGHA_STATE_OPEN);
    EXPECT_TRUE(ended.failed);
    EXPECT_EQ(haigha_channel_state(channel.get()), HAIGHA_STATE_CLOSED);
    const ErrorHandle reason(haigha_channel_last_error(channel.get()));
    ASSERT_NE(reason, nullptr);
    EXPECT_NE(std::string(haigha_error_message(reason.get())).find("max_message_size"),
              std::string::npos);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, declare(channel.get(), "more"));
    EXPECT_NE(error_.message().find("max_message_size"), std::string::npos) << error_;
    script("clear");
    script("release");
}

TEST_F(StubFault, ADeliveryForNobodyIsRejected) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EventLog log;
    consume(channel.get(), "q", log.then());
    // The stub does not know that tag either.
    script("on basic.reject no-reply");
    broker_->inject(
        octets("01 0001 00000017 003c 003c 06 'nobody' 0000000000000063 00 00 01 'q' ce"
               "02 0001 0000000e 003c 0000 0000000000000004 0000 ce"
               "03 0001 00000004 'lost' ce"));
    EXPECT_TRUE(saw("basic.reject"));
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", "found"));
    EXPECT_EQ(log.wait_for(HAIGHA_EVENT_DELIVERY).body, "found");
    EXPECT_EQ(log.count(HAIGHA_EVENT_DELIVERY), 1U);
}

// Rule 84: the broker checks that method, header and bodies stay together.
TEST_F(StubFault, ThreadsShareAChannel) {
    StubOptions small_frames;
    small_frames.frame_max = 8192;
    start(small_frames);
    const ConnectionHandle connection = connect({{"rpc_timeout_ms", 60'000}});
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "shared")) << error_;
    constexpr std::size_t threads = 8;
    constexpr std::size_t rounds = 40;
    const std::string body(20'000, 'b');
    std::vector<std::thread> running;
    for (std::size_t t = 0; t < threads; ++t) {
        running.emplace_back([&, t] {
            for (std::size_t i = 0; i < rounds; ++i) {
                haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
                args.routing_key = str("shared");
                EXPECT_EQ(HAIGHA_OK, haigha_publish_wait(channel.get(), &args, str(body), 60'000,
                                                         nullptr, nullptr));
                if (i % 8 != 0) continue;
                const std::string name = "q" + std::to_string(t);
                const haigha_queue_declare_args declare = declare_args(name);
                ReplyHandle reply;
                EXPECT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel.get(), &declare, -1,
                                                               out(reply), nullptr));
                EXPECT_EQ(view(haigha_reply_queue(reply.get())), name);
            }
        });
    }
    for (std::thread& thread : running)
        thread.join();
    ASSERT_TRUE(saw("basic.publish", threads * rounds));
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "last")) << error_;
    EXPECT_EQ(broker_->queue_size("shared"), threads * rounds);
}

TEST_F(StubFault, AWaitingPublishHearsHowItsChannelEnded) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get(), nullptr, true);
    script("on basic.publish reset");
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("q");
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK,
              haigha_publish_wait(channel.get(), &args, str("x"), -1, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_UNKNOWN);
    const haigha_error* const why = haigha_reply_return_reason(reply.get());
    EXPECT_EQ(haigha_error_status(why), HAIGHA_ERR_IO) << haigha_error_message(why);
}

}  // namespace
}  // namespace haigha::test
