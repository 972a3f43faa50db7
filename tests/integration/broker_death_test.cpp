// A broker that is killed, that throws everybody out, and that has no memory left.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/api_fixture.h"
#include "support/throwaway_broker.h"

namespace haigha::test {
namespace {

class BrokerDeath : public ApiTest {
  protected:
    static void SetUpTestSuite() {
        if (ThrowawayBroker::available()) broker_ = std::make_unique<ThrowawayBroker>();
    }
    static void TearDownTestSuite() { broker_.reset(); }
    void SetUp() override {
        if (!broker_) {
            GTEST_SKIP() << "HAIGHA_BROKER_TOOL does not name tools/broker: run this by meson test";
        }
        ASSERT_TRUE(broker_->alive()) << "tools/broker did not start a node";
        uri_ = broker_->uri();
        loop_ = start_loop();
    }
    static std::unique_ptr<ThrowawayBroker> broker_;
};

std::unique_ptr<ThrowawayBroker> BrokerDeath::broker_;

// rules 5, 15, 23: every message has one outcome, every operation completes once, nothing hangs.
TEST_F(BrokerDeath, KilledInTheMiddle) {
    EventLog connection_events;
    haigha_then then = connection_events.then();
    ConnectionHandle connection = connect({}, &then);
    EventLog outcomes;
    then = outcomes.then();
    ChannelHandle channel = open_channel(connection.get(), &then, true);
    // Durable and named: what was confirmed is looked for after the restart.
    const std::string queue = unique_name("killed");
    ASSERT_NO_FATAL_FAILURE(declare_durable(channel.get(), queue));
    broker_->write_down();
    ChannelHandle calls = open_channel(connection.get());
    EventLog deliveries;
    const std::string other = declare_queue(calls.get());
    ASSERT_EQ(HAIGHA_OK, consume(calls.get(), other, deliveries.then())) << error_;

    std::atomic<bool> stop{false};
    std::atomic<std::size_t> taken{0};
    std::thread publisher([&] {
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_DELIVERY_MODE;
        properties.delivery_mode = 2;
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue);
        args.properties = &properties;
        while (!stop) {
            // A window is always under way; without an end to it the rest would take long.
            if (taken >= outcomes.count(HAIGHA_EVENT_OUTCOME) + 5000) {
                std::this_thread::yield();
                continue;
            }
            const haigha_status status =
                haigha_publish(channel.get(), &args, str("some bytes"), nullptr, nullptr);
            if (status == HAIGHA_OK) ++taken;
            if (status == HAIGHA_ERR_CLOSED) break;
        }
    });
    EventLog completions;
    std::atomic<std::size_t> accepted{0};
    std::thread caller([&] {
        while (!stop) {
            const haigha_then done = completions.then();
            if (haigha_queue_purge(calls.get(), str(other), &done, nullptr) != HAIGHA_OK) break;
            // A window of calls is always under way.
            ++accepted;
            completions.wait_count(HAIGHA_EVENT_REPLY, accepted > 50 ? accepted - 50 : 0);
        }
    });
    std::thread waiter([&] {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(other);
        haigha_status status = HAIGHA_OK;
        while (status == HAIGHA_OK)
            status = haigha_publish_wait(calls.get(), &args, str("x"), -1, nullptr, nullptr);
        EXPECT_NE(status, HAIGHA_ERR_TIMEOUT);
    });
    outcomes.wait_count(HAIGHA_EVENT_OUTCOME, 1000);
    completions.wait_count(HAIGHA_EVENT_REPLY, 20);
    broker_->kill();

    const Recorded closed = connection_events.state(HAIGHA_STATE_CLOSED);
    EXPECT_TRUE(closed.failed);
    EXPECT_EQ(closed.status, HAIGHA_ERR_IO) << closed.error;
    EXPECT_EQ(closed.stage, "ready");
    stop = true;
    publisher.join();
    caller.join();
    waiter.join();
    outcomes.wait_count(HAIGHA_EVENT_OUTCOME, taken);
    completions.wait_count(HAIGHA_EVENT_REPLY, accepted);
    const Recorded cancelled = deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    EXPECT_TRUE(cancelled.failed);
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_CLOSED);
    const ErrorHandle last(haigha_connection_last_error(connection.get()));
    EXPECT_EQ(haigha_error_status(last.get()), HAIGHA_ERR_IO);
    close_loop(loop_.get());  // whatever came too often has come

