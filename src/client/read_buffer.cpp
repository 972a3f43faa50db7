#include "client/read_buffer.h"

#include <algorithm>
#include <cstring>

namespace haigha::client {

namespace {
// A read is not begun with less than this part of the memory, unless a partial frame leaves no
// choice.
constexpr std::size_t least_part = 16;
}  // namespace

std::span<std::byte> ReadBuffer::room() {
    const std::size_t left = end_ - begin_;
    const std::size_t needed = std::max(wanted_, left + 1);
    const std::size_t capacity =
        SlabPool::capacity_for(std::max(needed, pool_->advised(capacity_)));
    if (!slab_) {
        slab_ = pool_->take(capacity);
        begin_ = end_ = 0;
        return slab_->memory();
    }
    const std::size_t has = slab_->capacity();
    const bool outgrown = has < capacity;
    const bool enough = begin_ + needed <= has && (has - end_ >= has / least_part || begin_ == 0);
    if (enough && !outgrown) return slab_->memory().subspan(end_);
    if (slab_->sole() && !outgrown) {
        std::memmove(slab_->data(), slab_->data() + begin_, left);
    } else {
        const Ref<Slab> fresh = pool_->take(capacity);
        std::memcpy(fresh->data(), slab_->data() + begin_, left);
        slab_ = fresh;
    }
    begin_ = 0;
    end_ = left;
    return slab_->memory().subspan(end_);
}

bool ReadBuffer::add(std::size_t size) {
    end_ += size;
    this_turn_ += size;
    if (end_ < slab_->capacity()) return false;
    capacity_ = SlabPool::slab_capacity;
    return true;
}

void ReadBuffer::rest() {
    quiet_ = this_turn_ < SlabPool::small_capacity / 2 ? quiet_ + 1 : 0;
    this_turn_ = 0;
    if (quiet_ >= quiet_turns) capacity_ = SlabPool::small_capacity;
    if (begin_ == end_) clear();
}

void ReadBuffer::clear() {
    slab_ = nullptr;
    begin_ = end_ = 0;
}

}  // namespace haigha::client
