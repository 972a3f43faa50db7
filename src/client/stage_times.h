// How long each stage of opening a connection took.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/error.h"

namespace haigha::client {

// Written by the loop's thread, read by any.
class StageTimes {
  public:
    StageTimes() { forget(); }

    // A new opening, which is in this stage now.
    void begin(Stage first, Instant now) {
        forget();
        stage_ = first;
        since_ = now;
    }
    // The stage that it was in is over.
    void enter(Stage next, Instant now) {
        if (stage_ != Stage::none) {
            const std::int64_t microseconds = (now - since_).nanoseconds / 1000;
            us_[index(stage_)].store(microseconds, std::memory_order_relaxed);
        }
        stage_ = next;
        since_ = now;
    }
    Stage stage() const { return stage_; }

    // -1: it was not gone through, or is not over.
    std::int64_t microseconds(Stage stage) const {
        return us_[index(stage)].load(std::memory_order_relaxed);
    }

  private:
    static std::size_t index(Stage stage) { return static_cast<std::size_t>(stage); }
    void forget() {
        for (std::atomic<std::int64_t>& each : us_)
            each.store(-1, std::memory_order_relaxed);
    }

    Stage stage_ = Stage::none;
    Instant since_;
    std::array<std::atomic<std::int64_t>, static_cast<std::size_t>(Stage::ready) + 1> us_;
};

}  // namespace haigha::client
