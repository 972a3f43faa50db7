// The retry kit on a real broker: what fails comes again after its delay, and at last is put aside;
// and nothing is lost on the way.
#include <gtest/gtest.h>
#include <haigha/queue_arguments.h>
#include <haigha/retry.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "support/api_fixture.h"
#include "support/fault_proxy.h"

namespace haigha::test {
namespace {

// A header of a message, as text.
std::string header(const haigha_message* message, std::string_view name) {
    haigha_cursor cursor;
    haigha_field field;
    std::string found = "(none)";
    if (haigha_message_headers(message, &cursor, nullptr) != HAIGHA_OK) return "(malformed)";
    while (haigha_cursor_next(&cursor, &field) == 1) {
        if (view(field.name) != name) continue;
        found = field.type == HAIGHA_FIELD_STRING ? std::string(view(field.bytes))
                                                  : std::to_string(field.integer);
    }
    return found;
}

class Retries : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        channel_ = open_channel(connection_.get(), nullptr, true);
        queue_ = unique_name("work");
        declare_durable(channel_.get(), queue_);
    }
    void TearDown() override {
        retry_.reset();
        if (connection_) {
            const ConnectionHandle cleaner = connect();
            const ChannelHandle channel = open_channel(cleaner.get());
            for (const std::string& step : {step(1), step(2), step(60'000), quarantine()}) {
                delete_queue(channel.get(), step);
                delete_exchange(channel.get(), step);
            }
            delete_queue(channel.get(), queue_);
            delete_exchange(channel.get(), queue_ + ".retry");
        }
        channel_.reset();
        connection_.reset();
        ApiTest::TearDown();
    }

    std::string step(int delay_ms) const {
        return queue_ + ".retry." + std::to_string(delay_ms) + "ms";
    }
    std::string quarantine() const { return queue_ + ".quarantine"; }
    static void delete_exchange(haigha_channel* channel, const std::string& name) {
        haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
        args.exchange = str(name);
        haigha_exchange_delete_wait(channel, &args, -1, nullptr, nullptr);
    }

    RetryHandle ladder(haigha_connection* connection, std::vector<std::uint64_t> delays,
                       bool quorum = false) {
        haigha_retry_args args = HAIGHA_RETRY_ARGS_INIT;
        args.queue = str(queue_);
        args.delays_ms = delays.data();
        args.delay_count = delays.size();
        args.quorum = quorum ? 1 : 0;
        RetryHandle retry;
        EXPECT_EQ(HAIGHA_OK, haigha_retry_new(connection, &args, out(retry), error_)) << error_;
        return retry;
    }
    // One that is there.
    void declare(const std::vector<std::uint64_t>& delays, bool quorum = false) {
        retry_ = ladder(connection_.get(), delays, quorum);
        ASSERT_EQ(HAIGHA_OK, haigha_retry_declare_wait(retry_.get(), -1, error_)) << error_;
    }
    void send(std::string_view body, const haigha_properties* properties = nullptr,
              std::string_view exchange = {}) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str(exchange);
        args.routing_key = str(queue_);
        args.properties = properties;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(channel_.get(), &args, str(body), -1, nullptr, error_))
            << error_;
    }
    MessageHandle take(const std::string& from) {
        EXPECT_TRUE(wait_messages(channel_.get(), from, 1)) << from;
        return get(channel_.get(), from, false);
    }
    // Gives it to the ladder, and what that answers.
    Recorded again(const MessageHandle& message, std::string_view reason = "why") {
        return completion([&](const haigha_then* then) {
            return haigha_retry_message(retry_.get(), channel_.get(), message.get(), str(reason),
                                        then, error_);
        });
    }
    std::uint64_t retries(const MessageHandle& message) {
        std::uint64_t count = 99;
        EXPECT_EQ(HAIGHA_OK, haigha_message_retries(message.get(), &count, error_)) << error_;
        return count;
    }
    std::int64_t number_of(std::string_view name) {
        std::int64_t value = -1;
        EXPECT_EQ(HAIGHA_OK, haigha_retry_info(retry_.get(), str(name), &value, error_)) << error_;
        return value;
    }
    void ack(const MessageHandle& message) {
        EXPECT_EQ(HAIGHA_OK,
                  haigha_ack(channel_.get(), haigha_message_delivery_tag(message.get()), 0, error_))
            << error_;
    }

