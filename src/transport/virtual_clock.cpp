// A loop's clock that stands still, and goes from timer to timer when it is told to.
#include <algorithm>
#include <utility>

#include "base/insist.h"
#include "transport/loop.h"

namespace haigha::transport {

bool Loop::stop_clock() {
    const std::lock_guard lock(mutex_);
    if (clock_stands_still()) return false;
    clock_stopped_ = real_now();
    virtual_now_.store(clock_stopped_.nanoseconds, std::memory_order_relaxed);
    return true;
}

Duration Loop::advanced() const {
    const std::lock_guard lock(mutex_);
    return clock_stands_still() ? now() - clock_stopped_ : Duration{};
}

void Loop::advance(Duration by, Advanced done) {
    insist([&] { advances_.push_back({by, Instant{}, std::move(done)}); });
    if (advances_.size() == 1) begin_advance();
}

void Loop::begin_advance() {
    if (shutting_down_) {
        end_advances();
        return;
    }
    advances_.front().target = now() + advances_.front().by;
    // What was asked for before the call comes first.
    turn_and_step(2);
}

void Loop::step_clock() {
    if (shutting_down_) {
        end_advances();
        return;
    }
    const Instant target = advances_.front().target;
    const bool due = !virtual_timers_.empty() && virtual_timers_.begin()->first <= target;
    const bool arrived = !due && now() == target;
    if (arrived) {
        const Advanced done = std::move(advances_.front().done);
        advances_.pop_front();
        done(true);
        if (!advances_.empty()) begin_advance();
        return;
    }
    const Instant at = due ? std::max(now(), virtual_timers_.begin()->first) : target;
    virtual_now_.store(at.nanoseconds, std::memory_order_relaxed);
    // What they set for now or earlier fires in the turns to come, so this comes to its end.
    while (!virtual_timers_.empty() && virtual_timers_.begin()->first <= at) {
        Timer* const timer = virtual_timers_.begin()->second;
        timer->leave_clock();
        timer->fire();
    }
    turn_and_step(2);
}

void Loop::turn_and_step(int turns) {
    const Ref<Loop> self(this);
    const bool taken = post([this, turns] { turns > 1 ? turn_and_step(turns - 1) : step_clock(); });
    if (!taken) end_advances();
}

void Loop::end_advances() {
    const std::deque<Advance> ended = std::exchange(advances_, {});
    for (const Advance& one : ended)
        one.done(false);
}

}  // namespace haigha::transport
