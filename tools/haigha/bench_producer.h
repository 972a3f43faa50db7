// One publishing channel of the benchmark, driven by what comes back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench_state.h"
#include "owned_handles.h"
#include "session.h"

namespace tool {

class BenchProducer {
  public:
    // Opens its channel, in its mode. `state` and the strings must outlive the loop.
    BenchProducer(BenchState& state, const Session& session, const std::string& exchange,
                  const std::string& routing_key);
    // The library keeps its address.
    BenchProducer(const BenchProducer&) = delete;
    BenchProducer& operator=(const BenchProducer&) = delete;

    // The loop's thread: publishes as much as may be.
    void pump();
    // The command's thread, once nothing is published any more: waits until the broker has
    // handled what it was sent.
    void close(std::int64_t timeout_ms);

  private:
    // A message between its publish and its outcome. They are made once and used again.
    struct Flight {
        std::uint64_t sequence = 0;
        std::uint64_t published_ns = 0;
        Flight* next_free = nullptr;
    };

    static void on_event(const haigha_event* event, void* self);
    static void on_commit(const haigha_event* event, void* self);
    void settle(Flight* flight, std::uint64_t at_ns, std::int32_t outcome);
    bool commit_if_due();

    BenchState& state_;
    ChannelHandle channel_;
    haigha_properties properties_ = HAIGHA_PROPERTIES_INIT;
    haigha_publish_args args_ = HAIGHA_PUBLISH_ARGS_INIT;
    std::vector<Flight> flights_;
    Flight* free_ = nullptr;
    std::vector<Flight*> transaction_;  // the messages of the one that is open
    bool committing_ = false;
    bool held_back_ = false;  // the library said WOULD_BLOCK; WRITABLE follows
};

}  // namespace tool
