// Tests of the texts of W3C Trace Context: each rule of the standard, at each place of the text.
#include "wire/traceparent.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace haigha::wire {
namespace {

const std::string valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

bool parses(const std::string& text) {
    TraceContext context;
    return parse_traceparent(text, &context) == nullptr;
}

std::string formatted(const TraceContext& context) {
    std::string text(traceparent_size, '?');
    format_traceparent(context, text.data());
    return text;
}

std::string name_of(int i) {
    return "k" + std::to_string(i);
}

TEST(Traceparent, ReadsAndWrites) {
    TraceContext context;
    ASSERT_EQ(parse_traceparent(valid, &context), nullptr);
    EXPECT_EQ(context.trace_id[0], 0x0a);
    EXPECT_EQ(context.trace_id[15], 0x9c);
    EXPECT_EQ(context.parent_id[0], 0xb7);
    EXPECT_EQ(context.parent_id[7], 0x31);
    EXPECT_EQ(context.flags, 1);
    EXPECT_TRUE(context.valid());
    EXPECT_EQ(formatted(context), valid);
    // What this version does not know is not passed on.
    context.flags = 0xFE;
    EXPECT_EQ(formatted(context).substr(52), "-00");
    context.flags = 0xFF;
    EXPECT_EQ(formatted(context).substr(52), "-01");
}

// Every octet at every place: only what the standard has there.
TEST(Traceparent, TakesTheRightCharacterAtEachPlaceAndNoOther) {
    for (std::size_t at = 0; at < valid.size(); ++at) {
        const bool hyphen = at == 2 || at == 35 || at == 52;
        for (int c = 0; c < 256; ++c) {
            std::string text = valid;
            text[at] = static_cast<char>(c);
            const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            EXPECT_EQ(parses(text), hyphen ? c == '-' : digit) << at << ": " << c;
        }
    }
}

TEST(Traceparent, HasOneLengthInItsFirstVersion) {
    for (std::size_t size = 0; size < valid.size(); ++size)
        EXPECT_FALSE(parses(valid.substr(0, size))) << size;
    EXPECT_FALSE(parses(valid + "-"));
    EXPECT_FALSE(parses(valid + "-00"));
    EXPECT_FALSE(parses(valid + " "));
    EXPECT_FALSE(parses(" " + valid));
}

TEST(Traceparent, ReadsLaterVersionsAsFarAsItKnows) {
    const std::string rest = valid.substr(2);
    for (const char* version : {"01", "7f", "cc", "fe"}) {
        EXPECT_TRUE(parses(version + rest)) << version;
        EXPECT_TRUE(parses(version + rest + "-")) << version;
        EXPECT_TRUE(parses(version + rest + "-what the future holds")) << version;
        EXPECT_FALSE(parses(version + rest + ".what")) << version;
        EXPECT_FALSE(parses(version + rest + "0")) << version;
    }
    EXPECT_FALSE(parses("ff" + rest));
    TraceContext context;
    ASSERT_EQ(parse_traceparent("cc" + rest + "-x", &context), nullptr);
    EXPECT_EQ(formatted(context), valid);
}

TEST(Traceparent, RefusesIdsOfZerosAndNoOthers) {
    for (std::size_t at = 0; at < valid.size(); ++at) {
        if (at < 3 || at == 35 || at >= 52) continue;
        std::string text = valid;
        const bool in_trace = at < 35;
        for (std::size_t i = in_trace ? 3 : 36; i < (in_trace ? 35U : 52U); ++i)
            text[i] = '0';
        EXPECT_FALSE(parses(text));
        text[at] = '1';
        EXPECT_TRUE(parses(text)) << at;
    }
}

TEST(Traceparent, LeavesTheContextAloneWhenItIsWrong) {
    TraceContext context;
    context.flags = 7;
    EXPECT_NE(parse_traceparent("ff" + valid.substr(2), &context), nullptr);
    EXPECT_EQ(context.flags, 7);
    EXPECT_EQ(context.trace_id[0], 0);
}

TEST(Traceparent, ComesBackFromItsText) {
    std::mt19937_64 random(11);
    for (int i = 0; i < 2000; ++i) {
        TraceContext context;
        for (std::uint8_t& octet : context.trace_id)
            octet = static_cast<std::uint8_t>(random());
        for (std::uint8_t& octet : context.parent_id)
            octet = static_cast<std::uint8_t>(random());
        context.flags = static_cast<std::uint8_t>(random() & 1);
        TraceContext again;
        ASSERT_EQ(parse_traceparent(formatted(context), &again), nullptr);
        EXPECT_EQ(again.trace_id, context.trace_id);
        EXPECT_EQ(again.parent_id, context.parent_id);
        EXPECT_EQ(again.flags, context.flags);
    }
}

TEST(Tracestate, TakesListsOfTheStandards) {
    for (const char* text : {
             "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
             "a=1",
             "a= 1",
             "foo@bar=1",
             "0foo@b-*/_1=x y",
             "a=1 , \t b=2",
             " a=1 ",
             ",a=1,,b=2,",
             "a=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~",
         })
        EXPECT_TRUE(is_tracestate(text)) << text;
    for (const char* text : {
             "",      ",",     " ",       "a",          "a=",    "=1",    "A=1",     "1=1",
             "a=1=2", "a =1",  "a=1,a=2", "a b=1",      "@a=1",  "a@=1",  "a@b@c=1", "a@1=1",
             "a@B=1", "a=\t1", "a=\x7f",  "a=\xC3\xA4", "a.b=1", "a=1,b",
         })
        EXPECT_FALSE(is_tracestate(text)) << text;
    EXPECT_FALSE(is_tracestate(std::string_view("a=\0", 3)));
}

TEST(Tracestate, HasLimits) {
    const auto list = [](int members) {
        std::string text;
        for (int i = 0; i < members; ++i)
            text += (i > 0 ? "," : "") + name_of(i) + "=1";
        return text;
    };
    EXPECT_TRUE(is_tracestate(list(32)));
    EXPECT_FALSE(is_tracestate(list(33)));
    EXPECT_TRUE(is_tracestate(std::string(256, 'a') + "=1"));
    EXPECT_FALSE(is_tracestate(std::string(257, 'a') + "=1"));
    EXPECT_TRUE(is_tracestate(std::string(241, 'a') + "@" + std::string(14, 'b') + "=1"));
    EXPECT_FALSE(is_tracestate(std::string(242, 'a') + "@b=1"));
    EXPECT_FALSE(is_tracestate("a@" + std::string(15, 'b') + "=1"));
    EXPECT_TRUE(is_tracestate("a=" + std::string(256, '1')));
    EXPECT_FALSE(is_tracestate("a=" + std::string(257, '1')));
    EXPECT_FALSE(is_tracestate(std::string(most_tracestate_octets, ',') + "a=1"));
}

// Whatever comes, it ends; and what it takes, it takes a second time without its blanks.
TEST(Tracestate, AnyOctets) {
    std::mt19937 random(3);
    const std::string alphabet = "ab01@=,, \t-_*/~A\x80";
    int taken = 0;
    for (int i = 0; i < 200'000; ++i) {
        std::string text(random() % 12, ' ');
        for (char& c : text)
            c = alphabet[random() % alphabet.size()];
        if (!is_tracestate(text)) continue;
        ++taken;
        EXPECT_TRUE(is_tracestate(" " + text + ",")) << text;
        EXPECT_FALSE(is_tracestate(text + "," + text)) << text;
    }
    EXPECT_GT(taken, 500);
}

// ---- in headers

class TraceHeaders : public testing::Test {
  protected:
    std::optional<TraceContext> read() {
        bool readable = false;
        auto found = trace_context_of(table_.contents(), &readable);
        EXPECT_TRUE(readable);
        return found;
    }
    FieldTable table_;
};

TEST_F(TraceHeaders, ComeBackAsTheyWereAdded) {
    EXPECT_FALSE(read());
    TraceContext context;
    ASSERT_EQ(parse_traceparent(valid, &context), nullptr);
    context.tracestate = "rojo=1";
    ASSERT_EQ(table_.add_string("x", "y"), FieldError::none);
    ASSERT_EQ(add_trace_context(table_, context), FieldError::none);
    ASSERT_TRUE(read());
    EXPECT_EQ(read()->trace_id, context.trace_id);
    EXPECT_EQ(read()->tracestate, "rojo=1");
    EXPECT_EQ(table_.field_count(), 3U);
}

TEST_F(TraceHeaders, AreLeftOutWhereTheyAreNotValid) {
    ASSERT_EQ(table_.add_string("tracestate", "a=1"), FieldError::none);
    EXPECT_FALSE(read());
    ASSERT_EQ(table_.add_string("traceparent", valid), FieldError::none);
    ASSERT_TRUE(read());
    ASSERT_EQ(table_.add_string("tracestate", "b=1"), FieldError::none);
    EXPECT_EQ(read()->tracestate, "") << "of two";
    ASSERT_EQ(table_.add_string("traceparent", valid), FieldError::none);
    EXPECT_FALSE(read()) << "of two";
    table_.clear();
    ASSERT_EQ(table_.add_int("traceparent", 1), FieldError::none);
    EXPECT_FALSE(read());
    table_.clear();
    ASSERT_EQ(table_.add_string("traceparent", valid), FieldError::none);
    ASSERT_EQ(table_.add_string("tracestate", "A=1"), FieldError::none);
    ASSERT_TRUE(read());
    EXPECT_EQ(read()->tracestate, "");
}

TEST_F(TraceHeaders, AreNotLookedForInWhatCannotBeRead) {
    ASSERT_EQ(table_.add_string("traceparent", valid), FieldError::none);
    const Bytes whole = table_.contents();
    for (std::size_t size = 1; size < whole.size(); ++size) {
        bool readable = true;
        EXPECT_FALSE(trace_context_of(whole.first(size), &readable));
        EXPECT_FALSE(readable) << size;
    }
}

}  // namespace
}  // namespace haigha::wire
