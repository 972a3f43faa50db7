#include "topology/retry_ladder.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace haigha::topology {
namespace {

using wire::FieldError;
using wire::FieldTable;

RetryLadder ladder(std::vector<std::uint64_t> delays, bool quorum = false) {
    return {{"orders", "orders.retry", "orders.quarantine"}, std::move(delays), quorum};
}

// A message with properties of its own.
struct Delivered {
    explicit Delivered(const wire::Properties& properties) {
        octets.resize(wire::properties_size(properties));
        wire::write_properties(properties, octets.data());
        message.exchange = std::string_view("market");
        message.routing_key = std::string_view("order.paid");
        message.body = std::string_view("body");
        message.properties = octets;
    }
    std::vector<std::byte> octets;
    client::Message message;
};

std::string headers_of(const protocol::PublishRequest& request) {
    return wire::describe_table(request.properties->headers.bytes);
}

TEST(RetryLadder, ALadderIsExchangesAndQueues) {
    Description description;
    EXPECT_EQ("", ladder({1000, 60000}).add_to(description));
    ASSERT_EQ(4U, description.exchanges().size());
    EXPECT_EQ("orders.retry", description.exchanges()[0].name);
    for (const ExchangeDescription& exchange : description.exchanges()) {
        EXPECT_EQ("fanout", exchange.type);
        EXPECT_TRUE(exchange.durable);
    }
    ASSERT_EQ(3U, description.queues().size());
    EXPECT_EQ("orders.retry.1000ms", description.queues()[0].name);
    EXPECT_EQ(R"({x-dead-letter-exchange="orders.retry", x-message-ttl=1000})",
              wire::describe_table(description.queues()[0].arguments));
    EXPECT_EQ("orders.quarantine", description.queues()[2].name);
    EXPECT_EQ("{}", wire::describe_table(description.queues()[2].arguments));
    ASSERT_EQ(4U, description.bindings().size());
    EXPECT_EQ("orders", description.bindings()[3].destination);
    EXPECT_EQ("orders.retry", description.bindings()[3].source);
}

TEST(RetryLadder, QuorumQueuesDeadLetterAtLeastOnce) {
    Description description;
    EXPECT_EQ("", ladder({1000}, true).add_to(description));
    EXPECT_EQ(R"({x-queue-type="quorum", x-dead-letter-exchange="orders.retry", )"
              R"(x-dead-letter-strategy="at-least-once", x-message-ttl=1000, )"
              R"(x-overflow="reject-publish"})",
              wire::describe_table(description.queues()[0].arguments));
    EXPECT_EQ(R"({x-queue-type="quorum"})",
              wire::describe_table(description.queues()[1].arguments));
}

TEST(RetryLadder, EqualDelaysShareAQueue) {
    Description description;
    const RetryLadder of = ladder({5, 5, 7});
    EXPECT_EQ("", of.add_to(description));
    EXPECT_EQ(3U, description.queues().size());
    EXPECT_EQ("orders.retry.5ms", of.step(0));
    EXPECT_EQ("orders.retry.5ms", of.step(1));
    EXPECT_EQ("orders.retry.7ms", of.step(2));
    EXPECT_EQ("orders.quarantine", of.step(3));
    EXPECT_EQ("orders.quarantine", of.step(std::uint64_t(-1)));
}

TEST(RetryLadder, ALadderThatDoesNotFitAddsNothing) {
    Description description;
    EXPECT_EQ("", description.add_text("queue orders.quarantine"));
    EXPECT_EQ("the queue \"orders.quarantine\" is described already, in another way",
              ladder({1}).add_to(description));
    EXPECT_TRUE(description.exchanges().empty());
    const RetryLadder long_names({"q", std::string(250, 'p'), "x"}, {1000}, false);
    EXPECT_EQ("a name has 257 bytes, over 255", long_names.add_to(description));
}

TEST(RetryLadder, AMessageKeepsWhatItIs) {
    FieldTable headers;
    ASSERT_EQ(FieldError::none, headers.add_string("mine", "kept"));
    wire::Properties properties;
    properties.present = wire::property_headers | wire::property_message_id |
                         wire::property_delivery_mode | wire::property_reply_to;
    properties.headers = {headers.contents()};
    properties.message_id = "m-1";
    properties.delivery_mode = 2;
    properties.reply_to = "answers";
    const Delivered delivered(properties);
    RetriedMessage again;
    ASSERT_FALSE(again.read(delivered.message));
    EXPECT_EQ(0U, again.retries());
    protocol::PublishRequest request;
    ASSERT_FALSE(again.write("orders.retry.1000ms", "no route to the bank", request));
    EXPECT_EQ("orders.retry.1000ms", request.exchange);
    EXPECT_EQ("order.paid", request.routing_key);
    EXPECT_TRUE(request.mandatory);
    EXPECT_EQ("body", wire::as_text(request.body));
    EXPECT_EQ("m-1", request.properties->message_id);
    EXPECT_EQ("answers", request.properties->reply_to);
    EXPECT_EQ(2, request.properties->delivery_mode);
    EXPECT_EQ(R"({mine="kept", x-haigha-retry-exchange="market", x-haigha-retries=1, )"
              R"(x-haigha-retry-reason="no route to the bank"})",
              headers_of(request));
}

TEST(RetryLadder, WhatABrokerWouldJudgeAnewGoesIntoHeaders) {
    FieldTable deaths(wire::TableKind::array);
    FieldTable headers;
    ASSERT_EQ(FieldError::none, headers.add_table("x-death", deaths));
    ASSERT_EQ(FieldError::none, headers.add_string("x-first-death-queue", "orders"));
    ASSERT_EQ(FieldError::none, headers.add_string("x-last-death-reason", "expired"));
    ASSERT_EQ(FieldError::none, headers.add_int("x-delivery-count", 2));
    ASSERT_EQ(FieldError::none, headers.add_int("x-haigha-retries", 4));
    ASSERT_EQ(FieldError::none, headers.add_string("x-haigha-retry-reason", "before"));
    ASSERT_EQ(FieldError::none, headers.add_string("x-haigha-retry-exchange", "first"));
    wire::Properties properties;
    properties.present =
        wire::property_headers | wire::property_expiration | wire::property_user_id;
    properties.headers = {headers.contents()};
    properties.expiration = "5000";
    properties.user_id = "somebody";
    const Delivered delivered(properties);
    RetriedMessage again;
    ASSERT_FALSE(again.read(delivered.message));
    EXPECT_EQ(4U, again.retries());
    protocol::PublishRequest request;
    ASSERT_FALSE(again.write("x", "now", request));
    EXPECT_FALSE(request.properties->has(wire::property_expiration));
    EXPECT_FALSE(request.properties->has(wire::property_user_id));
    EXPECT_EQ(
        R"({x-haigha-retry-exchange="first", x-haigha-retry-expiration="5000", )"
        R"(x-haigha-retry-user-id="somebody", x-haigha-retries=5, x-haigha-retry-reason="now"})",
        headers_of(request));
}

TEST(RetryLadder, AMessageWithoutPropertiesGetsHeaders) {
    const Delivered delivered{wire::Properties()};
    RetriedMessage again;
    ASSERT_FALSE(again.read(delivered.message));
    protocol::PublishRequest request;
    ASSERT_FALSE(again.write("x", "", request));
    EXPECT_TRUE(request.properties->has(wire::property_headers));
    EXPECT_EQ(R"({x-haigha-retry-exchange="market", x-haigha-retries=1, x-haigha-retry-reason=""})",
              headers_of(request));
}

TEST(RetryLadder, ALongReasonIsCutBetweenCharacters) {
    const Delivered delivered{wire::Properties()};
    const auto kept = [&](const std::string& reason) {
        RetriedMessage again;
        EXPECT_FALSE(again.read(delivered.message));
        protocol::PublishRequest request;
        EXPECT_FALSE(again.write("x", reason, request));
        wire::TableCursor cursor(request.properties->headers.bytes);
        wire::Field field;
        std::size_t size = 0;
        while (cursor.next(field) == wire::FieldStatus::field) {
            if (field.name == "x-haigha-retry-reason") size = field.bytes.size();
        }
        return size;
    };
    EXPECT_EQ(1024U, kept(std::string(1024, 'a')));
    EXPECT_EQ(1024U, kept(std::string(2000, 'a')));
    EXPECT_EQ(1023U, kept(std::string(1023, 'a') + "é"));
    EXPECT_EQ(1022U, kept(std::string(1022, 'a') + "€"));
    EXPECT_EQ(1024U, kept(std::string(2000, '\x80'))) << "it was no UTF-8";
}

TEST(RetryLadder, WhatCannotBeReadIsMalformed) {
    client::Message message;
    const std::vector<std::byte> odd(1, std::byte{1});
    message.properties = odd;
    RetriedMessage again;
    const ErrorRef error = again.read(message);
    ASSERT_TRUE(error);
    EXPECT_EQ(Status::malformed, error->status);
    wire::Properties properties;
    properties.present = wire::property_headers;
    properties.headers = {odd};
    const Delivered delivered(properties);
    const ErrorRef headers = again.read(delivered.message);
    ASSERT_TRUE(headers);
    EXPECT_EQ("the message's headers cannot be decoded", headers->message);
}

TEST(RetryLadder, ACountOfAPublishersOwnIsANumberOrNothing) {
    const auto counted = [](const FieldTable& table) {
        std::uint64_t found = 99;
        EXPECT_TRUE(count_retries(table.contents(), &found));
        return found;
    };
    FieldTable text;
    ASSERT_EQ(FieldError::none, text.add_string("x-haigha-retries", "many"));
    EXPECT_EQ(0U, counted(text));
    FieldTable negative;
    ASSERT_EQ(FieldError::none, negative.add_int("x-haigha-retries", -3));
    EXPECT_EQ(0U, counted(negative));
}

}  // namespace
}  // namespace haigha::topology
