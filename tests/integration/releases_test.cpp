// Where the releases of RabbitMQ differ, and what a user of the library then sees: docs/brokers.md.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/api_fixture.h"
#include "support/broker_release.h"
#include "support/throwaway_broker.h"

namespace haigha::test {
namespace {

class Releases : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (!IsSkipped()) open();
    }
    void open() {
        connection_ = connect();
        channel_ = open_channel(connection_.get());
        ch_ = channel_.get();
        release_ = std::make_unique<BrokerRelease>(connection_.get());
        RecordProperty("release", release_->version());
    }
    // Durable, as those have to be; deleted by whoever declared it.
    std::string declare_quorum_queue() {
        const std::string queue = unique_name("quorum");
        TableHandle arguments;
        EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(arguments), error_)) << error_;
        haigha_field type{};
        type.name = str("x-queue-type");
        type.type = HAIGHA_FIELD_STRING;
        type.bytes = str("quorum");
        EXPECT_EQ(HAIGHA_OK, haigha_table_add(arguments.get(), &type, error_)) << error_;
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue);
        args.durable = 1;
        args.arguments = arguments.get();
        EXPECT_EQ(HAIGHA_OK, haigha_queue_declare_wait(ch_, &args, -1, nullptr, error_)) << error_;
        return queue;
    }
    MessageHandle wait_message(const std::string& queue) {
        const auto end = std::chrono::steady_clock::now() + patience;
        MessageHandle message;
        while (!message && std::chrono::steady_clock::now() < end)
            message = get(ch_, queue, false);
        return message;
    }
    // A number among the headers; -1 when it is not there.
    std::int64_t header(const MessageHandle& message, std::string_view name) {
        haigha_cursor cursor;
        haigha_field field;
        EXPECT_EQ(HAIGHA_OK, haigha_message_headers(message.get(), &cursor, error_)) << error_;
        while (haigha_cursor_next(&cursor, &field) == 1) {
            if (view(field.name) == name) return field.integer;
        }
        return -1;
    }

    ConnectionHandle connection_;
    ChannelHandle channel_;
    haigha_channel* ch_ = nullptr;
    std::unique_ptr<BrokerRelease> release_;
};

TEST_F(Releases, AnUnknownTypeOfExchange) {
    haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    const std::string exchange = unique_name("unknown");
    args.exchange = str(exchange);
    args.type = str("x-haigha-unknown");
    haigha_exchange_declare_wait(ch_, &args, -1, nullptr, error_);
    EXPECT_EQ(error_.method(), "exchange.declare");
    if (release_->unknown_exchange_type_ends_the_connection()) {
        EXPECT_EQ(error_.status(), HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER) << error_;
        EXPECT_EQ(error_.code(), 503);
    } else {
        EXPECT_EQ(error_.status(), HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER) << error_;
        EXPECT_EQ(error_.code(), 406);
        EXPECT_EQ(haigha_connection_state(connection_.get()), HAIGHA_STATE_OPEN);
    }
}

TEST_F(Releases, AMessageOfMoreThan16MiB) {
    const std::string queue = declare_queue(ch_);
    EventLog events;
    const haigha_then then = events.then();
    const ChannelHandle channel = open_channel(connection_.get(), &then, true);
    const std::string body((std::size_t{16} << 20) + 1, 'x');
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, std::string_view(body).substr(1))) << error_;
    EXPECT_EQ(events.wait_for(HAIGHA_EVENT_OUTCOME).outcome, HAIGHA_OUTCOME_CONFIRMED);
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, body)) << error_;
    const Recorded outcome = events.wait_for(HAIGHA_EVENT_OUTCOME, 1);
    if (release_->takes_more_than_16_mib()) {
        EXPECT_EQ(outcome.outcome, HAIGHA_OUTCOME_CONFIRMED);
    } else {
        EXPECT_EQ(outcome.outcome, HAIGHA_OUTCOME_UNKNOWN);
        const Recorded closed = events.state(HAIGHA_STATE_CLOSED);
        EXPECT_EQ(closed.status, HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER) << closed.error;
        EXPECT_EQ(closed.reply_code, 406);
    }
    EXPECT_EQ(haigha_connection_state(connection_.get()), HAIGHA_STATE_OPEN);
}

