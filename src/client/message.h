// A received message: views into the memory that it was read into, and a share of that memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/counted.h"
#include "base/ref.h"
#include "base/slab.h"
#include "client/event.h"

namespace haigha::client {

class MessagePool;

// Made for each delivery, from a pool. While it is only lent to a callback it costs no atomic
// operation; settle() makes it safe to keep once somebody did.
struct Message {
    Str exchange;
    Str routing_key;
    Str consumer_tag;
    Str body;
    std::span<const std::byte> properties;  // flags and list, as on the wire
    std::uint64_t delivery_tag = 0;
    bool redelivered = false;

    bool has_properties() const {
        constexpr std::byte none{};
        return properties.size() >= 2 && (properties[0] != none || properties[1] != none);
    }
    std::uint32_t flags() const {
        return (redelivered ? flag_redelivered : 0) | (has_properties() ? flag_properties : 0);
    }

    void add_ref() const { refs_.fetch_add(1, std::memory_order_relaxed); }
    void release() const {
        if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) recycle();
    }

  private:
    friend class MessagePool;
    void recycle() const;

    mutable std::atomic<std::uint32_t> refs_{1};
    mutable Slab* slab_ = nullptr;         // ours when set
    mutable MessagePool* pool_ = nullptr;  // ours, while it is not in the pool
    mutable Message* next_ = nullptr;
};

// Of one loop's thread for taking, of any for giving back.
class MessagePool : public Counted<MessagePool> {
  public:
    MessagePool() = default;
    Message* take();
    // The lender is done: back into the pool at once, or, when somebody kept it, a share of `slab`
    // for the time they do.
    void settle(Message* message, Slab* slab);
    // To be kept whoever looks at it: takes its share now. The caller's count stays the caller's.
    void keep(Message* message, Slab* slab);

  private:
    friend class Counted<MessagePool>;
    friend struct Message;
    ~MessagePool();
    void give_back(const Message* message);

    Message* free_ = nullptr;
    std::atomic<const Message*> returned_{nullptr};
};

}  // namespace haigha::client
