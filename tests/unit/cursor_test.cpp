// Tests of Reader, Sizer and Writer: primitive values, bits, and lengths that lie.
#include "wire/cursor.h"

#include <gtest/gtest.h>

#include <string>

#include "support/octets.h"

namespace haigha::wire {
namespace {

using test::hex;
using test::Octets;
using test::octets;

template <class... Values>
Octets written(const Values&... values) {
    Sizer sizer;
    (sizer(values), ...);
    Octets out(sizer.size());
    Writer writer(out.data());
    (writer(values), ...);
    EXPECT_EQ(writer.position(), out.data() + out.size());
    return out;
}

TEST(Reader, ReadsIntegersInNetworkOrder) {
    const Octets in = octets("01 0203 04050607 08090a0b0c0d0e0f");
    Reader reader(in);
    EXPECT_EQ(reader.u8(), 0x01);
    EXPECT_EQ(reader.u16(), 0x0203);
    EXPECT_EQ(reader.u32(), 0x04050607U);
    EXPECT_EQ(reader.u64(), 0x08090a0b0c0d0e0fU);
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.remaining(), 0U);
}

TEST(Reader, ReadsStringsAndTablesAsViews) {
    const Octets in = octets("03 'abc' 00000002 'de' 00000003 01 'x' 'V' ff");
    Reader reader(in);
    ShortString short_string;
    LongString long_string;
    TableBytes table;
    reader(short_string);
    reader(long_string);
    reader(table);
    EXPECT_EQ(short_string.text, "abc");
    EXPECT_EQ(static_cast<const void*>(short_string.text.data()), &in[1]);
    EXPECT_EQ(long_string.text, "de");
    EXPECT_EQ(hex(table.bytes), "01 78 56");
    EXPECT_EQ(hex(reader.rest()), "ff");
    EXPECT_TRUE(reader.ok());
}

TEST(Reader, FailureIsSticky) {
    const Octets in = octets("01 02 03");
    Reader reader(in);
    EXPECT_EQ(reader.u32(), 0U);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.u8(), 0);
    EXPECT_EQ(reader.short_string(), "");
    bool bit = true;
    reader(bit);
    EXPECT_FALSE(bit);
    EXPECT_TRUE(reader.take(0).empty());
    EXPECT_TRUE(reader.rest().empty());
    EXPECT_FALSE(reader.ok());
}

TEST(Reader, NothingAtAllIsAnEmptyInput) {
    Reader reader{Bytes{}};
    EXPECT_TRUE(reader.ok());
    EXPECT_TRUE(reader.take(0).empty());
    EXPECT_TRUE(reader.ok());
    reader.u8();
    EXPECT_FALSE(reader.ok());
}

// rule 105: a length is compared with what remains; added to a position it could wrap.
TEST(Reader, Rule105LengthsNearTheMaximumAreRefused) {
    for (std::uint32_t length = 0xFFFFFFF0U; length != 0; ++length) {
        Octets in(4 + 16);
        store_big(in.data(), length);
        Reader as_string(in);
        EXPECT_EQ(as_string.long_string(), "");
        EXPECT_FALSE(as_string.ok());
        Reader as_table(in);
        TableBytes table;
        as_table(table);
        EXPECT_TRUE(table.bytes.empty());
        EXPECT_FALSE(as_table.ok());
        Reader as_octets(in);
        EXPECT_TRUE(as_octets.take(SIZE_MAX - (0xFFFFFFFFU - length)).empty());
        EXPECT_FALSE(as_octets.ok());
    }
}

TEST(Reader, Rule105LengthOneTooLongIsRefused) {
    const Octets in = octets("04 'abc'");
    Reader reader(in);
    EXPECT_EQ(reader.short_string(), "");
    EXPECT_FALSE(reader.ok());
    const Octets exact = octets("00000003 'abc'");
    Reader fits(exact);
    EXPECT_EQ(fits.long_string(), "abc");
    EXPECT_TRUE(fits.ok());
}

