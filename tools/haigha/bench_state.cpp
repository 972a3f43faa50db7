#include "bench_state.h"

#include <haigha/haigha.h>

namespace tool {

bool BenchState::may_publish() const noexcept {
    if (production_ended()) return false;
    if (options.rate <= 0) return true;
    const double seconds = static_cast<double>(now_ns() - start_ns_) / 1e9;
    return static_cast<double>(next_sequence()) < seconds * options.rate;
}

bool BenchState::production_ended() const noexcept {
    if (options.channels == 0 || stopping_.load(std::memory_order_relaxed)) return true;
    return options.count > 0 && next_sequence() >= options.count;
}

void BenchState::on_published(std::uint64_t at_ns) noexcept {
    tallies.published.add_one();
    tallies.last_published_ns.set(at_ns);
}

void BenchState::on_settled(std::uint64_t sequence, std::uint64_t published_ns, std::uint64_t at_ns,
                            std::int32_t outcome) {
    ++settled_;
    switch (outcome) {
        case HAIGHA_OUTCOME_CONFIRMED:
            tallies.confirmed.add_one();
            tallies.last_confirmed_ns.set(at_ns);
            confirm_latency.record(at_ns - published_ns);
            check_end();
            return;
        case HAIGHA_OUTCOME_NACKED:
            tallies.nacked.add_one();
            break;
        case HAIGHA_OUTCOME_NOT_SENT:
            tallies.not_sent.add_one();
            break;
        default:
            tallies.unknown.add_one();
            break;
    }
    excused_.insert(sequence);
    check_end();
}

void BenchState::on_delivery(std::string_view body, std::uint64_t at_ns) {
    const MessageHead head = read_head(body);
    const bool has_head = body.size() >= sizeof(MessageHead);
    // With nothing published, whatever is in the queue is what is measured.
    const bool any_run = options.channels == 0;
    const bool ours =
        body.size() == options.size_bytes && (!messages.has_head() || head.run == messages.run());
    if (options.verify && (!has_head || !is_intact(body, head))) {
        // What lay in the queue of somebody else need not be ours.
        (ours || any_run || options.queue.empty() ? tallies.corrupt : tallies.foreign).add_one();
    } else if (ours || any_run) {
        note_delivery(head, at_ns);
    } else {
        tallies.foreign.add_one();
    }
    check_end();
}

void BenchState::note_delivery(const MessageHead& head, std::uint64_t at_ns) {
    if (options.verify && !seen_.insert(head.sequence)) {
        tallies.duplicate.add_one();
        return;
    }
    tallies.consumed.add_one();
    tallies.last_consumed_ns.set(at_ns);
    if (options.channels > 0 && messages.has_time() && at_ns >= head.sent_ns) {
        deliver_latency.record(at_ns - head.sent_ns);
    }
}

void BenchState::check_end() {
    if (!production_ended()) return;
    if (options.channels == 0) {
        if (options.count == 0 || tallies.consumed.get() < options.count) return;
    } else {
        const std::uint64_t published = next_sequence();
        if (is_tracked() && settled_ < published) return;
        // A corrupt message has arrived, too; which one it was, nobody can say.
        const std::uint64_t arrived = tallies.consumed.get() + tallies.corrupt.get();
        if (options.consumers > 0 && arrived + excused_.size() < published) return;
    }
    end();
}

void BenchState::fail(const std::string& sentence) {
    stop_publishing();
    {
        const std::lock_guard lock(mutex_);
        if (!ended_ && failure_.empty()) failure_ = sentence;
    }
    end();
}

void BenchState::end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    bell_.notify_all();
}

bool BenchState::wait_for_end(std::chrono::microseconds time) {
    std::unique_lock lock(mutex_);
    return bell_.wait_for(lock, time, [this] { return ended_; });
}

std::string BenchState::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

std::uint64_t BenchState::missing() const {
    const std::uint64_t published = next_sequence();
    if (options.channels == 0 || options.consumers == 0) return 0;
    if (!options.verify) {
        const std::uint64_t expected = published - excused_.size();
        const std::uint64_t consumed = tallies.consumed.get();
        return expected > consumed ? expected - consumed : 0;
    }
    std::uint64_t missing = 0;
    for (std::uint64_t i = 0; i < published; ++i) {
        if (!seen_.contains(i) && !excused_.contains(i)) ++missing;
    }
    return missing;
}

}  // namespace tool
