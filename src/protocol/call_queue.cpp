#include "protocol/call_queue.h"

#include <cstring>
#include <span>
#include <utility>

#include "wire/frame.h"

namespace haigha::protocol {

namespace {
void append(Outbox& outbox, std::span<const std::byte> frames) {
    // Frame by frame: a frame must not straddle two chunks, and a chunk need not hold them all.
    while (!frames.empty()) {
        const auto parsed = wire::parse_frame(frames, 0);
        std::memcpy(outbox.append(parsed.size), frames.data(), parsed.size);
        frames = frames.subspan(parsed.size);
    }
}
}  // namespace

void CallQueue::write(Call call, std::span<const std::byte> frames, Outbox& outbox) {
    append(outbox, frames);
    call_ = std::move(call);
    in_flight_ = true;
}

void CallQueue::add(Call call, std::span<const std::byte> frames, Outbox& outbox) {
    if (waiting_.empty() && may_go(true, call.kind)) {
        write(std::move(call), frames, outbox);
        return;
    }
    Waiting item;
    item.frames.assign(frames.begin(), frames.end());
    item.is_call = true;
    item.call = std::move(call);
    total_ += frames.size();
    waiting_.push(std::move(item));
}

std::byte* CallQueue::hold(std::size_t size, bool large) {
    total_ += size;
    if (!large && !waiting_.empty() && !waiting_.back().is_call && !waiting_.back().large) {
        std::vector<std::byte>& frames = waiting_.back().frames;
        frames.resize(frames.size() + size);
        return frames.data() + frames.size() - size;
    }
    Waiting item;
    item.large = large;
    item.frames.resize(size);
    waiting_.push(std::move(item));
    return waiting_.back().frames.data();
}

Call CallQueue::finish(Outbox& outbox) {
    in_flight_ = false;
    Call done = std::move(call_);
    call_ = Call{};
    advance(outbox);
    return done;
}

void CallQueue::advance(Outbox& outbox) {
    while (!waiting_.empty()) {
        const Waiting& next = waiting_.front();
        // A call that failed before it was written never is (rule 17).
        const bool never = next.is_call && next.call.failed;
        if (!never && (next.large || !may_go(next.is_call, next.call.kind))) return;
        Waiting item = waiting_.pop();
        total_ -= item.frames.size();
        if (never) continue;
        if (item.is_call) {
            write(std::move(item.call), item.frames, outbox);
        } else {
            append(outbox, item.frames);
        }
    }
}

bool CallQueue::write_large_frame(Outbox& outbox) {
    Waiting& item = waiting_.front();
    const std::span<const std::byte> left = std::span(item.frames).subspan(item.written);
    const auto parsed = wire::parse_frame(left, 0);
    std::memcpy(outbox.append(parsed.size), left.data(), parsed.size);
    item.written += parsed.size;
    total_ -= parsed.size;
    if (item.written < item.frames.size()) return true;
    waiting_.pop();
    advance(outbox);
    return large_is_next();
}

void CallQueue::write_rest(Outbox& outbox) {
    while (!waiting_.empty() && waiting_.front().written > 0)
        write_large_frame(outbox);
}

void CallQueue::clear() {
    in_flight_ = false;
    call_ = Call{};
    for (const Waiting& item : waiting_)
        total_ -= item.frames.size() - item.written;
    waiting_.clear();
}

}  // namespace haigha::protocol
