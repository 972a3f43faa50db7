// Tests of the method table: looking up by id, and descriptions for the tracer.
#include "wire/method_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "support/octets.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"

namespace haigha::wire {
namespace {

using test::Octets;
using test::octets;

std::string described(const Octets& payload, bool expected = true) {
    std::string out;
    EXPECT_EQ(describe_payload(payload, out), expected);
    return out;
}

TEST(MethodTable, FindsEveryMethodAndNoOther) {
    std::set<std::uint32_t> known;
    for (const MethodInfo& info : all_methods()) {
        EXPECT_EQ(find_method(info.id), &info) << info.name;
        known.insert(info.id.key());
    }
    EXPECT_EQ(known.size(), AllMethods::size);
    for (std::uint16_t class_id = 0; class_id < 130; ++class_id) {
        for (std::uint16_t method_id = 0; method_id < 130; ++method_id) {
            const MethodId id{class_id, method_id};
            EXPECT_EQ(find_method(id) != nullptr, known.contains(id.key()));
        }
    }
    EXPECT_EQ(find_method({0xFFFF, 0xFFFF}), nullptr);
}

TEST(MethodTable, KnowsWhatIsDeclared) {
    const MethodInfo* get = find_method(basic::Get::id);
    ASSERT_NE(get, nullptr);
    EXPECT_EQ(get->name, "basic.get");
    EXPECT_TRUE(get->synchronous);
    EXPECT_FALSE(get->has_content);
    EXPECT_EQ(get->replies, (Replies{{basic::GetOk::id, basic::GetEmpty::id}}));
    const MethodInfo* deliver = find_method(basic::Deliver::id);
    ASSERT_NE(deliver, nullptr);
    EXPECT_FALSE(deliver->synchronous);
    EXPECT_TRUE(deliver->has_content);
    EXPECT_EQ(deliver->replies, Replies{});
}

// An asynchronous method has no reply, and each reply is a known method that has none itself.
TEST(MethodTable, RepliesAreKnownMethods) {
    for (const MethodInfo& info : all_methods()) {
        EXPECT_EQ(info.synchronous, info.replies[0] != MethodId{}) << info.name;
        for (const MethodId reply : info.replies) {
            if (reply == MethodId{}) continue;
            const MethodInfo* found = find_method(reply);
            ASSERT_NE(found, nullptr) << info.name;
            EXPECT_FALSE(found->synchronous) << info.name;
            EXPECT_EQ(found->id.class_id, info.id.class_id) << info.name;
        }
    }
}

TEST(DescribePayload, ShowsNameAndFields) {
    EXPECT_EQ(described(octets("0032000a 0000 06'orders' 12 00000007 01'x''I'00000001")),
              "queue.declare queue=\"orders\" passive=0 durable=1 exclusive=0 auto_delete=0 "
              "no_wait=1 arguments={x=1}");
    EXPECT_EQ(described(octets("000a0033")), "connection.close-ok");
    EXPECT_EQ(described(octets("003c003c 01't' 0000000000000007 01 00 01'k'")),
              "basic.deliver consumer_tag=\"t\" delivery_tag=7 redelivered=1 exchange=\"\" "
              "routing_key=\"k\"");
}

TEST(DescribePayload, HidesCredentials) {
    EXPECT_EQ(
        described(octets("000a000b 00000000 05'PLAIN' 00000007 00'user'00'pw' 05'en_US'"), false),
        "connection.start-ok malformed (32 octets)");
    EXPECT_EQ(described(octets("000a000b 00000000 05'PLAIN' 00000008 00'user'00'pw' 05'en_US'")),
              "connection.start-ok client_properties={} mechanism=\"PLAIN\" response=<hidden> "
              "locale=\"en_US\"");
    EXPECT_EQ(described(octets("000a0015 00000002 'pw'")),
              "connection.secure-ok response=<hidden>");
    EXPECT_EQ(described(octets("000a0046 00000002 'pw' 03'due'")),
              "connection.update-secret new_secret=<hidden> reason=\"due\"");
}

TEST(DescribePayload, SaysWhatItCannotRead) {
    EXPECT_EQ(described(octets("0032000a 00"), false), "queue.declare malformed (5 octets)");
    EXPECT_EQ(described(octets("000a0063 ffff"), false), "unknown method 10.99 (6 octets)");
    EXPECT_EQ(described(octets("000a00"), false), "method without ids (3 octets)");
    EXPECT_EQ(described({}, false), "method without ids (0 octets)");
}

}  // namespace
}  // namespace haigha::wire
