// The unsettled publishes of a confirm channel, indexed by sequence number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/histogram.h"
#include "base/queue.h"
#include "protocol/arrival_times.h"

namespace haigha::protocol {

class KeptPublishes;

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

// What publishes have become, by the number of the outcome, and how long the broker took for those
// that it has decided about.
struct OutcomeCounts {
    std::array<std::uint64_t, 6> ended{};
    Histogram latency;

    std::uint64_t total() const {
        return std::accumulate(ended.begin(), ended.end(), std::uint64_t{0});
    }
};

// How much of a confirm channel's publishes may be without an outcome; 0: any.
struct InFlightLimit {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
};

// A publish costs one entry; a single or multiple ack or nack costs O(1) per publish that it
// settles, in any legal order (rules 63, 64, 72). Settling is in two steps so that a multiple ack
// of a million needs no memory of its own: settle() notes the range, take() hands out what it
// covers.
class ConfirmRing : public Counted<ConfirmRing> {
  public:
    // The numbers follow `base`; the broker's tags begin with 1 all the same.
    explicit ConfirmRing(std::uint64_t base = 0);
    ~ConfirmRing();

    // Adds a publish of that many octets; returns its number, from base + 1.
    std::uint64_t add(void* data, bool waiter, std::size_t bytes = 0, Instant now = {});
    // Nobody is to be told of that one.
    void forget(std::uint64_t sequence);
    std::uint64_t last() const { return next_ - 1; }
    std::size_t outstanding() const { return outstanding_; }
    std::uint64_t outstanding_bytes() const { return outstanding_bytes_; }
    // Whether no more may be added: `refused`, before a quarter is free again.
    bool is_full(const InFlightLimit& limit, bool refused) const {
        const auto over = [refused](std::uint64_t most, std::uint64_t now) {
            return most > 0 && now >= (refused ? most - most / 4 : most);
        };
        return over(limit.messages, outstanding_) || over(limit.bytes, outstanding_bytes_);
    }
    // When the oldest one without an outcome was added; `otherwise` if there is none.
    Instant oldest_at(Instant otherwise) const;
    // Makes room for one, so that adding it cannot fail.
    void reserve() {
        if (next_ - oldest_ == entries_.size()) grow();
    }
    // Whether the broker has yet to say what became of it.
    bool is_open(std::uint64_t sequence) const;

    // The broker settled its `tag`, or with `multiple` every open one up to it; tag 0 with multiple
    // means all. False when it names nothing that was published.
    bool settle(std::uint64_t tag, bool multiple, Outcome outcome, Instant now = {});
    // The broker returned the message of an open publish: it ends as returned, unless the broker
    // says nack. False when no such publish is open.
    bool mark_returned(std::uint64_t sequence, ErrorRef why);
    // Why one that ended as returned was returned; once.
    ErrorRef take_return(std::uint64_t sequence);
    // The channel ended: all that is open becomes unknown, the last `unsent` of them not_sent.
    // Returns how many ranges that makes, 0 to 2.
    std::size_t end(std::uint64_t unsent);

    // ---- of a channel whose publishes outlive it: one ring for all its incarnations

    void keep(std::unique_ptr<KeptPublishes> kept);
    KeptPublishes* kept() const { return kept_.get(); }
    // The channel was lost, with the last `unsent` of what was written not sent: as end() for what
    // was returned and, unless it is to be sent `again`, for what was sent.
    std::size_t lose(std::uint64_t unsent, bool again);
    // On the next incarnation, whose tags begin with 1: write(sequence, sent) for each that is
    // open, in order; sent: it may be with the broker. Those for which it says false end as end()
    // has it. Returns how many ranges that makes.
    template <class Write>
    std::size_t restart(Write write) {
        begin_restart();
        std::size_t ranges = 0;
        bool joins = false;
        for (std::uint64_t sequence = oldest_; sequence < next_; ++sequence) {
            if (!is_open(sequence)) continue;
            const bool sent = sequence <= sent_up_to_;
            if (write(sequence, sent)) {
                rewritten_.push_back(sequence);
                joins = false;
                continue;
            }
            const Outcome outcome = sent ? Outcome::unknown : Outcome::not_sent;
            joins = joins && ranges_.back().outcome == outcome;
            if (!joins) {
                ranges_.push(Range{sequence, sequence, outcome});
                ++ranges;
            }
            ranges_.back().last = sequence;
            joins = true;
        }
        end_restart();
        return ranges;
    }

    // Hands out entries of the oldest range noted by settle(), at most out.size(); a first outcome
    // stands, so a range may give none. *done says that the range is finished. They are added to
    // `counts`.
    std::size_t take(std::span<Settled> out, bool* done, OutcomeCounts& counts) {
        const std::size_t count = take_settled(out, done, counts);
        if (kept_) [[unlikely]]
            drop_kept(out.first(count));
        return count;
    }

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
        Instant at{};
    };
    Entry& at(std::uint64_t sequence) { return entries_[sequence & (entries_.size() - 1)]; }
    const Entry& at(std::uint64_t sequence) const {
        return entries_[sequence & (entries_.size() - 1)];
    }
    std::size_t take_settled(std::span<Settled> out, bool* done, OutcomeCounts& counts);
    void count(std::span<const Settled> settled, const Range& range, OutcomeCounts& counts) const;
    void drop_kept(std::span<const Settled> settled);
    void grow();
    // The publish that the broker counts as its `tag`; 0 for 0.
    std::uint64_t sequence_of(std::uint64_t tag) const;
    std::uint64_t written() const { return rewritten_.size() + (next_ - first_sequence_); }
    // The last publish that may be with the broker, when the channel ends.
    void note_sent(std::uint64_t unsent);
    void begin_restart();
    void end_restart();

    std::vector<Entry> entries_;  // a power of two, or empty
    ArrivalTimes times_;
    Queue<Range> ranges_;
    std::unordered_map<std::uint64_t, ErrorRef> returns_;
    // Of tags from the first on the publishes follow one another; before it are those of what was
    // written again.
    std::uint64_t first_tag_ = 1;
    std::uint64_t first_sequence_;
    std::uint64_t oldest_;  // everything before it is settled
    std::uint64_t next_;
    std::size_t outstanding_ = 0;
    std::uint64_t outstanding_bytes_ = 0;
    std::vector<std::uint64_t> rewritten_;
    std::uint64_t sent_up_to_ = 0;  // on an earlier incarnation
    std::unique_ptr<KeptPublishes> kept_;
};

}  // namespace haigha::protocol
