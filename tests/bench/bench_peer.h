// The loopback peer as a child process, and the floor: the same octets by bare system calls.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "bench_wire.h"

namespace bench {

// What the peer counted on one connection.
struct PeerCounts {
    std::uint64_t published = 0;  // messages that came whole
    std::uint64_t body_bytes = 0;
    std::uint64_t wrong = 0;  // bodies that are not what was sent, acks and frames out of place
    std::uint64_t acked = 0;
    std::uint64_t delivered = 0;
};

class LoopbackPeer {
  public:
    // Starts the program that stands beside this one.
    explicit LoopbackPeer(bool tls = false);
    ~LoopbackPeer();
    LoopbackPeer(const LoopbackPeer&) = delete;
    LoopbackPeer& operator=(const LoopbackPeer&) = delete;

    std::uint16_t amqp_port() const { return amqp_port_; }
    // What it counted on the connection that has just ended. Once for each, in their order.
    PeerCounts counts();

    // Writes `count` publishes of `size` in large pieces. Has counts().
    // copied: each message into the memory that is written, as one who takes it for later has to.
    void write_floor(std::uint64_t size, std::uint64_t count, bool copied = false) const;
    // Reads what `count` deliveries of `size` are; returns how many octets that was. Has none.
    std::uint64_t read_floor(std::uint64_t size, std::uint64_t count) const;

    // A connection to the raw port, begun by that line.
    std::unique_ptr<Wire> connect_raw(const std::string& command) const;

  private:
    pid_t pid_ = -1;
    int to_child_ = -1;
    std::FILE* from_child_ = nullptr;
    std::uint16_t amqp_port_ = 0;
    std::uint16_t raw_port_ = 0;
    TlsContext tls_;  // null: plain
};

// basic.publish to the default exchange with the routing key "bench", without properties: what the
// benchmark has its clients send.
std::string encoded_publish(std::size_t size);

// The program of this name beside the running one, or "" when there is none.
std::string beside(std::string_view name);

// A connection to the loopback interface.
int connect_loopback(std::uint16_t port);

// User and system time of this process, all threads, in seconds; and the wall's.
double cpu_seconds();
double wall_seconds();

[[noreturn]] void give_up(const std::string& why);

}  // namespace bench
