// How far a reader of a stream has come: up to which offset everything is handled. Knows no
// channel, lock or clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace haigha::streams {

class OffsetTracker {
  public:
    static constexpr std::int64_t none = -1;

    // It goes on behind `offset`: what is up to there counts as handled.
    void begin_behind(std::int64_t offset) { position_ = offset; }

    // Was given to the program. One that has come before is not counted again.
    void delivered(std::int64_t offset);
    // Is done with, in whatever order. False for one that is not among those that were given.
    bool handled(std::int64_t offset);
    // Everything up to here is handled; none: nothing yet.
    std::int64_t position() const { return position_; }
    // That were given and are not handled.
    std::size_t unhandled() const { return unhandled_; }

  private:
    struct Given {
        std::int64_t offset;
        bool is_handled;
    };
    std::int64_t position_ = none;
    std::size_t unhandled_ = 0;
    std::deque<Given> given_;  // rising; the first one is not handled
};

}  // namespace haigha::streams
