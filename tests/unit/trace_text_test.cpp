// Tests of the tracer's text: what a peer sends cannot forge lines or fill a log.
#include "wire/trace_text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace haigha::wire {
namespace {

std::string as_quoted(std::string_view text) {
    std::string out;
    append_quoted(text, out);
    return out;
}

template <class T>
std::string number(T value) {
    std::string out;
    append_number(value, out);
    return out;
}

TEST(TraceText, QuotesAndEscapes) {
    EXPECT_EQ(as_quoted(""), "\"\"");
    EXPECT_EQ(as_quoted("orders"), "\"orders\"");
    EXPECT_EQ(as_quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
    EXPECT_EQ(as_quoted("\r\n\t\x1b[31m\x7f"), "\"\\x0d\\x0a\\x09\\x1b[31m\\x7f\"");
    EXPECT_EQ(as_quoted(std::string_view("\0", 1)), "\"\\x00\"");
    EXPECT_EQ(as_quoted("gr\u00fcn"), "\"gr\u00fcn\"");
}

TEST(TraceText, CutsLongStringsAndSaysSo) {
    const std::string fits(max_traced_string, 'x');
    EXPECT_EQ(as_quoted(fits), '"' + fits + '"');
    EXPECT_EQ(as_quoted(fits + "yz"), '"' + fits + "\"...(130 bytes)");
}

TEST(TraceText, WritesNumbers) {
    EXPECT_EQ(number(UINT64_MAX), "18446744073709551615");
    EXPECT_EQ(number(INT64_MIN), "-9223372036854775808");
    EXPECT_EQ(number(0.1), "0.1");
    EXPECT_EQ(number(-std::numeric_limits<double>::denorm_min()), "-5e-324");
    EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "inf");
}

}  // namespace
}  // namespace haigha::wire
