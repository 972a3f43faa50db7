// The vectors of tests/conformance, which something else has made: the codec reads and writes each
// of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "support/machine_peer.h"
#include "support/octets.h"
#include "wire/field_table.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_table.h"
#include "wire/properties.h"

namespace haigha::wire {
namespace {

using test::Octets;
using test::octets;
using Json = nlohmann::json;

Json document(const std::string& name) {
    const char* const folder = std::getenv("HAIGHA_CONFORMANCE");
    if (folder == nullptr) throw std::runtime_error("HAIGHA_CONFORMANCE names no folder");
    std::ifstream file(std::string(folder) + "/" + name);
    if (!file) throw std::runtime_error("cannot read " + name);
    Json all = Json::parse(file);
    EXPECT_EQ(all.at("format"), "haigha-conformance");
    EXPECT_EQ(all.at("version"), 1);
    return all;
}

std::string name_of(const Json& vector) {
    return vector.at("name").get<std::string>();
}

Octets octets_in(const Json& vector) {
    return octets(vector.at("hex").get<std::string>());
}

std::string text_of(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    return std::string(as_text(octets(value.at("hex").get<std::string>())));
}

// 64 bits are text.
std::int64_t integer_of(const Json& value) {
    if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
    if (!value.is_string()) return value.get<std::int64_t>();
    const auto text = value.get<std::string>();
    return text.starts_with('-') ? std::stoll(text) : static_cast<std::int64_t>(std::stoull(text));
}

// ---- tables

Bytes contents_of(Bytes with_length) {
    Reader reader(with_length);
    TableBytes table;
    reader(table);
    EXPECT_TRUE(reader.ok() && reader.remaining() == 0);
    return table.bytes;
}

void expect_fields(Bytes contents, const Json& fields, TableKind kind);

void expect_field(const TableCursor& cursor, const Field& field, const Json& wanted) {
    ASSERT_EQ(std::string(1, field.tag), wanted.at("type").get<std::string>());
    if (wanted.contains("name")) {
        EXPECT_EQ(field.name, text_of(wanted.at("name")));
    }
    const Json& value = wanted.at("value");
    switch (field.tag) {
        case 'S':
        case 'x':
            EXPECT_EQ(as_text(field.bytes), text_of(value));
            break;
        case 'f':
            EXPECT_EQ(static_cast<float>(field.real), value.get<float>());
            break;
        case 'd':
            EXPECT_EQ(field.real, value.get<double>());
            break;
        case 'D':
            EXPECT_EQ(field.scale, value.at("scale").get<int>());
            EXPECT_EQ(field.integer, integer_of(value.at("unscaled")));
            break;
        case 'F':
        case 'A': {
            const TableCursor nested = cursor.nested(field);
            expect_fields(nested.rest(), value,
                          field.tag == 'F' ? TableKind::table : TableKind::array);
            break;
        }
        case 'V':
            EXPECT_TRUE(value.is_null());
            break;
        default:
            EXPECT_EQ(field.integer, integer_of(value));
    }
}

void expect_fields(Bytes contents, const Json& fields, TableKind kind) {
    TableCursor cursor(contents, kind);
    Field field;
    for (const Json& wanted : fields) {
        ASSERT_EQ(cursor.next(field), FieldStatus::field);
        expect_field(cursor, field, wanted);
    }
    EXPECT_EQ(cursor.next(field), FieldStatus::end);
}

FieldTable table_from(const Json& fields, TableKind kind = TableKind::table) {
    FieldTable table(kind);
    for (const Json& one : fields) {
        const Json& value = one.at("value");
        const std::string name = one.contains("name") ? text_of(one.at("name")) : "";
        Field field;
        field.name = name;
        field.tag = one.at("type").get<std::string>().at(0);
        std::string text;
        FieldTable nested;
        switch (field.tag) {
            case 'S':
            case 'x':
                text = text_of(value);
                field.bytes = as_bytes(text);
                break;
            case 'f':
            case 'd':
                field.real = value.get<double>();
                break;
            case 'D':
                field.scale = value.at("scale").get<std::uint8_t>();
                field.integer = integer_of(value.at("unscaled"));
                break;
            case 'F':
            case 'A':
                nested = table_from(value, field.tag == 'F' ? TableKind::table : TableKind::array);
                field.bytes = nested.contents();
                break;
            case 'V':
                break;
            default:
                field.integer = integer_of(value);
        }
        EXPECT_EQ(table.add(field), FieldError::none) << one;
    }
    return table;
}

TEST(ConformanceTables, AreReadAndWritten) {
    const Json all = document("tables.json");
    for (const Json& vector : all.at("valid")) {
        SCOPED_TRACE(name_of(vector));
        const Octets wanted = octets_in(vector);
        const Bytes contents = contents_of(wanted);
        EXPECT_TRUE(check_table(contents));
        expect_fields(contents, vector.at("fields"), TableKind::table);
        if (!vector.value("write", true)) continue;
        const FieldTable table = table_from(vector.at("fields"));
        EXPECT_EQ(test::hex(table.contents()), test::hex(contents));
    }
    EXPECT_GT(all.at("valid").size(), 100U);
}

TEST(ConformanceTables, ThatAreBadAreRefused) {
    const Json all = document("tables.json");
    for (const Json& vector : all.at("invalid")) {
        const Octets octets = octets_in(vector);
        EXPECT_FALSE(check_table(contents_of(octets))) << name_of(vector);
    }
    EXPECT_GT(all.at("invalid").size(), 20U);
}

// ---- methods

// Compares arguments with what a vector says, in order.
struct Expect {
    const Json& arguments;
    std::size_t at = 0;

