#include "base/busy_mutex.h"

namespace haigha {

namespace {

constexpr int tries = 16;
constexpr int pauses = 8;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

// Out of line: lock() is in every call, and small there.
void BusyMutex::lock_when_free() {
    for (int i = 0; i < tries; ++i) {
        for (int pause = 0; pause < pauses; ++pause)
            relax();
        if (mutex_.try_lock()) return;
    }
    mutex_.lock();
}

}  // namespace haigha
