// One consumer of the benchmark, on a channel of its own.
#pragma once

#include <cstdint>
#include <string>

#include "bench_state.h"
#include "owned_handles.h"
#include "session.h"

namespace tool {

class BenchConsumer {
  public:
    // Opens its channel and starts consuming. `state` must outlive the loop.
    BenchConsumer(BenchState& state, const Session& session, const std::string& queue);
    // The library keeps its address.
    BenchConsumer(const BenchConsumer&) = delete;
    BenchConsumer& operator=(const BenchConsumer&) = delete;

    // The command's thread: ends the consumer; its acks are before it.
    void close(std::int64_t timeout_ms);

  private:
    static void on_event(const haigha_event* event, void* self);

    BenchState& state_;
    bool ack_;
    ChannelHandle channel_;
};

}  // namespace tool
