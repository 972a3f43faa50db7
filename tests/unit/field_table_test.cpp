// Tests of field tables: every tag with its boundary values, limits, and what the builder refuses.
#include "wire/field_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/octets.h"

namespace haigha::wire {
namespace {

using test::copy_of;
using test::hex;
using test::joined;
using test::Octets;
using test::octets;

constexpr std::string_view all_tags = "tbBsuIilLfdDSATFVx";

// The one field of a table that holds one.
Field only_field(Bytes contents, TableKind kind = TableKind::table) {
    TableCursor cursor(contents, kind);
    Field field;
    Field none;
    EXPECT_EQ(cursor.next(field), FieldStatus::field) << hex(contents);
    EXPECT_EQ(cursor.next(none), FieldStatus::end) << hex(contents);
    return field;
}

std::size_t count_fields(Bytes contents, TableKind kind) {
    TableCursor cursor(contents, kind);
    Field field;
    std::size_t count = 0;
    while (cursor.next(field) == FieldStatus::field)
        ++count;
    return count;
}

// A table in which each table holds the next, `levels` in all. Lengths are known beforehand, so
// that it can be written from outside in: each level costs 01 'a' 'F' and four octets of length.
Octets nested_tables(std::size_t levels) {
    Octets out;
    for (std::size_t level = levels - 1; level > 0; --level) {
        out.insert(out.end(), {std::byte{1}, std::byte{'a'}, std::byte{'F'}});
        std::byte length[4];
        store_big(length, static_cast<std::uint32_t>((level - 1) * 7));
        out.insert(out.end(), length, length + 4);
    }
    return out;
}

struct Spelled {
    std::string_view wire;  // of the table {"k": value}
    char tag;
    std::int64_t integer = 0;
    double real = 0;
    std::string_view text{};
    int scale = 0;
};

// rule 114: the vectors are written by hand after RabbitMQ's errata, which other clients follow.
const std::vector<Spelled> vectors{
    {"01'k' 't' 00", 't', 0},
    {"01'k' 't' 01", 't', 1},
    {"01'k' 'b' 80", 'b', -128},
    {"01'k' 'b' ff", 'b', -1},
    {"01'k' 'b' 7f", 'b', 127},
    {"01'k' 'B' 00", 'B', 0},
    {"01'k' 'B' ff", 'B', 255},
    {"01'k' 's' 8000", 's', -32768},
    {"01'k' 's' ffff", 's', -1},
    {"01'k' 's' 7fff", 's', 32767},
    {"01'k' 'u' ffff", 'u', 65535},
    {"01'k' 'I' 80000000", 'I', -2147483648},
    {"01'k' 'I' ffffffff", 'I', -1},
    {"01'k' 'I' 7fffffff", 'I', 2147483647},
    {"01'k' 'i' b2d05e00", 'i', 3000000000},
    {"01'k' 'i' ffffffff", 'i', 4294967295},
    {"01'k' 'l' 8000000000000000", 'l', std::numeric_limits<std::int64_t>::min()},
    {"01'k' 'l' ffffffffffffffff", 'l', -1},
    {"01'k' 'l' 00000000b2d05e00", 'l', 3000000000},
    {"01'k' 'l' 7fffffffffffffff", 'l', std::numeric_limits<std::int64_t>::max()},
    {"01'k' 'T' 000000005f5e1000", 'T', 1600000000},
    {"01'k' 'T' ffffffffffffffff", 'T', -1},
    {"01'k' 'f' 3dcccccd", 'f', 0, static_cast<double>(0.1F)},
    {"01'k' 'f' bf800000", 'f', 0, -1.0},
    {"01'k' 'f' 7f7fffff", 'f', 0, static_cast<double>(std::numeric_limits<float>::max())},
    {"01'k' 'd' 3fb999999999999a", 'd', 0, 0.1},
    {"01'k' 'd' bff0000000000000", 'd', 0, -1.0},
    {"01'k' 'd' 0000000000000001", 'd', 0, std::numeric_limits<double>::denorm_min()},
    {"01'k' 'd' 7fefffffffffffff", 'd', 0, std::numeric_limits<double>::max()},
    {"01'k' 'D' 02 0000007b", 'D', 123, 0, {}, 2},
    {"01'k' 'D' ff ffffffff", 'D', -1, 0, {}, 255},
    {"01'k' 'S' 00000000", 'S'},
    {"01'k' 'S' 00000003 'abc'", 'S', 0, 0, "abc"},
    {"01'k' 'x' 00000002 'de'", 'x', 0, 0, "de"},
    {"01'k' 'A' 00000000", 'A'},
    {"01'k' 'A' 00000003 't' 01 'V'", 'A', 0, 0, "t\1V"},
    {"01'k' 'F' 00000003 01'j''V'", 'F', 0, 0, "\1jV"},
    {"01'k' 'V'", 'V'},
};

TEST(TableCursor, Rule114DecodesEveryTag) {
    for (const Spelled& vector : vectors) {
        const Octets wire = octets(vector.wire);
        const Field field = only_field(wire);
        EXPECT_EQ(field.name, "k");
        EXPECT_EQ(field.tag, vector.tag);
        EXPECT_EQ(field.integer, vector.integer) << vector.wire;
        EXPECT_EQ(field.real, vector.real) << vector.wire;
        EXPECT_EQ(as_text(field.bytes), vector.text) << vector.wire;
        EXPECT_EQ(field.scale, vector.scale);
        EXPECT_TRUE(check_table(wire));
    }
}

TEST(FieldTable, Rule114EveryTagGoesRoundByteForByte) {
    for (const Spelled& vector : vectors) {
        const Octets wire = octets(vector.wire);
        FieldTable table;
        ASSERT_EQ(table.add(only_field(wire)), FieldError::none) << vector.wire;
        EXPECT_EQ(hex(table.contents()), hex(wire));
        EXPECT_EQ(table.field_count(), count_fields(wire, TableKind::table) +
                                           (vector.tag == 'A' && !vector.text.empty() ? 2 : 0) +
                                           (vector.tag == 'F' ? 1 : 0));
    }
}

TEST(FieldTable, Rule114EveryTagGoesRoundInAnArray) {
    for (const Spelled& vector : vectors) {
        Octets wire = octets(vector.wire);
        wire.erase(wire.begin(), wire.begin() + 2);
        const Field field = only_field(wire, TableKind::array);
        EXPECT_EQ(field.name, "");
        EXPECT_EQ(field.tag, vector.tag);
        FieldTable array(TableKind::array);
        ASSERT_EQ(array.add(field), FieldError::none) << vector.wire;
        EXPECT_EQ(hex(array.contents()), hex(wire));
        EXPECT_TRUE(check_table(wire, TableKind::array));
    }
}

// rule 104, rule 105
TEST(TableCursor, EveryTruncationIsMalformed) {
    for (const Spelled& vector : vectors) {
        const Octets wire = octets(vector.wire);
        for (std::size_t size = 1; size < wire.size(); ++size) {
            const Octets part = copy_of(Bytes(wire).first(size));
            TableCursor cursor{Bytes(part)};
            Field field;
            EXPECT_EQ(cursor.next(field), FieldStatus::malformed) << vector.wire << " to " << size;
            EXPECT_EQ(cursor.next(field), FieldStatus::malformed);  // final: rule 113
            EXPECT_FALSE(check_table(part));
        }
    }
}

TEST(TableCursor, EveryOtherTagIsMalformed) {
    for (unsigned tag = 0; tag < 256; ++tag) {
        if (all_tags.find(static_cast<char>(tag)) != std::string_view::npos) continue;
        Octets wire = octets("01'k' 00 0000000000000000");
        wire[2] = static_cast<std::byte>(tag);
        EXPECT_FALSE(check_table(wire)) << tag;
        FieldTable table;
        EXPECT_EQ(table.add({.name = "k", .tag = static_cast<char>(tag)}), FieldError::bad_tag);
        EXPECT_TRUE(table.empty());
    }
}

// rule 105
TEST(TableCursor, Rule105LengthsNearTheMaximumAreMalformed) {
    for (const char tag : {'S', 'x', 'A', 'F'}) {
        for (std::uint32_t length = 0xFFFFFFF0U; length != 0; ++length) {
            Octets wire = octets("01'k' 00 00000000 0000000000000000");
            wire[2] = static_cast<std::byte>(tag);
            store_big(wire.data() + 3, length);
            EXPECT_FALSE(check_table(wire));
        }
    }
}

TEST(TableCursor, WalksAMixedTable) {
    const Octets wire = octets(
        "04'name' 'S' 00000001 'v'"
        "04'list' 'A' 0000000b 'I' 00000001 'S' 00000001 'x'"
        "00 't' 02");
    TableCursor cursor{Bytes(wire)};
    Field field;
    ASSERT_EQ(cursor.next(field), FieldStatus::field);
    EXPECT_EQ(field.name, "name");
    ASSERT_EQ(cursor.next(field), FieldStatus::field);
    EXPECT_EQ(field.name, "list");
    TableCursor list = cursor.nested(field);
    Field element;
    ASSERT_EQ(list.next(element), FieldStatus::field);
    EXPECT_EQ(element.integer, 1);
    ASSERT_EQ(list.next(element), FieldStatus::field);
    EXPECT_EQ(as_text(element.bytes), "x");
    EXPECT_EQ(list.next(element), FieldStatus::end);
    EXPECT_EQ(list.next(element), FieldStatus::end);
    ASSERT_EQ(cursor.next(field), FieldStatus::field);
    EXPECT_EQ(field.name, "");
    EXPECT_EQ(field.integer, 1);  // any octet but zero is true
    EXPECT_EQ(cursor.next(field), FieldStatus::end);
}

TEST(TableCursor, NestedOverAScalarIsMalformed) {
    const Octets wire = octets("01'k' 'I' 00000001");
    TableCursor cursor{Bytes(wire)};
    Field field;
    ASSERT_EQ(cursor.next(field), FieldStatus::field);
    EXPECT_EQ(cursor.nested(field).next(field), FieldStatus::malformed);
}

TEST(TableCursor, AnInnerLengthMayNotLeaveItsContainer) {
    // The string's length reaches beyond its array, into what follows the array.
    EXPECT_FALSE(check_table(octets("01'k' 'A' 00000005 'S' 00000003 01'j' 'V'")));
    // The lazy walk of the outer level does not notice; the inner one does.
    EXPECT_EQ(count_fields(octets("01'k' 'A' 00000005 'S' 00000003 01'j' 'V'"), TableKind::table),
              2U);
}

TEST(TableCursor, EmptyIsATable) {
    EXPECT_TRUE(check_table({}));
    EXPECT_TRUE(check_table({}, TableKind::array));
    TableCursor cursor{Bytes{}};
    Field field;
    EXPECT_EQ(cursor.next(field), FieldStatus::end);
}

// rule 111
TEST(TableDepth, Rule111TheLimitHoldsOnTheWire) {
    EXPECT_TRUE(check_table(nested_tables(1)));
    EXPECT_TRUE(check_table(nested_tables(max_table_depth)));
    EXPECT_FALSE(check_table(nested_tables(max_table_depth + 1)));
    EXPECT_FALSE(check_table(nested_tables(5000)));
    EXPECT_FALSE(check_table(nested_tables(500000)));
}

// rule 111
TEST(TableDepth, Rule111ACursorEndsAtTheLimit) {
    const Octets wire = nested_tables(5000);
    TableCursor cursor{Bytes(wire)};
    Field field;
    std::size_t levels = 0;
    while (cursor.next(field) == FieldStatus::field) {
        ++levels;
        cursor = cursor.nested(field);
    }
    EXPECT_EQ(levels, max_table_depth);
    EXPECT_EQ(TableCursor(wire, TableKind::table, max_table_depth).next(field),
              FieldStatus::malformed);
    EXPECT_EQ(TableCursor(wire, TableKind::table, SIZE_MAX).next(field), FieldStatus::malformed);
}

// rule 111
TEST(TableDepth, Rule111TheLimitHoldsInTheBuilder) {
    FieldTable inner;
    for (std::size_t level = 2; level <= max_table_depth; ++level) {
        FieldTable outer(level % 2 == 0 ? TableKind::array : TableKind::table);
        const std::string_view name = level % 2 == 0 ? "" : "a";
        ASSERT_EQ(outer.add_table(name, inner), FieldError::none) << level;
        ASSERT_TRUE(check_table(outer.contents(), outer.kind()));
        inner = outer;
    }
    FieldTable outer;
    EXPECT_EQ(outer.add_table("a", inner), FieldError::too_deep);
    EXPECT_TRUE(outer.empty());
    EXPECT_EQ(outer.field_count(), 0U);
    const Octets deep = nested_tables(5000);
    EXPECT_EQ(outer.add({.name = "a", .tag = 'F', .bytes = deep}), FieldError::too_deep);
}

// rule 111
TEST(TableFields, Rule111TheLimitHoldsAtOneLevelAndInAll) {
    const Octets most(max_table_fields, std::byte{'V'});
    EXPECT_TRUE(check_table(most, TableKind::array));
    EXPECT_EQ(count_fields(most, TableKind::array), max_table_fields);
    const Octets over(max_table_fields + 1, std::byte{'V'});
    EXPECT_FALSE(check_table(over, TableKind::array));
    EXPECT_EQ(count_fields(over, TableKind::array), max_table_fields);

    // 257 arrays of 255: 257 + 65535 fields.
    Octets spread;
    for (int array = 0; array < 257; ++array) {
        spread = joined(spread, octets("'A' 000000ff"), Octets(255, std::byte{'V'}));
    }
    EXPECT_FALSE(check_table(spread, TableKind::array));
    EXPECT_EQ(count_fields(spread, TableKind::array), 257U);

    FieldTable table;
    EXPECT_EQ(table.add({.name = "a", .tag = 'A', .bytes = over}), FieldError::too_many_fields);
    EXPECT_EQ(table.add({.name = "a", .tag = 'A', .bytes = most}), FieldError::too_many_fields);
    EXPECT_EQ(table.add({.name = "a", .tag = 'A', .bytes = spread}), FieldError::too_many_fields);
    EXPECT_TRUE(table.empty());
    const Bytes fits = Bytes(most).first(max_table_fields - 1);
    EXPECT_EQ(table.add({.name = "a", .tag = 'A', .bytes = fits}), FieldError::none);
    EXPECT_EQ(table.add_bool("b", true), FieldError::too_many_fields);
    EXPECT_TRUE(check_table(table.contents()));
}

// rule 114
TEST(FieldTable, Rule114EmitsNoUnsignedLong) {
    FieldTable table;
    ASSERT_EQ(table.add({.name = "k", .tag = 'L', .integer = -1}), FieldError::none);
    EXPECT_EQ(hex(table.contents()), hex(octets("01'k' 'l' ffffffffffffffff")));
    table.clear();
    const Octets inner = octets("'L' 0000000000000001");
    ASSERT_EQ(table.add({.name = "k", .tag = 'A', .bytes = inner}), FieldError::none);
    EXPECT_EQ(hex(table.contents()), hex(octets("01'k' 'A' 00000009 'l' 0000000000000001")));
    EXPECT_EQ(only_field(octets("01'k' 'L' ffffffffffffffff")).integer, -1);
}

TEST(FieldTable, ValuesThatDoNotFitTheirTagAreRefused) {
    const struct {
        char tag;
        std::int64_t least;
        std::int64_t most;
    } ranges[] = {{'t', 0, 1},          {'b', -128, 127},
                  {'B', 0, 255},        {'s', -32768, 32767},
                  {'u', 0, 65535},      {'I', -2147483648, 2147483647},
                  {'i', 0, 4294967295}, {'D', -2147483648, 2147483647}};
    for (const auto& range : ranges) {
        FieldTable table;
        const auto add = [&](std::int64_t value) {
            return table.add({.name = "k", .tag = range.tag, .integer = value});
        };
        EXPECT_EQ(add(range.least - 1), FieldError::out_of_range) << range.tag;
        EXPECT_EQ(add(range.most + 1), FieldError::out_of_range) << range.tag;
        EXPECT_EQ(add(std::numeric_limits<std::int64_t>::min()), FieldError::out_of_range);
        EXPECT_TRUE(table.empty());
        EXPECT_EQ(add(range.least), FieldError::none) << range.tag;
        EXPECT_EQ(add(range.most), FieldError::none) << range.tag;
        EXPECT_EQ(table.field_count(), 2U);
    }
}

// rule 114: RabbitMQ's table parser crashes on these (tried with that of 3.10.8).
TEST(FieldTable, Rule114NanAndInfinityAreDecodedButNotSent) {
    for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
        FieldTable table;
        EXPECT_EQ(table.add({.name = "k", .tag = 'd', .real = value}), FieldError::not_finite);
        EXPECT_EQ(table.add({.name = "k", .tag = 'f', .real = value}), FieldError::not_finite);
        EXPECT_EQ(table.add_double("k", value), FieldError::not_finite);
        EXPECT_TRUE(table.empty());
    }
    FieldTable table;
    EXPECT_EQ(table.add({.name = "k", .tag = 'f', .real = 1e300}), FieldError::out_of_range);
    const Octets inner = octets("'d' 7ff8000000000000");
    EXPECT_TRUE(std::isnan(only_field(inner, TableKind::array).real));
    EXPECT_EQ(table.add({.name = "k", .tag = 'A', .bytes = inner}), FieldError::not_finite);
}

// rule 115: bytes, not characters.
TEST(FieldTable, Rule115NamesAreAtMost255Bytes) {
    for (const std::size_t length : {0U, 127U, 128U, 255U}) {
        const std::string name(length, 'n');
        FieldTable table;
        ASSERT_EQ(table.add_bool(name, true), FieldError::none);
        EXPECT_EQ(only_field(table.contents()).name, name);
    }
    FieldTable table;
    EXPECT_EQ(table.add_bool(std::string(256, 'n'), true), FieldError::name_too_long);
    std::string multibyte;
    for (int count = 0; count < 128; ++count)
        multibyte += "\u00e9";
    EXPECT_EQ(table.add_bool(multibyte, true), FieldError::name_too_long);
    EXPECT_TRUE(table.empty());
    FieldTable array(TableKind::array);
    EXPECT_EQ(array.add_bool("n", true), FieldError::name_in_array);
}

TEST(FieldTable, ARefusalChangesNothing) {
    FieldTable table;
    ASSERT_EQ(table.add_string("a", "x"), FieldError::none);
    const Octets before = copy_of(table.contents());
    const Octets bad = octets("'I' 00000001 'S' 000000ff");
    EXPECT_EQ(table.add({.name = "b", .tag = 'A', .bytes = bad}), FieldError::malformed);
    EXPECT_EQ(hex(table.contents()), hex(before));
    EXPECT_EQ(table.field_count(), 1U);
}

// Its memory moves while it is copied from.
TEST(FieldTable, MayBePutIntoItself) {
    FieldTable table;
    ASSERT_EQ(table.add_string("s", std::string(50, 'v')), FieldError::none);
    const Octets once = test::copy_of(table.contents());
    for (int times = 0; times < 3; ++times) {
        const Octets before = test::copy_of(table.contents());
        ASSERT_EQ(table.add_table("t", table), FieldError::none);
        TableCursor cursor(table.contents().subspan(before.size()));
        Field field;
        ASSERT_EQ(cursor.next(field), FieldStatus::field);
        EXPECT_EQ(hex(field.bytes), hex(before));
    }
    EXPECT_TRUE(check_table(table.contents()));
    // A field of its own, name and all.
    TableCursor cursor(table.contents());
    Field field;
    ASSERT_EQ(cursor.next(field), FieldStatus::field);
    const std::size_t size = table.contents().size();
    ASSERT_EQ(table.add(field), FieldError::none);
    EXPECT_EQ(hex(table.contents().subspan(size)), hex(once));
    const std::size_t fields = table.field_count();
    EXPECT_EQ(table.add({.name = "n", .tag = 'A', .bytes = table.contents()}),
              FieldError::malformed);
    EXPECT_EQ(table.field_count(), fields);
}

TEST(FieldTable, ConveniencesChooseTheirTags) {
    FieldTable list(TableKind::array);
    ASSERT_EQ(list.add_int("", 2147483648), FieldError::none);
    FieldTable table;
    ASSERT_EQ(table.add_string("s", "v"), FieldError::none);
    ASSERT_EQ(table.add_int("i", -1), FieldError::none);
    ASSERT_EQ(table.add_int("l", 3000000000), FieldError::none);
    ASSERT_EQ(table.add_bool("b", true), FieldError::none);
    ASSERT_EQ(table.add_double("d", 0.1), FieldError::none);
    ASSERT_EQ(table.add_timestamp("t", 1), FieldError::none);
    ASSERT_EQ(table.add_table("a", list), FieldError::none);
    ASSERT_EQ(table.add_table("f", FieldTable()), FieldError::none);
    EXPECT_EQ(hex(table.contents()),
              hex(octets("01's' 'S' 00000001 'v' 01'i' 'I' ffffffff 01'l' 'l' 00000000b2d05e00"
                         "01'b' 't' 01 01'd' 'd' 3fb999999999999a 01't' 'T' 0000000000000001"
                         "01'a' 'A' 00000009 'l' 0000000080000000 01'f' 'F' 00000000")));
    EXPECT_EQ(table.field_count(), 9U);
}

TEST(FieldTable, EveryErrorHasAText) {
    for (unsigned error = 0; error <= static_cast<unsigned>(FieldError::malformed); ++error) {
        EXPECT_STRNE(field_error_text(static_cast<FieldError>(error)), "unknown error");
    }
}

TEST(DescribeTable, ShowsEveryKind) {
    const Octets wire = octets(
        "01's' 'S' 00000003 'a\"'0a 03'a b' 'I' ffffffff 01't' 't' 01 01'd' 'd' 3fb999999999999a"
        "01'f' 'f' 3dcccccd 01'D' 'D' 02 0000007b 01'x' 'x' 00000002 00ff 01'v' 'V'"
        "01'T' 'T' ffffffffffffffff 01'a' 'A' 00000007 't' 00 'F' 00000000");
    EXPECT_EQ(describe_table(wire),
              "{s=\"a\\\"\\x0a\", \"a b\"=-1, t=true, d=0.1, f=0.1, D=123e-2, x=0x00ff, v=void, "
              "T=18446744073709551615, a=[false, {}]}");
    EXPECT_EQ(describe_table({}), "{}");
    EXPECT_EQ(describe_table({}, TableKind::array), "[]");
    EXPECT_EQ(describe_table(octets("01'k' 't' 01 01'j' 'S' 000000ff")), "{k=true, <malformed>}");
}

TEST(DescribeTable, IsBoundedInDepthAndLength) {
    EXPECT_EQ(describe_table(nested_tables(12)), "{a={a={a={a={a={a={a={a={...}}}}}}}}}");
    EXPECT_LT(describe_table(nested_tables(5000)).size(), 64U);
    const Octets wide(max_table_fields, std::byte{'V'});
    EXPECT_LT(describe_table(wide, TableKind::array).size(), 2000U);
    Octets names;
    for (int count = 0; count < 1000; ++count) {
        names = joined(names, octets("ff"), Octets(255, std::byte{7}), octets("'V'"));
    }
    EXPECT_LT(describe_table(names).size(), 3000U);
}

}  // namespace
}  // namespace haigha::wire
