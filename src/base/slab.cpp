#include "base/slab.h"

#include <new>

namespace haigha {

void Slab::release() const {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        SlabPool* pool = pool_;
        pool->give_back(const_cast<Slab*>(this));
        pool->release();
    }
}

// Room for all idle slabs is made at once, so that giving one back never allocates.
SlabPool::SlabPool() {
    idle_.reserve(max_idle);
}

SlabPool::~SlabPool() {
    for (Slab* slab : idle_)
        ::operator delete(slab);
}

Ref<Slab> SlabPool::take(std::size_t capacity) {
    if (capacity < slab_capacity) capacity = slab_capacity;
    if (capacity == slab_capacity) {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            Slab* slab = idle_.back();
            idle_.pop_back();
            slab->refs_.store(1, std::memory_order_relaxed);
            add_ref();
            return Ref<Slab>::adopt(slab);
        }
    }
    return make(capacity);
}

Ref<Slab> SlabPool::make(std::size_t capacity) {
    void* memory = ::operator new(sizeof(Slab) + capacity);
    add_ref();
    return Ref<Slab>::adopt(new (memory) Slab(this, capacity));
}

void SlabPool::give_back(Slab* slab) {
    if (slab->capacity_ == slab_capacity) {
        const std::lock_guard lock(mutex_);
        if (idle_.size() < max_idle) {
            idle_.push_back(slab);
            return;
        }
    }
    ::operator delete(slab);
}

}  // namespace haigha
