// The count behind a Ref: atomic, deleting the object with its last share.
#pragma once

#include <atomic>
#include <cstdint>

namespace haigha {

// `class Thing : public Counted<Thing>`; a new Thing starts with one share (Ref::adopt takes it).
template <class Derived>
class Counted {
  public:
    void add_ref() const { refs_.fetch_add(1, std::memory_order_relaxed); }
    void release() const {
        if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete static_cast<const Derived*>(this);
        }
    }

  protected:
    Counted() = default;
    ~Counted() = default;
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

  private:
    mutable std::atomic<std::uint32_t> refs_{1};
};

}  // namespace haigha
