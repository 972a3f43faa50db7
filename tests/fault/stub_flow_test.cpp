// A peer that is slow, silent, blocked or gone: flow control, heartbeats, deadlines.
#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "support/stub_fixture.h"

namespace haigha::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using StubFlow = StubTest;

// What a busy machine may add to a deadline.
constexpr milliseconds slack{2000};

// Rule 3.
TEST_F(StubFlow, AcksFlowWhileTheBrokerBlocks) {
    EventLog states;
    const haigha_then events = states.then();
    const ConnectionHandle connection = connect({}, &events);
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EventLog log;
    consume(channel.get(), "q", log.then());
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", "x"));
    log.wait_count(HAIGHA_EVENT_DELIVERY, 3);
    script("block low on memory");
    EXPECT_EQ(states.wait_for(HAIGHA_EVENT_BLOCKED).reply_text, "low on memory");
    EXPECT_EQ(info(connection.get(), "blocked"), 1);
    EXPECT_EQ(HAIGHA_ERR_WOULD_BLOCK, publish(channel.get(), "q", "x"));
    for (const std::uint64_t tag : {1, 2, 3}) {
        EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), tag, 0, error_)) << error_;
        EXPECT_TRUE(saw("basic.ack", tag));  // before the next, or they would be one
    }
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "another")) << error_;
    EXPECT_EQ(broker_->count("basic.publish"), 3U);
    script("unblock");
    states.wait_for(HAIGHA_EVENT_UNBLOCKED);
    states.wait_for(HAIGHA_EVENT_WRITABLE);
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", "x"));
    EXPECT_TRUE(saw("basic.publish", 4));
}

TEST_F(StubFlow, ChannelFlowHoldsPublishes) {
    const ConnectionHandle connection = connect();
    EventLog log;
    const haigha_then events = log.then();
    const ChannelHandle channel = open_channel(connection.get(), &events);
    script("flow 1 off");
    EXPECT_EQ(log.wait_for(HAIGHA_EVENT_FLOW).state, 0);
    ASSERT_TRUE(saw("channel.flow-ok"));
    EXPECT_EQ(HAIGHA_ERR_WOULD_BLOCK, publish(channel.get(), "q", "x"));
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    script("flow 1 on");
    log.wait_for(HAIGHA_EVENT_WRITABLE);
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", "x"));
    EXPECT_TRUE(saw("basic.publish"));
}

// Rules 1, 4 and 76: the broker has what was taken, and nothing that was refused.
TEST_F(StubFlow, ASlowReaderMakesPublishRefuse) {
    StubOptions small;
    small.socket_buffer = 4096;
    start(small);
    const ConnectionHandle connection = connect({{"outbox_high_water_bytes", 64 * 1024}});
    EventLog log;
    const haigha_then events = log.then();
    const ChannelHandle channel = open_channel(connection.get(), &events);
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    script("stop-reading");
    const std::string body(4096, 'x');
    std::size_t taken = 0;
    // The kernel takes some megabytes at most, so this ends; each call returns at once.
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("q");
    for (;;) {
        const Clock::time_point before = Clock::now();
        const haigha_status status =
            haigha_publish_wait(channel.get(), &args, str(body), 500, nullptr, error_);
        EXPECT_LT(Clock::now() - before, milliseconds(500) + slack);
        if (status != HAIGHA_OK) {
            EXPECT_EQ(status, HAIGHA_ERR_TIMEOUT) << error_;
            break;
        }
        ++taken;
        ASSERT_LT(taken, 100'000U);
    }
    const std::size_t writable = log.count(HAIGHA_EVENT_WRITABLE);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(HAIGHA_ERR_WOULD_BLOCK, publish(channel.get(), "q", body));
    // It may have sunk since it was refused, but not to the low-water mark.
    EXPECT_GT(info(connection.get(), "outbox_bytes"), 32 * 1024);
    EXPECT_LT(info(connection.get(), "outbox_bytes"), 128 * 1024);
    script("resume");
    log.wait_count(HAIGHA_EVENT_WRITABLE, writable + 1);
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "q", body));
    EXPECT_EQ(HAIGHA_OK, haigha_connection_flush_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EXPECT_EQ(broker_->queue_size("q"), taken + 1);
    // One for all the refusals.
    EXPECT_EQ(log.count(HAIGHA_EVENT_WRITABLE), writable + 1);
    EXPECT_EQ(info(connection.get(), "outbox_bytes"), 0);
}

