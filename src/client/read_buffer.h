// Where a connection reads to: memory of a size that follows how much comes, and what of it is not
// parsed yet.
#pragma once

#include <cstddef>
#include <span>

#include "base/ref.h"
#include "base/slab.h"

namespace haigha::client {

// A connection that has nothing to parse holds no memory; one to which little comes reads into
// little, so that a message that is kept keeps little. Of the loop's thread.
class ReadBuffer {
  public:
    explicit ReadBuffer(Ref<SlabPool> pool) : pool_(std::move(pool)) {}

    // Where to read next: as much as was wanted and not there, or more. What messages keep of what
    // was read is not overwritten.
    std::span<std::byte> room();
    // So much was read into it. True when it was all there was room for.
    bool add(std::size_t size);
    std::span<const std::byte> unparsed() const {
        return {slab_ ? slab_->data() + begin_ : nullptr, end_ - begin_};
    }
    // So much of it was parsed. `wanted`: how much has to be there to get further, 0: anything.
    void take(std::size_t size, std::size_t wanted) {
        begin_ += size;
        wanted_ = wanted;
    }
    // Nothing more is to be read for now.
    void rest();
    void clear();

    // What the views into what was parsed last keep.
    Slab* slab() const { return slab_.get(); }
    // All that is still there, also of what was parsed.
    std::span<const std::byte> seen() const { return {slab_ ? slab_->data() : nullptr, end_}; }

  private:
    // After so many turns that would have fitted small memory it is small.
    static constexpr int quiet_turns = 16;

    const Ref<SlabPool> pool_;
    Ref<Slab> slab_;  // read into [end_, capacity), parsed from [begin_, end_)
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t wanted_ = 0;
    std::size_t capacity_ = SlabPool::small_capacity;  // of the next one
    std::size_t this_turn_ = 0;                        // read since the last rest()
    int quiet_ = 0;
};

}  // namespace haigha::client
