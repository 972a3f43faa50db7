// Tests of Heartbeat on a clock that is only a number.
#include "protocol/heartbeat.h"

#include <gtest/gtest.h>

namespace haigha::protocol {
namespace {

constexpr Instant start{5'000'000'000};

struct Row {
    int timeout_s;
    int sent_ms;      // last written, after the start
    int received_ms;  // last read
    int now_ms;
    bool must_send;
    bool dead;
};

// rules 7, 8, 9: sent at T/2 whatever is read, dead at 2T whatever is written, 0 disables both
TEST(Heartbeat, SendsAtHalfAndGivesUpAtTwiceTheTimeout) {
    constexpr Row rows[] = {
        {10, 0, 0, 0, false, false},
        {10, 0, 0, 4999, false, false},
        {10, 0, 0, 5000, true, false},
        {10, 4000, 0, 8999, false, false},
        {10, 4000, 0, 9000, true, false},
        {10, 0, 9000, 9000, true, false},         // reading does not spare the sending (rule 7)
        {10, 19000, 0, 19999, false, false},      //
        {10, 19000, 0, 20000, false, true},       // writing says nothing about the peer
        {10, 0, 12000, 24000, true, false},       // a gap of 1.2 intervals, and another (rule 8)
        {10, 0, 12000, 31999, true, false},       //
        {10, 0, 12000, 32000, true, true},        //
        {1, 0, 0, 500, true, false},              //
        {65535, 0, 0, 32'767'499, false, false},  //
        {65535, 0, 0, 32'767'500, true, false},   //
        {0, 0, 0, 2'000'000'000, false, false},
    };
    for (const Row& row : rows) {
        Heartbeat heartbeat;
        heartbeat.start(static_cast<std::uint16_t>(row.timeout_s), start);
        heartbeat.note_sent(start + milliseconds(row.sent_ms));
        heartbeat.note_received(start + milliseconds(row.received_ms));
        const Instant now = start + milliseconds(row.now_ms);
        EXPECT_EQ(heartbeat.must_send(now), row.must_send) << row.timeout_s << " " << row.now_ms;
        EXPECT_EQ(heartbeat.peer_is_dead(now), row.dead) << row.timeout_s << " " << row.now_ms;
        // The deadline is the first moment at which one of the two becomes true.
        EXPECT_EQ(heartbeat.deadline() <= now, row.must_send || row.dead) << row.now_ms;
    }
}

TEST(Heartbeat, IsOffUntilStarted) {
    const Heartbeat heartbeat;
    EXPECT_FALSE(heartbeat.enabled());
    EXPECT_EQ(heartbeat.deadline(), Instant::never());
}

}  // namespace
}  // namespace haigha::protocol
