// What `haigha bench` is asked to do.
#pragma once

#include <cstdint>
#include <string>

#include "progress.h"
#include "session.h"

namespace tool {

struct BenchOptions {
    BrokerOptions broker;
    std::uint64_t count = 0;      // messages; 0: until `duration_seconds` are over
    double duration_seconds = 0;  // 0: until `count` is reached
    std::uint64_t size_bytes = 1024;
    double rate = 0;              // messages a second; 0: as fast as it goes
    std::uint32_t channels = 1;   // that publish; 0: none
    std::uint32_t consumers = 1;  // each on a channel of its own; 0: none
    bool confirm = false;
    std::uint64_t transaction = 0;  // messages in one; 0: no transactions
    std::uint64_t window = 1000;    // unconfirmed messages of one channel
    bool persistent = false;
    bool ack = false;
    std::uint16_t prefetch = 1000;
    bool verify = false;
    std::string queue;  // empty: one of our own
    std::string queue_type;
    std::string exchange;
    std::string routing_key;
    bool json = false;
    std::string svg_file;  // empty: none
    ProgressWish progress;
};

}  // namespace tool