    ConnectionHandle connection_;
    ChannelHandle channel_;
    std::string queue_;
    RetryHandle retry_;
};

TEST_F(Retries, StepByStepAndThenAside) {
    declare({1, 2});
    haigha_queue_bind_args bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
    bind.queue = str(queue_);
    bind.exchange = str("amq.direct");
    bind.routing_key = str(queue_);
    ASSERT_EQ(HAIGHA_OK, haigha_queue_bind_wait(channel_.get(), &bind, -1, nullptr, error_));
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_MESSAGE_ID | HAIGHA_PROPERTY_EXPIRATION |
                         HAIGHA_PROPERTY_USER_ID | HAIGHA_PROPERTY_DELIVERY_MODE;
    properties.message_id = str("m-1");
    properties.expiration = str("3600000");
    properties.user_id = str("guest");
    properties.delivery_mode = 2;
    send("body", &properties, "amq.direct");
    const std::string steps[] = {step(1), step(2), quarantine()};
    for (std::uint64_t before = 0; before < 3; ++before) {
        const MessageHandle message = take(queue_);
        EXPECT_EQ(before, retries(message));
        EXPECT_EQ("body", view(haigha_message_body(message.get())));
        EXPECT_EQ(queue_, view(haigha_message_routing_key(message.get()))) << "it keeps its key";
        const Recorded answer = again(message, "failed " + std::to_string(before));
        EXPECT_FALSE(answer.failed) << answer.error;
        EXPECT_EQ(steps[before], answer.queue);
        EXPECT_EQ(HAIGHA_OUTCOME_CONFIRMED,
                  answer.outcome == 0 ? HAIGHA_OUTCOME_CONFIRMED : answer.outcome);
    }
    const MessageHandle aside = take(quarantine());
    EXPECT_EQ("3", header(aside.get(), "x-haigha-retries"));
    EXPECT_EQ("failed 2", header(aside.get(), "x-haigha-retry-reason"));
    EXPECT_EQ("amq.direct", header(aside.get(), "x-haigha-retry-exchange"));
    EXPECT_EQ("3600000", header(aside.get(), "x-haigha-retry-expiration"));
    EXPECT_EQ("guest", header(aside.get(), "x-haigha-retry-user-id"));
    haigha_properties kept = HAIGHA_PROPERTIES_INIT;
    ASSERT_EQ(HAIGHA_OK, haigha_message_properties(aside.get(), &kept, error_));
    EXPECT_EQ("m-1", view(kept.message_id));
    EXPECT_EQ(2, kept.delivery_mode);
    ack(aside);
    EXPECT_EQ(2, number_of("retried"));
    EXPECT_EQ(1, number_of("quarantined"));
    EXPECT_EQ(0, number_of("open"));
    EXPECT_EQ(0, number_of("failed"));
    // Each delivery was acknowledged.
    channel_ = open_channel(connection_.get(), nullptr, true);
    EXPECT_TRUE(wait_messages(channel_.get(), queue_, 0));
}

TEST_F(Retries, ByQuorumQueues) {
    declare({1}, true);
    send("x");
    EXPECT_FALSE(again(take(queue_)).failed);
    EXPECT_FALSE(again(take(queue_)).failed);
    const MessageHandle aside = take(quarantine());
    EXPECT_EQ(2U, retries(aside));
    ack(aside);
}

