// What is left of a channel whose connection, or whose broker, has ended it: enough to open it
// again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/machine_event.h"

namespace haigha::protocol {

// A consumer that nobody has cancelled.
struct ConsumerRemains {
    std::string tag;
    Token token = nullptr;
    bool no_ack = false;
    bool paused = false;
    bool in_pieces = false;
    ErrorRef left_out{};  // why it is not to come back this time
    // Its basic.consume, which goes on where it was; of the number that the channel had.
    std::vector<std::byte> consume_frame{};
};

// How far a channel's numbers have got: those of its next incarnation go on behind them, so that a
// number never means two things (rules 49, 50).
struct ChannelBases {
    std::uint64_t deliveries = 0;
    std::uint64_t publishes = 0;
};

struct ChannelRemains {
    std::uint16_t number = 0;
    Token owner = nullptr;
    ChannelBases bases;
    std::vector<ConsumerRemains> consumers;
};

}  // namespace haigha::protocol
