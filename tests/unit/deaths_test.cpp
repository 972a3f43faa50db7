#include "topology/deaths.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace haigha::topology {
namespace {

using wire::FieldError;
using wire::FieldStatus;
using wire::FieldTable;
using wire::TableKind;

void ok(FieldError error) {
    ASSERT_EQ(FieldError::none, error);
}

// A record as RabbitMQ writes it.
FieldTable record(std::string_view queue, std::string_view reason, std::int64_t count) {
    FieldTable keys(TableKind::array);
    ok(keys.add_string("", "order.paid"));
    ok(keys.add_string("", "copy"));
    FieldTable table;
    wire::Field number{.name = "count", .tag = 'l', .integer = count};
    ok(table.add(number));
    ok(table.add_string("reason", reason));
    ok(table.add_string("queue", queue));
    ok(table.add_timestamp("time", 1700000000));
    ok(table.add_string("exchange", "orders"));
    ok(table.add_table("routing-keys", keys));
    ok(table.add_string("original-expiration", "700000"));
    return table;
}

FieldTable headers(std::initializer_list<FieldTable> records) {
    FieldTable array(TableKind::array);
    for (const FieldTable& one : records)
        ok(array.add_table("", one));
    FieldTable table;
    ok(table.add_string("before", "x"));
    ok(table.add_table("x-death", array));
    ok(table.add_int("after", 1));
    return table;
}

std::uint64_t count(wire::Bytes of, std::string_view queue, std::string_view reason) {
    std::uint64_t found = 99;
    EXPECT_TRUE(count_deaths(of, queue, reason, &found));
    return found;
}

TEST(Deaths, ARecordIsReadAsItWasWritten) {
    const FieldTable of = headers({record("work", "rejected", 2), record("delay", "expired", 7)});
    DeathCursor cursor(of.contents());
    Death death;
    ASSERT_EQ(FieldStatus::field, cursor.next(death));
    EXPECT_EQ("work", death.queue);
    EXPECT_EQ("rejected", death.reason);
    EXPECT_EQ("orders", death.exchange);
    EXPECT_EQ("700000", death.original_expiration);
    EXPECT_EQ("order.paid", death.routing_key);
    EXPECT_EQ(2U, death.count);
    EXPECT_EQ(1700000000U, death.time);
    EXPECT_EQ(R"(["order.paid", "copy"])",
              wire::describe_table(death.routing_keys, TableKind::array));
    ASSERT_EQ(FieldStatus::field, cursor.next(death));
    EXPECT_EQ("delay", death.queue);
    EXPECT_EQ(FieldStatus::end, cursor.next(death));
}

TEST(Deaths, TheyAreCountedByQueueAndReason) {
    const FieldTable of = headers({record("work", "rejected", 2), record("work", "expired", 3),
                                   record("delay", "expired", 7)});
    EXPECT_EQ(2U, count(of.contents(), "work", "rejected"));
    EXPECT_EQ(5U, count(of.contents(), "work", ""));
    EXPECT_EQ(10U, count(of.contents(), "", "expired"));
    EXPECT_EQ(12U, count(of.contents(), "", ""));
    EXPECT_EQ(0U, count(of.contents(), "other", ""));
}

TEST(Deaths, AMessageThatNeverDiedHasNone) {
    EXPECT_EQ(0U, count({}, "", ""));
    FieldTable text;
    ok(text.add_string("x-death", "a publisher's own"));
    EXPECT_EQ(0U, count(text.contents(), "", ""));
    FieldTable table;
    ok(table.add_table("x-death", record("work", "rejected", 1)));
    EXPECT_EQ(0U, count(table.contents(), "", "")) << "a table is no array";
}

// What a publisher has put there.
TEST(Deaths, WhatHasAnotherTypeIsPassedOver) {
    FieldTable odd;
    ok(odd.add_int("queue", 5));
    ok(odd.add_bool("reason", true));
    ok(odd.add_string("count", "many"));
    ok(odd.add_int("time", 5));
    ok(odd.add_string("routing-keys", "none"));
    FieldTable negative = record("work", "rejected", -4);
    FieldTable array(TableKind::array);
    ok(array.add_string("", "no record"));
    ok(array.add_table("", odd));
    ok(array.add_table("", FieldTable(TableKind::array)));
    ok(array.add_table("", negative));
    FieldTable of;
    ok(of.add_table("x-death", array));
    DeathCursor cursor(of.contents());
    Death death;
    ASSERT_EQ(FieldStatus::field, cursor.next(death));
    EXPECT_EQ("", death.queue);
    EXPECT_EQ("", death.reason);
    EXPECT_EQ(1U, death.count);
    EXPECT_EQ(0U, death.time);
    EXPECT_TRUE(death.routing_keys.empty());
    ASSERT_EQ(FieldStatus::field, cursor.next(death));
    EXPECT_EQ("work", death.queue);
    EXPECT_EQ(1U, death.count);
    EXPECT_EQ(FieldStatus::end, cursor.next(death));
}

TEST(Deaths, CountsThatAreTooLargeStayAtTheLargest) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const FieldTable of = headers(
        {record("q", "expired", most), record("q", "rejected", most), record("q", "maxlen", most)});
    EXPECT_EQ(std::numeric_limits<std::uint64_t>::max(), count(of.contents(), "q", ""));
}