TEST_F(Retries, StraightAside) {
    declare({60'000});
    send("poison");
    const MessageHandle message = take(queue_);
    const Recorded answer = completion([&](const haigha_then* then) {
        return haigha_retry_quarantine(retry_.get(), channel_.get(), message.get(), str("no order"),
                                       then, error_);
    });
    EXPECT_FALSE(answer.failed) << answer.error;
    EXPECT_EQ(quarantine(), answer.queue);
    const MessageHandle aside = take(quarantine());
    EXPECT_EQ("no order", header(aside.get(), "x-haigha-retry-reason"));
    ack(aside);
    EXPECT_EQ(1, number_of("quarantined"));
}

// A second declaration changes nothing, and another ladder of the same queue is another queue.
TEST_F(Retries, ALadderMayGrow) {
    declare({1});
    declare({1});
    declare({1, 2});
    send("x");
    EXPECT_EQ(step(1), again(take(queue_)).queue);
    EXPECT_EQ(step(2), again(take(queue_)).queue);
    ack(take(queue_));
}

TEST_F(Retries, AsPartOfATopology) {
    retry_ = ladder(connection_.get(), {1});
    TopologyHandle topology;
    ASSERT_EQ(HAIGHA_OK, haigha_topology_new(out(topology), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_topology_add_text(topology.get(),
                                                  str("queue " + queue_ + " durable"), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_retry_describe(retry_.get(), topology.get(), error_)) << error_;
    ReportHandle report;
    ASSERT_EQ(HAIGHA_OK, haigha_topology_apply_wait(topology.get(), connection_.get(), 0, -1,
                                                    out(report), error_))
        << error_;
    // Three exchanges, two queues and three bindings, besides the queue that was there.
    EXPECT_EQ(8U, haigha_topology_report_count(report.get(), HAIGHA_TOPOLOGY_CREATED));
    EXPECT_EQ(1U, haigha_topology_report_count(report.get(), HAIGHA_TOPOLOGY_EXISTS));
    send("x");
    EXPECT_EQ(step(1), again(take(queue_)).queue);
    ack(take(queue_));
}

TEST_F(Retries, WithoutALadderTheDeliveryStaysOpen) {
    retry_ = ladder(connection_.get(), {1});
    send("x");
    const MessageHandle message = take(queue_);
    Recorded answer = again(message);
    EXPECT_TRUE(answer.failed);
    EXPECT_EQ(404, answer.reply_code) << answer.error;
    EXPECT_TRUE(answer.error.starts_with("the message could not be given to \"" + step(1)))
        << answer.error;
    // An exchange that leads nowhere.
    haigha_exchange_declare_args exchange = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    const std::string name = step(1);
    exchange.exchange = str(name);
    exchange.type = str("fanout");
    exchange.durable = 1;
    ASSERT_EQ(HAIGHA_OK,
              haigha_exchange_declare_wait(channel_.get(), &exchange, -1, nullptr, error_));
    answer = again(message);
    EXPECT_EQ(HAIGHA_ERR_RETURNED, answer.status) << answer.error;
    EXPECT_EQ(312, answer.reply_code);
    // A queue that takes nothing.
    haigha_queue_arguments full = HAIGHA_QUEUE_ARGUMENTS_INIT;
    full.present = HAIGHA_QUEUE_HAS_MAX_LENGTH;
    full.overflow = HAIGHA_OVERFLOW_REJECT_PUBLISH;
    TableHandle arguments;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(arguments), error_));
    ASSERT_EQ(HAIGHA_OK,
              haigha_queue_arguments_add(&full, nullptr, nullptr, arguments.get(), error_));
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    queue.queue = str(name);
    queue.arguments = arguments.get();
    queue.durable = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel_.get(), &queue, -1, nullptr, error_));
    haigha_queue_bind_args bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
    bind.queue = str(name);
    bind.exchange = str(name);
    ASSERT_EQ(HAIGHA_OK, haigha_queue_bind_wait(channel_.get(), &bind, -1, nullptr, error_));
    answer = again(message);
    EXPECT_EQ(HAIGHA_ERR_RETURNED, answer.status) << answer.error;
    EXPECT_NE(std::string::npos, answer.error.find("basic.nack")) << answer.error;
    EXPECT_EQ(3, number_of("failed"));
    // It is still the caller's.
    EXPECT_EQ(HAIGHA_OK, haigha_nack(channel_.get(), haigha_message_delivery_tag(message.get()),
                                     HAIGHA_REQUEUE, error_))
        << error_;
    ack(take(queue_));
}

