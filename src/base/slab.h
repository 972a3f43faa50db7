// Reference-counted blocks of read memory, recycled through a pool.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "base/counted.h"
#include "base/ref.h"

namespace haigha {

class SlabPool;

// One block. Whoever holds a reference may read what was written before it was shared.
class Slab {
  public:
    std::span<std::byte> memory() { return {data(), capacity_}; }
    std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
    std::size_t capacity() const { return capacity_; }
    // True when nobody else holds it: what it contains may be overwritten.
    bool sole() const { return refs_.load(std::memory_order_acquire) == 1; }

    void add_ref() const { refs_.fetch_add(1, std::memory_order_relaxed); }
    void release() const;

  private:
    friend class SlabPool;
    Slab(SlabPool* pool, std::size_t capacity) : pool_(pool), capacity_(capacity) {}
    ~Slab() = default;

    mutable std::atomic<std::uint32_t> refs_{1};
    SlabPool* pool_;  // kept alive by this slab
    std::size_t capacity_;
};

// Slabs of two sizes are kept for re-use, up to a few of each; others are made and freed on demand.
// May be used from any thread: a message can be dropped anywhere.
class SlabPool : public Counted<SlabPool> {
  public:
    // What is read into where much comes: a system call carries thousands of small messages, and
    // it still fits the processor's cache.
    static constexpr std::size_t slab_capacity = 256 * 1024 - 64;
    // And where little does.
    static constexpr std::size_t small_capacity = 16 * 1024 - 64;
    // Idle slabs of each size kept for re-use; more are given back to the system.
    static constexpr std::size_t max_idle = 8;
    // A message that is kept keeps its slab, however small it is. Once the large ones that are out
    // take so much together, only small ones are given: beyond it a message keeps 16 KiB at most.
    static constexpr std::size_t most_in_large = 64 * 1024 * 1024;

    SlabPool();
    // A slab to read into, of at least `capacity` octets.
    Ref<Slab> take(std::size_t capacity = slab_capacity);
    // How many octets those have that take() gives.
    static constexpr std::size_t capacity_for(std::size_t capacity) {
        if (capacity <= small_capacity) return small_capacity;
        return std::max(capacity, slab_capacity);
    }
    // Who would rather read into `capacity` than needs to should ask for this much.
    std::size_t advised(std::size_t capacity) const {
        return large_out_.load(std::memory_order_relaxed) < most_large ? capacity : small_capacity;
    }
    // A slab of just that size, for one message; not kept for re-use.
    Ref<Slab> make(std::size_t capacity);

  private:
    friend class Counted<SlabPool>;
    friend class Slab;
    static constexpr std::size_t most_large = most_in_large / slab_capacity;
    ~SlabPool();
    void give_back(Slab* slab);
    static void free_slab(Slab* slab);
    // Where the idle ones of that capacity are, or null.
    std::vector<Slab*>* idle(std::size_t capacity);

    std::atomic<std::size_t> large_out_{0};
    std::mutex mutex_;
    std::vector<Slab*> idle_large_;
    std::vector<Slab*> idle_small_;
};

}  // namespace haigha
