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
    Instant at(std::uint64_t number, std::uint64_t* last) const {
        if (number < found_first_ || number > found_last_) [[unlikely]]
            find(number);
        *last = found_last_;
        return found_at_;
    }
    void clear() {
        steps_ = {};
        last_ = Instant::never();
        forget_found();
    }

  private:
    struct Step {
        std::uint64_t first;
        Instant at;
    };
    void join_steps(Instant now);
    void find(std::uint64_t number) const;
    void forget_found() const {
        found_first_ = 1;
        found_last_ = 0;
    }
    void begin_step(std::uint64_t number, std::uint64_t oldest, Instant now);

    Instant last_ = Instant::never();
    std::vector<Step> steps_;
    // The step of the number that was asked for last.
    mutable std::uint64_t found_first_ = 1;
    mutable std::uint64_t found_last_ = 0;
    mutable Instant found_at_{};
};

}  // namespace haigha::protocol
