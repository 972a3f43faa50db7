// Stopping a connection so that nothing is left, against a stub broker.
#include <haigha/streams.h>

#include <string>
#include <thread>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

class Stopping : public RecoveryTest {
  protected:
    ChannelHandle confirming(haigha_connection* connection, std::uint8_t policy = 0) {
        ChannelHandle channel = open_channel(connection, test::confirming(outcomes_, policy));
        EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "in")) << error_;
        EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "out")) << error_;
        return channel;
    }
    // Three deliveries that nobody has settled, of publishes that are confirmed.
    void hold_three(haigha_channel* channel, EventLog& deliveries) {
        for (int i = 0; i < 3; ++i)
            EXPECT_EQ(HAIGHA_OK, publish(channel, "in", "x"));
        consume(channel, "in", deliveries.then());
        deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 3);
        outcomes_.wait_count(HAIGHA_EVENT_OUTCOME, 3);
    }
    void stop(haigha_connection* connection, std::uint32_t settle_ms = 0,
              std::uint32_t publish_ms = 0) {
        haigha_stop_args args = HAIGHA_STOP_ARGS_INIT;
        args.settle_timeout_ms = settle_ms;
        args.publish_timeout_ms = publish_ms;
        const haigha_then then = stopped_.then();
        EXPECT_EQ(HAIGHA_OK, haigha_connection_stop(connection, &args, &then, error_)) << error_;
    }
    EventLog outcomes_;
    struct Left {
        std::uint64_t bytes = 0;
        std::uint64_t unconfirmed = 0;
        std::uint64_t unsettled = 0;
    } left_;
    EventLog stopped_{[this](const haigha_event& event) {
        left_.bytes = haigha_reply_unwritten_bytes(event.reply);
        left_.unconfirmed = haigha_reply_unconfirmed(event.reply);
        left_.unsettled = haigha_reply_unsettled(event.reply);
    }};
};

TEST_F(Stopping, CancelsThenWaitsForWhatWasDeliveredAndThenForWhatWasPublished) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = confirming(connection.get());
    EventLog deliveries;
    hold_three(channel.get(), deliveries);
    script("on basic.publish hold");
    stop(connection.get());
    EXPECT_FALSE(deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED).failed);
    // What handles a delivery may publish.
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "out", "y"));
    EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), 2, HAIGHA_MULTIPLE, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "out", "z"));
    EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), 3, 0, error_)) << error_;
    // Now they are refused, and what was taken is waited for.
    haigha_status status = HAIGHA_OK;
    std::size_t taken = 2;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("out");
    while ((status = haigha_publish(channel.get(), &args, str("late"), nullptr, error_)) ==
           HAIGHA_OK)
        ++taken;
    EXPECT_EQ(status, HAIGHA_ERR_CLOSED);
    EXPECT_NE(error_.message().find("being stopped"), std::string::npos) << error_;
    EXPECT_EQ(stopped_.size(), 0U);
    ASSERT_TRUE(saw("basic.publish", 3 + taken));
    script("release");
    EXPECT_FALSE(stopped_.reply().failed);
    EXPECT_EQ(left_.bytes + left_.unconfirmed + left_.unsettled, 0U);
    EXPECT_EQ(outcomes_.count(HAIGHA_EVENT_OUTCOME), 3 + taken);
    EXPECT_EQ(broker_->queue_size("in"), 0U);
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_CLOSED);
    EXPECT_EQ(broker_->count("connection.close"), 1U);
}

TEST_F(Stopping, TellsWhatIsLeftAtTheDeadline) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = confirming(connection.get());
    EventLog deliveries;
    hold_three(channel.get(), deliveries);
    script("on basic.publish no-reply");
    for (int i = 0; i < 2; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "out", "x"));
    stop(connection.get(), 20, 20);
    const Recorded reply = stopped_.reply();
    EXPECT_EQ(reply.status, HAIGHA_ERR_TIMEOUT);
    EXPECT_NE(reply.error.find("2 publishes not confirmed and 3 deliveries not settled"),
              std::string::npos)
        << reply.error;
    EXPECT_EQ(left_.bytes, 0U);
    EXPECT_EQ(left_.unconfirmed, 2U);
    EXPECT_EQ(left_.unsettled, 3U);
}