TEST(Deaths, HeadersThatEndTooSoonAreMalformed) {
    const FieldTable of = headers({record("work", "rejected", 2)});
    const wire::Bytes whole = of.contents();
    std::size_t readable = 0;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        std::uint64_t found = 0;
        if (count_deaths(whole.first(size), "", "", &found)) ++readable;
    }
    // Nothing, and whole fields.
    EXPECT_EQ(3U, readable);
}

// The broken field is within x-death, whose own length is right.
TEST(Deaths, ARecordThatCannotBeDecodedIsMalformed) {
    const FieldTable of = headers({record("work", "rejected", 2)});
    std::vector<std::byte> broken(of.contents().begin(), of.contents().end());
    const std::string_view text(reinterpret_cast<const char*>(broken.data()), broken.size());
    const std::size_t at = text.find("reason") + 6;
    broken[at] = std::byte{'?'};
    DeathCursor cursor(broken);
    Death death;
    EXPECT_EQ(FieldStatus::malformed, cursor.next(death));
    EXPECT_EQ(FieldStatus::malformed, cursor.next(death)) << "it stays so";
}

TEST(Deaths, DeliveriesOfAQuorumQueue) {
    const auto deliveries = [](std::initializer_list<std::pair<const char*, std::int64_t>> of) {
        FieldTable table;
        for (const auto& [name, value] : of)
            ok(table.add_int(name, value));
        std::uint64_t found = 99;
        EXPECT_TRUE(count_deliveries(table.contents(), &found));
        return found;
    };
    EXPECT_EQ(0U, deliveries({}));
    EXPECT_EQ(4U, deliveries({{"x-delivery-count", 4}}));
    EXPECT_EQ(6U, deliveries({{"x-acquired-count", 6}, {"x-delivery-count", 1}}));
    EXPECT_EQ(0U, deliveries({{"x-delivery-count", -1}}));
}

// rule 111: whatever a peer has put into the headers, reading them ends, and within them.
TEST(Deaths, RandomlyBrokenHeaders) {
    const FieldTable of = headers({record("work", "rejected", 2), record("delay", "expired", 7)});
    std::mt19937 random(20261127);
    const auto below = [&](std::size_t bound) { return random() % bound; };
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::byte> bytes(of.contents().begin(), of.contents().end());
        for (std::size_t changes = 1 + below(6); changes > 0; --changes) {
            bytes[below(bytes.size())] = static_cast<std::byte>(below(256));
        }
        bytes.resize(below(bytes.size() + 1));
        DeathCursor cursor(bytes);
        Death death;
        std::size_t records = 0;
        FieldStatus status = FieldStatus::end;
        while ((status = cursor.next(death)) == FieldStatus::field) {
            ASSERT_LE(++records, bytes.size());
            ASSERT_LE(death.queue.size() + death.routing_keys.size(), bytes.size());
            ASSERT_GE(death.count, 1U);
        }
        std::uint64_t sum = 0;
        ASSERT_EQ(status == FieldStatus::end, count_deaths(bytes, "", "", &sum));
        (void)count_deliveries(bytes, &sum);
    }
}

}  // namespace
}  // namespace haigha::topology
