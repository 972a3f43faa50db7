// Reference-counted blocks of read memory, recycled through a pool.
#pragma once

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

// Slabs of one size are kept for re-use, up to a few; larger ones are made and freed on demand.
// May be used from any thread: a message can be dropped anywhere.
class SlabPool : public Counted<SlabPool> {
  public:
    // What a read asks the system for: large enough that a system call carries thousands of small
    // messages, small enough to stay in the processor's cache and not to be a burden when a small
    // message that was kept pins it.
    static constexpr std::size_t slab_capacity = 256 * 1024 - 64;
    // Idle slabs kept for re-use; more are given back to the system.
    static constexpr std::size_t max_idle = 8;

    SlabPool();
    // A slab to read into, of at least `capacity` bytes.
    Ref<Slab> take(std::size_t capacity = slab_capacity);
    // A slab of just that size, for one message; not kept for re-use.
    Ref<Slab> make(std::size_t capacity);

  private:
    friend class Counted<SlabPool>;
    friend class Slab;
    ~SlabPool();
    void give_back(Slab* slab);

    std::mutex mutex_;
    std::vector<Slab*> idle_;
};

}  // namespace haigha
