// When the members of a numbered row came, without a time for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace haigha::protocol {

// The time goes on in steps, since the machine's clock is read once a turn of its loop: what comes
// within one step shares an entry. Many steps are joined, so that memory is bounded; a time is then
// too early by less than a fortieth of the span that is remembered.
class ArrivalTimes {
  public:
    static constexpr std::size_t most_steps = 256;

    // Number `number` comes now, behind those before it; those before `oldest` are of no interest
    // any more.
    void note(std::uint64_t number, std::uint64_t oldest, Instant now) {
        if (now == last_) [[likely]]
            return;
        begin_step(number, oldest, now);
    }
    bool empty() const { return steps_.empty(); }
    // Of one that was noted. Numbers up to *last came at the same time.
    Instant at(std::uint64_t number, std::uint64_t* last) const;
    void clear() {
        steps_ = {};
        last_ = Instant::never();
    }

  private:
    struct Step {
        std::uint64_t first;
        Instant at;
    };
    void join_steps(Instant now);
    void begin_step(std::uint64_t number, std::uint64_t oldest, Instant now);

    Instant last_ = Instant::never();
    std::vector<Step> steps_;
    mutable std::size_t hint_ = 0;  // where the last number was found
};

}  // namespace haigha::protocol
