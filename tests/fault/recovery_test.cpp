// Recovery against a stub broker: what comes back after a lost connection, in which order, and what
// is said meanwhile.
#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

// rule 59: the golden list of an outage.
TEST_F(RecoveryTest, TellsEachStepOfAnOutageInOrder) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    EventLog channel_events;
    const haigha_then channel_then = channel_events.then();
    const ChannelHandle channel = open_channel(connection.get(), &channel_then);
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    events.state(HAIGHA_STATE_CLOSED);

    std::vector<std::string> told;
    for (const Recorded& event : events.events()) {
        if (event.type == HAIGHA_EVENT_CONNECTION_STATE) {
            told.push_back("state " + std::to_string(event.previous_state) + " to " +
                           std::to_string(event.state) + (event.failed ? " failed" : ""));
        } else if (event.type == HAIGHA_EVENT_RECOVERY) {
            told.push_back("recovery " + std::to_string(event.state) +
                           (event.failed ? " failed" : ""));
        }
    }
    EXPECT_EQ(told, (std::vector<std::string>{"state 0 to 1", "state 1 to 2", "state 2 to 5 failed",
                                              "recovery 1 failed", "recovery 2", "state 5 to 2",
                                              "recovery 3", "state 3 to 4"}));
    told.clear();
    for (const Recorded& event : channel_events.events()) {
        told.push_back(std::to_string(event.previous_state) + " to " + std::to_string(event.state) +
                       (event.failed ? " failed" : ""));
    }
    EXPECT_EQ(told,
              (std::vector<std::string>{"1 to 2", "2 to 5 failed", "5 to 2", "2 to 4 failed"}));
    EXPECT_EQ(step(events, HAIGHA_RECOVERY_ATTEMPT).number, 1U);
    EXPECT_EQ(info(connection.get(), "recoveries"), 1);
}

// rule 58
TEST_F(RecoveryTest, OffMeansThatNothingIsTriedAgain) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = connect({}, &then);
    const ChannelHandle channel = open_channel(connection.get());
    lose();
    EXPECT_EQ(events.state(HAIGHA_STATE_CLOSED).status, HAIGHA_ERR_IO);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(channel.get(), "", "late"));
    close_loop(loop_.get());
    loop_ = start_loop();
    EXPECT_EQ(broker_->count("connect"), 1U);
}

// rules 44, 47, 57: the same handles and callbacks, however often.
TEST_F(RecoveryTest, ConsumersComeBackWithTheirChannelsManyTimes) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then, {{"recovery_stable_ms", 0}});
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    for (std::size_t round = 0; round < 20; ++round) {
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", std::to_string(round)));
        EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY, round).body, std::to_string(round));
        lose();
        step(events, HAIGHA_RECOVERY_RECOVERED, round);
        EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_OPEN);
    }
    EXPECT_EQ(broker_->count("basic.consume"), 21U);
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED).status, HAIGHA_ERR_CLOSED);
    EXPECT_TRUE(deliveries.wait_released(1));
}

// rule 49
TEST_F(RecoveryTest, AnAckOfAnEarlierDeliveryIsStaleAndNotSent) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then());
    for (const char* body : {"a", "b", "c"})
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", body));
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 3);
    EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), 1, 0, error_)) << error_;
    ASSERT_TRUE(saw("basic.ack"));
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    // The two come again, under numbers of their own.
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 5);
    std::vector<std::uint64_t> tags;
    for (const Recorded& event : deliveries.events())
        tags.push_back(event.number);
    EXPECT_EQ(tags, (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
    EXPECT_EQ(HAIGHA_ERR_STALE, haigha_ack(channel.get(), 2, 0, error_));
    EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), 5, 0, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_STALE, haigha_nack(channel.get(), 3, HAIGHA_REQUEUE, error_));
    EXPECT_EQ(HAIGHA_ERR_STALE, haigha_reject(channel.get(), 3, 0, error_));
    EXPECT_EQ(HAIGHA_ERR_STALE, haigha_ack(channel.get(), 3, HAIGHA_MULTIPLE, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_ack(channel.get(), 6, 0, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_ack(channel.get(), 5, 0, error_));
    EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), 0, HAIGHA_MULTIPLE, error_)) << error_;
    EXPECT_EQ(info(connection.get(), "stale_acks"), 4);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(broker_->queue_size("jobs"), 0U);
}

