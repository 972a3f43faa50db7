// What a real broker says of the deaths of messages, and of their deliveries.
#include <gtest/gtest.h>
#include <haigha/death.h>
#include <haigha/queue_arguments.h>

#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "support/api_fixture.h"
#include "support/broker_release.h"

namespace haigha::test {
namespace {

class DeadLetters : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        channel_ = open_channel(connection_.get(), nullptr, true);
        ch_ = channel_.get();
    }
    void TearDown() override {
        for (const std::string& queue : queues_)
            delete_queue(ch_, queue);
        channel_.reset();
        connection_.reset();
        ApiTest::TearDown();
    }

    // Of this test, deleted at its end.
    std::string queue(const std::string& name, const haigha_queue_arguments& arguments) {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        TableHandle table;
        EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(table), error_)) << error_;
        args.queue = str(name);
        args.durable = 1;
        EXPECT_EQ(HAIGHA_OK, haigha_queue_arguments_add(&arguments, &args, connection_.get(),
                                                        table.get(), error_))
            << error_;
        args.arguments = table.get();
        EXPECT_EQ(HAIGHA_OK, haigha_queue_declare_wait(ch_, &args, -1, nullptr, error_)) << error_;
        queues_.push_back(name);
        return name;
    }
    // What dies in it goes to `next`, by the default exchange.
    haigha_queue_arguments dead_lettering(const std::string& next) const {
        haigha_queue_arguments arguments = HAIGHA_QUEUE_ARGUMENTS_INIT;
        arguments.present = HAIGHA_QUEUE_HAS_DEAD_LETTER_EXCHANGE;
        arguments.dead_letter_routing_key = str(next);
        return arguments;
    }
    void send(const std::string& to, const haigha_properties* properties = nullptr) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(to);
        args.properties = properties;
        ASSERT_EQ(HAIGHA_OK, haigha_publish_wait(ch_, &args, str("x"), -1, nullptr, error_))
            << error_;
    }
    // The message that comes, unsettled.
    MessageHandle take(const std::string& from) {
        EXPECT_TRUE(wait_messages(ch_, from, 1)) << from;
        return get(ch_, from, false);
    }
    void reject(const MessageHandle& message) {
        EXPECT_EQ(HAIGHA_OK,
                  haigha_reject(ch_, haigha_message_delivery_tag(message.get()), 0, error_))
            << error_;
    }
    std::uint64_t deaths(const MessageHandle& of, std::string_view queue, std::string_view reason) {
        std::uint64_t count = 99;
        EXPECT_EQ(HAIGHA_OK,
                  haigha_message_death_count(of.get(), str(queue), str(reason), &count, error_))
            << error_;
        return count;
    }
    std::uint64_t deliveries(const MessageHandle& of) {
        std::uint64_t count = 99;
        EXPECT_EQ(HAIGHA_OK, haigha_message_delivery_count(of.get(), &count, error_)) << error_;
        return count;
    }

    ConnectionHandle connection_;
    ChannelHandle channel_;
    haigha_channel* ch_ = nullptr;
    std::vector<std::string> queues_;
};

TEST_F(DeadLetters, ARecordSaysWhereAndWhyItDied) {
    const std::string end = queue(unique_name("end"), HAIGHA_QUEUE_ARGUMENTS_INIT);
    const std::string work = queue(unique_name("work"), dead_lettering(end));
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_EXPIRATION;
    properties.expiration = str("3600000");
    const auto before = static_cast<std::uint64_t>(std::time(nullptr));
    send(work, &properties);
    MessageHandle message = take(work);
    EXPECT_EQ(0U, deaths(message, "", ""));
    std::size_t count = 99;
    EXPECT_EQ(HAIGHA_OK, haigha_message_deaths(message.get(), nullptr, 0, &count, error_));
    EXPECT_EQ(0U, count);
    reject(message);

    message = take(end);
    haigha_death death{};
    ASSERT_EQ(HAIGHA_OK, haigha_message_deaths(message.get(), &death, 1, &count, error_)) << error_;
    ASSERT_EQ(1U, count);
    EXPECT_EQ(work, view(death.queue));
    EXPECT_EQ("rejected", view(death.reason));
    EXPECT_EQ("", view(death.exchange));
    EXPECT_EQ("3600000", view(death.original_expiration));
    EXPECT_EQ(work, view(death.routing_key));
    EXPECT_EQ(1U, death.count);
    EXPECT_GE(death.time_s, before - 60);
    EXPECT_LE(death.time_s, before + 3600);
    haigha_field key;
    ASSERT_EQ(1, haigha_cursor_next(&death.routing_keys, &key));
    EXPECT_EQ(work, view(key.bytes));
    EXPECT_EQ(0, haigha_cursor_next(&death.routing_keys, &key));
    reject(message);
}

