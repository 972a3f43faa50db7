// The user's references to an object, apart from the library's own: the last one has a meaning.
#pragma once

#include <atomic>
#include <cstdint>

namespace haigha::client {

class HandleCount {
  public:
    void add() { count_.fetch_add(1, std::memory_order_relaxed); }
    // For who came by the object without a handle of his own. False when the last one was dropped:
    // that happens once.
    bool add_to_others() {
        std::uint32_t count = count_.load(std::memory_order_relaxed);
        while (count != 0) {
            if (count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }
    // True for the last one.
    bool drop() { return count_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

  private:
    std::atomic<std::uint32_t> count_{1};
};

// With the last handle the object is abandoned, and the share that all of them had given back.
template <class Object>
void drop_handle(Object& object) {
    if (!object.handles().drop()) return;
    object.abandon();
    object.release();
}

}  // namespace haigha::client
