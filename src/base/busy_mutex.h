// A mutex that is held for a fraction of a microsecond, by many threads.
#pragma once

#include <mutex>

namespace haigha {

// Whoever finds it taken tries again for about as long as its holder needs, before it has the
// system wake it: going to sleep and being woken costs some twenty times what is done under it.
class BusyMutex {
  public:
    void lock() {
        for (int i = 0; i < tries; ++i) {
            if (mutex_.try_lock()) return;
            for (int pause = 0; pause < pauses; ++pause)
                relax();
        }
        mutex_.lock();
    }
    bool try_lock() { return mutex_.try_lock(); }
    void unlock() { mutex_.unlock(); }

  private:
    static constexpr int tries = 16;
    static constexpr int pauses = 8;

    static void relax() {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }

    std::mutex mutex_;
};

}  // namespace haigha