// rules 50, 51: what was outstanding ends before the first publish of the new generation.
TEST_F(RecoveryTest, OutstandingPublishesEndAndNumbersGoOn) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    EventLog outcomes;
    const haigha_then outcomes_then = outcomes.then();
    const ChannelHandle channel = open_channel(connection.get(), &outcomes_then, true);
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    script("on basic.publish no-reply");
    for (int i = 0; i < 500; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "x"));
    ASSERT_TRUE(saw("basic.publish", 500));
    script("clear");
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    outcomes.wait_count(HAIGHA_EVENT_OUTCOME, 500);
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("jobs");
    std::uint64_t sequence = 0;
    ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str("y"), &sequence, error_));
    EXPECT_EQ(sequence, 501U);
    EXPECT_EQ(outcomes.wait_for(HAIGHA_EVENT_OUTCOME, 500).outcome, HAIGHA_OUTCOME_CONFIRMED);
    std::vector<std::uint64_t> numbers;
    for (const Recorded& event : outcomes.events()) {
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        numbers.push_back(event.number);
        EXPECT_EQ(event.outcome,
                  event.number <= 500 ? HAIGHA_OUTCOME_UNKNOWN : HAIGHA_OUTCOME_CONFIRMED);
    }
    ASSERT_EQ(numbers.size(), 501U);
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
}

// rule 52, FAIL_FAST: refused at once, with the cause, and taken again once it is back.
TEST_F(RecoveryTest, CallsFailFastMeanwhile) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    script("stall start");
    lose();
    events.state(HAIGHA_STATE_RECOVERING);
    EXPECT_EQ(haigha_channel_state(channel.get()), HAIGHA_STATE_RECOVERING);
    EXPECT_EQ(HAIGHA_ERR_RECOVERING, publish(channel.get(), "jobs", "x"));
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    EXPECT_EQ(HAIGHA_ERR_RECOVERING,
              haigha_publish(channel.get(), &args, str("x"), nullptr, error_));
    EXPECT_NE(error_.message().find("is being recovered"), std::string::npos) << error_;
    EXPECT_EQ(HAIGHA_ERR_RECOVERING, declare(channel.get(), "jobs"));
    EXPECT_EQ(HAIGHA_ERR_RECOVERING,
              haigha_publish_wait(channel.get(), &args, str("x"), -1, nullptr, error_));
    EXPECT_EQ(HAIGHA_ERR_RECOVERING, haigha_ack(channel.get(), 0, HAIGHA_MULTIPLE, error_));
    EXPECT_EQ(HAIGHA_ERR_RECOVERING, haigha_connection_flush_wait(connection.get(), -1, error_));
    ChannelHandle other;
    EXPECT_EQ(HAIGHA_ERR_RECOVERING,
              haigha_channel_open_wait(connection.get(), nullptr, -1, out(other), error_));
    script("stall none");
    script("reset");  // the attempt that got no answer
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "x"));
}

// rules 42, 59: everything works inside RECOVERED.
TEST_F(RecoveryTest, DeclareConsumePublishAndCloseInTheEvent) {
    std::atomic<haigha_channel*> used{nullptr};
    std::atomic<haigha_connection*> closed{nullptr};
    std::vector<haigha_status> results;
    EventLog deliveries;
    EventLog replies;
    EventLog events([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_RECOVERY) return;
        const haigha_then then = replies.then();
        haigha_queue_declare_args declared = declare_args("made-in-event");
        if (event.state != HAIGHA_RECOVERY_RECOVERED) {
            results.push_back(haigha_queue_declare(used, &declared, &then, nullptr));
            return;
        }
        results.push_back(haigha_queue_declare(used, &declared, &then, nullptr));
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str("made-in-event");
        args.deliveries = deliveries.then();
        results.push_back(haigha_consume(used, &args, nullptr, nullptr));
        results.push_back(publish(used, "made-in-event", "hello"));
        results.push_back(haigha_connection_close(closed, nullptr, nullptr));
    });
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    used = channel.get();
    closed = connection.get();
    lose();
    events.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(results, (std::vector<haigha_status>{HAIGHA_ERR_RECOVERING, HAIGHA_ERR_RECOVERING,
                                                   HAIGHA_OK, HAIGHA_OK, HAIGHA_OK, HAIGHA_OK}));
    EXPECT_FALSE(replies.reply().failed);
}

}  // namespace
}  // namespace haigha::test
