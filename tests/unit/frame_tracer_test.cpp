// Tests of FrameTracer: every cut of the same octets gives the same lines, and none a password.
#include "client/frame_tracer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire/methods_basic.h"
#include "wire/methods_connection.h"
#include "wire/properties.h"

namespace haigha::client {
namespace {

using Bytes = std::vector<std::byte>;
using Lines = std::vector<std::string>;

template <class Method>
void add(Bytes& out, std::uint16_t channel, const Method& method) {
    const std::size_t at = out.size();
    out.resize(at + wire::method_frame_size(method));
    wire::write_method_frame(out.data() + at, channel, method);
}

void add_body(Bytes& out, std::uint16_t channel, std::size_t size) {
    const std::size_t at = out.size();
    out.resize(at + wire::frame_overhead + size, std::byte{'x'});
    wire::write_frame_header(out.data() + at, wire::FrameType::body, channel,
                             static_cast<std::uint32_t>(size));
    out.back() = wire::frame_end;
}

void add_header(Bytes& out, std::uint16_t channel, std::uint64_t body_size) {
    wire::Properties properties;
    properties.present = wire::property_content_type;
    properties.content_type = "text/plain";
    const std::size_t size = wire::properties_size(properties);
    const std::size_t at = out.size();
    out.resize(at + wire::content_header_frame_size(size));
    std::byte* to = wire::write_content_header(out.data() + at, channel,
                                               wire::basic::Publish::id.class_id, body_size, size);
    wire::write_frame_end(wire::write_properties(properties, to));
}

// What a client says first, and a message.
Bytes conversation() {
    Bytes out(wire::protocol_header.begin(), wire::protocol_header.end());
    wire::connection::StartOk start_ok{};
    start_ok.mechanism = {"PLAIN"};
    start_ok.response = {std::string_view("\0guest\0s3cret", 13)};
    start_ok.locale = {"en_US"};
    add(out, 0, start_ok);
    wire::basic::Publish publish{};
    publish.exchange = {"orders"};
    publish.routing_key = {"a\nb"};
    add(out, 7, publish);
    add_header(out, 7, 3000);
    add_body(out, 7, 3000);
    add_body(out, 7, 0);
    out.insert(out.end(), wire::heartbeat_frame.begin(), wire::heartbeat_frame.end());
    return out;
}

const Lines after_the_greeting = {
    R"(channel 0 connection.start-ok client_properties={} mechanism="PLAIN" response=<hidden> locale="en_US")",
    R"(channel 7 basic.publish exchange="orders" routing_key="a\x0ab" mandatory=0 immediate=0)",
    R"(channel 7 content header body_size=3000 content_type="text/plain")",
    "channel 7 body 3000 bytes",
    "channel 7 body 0 bytes",
    "channel 0 heartbeat",
};

Lines with(std::string_view direction, const Lines& lines) {
    Lines out;
    for (const std::string& line : lines)
        out.push_back(std::string(direction) + line);
    return out;
}

void give(FrameTracer& tracer, const Bytes& octets, std::size_t at, std::size_t size) {
    iovec piece{const_cast<std::byte*>(octets.data()) + at, octets.size() - at};
    tracer.sent({&piece, 1}, size);
}

TEST(FrameTracer, ShowsWhatIsSentHoweverItIsCut) {
    const Bytes octets = conversation();
    Lines expected = with("-> ", after_the_greeting);
    expected.insert(expected.begin(), "-> protocol header AMQP 0-9-1");
    for (std::size_t cut = 1; cut <= octets.size(); ++cut) {
        Lines lines;
        FrameTracer tracer([&](std::string_view line) { lines.emplace_back(line); });
        for (std::size_t at = 0; at < octets.size(); at += cut)
            give(tracer, octets, at, std::min(cut, octets.size() - at));
        ASSERT_EQ(lines, expected) << cut;
    }
}

TEST(FrameTracer, ShowsOnlyWhatWasSentOfSeveralPieces) {
    Bytes octets;
    add_body(octets, 1, 10);
    add_body(octets, 1, 20);
    Lines lines;
    FrameTracer tracer([&](std::string_view line) { lines.emplace_back(line); });
    iovec pieces[] = {{octets.data(), 5}, {octets.data() + 5, octets.size() - 5}};
    tracer.sent(pieces, 18);
    EXPECT_EQ(lines, Lines({"-> channel 1 body 10 bytes"}));
    give(tracer, octets, 18, octets.size() - 18);
    EXPECT_EQ(lines, Lines({"-> channel 1 body 10 bytes", "-> channel 1 body 20 bytes"}));
}

TEST(FrameTracer, ShowsWhatIsReceived) {
    const Bytes octets = conversation();
    Lines lines;
    FrameTracer tracer([&](std::string_view line) { lines.emplace_back(line); });
    tracer.received(wire::Bytes(octets).subspan(wire::protocol_header.size()));
    EXPECT_EQ(lines, with("<- ", after_the_greeting));
}

TEST(FrameTracer, IsOutOfStepUntilTheNextBoundary) {
    Bytes octets;
    add_body(octets, 1, 10);
    Lines lines;
    FrameTracer tracer([&](std::string_view line) { lines.emplace_back(line); });
    give(tracer, octets, 0, 12);
    tracer.sent_unseen();
    give(tracer, octets, 0, octets.size());
    EXPECT_EQ(lines, Lines({"-> channel 1 body 10 bytes"}));
    tracer.sent_all();
    give(tracer, octets, 0, octets.size());
    EXPECT_EQ(lines.size(), 2U);
}

}  // namespace
}  // namespace haigha::client
