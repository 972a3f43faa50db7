// Consumers on a real broker: deliveries, get, every way to settle, qos, recover, flow.
#include <gtest/gtest.h>

#include <string>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class Consuming : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        channel_ = open_channel(connection_.get());
        ch_ = channel_.get();
        queue_ = declare_queue(ch_);
    }
    void fill(int count) {
        for (int i = 0; i < count; ++i)
            ASSERT_EQ(HAIGHA_OK, publish(ch_, queue_, std::to_string(i))) << error_;
    }
    std::uint64_t get_tag(std::string_view wanted, bool redelivered) {
        const MessageHandle message = get(ch_, queue_, false);
        EXPECT_TRUE(message) << "no message where " << wanted << " should be";
        if (!message) return 0;
        EXPECT_EQ(view(haigha_message_body(message.get())), wanted);
        EXPECT_EQ(haigha_message_redelivered(message.get()), redelivered ? 1 : 0);
        return haigha_message_delivery_tag(message.get());
    }

    ConnectionHandle connection_;
    ChannelHandle channel_;
    haigha_channel* ch_ = nullptr;
    std::string queue_;
};

TEST_F(Consuming, DeliveriesComeInOrderWithTheirFields) {
    EventLog log;
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str(queue_);
    args.deliveries = log.then(11);
    const Recorded started = completion(
        [&](const haigha_then* then) { return haigha_consume(ch_, &args, then, error_); });
    EXPECT_FALSE(started.failed) << started.error;
    EXPECT_FALSE(started.consumer_tag.empty());
    fill(100);
    log.wait_count(HAIGHA_EVENT_DELIVERY, 100);
    const auto events = log.events();
    ASSERT_EQ(events.size(), 100U);
    for (std::size_t i = 0; i < events.size(); ++i) {
        EXPECT_EQ(events[i].body, std::to_string(i));
        EXPECT_EQ(events[i].number, i + 1);
        EXPECT_EQ(events[i].tag, 11U);
        EXPECT_EQ(events[i].flags, 0U);
        EXPECT_EQ(events[i].exchange, "");
        EXPECT_EQ(events[i].routing_key, queue_);
        EXPECT_EQ(events[i].consumer_tag, started.consumer_tag);
        EXPECT_EQ(events[i].channel_id, haigha_channel_id(ch_));
        EXPECT_TRUE(events[i].has_message);
        EXPECT_NE(events[i].thread, std::this_thread::get_id());
    }
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, 100, HAIGHA_MULTIPLE, error_)) << error_;

    const Recorded cancelled = completion([&](const haigha_then* then) {
        return haigha_cancel(ch_, str(started.consumer_tag), then, error_);
    });
    EXPECT_EQ(cancelled.consumer_tag, started.consumer_tag);
    const Recorded last = log.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    EXPECT_FALSE(last.failed) << last.error;
    EXPECT_EQ(last.consumer_tag, started.consumer_tag);
    EXPECT_TRUE(log.wait_released(1));
    EXPECT_TRUE(wait_messages(ch_, queue_, 0));
}

TEST_F(Consuming, FlagsTellWhetherThereAreProperties) {
    haigha_properties sent = HAIGHA_PROPERTIES_INIT;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.properties = &sent;
    args.routing_key = str(queue_);
    const std::uint32_t present[] = {0, HAIGHA_PROPERTY_MESSAGE_ID, HAIGHA_PROPERTY_PRIORITY};
    // Each kind once for a consumer and once for get.
    for (int round = 0; round < 2; ++round) {
        for (const std::uint32_t bits : present) {
            sent.present = bits;
            ASSERT_EQ(HAIGHA_OK, haigha_publish_wait(ch_, &args, str("body"), -1, nullptr, error_))
                << error_;
        }
    }
    for (const std::uint32_t bits : present) {
        haigha_get_args wanted = HAIGHA_GET_ARGS_INIT;
        wanted.queue = str(queue_);
        const Recorded got = completion(
            [&](const haigha_then* then) { return haigha_get(ch_, &wanted, then, error_); });
        EXPECT_EQ((got.flags & HAIGHA_FLAG_PROPERTIES) != 0, bits != 0);
    }
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(ch_, queue_, log.then())) << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 3);
    const auto events = log.events();
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ((events[i].flags & HAIGHA_FLAG_PROPERTIES) != 0, present[i] != 0);
}

