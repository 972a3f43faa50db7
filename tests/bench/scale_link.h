// Connections of any number on one loop that this thread runs, through the public API.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "haigha/haigha.h"

namespace bench {

// A uv loop with the library attached.
class ScaleLoop {
  public:
    ScaleLoop();
    ~ScaleLoop();
    ScaleLoop(const ScaleLoop&) = delete;
    ScaleLoop& operator=(const ScaleLoop&) = delete;

    haigha_loop* handle() { return loop_; }
    void turn() { uv_run(&uv_, UV_RUN_NOWAIT); }
    template <class Condition>
    void until(Condition condition) {
        while (!condition())
            uv_run(&uv_, UV_RUN_ONCE);
    }
    // What to give an operation, so that settle() waits for it.
    haigha_then then();
    // Lets connections that were closed and dropped give back their sockets.
    void clean_up() {
        for (int i = 0; i < 8; ++i)
            turn();
    }
    bool settled() const { return pending_ == 0; }
    // Until at most `left` operations are under way.
    void settle(std::size_t left = 0) {
        until([&] { return pending_ <= left; });
    }

  private:
    static void on_done(const haigha_event* event, void* user_data);

    uv_loop_t uv_{};
    haigha_loop* loop_ = nullptr;
    std::size_t pending_ = 0;
};

struct LinkOptions {
    bool tls = false;  // believing any certificate
    std::int64_t max_message_size = 0;
    std::int64_t outbox_high_water = 0;
};

// One connection and its channels. All of it ends with close().
class ScaleLink {
  public:
    ScaleLink(ScaleLoop& loop, std::uint16_t port) : loop_(loop), port_(port) {}
    ~ScaleLink();
    ScaleLink(const ScaleLink&) = delete;
    ScaleLink& operator=(const ScaleLink&) = delete;

    // Each begins something that loop.settle() waits for.
    void open(const LinkOptions& options = {});
    void open_fd(int fd);  // over a socket that is connected
    void open_channel(bool confirm = false);
    void flush();
    void close();
    void declare(std::size_t channel, std::string_view queue);
    // Messages of `size` for each channel, by a consumer of its own.
    void consume(std::size_t size, std::uint64_t count_each, bool ack, std::uint16_t prefetch = 0);
    void consume_echo(bool no_ack = true);
    // Has a channel publish by a haigha_publisher from now on.
    void prepare(std::size_t channel);
    // Acknowledges what the channel has received.
    void ack(std::size_t channel, std::uint64_t delivery_tag);

    // Publishes the next message on a channel, stamped within `body`; false: not now.
    bool publish(std::size_t channel, std::string& body);
    // The same, waiting until there is room.
    void publish_surely(std::size_t channel, std::string& body);

    // The same of a body that is lent; returns when it has been given back.
    void publish_lent(std::size_t channel, std::string& body);

    std::size_t channels() const { return channels_.size(); }
    haigha_channel* handle(std::size_t channel) const { return channels_[channel].handle; }
    std::int64_t info(const char* name) const;
    std::uint64_t published() const { return published_; }
    std::uint64_t settled() const { return settled_; }    // confirmed
    std::uint64_t received() const { return received_; }  // each checked

  private:
    haigha_options* make_options(const LinkOptions& options) const;

    struct Channel {
        haigha_channel* handle = nullptr;
        haigha_publisher* publisher = nullptr;
        std::uint64_t published = 0;
        std::uint64_t received = 0;
    };
    static void on_channel(const haigha_event* event, void* user_data);
    static void on_delivery(const haigha_event* event, void* user_data);

    ScaleLoop& loop_;
    const std::uint16_t port_;
    haigha_connection* connection_ = nullptr;
    std::vector<Channel> channels_;
    std::size_t expected_size_ = 0;
    bool ack_ = false;
    std::uint64_t published_ = 0;
    std::uint64_t settled_ = 0;
    std::uint64_t received_ = 0;
};

}  // namespace bench
