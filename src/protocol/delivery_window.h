// The deliveries of a channel that are not settled yet, by delivery tag.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "protocol/arrival_times.h"

namespace haigha::protocol {

// Brokers number a channel's deliveries 1, 2, 3... As long as that is so each settlement is checked
// against what is open: one that the broker would end the channel for is refused to the caller, and
// what a consumer still has open is known (rule 80). A delivery costs one entry, a settlement one
// per delivery that it settles.
class DeliveryWindow {
  public:
    // Whose a delivery is: a number that the channel gives its consumers.
    using Holder = std::uint32_t;
    static constexpr Holder nobody = 0;  // it needs no settling
    static constexpr Holder getter = 1;  // it answered basic.get
    static constexpr Holder first_consumer = 2;

    // What the caller names by a tag, and how to say it to the broker.
    struct Settlement {
        enum class Kind : std::uint8_t {
            as_given,   // to be written
            none_open,  // "all", and there are none: nothing to say
            refused,    // it is not open
        } kind = Kind::as_given;
        std::uint64_t tag = 0;
    };

    // A delivery has come. A broker that does not count gets no help: tracks() is false from then.
    void add(std::uint64_t tag, Holder holder, Instant now = {}) {
        if (tag != next_) [[unlikely]] {
            stop_tracking();
            return;
        }
        if (!tracks_) [[unlikely]]
            return;
        ++next_;
        if (holder == nobody && oldest_ == tag) {
            oldest_ = next_;
            return;
        }
        if (tag - oldest_ == holders_.size()) [[unlikely]]
            grow(tag);
        at(tag) = holder;
        if (holder == nobody) return;
        ++open_;
        times_.note(tag, oldest_, now);
    }
    bool tracks() const { return tracks_; }
    // In a transaction a rollback opens again what was settled.
    void stop_tracking();

    // Settles one, or with `multiple` all up to it; tag 0 with multiple means all that has come.
    // Calls settled(Holder) for each. The tag to be written is that of an open delivery: brokers
    // look for just that one.
    template <class Settled>
    Settlement settle(std::uint64_t tag, bool multiple, Settled settled) {
        if (!tracks_) return {Settlement::Kind::as_given, tag};
        if (!multiple) {
            if (!is_open(tag)) return {Settlement::Kind::refused, tag};
            settled(take(tag));
            drop_settled();
            return {Settlement::Kind::as_given, tag};
        }
        const std::uint64_t last = last_open(tag == 0 ? next_ - 1 : tag);
        if (tag >= next_ || (last == 0 && tag != 0)) return {Settlement::Kind::refused, tag};
        if (last == 0) return {Settlement::Kind::none_open, 0};
        for (std::uint64_t one = oldest_; one <= last; ++one) {
            if (at(one) != nobody) settled(take(one));
        }
        drop_settled();
        return {Settlement::Kind::as_given, last};
    }
    // The broker has taken back all of them.
    template <class Settled>
    void settle_all(Settled settled) {
        (void)settle(0, true, settled);
    }

    bool is_open(std::uint64_t tag) const {
        return tag >= oldest_ && tag < next_ && at(tag) != nobody;
    }
    // Whether it and all before it are settled.
    bool settled_up_to(std::uint64_t tag) const { return tracks_ && tag < oldest_; }
    // Whether it has ever come.
    bool has_come(std::uint64_t tag) const { return tag > 0 && tag < next_; }
    std::size_t count(Holder holder) const;
    std::uint64_t last() const { return next_ - 1; }  // that has come
    // The first open one from `tag` on, or 0.
    std::uint64_t first_open(std::uint64_t tag) const;
    Holder holder(std::uint64_t tag) const { return is_open(tag) ? at(tag) : nobody; }
    std::size_t count_open() const { return open_; }
    // When the oldest open one came; `otherwise` if there is none.
    Instant oldest_at(Instant otherwise) const;

  private:
    // Beyond this, memory that is not used any more is given back.
    static constexpr std::size_t kept_entries = 16384;

    Holder& at(std::uint64_t tag) { return holders_[tag & (holders_.size() - 1)]; }
    Holder at(std::uint64_t tag) const { return holders_[tag & (holders_.size() - 1)]; }
    Holder take(std::uint64_t tag) {
        const Holder holder = at(tag);
        at(tag) = nobody;
        --open_;
        return holder;
    }
    std::uint64_t last_open(std::uint64_t from) const;
    void drop_settled() {
        while (oldest_ < next_ && at(oldest_) == nobody)
            ++oldest_;
        if (oldest_ == next_ && holders_.size() > kept_entries) [[unlikely]]
            holders_ = {};
    }
    void grow(std::uint64_t next);

    std::vector<Holder> holders_;  // a power of two, or empty
    std::uint64_t oldest_ = 1;     // everything before it is settled
    std::uint64_t next_ = 1;
    std::size_t open_ = 0;
    ArrivalTimes times_;
    bool tracks_ = true;
};

}  // namespace haigha::protocol
