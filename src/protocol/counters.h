// What a connection's machine counts, and the clock by which it measures.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/histogram.h"

namespace haigha::protocol {

// Guarded by whatever guards the machine. Plain additions on its way, and nothing that is kept for
// itself where it can be told from something else.
struct Counters {
    // Into the outbox, what is taken out again included; but three for each of `contents`.
    std::uint64_t frames_written = 0;
    // Written, in three frames or others, whose difference to three is in frames_written: the one
    // number of a publish that is counted at once.
    std::uint64_t contents = 0;
    std::uint64_t frames_read = 0;
    std::uint64_t heartbeats_written = 0;
    std::uint64_t heartbeats_read = 0;
    std::uint64_t publishes = 0;    // beside `contents`
    std::uint64_t numbered = 0;     // of them, those that have an outcome
    std::uint64_t republishes = 0;  // of those that were kept
    std::uint64_t refused_publishes = 0;
    std::uint64_t returns = 0;
    std::uint64_t deliveries = 0;  // that a consumer was told of
    std::uint64_t gets = 0;        // messages that basic.get gave
    std::uint64_t redeliveries = 0;
    std::uint64_t acks = 0;  // deliveries, not methods
    std::uint64_t nacks = 0;
    std::uint64_t rejects = 0;
    std::uint64_t channels_opened = 0;
    std::uint64_t channels_lost = 0;
    std::uint64_t blocked_times = 0;
    std::uint64_t blocked_ns = 0;  // but for a time that has not ended
    Histogram round_trips;         // of calls, from their turn to their answer

    // Read once a turn, or when something begins: an entry of this for what one does at once.
    Instant now;

    // Adds what was totalled.
    Counters& operator+=(const Counters& other);
    // With what `contents` stands for where it belongs.
    Counters total() const {
        Counters whole = *this;
        whole.frames_written += 3 * contents;
        whole.publishes += contents - republishes;
        whole.contents = 0;
        return whole;
    }
};

}  // namespace haigha::protocol