TEST_F(Consuming, ATagOfTheCallersChoice) {
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(ch_, queue_, log.then(), true, "mine")) << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, consume(ch_, queue_, log.then(), true, "mine"));
    EXPECT_NE(error_.message().find("consumer_tag"), std::string::npos) << error_;
    fill(1);
    EXPECT_EQ(log.wait_for(HAIGHA_EVENT_DELIVERY).consumer_tag, "mine");
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK, haigha_cancel_wait(ch_, str("mine"), -1, out(reply), error_)) << error_;
    EXPECT_EQ(view(haigha_reply_consumer_tag(reply.get())), "mine");
    // The tag is free again.
    EXPECT_EQ(HAIGHA_OK, consume(ch_, queue_, log.then(), true, "mine")) << error_;
}

TEST_F(Consuming, AnExclusiveConsumerKeepsOthersOut) {
    EventLog log;
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str(queue_);
    args.exclusive = 1;
    args.deliveries = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_consume_wait(ch_, &args, -1, nullptr, error_)) << error_;
    EventLog second;
    const ChannelHandle other = open_channel(connection_.get());
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, consume(other.get(), queue_, second.then()));
    EXPECT_EQ(error_.code(), 403);
    EXPECT_TRUE(second.wait_released(1));
    EXPECT_EQ(second.size(), 0U);  // neither a delivery nor CONSUMER_CANCELLED
}

TEST_F(Consuming, TheBrokerCancelsWhenTheQueueGoes) {
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(ch_, queue_, log.then(), false, "c")) << error_;
    delete_queue(ch_, queue_);
    const Recorded cancelled = log.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    EXPECT_EQ(cancelled.method, "basic.cancel");  // not by its channel's end
    EXPECT_EQ(cancelled.consumer_tag, "c");
    EXPECT_TRUE(log.wait_released(1));
    EXPECT_EQ(haigha_channel_state(ch_), HAIGHA_STATE_OPEN);
}

TEST_F(Consuming, ClosingTheChannelEndsItsConsumers) {
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(ch_, queue_, log.then(), false, "c")) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(ch_, -1, error_)) << error_;
    log.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    EXPECT_TRUE(log.wait_released(1));
}

TEST_F(Consuming, GetAndAnEmptyQueue) {
    haigha_get_args args = HAIGHA_GET_ARGS_INIT;
    args.queue = str(queue_);
    const Recorded empty =
        completion([&](const haigha_then* then) { return haigha_get(ch_, &args, then, error_); });
    EXPECT_FALSE(empty.failed) << empty.error;
    EXPECT_TRUE(empty.has_reply);
    EXPECT_FALSE(empty.has_message);
    EXPECT_FALSE(get(ch_, queue_));
    fill(3);
    const Recorded first =
        completion([&](const haigha_then* then) { return haigha_get(ch_, &args, then, error_); });
    EXPECT_TRUE(first.has_message);
    EXPECT_EQ(first.body, "0");
    EXPECT_EQ(first.message_count, 2U);
    EXPECT_EQ(first.number, 1U);
    EXPECT_EQ(first.routing_key, queue_);
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK, haigha_get_wait(ch_, &args, -1, out(reply), error_)) << error_;
    const haigha_message* const message = haigha_reply_message(reply.get());
    EXPECT_EQ(view(haigha_message_body(message)), "1");
    EXPECT_EQ(haigha_message_delivery_tag(message), 2U);
    EXPECT_EQ(haigha_reply_message_count(reply.get()), 1U);
}

TEST_F(Consuming, EveryWayToSettle) {
    fill(4);
    std::uint64_t tag = get_tag("0", false);
    ASSERT_EQ(HAIGHA_OK, haigha_nack(ch_, tag, HAIGHA_REQUEUE, error_)) << error_;
    tag = get_tag("0", true);
    ASSERT_EQ(HAIGHA_OK, haigha_reject(ch_, tag, HAIGHA_REQUEUE, error_)) << error_;
    tag = get_tag("0", true);
    ASSERT_EQ(HAIGHA_OK, haigha_reject(ch_, tag, 0, error_)) << error_;
    tag = get_tag("1", false);
    ASSERT_EQ(HAIGHA_OK, haigha_nack(ch_, tag, 0, error_)) << error_;
    tag = get_tag("2", false);
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, tag, 0, error_)) << error_;
    get_tag("3", false);
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, 0, HAIGHA_MULTIPLE, error_)) << error_;
    EXPECT_FALSE(get(ch_, queue_));
    EXPECT_EQ(haigha_channel_state(ch_), HAIGHA_STATE_OPEN);
}

