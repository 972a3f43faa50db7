// A broker that misbehaves at each frame of a session: whatever it does, everything that was asked
// ends once, and the connection ends with an error that says why.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "support/machine_peer.h"
#include "support/machine_session.h"

namespace haigha::protocol {
namespace {

using test::Lines;
using test::MachinePeer;
using test::Octets;

// What is done in place of one frame: octets, behind which it may be the end.
struct Misdeed {
    std::string name;
    Octets bytes;
    bool ends = false;
};

std::vector<Octets> frames_of(std::span<const std::byte> bytes) {
    std::vector<Octets> frames;
    while (!bytes.empty()) {
        const wire::FrameParse parsed = wire::parse_frame(bytes, 0);
        frames.emplace_back(bytes.begin(),
                            bytes.begin() + static_cast<std::ptrdiff_t>(parsed.size));
        bytes = bytes.subspan(parsed.size);
    }
    return frames;
}

Octets changed(Octets frame, std::size_t at, unsigned to) {
    frame.at(at) = static_cast<std::byte>(to);
    return frame;
}

std::vector<Misdeed> misdeeds(const Octets& frame) {
    constexpr std::size_t channel_low = 2;
    constexpr std::size_t size_low = 6;
    const Octets half(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(frame.size() / 2));
    std::vector<Misdeed> all = {
        {"is gone", {}, true},
        {"is gone within the frame", half, true},
        {"leaves the frame out", {}, false},
        {"sends it twice", test::joined(frame, frame), false},
        {"ends it wrongly", changed(frame, frame.size() - 1, 0), false},
        {"says that it is shorter", changed(frame, size_low, 0), false},
        {"says that it is of no known size", changed(frame, size_low - 3, 0xff), false},
        {"says it before its time", test::joined(test::header_frame(1, 5), frame), false},
        {"says a body before it", test::joined(test::body_frame(2, "body"), frame), false},
        {"tunes again", test::joined(test::method_frame(0, test::tune_method()), frame), false},
        {"answers what was not asked",
         test::joined(test::method_frame(1, wire::queue::PurgeOk{}), frame), false},
        {"confirms what there is not",
         test::joined(test::method_frame(2, wire::basic::Ack{99, true}), frame), false},
        {"closes a channel before it",
         test::joined(test::method_frame(1, test::channel_close(541, "INTERNAL_ERROR")), frame),
         false},
        {"says that it has closed one",
         test::joined(test::method_frame(2, wire::channel::CloseOk{}), frame), false},
    };
    for (const unsigned type : {0U, 1U, 2U, 3U, 4U, 8U, 255U})
        all.push_back(
            {"makes it a frame of type " + std::to_string(type), changed(frame, 0, type), false});
    for (const unsigned channel : {0U, 1U, 2U, 3U, 255U})
        all.push_back({"sends it on channel " + std::to_string(channel),
                       changed(frame, channel_low, channel), false});
    for (std::size_t at = 7; at < std::min<std::size_t>(frame.size() - 1, 11); ++at)
        all.push_back({"makes it another method (" + std::to_string(at) + ")",
                       changed(frame, at, 0x7f), false});
    return all;
}

std::size_t count(const Lines& lines, std::string_view what) {
    return static_cast<std::size_t>(std::ranges::count_if(lines, [&](const std::string& line) {
        const std::size_t at = line.find(what);
        if (at == std::string::npos) return false;
        const std::size_t end = at + what.size();
        return end == line.size() || line[end] == ' ' || line[end] == ':';
    }));
}

void judge(const MachinePeer& peer, const Lines& told, const Lines& said) {
    for (const std::uintptr_t subject : peer.taken_calls)
        EXPECT_EQ(count(told, "done #" + std::to_string(subject)), 1U) << "call " << subject;
    EXPECT_LE(count(told, "cancelled #11"), 1U);
    std::map<std::string, int> outcomes;
    for (const std::string& line : told) {
        if (line.find(" outcomes ") == std::string::npos) continue;
        for (std::size_t at = line.find('='); at != std::string::npos; at = line.find('=', at + 1))
            ++outcomes[line.substr(line.rfind(' ', at) + 1, at - line.rfind(' ', at) - 1)];
    }
    EXPECT_EQ(outcomes.size(), peer.taken_publishes);
    for (const auto& [number, times] : outcomes)
        EXPECT_EQ(times, 1) << "publish " << number;
    ASSERT_EQ(std::ranges::count_if(
                  told, [](const std::string& line) { return line.starts_with("closed"); }),
              1);
    EXPECT_TRUE(told.back().starts_with("closed")) << told.back();
    ASSERT_TRUE(peer.closed);
    EXPECT_FALSE(peer.closed->message.empty());
    EXPECT_EQ(std::ranges::count(said, "NOT A FRAME"), 0);
}

// `at`: which frame of the session is replaced, as its index.
void run(const std::vector<test::SessionStep>& session, std::size_t at, const Misdeed& misdeed) {
    MachinePeer peer;
    Lines told;
    Lines said;
    bool gone = false;
    std::size_t index = 0;
    for (const test::SessionStep& step : session) {
        step.act(peer);
        for (const Octets& frame : frames_of(step.bytes)) {
            if (!gone && peer.machine.state() != ConnectionState::closed)
                peer.feed(index == at ? misdeed.bytes : frame);
            gone = gone || (index++ == at && misdeed.ends);
        }
        if (gone) break;
        for (std::string& line : peer.output())
            said.push_back(std::move(line));
    }
    if (peer.machine.state() != ConnectionState::closed) peer.transport_fails();
    told = peer.told();
    judge(peer, told, said);
}

// rules 15, 113: at each of them, each of them.
TEST(MachineFrames, WhateverIsDoneAtAnyFrameEndsEverythingOnce) {
    const std::vector<test::SessionStep> session = test::session(2);
    std::size_t at = 0;
    for (const test::SessionStep& step : session) {
        for (const Octets& frame : frames_of(step.bytes)) {
            for (const Misdeed& misdeed : misdeeds(frame)) {
                SCOPED_TRACE("at frame " + std::to_string(at) + " the broker " + misdeed.name);
                run(session, at, misdeed);
                if (testing::Test::HasFailure()) return;
            }
            ++at;
        }
    }
    EXPECT_GT(at, 40U);
}

}  // namespace
}  // namespace haigha::protocol