// Round and round: each queue and reason has one record, and its count.
TEST_F(DeadLetters, EachRoundCounts) {
    const std::string work = unique_name("work");
    haigha_queue_arguments waits = dead_lettering(work);
    waits.message_ttl_ms = 1;
    const std::string delay = queue(unique_name("delay"), waits);
    (void)queue(work, dead_lettering(delay));
    send(work);
    for (std::uint64_t round = 0; round < 3; ++round) {
        const MessageHandle message = take(work);
        EXPECT_EQ(round, deaths(message, work, "rejected"));
        EXPECT_EQ(round, deaths(message, delay, "expired"));
        EXPECT_EQ(0U, deaths(message, work, "expired"));
        EXPECT_EQ(2 * round, deaths(message, "", ""));
        // Fewer than there are.
        haigha_death death{};
        std::size_t count = 99;
        ASSERT_EQ(HAIGHA_OK, haigha_message_deaths(message.get(), &death, 1, &count, error_));
        EXPECT_EQ(round == 0 ? 0U : 2U, count);
        if (round > 0) {
            EXPECT_EQ(delay, view(death.queue)) << "the latest is the first";
        }
        reject(message);
    }
    EXPECT_TRUE(wait_messages(ch_, work, 1));
}

TEST_F(DeadLetters, OtherReasons) {
    const std::string end = queue(unique_name("end"), HAIGHA_QUEUE_ARGUMENTS_INIT);
    haigha_queue_arguments full = dead_lettering(end);
    full.max_length = 1;
    const std::string small = queue(unique_name("small"), full);
    send(small);
    send(small);
    const MessageHandle dropped = take(end);
    EXPECT_EQ(1U, deaths(dropped, small, "maxlen"));
    haigha_ack(ch_, haigha_message_delivery_tag(dropped.get()), 0, nullptr);
}

// x-delivery-count, and from 4.3 on x-acquired-count.
TEST_F(DeadLetters, AQuorumQueueCountsDeliveries) {
    haigha_queue_arguments quorum = HAIGHA_QUEUE_ARGUMENTS_INIT;
    quorum.kind = HAIGHA_QUEUE_QUORUM;
    const std::string of = queue(unique_name("quorum"), quorum);
    send(of);
    for (std::uint64_t before = 0; before < 3; ++before) {
        const MessageHandle message = take(of);
        EXPECT_EQ(before, deliveries(message));
        haigha_nack(ch_, haigha_message_delivery_tag(message.get()), HAIGHA_REQUEUE, nullptr);
    }
    EXPECT_TRUE(wait_messages(ch_, of, 1));
    const std::string classic = queue(unique_name("classic"), HAIGHA_QUEUE_ARGUMENTS_INIT);
    send(classic);
    EXPECT_EQ(0U, deliveries(get(ch_, classic)));
}

// x-death is what a publisher makes it until the message dies: the broker adds to that or, from 4.0
// on, puts its own in its place.
TEST_F(DeadLetters, APublishersOwnDeaths) {
    const std::string end = queue(unique_name("end"), HAIGHA_QUEUE_ARGUMENTS_INIT);
    const std::string of = queue(unique_name("forged"), dead_lettering(end));
    TableHandle record;
    TableHandle array;
    TableHandle headers;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(record), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_new_array(out(array), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(headers), error_));
    haigha_table_add_string(record.get(), str("queue"), str("elsewhere"), nullptr);
    haigha_table_add_string(record.get(), str("reason"), str("boredom"), nullptr);
    haigha_table_add_int(record.get(), str("count"), 41, nullptr);
    haigha_table_add_table(array.get(), str(""), record.get(), nullptr);
    haigha_table_add_table(headers.get(), str("x-death"), array.get(), nullptr);
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = headers.get();
    send(of, &properties);
    const bool alone = BrokerRelease(connection_.get()).writes_deaths_anew();
    const MessageHandle alive = take(of);
    EXPECT_EQ(41U, deaths(alive, "elsewhere", "boredom"));
    reject(alive);
    const MessageHandle dead = take(end);
    EXPECT_EQ(alone ? 0U : 41U, deaths(dead, "elsewhere", "boredom"));
    EXPECT_EQ(1U, deaths(dead, of, "rejected"));
    reject(dead);
}

}  // namespace
}  // namespace haigha::test
