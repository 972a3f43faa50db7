// A mutex that is held for a fraction of a microsecond, by many threads.
#pragma once

#include <cstdint>
#include <mutex>

namespace haigha {

#ifndef NDEBUG
// How many of them the thread holds: what must not run under one can say so.
inline constinit thread_local std::uint32_t busy_mutexes_held = 0;
#endif

// Whoever finds it taken tries again for about as long as its holder needs, before it has the
// system wake it: going to sleep and being woken costs some twenty times what is done under it.
class BusyMutex {
  public:
    void lock() {
        if (!mutex_.try_lock()) [[unlikely]]
            lock_when_free();
        count(1);
    }
    bool try_lock() {
        const bool taken = mutex_.try_lock();
        if (taken) count(1);
        return taken;
    }
    void unlock() {
        count(-1);
        mutex_.unlock();
    }

  private:
    void lock_when_free();
    static void count([[maybe_unused]] std::int32_t more) {
#ifndef NDEBUG
        busy_mutexes_held += static_cast<std::uint32_t>(more);
#endif
    }

    std::mutex mutex_;
};

}  // namespace haigha