// rule 115: the length octet is unsigned and counts bytes.
TEST(Reader, Rule115ShortStringLengthsAround128AreUnsigned) {
    for (const std::size_t length : {0U, 1U, 127U, 128U, 129U, 254U, 255U}) {
        const std::string text(length, 'k');
        const Octets in = written(ShortString{text});
        ASSERT_EQ(in.size(), length + 1);
        EXPECT_EQ(std::to_integer<std::size_t>(in[0]), length);
        Reader reader(in);
        EXPECT_EQ(reader.short_string(), text);
        EXPECT_TRUE(reader.ok());
        EXPECT_EQ(reader.remaining(), 0U);
    }
}

TEST(Bits, ShareAnOctetFromTheLowestBit) {
    EXPECT_EQ(hex(written(true, false, true)), "05");
    EXPECT_EQ(hex(written(false, false, false, false, true)), "10");
    EXPECT_EQ(hex(written(true)), "01");
}

TEST(Bits, ANinthBitOpensANewOctet) {
    EXPECT_EQ(hex(written(true, true, true, true, true, true, true, true)), "ff");
    EXPECT_EQ(hex(written(false, false, false, false, false, false, false, false, true)), "00 01");
    const Octets in = octets("80 01");
    Reader reader(in);
    for (int at = 0; at < 10; ++at) {
        bool bit = false;
        reader(bit);
        EXPECT_EQ(bit, at == 7 || at == 8) << at;
    }
    EXPECT_TRUE(reader.ok());
}

TEST(Bits, AnotherFieldEndsTheOctet) {
    const Octets out = written(true, std::uint8_t{7}, true, ShortString{"a"}, false, true,
                               LongString{""}, true, TableBytes{}, true);
    EXPECT_EQ(hex(out), "01 07 01 01 61 02 00 00 00 00 01 00 00 00 00 01");
    Reader reader(out);
    bool bit = false;
    std::uint8_t number = 0;
    ShortString text;
    reader(bit);
    EXPECT_TRUE(bit);
    reader(number);
    EXPECT_EQ(number, 7);
    reader(bit);
    EXPECT_TRUE(bit);
    reader(text);
    reader(bit);
    EXPECT_FALSE(bit);
    reader(bit);
    EXPECT_TRUE(bit);
    EXPECT_TRUE(reader.ok());
}

TEST(Bits, UnusedOnesAreIgnored) {
    const Octets in = octets("fe 2a");
    Reader reader(in);
    bool bit = true;
    reader(bit);
    EXPECT_FALSE(bit);
    EXPECT_EQ(reader.u8(), 0x2a);
}

TEST(Writer, WritesEveryPrimitive) {
    const Octets table = octets("01 'x' 'V'");
    EXPECT_EQ(hex(written(std::uint8_t{1}, std::uint16_t{0x0203}, std::uint32_t{0x04050607},
                          std::uint64_t{0x08090a0b0c0d0e0f})),
              "01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f");
    EXPECT_EQ(hex(written(ShortString{"ab"}, LongString{"c"}, TableBytes{table})),
              "02 61 62 00 00 00 01 63 00 00 00 03 01 78 56");
    EXPECT_EQ(hex(written(ShortString{}, LongString{}, TableBytes{})),
              "00 00 00 00 00 00 00 00 00");
}

TEST(TableBytes, AreEqualWhenTheirOctetsAre) {
    const Octets one = octets("01 'x' 'V'");
    const Octets same = octets("01 'x' 'V'");
    const Octets other = octets("01 'y' 'V'");
    EXPECT_EQ(TableBytes{one}, TableBytes{same});
    EXPECT_NE(TableBytes{one}, TableBytes{other});
    EXPECT_NE(TableBytes{one}, TableBytes{});
    EXPECT_EQ(TableBytes{}, TableBytes{});
}

}  // namespace
}  // namespace haigha::wire
