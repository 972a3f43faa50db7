// Messages as the program prints them in JSON, and back: every type and every octet.
#include "message_json.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "check_probes.h"
#include "failure.h"
#include "octets_text.h"

namespace tool {
namespace {

// Seeded, so that a failure can be repeated.
class RandomTables {
  public:
    explicit RandomTables(unsigned seed) : engine_(seed) {}

    std::size_t below(std::size_t bound) { return engine_() % bound; }

    std::string octets(std::size_t most) {
        // Names that are types in JSON, text and any octets.
        static const std::vector<std::string> telling = {
            "int8",   "table", "fields", "base64", "float",
            "double", "a",     "a",      "",       "Gr\xC3\xBC\xC3\x9F",
            "\xFF"};
        if (below(2) == 0) return telling[below(telling.size())];
        std::string text(below(most + 1), '\0');
        for (char& octet : text)
            octet = static_cast<char>(below(256));
        return text;
    }

    TableHandle table(int levels, bool is_array = false) {
        TableHandle made = make(is_array);
        for (std::size_t left = below(5); left > 0; --left)
            add(made.get(), is_array, levels);
        return made;
    }

  private:
    static TableHandle make(bool is_array) {
        TableHandle made;
        ErrorSlot error;
        require(is_array ? haigha_table_new_array(out(made), error)
                         : haigha_table_new(out(made), error),
                error);
        return made;
    }

    std::int64_t integer(int bits, bool has_sign) {
        const auto any = std::uint64_t{engine_()} << 32 | engine_();
        // Small numbers and those at the ends are likelier than chance would make them.
        const std::uint64_t shapes[] = {any, 0, 1, ~std::uint64_t{0},
                                        std::uint64_t{1} << (bits - 1)};
        const std::uint64_t value = shapes[below(std::size(shapes))] << (64 - bits);
        return has_sign ? static_cast<std::int64_t>(value) >> (64 - bits)
                        : static_cast<std::int64_t>(value >> (64 - bits));
    }

    double real(bool is_float) {
        const double whole[] = {0.0, -0.0, 1.0, -3.0, 1e17, FLT_MAX, FLT_TRUE_MIN};
        if (below(3) == 0) return whole[below(std::size(whole))];
        const auto bits = std::uint64_t{engine_()} << 32 | engine_();
        const double value = is_float
                                 ? double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))}
                                 : std::bit_cast<double>(bits);
        // The library sends no others.
        return std::isfinite(value) ? value : 0.5;
    }

    void add(haigha_table* to, bool is_array, int levels) {
        const std::string name = is_array ? "" : octets(8);
        const std::string text = octets(40);
        ErrorSlot error;
        static constexpr char types[] = "tbBsuIilfdDSxTVAF";
        haigha_field field = {};
        field.name = to_str(name);
        field.type = static_cast<std::uint32_t>(types[below(levels > 1 ? 17 : 15)]);
        switch (field.type) {
            case HAIGHA_FIELD_ARRAY:
            case HAIGHA_FIELD_TABLE: {
                const TableHandle nested = table(levels - 1, field.type == HAIGHA_FIELD_ARRAY);
                require(haigha_table_add_table(to, to_str(name), nested.get(), error), error);
                return;
            }
            case HAIGHA_FIELD_BOOL:
                field.integer = static_cast<std::int64_t>(below(2));
                break;
            case HAIGHA_FIELD_INT8:
                field.integer = integer(8, true);
                break;
            case HAIGHA_FIELD_UINT8:
                field.integer = integer(8, false);
                break;
            case HAIGHA_FIELD_INT16:
                field.integer = integer(16, true);
                break;
            case HAIGHA_FIELD_UINT16:
                field.integer = integer(16, false);
                break;
            case HAIGHA_FIELD_INT32:
                field.integer = integer(32, true);
                break;
            case HAIGHA_FIELD_UINT32:
                field.integer = integer(32, false);
                break;
            case HAIGHA_FIELD_INT64:
            case HAIGHA_FIELD_TIMESTAMP:
                field.integer = integer(64, true);
                break;
            case HAIGHA_FIELD_FLOAT:
                field.real = real(true);
                break;
            case HAIGHA_FIELD_DOUBLE:
                field.real = real(false);
                break;
            case HAIGHA_FIELD_DECIMAL:
                field.integer = integer(32, true);
                field.scale = static_cast<std::uint32_t>(below(256));
                break;
            case HAIGHA_FIELD_STRING:
            case HAIGHA_FIELD_BYTES:
                field.bytes = to_str(text);
                break;
            default:
                break;
        }
        require(haigha_table_add(to, &field, error), error);
    }

    std::mt19937 engine_;
};

