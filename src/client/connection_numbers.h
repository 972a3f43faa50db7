// What a connection has done, over all its incarnations, and how it is now: the values of one
// moment.
#pragma once

#include <cstdint>

#include "client/event.h"
#include "protocol/confirm_ring.h"
#include "protocol/counters.h"

namespace haigha::client {

struct Statistics {
    State state = State::fresh;
    bool blocked = false;
    std::uint64_t channels = 0;
    std::uint64_t consumers = 0;
    std::uint64_t outbox_bytes = 0;
    std::uint64_t calls = 0;        // without an answer
    std::uint64_t unconfirmed = 0;  // publishes
    std::uint64_t unsettled = 0;    // deliveries
    Duration oldest_unconfirmed{};
    Duration oldest_unsettled{};

    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t stale_settlements = 0;
    std::uint64_t recoveries = 0;
    protocol::Counters counted;
    protocol::OutcomeCounts outcomes;
    // Of transport connections.
    struct Links {
        std::uint64_t opened = 0;
        std::uint64_t lost = 0;
        std::uint64_t attempts = 0;  // to have one back
        std::uint64_t failed_attempts = 0;
    } links;
};

}  // namespace haigha::client
