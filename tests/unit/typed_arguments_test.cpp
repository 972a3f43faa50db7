#include "topology/typed_arguments.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace haigha::topology {
namespace {

using wire::FieldError;
using wire::FieldTable;

constexpr QueueFlags durable{.durable = true};

std::string refusal(const QueueArguments& arguments, const QueueFlags* flags = &durable,
                    BrokerVersion version = {}) {
    return queue_refusal(arguments, flags, version);
}
std::string told(const QueueArguments& arguments) {
    FieldTable table;
    EXPECT_EQ(FieldError::none, add_to(table, arguments));
    return wire::describe_table(table.contents());
}
bool begins(const std::string& text, std::string_view beginning) {
    return text.starts_with(beginning);
}

TEST(TypedArguments, WhatIsNotSaidIsLeftOut) {
    EXPECT_EQ("", refusal({}));
    EXPECT_EQ("{}", told(QueueArguments()));
}

TEST(TypedArguments, EachIsWrittenByItsName) {
    QueueArguments classic;
    classic.kind = QueueKind::classic;
    classic.max_priority = 5;
    classic.dead_letter_exchange = "";
    classic.dead_letter_routing_key = "dead";
    classic.message_ttl_ms = 0;
    classic.expires_ms = longest_time_ms;
    classic.max_length = 0;
    classic.max_length_bytes = std::uint64_t{1} << 40;
    classic.overflow = Overflow::reject_publish_dlx;
    classic.single_active_consumer = true;
    classic.lazy = true;
    EXPECT_EQ("", refusal(classic));
    EXPECT_EQ(
        R"({x-queue-type="classic", x-max-priority=5, x-dead-letter-exchange="", )"
        R"(x-dead-letter-routing-key="dead", x-message-ttl=0, x-expires=315360000000, )"
        R"(x-max-length=0, x-max-length-bytes=1099511627776, x-overflow="reject-publish-dlx", )"
        R"(x-single-active-consumer=true, x-queue-mode="lazy"})",
        told(classic));
    QueueArguments quorum;
    quorum.kind = QueueKind::quorum;
    quorum.dead_letters = DeadLetters::at_least_once;
    quorum.overflow = Overflow::reject_publish;
    quorum.delivery_limit = unlimited_deliveries;
    quorum.quorum_initial_group_size = 3;
    EXPECT_EQ("", refusal(quorum));
    EXPECT_EQ(R"({x-queue-type="quorum", x-dead-letter-strategy="at-least-once", )"
              R"(x-overflow="reject-publish", x-delivery-limit=-1, x-quorum-initial-group-size=3})",
              told(quorum));
    QueueArguments stream;
    stream.kind = QueueKind::stream;
    stream.stream_max_age = "7D";
    stream.stream_max_segment_bytes = largest_segment;
    stream.max_length_bytes = 20;
    EXPECT_EQ("", refusal(stream));
    EXPECT_EQ(R"({x-queue-type="stream", x-max-length-bytes=20, x-max-age="7D", )"
              R"(x-stream-max-segment-size-bytes=3000000000})",
              told(stream));
}

TEST(TypedArguments, ARefusalNamesTheArgumentAndSaysWhy) {
    QueueArguments arguments;
    arguments.kind = QueueKind::quorum;
    arguments.max_priority = 3;
    EXPECT_EQ("x-max-priority: quorum queues do not take it, classic queues do",
              refusal(arguments));
    arguments = {};
    arguments.kind = QueueKind::stream;
    arguments.message_ttl_ms = 1;
    EXPECT_EQ("x-message-ttl: streams do not take it, classic queues and quorum queues do",
              refusal(arguments));
    arguments = {};
    arguments.message_ttl_ms = longest_time_ms + 1;
    EXPECT_EQ("x-message-ttl is 315360000001, over 315360000000 milliseconds, ten years",
              refusal(arguments));
    arguments = {};
    arguments.dead_letter_routing_key = "key";
    EXPECT_EQ("x-dead-letter-routing-key needs x-dead-letter-exchange, which is not set",
              refusal(arguments));
}

TEST(TypedArguments, QuorumQueuesAndStreamsAreDurableAndNobodysOwn) {
    for (const QueueKind kind : {QueueKind::quorum, QueueKind::stream}) {
        QueueArguments arguments;
        arguments.kind = kind;
        const QueueFlags transient{};
        const QueueFlags exclusive{.durable = true, .exclusive = true};
        const QueueFlags passing{.durable = true, .auto_delete = true};
        EXPECT_TRUE(begins(refusal(arguments, &transient), "durable is 0: "));
        EXPECT_TRUE(begins(refusal(arguments, &exclusive), "exclusive: "));
        EXPECT_TRUE(begins(refusal(arguments, &passing), "auto_delete: "));
        EXPECT_EQ("", refusal(arguments, nullptr)) << "how it is declared is not known";
        arguments.kind = QueueKind::classic;
        EXPECT_EQ("", refusal(arguments, &transient));
    }
}

TEST(TypedArguments, WhatTheBrokerTakesAndDoesNotDoIsRefused) {
    QueueArguments arguments;
    arguments.kind = QueueKind::quorum;
    arguments.overflow = Overflow::reject_publish_dlx;
    EXPECT_TRUE(begins(refusal(arguments), "x-overflow is reject-publish-dlx, which quorum"));
    arguments.overflow = Overflow::by_default;
    arguments.dead_letter_exchange = "dead";
    arguments.dead_letters = DeadLetters::at_least_once;
    EXPECT_TRUE(begins(refusal(arguments), "x-dead-letter-strategy is at-least-once, which"));
    arguments.overflow = Overflow::reject_publish;
    EXPECT_EQ("", refusal(arguments));
}

TEST(TypedArguments, NoDeliveryLimitIsForVersionsThatKnowIt) {
    QueueArguments arguments;
    arguments.kind = QueueKind::quorum;
    arguments.delivery_limit = unlimited_deliveries;
    EXPECT_EQ("", refusal(arguments, &durable, {}));
    EXPECT_EQ("", refusal(arguments, &durable, {4, 0}));
    EXPECT_TRUE(begins(refusal(arguments, &durable, {3, 13}), "x-delivery-limit is -1"));
    arguments.delivery_limit = -2;
    EXPECT_TRUE(begins(refusal(arguments), "x-delivery-limit is -2"));
}

TEST(TypedArguments, AKindThatIsNotSaidIsAnyThatTakesThem) {
    QueueArguments arguments;
    arguments.delivery_limit = 3;
    EXPECT_EQ("", refusal(arguments)) << "the virtual host's may be quorum";
    arguments.max_priority = 3;
    EXPECT_TRUE(begins(refusal(arguments), "no kind of queue takes these together: x-delivery-"))
        << refusal(arguments);
}

TEST(TypedArguments, NumbersThatAmqpHasNoRoomFor) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    QueueArguments arguments;
    arguments.max_length = most;
    EXPECT_TRUE(begins(refusal(arguments), "x-max-length is "));
    arguments = {};
    arguments.max_length_bytes = most;
    EXPECT_TRUE(begins(refusal(arguments), "x-max-length-bytes is "));
    arguments = {};
    arguments.expires_ms = most;
    EXPECT_TRUE(begins(refusal(arguments), "x-expires is "));
    arguments = {};
    arguments.stream_max_segment_bytes = largest_segment + 1;
    EXPECT_TRUE(begins(refusal(arguments), "x-stream-max-segment-size-bytes is "));
}

