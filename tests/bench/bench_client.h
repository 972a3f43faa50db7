// One connection with one channel through the public API, doing what is to be measured.
#pragma once

#include <uv.h>

#include <condition_variable>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "haigha/haigha.h"

namespace bench {

constexpr std::uint64_t window = 1000;  // publishes that are not yet confirmed
constexpr std::uint16_t prefetch = 1000;

struct ClientOptions {
    // On a uv loop that this thread runs, rather than on one that the library runs.
    bool attached = false;
    bool confirm = false;
    std::int64_t outbox_high_water = 0;  // 0: the library's default
    bool tls = false;                    // believing any certificate
    bool prepared = false;               // publishing by a haigha_publisher
    bool lent = false;                   // the same, of bodies that are lent
    bool inbox = false;                  // consuming from an inbox, on the calling thread
    std::string uri = {};                // of another peer than that on a port of the loopback
    // What is published to and consumed from; empty: what the loopback peer understands.
    std::string queue = {};
};

class Client {
  public:
    Client(std::uint16_t port, const ClientOptions& options);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Publishes `count` messages of `size` (BENCH_STAMP_SIZE or more) octets as fast as they are
    // taken; returns when they are confirmed or, without confirms, the other end has read them.
    void publish(std::uint64_t count, std::size_t size);
    // Consumes `count` messages of `size`. Once per client.
    void consume(std::uint64_t count, std::size_t size, bool ack);

    // haigha_connection_info.
    std::int64_t info(const char* name) const;

    // Reads a meter in the middle of what follows: once message `first` has been published (of a
    // confirm channel: settled; of a consumer: delivered), and once `last` has. Numbers count from
    // 1 over the client's life.
    using Meter = std::uint64_t (*)();
    void measure(Meter meter, std::uint64_t first, std::uint64_t last);
    // The difference of the two readings.
    std::uint64_t measured() const { return last_reading_ - first_reading_; }
    // Called with each message beside all else, where a test wants something to go wrong.
    void (*on_message)() = nullptr;

  private:
    template <class Condition>
    void wait_until(Condition condition);
    template <class Change>
    void change(Change what);
    void wait_done();
    void passed(std::uint64_t number) {
        if (on_message != nullptr) on_message();
        if (number >= next_reading_) [[unlikely]]
            take_reading(number);
    }
    void take_reading(std::uint64_t number);
    // A body to be lent, as it came back from the publish before.
    struct Body {
        Client* client;
        std::string octets;
    };
    Body* spare_body(std::size_t size);
    static void give_back(void* body);
    haigha_status publish_lent(std::uint64_t number, std::size_t size);
    void prepare(const haigha_publish_args& args);
    void round_trip();
    void fetch_deliveries();

    static void on_done(const haigha_event* event, void* user_data);
    static void on_channel(const haigha_event* event, void* user_data);
    static void on_delivery(const haigha_event* event, void* user_data);
    haigha_then done();

    const ClientOptions options_;
    uv_loop_t uv_{};
    haigha_loop* loop_ = nullptr;
    haigha_connection* connection_ = nullptr;
    haigha_channel* channel_ = nullptr;
    haigha_publisher* publisher_ = nullptr;
    haigha_inbox* inbox_ = nullptr;

    // Guarded by the mutex, on an owned loop.
    std::mutex mutex_;
    std::condition_variable wake_;
    bool done_ = false;
    bool writable_ = false;
    bool all_received_ = false;
    std::uint64_t settled_ = 0;

    std::uint64_t published_ = 0;  // of the publishing thread
    std::vector<std::unique_ptr<Body>> bodies_;
    std::mutex spare_mutex_;
    std::vector<Body*> spare_bodies_;  // guarded by spare_mutex_

    // Of the loop's thread; before anything runs, of any.
    std::uint64_t last_publish_ = 0;
    std::uint64_t unreported_ = 0;  // settled, but not yet in settled_
    bool ack_ = false;
    std::size_t size_ = 0;
    std::uint64_t expected_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t wrong_ = 0;

    Meter meter_ = nullptr;
    std::uint64_t next_reading_ = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t last_at_ = 0;
    std::uint64_t first_reading_ = 0;
    std::uint64_t last_reading_ = 0;
};

}  // namespace bench
