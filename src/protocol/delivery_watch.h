// Which deliveries of a channel have been open for too long, without a time for each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "protocol/delivery_window.h"

namespace haigha::protocol {

// Every so often it notes what has come; what had come `ticks` of these times ago and is still open
// has been so for all of them. A delivery costs nothing, and is told between one and 1 + 1/ticks of
// the limit.
class DeliveryWatch {
  public:
    static constexpr std::size_t ticks = 8;

    struct Held {
        std::uint64_t oldest = 0;  // its tag; 0: there is none that was not told before
        std::uint32_t count = 0;
    };

    // A `ticks`th part of the limit has passed.
    Held tick(const DeliveryWindow& deliveries) {
        come_[at_] = deliveries.last();
        at_ = (at_ + 1) % come_.size();
        const std::uint64_t old = come_[at_];
        Held held;
        if (!deliveries.tracks()) return held;
        for (std::uint64_t tag = deliveries.first_open(told_ + 1); tag != 0 && tag <= old;
             tag = deliveries.first_open(tag + 1)) {
            if (held.count++ == 0) held.oldest = tag;
        }
        told_ = old;
        return held;
    }

  private:
    std::array<std::uint64_t, ticks + 1> come_{};
    std::size_t at_ = 0;
    std::uint64_t told_ = 0;  // up to here
};

}  // namespace haigha::protocol
