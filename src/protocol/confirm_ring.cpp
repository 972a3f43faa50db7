#include "protocol/confirm_ring.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/insist.h"

namespace haigha::protocol {

std::uint64_t ConfirmRing::add(void* data, bool waiter, std::size_t bytes) {
    if (next_ - oldest_ == entries_.size()) grow();
    const auto counted = static_cast<std::uint32_t>(
        std::min<std::size_t>(bytes, std::numeric_limits<std::uint32_t>::max()));
    at(next_) = Entry{data, counted, waiter, true, false};
    ++outstanding_;
    outstanding_bytes_ += counted;
    return next_++;
}

void ConfirmRing::grow() {
    std::vector<Entry> larger(entries_.empty() ? 16 : entries_.size() * 2);
    for (std::uint64_t sequence = oldest_; sequence < next_; ++sequence) {
        larger[sequence & (larger.size() - 1)] = at(sequence);
    }
    entries_ = std::move(larger);
}

bool ConfirmRing::settle(std::uint64_t tag, bool multiple, Outcome outcome) {
    if (tag >= next_ - base_ || (tag == 0 && !multiple)) return false;
    if (tag != 0) tag += base_;
    const std::uint64_t last = tag == 0 ? next_ - 1 : tag;
    const std::uint64_t first = multiple ? oldest_ : last;
    ranges_.push(Range{first, last, outcome});
    return true;
}

bool ConfirmRing::is_open(std::uint64_t sequence) const {
    if (sequence < oldest_ || sequence >= next_ || !at(sequence).open) return false;
    return std::none_of(ranges_.begin(), ranges_.end(), [sequence](const Range& range) {
        return sequence >= range.first && sequence <= range.last;
    });
}

bool ConfirmRing::mark_returned(std::uint64_t sequence, ErrorRef why) {
    if (sequence < oldest_ || sequence >= next_ || !at(sequence).open) return false;
    at(sequence).returned = true;
    returns_[sequence] = std::move(why);
    return true;
}

ErrorRef ConfirmRing::take_return(std::uint64_t sequence) {
    const auto found = returns_.find(sequence);
    if (found == returns_.end()) return nullptr;
    ErrorRef why = std::move(found->second);
    returns_.erase(found);
    return why;
}

void ConfirmRing::forget(std::uint64_t sequence) {
    Entry& entry = at(sequence);
    entry.open = false;
    --outstanding_;
    outstanding_bytes_ -= entry.bytes;
}

std::size_t ConfirmRing::end(std::uint64_t unsent) {
    const std::uint64_t published = next_ - 1;
    const std::uint64_t sent = published - std::min(unsent, published);
    std::size_t ranges = 0;
    if (sent >= oldest_) {
        insist([&] { ranges_.push(Range{oldest_, sent, Outcome::unknown}); });
        ++ranges;
    }
    if (published > sent && published >= oldest_) {
        insist([&] {
            ranges_.push(Range{std::max(oldest_, sent + 1), published, Outcome::not_sent});
        });
        ++ranges;
    }
    return ranges;
}

std::size_t ConfirmRing::take(std::span<Settled> out, bool* done) {
    *done = true;
    if (ranges_.empty()) return 0;
    Range& range = ranges_.front();
    std::size_t count = 0;
    std::uint64_t sequence = std::max(range.first, oldest_);
    for (; sequence <= range.last; ++sequence) {
        Entry& entry = at(sequence);
        if (!entry.open) continue;
        if (count == out.size()) {
            range.first = sequence;
            *done = false;
            break;
        }
        entry.open = false;
        --outstanding_;
        outstanding_bytes_ -= entry.bytes;
        const bool returned = entry.returned && range.outcome != Outcome::nacked;
        out[count++] = Settled{sequence, entry.data, entry.waiter,
                               returned ? Outcome::returned : range.outcome};
    }
    while (oldest_ < next_ && !at(oldest_).open)
        ++oldest_;
    if (*done) ranges_.pop();
    return count;
}

}  // namespace haigha::protocol