// A publish_wait that waits for room hears of its channel's end and not only of its own deadline.
TEST_F(StubFlow, AWaitForRoomEndsWithItsChannel) {
    EventLog states;
    const haigha_then events = states.then();
    const ConnectionHandle connection = connect({}, &events);
    const ChannelHandle channel = open_channel(connection.get());
    script("block no disk space");
    states.wait_count(HAIGHA_EVENT_BLOCKED, 1);
    std::thread waiter([&] {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str("q");
        Err error;
        const auto before = Clock::now();
        EXPECT_EQ(HAIGHA_ERR_CLOSED,
                  haigha_publish_wait(channel.get(), &args, str("x"), 60'000, nullptr, error));
        EXPECT_NE(error.message().find("enough of you"), std::string::npos) << error;
        EXPECT_LT(Clock::now() - before, milliseconds(30'000));
    });
    // Also when the channel ends first, the answer is the same.
    script("close-channel 1 406 enough of you");
    waiter.join();
}

// Rule 14.
TEST_F(StubFlow, CloseEndsInItsDeadline) {
    const ConnectionHandle connection = connect();
    script("on connection.close no-reply");
    const Clock::time_point before = Clock::now();
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, haigha_connection_close_wait(connection.get(), 300, error_));
    EXPECT_GE(Clock::now() - before, milliseconds(299));
    EXPECT_LT(Clock::now() - before, milliseconds(300) + slack);
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_CLOSED);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), 300, error_)) << error_;
    EXPECT_TRUE(saw("disconnect"));
}

TEST_F(StubFlow, CloseEndsInItsDeadlineWhenNothingCanBeWritten) {
    StubOptions small;
    small.socket_buffer = 4096;
    start(small);
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    script("stop-reading");
    const std::string body(64 * 1024, 'x');
    for (int i = 0; i < 200; ++i)
        (void)publish(channel.get(), "q", body);
    const Clock::time_point before = Clock::now();
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, haigha_connection_close_wait(connection.get(), 200, error_));
    EXPECT_LT(Clock::now() - before, milliseconds(200) + slack);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(channel.get(), "q", "x"));
    script("resume");
    EXPECT_TRUE(saw("disconnect"));
}

// Rule 7: a consumer that only receives is heard every half interval.
TEST_F(StubFlow, HeartbeatsWhileOnlyReceiving) {
    StubOptions quick;
    quick.heartbeat = 1;
    start(quick);
    const ConnectionHandle connection = connect({{"heartbeat", 1}});
    EXPECT_EQ(info(connection.get(), "heartbeat"), 1);
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EventLog log;
    consume(channel.get(), "q", log.then(), true);
    const ConnectionHandle publisher = connect({{"heartbeat", 0}});
    const ChannelHandle feed = open_channel(publisher.get());
    const auto before = Clock::now();
    while (!broker_->wait_for_method("heartbeat", 4, milliseconds(50)) &&
           Clock::now() - before < patience) {
        ASSERT_EQ(HAIGHA_OK, publish(feed.get(), "q", "tick"));
    }
    const auto took = Clock::now() - before;
    EXPECT_GE(took, milliseconds(1000));
    EXPECT_LT(took, milliseconds(2500) + slack);
    for (const StubReceived& one : broker_->received()) {
        EXPECT_TRUE(one.method != "heartbeat" || one.connection == 1);
    }
    EXPECT_GE(log.count(HAIGHA_EVENT_DELIVERY), 5U);
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_OPEN);
}

