#include "base/chunk_pool.h"

#include <new>

namespace haigha {

ChunkPool::~ChunkPool() {
    while (spare_ != nullptr)
        ::operator delete(take());
}

void* ChunkPool::take() {
    const std::lock_guard lock(mutex_);
    Spare* const block = spare_;
    if (block == nullptr) return nullptr;
    spare_ = block->next;
    --count_;
    return block;
}

void ChunkPool::give(void* block) {
    {
        const std::lock_guard lock(mutex_);
        if (count_ < max_spare) {
            spare_ = new (block) Spare{spare_};
            ++count_;
            return;
        }
    }
    ::operator delete(block);
}

}  // namespace haigha