TEST(TypedArguments, AnAgeIsANumberAndAUnit) {
    for (const char* const age : {"7D", "1Y", "2M", "3h", "10m", "1s", "007D"}) {
        EXPECT_TRUE(is_age(age)) << age;
    }
    for (const char* const age :
         {"", "D", "7", "0s", "00h", "7d", "-7D", "7 D", "D7", "7DD", "1.5h", "99999999999D"}) {
        EXPECT_FALSE(is_age(age)) << age;
    }
}

TEST(TypedArguments, ATableWithoutRoomIsLeftAsItWas) {
    FieldTable array(wire::TableKind::array);
    QueueArguments arguments;
    arguments.kind = QueueKind::quorum;
    EXPECT_EQ(FieldError::name_in_array, add_to(array, arguments));
    EXPECT_TRUE(array.empty());
}

TEST(TypedArguments, TheBrokersVersion) {
    FieldTable properties;
    ASSERT_EQ(FieldError::none, properties.add_string("product", "RabbitMQ"));
    EXPECT_EQ(0U, version_of(properties.contents()).major);
    ASSERT_EQ(FieldError::none, properties.add_string("version", "3.10.8"));
    EXPECT_EQ(3U, version_of(properties.contents()).major);
    EXPECT_EQ(10U, version_of(properties.contents()).minor);
    for (const char* const version : {"", "4", "four.0", "4.x", "99999999999.1"}) {
        FieldTable odd;
        ASSERT_EQ(FieldError::none, odd.add_string("product", "RabbitMQ"));
        ASSERT_EQ(FieldError::none, odd.add_string("version", version));
        EXPECT_EQ(0U, version_of(odd.contents()).major) << version;
    }
    FieldTable another;
    ASSERT_EQ(FieldError::none, another.add_string("product", "Another"));
    ASSERT_EQ(FieldError::none, another.add_string("version", "1.2"));
    EXPECT_EQ(0U, version_of(another.contents()).major);
}

