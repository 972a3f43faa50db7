// Blocks of one size for octets on their way out, shared by those who need them for a moment.
#pragma once

#include <cstddef>
#include <mutex>

#include "base/counted.h"

namespace haigha {

// What one connection has sent the next one fills: it is still in the processor's cache, and a
// connection that has nothing to send holds none. May be used from any thread.
class ChunkPool : public Counted<ChunkPool> {
  public:
    // Blocks kept for re-use; more are given back to the system.
    static constexpr std::size_t max_spare = 64;

    ChunkPool() = default;
    // The one that was given last, or null when there is none.
    void* take();
    // A block of what operator new gave, at least as large as a pointer; all of a pool are of one
    // size.
    void give(void* block);

  private:
    friend class Counted<ChunkPool>;
    struct Spare {
        Spare* next;
    };
    ~ChunkPool();

    std::mutex mutex_;
    Spare* spare_ = nullptr;
    std::size_t count_ = 0;
};

}  // namespace haigha
