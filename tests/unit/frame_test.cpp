// Tests of parse_frame and the frame writers, mostly with frames that no honest peer sends.
#include "wire/frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "support/octets.h"
#include "wire/properties.h"

namespace haigha::wire {
namespace {

using test::copy_of;
using test::hex;
using test::joined;
using test::Octets;
using test::octets;
using Status = FrameParse::Status;

Octets header(unsigned type, std::uint16_t channel, std::uint32_t size) {
    Octets out(frame_header_size);
    write_frame_header(out.data(), static_cast<FrameType>(type), channel, size);
    return out;
}

Octets frame(unsigned type, std::uint16_t channel, std::size_t size) {
    return joined(header(type, channel, static_cast<std::uint32_t>(size)),
                  Octets(size, std::byte{0x55}), octets("ce"));
}

TEST(ParseFrame, ReadsAHeartbeat) {
    const Octets in = octets("08 0000 00000000 ce");
    const FrameParse parsed = parse_frame(in, 4096);
    ASSERT_EQ(parsed.status, Status::complete);
    EXPECT_EQ(parsed.size, 8U);
    EXPECT_EQ(parsed.frame.type, FrameType::heartbeat);
    EXPECT_EQ(parsed.frame.channel, 0);
    EXPECT_TRUE(parsed.frame.payload.empty());
    EXPECT_EQ(hex(heartbeat_frame), "08 00 00 00 00 00 00 ce");
}

TEST(ParseFrame, ReadsAMethodAndLeavesWhatFollows) {
    const Octets in = octets("01 0102 00000004 0014000b ce 08 0000");
    const FrameParse parsed = parse_frame(in, 4096);
    ASSERT_EQ(parsed.status, Status::complete);
    EXPECT_EQ(parsed.size, 12U);
    EXPECT_EQ(parsed.frame.type, FrameType::method);
    EXPECT_EQ(parsed.frame.channel, 0x0102);
    EXPECT_EQ(hex(parsed.frame.payload), "00 14 00 0b");
    EXPECT_EQ(static_cast<const void*>(parsed.frame.payload.data()), &in[7]);
}

TEST(ParseFrame, SaysHowManyOctetsItNeeds) {
    const Octets whole = frame(3, 1, 20);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Octets part = copy_of(Bytes(whole).first(size));
        const FrameParse parsed = parse_frame(part, 4096);
        ASSERT_EQ(parsed.status, Status::need_more) << size;
        EXPECT_EQ(parsed.size, size < frame_header_size ? frame_header_size : whole.size());
    }
    EXPECT_EQ(parse_frame(whole, 4096).status, Status::complete);
}

// rule 107: no frame of an unknown type is waited for.
TEST(ParseFrame, Rule107UnknownTypesAreRefusedWithTheirFirstOctet) {
    for (unsigned type = 0; type < 256; ++type) {
        const Octets in(1, static_cast<std::byte>(type));
        const bool known = (type >= 1 && type <= 3) || type == 8;
        const FrameParse parsed = parse_frame(in, 4096);
        EXPECT_EQ(parsed.status, known ? Status::need_more : Status::unknown_type) << type;
        EXPECT_EQ(static_cast<unsigned>(parsed.frame.type), type);
    }
}

// rule 112: other protocols show with their first octet.
TEST(ParseFrame, Rule112OtherProtocolsAreUnknownTypes) {
    for (const std::string_view spoken : {"AMQP\1\1\0\x9", "HTTP/1.1 400", "SSH-2.0", "\x15\3\1"}) {
        EXPECT_EQ(parse_frame(as_bytes(spoken), 0).status, Status::unknown_type) << spoken;
    }
}

// rule 104: every type with 0 to 16 octets of payload, none read past its end.
TEST(ParseFrame, Rule104EveryTypeHasItsLeastPayload) {
    for (unsigned type = 0; type < 256; ++type) {
        for (std::size_t size = 0; size <= 16; ++size) {
            Status expected = Status::complete;
            if (type == 1 && size < 4) expected = Status::too_small;
            if (type == 2 && size < 14) expected = Status::too_small;
            if (type == 8 && size > 0) expected = Status::too_large;
            if (type == 0 || (type > 3 && type != 8)) expected = Status::unknown_type;
            const FrameParse parsed = parse_frame(frame(type, 7, size), 0);
            EXPECT_EQ(parsed.status, expected) << "type " << type << " size " << size;
            // And as soon as the size is known.
            const FrameParse early = parse_frame(header(type, 7, static_cast<uint32_t>(size)), 0);
            EXPECT_EQ(early.status, expected == Status::complete ? Status::need_more : expected);
            if (expected == Status::too_small || expected == Status::too_large) {
                EXPECT_EQ(early.size, size);
                EXPECT_EQ(early.frame.channel, 7);
            }
        }
    }
}

// rule 103: the size is compared before anything is added to it.
TEST(ParseFrame, Rule103SizesNearTheMaximumAreTooLarge) {
    for (const unsigned type : {1U, 2U, 3U, 8U}) {
        for (const std::uint32_t frame_max : {0U, 4096U, 131072U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
            for (std::uint32_t size = 0xFFFFFFF0U; size != 0; ++size) {
                const Octets in = joined(header(type, 0, size), Octets(32));
                const FrameParse parsed = parse_frame(in, frame_max);
                ASSERT_EQ(parsed.status, Status::too_large) << size << " of " << frame_max;
                EXPECT_EQ(parsed.size, size);
            }
        }
    }
}

TEST(ParseFrame, UnlimitedEndsAtTwoToThe31) {
    const std::uint32_t most = frame_size_limit - static_cast<std::uint32_t>(frame_overhead);
    for (const std::uint32_t frame_max : {0U, frame_size_limit, 0xFFFFFFFFU}) {
        const FrameParse fits = parse_frame(header(3, 1, most), frame_max);
        EXPECT_EQ(fits.status, Status::need_more);
        EXPECT_EQ(fits.size, std::size_t{1} << 31);
        EXPECT_EQ(parse_frame(header(3, 1, most + 1), frame_max).status, Status::too_large);
    }
}

// rule 108: frame_max holds for body frames too, and counts the eight octets around the payload.
TEST(ParseFrame, Rule108FrameMaxCountsTheWholeFrame) {
    for (const unsigned type : {1U, 2U, 3U}) {
        for (const std::uint32_t frame_max : {4096U, 8192U, 131072U}) {
            const FrameParse fits = parse_frame(header(type, 1, frame_max - 8), frame_max);
            EXPECT_EQ(fits.status, Status::need_more);
            EXPECT_EQ(fits.size, frame_max);
            EXPECT_EQ(parse_frame(header(type, 1, frame_max - 7), frame_max).status,
                      Status::too_large);
        }
    }
    EXPECT_EQ(parse_frame(frame(3, 1, 4088), 4096).status, Status::complete);
    EXPECT_EQ(parse_frame(frame(3, 1, 4089), 4096).status, Status::too_large);
}

TEST(ParseFrame, FrameMaxBelowTheOverheadAllowsOnlyEmptyPayloads) {
    for (std::uint32_t frame_max = 1; frame_max <= 8; ++frame_max) {
        EXPECT_EQ(parse_frame(header(3, 1, 1), frame_max).status, Status::too_large);
        EXPECT_EQ(parse_frame(heartbeat_frame, frame_max).status, Status::complete);
    }
}

TEST(ParseFrame, EveryOtherEndOctetIsRefused) {
    for (unsigned end = 0; end < 256; ++end) {
        Octets in = frame(1, 1, 4);
        in.back() = static_cast<std::byte>(end);
        EXPECT_EQ(parse_frame(in, 0).status, end == 0xCE ? Status::complete : Status::bad_end);
    }
    // The end octet is the one behind the payload, not one within.
    const Octets in = octets("03 0001 00000002 cece 00 ce");
    EXPECT_EQ(parse_frame(in, 0).status, Status::bad_end);
}

// rule 116: any chunking of a stream gives the same frames.
TEST(ParseFrame, Rule116AnyChunkingGivesTheSameFrames) {
    Octets stream;
    std::vector<std::size_t> sizes;
    for (const auto& one : {frame(1, 1, 4), frame(2, 1, 14), frame(3, 1, 0), frame(3, 1, 33),
                            frame(8, 0, 0), frame(1, 9, 16)}) {
        stream = joined(stream, one);
        sizes.push_back(one.size());
    }
    for (std::size_t chunk = 1; chunk <= stream.size(); ++chunk) {
        std::vector<std::size_t> seen;
        Octets buffer;
        for (std::size_t at = 0; at < stream.size(); at += chunk) {
            const auto some = Bytes(stream).subspan(at, std::min(chunk, stream.size() - at));
            buffer.insert(buffer.end(), some.begin(), some.end());
            for (;;) {
                const Octets exact = copy_of(buffer);
                const FrameParse parsed = parse_frame(exact, 4096);
                if (parsed.status == Status::need_more) {
                    ASSERT_GT(parsed.size, buffer.size());
                    break;
                }
                ASSERT_EQ(parsed.status, Status::complete);
                seen.push_back(parsed.size);
                buffer.erase(buffer.begin(), buffer.begin() + static_cast<long>(parsed.size));
            }
        }
        EXPECT_EQ(seen, sizes) << "chunks of " << chunk;
        EXPECT_TRUE(buffer.empty());
    }
}

TEST(WriteFrame, WritesAMethodFrame) {
    const basic::Publish publish{.exchange = {"e"}, .routing_key = {"key"}, .mandatory = true};
    Octets out(method_frame_size(publish));
    EXPECT_EQ(write_method_frame(out.data(), 3, publish), out.data() + out.size());
    EXPECT_EQ(hex(out), hex(octets("01 0003 0000000d 003c0028 0000 01'e' 03'key' 01 ce")));
    EXPECT_EQ(parse_frame(out, 4096).status, Status::complete);
}

TEST(WriteFrame, ProtocolHeaderIsThatOfVersion091) {
    EXPECT_EQ(hex(protocol_header), "41 4d 51 50 00 00 09 01");
}

TEST(ContentHeader, ReadsAndWrites) {
    const Properties properties{
        .present = property_delivery_mode | property_content_type,
        .content_type = "text/plain",
        .delivery_mode = 2,
    };
    const std::size_t size = properties_size(properties);
    Octets out(content_header_frame_size(size));
    std::byte* at = write_content_header(out.data(), 3, 60, 0x0102030405060708, size);
    at = write_frame_end(write_properties(properties, at));
    EXPECT_EQ(at, out.data() + out.size());
    EXPECT_EQ(hex(out), hex(octets("02 0003 0000001a 003c 0000 0102030405060708"
                                   "9000 0a'text/plain' 02 ce")));
    const FrameParse parsed = parse_frame(out, 4096);
    ASSERT_EQ(parsed.status, Status::complete);
    ContentHeader read;
    ASSERT_TRUE(parse_content_header(parsed.frame.payload, read));
    EXPECT_EQ(read.class_id, 60);
    EXPECT_EQ(read.body_size, 0x0102030405060708U);
    EXPECT_EQ(hex(read.properties), hex(octets("9000 0a'text/plain' 02")));
}

// rule 104: a header needs its flags; the body size may be anything.
TEST(ContentHeader, Rule104EveryTruncationIsRefused) {
    const Octets whole = octets("003c 0000 ffffffffffffffff 0000");
    ContentHeader out;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Octets part = copy_of(Bytes(whole).first(size));
        EXPECT_FALSE(parse_content_header(part, out)) << size;
    }
    ASSERT_TRUE(parse_content_header(whole, out));
    EXPECT_EQ(out.body_size, UINT64_MAX);
}

}  // namespace
}  // namespace haigha::wire
