// The unsettled publishes of a confirm channel, indexed by sequence number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/counted.h"
#include "base/error.h"
#include "base/queue.h"

namespace haigha::protocol {

// What the C API calls HAIGHA_OUTCOME_*.
enum class Outcome : std::uint8_t {
    confirmed = 1,
    nacked = 2,
    returned = 3,
    not_sent = 4,
    unknown = 5,
};

struct Settled {
    std::uint64_t sequence;
    void* data;   // what the publish came with
    bool waiter;  // whether `data` is a waiting call and not the user's
    Outcome outcome;
};

// A publish costs one entry; a single or multiple ack or nack costs O(1) per publish that it
// settles, in any legal order (rules 63, 64, 72). Settling is in two steps so that a multiple ack
// of a million needs no memory of its own: settle() notes the range, take() hands out what it
// covers.
class ConfirmRing : public Counted<ConfirmRing> {
  public:
    // The numbers follow `base`; the broker's tags begin with 1 all the same.
    explicit ConfirmRing(std::uint64_t base = 0) : base_(base) {}

    // Adds a publish of that many octets; returns its number, from base + 1.
    std::uint64_t add(void* data, bool waiter, std::size_t bytes = 0);
    // Nobody is to be told of that one.
    void forget(std::uint64_t sequence);
    std::uint64_t last() const { return next_ - 1; }
    std::size_t outstanding() const { return outstanding_; }
    std::uint64_t outstanding_bytes() const { return outstanding_bytes_; }
    // Whether the broker has yet to say what became of it.
    bool is_open(std::uint64_t sequence) const;

    // The broker settled its `tag`, or with `multiple` every open one up to it; tag 0 with multiple
    // means all. False when it names nothing that was published.
    bool settle(std::uint64_t tag, bool multiple, Outcome outcome);
    // The broker returned the message of an open publish: it ends as returned, unless the broker
    // says nack. False when no such publish is open.
    bool mark_returned(std::uint64_t sequence, ErrorRef why);
    // Why one that ended as returned was returned; once.
    ErrorRef take_return(std::uint64_t sequence);
    // The channel ended: all that is open becomes unknown, the last `unsent` of them not_sent.
    // Returns how many ranges that makes, 0 to 2.
    std::size_t end(std::uint64_t unsent);

    // Hands out entries of the oldest range noted by settle(), at most out.size(); a first outcome
    // stands, so a range may give none. *done says that the range is finished.
    std::size_t take(std::span<Settled> out, bool* done);

  private:
    struct Entry {
        void* data;
        std::uint32_t bytes;  // at most what fits
        bool waiter;
        bool open;
        bool returned;
    };
    struct Range {
        std::uint64_t first;
        std::uint64_t last;
        Outcome outcome;
    };
    Entry& at(std::uint64_t sequence) { return entries_[sequence & (entries_.size() - 1)]; }
    const Entry& at(std::uint64_t sequence) const {
        return entries_[sequence & (entries_.size() - 1)];
    }
    void grow();

    std::vector<Entry> entries_;  // a power of two, or empty
    Queue<Range> ranges_;
    std::unordered_map<std::uint64_t, ErrorRef> returns_;
    const std::uint64_t base_;
    std::uint64_t oldest_ = base_ + 1;  // everything before it is settled
    std::uint64_t next_ = base_ + 1;
    std::size_t outstanding_ = 0;
    std::uint64_t outstanding_bytes_ = 0;
};

}  // namespace haigha::protocol
