// Deliveries of one size, encoded ahead: what the loopback peer sends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench_wire.h"
#include "wire/cursor.h"

namespace bench {

// What the peer says in connection.tune.
constexpr std::uint32_t peer_frame_max = 131072;

// Their numbers, stamps and bodies are filled in as they are sent, so that connections that want
// the same share one.
class Blast {
  public:
    // For a consumer of this tag on this channel.
    static std::shared_ptr<Blast> of(std::uint16_t channel, const std::string& tag,
                                     std::size_t size);
    Blast(std::uint16_t channel, const std::string& tag, std::size_t size);

    std::size_t body_size() const { return body_size_; }
    // How many go at a time, back to back.
    std::size_t count() const { return count_; }
    // False when the other end is gone.
    bool send(Wire& to, std::uint64_t first_tag, std::size_t count);
    // One, stamped with its tag; or with this body, which must be of the size and of one frame.
    void append_to(std::vector<std::byte>& out, std::uint64_t tag) const;
    void append_to(std::vector<std::byte>& out, std::uint64_t tag, haigha::wire::Bytes body) const;

  private:
    void number(std::byte* one, std::uint64_t tag) const;

    std::size_t body_size_ = 0;
    std::size_t tag_at_ = 0;
    std::size_t body_at_ = 0;
    std::size_t count_ = 0;
    std::vector<std::byte> one_;
    std::vector<std::byte> all_;  // of count_; made when it is first sent
};

}  // namespace bench
