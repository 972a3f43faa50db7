// Recovery that is disturbed: at every octet, at every stage, by its user; and that gives up.
#include <algorithm>
#include <string>
#include <vector>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

using RecoveryFailure = RecoveryTest;

// rule 44: the broker goes at every few octets of what it says in recovery, then behaves.
TEST_F(RecoveryFailure, ABrokerThatGoesAtAnyPointIsTriedAgain) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then, {{"recovery_max_delay_ms", 2}});
    const ChannelHandle channel = open_channel(connection.get(), nullptr, true);
    const ChannelHandle other = open_channel(connection.get());
    haigha_queue_declare_args args = declare_args("");
    args.exclusive = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel.get(), &args, -1, nullptr, error_));
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    EventLog others;
    consume(other.get(), "jobs", others.then(), true);
    std::size_t recovered = 0;
    for (std::size_t octets = 1; octets < 2000; octets += 5) {
        const std::size_t attempts = steps(events, HAIGHA_RECOVERY_ATTEMPT);
        script("reset-after " + std::to_string(octets));
        lose();
        // The first attempt dies; or there is nothing left that would be said.
        events.wait(
            [&](const std::vector<Recorded>& all) {
                const auto is = [](int state) {
                    return [state](const Recorded& event) {
                        return event.type == HAIGHA_EVENT_RECOVERY && event.state == state;
                    };
                };
                const auto seen = [&](int state) {
                    return static_cast<std::size_t>(
                        std::count_if(all.begin(), all.end(), is(state)));
                };
                return seen(HAIGHA_RECOVERY_ATTEMPT) > attempts + 1 ||
                       seen(HAIGHA_RECOVERY_RECOVERED) > recovered;
            },
            "the second attempt");
        const bool at_once = steps(events, HAIGHA_RECOVERY_ATTEMPT) == attempts + 1;
        script("reset-after 0");
        if (at_once) break;
        step(events, HAIGHA_RECOVERY_RECOVERED, recovered);
        recovered = steps(events, HAIGHA_RECOVERY_RECOVERED);
        ASSERT_EQ(haigha_channel_state(channel.get()), HAIGHA_STATE_OPEN);
        ASSERT_EQ(haigha_channel_state(other.get()), HAIGHA_STATE_OPEN);
    }
    EXPECT_GT(recovered, 50U);
    const std::size_t before =
        deliveries.count(HAIGHA_EVENT_DELIVERY) + others.count(HAIGHA_EVENT_DELIVERY);
    for (int i = 0; i < 2; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "x"));
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 1);
    others.wait_count(HAIGHA_EVENT_DELIVERY, 1);
    EXPECT_EQ(before, 0U);
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
    EXPECT_EQ(info(connection.get(), "channels"), 2);
}

// rule 43: closing wins, wherever recovery is.
TEST_F(RecoveryFailure, ClosingWinsAtEveryStage) {
    const auto begin = [&](EventLog& events, ConnectionHandle& connection, ChannelHandle& channel,
                           EventLog& deliveries, std::initializer_list<IntOption> more) {
        const haigha_then then = events.then();
        connection = recovering(&then, more);
        channel = open_channel(connection.get());
        ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
        consume(channel.get(), "jobs", deliveries.then(), true);
    };
    const auto end = [&](EventLog& events, ConnectionHandle& connection, EventLog& deliveries) {
        const std::size_t connects = broker_->count("connect");
        EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
        EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_CLOSED);
        EXPECT_FALSE(events.state(HAIGHA_STATE_CLOSED).failed);
        deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
        EXPECT_TRUE(deliveries.wait_released(1));
        EXPECT_EQ(steps(events, HAIGHA_RECOVERY_FAILED), 0U);
        connection.reset();
        close_loop(loop_.get());
        loop_ = start_loop();
        // An attempt that was under way may have reached the broker; none follows.
        EXPECT_LE(broker_->count("connect"), connects + 1);
    };
    // While waiting for an attempt.
    {
        EventLog events;
        EventLog deliveries;
        ConnectionHandle connection;
        ChannelHandle channel;
        begin(events, connection, channel, deliveries,
              {{"recovery_delay_ms", 3'600'000}, {"recovery_max_delay_ms", 86'400'000}});
        lose();
        step(events, HAIGHA_RECOVERY_ATTEMPT);
        end(events, connection, deliveries);
    }
    // At each stage of the handshake.
    for (const char* stage : {"accept", "start", "tune", "open"}) {
        SCOPED_TRACE(stage);
        EventLog events;
        EventLog deliveries;
        ConnectionHandle connection;
        ChannelHandle channel;
        begin(events, connection, channel, deliveries, {});
        const std::size_t connects = broker_->count("connect");
        script(std::string("stall ") + stage);
        lose();
        step(events, HAIGHA_RECOVERY_ATTEMPT);
        const bool is_seen = std::string_view(stage) != "accept";
        EXPECT_TRUE(saw("connect", is_seen ? connects + 1 : connects));
        end(events, connection, deliveries);
        script("stall none");
    }
    // While channels, topology and consumers come back.
    for (const char* method : {"channel.open", "queue.declare", "channel.close", "basic.consume"}) {
        SCOPED_TRACE(method);
        EventLog events;
        EventLog deliveries;
        ConnectionHandle connection;
        ChannelHandle channel;
        begin(events, connection, channel, deliveries, {{"close_timeout_ms", 50}});
        const std::size_t seen = broker_->count(method);
        script(std::string("on ") + method + " no-reply");
        lose();
        EXPECT_TRUE(saw(method, seen + 1));
        const haigha_status closed = haigha_connection_close_wait(connection.get(), -1, error_);
        EXPECT_TRUE(closed == HAIGHA_OK || closed == HAIGHA_ERR_TIMEOUT) << error_;
        script("clear");
        end(events, connection, deliveries);
    }
    // In each recovery event.
    for (const int at :
         {HAIGHA_RECOVERY_ATTEMPT, HAIGHA_RECOVERY_TRANSPORT_UP, HAIGHA_RECOVERY_RECOVERED}) {
        SCOPED_TRACE(at);
        EventLog events([&](const haigha_event& event) {
            if (event.type == HAIGHA_EVENT_RECOVERY && event.state == at) {
                EXPECT_EQ(HAIGHA_OK, haigha_connection_close(event.connection, nullptr, nullptr));
            }
        });
        EventLog deliveries;
        ConnectionHandle connection;
        ChannelHandle channel;
        begin(events, connection, channel, deliveries, {});
        lose();
        events.state(HAIGHA_STATE_CLOSED);
        end(events, connection, deliveries);
    }
}