// Neither durable nor exclusive: listed as deprecated by 4.0 and 4.3.
TEST_F(Releases, ATransientQueueThatIsShared) {
    const std::string queue = unique_name("transient");
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str(queue);
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(ch_, &args, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "x")) << error_;
    EXPECT_TRUE(wait_message(queue));
    delete_queue(ch_, queue);
}

TEST_F(Releases, APrefetchForTheWholeChannel) {
    const std::string queues[] = {declare_queue(ch_), declare_queue(ch_)};
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = 3;
    qos.global = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_qos_wait(ch_, &qos, -1, nullptr, error_)) << error_;
    for (const std::string& queue : queues) {
        for (int i = 0; i < 5; ++i)
            ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "x")) << error_;
        ASSERT_TRUE(wait_messages(ch_, queue, 5));
    }
    EventLog log;
    for (const std::string& queue : queues)
        ASSERT_EQ(HAIGHA_OK, consume(ch_, queue, log.then())) << error_;
    const bool shared = release_->shares_a_global_prefetch();
    log.wait_count(HAIGHA_EVENT_DELIVERY, shared ? 3 : 6);
    // What is left is never to be less.
    EXPECT_TRUE(wait_messages(ch_, queues[0], 2));
    EXPECT_TRUE(wait_messages(ch_, queues[1], shared ? 5 : 2));
    EXPECT_EQ(log.count(HAIGHA_EVENT_DELIVERY), shared ? 3U : 6U);
}

TEST_F(Releases, AQuorumQueueCountsWhatComesBack) {
    const std::string queue = declare_quorum_queue();
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "x")) << error_;
    MessageHandle message = wait_message(queue);
    ASSERT_TRUE(message);
    EXPECT_EQ(haigha_nack(ch_, haigha_message_delivery_tag(message.get()), HAIGHA_REQUEUE, error_),
              HAIGHA_OK)
        << error_;
    message = wait_message(queue);
    ASSERT_TRUE(message);
    EXPECT_EQ(haigha_message_redelivered(message.get()), 1);
    EXPECT_EQ(header(message, release_->returns_header()), 1);
    delete_queue(ch_, queue);
}

TEST_F(Releases, AMessageThatComesBackAgainAndAgain) {
    const std::string queue = declare_quorum_queue();
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "x")) << error_;
    ASSERT_TRUE(wait_messages(ch_, queue, 1));
    int times = 0;
    for (; times < 50; ++times) {
        const MessageHandle message = get(ch_, queue, false);
        if (!message) break;
        ASSERT_EQ(HAIGHA_OK, haigha_nack(ch_, haigha_message_delivery_tag(message.get()),
                                         HAIGHA_REQUEUE, error_))
            << error_;
    }
    EXPECT_EQ(times, release_->most_deliveries_by_quorum_queue());
    delete_queue(ch_, queue);
}

// One node of the test's own: the time is an option of the node.
TEST_F(Releases, AConsumerThatDoesNotAck) {
    if (!ThrowawayBroker::available()) {
        GTEST_SKIP() << "HAIGHA_BROKER_TOOL does not name tools/broker: run this by meson test";
    }
    ThrowawayBroker broker(
        "--advanced '[{rabbit,[{channel_tick_interval,1000},{consumer_timeout,3000}]}].'");
    ASSERT_TRUE(broker.alive()) << "tools/broker did not start a node";
    uri_ = broker.uri();
    open();
    const std::string queue = declare_quorum_queue();
    EventLog log;
    const haigha_then then = log.then();
    const ChannelHandle channel = open_channel(connection_.get(), &then);
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, log.then())) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "x")) << error_;
    log.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    if (release_->cancels_a_late_consumer()) {
        EXPECT_EQ(haigha_channel_state(channel.get()), HAIGHA_STATE_OPEN);
        EXPECT_FALSE(declare_queue(channel.get()).empty());
    } else {
        const Recorded closed = log.state(HAIGHA_STATE_CLOSED);
        EXPECT_EQ(closed.status, HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER) << closed.error;
        EXPECT_EQ(closed.reply_code, 406);
    }
    EXPECT_EQ(haigha_connection_state(connection_.get()), HAIGHA_STATE_OPEN);
    EXPECT_TRUE(wait_message(queue)) << "the message did not come back to its queue";
    channel_.reset();
    connection_.reset();
}

}  // namespace
}  // namespace haigha::test
