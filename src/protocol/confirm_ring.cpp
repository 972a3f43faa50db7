#include "protocol/confirm_ring.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/insist.h"
#include "protocol/kept_publishes.h"

namespace haigha::protocol {

ConfirmRing::ConfirmRing(std::uint64_t base)
    : first_sequence_(base + 1), oldest_(base + 1), next_(base + 1) {}

ConfirmRing::~ConfirmRing() = default;

std::uint64_t ConfirmRing::add(void* data, bool waiter, std::size_t bytes, Instant now) {
    if (next_ - oldest_ == entries_.size()) grow();
    times_.note(next_, oldest_, now);
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

bool ConfirmRing::settle(std::uint64_t tag, bool multiple, Outcome outcome, Instant now) {
    // Of a tag before the first that is a large number.
    const std::uint64_t place = tag - first_tag_;
    std::uint64_t last = first_sequence_ + place;
    if (place >= next_ - first_sequence_) [[unlikely]] {
        if (tag == 0 ? !multiple : tag > rewritten_.size()) return false;
        last = tag == 0 ? next_ - 1 : rewritten_[tag - 1];
    }
    const std::uint64_t first = multiple ? oldest_ : last;
    ranges_.push(Range{first, last, outcome, now});
    return true;
}

Instant ConfirmRing::oldest_at(Instant otherwise) const {
    for (std::uint64_t sequence = oldest_; sequence < next_ && !times_.empty(); ++sequence) {
        std::uint64_t last = 0;
        if (at(sequence).open) return times_.at(sequence, &last);
    }
    return otherwise;
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

std::uint64_t ConfirmRing::sequence_of(std::uint64_t tag) const {
    if (tag == 0) return 0;
    return tag <= rewritten_.size() ? rewritten_[tag - 1] : first_sequence_ + (tag - first_tag_);
}

void ConfirmRing::note_sent(std::uint64_t unsent) {
    const std::uint64_t sent = written() - std::min(unsent, written());
    sent_up_to_ = std::max(sent_up_to_, sequence_of(sent));
}

std::size_t ConfirmRing::end(std::uint64_t unsent) {
    note_sent(unsent);
    const std::uint64_t published = next_ - 1;
    const std::uint64_t sent = sent_up_to_;
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

// ---- one ring for several incarnations

void ConfirmRing::drop_kept(std::span<const Settled> settled) {
    kept_->drop(settled);
}

void ConfirmRing::keep(std::unique_ptr<KeptPublishes> kept) {
    kept_ = std::move(kept);
}

std::size_t ConfirmRing::lose(std::uint64_t unsent, bool again) {
    note_sent(unsent);
    // What is added from now on is written by nobody.
    rewritten_.clear();
    first_tag_ = 1;
    first_sequence_ = next_;
    if (!again) {
        if (sent_up_to_ < oldest_) return 0;
        insist([&] { ranges_.push(Range{oldest_, sent_up_to_, Outcome::unknown}); });
        return 1;
    }
    std::vector<std::uint64_t> returned;
    for (const auto& [sequence, why] : returns_) {
        if (is_open(sequence)) insist([&, at = sequence] { returned.push_back(at); });
    }
    std::sort(returned.begin(), returned.end());
    for (const std::uint64_t sequence : returned)
        insist([&] { ranges_.push(Range{sequence, sequence, Outcome::unknown}); });
    return returned.size();
}

void ConfirmRing::begin_restart() {
    rewritten_.clear();
    rewritten_.reserve(outstanding_);
}

void ConfirmRing::end_restart() {
    first_tag_ = rewritten_.size() + 1;
    first_sequence_ = next_;
}

// Those that came within one turn were published within few, so this costs little for each.
void ConfirmRing::count(std::span<const Settled> settled, const Range& range,
                        OutcomeCounts& counts) const {
    counts.ended[static_cast<std::size_t>(range.outcome)] += settled.size();
    if (!returns_.empty()) [[unlikely]] {
        for (const Settled& one : settled) {
            --counts.ended[static_cast<std::size_t>(range.outcome)];
            ++counts.ended[static_cast<std::size_t>(one.outcome)];
        }
    }
    if (settled.empty()) return;
    const bool decided = range.outcome == Outcome::confirmed || range.outcome == Outcome::nacked;
    if (!decided || times_.empty()) return;
    for (auto first = settled.begin(); first != settled.end();) {
        std::uint64_t last = 0;
        const Instant added = times_.at(first->sequence, &last);
        auto end = settled.end();
        if (settled.back().sequence > last) [[unlikely]] {
            end = std::find_if(first, settled.end(),
                               [last](const Settled& one) { return one.sequence > last; });
        }
        counts.latency.add(range.at - added, static_cast<std::uint64_t>(end - first));
        first = end;
    }
}

std::size_t ConfirmRing::take_settled(std::span<Settled> out, bool* done, OutcomeCounts& counts) {
    *done = true;
    if (ranges_.empty()) return 0;
    Range& range = ranges_.front();
    std::size_t taken = 0;
    std::uint64_t sequence = std::max(range.first, oldest_);
    for (; sequence <= range.last; ++sequence) {
        Entry& entry = at(sequence);
        if (!entry.open) continue;
        if (taken == out.size()) {
            range.first = sequence;
            *done = false;
            break;
        }
        entry.open = false;
        --outstanding_;
        outstanding_bytes_ -= entry.bytes;
        const bool returned = entry.returned && range.outcome != Outcome::nacked;
        out[taken++] = Settled{sequence, entry.data, entry.waiter,
                               returned ? Outcome::returned : range.outcome};
    }
    count(out.first(taken), range, counts);
    while (oldest_ < next_ && !at(oldest_).open)
        ++oldest_;
    if (*done) ranges_.pop();
    return taken;
}

}  // namespace haigha::protocol
