// The same events and output whatever the pieces; and no harm from input that is damaged.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"
#include "support/machine_session.h"

namespace haigha::protocol {
namespace {

using test::channel_close;
using test::connection_close;
using test::content;
using test::deliver_method;
using test::joined;
using test::Lines;
using test::MachinePeer;
using test::method_frame;
using test::Octets;

struct Record {
    Lines told;
    Lines said;
};

// Feeds with pieces whose sizes `next_piece` gives.
template <class NextPiece>
Record run(const std::vector<test::SessionStep>& steps, NextPiece next_piece) {
    MachinePeer peer;
    Record record;
    for (const test::SessionStep& step : steps) {
        step.act(peer);
        std::span<const std::byte> rest = step.bytes;
        while (!rest.empty()) {
            const std::size_t size = std::min<std::size_t>(rest.size(), next_piece());
            peer.feed(rest.first(size));
            rest = rest.subspan(size);
        }
        for (std::string& line : peer.output(true))
            record.said.push_back(std::move(line));
        for (std::string& line : peer.told())
            record.told.push_back(std::move(line));
    }
    return record;
}

// rule 116
TEST(MachineChunking, GivesTheSameEventsAndOutputWhateverThePieces) {
    const std::vector<test::SessionStep> steps = test::session();
    const Record whole = run(steps, [] { return std::size_t{1} << 30; });
    ASSERT_GT(whole.told.size(), 50U);
    EXPECT_EQ(whole.told.back(), "closed: HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER 320");
    const Record octets = run(steps, [] { return std::size_t{1}; });
    EXPECT_EQ(octets.told, whole.told);
    EXPECT_EQ(octets.said, whole.said);
    std::mt19937 random(99);
    for (int round = 0; round < 30; ++round) {
        const unsigned most = round % 3 == 0 ? 9 : round % 3 == 1 ? 100 : 3000;
        const Record pieces = run(steps, [&] { return std::size_t{1} + random() % most; });
        ASSERT_EQ(pieces.told, whole.told) << round;
        ASSERT_EQ(pieces.said, whole.said) << round;
    }
}

// wanted() is the truth: with one octet less there is no progress, with as many there is.
TEST(MachineChunking, SaysHowMuchItNeedsToGoOn) {
    MachinePeer peer;
    peer.handshake();
    ASSERT_EQ(peer.open_channel(), 1);
    peer.consuming(1, 10, "c");
    const Octets bytes = content(1, deliver_method("c", 1), std::string(3000, 'd'));
    EventList events;
    std::size_t have = 1;
    int steps = 0;
    while (true) {
        const std::size_t taken = peer.machine.feed(std::span(bytes).first(have), peer.now, events);
        if (taken > 0) {
            EXPECT_EQ(taken, bytes.size());
            break;
        }
        ASSERT_GT(peer.machine.wanted(), have);
        ASSERT_LE(peer.machine.wanted(), bytes.size());
        have = peer.machine.wanted();
        ++steps;
    }
    EXPECT_LE(steps, 6);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_FALSE(events[0].slab);  // in place
}

// A feed ends after so many events, so that its caller can let go of its lock.
TEST(MachineChunking, StopsAfterAHandfulOfEvents) {
    MachinePeer peer;
    peer.handshake();
    ASSERT_EQ(peer.open_channel(), 1);
    peer.consuming(1, 10, "c");
    Octets bytes;
    for (int i = 0; i < 600; ++i)
        bytes = joined(bytes, content(1, deliver_method("c", 1), "d"));
    EventList events;
    for (int i = 0; i < 10; ++i)
        (void)events.emplace_back();
    std::size_t at = 0;
    std::size_t feeds = 0;
    while (at < bytes.size()) {
        const std::size_t taken = peer.machine.feed(std::span(bytes).subspan(at), peer.now, events);
        ASSERT_GT(taken, 0U);
        at += taken;
        ++feeds;
    }
    EXPECT_EQ(events.size(), 610U);
    EXPECT_EQ(feeds, 3U);
}

// rules 15, 113: whatever comes, calls end once, consumers end once, the connection ends once, and
// what is said is whole frames.
TEST(MachineChunking, SurvivesDamagedSessions) {
    const std::vector<test::SessionStep> steps = test::session();
    std::mt19937 random(4711);
    for (int round = 0; round < 200; ++round) {
        MachinePeer peer;
        Lines told;
        const auto collect = [&] {
            for (std::string& line : peer.told())
                told.push_back(std::move(line));
            for (const std::string& line : peer.output())
                ASSERT_NE(line, "NOT A FRAME");
        };
        const std::size_t damaged = random() % steps.size();
        for (std::size_t i = 0; i < steps.size(); ++i) {
            // A damaged handshake may leave no channel for the verbs.
            if (peer.machine.state() == ConnectionState::open && peer.machine.channel_count() > 0) {
                steps[i].act(peer);
            } else if (i == 3 && peer.machine.state() == ConnectionState::open) {
                steps[i].act(peer);
            }
            Octets bytes = steps[i].bytes;
            if (i == damaged || random() % 10 == 0) {
                for (unsigned n = 1 + random() % 4; n > 0; --n) {
                    const std::size_t at = random() % bytes.size();
                    switch (random() % 4) {
                        case 0:
                            bytes[at] = static_cast<std::byte>(random());
                            break;
                        case 1:
                            bytes[at] ^= static_cast<std::byte>(1U << random() % 8);
                            break;
                        case 2:
                            bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
                            if (bytes.empty()) bytes.push_back(std::byte{0});
                            break;
                        default:
                            bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                         static_cast<std::byte>(random()));
                    }
                }
            }
            std::span<const std::byte> rest = bytes;
            while (!rest.empty()) {
                const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random() % 4000);
                peer.feed(rest.first(size));
                rest = rest.subspan(size);
            }
            if (random() % 4 == 0) peer.expire_at(peer.now + seconds(1));
            collect();
        }
        peer.transport_fails();
        collect();
        EXPECT_EQ(std::count_if(told.begin(), told.end(),
                                [](const std::string& line) { return line.starts_with("closed"); }),
                  1);
        EXPECT_TRUE(told.back().starts_with("closed"));
        std::map<std::string, int> ends;
        for (const std::string& line : told) {
            const std::size_t mark = line.find(" #");
            const bool end = line.find("done #") != std::string::npos ||
                             line.find("cancelled #") != std::string::npos;
            if (end) ++ends[line.substr(mark + 1, line.find_first_of(" :", mark + 1) - mark - 1)];
        }
        for (const auto& [name, count] : ends)
            EXPECT_EQ(count, 1) << name << " in round " << round;
        EXPECT_EQ(peer.machine.bytes_waiting(), 0U);
    }
}

TEST(MachineChunking, SurvivesRandomBytes) {
    std::mt19937 random(5);
    for (int round = 0; round < 800; ++round) {
        MachinePeer peer;
        if (round % 2 == 0) {
            peer.handshake();
            (void)peer.open_channel();
        }
        Octets bytes(1 + random() % 60);
        for (std::byte& octet : bytes)
            octet = static_cast<std::byte>(random());
        // Often something that begins as a frame.
        if (round % 3 != 0) {
            bytes.resize(std::max<std::size_t>(bytes.size(), 12));
            bytes[0] = static_cast<std::byte>(1 + random() % 3);
            bytes[1] = bytes[3] = bytes[4] = bytes[5] = std::byte{0};
            bytes[2] = static_cast<std::byte>(random() % 2);
            bytes[6] = static_cast<std::byte>(bytes.size() - 8);
            bytes[8] = static_cast<std::byte>(random() % 90);
            bytes.back() = wire::frame_end;
        }
        peer.feed(bytes);
        (void)peer.output();
        peer.transport_fails();
        EXPECT_EQ(peer.machine.state(), ConnectionState::closed);
    }
}

}  // namespace
}  // namespace haigha::protocol