// The ack that could not be said any more: it comes twice, and both times it is itself.
TEST_F(Retries, ADeliveryWhoseChannelHasGoneComesTwice) {
    declare({1});
    const ChannelHandle gone = open_channel(connection_.get());
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_MESSAGE_ID;
    properties.message_id = str("m-1");
    send("x", &properties);
    ASSERT_TRUE(wait_messages(channel_.get(), queue_, 1));
    const MessageHandle message = get(gone.get(), queue_, false);
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(gone.get(), -1, error_)) << error_;
    const Recorded answer = completion([&](const haigha_then* then) {
        return haigha_retry_message(retry_.get(), gone.get(), message.get(), str("late"), then,
                                    error_);
    });
    EXPECT_EQ(HAIGHA_ERR_CLOSED, answer.status) << answer.error;
    EXPECT_NE(std::string::npos, answer.error.find("could not be acknowledged")) << answer.error;
    EXPECT_EQ(step(1), answer.queue);
    EXPECT_EQ(1, number_of("unacknowledged"));
    ASSERT_TRUE(wait_messages(channel_.get(), queue_, 2));
    std::map<std::uint64_t, bool> redelivered;
    for (int which = 0; which < 2; ++which) {
        const MessageHandle one = get(channel_.get(), queue_);
        redelivered[retries(one)] = haigha_message_redelivered(one.get()) != 0;
        haigha_properties of = HAIGHA_PROPERTIES_INIT;
        ASSERT_EQ(HAIGHA_OK, haigha_message_properties(one.get(), &of, error_));
        EXPECT_EQ("m-1", view(of.message_id));
    }
    EXPECT_EQ((std::map<std::uint64_t, bool>{{0, true}, {1, false}}), redelivered);
}

// RabbitMQ up to 3.13 takes what has expired in the queue that it goes to for a cycle, and drops
// it; that history does not go with a message that is retried.
TEST_F(Retries, AMessageWithAPastIsNotTakenForACycle) {
    declare({1});
    TableHandle record;
    TableHandle array;
    TableHandle headers;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(record), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_new_array(out(array), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(headers), error_));
    haigha_table_add_string(record.get(), str("queue"), str(queue_), nullptr);
    haigha_table_add_string(record.get(), str("reason"), str("expired"), nullptr);
    haigha_table_add_int(record.get(), str("count"), 1, nullptr);
    haigha_table_add_table(array.get(), str(""), record.get(), nullptr);
    haigha_table_add_table(headers.get(), str("x-death"), array.get(), nullptr);
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = headers.get();
    send("x", &properties);
    EXPECT_FALSE(again(take(queue_)).failed);
    ack(take(queue_));
}

// Dropped with something under way: it is silent, and the hook runs.
TEST_F(Retries, DroppingALadderIsSilent) {
    declare({60'000});
    send("x");
    const MessageHandle message = take(queue_);
    EventLog log;
    const haigha_then then = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_retry_message(retry_.get(), channel_.get(), message.get(), str("x"),
                                              &then, error_))
        << error_;
    retry_.reset();
    EXPECT_TRUE(log.wait_released(1));
    EXPECT_LE(log.size(), 1U);
}

TEST_F(Retries, WhatALadderCannotBe) {
    const auto refused = [&](std::uint64_t delay, std::size_t count, std::string_view queue) {
        haigha_retry_args args = HAIGHA_RETRY_ARGS_INIT;
        const std::vector<std::uint64_t> delays(count, delay);
        args.queue = str(queue);
        args.delays_ms = delays.data();
        args.delay_count = count;
        RetryHandle retry;
        EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
                  haigha_retry_new(connection_.get(), &args, out(retry), error_));
        return error_.message();
    };
    EXPECT_EQ("args->queue is empty", refused(1, 1, ""));
    EXPECT_EQ("args->delay_count is 0, not 1 to 64", refused(1, 0, "q"));
    EXPECT_EQ("args->delay_count is 65, not 1 to 64", refused(1, 65, "q"));
    EXPECT_EQ("args->delays_ms has 0, not 1 to 315,360,000,000", refused(0, 1, "q"));
    EXPECT_EQ("a name has 256 bytes, over 255", refused(1, 1, std::string(250, 'q')));
    retry_ = ladder(connection_.get(), {1});
    EXPECT_EQ(
        HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER,
        (delete_queue(channel_.get(), queue_), haigha_retry_declare_wait(retry_.get(), -1, error_)))
        << "the queue that it is for is not there";
    EXPECT_EQ(404, error_.code());
}