TEST_F(Consuming, MultipleReachesBackToTheFirst) {
    fill(6);
    for (const char* body : {"0", "1", "2"})
        get_tag(body, false);
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, 2, HAIGHA_MULTIPLE, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_nack(ch_, 3, HAIGHA_MULTIPLE | HAIGHA_REQUEUE, error_)) << error_;
    get_tag("2", true);
    get_tag("3", false);
    ASSERT_EQ(HAIGHA_OK, haigha_nack(ch_, 0, HAIGHA_MULTIPLE | HAIGHA_REQUEUE, error_)) << error_;
    EXPECT_TRUE(wait_messages(ch_, queue_, 4));
}

TEST_F(Consuming, RecoverGivesAllBack) {
    fill(2);
    get_tag("0", false);
    get_tag("1", false);
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_recover(ch_, 1, then, error_);
                 }).failed);
    get_tag("0", true);
    ASSERT_EQ(HAIGHA_OK, haigha_recover_wait(ch_, 1, -1, nullptr, error_)) << error_;
    get_tag("0", true);
}

TEST_F(Consuming, RecoverWithoutRequeueIsRefusedByRabbitMqWith540) {
    EXPECT_EQ(HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER,
              haigha_recover_wait(ch_, 0, -1, nullptr, error_));
    EXPECT_EQ(error_.code(), 540);
}

TEST_F(Consuming, QosLimitsWhatIsUnacknowledged) {
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = 2;
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_qos(ch_, &qos, then, error_);
                 }).failed);
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(ch_, queue_, log.then())) << error_;
    fill(5);
    log.wait_count(HAIGHA_EVENT_DELIVERY, 2);
    // Two are out; the broker says so of the others.
    EXPECT_TRUE(wait_messages(ch_, queue_, 3));
    EXPECT_EQ(log.count(HAIGHA_EVENT_DELIVERY), 2U);
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, 1, 0, error_)) << error_;
    EXPECT_EQ(log.wait_for(HAIGHA_EVENT_DELIVERY, 2).body, "2");
}

// rule 74
TEST_F(Consuming, TheDefaultPrefetchIsFinite) {
    fill(305);
    EXPECT_TRUE(wait_messages(ch_, queue_, 305));
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(ch_, queue_, log.then())) << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 300);
    EXPECT_TRUE(wait_messages(ch_, queue_, 5));
}

TEST_F(Consuming, TheDefaultPrefetchIsAnOption) {
    const ConnectionHandle narrow = connect({{"prefetch", 3}});
    const ChannelHandle channel = open_channel(narrow.get());
    const std::string queue = declare_queue(channel.get());
    for (int i = 0; i < 5; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x")) << error_;
    EXPECT_TRUE(wait_messages(channel.get(), queue, 5));
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, log.then())) << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 3);
    EXPECT_TRUE(wait_messages(channel.get(), queue, 2));
}

// The broker would close the channel for it.
TEST_F(Consuming, AnUnknownDeliveryTagIsRefused) {
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_ack(ch_, 77, 0, error_));
    EXPECT_EQ(error_.message(), "delivery_tag 77 was not delivered on this channel");
    EXPECT_EQ(haigha_channel_state(ch_), HAIGHA_STATE_OPEN);
}

// In a transaction only the broker knows what is open.
TEST_F(Consuming, AnUnknownDeliveryTagInATransactionClosesTheChannel) {
    EventLog events;
    const haigha_then then = events.then();
    ASSERT_EQ(HAIGHA_OK, haigha_channel_set_events(ch_, &then, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_tx_select_wait(ch_, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, 77, 0, error_)) << error_;
    const Recorded closed = events.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(closed.status, HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER);
    EXPECT_EQ(closed.reply_code, 406);
    EXPECT_EQ(closed.reply_text, "PRECONDITION_FAILED - unknown delivery tag 77");
    EXPECT_EQ(closed.method, "basic.ack");
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_ack(ch_, 1, 0, error_));
    EXPECT_NE(error_.message().find("unknown delivery tag 77"), std::string::npos) << error_;
}

TEST_F(Consuming, FlowOnIsAnswered) {
    ASSERT_EQ(HAIGHA_OK, haigha_channel_flow_wait(ch_, 1, -1, nullptr, error_)) << error_;
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_channel_flow(ch_, 1, then, error_);
                 }).failed);
}

TEST_F(Consuming, FlowOffIsRefusedByRabbitMqWith540) {
    EXPECT_EQ(HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER,
              haigha_channel_flow_wait(ch_, 0, -1, nullptr, error_));
    EXPECT_EQ(error_.code(), 540);
    EXPECT_EQ(error_.method(), "channel.flow");
    EXPECT_EQ(haigha_channel_state(ch_), HAIGHA_STATE_CLOSED);
    EXPECT_EQ(haigha_connection_state(connection_.get()), HAIGHA_STATE_CLOSED);
}

}  // namespace
}  // namespace haigha::test
