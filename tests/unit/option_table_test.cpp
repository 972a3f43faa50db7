// Tests of the option table: each row by its name, its range, its default.
#include "client/option_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace haigha::client {
namespace {

TEST(OptionTable, HasEveryNameOnceAndOneMemberForEach) {
    std::set<std::string_view> names;
    for (const OptionRow& row : option_rows()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        EXPECT_FALSE(row.meaning.empty()) << row.name;
        EXPECT_NE(row.text == nullptr, row.number == nullptr) << row.name;
        EXPECT_LE(row.minimum, row.maximum) << row.name;
    }
}

TEST(OptionTable, HasDefaultsWithinTheirRanges) {
    for (const OptionRow& row : option_rows()) {
        Options options;
        const ErrorRef error = row.text != nullptr
                                   ? (options.*row.text).empty()
                                         ? nullptr
                                         : set_option(options, row.name, options.*row.text)
                                   : set_option(options, row.name, options.*row.number);
        EXPECT_FALSE(error) << row.name;
        if (row.text != nullptr && !row.secret) {
            EXPECT_EQ(Options().*row.text, row.default_text) << row.name;
        }
    }
}

TEST(OptionTable, TakesTheEndsOfEachRangeAndNothingBeyond) {
    for (const OptionRow& row : option_rows()) {
        Options options;
        if (row.number != nullptr) {
            if (row.name == "address_family") continue;  // 0, 4 and 6 only
            EXPECT_FALSE(set_option(options, row.name, row.minimum)) << row.name;
            EXPECT_FALSE(set_option(options, row.name, row.maximum)) << row.name;
            EXPECT_EQ(options.*row.number, row.maximum);
            EXPECT_TRUE(set_option(options, row.name, row.maximum + 1)) << row.name;
            const ErrorRef error =
                set_option(options, row.name, row.zero_too ? -1 : row.minimum - 1);
            ASSERT_TRUE(error) << row.name;
            EXPECT_NE(error->message.find(row.name), std::string::npos);
            EXPECT_EQ(options.*row.number, row.maximum);
        } else if (row.maximum < 70'000 && row.choices.empty() &&
                   row.name != "host" /* of a form of its own */) {
            const std::string longest(static_cast<std::size_t>(row.maximum), 'x');
            EXPECT_FALSE(set_option(options, row.name, longest)) << row.name;
            const ErrorRef error = set_option(options, row.name, longest + "x");
            ASSERT_TRUE(error) << row.name;
            EXPECT_EQ(error->message.find("xxx"), std::string::npos) << row.name;
        }
    }
}

TEST(OptionTable, TakesThreeAddressFamilies) {
    Options options;
    for (int family = -1; family < 8; ++family) {
        const bool good = family == 0 || family == 4 || family == 6;
        EXPECT_EQ(!set_option(options, "address_family", std::int64_t{family}), good) << family;
    }
}

TEST(OptionTable, RefusesUnknownNamesAndWrongKinds) {
    Options options;
    EXPECT_EQ(set_option(options, "hots", "x")->status, Status::argument);
    EXPECT_NE(set_option(options, "hots", "x")->message.find("hots"), std::string::npos);
    EXPECT_TRUE(set_option(options, "port", "5672"));
    EXPECT_TRUE(set_option(options, "host", std::int64_t{1}));
    EXPECT_TRUE(set_option(options, "host", std::string_view("a\0b", 3)));
}

TEST(OptionTable, ReadsNumbersFromText) {
    Options options;
    EXPECT_FALSE(set_option_from_text(options, "port", "99"));
    EXPECT_EQ(options.port, 99);
    for (const char* text : {"", " 1", "1 ", "1x", "0x10", "99999999999999999999", "+1", "1.5"})
        EXPECT_TRUE(set_option_from_text(options, "port", text)) << text;
    EXPECT_EQ(options.port, 99);
    // rule 29: 0, or a frame that current brokers accept
    EXPECT_TRUE(set_option_from_text(options, "frame_max", "4096"));
    EXPECT_FALSE(set_option_from_text(options, "frame_max", "0"));
    EXPECT_FALSE(set_option_from_text(options, "frame_max", "8192"));
}

}  // namespace
}  // namespace haigha::client
