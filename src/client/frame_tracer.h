// Describes what a connection sends and receives, a line a frame, for a log that asks for that
// much.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/frame.h"

namespace haigha::client {

// Of the loop's thread. The log is the user's code: no lock may be held.
class FrameTracer {
  public:
    using Log = std::function<void(std::string_view line)>;
    explicit FrameTracer(Log log) : log_(std::move(log)) {}

    // Frames as the machine took them, from the first octet of one. Returns how many octets they
    // are; what follows is no frame, or only the beginning of one.
    std::size_t received(wire::Bytes in);
    // The first `size` octets of what was given to the system.
    void sent(std::span<const iovec> pieces, std::size_t size);
    // Something was sent that was not shown here; nothing is understood before the next boundary.
    void sent_unseen() {
        in_step_ = false;
        partial_.clear();
        skipped_ = 0;
    }
    // Nothing is left to be sent: what comes next begins a frame.
    void sent_all() {
        if (!in_step_) sent_unseen();
        in_step_ = true;
    }

  private:
    std::size_t take_sent(wire::Bytes in);
    void write(std::string_view direction, const wire::Frame& frame, std::size_t payload_size);

    const Log log_;
    bool in_step_ = true;
    std::vector<std::byte> partial_;  // of a frame that is sent in pieces, its body left out
    std::size_t skipped_ = 0;         // of a body frame, yet to be sent
    std::string line_;
};

}  // namespace haigha::client