haigha_cursor cursor_of(const TableHandle& table) {
    haigha_cursor cursor;
    EXPECT_EQ(HAIGHA_OK, haigha_table_cursor(table.get(), &cursor));
    return cursor;
}

TableHandle table_of(const std::string& text) {
    return table_of_json(Json::parse(text), JsonPath{nullptr, "headers"});
}

// The text, read and written again.
std::string again(const std::string& text) {
    return table_json(cursor_of(table_of(text))).dump();
}

std::string refusal(const std::string& text) {
    try {
        const JsonMessage message(text);
    } catch (const JsonProblem& problem) {
        return problem.what();
    }
    return "it was taken";
}

TEST(MessageJson, HasAFormForEachType) {
    const std::vector<std::pair<std::uint32_t, std::string>> forms = {
        {HAIGHA_FIELD_BOOL, "true"},
        {HAIGHA_FIELD_VOID, "null"},
        {HAIGHA_FIELD_INT32, "-2147483648"},
        {HAIGHA_FIELD_STRING, R"("Grüße")"},
        {HAIGHA_FIELD_DOUBLE, "0.1"},
        {HAIGHA_FIELD_ARRAY, R"([1,"x",[]])"},
        {HAIGHA_FIELD_TABLE, R"({"a":1,"b":{}})"},
        {HAIGHA_FIELD_INT8, R"({"int8":-128})"},
        {HAIGHA_FIELD_UINT8, R"({"uint8":255})"},
        {HAIGHA_FIELD_INT16, R"({"int16":-32768})"},
        {HAIGHA_FIELD_UINT16, R"({"uint16":65535})"},
        {HAIGHA_FIELD_UINT32, R"({"uint32":4294967295})"},
        {HAIGHA_FIELD_INT64, R"({"int64":5})"},
        {HAIGHA_FIELD_INT64, R"({"int64":"-9223372036854775808"})"},
        {HAIGHA_FIELD_TIMESTAMP, R"({"timestamp":1700000000})"},
        {HAIGHA_FIELD_TIMESTAMP, R"({"timestamp":"18446744073709551615"})"},
        {HAIGHA_FIELD_FLOAT, R"({"float":0.1})"},
        {HAIGHA_FIELD_DOUBLE, R"({"double":1.0})"},
        {HAIGHA_FIELD_DOUBLE, R"({"double":"-0"})"},
        {HAIGHA_FIELD_DECIMAL, R"({"decimal":"-0.0031416"})"},
        {HAIGHA_FIELD_STRING, R"({"base64":"/w=="})"},
        {HAIGHA_FIELD_BYTES, R"({"bytes":"AP8="})"},
        {HAIGHA_FIELD_TABLE, R"({"table":{"int8":1}})"},
        {HAIGHA_FIELD_TABLE, R"({"table":{"fields":1}})"},
        {HAIGHA_FIELD_TABLE, R"({"fields":[["a",1],["a",{"uint8":2}]]})"},
        {HAIGHA_FIELD_TABLE, R"({"fields":[[{"base64":"/w=="},null]]})"},
    };
    for (const auto& [type, form] : forms) {
        const std::string text = R"({"x":)" + form + "}";
        const TableHandle table = table_of(text);
        haigha_cursor cursor = cursor_of(table);
        haigha_field field;
        ASSERT_EQ(1, haigha_cursor_next(&cursor, &field));
        EXPECT_EQ(type, field.type) << form;
        EXPECT_EQ(text, again(text));
    }
}

TEST(MessageJson, TakesWhatPeopleAndOtherProgramsWrite) {
    // Numbers as jq 1.6 prints them, 64 bits without the need of a name, a whole number as text.
    EXPECT_EQ(R"({"x":{"double":1.0}})", again(R"({"x":{"double":1}})"));
    EXPECT_EQ(R"({"x":{"double":1e+300}})", again(R"({"x":1e300})"));
    EXPECT_EQ(R"({"x":{"int64":4294967296}})", again(R"({"x":4294967296})"));
    EXPECT_EQ(R"({"x":{"uint8":7}})", again(R"({"x":{"uint8":"7"}})"));
    EXPECT_EQ(R"({"x":7})", again(R"({"x":{"int32":7}})"));
    // Where only a table can stand the names of types are names.
    EXPECT_EQ(R"({"timestamp":5})", again(R"({"timestamp":5})"));
    EXPECT_EQ(R"({"table":{"table":5}})", again(R"({"table":{"table":5}})"));
}

