// Feeds random and damaged octets to every decoder of the room: with sanitizers, none may stumble.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

#include "support/octets.h"
#include "wire/field_table.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_table.h"
#include "wire/properties.h"
#include "wire/trace_text.h"

namespace haigha::wire {
namespace {

using test::Octets;

constexpr int rounds = 20000;

// Seeded, so that a failure can be repeated.
class Random {
  public:
    explicit Random(unsigned seed) : engine_(seed) {}

    std::size_t below(std::size_t bound) { return engine_() % bound; }

    // Small lengths and the octets that mean something are likelier than chance would make them.
    Octets octets(std::size_t most) {
        constexpr std::string_view telling = "tbBsuIilLfdDSATFVx\x01\x02\x03\x08\xce\xff";
        Octets out(below(most + 1));
        for (std::byte& octet : out) {
            switch (below(3)) {
                case 0:
                    octet = static_cast<std::byte>(below(256));
                    break;
                case 1:
                    octet = static_cast<std::byte>(telling[below(telling.size())]);
                    break;
                default:
                    octet = std::byte{0};
            }
        }
        return out;
    }

  private:
    std::mt19937 engine_;
};

// Walks everything that can be reached; returns whether all of it could be read.
bool walk(TableCursor cursor, std::size_t& fields) {
    Field field;
    for (;;) {
        switch (cursor.next(field)) {
            case FieldStatus::end:
                return true;
            case FieldStatus::malformed:
                return false;
            case FieldStatus::field:
                ++fields;
                if ((field.tag == 'F' || field.tag == 'A') && !walk(cursor.nested(field), fields)) {
                    return false;
                }
        }
    }
}

void exercise_table(Bytes contents, TableKind kind) {
    std::size_t fields = 0;
    const bool good = walk(TableCursor(contents, kind), fields);
    ASSERT_EQ(check_table(contents, kind), good) << test::hex(contents);
    EXPECT_FALSE(describe_table(contents, kind).empty());
    FieldTable table;
    const char tag = kind == TableKind::table ? 'F' : 'A';
    const FieldError error = table.add({.name = "k", .tag = tag, .bytes = contents});
    if (!good) {
        // A NaN may be met before the place where it breaks.
        EXPECT_NE(error, FieldError::none);
    } else if (error == FieldError::none) {
        EXPECT_EQ(table.field_count(), fields + 1);
        EXPECT_TRUE(check_table(table.contents()));
    }
}

template <class... Methods>
void decode_all(MethodList<Methods...>, Bytes arguments) {
    const auto decode = [&]<class Method>(Method method) {
        if (!decode_method(arguments, method)) return;
        // What was accepted can be written again in the same size.
        Octets out(method_size(method));
        EXPECT_EQ(encode_method(method, out.data()), out.data() + out.size());
        EXPECT_EQ(out.size(), arguments.size() + method_id_size) << Method::name;
    };
    (decode(Methods{}), ...);
}

TEST(WireRandom, Frames) {
    Random random(1);
    for (int round = 0; round < rounds; ++round) {
        const Octets in = random.octets(40);
        const auto frame_max = static_cast<std::uint32_t>(random.below(3) * 16);
        const FrameParse parsed = parse_frame(in, frame_max);
        switch (parsed.status) {
            case FrameParse::Status::complete:
                ASSERT_LE(parsed.size, in.size());
                ASSERT_EQ(parsed.frame.payload.size() + frame_overhead, parsed.size);
                break;
            case FrameParse::Status::need_more:
                ASSERT_GT(parsed.size, in.size());
                break;
            default:
                ASSERT_TRUE(parsed.frame.payload.empty());
        }
        ContentHeader header;
        if (parse_content_header(in, header)) {
            EXPECT_EQ(header.properties.size() + content_header_prefix, in.size());
        }
    }
}

TEST(WireRandom, Tables) {
    Random random(2);
    for (int round = 0; round < rounds; ++round) {
        const Octets in = random.octets(64);
        exercise_table(in, TableKind::table);
        exercise_table(in, TableKind::array);
    }
}

TEST(WireRandom, DamagedTables) {
    Random random(3);
    const Octets good = test::octets(
        "01's' 'S' 00000003 'abc' 01'l' 'A' 00000012 'I' 00000001 'F' 00000008 01'n' 'S' 00000001 "
        "'v' 01'd' 'd' 3fb999999999999a 01'x' 'x' 00000002 00ff 01't' 't' 01");
    for (int round = 0; round < rounds; ++round) {
        Octets in = good;
        for (std::size_t hits = 1 + random.below(3); hits > 0; --hits) {
            in[random.below(in.size())] = static_cast<std::byte>(random.below(256));
        }
        if (random.below(4) == 0) in.resize(random.below(in.size()));
        in.shrink_to_fit();
        exercise_table(in, TableKind::table);
    }
}

TEST(WireRandom, Properties) {
    Random random(4);
    int accepted = 0;
    for (int round = 0; round < rounds; ++round) {
        Octets in = random.octets(48);
        // The flags' two low bits would refuse three of four at once.
        if (in.size() > 1) in[1] &= std::byte{0xFC};
        Properties properties;
        if (!parse_properties(in, properties)) continue;
        ++accepted;
        Octets out(properties_size(properties));
        ASSERT_EQ(write_properties(properties, out.data()), out.data() + out.size());
        ASSERT_EQ(test::hex(out), test::hex(in));
        std::string text;
        describe_properties(properties, text);
    }
    EXPECT_GT(accepted, 0);
}

TEST(WireRandom, Methods) {
    Random random(5);
    for (int round = 0; round < rounds; ++round) {
        const Octets in = random.octets(48);
        decode_all(AllMethods{}, in);
        Octets payload(method_id_size + in.size());
        const MethodId id = all_methods()[random.below(all_methods().size())].id;
        store_big(store_big(payload.data(), id.class_id), id.method_id);
        std::copy(in.begin(), in.end(), payload.begin() + method_id_size);
        std::string text;
        describe_payload(payload, text);
        EXPECT_FALSE(text.empty());
    }
}

}  // namespace
}  // namespace haigha::wire