TEST_F(Stopping, CompletesInEveryState) {
    haigha_stop_args args = HAIGHA_STOP_ARGS_INIT;
    // Before it is opened, while it opens, afterwards; and again.
    const ConnectionHandle fresh = new_connection(loop_.get(), options().get());
    EXPECT_EQ(HAIGHA_OK, haigha_connection_stop_wait(fresh.get(), &args, nullptr, error_))
        << error_;
    EXPECT_EQ(HAIGHA_OK, haigha_connection_stop_wait(fresh.get(), nullptr, nullptr, error_));
    script("stall start");
    const ConnectionHandle opening = new_connection(loop_.get(), options().get());
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open(opening.get(), nullptr, error_)) << error_;
    ASSERT_TRUE(saw("connect"));
    (void)haigha_connection_stop_wait(opening.get(), &args, nullptr, error_);
    EXPECT_EQ(haigha_connection_state(opening.get()), HAIGHA_STATE_CLOSED);
    script("stall none");
    // While it is being recovered there is nothing to wait for.
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle lost = recovering(&then);
    const ChannelHandle channel = open_channel(lost.get());
    script("stall start");
    lose();
    events.state(HAIGHA_STATE_RECOVERING);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_stop_wait(lost.get(), &args, nullptr, error_)) << error_;
    script("stall none");
    // Blocked, with a consumer that is paused.
    const ConnectionHandle open = connect();
    const ChannelHandle consuming = confirming(open.get());
    EventLog deliveries;
    haigha_consume_args consume_args = HAIGHA_CONSUME_ARGS_INIT;
    consume_args.queue = str("in");
    consume_args.consumer_tag = str("t");
    consume_args.deliveries = deliveries.then();
    ASSERT_EQ(HAIGHA_OK, haigha_consume_wait(consuming.get(), &consume_args, -1, nullptr, error_));
    ASSERT_EQ(HAIGHA_OK, haigha_consumer_pause_wait(consuming.get(), str("t"), -1, nullptr, error_))
        << error_;
    script("block low");
    EXPECT_EQ(HAIGHA_OK, haigha_connection_stop_wait(open.get(), &args, nullptr, error_)) << error_;
    deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
}

TEST_F(Stopping, GoesOnUntilWhatIsKeptIsPublished) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = confirming(connection.get(), HAIGHA_PUBLISH_RESEND);
    EventLog deliveries;
    consume(channel.get(), "in", deliveries.then());
    script("stall start");
    lose();
    events.state(HAIGHA_STATE_RECOVERING);
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "out", "kept"));
    stop(connection.get());
    script("stall none");
    script("reset");
    EXPECT_FALSE(stopped_.reply().failed) << stopped_.reply().error;
    EXPECT_EQ(outcomes_.wait_for(HAIGHA_EVENT_OUTCOME).outcome, HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(broker_->queue_size("out"), 1U);
    // Its consumer does not come back.
    EXPECT_EQ(broker_->count("basic.consume"), 1U);
    deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
}

TEST_F(Stopping, TellsHowItEndedWhenItEndsBefore) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = confirming(connection.get());
    script("on basic.publish no-reply");
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "out", "x"));
    ASSERT_TRUE(saw("basic.publish"));
    stop(connection.get());
    stop(connection.get());  // joins the first
    while (publish(channel.get(), "out", "y") == HAIGHA_OK)
        std::this_thread::yield();
    lose();
    stopped_.wait_count(HAIGHA_EVENT_REPLY, 2);
    EXPECT_EQ(stopped_.reply().status, HAIGHA_ERR_IO);
    EXPECT_GE(left_.unconfirmed, 1U);
}

// Found by fuzz_objects: the connection was taken up again, and given back twice.
TEST_F(Stopping, NoReaderIsMadeOfAChannelWhoseConnectionWasDropped) {
    ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    haigha_status made = HAIGHA_OK;
    StreamReaderHandle reader;
    Err error;
    EventLog log([&](const haigha_event&) {
        // On the loop's thread, which has not ended the connection yet.
        connection.reset();
        haigha_stream_reader_args args = HAIGHA_STREAM_READER_ARGS_INIT;
        args.stream = str("s");
        args.name = str("n");
        made = haigha_stream_reader_new(channel.get(), &args, out(reader), error);
    });
    declare_soon(channel.get(), "q", log.then());
    log.wait_count(HAIGHA_EVENT_REPLY, 1);
    EXPECT_EQ(made, HAIGHA_ERR_CLOSED);
    EXPECT_EQ(error.message(), "the connection was dropped");
    EXPECT_EQ(reader, nullptr);
}

}  // namespace
}  // namespace haigha::test
