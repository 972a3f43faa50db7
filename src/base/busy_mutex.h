// A mutex that is held for a fraction of a microsecond, by many threads.
#pragma once

#include <mutex>

namespace haigha {

// Whoever finds it taken tries again for about as long as its holder needs, before it has the
// system wake it: going to sleep and being woken costs some twenty times what is done under it.
class BusyMutex {
  public:
    void lock() {
        if (!mutex_.try_lock()) [[unlikely]]
            lock_when_free();
    }
    bool try_lock() { return mutex_.try_lock(); }
    void unlock() { mutex_.unlock(); }

  private:
    void lock_when_free();

    std::mutex mutex_;
};

}  // namespace haigha
