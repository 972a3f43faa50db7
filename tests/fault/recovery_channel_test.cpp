// Channels that the broker closes while their connection lives.
#include <string>
#include <vector>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

class RecoveryChannel : public RecoveryTest {
  protected:
    // Closes the first channel from the broker's side.
    void close_channel() { script("close-channel 1 406 PRECONDITION_FAILED - delivery timed out"); }
    // Whose consumers consume again when the broker cancels them.
    ChannelHandle open_resubscribing(haigha_connection* connection, EventLog* events = nullptr) {
        haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
        if (events != nullptr) args.events = events->then();
        args.recovery_policy = HAIGHA_CHANNEL_RESUBSCRIBE;
        return open_channel(connection, args);
    }
    haigha_status delete_queue(haigha_channel* channel, std::string_view queue) {
        haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        args.queue = str(queue);
        return haigha_queue_delete_wait(channel, &args, -1, nullptr, error_);
    }
};

// rule 62
TEST_F(RecoveryChannel, ComesBackByItsPolicy) {
    for (const std::uint8_t policy :
         {HAIGHA_CHANNEL_REPORT, HAIGHA_CHANNEL_REOPEN, HAIGHA_CHANNEL_RESUBSCRIBE}) {
        SCOPED_TRACE(int{policy});
        const ConnectionHandle connection = connect();
        EventLog channel_events;
        haigha_channel_args args = confirming(channel_events);
        args.recovery_policy = policy;
        const ChannelHandle channel = open_channel(connection.get(), args);
        const ChannelHandle other = open_channel(connection.get());
        ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
        EventLog deliveries;
        consume(channel.get(), "jobs", deliveries.then());
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "first"));
        deliveries.wait_for(HAIGHA_EVENT_DELIVERY);
        channel_events.wait_for(HAIGHA_EVENT_OUTCOME);
        close_channel();
        if (policy == HAIGHA_CHANNEL_REPORT) {
            EXPECT_EQ(channel_events.state(HAIGHA_STATE_CLOSED).reply_code, 406);
            EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED).reply_code, 406);
            EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(channel.get(), "jobs", "late"));
        } else {
            EXPECT_EQ(channel_events.state(HAIGHA_STATE_RECOVERING).reply_code, 406);
            channel_events.wait(
                [](const std::vector<Recorded>& events) {
                    return events.back().state == HAIGHA_STATE_OPEN &&
                           events.back().previous_state == HAIGHA_STATE_RECOVERING;
                },
                "the channel to be open again");
            ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "second"));
            EXPECT_EQ(channel_events.wait_for(HAIGHA_EVENT_OUTCOME, 1).number, 2U);
        }
        if (policy == HAIGHA_CHANNEL_REOPEN) {
            EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED).reply_code, 406);
        }
        if (policy == HAIGHA_CHANNEL_RESUBSCRIBE) {
            // What was not settled comes again, under a number of its own.
            deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 3);
            EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY, 1).number, 2U);
            EXPECT_EQ(HAIGHA_ERR_STALE, haigha_ack(channel.get(), 1, 0, error_));
            EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), 3, HAIGHA_MULTIPLE, error_)) << error_;
            EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
        }
        EXPECT_EQ(haigha_channel_state(other.get()), HAIGHA_STATE_OPEN);
        EXPECT_EQ(HAIGHA_OK, delete_queue(other.get(), "jobs")) << error_;
        EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    }
}

TEST_F(RecoveryChannel, APolicyThatThereIsNotIsRefused) {
    const ConnectionHandle connection = connect();
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.recovery_policy = 3;
    ChannelHandle channel;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_channel_open_wait(connection.get(), &args, -1, out(channel), error_));
}

// One that the broker closes again and again, and then the connection goes too.
TEST_F(RecoveryChannel, ALostConnectionBringsItBackAsWell) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    EventLog channel_events;
    const ChannelHandle channel = open_resubscribing(connection.get(), &channel_events);
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    for (std::size_t round = 1; round <= 3; ++round) {
        close_channel();
        ASSERT_TRUE(saw("basic.consume", round + 1));
    }
    script("on channel.open no-reply");
    const std::size_t opened = broker_->count("channel.open");
    close_channel();
    ASSERT_TRUE(saw("channel.open", opened + 1));
    script("clear");
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "x"));
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
}

// ---- rule 48: a consumer that the broker cancels

TEST_F(RecoveryChannel, ACancelledConsumerConsumesAgain) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = connect({}, &then);
    const ConnectionHandle other = connect();
    const ChannelHandle owner = open_channel(other.get());
    ASSERT_EQ(HAIGHA_OK, declare(owner.get(), "jobs")) << error_;
    const ChannelHandle channel = open_resubscribing(connection.get());
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then());
    ASSERT_EQ(HAIGHA_OK, publish(owner.get(), "jobs", "first"));
    const std::uint64_t first = deliveries.wait_for(HAIGHA_EVENT_DELIVERY).number;
    script("on basic.consume hold");
    ASSERT_EQ(HAIGHA_OK, delete_queue(owner.get(), "jobs")) << error_;
    ASSERT_TRUE(saw("basic.consume", 2));
    ASSERT_EQ(HAIGHA_OK, declare(owner.get(), "jobs")) << error_;
    script("clear");
    script("release");
    const Recorded again = step(events, HAIGHA_RECOVERY_RESUBSCRIBED);
    EXPECT_EQ(again.name, "jobs");
    EXPECT_NE(again.error.find("cancelled"), std::string::npos) << again.error;
    ASSERT_EQ(HAIGHA_OK, publish(owner.get(), "jobs", "second"));
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY, 1).body, "second");
    // The channel is the same: so is what came on it.
    EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), first, 0, error_)) << error_;
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
}

TEST_F(RecoveryChannel, ACancelledConsumersQueueIsDeclaredAgain) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_resubscribing(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then());
    const ConnectionHandle other = connect();
    const ChannelHandle owner = open_channel(other.get());
    ASSERT_EQ(HAIGHA_OK, delete_queue(owner.get(), "jobs")) << error_;
    ASSERT_TRUE(saw("basic.consume", 3));  // the second was refused: there was no queue
    ASSERT_EQ(HAIGHA_OK, publish(owner.get(), "jobs", "of the new queue"));
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY).body, "of the new queue");
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
}

TEST_F(RecoveryChannel, AConsumerWhoseQueueIsGoneForGoodIsTold) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = connect({}, &then);
    const ConnectionHandle other = connect();
    const ChannelHandle owner = open_channel(other.get());
    ASSERT_EQ(HAIGHA_OK, declare(owner.get(), "jobs")) << error_;
    EventLog channel_events;
    const ChannelHandle channel = open_resubscribing(connection.get(), &channel_events);
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then());
    ASSERT_EQ(HAIGHA_OK, delete_queue(owner.get(), "jobs")) << error_;
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED).reply_code, 404);
    EXPECT_EQ(step(events, HAIGHA_RECOVERY_ENTITY).number, 4U);
    // The channel is there for other things.
    channel_events.wait(
        [](const std::vector<Recorded>& told) { return told.back().state == HAIGHA_STATE_OPEN; },
        "the channel to be open again");
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "others")) << error_;
}

}  // namespace
}  // namespace haigha::test