// A consumer that fails each message, on a connection that is cut again and again: each message is
// at last in the quarantine, once or more often.
TEST_F(Retries, WhateverHappensNothingIsLost) {
    constexpr std::size_t messages = 40;
    constexpr std::size_t cuts = 8;
    declare({1, 2});
    for (std::size_t n = 1; n <= messages; ++n)
        send(std::to_string(n));
    const std::size_t colon = uri_.rfind(':');
    FaultProxy proxy(static_cast<std::uint16_t>(std::stoi(uri_.substr(colon + 1))));
    const OptionsHandle chosen =
        options_from(uri_.substr(0, colon + 1) + std::to_string(proxy.port()),
                     {{"recovery", 1}, {"recovery_delay_ms", 10}, {"recovery_max_delay_ms", 50}});
    EventLog states;
    const haigha_then on_state = states.then();
    const ConnectionHandle through = new_connection(loop_.get(), chosen.get(), &on_state);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(through.get(), -1, error_)) << error_;
    const RetryHandle retry = ladder(through.get(), {1, 2});
    EventLog answers;
    EventLog deliveries([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        const haigha_then then = answers.then();
        // What is refused meanwhile is delivered again when the connection is back.
        (void)haigha_retry_message(retry.get(), event.channel, event.message, str("fails"), &then,
                                   nullptr);
    });
    const ChannelHandle consumer = open_channel(through.get());
    ASSERT_EQ(HAIGHA_OK, consume(consumer.get(), queue_, deliveries.then())) << error_;
    for (std::size_t cut = 1; cut <= cuts; ++cut) {
        // In the midst of it: some are published, some confirmed, some acknowledged.
        ASSERT_TRUE(deliveries.wait_count(HAIGHA_EVENT_DELIVERY, cut * 10));
        proxy.command("reset");
    }
    EventLog aside;
    const ChannelHandle watcher = open_channel(connection_.get());
    ASSERT_EQ(HAIGHA_OK, consume(watcher.get(), quarantine(), aside.then(), true)) << error_;
    EXPECT_TRUE(aside.wait_numbered(messages));
    haigha_connection_close_wait(through.get(), -1, nullptr);
}

// A process that has taken deliveries and dies: what it had is the broker's again, or in the
// ladder.
TEST_F(Retries, AProcessThatDiesLosesNothing) {
    constexpr std::size_t deaths = 12;
    constexpr std::size_t more = 5;
    std::size_t messages = 0;
    declare({1, 2});
    for (std::size_t life = 0; life <= deaths; ++life) {
        for (std::size_t n = 0; n < more; ++n)
            send(std::to_string(++messages));
        // Each has a pool of its own, whose channels are not open when the first deliveries come.
        const ConnectionHandle connection = connect();
        const RetryHandle retry = ladder(connection.get(), {1, 2});
        EventLog deliveries([&](const haigha_event& event) {
            if (event.type != HAIGHA_EVENT_DELIVERY) return;
            (void)haigha_retry_message(retry.get(), event.channel, event.message, str("fails"),
                                       nullptr, nullptr);
        });
        const ChannelHandle consumer = open_channel(connection.get());
        ASSERT_EQ(HAIGHA_OK, consume(consumer.get(), queue_, deliveries.then())) << error_;
        if (life < deaths) {
            ASSERT_TRUE(deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 1 + life % more));
            haigha_connection_close_wait(connection.get(), 0, nullptr);
            continue;
        }
        EventLog aside;
        const ChannelHandle watcher = open_channel(connection_.get());
        ASSERT_EQ(HAIGHA_OK, consume(watcher.get(), quarantine(), aside.then(), true)) << error_;
        EXPECT_TRUE(aside.wait_numbered(messages));
        haigha_connection_close_wait(connection.get(), -1, nullptr);
    }
}

}  // namespace
}  // namespace haigha::test
