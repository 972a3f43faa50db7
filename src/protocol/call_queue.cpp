#include "protocol/call_queue.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "base/insist.h"
#include "wire/frame.h"

namespace haigha::protocol {

// What was taken is written, whatever it takes.
namespace {
void append(Outbox& outbox, std::span<const std::byte> frames) {
    // Frame by frame: a frame must not straddle two chunks, and a chunk need not hold them all.
    while (!frames.empty()) {
        const auto parsed = wire::parse_frame(frames, 0);
        std::byte* const at = insist([&] { return outbox.append(parsed.size); });
        std::memcpy(at, frames.data(), parsed.size);
        frames = frames.subspan(parsed.size);
    }
}

// The next `size` octets of it.
void append(Outbox& outbox, CallQueue::Body& body, std::size_t size) {
    insist([&] {
        (void)outbox.append_held(
            0, HeldFrames(body.held, body.written, size, body.piece, body.channel));
    });
    body.written += size;
}
}  // namespace

void CallQueue::write(Call call, std::span<const std::byte> frames, Outbox& outbox) {
    append(outbox, frames);
    call_ = std::move(call);
    call_.written = counters_.now;
    ++counters_.frames_written;
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
    waiting_.push(std::move(item));
    total_ += frames.size();
}

std::byte* CallQueue::hold(std::size_t size) {
    if (!waiting_.empty()) {
        Waiting& last = waiting_.back();
        if (!last.is_call && !last.body.held && !last.pieces) {
            last.frames.resize(last.frames.size() + size);
            total_ += size;
            return last.frames.data() + last.frames.size() - size;
        }
    }
    return hold(size, Body{}, false);
}

std::byte* CallQueue::hold(std::size_t size, Body body, bool large) {
    Waiting item;
    item.large = large;
    item.body = std::move(body);
    item.frames.resize(size);
    const std::size_t added = item.left();
    waiting_.push(std::move(item));
    total_ += added;
    return waiting_.back().frames.data();
}

std::byte* CallQueue::hold(std::size_t size, std::unique_ptr<BodyPieces> pieces) {
    std::byte* const at = hold(size, Body{}, true);
    waiting_.back().pieces = std::move(pieces);
    return at;
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
        total_ -= item.left();
        if (never) continue;
        if (item.is_call) {
            write(std::move(item.call), item.frames, outbox);
        } else {
            append(outbox, item.frames);
            if (item.body.held) append(outbox, item.body, item.body.left());
        }
    }
}

bool CallQueue::write_large_frame(Outbox& outbox) {
    Waiting& item = waiting_.front();
    total_ -= item.left();
    if (!item.begun()) {
        append(outbox, item.frames);
        if (item.pieces) {
            item.frames = {};
            item.pieces->started = true;
            return false;
        }
        item.written = item.frames.size();
    } else {
        append(outbox, item.body, std::min(item.body.piece, item.body.left()));
    }
    total_ += item.left();
    if (item.left() > 0) return true;
    waiting_.pop();
    advance(outbox);
    return large_is_next();
}

void CallQueue::write_rest(Outbox& outbox) {
    while (!waiting_.empty() && waiting_.front().begun()) {
        if (body_is_begun()) {
            waiting_.front().pieces->stand_for_rest(outbox);
            return;
        }
        write_large_frame(outbox);
    }
}

BodyPieces* CallQueue::find_body(Token writer) {
    for (const Waiting& item : waiting_) {
        if (item.pieces && item.pieces->writer == writer) return item.pieces.get();
    }
    return nullptr;
}

std::size_t CallQueue::write_piece(std::span<const std::byte> octets, std::uint32_t frame_max,
                                   Outbox& outbox, bool* done) {
    BodyPieces& pieces = *waiting_.front().pieces;
    const std::size_t written = pieces.write(octets, frame_max, outbox);
    *done = pieces.to_come == 0;
    if (!*done) return written;
    waiting_.pop();
    advance(outbox);
    return written;
}

void CallQueue::clear() {
    in_flight_ = false;
    call_ = Call{};
    for (const Waiting& item : waiting_)
        total_ -= item.left();
    waiting_.clear();
}

}  // namespace haigha::protocol
