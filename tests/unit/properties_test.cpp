// Tests of the property list: each property, absent against empty, and malformed lists.
#include "wire/properties.h"

#include <gtest/gtest.h>

#include <string>

#include "support/octets.h"

namespace haigha::wire {
namespace {

using test::copy_of;
using test::hex;
using test::joined;
using test::Octets;
using test::octets;

Octets encoded(const Properties& properties) {
    Octets out(properties_size(properties));
    EXPECT_EQ(write_properties(properties, out.data()), out.data() + out.size());
    return out;
}

// All fourteen, in the order of the specification.
Octets all_spelled() {
    return octets(
        "fffc 02'ct' 02'ce' 00000003 01'h''V' 02 09 02'ci' 02'rt' 02'ex' 02'mi'"
        "000000005f5e1000 02'ty' 02'ui' 02'ai' 02'cl'");
}

TEST(Properties, AllOfThemInWireOrder) {
    const Octets raw = all_spelled();
    Properties read;
    ASSERT_TRUE(parse_properties(raw, read));
    EXPECT_EQ(read.present, known_properties);
    EXPECT_EQ(read.content_type, "ct");
    EXPECT_EQ(read.content_encoding, "ce");
    EXPECT_EQ(hex(read.headers.bytes), "01 68 56");
    EXPECT_EQ(read.delivery_mode, 2);
    EXPECT_EQ(read.priority, 9);
    EXPECT_EQ(read.correlation_id, "ci");
    EXPECT_EQ(read.reply_to, "rt");
    EXPECT_EQ(read.expiration, "ex");
    EXPECT_EQ(read.message_id, "mi");
    EXPECT_EQ(read.timestamp, 1600000000U);
    EXPECT_EQ(read.type, "ty");
    EXPECT_EQ(read.user_id, "ui");
    EXPECT_EQ(read.app_id, "ai");
    EXPECT_EQ(read.cluster_id, "cl");
    EXPECT_EQ(hex(encoded(read)), hex(raw));
}

TEST(Properties, NoneIsTwoOctets) {
    EXPECT_EQ(hex(encoded({})), "00 00");
    Properties read{.present = 0xFFFC, .priority = 9};
    ASSERT_TRUE(parse_properties(octets("0000"), read));
    EXPECT_EQ(read.present, 0);
    EXPECT_EQ(read.priority, 0);
}

TEST(Properties, AbsentDiffersFromEmptyAndZero) {
    EXPECT_EQ(hex(encoded({.present = property_correlation_id})), "04 00 00");
    EXPECT_EQ(hex(encoded({.present = property_priority})), "08 00 00");
    EXPECT_EQ(hex(encoded({.present = property_headers})), "20 00 00 00 00 00");
    // A value without its bit is not sent.
    EXPECT_EQ(hex(encoded({.priority = 9, .correlation_id = "x"})), "00 00");
}

TEST(Properties, EachAlone) {
    Properties all;
    const Octets raw = all_spelled();
    ASSERT_TRUE(parse_properties(raw, all));
    for (unsigned bit = 2; bit < 16; ++bit) {
        all.present = static_cast<std::uint16_t>(1U << bit);
        const Octets one = encoded(all);
        Properties read;
        ASSERT_TRUE(parse_properties(one, read)) << bit;
        EXPECT_EQ(read.present, all.present);
        EXPECT_EQ(hex(encoded(read)), hex(one));
    }
}

TEST(Properties, EveryCombinationKeepsItsSize) {
    Properties all;
    const Octets raw = all_spelled();
    ASSERT_TRUE(parse_properties(raw, all));
    for (unsigned flags = 0; flags < 0x10000; flags += 4) {
        all.present = static_cast<std::uint16_t>(flags);
        const Octets some = encoded(all);
        Properties read;
        ASSERT_TRUE(parse_properties(some, read)) << flags;
        ASSERT_EQ(read.present, flags);
    }
}

// rule 104, rule 105
TEST(Properties, Rule104EveryTruncationIsRefused) {
    const Octets whole = all_spelled();
    Properties out;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Octets part = copy_of(Bytes(whole).first(size));
        EXPECT_FALSE(parse_properties(part, out)) << size;
    }
}

TEST(Properties, OctetsLeftOverAreRefused) {
    Properties out;
    EXPECT_FALSE(parse_properties(octets("0000 00"), out));
    EXPECT_FALSE(parse_properties(joined(all_spelled(), octets("00")), out));
}

TEST(Properties, FlagsThatNobodyKnowsAreRefused) {
    Properties out;
    EXPECT_FALSE(parse_properties(octets("0001 0000"), out));  // more flags follow
    EXPECT_FALSE(parse_properties(octets("0002"), out));
    EXPECT_FALSE(parse_properties(octets("ffff 0000"), out));
    // And not sent.
    EXPECT_EQ(hex(encoded({.present = 3})), "00 00");
}

// rule 105
TEST(Properties, Rule105HeaderLengthsNearTheMaximumAreRefused) {
    for (std::uint32_t length = 0xFFFFFFF0U; length != 0; ++length) {
        Octets raw = octets("2000 00000000 0000000000000000");
        store_big(raw.data() + 2, length);
        Properties out;
        EXPECT_FALSE(parse_properties(raw, out));
    }
}

// rule 114: an undecodable table fails the headers, not the message.
TEST(Properties, Rule114ABadHeaderTableStaysRaw) {
    const Octets raw = octets("2100 00000004 01'h'ff00 02'ex'");
    Properties out;
    ASSERT_TRUE(parse_properties(raw, out));
    EXPECT_EQ(hex(out.headers.bytes), "01 68 ff 00");
    EXPECT_EQ(out.expiration, "ex");
}

// rule 115: bytes are counted, not characters, and the error has a name.
TEST(Properties, Rule115OversizedPropertyIsNamed) {
    const std::string fits(255, 'x');
    const std::string oversized(256, 'x');
    std::string multibyte;
    for (int count = 0; count < 128; ++count)
        multibyte += "\u00e9";
    EXPECT_EQ(oversized_property({}), nullptr);
    EXPECT_EQ(oversized_property({.present = property_message_id, .message_id = fits}), nullptr);
    EXPECT_STREQ(oversized_property({.present = property_message_id, .message_id = oversized}),
                 "message_id");
    EXPECT_STREQ(oversized_property({.present = property_user_id, .user_id = multibyte}),
                 "user_id");
    EXPECT_EQ(oversized_property({.present = property_type, .message_id = oversized}), nullptr);
    for (const std::size_t length : {127U, 128U, 255U}) {
        const std::string text(length, 'x');
        const Octets raw = encoded({.present = property_reply_to, .reply_to = text});
        Properties out;
        ASSERT_TRUE(parse_properties(raw, out));
        EXPECT_EQ(out.reply_to, text);
    }
}

TEST(Properties, DescribeOnlyWhatIsPresent) {
    Properties all;
    const Octets raw = octets("b000 02'ct' 00000006 01'n''t'01 01'v'");
    ASSERT_FALSE(parse_properties(raw, all));
    const Octets good = octets("b000 02'ct' 00000004 01'n''t'01 02");
    ASSERT_TRUE(parse_properties(good, all));
    std::string out;
    describe_properties(all, out);
    EXPECT_EQ(out, "content_type=\"ct\" headers={n=true} delivery_mode=2");
}

}  // namespace
}  // namespace haigha::wire
