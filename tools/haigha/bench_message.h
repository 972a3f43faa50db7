// The messages of the benchmark: each says which it is and when it was sent, and proves itself
// intact.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

inline std::uint64_t now_ns() noexcept {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// What a body begins with, in this machine's byte order: sender and receiver are one process.
struct MessageHead {
    std::uint64_t sent_ns = 0;
    std::uint64_t sequence = 0;
    std::uint64_t run = 0;       // tells this run's messages from what lay in the queue before
    std::uint64_t checksum = 0;  // of all that stands before it, and of all that follows
};

class MessageMaker {
  public:
    explicit MessageMaker(std::size_t size_bytes);

    std::uint64_t run() const noexcept { return run_; }
    std::size_t size_bytes() const noexcept { return size_bytes_; }
    // Too short a body has only as much of the head as fits: no checksum, and no time below 8.
    bool has_time() const noexcept { return size_bytes_ >= sizeof(std::uint64_t); }
    bool has_head() const noexcept { return size_bytes_ >= sizeof(MessageHead); }

    // The body of one message, valid until the next is made. Neighbours have different contents.
    std::string_view make(std::uint64_t sequence, std::uint64_t sent_ns) noexcept;

  private:
    // Bodies that are made once, with the checksums of what follows their heads, so that sending
    // one costs no look at its contents; only the receiver reads them whole.
    struct Template {
        std::string body;
        std::uint64_t tail_checksum = 0;
    };

    std::size_t size_bytes_;
    std::uint64_t run_;
    std::vector<Template> templates_;
    std::size_t next_ = 0;
};

// The head of a received body; whatever does not fit in it is 0.
MessageHead read_head(std::string_view body) noexcept;
// Whether the body, which is at least as long as a head, is as it was made.
bool is_intact(std::string_view body, const MessageHead& head) noexcept;

}  // namespace tool
