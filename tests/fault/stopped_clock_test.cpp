// haigha/testing.h: what the library does by itself, in a time that only the test moves.
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <haigha/testing.h>
#include <uv.h>

#include <atomic>
#include <string>
#include <thread>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

class StoppedClock : public RecoveryTest {
  protected:
    void SetUp() override {
        start({});
        ASSERT_EQ(HAIGHA_OK, haigha_loop_stop_clock(loop_.get(), error_)) << error_;
    }
    void advance(std::int64_t milliseconds) {
        ASSERT_EQ(HAIGHA_OK, haigha_loop_advance_wait(loop_.get(), milliseconds, -1, error_))
            << error_;
    }
};

TEST_F(StoppedClock, ACallTimesOutWhenItsTimeHasCome) {
    const ConnectionHandle connection = connect({{"rpc_timeout_ms", 5000}, {"heartbeat", 0}});
    const ChannelHandle channel = open_channel(connection.get());
    script("on queue.declare no-reply");
    EventLog log;
    declare_soon(channel.get(), "q", log.then(1));
    ASSERT_TRUE(saw("queue.declare"));
    advance(4999);
    EXPECT_EQ(log.size(), 0U);
    EXPECT_EQ(haigha_loop_advanced(loop_.get()), 4999);
    advance(1);
    EXPECT_EQ(log.reply(1).status, HAIGHA_ERR_TIMEOUT);
}

TEST_F(StoppedClock, OpeningTimesOutWhenItsTimeHasCome) {
    script("stall start");
    const ConnectionHandle connection =
        new_connection(loop_.get(), options({{"connection_timeout", 3'600'000}}).get());
    EventLog log;
    const haigha_then then = log.then(1);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open(connection.get(), &then, error_)) << error_;
    ASSERT_TRUE(saw("protocol-header"));
    advance(3'599'999);
    EXPECT_EQ(log.size(), 0U);
    advance(1);
    EXPECT_EQ(log.reply(1).status, HAIGHA_ERR_TIMEOUT);
}

// An hour of heartbeats in no time; and the peer, who stays silent, is given up after two
// intervals.
TEST_F(StoppedClock, HeartbeatsAreSentAndMissed) {
    StubOptions slow;
    slow.heartbeat = 3600;
    start(slow);
    EventLog states;
    const haigha_then events = states.then();
    const ConnectionHandle connection = connect({{"heartbeat", 3600}}, &events);
    advance(3'600'000);
    EXPECT_TRUE(saw("heartbeat"));
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_OPEN);
    advance(2 * 3'600'000);
    const Recorded ended = states.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(ended.status, HAIGHA_ERR_HEARTBEAT) << ended.error;
}

TEST_F(StoppedClock, BackOffWaitsForIt) {
    std::atomic<std::int64_t> delay{-1};
    EventLog events([&](const haigha_event& event) {
        if (event.type == HAIGHA_EVENT_RECOVERY && event.state == HAIGHA_RECOVERY_ATTEMPT) {
            delay = event.delay_ms;
        }
    });
    const haigha_then then = events.then();
    constexpr std::int64_t hour = 3'600'000;
    const ConnectionHandle connection = recovering(
        &then, {{"recovery_delay_ms", hour}, {"recovery_max_delay_ms", hour}, {"heartbeat", 0}});
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    lose();
    step(events, HAIGHA_RECOVERY_ATTEMPT);
    EXPECT_LE(delay, hour);
    advance(delay);
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_RECOVERING);
    EXPECT_EQ(broker_->count("connect"), 1U);
    // It is told in whole milliseconds.
    advance(1);
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(broker_->count("connect"), 2U);
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EXPECT_EQ(haigha_loop_advanced(loop_.get()), delay + 1);
}

// The peer is real: what he has no time for in between has taken all of it.
TEST_F(StoppedClock, WhatIsUnderWayGrowsOldInAJump) {
    const ConnectionHandle connection = connect({{"rpc_timeout_ms", 5000}, {"heartbeat", 0}});
    const ChannelHandle channel = open_channel(connection.get());
    script("on queue.declare#1 hold");
    EventLog log;
    declare_soon(channel.get(), "q", log.then(1));
    ASSERT_TRUE(saw("queue.declare"));
    advance(4000);
    script("go");
    EXPECT_EQ(log.reply(1).status, HAIGHA_OK);
    advance(4000);
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
}

TEST_F(StoppedClock, TheAsynchronousFormIsToldOnTheLoop) {
    EventLog log;
    const haigha_then first = log.then(1);
    const haigha_then second = log.then(2);
    ASSERT_EQ(HAIGHA_OK, haigha_loop_advance(loop_.get(), 10, &first, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_loop_advance(loop_.get(), 10, &second, error_)) << error_;
    EXPECT_EQ(log.reply(1).status, HAIGHA_OK);
    EXPECT_NE(log.reply(2).thread, std::this_thread::get_id());
    EXPECT_EQ(haigha_loop_advanced(loop_.get()), 20);
    EXPECT_TRUE(log.wait_released(2));
}

TEST_F(StoppedClock, RefusesWhatCannotBe) {
    EXPECT_EQ(HAIGHA_OK, haigha_loop_stop_clock(loop_.get(), error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_loop_advance_wait(loop_.get(), -1, -1, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_loop_advance_wait(loop_.get(), 1, -2, error_));
    const std::int64_t too_far = (std::int64_t{1} << 40) + 1;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_loop_advance(loop_.get(), too_far, nullptr, error_));
    const LoopHandle real = start_loop();
    EXPECT_EQ(haigha_loop_advanced(real.get()), -1);
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_loop_advance(real.get(), 1, nullptr, error_));
    EXPECT_NE(error_.message().find("haigha_loop_stop_clock"), std::string::npos) << error_;
    const ConnectionHandle connection = new_connection(real.get(), options().get());
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_loop_stop_clock(real.get(), error_));
    close_loop(real.get());

    haigha_status inside = HAIGHA_OK;
    EventLog log([&](const haigha_event&) {
        inside = haigha_loop_advance_wait(loop_.get(), 1, -1, nullptr);
    });
    const haigha_then then = log.then(1);
    ASSERT_EQ(HAIGHA_OK, haigha_loop_advance(loop_.get(), 1, &then, error_)) << error_;
    log.reply(1);
    EXPECT_EQ(inside, HAIGHA_ERR_WRONG_THREAD);
    close_loop(loop_.get());
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_loop_advance(loop_.get(), 1, nullptr, error_));
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_loop_advance_wait(loop_.get(), 1, -1, error_));
}

// A loop that the caller runs: its clock goes on while it is run.
TEST_F(StoppedClock, AnAttachedLoopHasOneToo) {
    uv_loop_t uv;
    ASSERT_EQ(0, uv_loop_init(&uv));
    LoopHandle attached;
    ASSERT_EQ(HAIGHA_OK, haigha_loop_attach(&uv, out(attached), error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_loop_stop_clock(attached.get(), error_)) << error_;
    EventLog log;
    const haigha_then then = log.then(1);
    ASSERT_EQ(HAIGHA_OK, haigha_loop_advance(attached.get(), 1000, &then, error_)) << error_;
    while (log.size() == 0)
        uv_run(&uv, UV_RUN_ONCE);
    EXPECT_EQ(haigha_loop_advanced(attached.get()), 1000);
    EXPECT_EQ(log.reply(1).thread, std::this_thread::get_id());
    attached.reset();
    uv_run(&uv, UV_RUN_DEFAULT);
    EXPECT_EQ(0, uv_loop_close(&uv));
}

}  // namespace
}  // namespace haigha::test