    std::map<std::uint64_t, int> times;
    std::map<int, std::uint32_t> results;
    for (const Recorded& event : outcomes.events()) {
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        ++times[event.number];
        ++results[event.outcome];
    }
    EXPECT_EQ(times.size(), taken);
    for (const auto& [sequence, count] : times)
        EXPECT_EQ(count, 1) << sequence;
    EXPECT_EQ(completions.count(HAIGHA_EVENT_REPLY), accepted);
    EXPECT_EQ(completions.released(), accepted);
    EXPECT_EQ(results[HAIGHA_OUTCOME_RETURNED], 0U);

    // What was confirmed is there; what is there was confirmed or unknown.
    broker_->start();
    loop_ = start_loop();
    connection = connect();
    channel = open_channel(connection.get());
    const std::uint32_t kept = count_messages(channel.get(), queue);
    EXPECT_GE(kept, results[HAIGHA_OUTCOME_CONFIRMED]);
    EXPECT_LE(kept, results[HAIGHA_OUTCOME_CONFIRMED] + results[HAIGHA_OUTCOME_UNKNOWN]);
    calls.reset();
}

TEST_F(BrokerDeath, ClosedByAnOperator) {
    EventLog events;
    haigha_then then = events.then();
    const ConnectionHandle connection = connect({}, &then);
    EventLog channel_events;
    then = channel_events.then();
    const ChannelHandle channel = open_channel(connection.get(), &then);
    broker_->ctl("close_all_connections maintenance");
    const Recorded closed = events.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(closed.status, HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER) << closed.error;
    EXPECT_EQ(closed.reply_code, 320);
    EXPECT_EQ(closed.reply_text, "CONNECTION_FORCED - maintenance");
    EXPECT_EQ(channel_events.state(HAIGHA_STATE_CLOSED).reply_code, 320);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(channel.get(), "", "late"));
    EXPECT_EQ(error_.code(), 320);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

// rules 1 to 4
TEST_F(BrokerDeath, AMemoryAlarmBlocksPublishesAndNothingElse) {
    EventLog events;
    haigha_then then = events.then();
    const ConnectionHandle connection = connect({}, &then);
    const ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "before")) << error_;
    const MessageHandle before = get(channel.get(), queue, false);
    ASSERT_TRUE(before);

    broker_->ctl("set_vm_memory_high_watermark 0.00001");
    // RabbitMQ tells who publishes.
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "held back")) << error_;
    const Recorded blocked = events.wait_for(HAIGHA_EVENT_BLOCKED);
    EXPECT_TRUE(blocked.failed);
    EXPECT_NE(blocked.error.find("low on memory"), std::string::npos) << blocked.error;
    EXPECT_EQ(info(connection.get(), "blocked"), 1);

    EXPECT_EQ(HAIGHA_ERR_WOULD_BLOCK, publish(channel.get(), queue, "refused"));
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue);
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT,
              haigha_publish_wait(channel.get(), &args, str("refused"), 20, nullptr, error_));
    // Acks, flushes and new channels flow. (What RabbitMQ has to answer waits: it stopped reading.)
    EXPECT_EQ(HAIGHA_OK,
              haigha_ack(channel.get(), haigha_message_delivery_tag(before.get()), 0, error_))
        << error_;
    EXPECT_EQ(HAIGHA_OK, haigha_connection_flush_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(info(connection.get(), "outbox_bytes"), 0);

    EXPECT_EQ(events.count(HAIGHA_EVENT_WRITABLE), 0U);
    broker_->ctl("set_vm_memory_high_watermark 0.4");
    events.wait_for(HAIGHA_EVENT_UNBLOCKED);
    events.wait_for(HAIGHA_EVENT_WRITABLE);
    EXPECT_EQ(info(connection.get(), "blocked"), 0);
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), queue, "after")) << error_;
    EXPECT_TRUE(wait_messages(channel.get(), queue, 2));
}

}  // namespace
}  // namespace haigha::test