    template <class Value>
    void operator()(const Value& value) {
        const Json& wanted = arguments.at(at++).at("value");
        if constexpr (std::is_same_v<Value, TableBytes>) {
            expect_fields(value.bytes, wanted, TableKind::table);
        } else if constexpr (std::is_same_v<Value, ShortString> ||
                             std::is_same_v<Value, LongString>) {
            EXPECT_EQ(value.text, text_of(wanted));
        } else {
            EXPECT_EQ(static_cast<std::int64_t>(value), integer_of(wanted));
        }
    }
};

// Sets arguments to what a vector says; keeps what they refer to.
struct Fill {
    const Json& arguments;
    std::size_t at = 0;
    std::deque<std::string> texts{};
    std::deque<FieldTable> tables{};

    template <class Value>
    void operator()(Value& value) {
        const Json& wanted = arguments.at(at++).at("value");
        if constexpr (std::is_same_v<Value, TableBytes>) {
            value = {tables.emplace_back(table_from(wanted)).contents()};
        } else if constexpr (std::is_same_v<Value, ShortString> ||
                             std::is_same_v<Value, LongString>) {
            value = {texts.emplace_back(text_of(wanted))};
        } else {
            value = static_cast<Value>(integer_of(wanted));
        }
    }
};

template <class Method>
void expect_method(const Json& vector, const Frame& frame) {
    const Json& arguments = vector.at("arguments");
    ASSERT_EQ(arguments.size(), field_count<Method>);
    for (std::size_t at = 0; at < arguments.size(); ++at)
        EXPECT_EQ(field_names<Method>[at], arguments.at(at).at("name").get<std::string>());
    Method method{};
    ASSERT_TRUE(decode_method(frame.payload.subspan(method_id_size), method));
    Expect expect{arguments};
    each_field(method, expect);

    Method built{};
    Fill fill{arguments};
    each_field(built, fill);
    Octets written(method_frame_size(built));
    write_method_frame(written.data(), frame.channel, built);
    EXPECT_EQ(test::hex(written), test::hex(octets_in(vector)));
}

template <class... Methods>
bool expect_one_of(MethodList<Methods...>, const Json& vector, const Frame& frame) {
    const auto name = vector.at("method").get<std::string>();
    return ((Methods::name == name && (expect_method<Methods>(vector, frame), true)) || ...);
}

template <class... Methods>
bool decodes(MethodList<Methods...>, std::string_view name, Bytes arguments) {
    const auto one = [&]<class Method>(Method method) {
        return Method::name == name && decode_method(arguments, method);
    };
    return (one(Methods{}) || ...);
}

TEST(ConformanceMethods, AreReadAndWritten) {
    const Json all = document("methods.json");
    std::set<std::string> names;
    for (const Json& vector : all.at("valid")) {
        SCOPED_TRACE(name_of(vector));
        const Octets octets = octets_in(vector);
        const FrameParse parsed = parse_frame(octets, 0);
        ASSERT_EQ(parsed.status, FrameParse::Status::complete);
        EXPECT_EQ(parsed.size, octets.size());
        EXPECT_EQ(parsed.frame.type, FrameType::method);
        EXPECT_EQ(parsed.frame.channel, vector.at("channel").get<int>());
        const MethodInfo* const info = find_method(*read_method_id(parsed.frame.payload));
        ASSERT_NE(info, nullptr);
        EXPECT_EQ(info->name, vector.at("method").get<std::string>());
        EXPECT_EQ(info->id.class_id, vector.at("class_id").get<int>());
        EXPECT_EQ(info->id.method_id, vector.at("method_id").get<int>());
        EXPECT_EQ(info->has_content, vector.at("content").get<bool>());
        EXPECT_EQ(info->synchronous, !vector.at("responses").empty());
        EXPECT_TRUE(expect_one_of(AllMethods{}, vector, parsed.frame));
        names.insert(std::string(info->name));
    }
    EXPECT_EQ(names.size(), all_methods().size()) << "not every method has vectors";
}

TEST(ConformanceMethods, ThatAreBadAreRefused) {
    const Json all = document("methods.json");
    for (const Json& vector : all.at("invalid")) {
        SCOPED_TRACE(name_of(vector));
        const Octets octets = octets_in(vector);
        const FrameParse parsed = parse_frame(octets, 0);
        ASSERT_EQ(parsed.status, FrameParse::Status::complete);
        const auto name = vector.at("method").get<std::string>();
        EXPECT_EQ(find_method(*read_method_id(parsed.frame.payload))->name, name);
        EXPECT_FALSE(decodes(AllMethods{}, name, parsed.frame.payload.subspan(method_id_size)));
    }
    EXPECT_GT(all.at("invalid").size(), all_methods().size());
}

// ---- content headers

// Of one property, by its name: as a member, so that it can be compared and set.
template <class Visit>
bool visit_property(Properties& properties, std::string_view name, Visit visit) {
    const auto one = [&](std::string_view called, std::uint16_t bit, auto& value) {
        if (name != called) return false;
        visit(bit, value);
        return true;
    };
    return one("content_type", property_content_type, properties.content_type) ||
           one("content_encoding", property_content_encoding, properties.content_encoding) ||
           one("headers", property_headers, properties.headers) ||
           one("delivery_mode", property_delivery_mode, properties.delivery_mode) ||
           one("priority", property_priority, properties.priority) ||
           one("correlation_id", property_correlation_id, properties.correlation_id) ||
           one("reply_to", property_reply_to, properties.reply_to) ||
           one("expiration", property_expiration, properties.expiration) ||
           one("message_id", property_message_id, properties.message_id) ||
           one("timestamp", property_timestamp, properties.timestamp) ||
           one("type", property_type, properties.type) ||
           one("user_id", property_user_id, properties.user_id) ||
           one("app_id", property_app_id, properties.app_id) ||
           one("cluster_id", property_cluster_id, properties.cluster_id);
}

void expect_properties(Bytes raw, const Json& wanted) {
    Properties properties;
    ASSERT_TRUE(parse_properties(raw, properties));
    std::uint16_t present = 0;
    for (const Json& one : wanted) {
        const auto compare = [&]<class Value>(std::uint16_t bit, const Value& value) {
            present |= bit;
            if constexpr (std::is_same_v<Value, TableBytes>) {
                expect_fields(value.bytes, one.at("value"), TableKind::table);
            } else if constexpr (std::is_same_v<Value, std::string_view>) {
                EXPECT_EQ(value, text_of(one.at("value")));
            } else {
                EXPECT_EQ(static_cast<std::int64_t>(value), integer_of(one.at("value")));
            }
        };
        EXPECT_TRUE(visit_property(properties, one.at("name").get<std::string>(), compare)) << one;
    }
    EXPECT_EQ(properties.present, present);
}

Octets written_header(const Json& vector, std::uint16_t channel) {
    Properties properties;
    std::deque<std::string> texts;
    std::deque<FieldTable> tables;
    for (const Json& one : vector.at("properties")) {
        const auto set = [&]<class Value>(std::uint16_t bit, Value& value) {
            properties.present |= bit;
            if constexpr (std::is_same_v<Value, TableBytes>) {
                value = {tables.emplace_back(table_from(one.at("value"))).contents()};
            } else if constexpr (std::is_same_v<Value, std::string_view>) {
                value = texts.emplace_back(text_of(one.at("value")));
            } else {
                value = static_cast<Value>(integer_of(one.at("value")));
            }
        };
        EXPECT_TRUE(visit_property(properties, one.at("name").get<std::string>(), set));
    }
    const std::size_t size = properties_size(properties);
    Octets out(content_header_frame_size(size));
    const auto body_size = static_cast<std::uint64_t>(integer_of(vector.at("body_size")));
    std::byte* at = write_content_header(out.data(), channel, 60, body_size, size);
    write_frame_end(write_properties(properties, at));
    return out;
}

TEST(ConformanceHeaders, AreReadAndWritten) {
    const Json all = document("headers.json");
    for (const Json& vector : all.at("valid")) {
        SCOPED_TRACE(name_of(vector));
        const Octets octets = octets_in(vector);
        const FrameParse parsed = parse_frame(octets, 0);
        ASSERT_EQ(parsed.status, FrameParse::Status::complete);
        EXPECT_EQ(parsed.frame.type, FrameType::header);
        ContentHeader header;
        ASSERT_TRUE(parse_content_header(parsed.frame.payload, header));
        EXPECT_EQ(header.class_id, vector.at("class_id").get<int>());
        EXPECT_EQ(header.body_size, static_cast<std::uint64_t>(integer_of(vector.at("body_size"))));
        expect_properties(header.properties, vector.at("properties"));
        EXPECT_EQ(test::hex(written_header(vector, parsed.frame.channel)), test::hex(octets));
    }
    EXPECT_GT(all.at("valid").size(), 50U);
}

TEST(ConformanceHeaders, ThatAreBadAreRefused) {
    const Json all = document("headers.json");
    for (const Json& vector : all.at("invalid")) {
        SCOPED_TRACE(name_of(vector));
        const Octets octets = octets_in(vector);
        const FrameParse parsed = parse_frame(octets, 0);
        ASSERT_EQ(parsed.status, FrameParse::Status::complete);
        ContentHeader header;
        ASSERT_TRUE(parse_content_header(parsed.frame.payload, header));
        Properties properties;
        // A bad table spoils the headers alone.
        const bool whole = parse_properties(header.properties, properties);
        EXPECT_FALSE(whole && check_table(properties.headers.bytes));
    }
    EXPECT_GE(all.at("invalid").size(), 6U);
}

// ---- frames

TEST(ConformanceFrames, AreReadOctetByOctet) {
    const Json all = document("frames.json");
    EXPECT_EQ(test::hex(protocol_header),
              test::hex(octets(all.at("protocol_header").get<std::string>())));
    for (const Json& vector : all.at("valid")) {
        SCOPED_TRACE(name_of(vector));
        const Octets octets = octets_in(vector);
        const auto frame_max = vector.at("frame_max").get<std::uint32_t>();
        for (std::size_t size = 0; size < octets.size(); ++size) {
            const Octets begun(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size));
            ASSERT_EQ(parse_frame(begun, frame_max).status, FrameParse::Status::need_more) << size;
        }
        const FrameParse parsed = parse_frame(octets, frame_max);
        ASSERT_EQ(parsed.status, FrameParse::Status::complete);
        EXPECT_EQ(parsed.size, octets.size());
        EXPECT_EQ(static_cast<int>(parsed.frame.type), vector.at("type").get<int>());
        EXPECT_EQ(parsed.frame.channel, vector.at("channel").get<int>());
        EXPECT_EQ(test::hex(parsed.frame.payload),
                  test::hex(test::octets(vector.at("payload").get<std::string>())));
    }
    EXPECT_FALSE(all.at("valid").empty());
}

TEST(ConformanceFrames, ThatAreBadAreRefused) {
    const Json all = document("frames.json");
    for (const Json& vector : all.at("invalid")) {
        const auto frame_max = vector.at("frame_max").get<std::uint32_t>();
        const FrameParse parsed = parse_frame(octets_in(vector), frame_max);
        EXPECT_NE(parsed.status, FrameParse::Status::complete) << name_of(vector);
        EXPECT_NE(parsed.status, FrameParse::Status::need_more) << name_of(vector);
    }
    EXPECT_FALSE(all.at("invalid").empty());
}

TEST(ConformanceFrames, AreAnsweredWithTheirReplyCode) {
    const Json all = document("frames.json");
    for (const Json& vector : all.at("session")) {
        SCOPED_TRACE(name_of(vector));
        test::MachinePeer peer;
        peer.handshake();
        ASSERT_EQ(peer.open_channel(), 1);
        peer.feed(octets_in(vector));
        const test::Lines said = peer.output(true);
        const std::string wanted =
            "reply_code=" + std::to_string(vector.at("reply_code").get<int>());
        const auto is_close = [&](const std::string& line) {
            return line.find("connection.close") != std::string::npos &&
                   line.find(wanted) != std::string::npos;
        };
        EXPECT_TRUE(std::any_of(said.begin(), said.end(), is_close))
            << (said.empty() ? "nothing was said" : said.back());
    }
    EXPECT_FALSE(all.at("session").empty());
}

}  // namespace
}  // namespace haigha::wire
