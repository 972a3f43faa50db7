// What is counted of a connection that is lost, blocked and brought back.
#include <gtest/gtest.h>
#include <haigha/statistics.h>

#include <string>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

class RecoveryStatistics : public RecoveryTest {
  protected:
    static haigha_statistics of(const ConnectionHandle& connection) {
        Err error;
        haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
        EXPECT_EQ(HAIGHA_OK, haigha_connection_statistics(connection.get(), &statistics, error))
            << error;
        return statistics;
    }
};

TEST_F(RecoveryStatistics, CountOnOverEveryTransportConnection) {
    EventLog log;
    const haigha_then events = log.then();
    const ConnectionHandle connection = recovering(&events);
    EventLog outcomes;
    const ChannelHandle channel =
        open_channel(connection.get(), confirming(outcomes, HAIGHA_PUBLISH_RESEND));
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EventLog deliveries;
    consume(channel.get(), "q", deliveries.then());
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", "x"));
    outcomes.wait_count(HAIGHA_EVENT_OUTCOME, 1);
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 1);
    const haigha_statistics before = of(connection);
    EXPECT_EQ(before.unsettled, 1U);
    EXPECT_EQ(before.connections_opened, 1U);

    lose();
    step(log, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(HAIGHA_ERR_STALE, haigha_ack(channel.get(), 1, 0, error_));
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", "x"));
    outcomes.wait_count(HAIGHA_EVENT_OUTCOME, 2);
    const haigha_statistics after = of(connection);
    EXPECT_EQ(after.connections_opened, 2U);
    EXPECT_EQ(after.connections_lost, 1U);
    EXPECT_EQ(after.recovery_attempts, 1U);
    EXPECT_EQ(after.recovery_failures, 0U);
    EXPECT_EQ(after.recoveries, 1U);
    EXPECT_GE(after.channels_lost, 1U);
    EXPECT_EQ(after.settled_too_late, 1U);
    EXPECT_EQ(after.published, 2U);
    EXPECT_EQ(after.confirmed, 2U);
    EXPECT_EQ(after.confirm_latency.count, 2U);
    EXPECT_GT(after.bytes_sent, before.bytes_sent);
    EXPECT_GT(after.frames_sent, before.frames_sent);
    EXPECT_GT(after.frames_received, before.frames_received);
    EXPECT_GT(after.round_trip.count, before.round_trip.count);
}

// While there is no connection too.
TEST_F(RecoveryStatistics, WhatAChannelKeepsIsUnconfirmedAndSentOnceMore) {
    EventLog log;
    const haigha_then events = log.then();
    const ConnectionHandle connection = recovering(&events);
    EventLog outcomes;
    const ChannelHandle channel =
        open_channel(connection.get(), confirming(outcomes, HAIGHA_PUBLISH_RESEND));
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    script("on connection.open reset");
    lose();
    log.wait(
        [](const std::vector<Recorded>& told) {
            for (const Recorded& event : told) {
                if (event.type == HAIGHA_EVENT_CONNECTION_STATE &&
                    event.state == HAIGHA_STATE_RECOVERING) {
                    return true;
                }
            }
            return false;
        },
        "the connection to be lost");
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", "x"));
    step(log, HAIGHA_RECOVERY_ATTEMPT, 2);
    haigha_statistics s = of(connection);
    EXPECT_EQ(s.state, HAIGHA_STATE_RECOVERING);
    EXPECT_EQ(s.published, 3U);
    EXPECT_EQ(s.unconfirmed, 3U);
    EXPECT_GE(s.recovery_failures, 2U);
    script("clear");
    step(log, HAIGHA_RECOVERY_RECOVERED);
    outcomes.wait_count(HAIGHA_EVENT_OUTCOME, 3);
    s = of(connection);
    EXPECT_EQ(s.published, 3U);
    EXPECT_EQ(s.republished, 3U);
    EXPECT_EQ(s.confirmed, 3U);
    EXPECT_EQ(s.unconfirmed, 0U);
    EXPECT_EQ(s.recovery_attempts, s.recovery_failures + 1);
}

TEST_F(RecoveryStatistics, TheTimeOfBeingBlocked) {
    EventLog states;
    const haigha_then events = states.then();
    const ConnectionHandle connection = connect({}, &events);
    const ChannelHandle channel = open_channel(connection.get());
    script("block low on memory");
    states.wait_for(HAIGHA_EVENT_BLOCKED);
    EXPECT_EQ(HAIGHA_ERR_WOULD_BLOCK, publish(channel.get(), "q", "x"));
    haigha_statistics s = of(connection);
    EXPECT_EQ(s.blocked, 1U);
    EXPECT_EQ(s.blocked_times, 1U);
    EXPECT_EQ(s.publishes_refused, 1U);
    EXPECT_EQ(s.published, 0U);
    while (s.blocked_ms < 5)
        s = of(connection);
    script("unblock");
    states.wait_for(HAIGHA_EVENT_UNBLOCKED);
    s = of(connection);
    EXPECT_EQ(s.blocked, 0U);
    EXPECT_EQ(s.blocked_times, 1U);
    EXPECT_GE(s.blocked_ms, 5U);
}

}  // namespace
}  // namespace haigha::test
