// A message that a pool has taken, until its outcome is known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/counted.h"
#include "base/error.h"
#include "client/completion.h"
#include "protocol/publish_head.h"

namespace haigha::pool {

// What the broker may have ended over a message: its channel, or its connection with all channels.
enum class Suspect : std::uint8_t { no, of_channel, of_connection };

struct PooledMessage : Counted<PooledMessage> {
    // Copies what the request borrows.
    explicit PooledMessage(const protocol::PublishRequest& request)
        : head(request), body(request.body.begin(), request.body.end()), data(request.data) {}

    const protocol::PreparedHead head;
    const std::vector<std::byte> body;
    void* const data;               // comes back with the outcome
    client::Completion completion;  // of who waits for it
    bool awaited = false;           // somebody does: no event follows

    // ---- the schedule's

    std::uint64_t number = 0;    // in the order in which the pool took them, from 1
    std::uint32_t lane = 0;      // that it was written to
    std::uint32_t attempts = 0;  // that may have arrived
    bool unsure = false;         // there were some
    Suspect suspect = Suspect::no;
    bool settled = false;
    ErrorRef returned;  // in a transaction: no queue took it
};

}  // namespace haigha::pool
