// One connection of the loopback peer: what it says, hears and counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench_wire.h"
#include "loopback_blast.h"
#include "wire/frame.h"
#include "wire/method_codec.h"

namespace bench {

class LoopbackConnection;

// The memory that all connections are read into, so that ten thousand need no megabyte each. What a
// read has left of a frame stays in it until another connection is read.
struct ReadMemory {
    std::vector<std::byte> bytes = std::vector<std::byte>(1024 * 1024);
    std::size_t end = 0;
    LoopbackConnection* tenant = nullptr;
};

class LoopbackConnection {
  public:
    enum class Kind : std::uint8_t {
        amqp,
        open,  // without a handshake: everything is open already, and bodies are not stamped
        read,  // gets deliveries, and ends
        echo,  // gets the octets that it sends
    };
    LoopbackConnection(std::unique_ptr<Wire> wire, Kind kind, ReadMemory& memory);
    ~LoopbackConnection();
    LoopbackConnection(const LoopbackConnection&) = delete;
    LoopbackConnection& operator=(const LoopbackConnection&) = delete;

    // Whether something is to be read that the descriptor does not tell of.
    bool has_pending() const { return wire_->pending(); }
    // Kind::read: what it gets.
    void blast(std::size_t size, std::uint64_t count);

    // Each is false when the connection has ended.
    bool on_readable();
    bool on_writable();
    bool wants_to_write() const;
    // Prints what was counted on it, where anything is.
    void report() const;

  private:
    struct Channel {
        bool confirms = false;
        bool holds_confirms = false;  // until it is asked for them
        bool touched = false;         // among touched_
        std::uint64_t published = 0;
        std::uint64_t confirmed = 0;
        bool no_ack = false;
        bool echoes = false;
        std::string tag;
        std::uint64_t prefetch = 0;
        std::uint64_t acked = 0;
        std::uint64_t to_deliver = 0;
        std::uint64_t delivered = 0;
        std::shared_ptr<Blast> blast;

        std::uint64_t may_deliver() const;
    };

    bool read_once();
    bool parse();
    void move_in();
    Channel& channel(std::uint16_t number);
    template <class Method>
    void write(std::uint16_t channel, const Method& method) {
        const std::size_t before = out_.size();
        out_.resize(before + haigha::wire::method_frame_size(method));
        haigha::wire::write_method_frame(out_.data() + before, channel, method);
    }
    void start();
    void on_frame(const haigha::wire::Frame& frame);
    void on_body(haigha::wire::Bytes payload);
    void content_done();
    void on_method(haigha::wire::MethodId id, std::uint16_t channel, haigha::wire::Bytes arguments);
    void on_ack(std::uint16_t channel, haigha::wire::Bytes arguments);
    void consume(std::uint16_t channel, haigha::wire::Bytes arguments);
    void declare(std::uint16_t channel, haigha::wire::Bytes arguments);
    void confirm(std::uint16_t channel, std::uint64_t tag, bool multiple);
    void confirm_touched();
    void echo(Channel& channel, std::uint16_t number, haigha::wire::Bytes body);
    bool deliver_mixed();

    std::unique_ptr<Wire> wire_;
    const Kind kind_;
    ReadMemory& memory_;
    std::vector<std::byte> kept_;  // of a frame, while another is in the memory
    std::vector<std::byte> out_;
    bool greeted_;
    bool in_content_ = false;
    std::uint16_t content_channel_ = 0;
    std::uint64_t body_size_ = 0;
    std::uint64_t body_left_ = 0;
    std::vector<Channel> channels_;          // by number
    std::vector<std::uint16_t> touched_;     // that have something to be confirmed
    std::vector<std::uint16_t> delivering_;  // that have a consumer to be served
    std::size_t next_to_deliver_ = 0;        // among them
    std::uint64_t published_ = 0;
    std::uint64_t body_bytes_ = 0;
    std::uint64_t wrong_ = 0;  // bodies that are not what was sent, and what belongs nowhere
};

}  // namespace bench
