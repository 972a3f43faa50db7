// A content that is published piece by piece: what is still to come of its body, and how much of it
// may be on its way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/machine_event.h"
#include "protocol/outbox.h"
#include "wire/frame.h"

namespace haigha::protocol {

// Of what was written at most three parts are in the outbox: its memory does not grow with the
// body, and there is always a part to send while the next one is made.
class BodyWindow {
  public:
    static constexpr std::size_t part = 128 * 1024;

    std::size_t room(const Outbox& outbox) {
        if (written_ == part && outbox.has_left(older_)) {
            older_ = newer_;
            newer_ = outbox.mark();
            written_ = 0;
        }
        return part - written_;
    }
    void add(std::size_t octets) { written_ += octets; }

  private:
    std::size_t written_ = 0;  // since `newer_`
    std::uint64_t older_ = 0;  // marks of the outbox
    std::uint64_t newer_ = 0;
};

struct BodyPieces {
    Token writer = nullptr;
    std::uint64_t to_come = 0;  // octets of the body
    std::uint16_t channel = 0;
    bool started = false;  // its method and header were written
    bool refused = false;  // an event is owed when there is room
    BodyWindow window{};

    // Of one frame.
    static std::size_t most_octets(std::uint32_t frame_max) {
        return std::min<std::size_t>(frame_max, Outbox::chunk_capacity) - wire::frame_overhead;
    }
    // As much as there is room for, in frames that share chunks. When there is no memory for all
    // of that, what was written counts; bad_alloc when it is nothing.
    std::size_t write(std::span<const std::byte> octets, std::uint32_t frame_max, Outbox& outbox);
    // The rest will never come. An empty frame that is never sent stands for it, so that the
    // outbox's counts have one message that is not whole.
    void stand_for_rest(Outbox& outbox) const;
};

}  // namespace haigha::protocol