// Dropping the last reference while it recovers is silent, and the end of it.
TEST_F(RecoveryFailure, DroppingWhileItRecovers) {
    EventLog events;
    const haigha_then then = events.then();
    ConnectionHandle connection = recovering(&then);
    ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    script("stall start");
    lose();
    step(events, HAIGHA_RECOVERY_ATTEMPT);
    channel.reset();
    connection.reset();
    EXPECT_TRUE(events.wait_released(1));
    EXPECT_TRUE(deliveries.wait_released(1));
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
}

TEST_F(RecoveryFailure, AChannelThatIsClosedMeanwhileDoesNotComeBack) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    EventLog channel_events;
    const haigha_then channel_then = channel_events.then();
    const ChannelHandle channel = open_channel(connection.get(), &channel_then);
    const ChannelHandle other = open_channel(connection.get());
    ChannelHandle dropped = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    script("stall start");
    lose();
    events.state(HAIGHA_STATE_RECOVERING);
    EXPECT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel.get(), -1, error_)) << error_;
    EXPECT_FALSE(channel_events.state(HAIGHA_STATE_CLOSED).failed);
    EXPECT_FALSE(deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED).failed);
    dropped.reset();
    EXPECT_EQ(haigha_channel_state(other.get()), HAIGHA_STATE_RECOVERING);
    const std::size_t opened = broker_->count("channel.open");
    script("stall none");
    script("reset");
    step(events, HAIGHA_RECOVERY_RECOVERED);
    // That of `other`, and one for the topology.
    EXPECT_EQ(broker_->count("channel.open"), opened + 2);
    EXPECT_EQ(info(connection.get(), "channels"), 1);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(channel.get(), "jobs", "x"));
    EXPECT_EQ(HAIGHA_OK, publish(other.get(), "jobs", "x"));
}

// rule 46: a consume-ok that does not come fails the attempt.
TEST_F(RecoveryFailure, AnAnswerThatDoesNotComeFailsTheAttempt) {
    for (const char* method :
         {"channel.open", "confirm.select", "basic.qos", "channel.close", "basic.consume"}) {
        SCOPED_TRACE(method);
        EventLog events;
        const haigha_then then = events.then();
        const ConnectionHandle connection = recovering(&then, {{"rpc_timeout_ms", 200}});
        const ChannelHandle channel = open_channel(connection.get(), nullptr, true);
        ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
        EventLog deliveries;
        consume(channel.get(), "jobs", deliveries.then());
        script(std::string("on ") + method + "#1 no-reply");
        lose();
        const Recorded again = step(events, HAIGHA_RECOVERY_ATTEMPT, 1);
        EXPECT_EQ(again.status, HAIGHA_ERR_TIMEOUT) << again.error;
        EXPECT_EQ(again.number, 2U);
        step(events, HAIGHA_RECOVERY_RECOVERED);
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "x"));
        const Recorded delivery = deliveries.wait_for(HAIGHA_EVENT_DELIVERY);
        EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), delivery.number, 0, error_)) << error_;
        EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
        script("clear");
    }
}