// The connecting deadline covers every step, and says which one it was.
TEST_F(StubFlow, AStalledHandshakeNamesItsStage) {
    for (const auto& [step, stage] : {std::pair("accept", "handshake"),
                                      {"start", "handshake"},
                                      {"tune", "handshake"},
                                      {"open", "open"}}) {
        script(std::string("stall ") + step);
        const ConnectionHandle connection =
            new_connection(loop_.get(), options({{"connection_timeout", 200}}).get());
        const Clock::time_point before = Clock::now();
        EXPECT_EQ(HAIGHA_ERR_TIMEOUT, haigha_connection_open_wait(connection.get(), -1, error_));
        EXPECT_LT(Clock::now() - before, milliseconds(200) + slack);
        EXPECT_EQ(error_.stage(), stage) << step << ": " << error_;
    }
    script("stall none");
    connect();
}

TEST_F(StubFlow, AnotherProtocolIsRecognised) {
    for (const char* banner : {R"(HTTP/1.1 400 Bad Request\r\n)", R"(SSH-2.0-stub\r\n)",
                               R"(AMQP\x00\x01\x00\x00)", R"(\x15\x03\x01\x00\x02\x02\x46)"}) {
        script(std::string("banner ") + banner);
        const ConnectionHandle connection = new_connection(loop_.get(), options().get());
        EXPECT_EQ(HAIGHA_ERR_PROTOCOL, haigha_connection_open_wait(connection.get(), -1, error_))
            << banner << error_;
    }
}

TEST_F(StubFlow, ARefusedLoginAndAnUnknownVirtualHost) {
    const std::string address = "@127.0.0.1:" + std::to_string(broker_->port());
    ConnectionHandle connection =
        new_connection(loop_.get(), options_from("amqp://guest:wrong" + address, {}).get());
    EXPECT_EQ(HAIGHA_ERR_AUTH, haigha_connection_open_wait(connection.get(), -1, error_));
    EXPECT_EQ(error_.code(), 403);
    connection =
        new_connection(loop_.get(), options_from("amqp://guest:guest" + address + "/no", {}).get());
    EXPECT_EQ(HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER,
              haigha_connection_open_wait(connection.get(), -1, error_));
    EXPECT_EQ(error_.code(), 530);
    EXPECT_EQ(error_.stage(), "open");
}

TEST_F(StubFlow, AResetOrAnEndIsSaid) {
    for (const char* how : {"reset", "half-close"}) {
        EventLog log;
        const haigha_then events = log.then();
        const ConnectionHandle connection = connect({}, &events);
        const ChannelHandle channel = open_channel(connection.get());
        script(std::string("on queue.declare#1 ") + how);
        EXPECT_EQ(HAIGHA_ERR_IO, declare(channel.get(), "q")) << error_;
        EXPECT_EQ(log.state(HAIGHA_STATE_CLOSED).status, HAIGHA_ERR_IO);
        script("clear");
    }
}

TEST_F(StubFlow, EverythingByteByByte) {
    const ConnectionHandle connection = connect();
    script("one-byte");
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EventLog log;
    consume(channel.get(), "q", log.then(), true);
    const std::string body(300, 'x');
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", body));
    log.wait_count(HAIGHA_EVENT_DELIVERY, 3);
    for (const Recorded& event : log.events())
        EXPECT_EQ(event.body, body);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

// The broker holds deliveries back while 16 MiB wait for a client, and goes on however the socket
// takes what is there.
TEST_F(StubFlow, MoreThanItHoldsBackIsDelivered) {
    constexpr std::size_t messages = 1200;
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    const std::string body(16 * 1024, 'x');
    for (std::size_t i = 0; i < messages; ++i) {
        while (publish(channel.get(), "q", body) == HAIGHA_ERR_WOULD_BLOCK)
            ASSERT_EQ(HAIGHA_OK, haigha_connection_flush_wait(connection.get(), -1, error_));
    }
    EventLog log;
    consume(channel.get(), "q", log.then(), true);
    log.wait_count(HAIGHA_EVENT_DELIVERY, messages);
}

}  // namespace
}  // namespace haigha::test