TEST(TypedArguments, Consumers) {
    const auto written = [](const ConsumerArguments& arguments) {
        FieldTable table;
        EXPECT_EQ("", consumer_refusal(arguments, false));
        EXPECT_EQ(FieldError::none, add_to(table, arguments));
        return wire::describe_table(table.contents());
    };
    EXPECT_EQ("{}", written({}));
    EXPECT_EQ("{x-priority=-5}", written({.priority = -5}));
    EXPECT_EQ(R"({x-stream-offset="first"})", written({.from = StreamFrom::first}));
    EXPECT_EQ(R"({x-stream-offset="last"})", written({.from = StreamFrom::last}));
    EXPECT_EQ(R"({x-stream-offset="next"})", written({.from = StreamFrom::next}));
    EXPECT_EQ("{x-stream-offset=0}", written({.from = StreamFrom::number}));
    EXPECT_EQ(R"({x-stream-offset="1h"})",
              written({.from = StreamFrom::interval, .interval = "1h"}));
    FieldTable table;
    ASSERT_EQ(FieldError::none, add_to(table, ConsumerArguments{.from = StreamFrom::timestamp,
                                                                .offset = 1700000000}));
    wire::TableCursor cursor(table.contents());
    wire::Field field;
    ASSERT_EQ(wire::FieldStatus::field, cursor.next(field));
    EXPECT_EQ('T', field.tag);
    EXPECT_EQ(1700000000, field.integer);
}

TEST(TypedArguments, ConsumersThatNoBrokerTakes) {
    const auto why = [](const ConsumerArguments& arguments, bool no_ack = false) {
        return consumer_refusal(arguments, no_ack);
    };
    const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    EXPECT_TRUE(begins(why({.kind = QueueKind::classic, .from = StreamFrom::first}),
                       "x-stream-offset: classic queues do not take it"));
    EXPECT_TRUE(begins(why({.kind = QueueKind::stream, .priority = 1}), "x-priority: "));
    EXPECT_TRUE(begins(why({.from = StreamFrom::next, .priority = 1}), "x-priority: "));
    EXPECT_TRUE(begins(why({.kind = QueueKind::stream}, true), "no_ack: "));
    EXPECT_EQ("", why({.kind = QueueKind::quorum, .priority = 1}, true));
    EXPECT_TRUE(begins(why({.from = StreamFrom::number, .offset = most}), "x-stream-offset is "));
    EXPECT_TRUE(begins(why({.from = StreamFrom::first, .offset = 1}), "x-stream-offset: a number"));
    EXPECT_TRUE(begins(why({.from = StreamFrom::interval}), "x-stream-offset is \"\", not an"));
    EXPECT_TRUE(
        begins(why({.from = StreamFrom::next, .interval = "1h"}), "x-stream-offset: an interval"));
}

}  // namespace
}  // namespace haigha::topology