// rules 46, 54: one that does not come twice is that consumer's end, and not the others'. RabbitMQ
// 4 does so with a classic queue whose node is away.
TEST_F(RecoveryFailure, AConsumerThatIsNotAnsweredTwiceIsToldAndTheOthersComeBack) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then, {{"rpc_timeout_ms", 200}});
    const ChannelHandle channel = open_channel(connection.get());
    EventLog logs[3];
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q" + std::to_string(i))) << error_;
        consume(channel.get(), "q" + std::to_string(i), logs[i].then(), true);
    }
    script("on basic.consume#1 no-reply");
    script("on basic.consume#2 no-reply");
    lose();
    const Recorded failed = step(events, HAIGHA_RECOVERY_ENTITY);
    EXPECT_EQ(failed.number, 4U);
    EXPECT_EQ(failed.status, HAIGHA_ERR_TIMEOUT);
    EXPECT_EQ(failed.name, "q0");  // they come back in their order
    EXPECT_EQ(logs[0].wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED).status, HAIGHA_ERR_TIMEOUT);
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 1U);
    for (const int i : {1, 2}) {
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q" + std::to_string(i), "x"));
        EXPECT_EQ(logs[i].wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
        EXPECT_EQ(logs[i].count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
    }
}

// rules 46, 54: the same of the topology; what is in hand when nothing comes is left out.
TEST_F(RecoveryFailure, ADeclarationThatIsNotAnsweredIsLeftOut) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then, {{"rpc_timeout_ms", 200}});
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "a")) << error_;
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "b")) << error_;
    script("on channel.close#1 no-reply");
    script("on channel.close#2 no-reply");
    // Said one by one.
    script("on queue.declare#5 no-reply");
    lose();
    const Recorded failed = step(events, HAIGHA_RECOVERY_ENTITY);
    EXPECT_EQ(failed.number, 2U);
    EXPECT_EQ(failed.status, HAIGHA_ERR_TIMEOUT);
    EXPECT_EQ(failed.name, "a");
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 1U);
    EXPECT_EQ(HAIGHA_OK, declare_passively(channel.get(), "b")) << error_;
}

// rules 58, 61: one event for each attempt, then FAILED, then CLOSED.
TEST_F(RecoveryFailure, GivesUpAfterItsAttempts) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection =
        recovering(&then, {{"recovery_attempts", 100}, {"recovery_max_delay_ms", 2}});
    EventLog channel_events;
    const haigha_then channel_then = channel_events.then();
    const ChannelHandle channel = open_channel(connection.get(), &channel_then);
    script("reset-after 1");
    lose();
    const Recorded failed = step(events, HAIGHA_RECOVERY_FAILED);
    EXPECT_EQ(failed.number, 100U);
    EXPECT_NE(failed.error.find("after 100 attempts"), std::string::npos) << failed.error;
    EXPECT_EQ(events.state(HAIGHA_STATE_CLOSED).previous_state, HAIGHA_STATE_RECOVERING);
    EXPECT_TRUE(channel_events.state(HAIGHA_STATE_CLOSED).failed);
    std::uint64_t number = 0;
    for (const Recorded& event : events.events()) {
        if (event.type != HAIGHA_EVENT_RECOVERY || event.state != HAIGHA_RECOVERY_ATTEMPT) continue;
        EXPECT_EQ(event.number, ++number);
        EXPECT_TRUE(event.failed);
        EXPECT_NE(event.name.find("127.0.0.1:"), std::string::npos);
    }
    EXPECT_EQ(number, 100U);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(channel.get(), "", "late"));
    script("reset-after 0");
}

// rule 56: what is refused for good is not tried for ever.
TEST_F(RecoveryFailure, StopsWhenTheCredentialsAreRefused) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    script("on connection.start-ok close-connection 403 ACCESS_REFUSED - login was refused");
    lose();
    const Recorded failed = step(events, HAIGHA_RECOVERY_FAILED);
    EXPECT_EQ(failed.status, HAIGHA_ERR_AUTH) << failed.error;
    EXPECT_EQ(failed.number, 1U);
    EXPECT_EQ(events.state(HAIGHA_STATE_CLOSED).status, HAIGHA_ERR_AUTH);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ATTEMPT), 1U);
    script("clear");
}

// rule 56: every other end is one to recover from.
TEST_F(RecoveryFailure, RecoversFromEveryOtherEnd) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then, {{"recovery_stable_ms", 0}});
    const ChannelHandle channel = open_channel(connection.get());
    const char* const ends[] = {"reset", "close-connection 320 CONNECTION_FORCED - maintenance",
                                "close-connection 541 INTERNAL_ERROR", "half-close",
                                "inject 09 0000 00000000 ce"};
    std::size_t round = 0;
    for (const char* end : ends) {
        SCOPED_TRACE(end);
        script(end);
        step(events, HAIGHA_RECOVERY_RECOVERED, round++);
        EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    }
}

}  // namespace
}  // namespace haigha::test
