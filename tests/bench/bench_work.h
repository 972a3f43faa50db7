// What is measured: four kinds of work, of one size and number of messages, against one peer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "bench_table.h"

namespace bench {

enum class Work : std::uint8_t { publish, publish_confirm, consume, consume_ack };
constexpr Work all_work[] = {Work::publish, Work::publish_confirm, Work::consume,
                             Work::consume_ack};

const char* name_of(Work work);
bool publishes(Work work);

struct Task {
    Work work = Work::publish;
    std::size_t size = 0;
    std::uint64_t count = 0;
    std::uint64_t warm = 0;  // messages that go before those, unmeasured
    std::string uri;         // of the peer
    std::string queue;       // what is published to, by the default exchange, or consumed from

    std::uint64_t total() const { return warm + count; }
};

// CPU time per message of this process while it does that.
Figures measure(std::uint64_t count, const std::function<void()>& work);

}  // namespace bench
