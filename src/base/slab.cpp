#include "base/slab.h"

#include <new>

#include "base/bulk_memory.h"

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
    idle_large_.reserve(max_idle);
    idle_small_.reserve(max_idle);
}

SlabPool::~SlabPool() {
    for (const auto& idle : {idle_large_, idle_small_}) {
        for (Slab* slab : idle)
            free_slab(slab);
    }
}

std::vector<Slab*>* SlabPool::idle(std::size_t capacity) {
    if (capacity == slab_capacity) return &idle_large_;
    return capacity == small_capacity ? &idle_small_ : nullptr;
}

Ref<Slab> SlabPool::take(std::size_t capacity) {
    capacity = capacity_for(capacity);
    if (auto* const kept = idle(capacity); kept != nullptr) {
        if (capacity == slab_capacity) large_out_.fetch_add(1, std::memory_order_relaxed);
        const std::lock_guard lock(mutex_);
        if (!kept->empty()) {
            Slab* slab = kept->back();
            kept->pop_back();
            slab->refs_.store(1, std::memory_order_relaxed);
            add_ref();
            return Ref<Slab>::adopt(slab);
        }
    }
    return make(capacity);
}

Ref<Slab> SlabPool::make(std::size_t capacity) {
    void* memory = allocate_bulk(sizeof(Slab) + capacity);
    add_ref();
    return Ref<Slab>::adopt(new (memory) Slab(this, capacity));
}

void SlabPool::give_back(Slab* slab) {
    if (auto* const kept = idle(slab->capacity_); kept != nullptr) {
        if (slab->capacity_ == slab_capacity) large_out_.fetch_sub(1, std::memory_order_relaxed);
        const std::lock_guard lock(mutex_);
        if (kept->size() < max_idle) {
            kept->push_back(slab);
            return;
        }
    }
    free_slab(slab);
}

void SlabPool::free_slab(Slab* slab) {
    free_bulk(slab, sizeof(Slab) + slab->capacity_);
}

}  // namespace haigha