TEST(MessageJson, BringsRandomTablesBack) {
    RandomTables random(20261127);
    for (int round = 0; round < 3000; ++round) {
        const TableHandle sent = random.table(5);
        const std::string text = table_json(cursor_of(sent)).dump();
        const TableHandle got = table_of(text);
        const std::string difference =
            table_difference(cursor_of(sent), cursor_of(got), FieldMatch::in_order);
        ASSERT_EQ("", difference) << "round " << round << ": " << text;
    }
}

TEST(MessageJson, BringsRandomMessagesBack) {
    RandomTables random(8);
    for (int round = 0; round < 500; ++round) {
        std::array<std::string, std::size(property_texts)> texts;
        haigha_properties sent = HAIGHA_PROPERTIES_INIT;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            if (random.below(2) == 0) continue;
            texts[i] = random.octets(255);
            sent.present |= property_texts[i].bit;
            sent.*property_texts[i].member = to_str(texts[i]);
        }
        for (const std::uint32_t bit :
             {HAIGHA_PROPERTY_DELIVERY_MODE, HAIGHA_PROPERTY_PRIORITY, HAIGHA_PROPERTY_TIMESTAMP}) {
            if (random.below(2) == 0) sent.present |= bit;
        }
        sent.delivery_mode = static_cast<std::uint8_t>(random.below(256));
        sent.priority = static_cast<std::uint8_t>(random.below(256));
        sent.timestamp = random.below(2) == 0 ? UINT64_MAX - random.below(9) : random.below(9);
        const std::string body = random.octets(2000);
        Json json = {{"properties", properties_json(sent)}, {"body", text_json(body)}};
        const std::string text = json.dump();

        const JsonMessage got(text);
        EXPECT_EQ(text, Json({{"properties", properties_json(got.properties())},
                              {"body", text_json(got.body())}})
                            .dump());
        EXPECT_EQ(sent.present, got.properties().present);
        EXPECT_EQ(body, got.body());
        for (const PropertyText& each : property_texts) {
            EXPECT_EQ(to_view(sent.*each.member), to_view(got.properties().*each.member));
        }
        ASSERT_FALSE(HasFailure()) << "round " << round << ": " << text;
    }
}

TEST(MessageJson, TellsNoHeadersFromEmptyOnes) {
    EXPECT_EQ(0U, JsonMessage(R"({"body":"","headers":null})").properties().present);
    EXPECT_EQ(0U, JsonMessage(R"({"body":""})").properties().present);
    EXPECT_EQ(static_cast<std::uint32_t>(HAIGHA_PROPERTY_HEADERS),
              JsonMessage(R"({"body":"","headers":{}})").properties().present);
    EXPECT_FALSE(JsonMessage(R"({"body":""})").exchange());
    EXPECT_EQ("", JsonMessage(R"({"body":"","exchange":""})").exchange());
}

TEST(MessageJson, IsAsDeepAsTheLibraryReads) {
    const auto nested = [](int levels) {
        std::string text = "1";
        for (int i = 1; i < levels; ++i)
            text = i % 2 == 0 ? "[" + text + "]" : R"({"x":)" + text + "}";
        return R"({"x":)" + text + "}";
    };
    EXPECT_EQ(nested(32), again(nested(32)));
    EXPECT_NE(std::string::npos,
              refusal(R"({"body":"","headers":)" + nested(33) + "}").find("more than 32 deep"));
    EXPECT_NE(std::string::npos,
              refusal(R"({"body":"","headers":)" + nested(2000) + "}").find("32 deep"));
}

TEST(MessageJson, RefusesWithASentenceThatSaysWhere) {
    const auto in_headers = [](const std::string& value) {
        return refusal(R"({"body":"","headers":{"a":[0,{"b":)" + value + "}]}}");
    };
    EXPECT_EQ("headers.a[1].b.uint8: 256 is no uint8", in_headers(R"({"uint8":256})"));
    EXPECT_EQ("headers.a[1].b.int8: 1.5 is no int8", in_headers(R"({"int8":1.5})"));
    EXPECT_EQ("headers.a[1].b.int64: \"9223372036854775808\" is no int64",
              in_headers(R"({"int64":"9223372036854775808"})"));
    EXPECT_EQ("headers.a[1].b: 9223372036854775808 does not fit 64 bits with a sign, as int64 has",
              in_headers("9223372036854775808"));
    EXPECT_EQ("headers.a[1].b.float: 1e+300 does not fit a float",
              in_headers(R"({"float":1e300})"));
    EXPECT_EQ("headers.a[1].b.double: \"1,5\" is no double", in_headers(R"({"double":"1,5"})"));
    EXPECT_EQ("headers.a[1].b.bytes: \"/x==\" is no base64", in_headers(R"({"bytes":"/x=="})"));
    EXPECT_EQ("headers.a[1].b.timestamp: -1 is no timestamp: whole seconds since 1970-01-01 UTC",
              in_headers(R"({"timestamp":-1})"));
    EXPECT_EQ("headers.a[1].b.fields[0]: [\"x\"] is no [name, value]",
              in_headers(R"({"fields":[["x"]]})"));
    for (const char* const text : {"", ".5", "5.", "-.5", "1e5", "2147483648", "+1", "0x1"}) {
        const std::string value = R"({"decimal":")" + std::string(text) + R"("})";
        EXPECT_NE(std::string::npos, in_headers(value).find("is no decimal")) << text;
    }
    EXPECT_EQ("headers: [] is no object", refusal(R"({"body":"","headers":[]})"));
    EXPECT_EQ("no object", refusal("[]"));
    EXPECT_EQ("it has no body", refusal("{}"));
    EXPECT_EQ("body: 5 is neither text nor {\"base64\": \"...\"}", refusal(R"({"body":5})"));
    EXPECT_EQ("rooting_key: a message has no such member",
              refusal(R"({"body":"","rooting_key":"x"})"));
    EXPECT_EQ("properties.user: there is no such property",
              refusal(R"({"body":"","properties":{"user":"x"}})"));
    EXPECT_EQ("properties.priority: a whole number from 0 to 255 is wanted",
              refusal(R"({"body":"","properties":{"priority":256}})"));
    EXPECT_EQ("properties.type: it is longer than 255 bytes",
              refusal(R"({"body":"","properties":{"type":")" + std::string(256, 'x') + "\"}}"));
    EXPECT_EQ(0U, refusal(R"({"body":)").find("no JSON, at its octet 9: "));
    EXPECT_EQ(0U, refusal("{\"body\":\"\xFF\"}").find("no JSON, at its octet 10: "));
}

// Neither crashes nor throws anything else, and what it takes is a message.
TEST(MessageJson, TakesOrRefusesWhateverItIsGiven) {
    const std::string whole =
        R"({"routing_key":"k","properties":{"type":"t","timestamp":"5","priority":1},"headers":)"
        R"({"a":[1,{"uint8":2}],"b":{"decimal":"-3.14"},"c":{"fields":[["x",{"base64":"/w=="}]]},)"
        R"("d":{"table":{"int8":1}},"e":{"float":1.5},"f":null,"g":{"bytes":"AP8="}},"body":"b"})";
    RandomTables random(5);
    int taken = 0;
    for (int round = 0; round < 4000; ++round) {
        std::string text = whole;
        for (std::size_t changes = 1 + random.below(3); changes > 0; --changes) {
            static constexpr std::string_view telling = "{}[]\":,-.0159enul\\x/=\xFF";
            const std::size_t at = random.below(text.size());
            switch (random.below(3)) {
                case 0:
                    text[at] = telling[random.below(telling.size())];
                    break;
                case 1:
                    text.erase(at, 1 + random.below(9));
                    break;
                default:
                    text.insert(at, text.substr(random.below(text.size()), random.below(20)));
            }
        }
        try {
            const JsonMessage message(text);
            ++taken;
            if ((message.properties().present & HAIGHA_PROPERTY_HEADERS) == 0) continue;
            haigha_cursor headers;
            ASSERT_EQ(HAIGHA_OK, haigha_table_cursor(message.properties().headers, &headers));
            EXPECT_NO_THROW(table_json(headers)) << text;
        } catch (const JsonProblem& problem) {
            EXPECT_NE(std::string_view(), problem.what());
        }
    }
    EXPECT_GT(taken, 50);
}

TEST(OctetsText, IsBase64BothWays) {
    const std::vector<std::pair<std::string, std::string>> vectors = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFF\xEF\xBF", "/++/"},
    };
    for (const auto& [octets, text] : vectors) {
        EXPECT_EQ(text, base64(octets));
        EXPECT_EQ(octets, octets_of_base64(text));
    }
    for (const char* const text :
         {"Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 8", "Zm8=\n", "Zm-_"}) {
        EXPECT_EQ(std::nullopt, octets_of_base64(text)) << text;
    }
}

}  // namespace
}  // namespace tool
