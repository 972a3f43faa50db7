#include "protocol/outbox.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"

namespace haigha::protocol {

Outbox::Chunk* Outbox::new_chunk(std::size_t size) {
    if (size <= chunk_capacity) {
        if (void* const spare = chunks_->take(); spare != nullptr) {
            return new (spare) Chunk{nullptr, chunk_capacity, 0, 0, false};
        }
    }
    const bool alone = head_ == nullptr || (tail_ != nullptr && tail_->held);
    const bool small = alone && size <= small_chunk_capacity;
    const std::size_t capacity = small ? small_chunk_capacity : std::max(size, chunk_capacity);
    void* memory = ::operator new(sizeof(Chunk) + capacity);
    return new (memory) Chunk{nullptr, capacity, 0, 0, false};
}

void Outbox::link(Chunk* chunk) {
    if (tail_ != nullptr) {
        tail_->next = chunk;
    } else {
        head_ = chunk;
    }
    tail_ = chunk;
    size_ += chunk->end;
}

std::byte* Outbox::append_chunk(std::size_t size) {
    Chunk* chunk = new_chunk(size);
    chunk->end = size;
    link(chunk);
    return chunk->bytes();
}

std::byte* Outbox::append_held(std::size_t size, HeldFrames frames) {
    const std::size_t octets = frames.size();
    void* memory = ::operator new(sizeof(HeldChunk) + frames.edges_size());
    std::unique_ptr<HeldChunk, FreeChunk> chunk(
        new (memory) HeldChunk{{nullptr, octets, 0, octets, true}, std::move(frames)});
    chunk->frames.write_edges(chunk->edges());
    std::byte* const before = size > 0 ? append(size) : nullptr;
    link(chunk.release());
    return before;
}

void Outbox::FreeChunk::operator()(HeldChunk* chunk) const {
    std::destroy_at(chunk);
    ::operator delete(static_cast<void*>(chunk));
}

std::size_t Outbox::gather(std::span<Segment> segments, std::size_t limit) {
    std::size_t count = 0;
    last_frame_ = nullptr;  // it may be among them
    for (const Chunk* chunk = head_; chunk != nullptr && count < segments.size() && limit > 0;
         chunk = chunk->next) {
        for (std::size_t at = chunk->begin;
             at < chunk->end && count < segments.size() && limit > 0;) {
            const Segment segment = stretch_at(*chunk, at);
            segments[count++] = segment;
            at += segment.size;
            limit -= std::min(limit, segment.size);
        }
    }
    return count;
}

void Outbox::consume(std::size_t size) {
    last_frame_ = nullptr;
    size_ -= size;
    sent_ += size;
    while (head_ != nullptr) {
        const std::size_t taken = std::min(size, head_->end - head_->begin);
        head_->begin += taken;
        size -= taken;
        if (head_->begin < head_->end) return;
        if (head_ == tail_) {
            // A small one stays: the next frames go there.
            if (!head_->held && head_->capacity == small_chunk_capacity) {
                head_->begin = head_->end = 0;
            } else {
                drop(head_);
                head_ = tail_ = nullptr;
            }
            return;
        }
        Chunk* next = head_->next;
        drop(head_);
        head_ = next;
    }
}

void Outbox::drop(Chunk* chunk) {
    if (chunk->held) {
        FreeChunk()(static_cast<HeldChunk*>(chunk));
        return;
    }
    if (chunk->capacity == chunk_capacity) {
        chunks_->give(chunk);
    } else {
        ::operator delete(chunk);
    }
}

void Outbox::clear() {
    last_frame_ = nullptr;
    while (head_ != nullptr) {
        Chunk* next = head_->next;
        drop(head_);
        head_ = next;
    }
    tail_ = nullptr;
    size_ = 0;
}

Outbox::Segment Outbox::stretch_at(const Chunk& chunk, std::size_t at) {
    if (!chunk.held) return {chunk.bytes() + at, chunk.end - at};
    const auto& held = static_cast<const HeldChunk&>(chunk);
    const std::span<const std::byte> octets = held.frames.stretch_at(at, held.edges());
    return {octets.data(), std::min(octets.size(), chunk.end - at)};
}

// The only thing in an outbox that is not a frame is the protocol header at its beginning; it
// passes for a frame of no type on channel 0.
Outbox::Item Outbox::item_at(const Chunk& chunk, std::size_t at) {
    if (chunk.held) {
        const wire::Frame frame = static_cast<const HeldChunk&>(chunk).frames.frame_at(at);
        return {frame, frame.payload.size() + wire::frame_overhead};
    }
    const std::span<const std::byte> bytes(chunk.bytes() + at, chunk.end - at);
    const auto parsed = wire::parse_frame(bytes, 0);
    if (parsed.status == wire::FrameParse::Status::complete) [[likely]] {
        return {parsed.frame, parsed.size};
    }
    return {wire::Frame{}, std::min(bytes.size(), wire::protocol_header.size())};
}

namespace {

// What is known of a channel's content on a walk over its frames. A content is in the outbox as
// far as it was taken, or with a frame that stands for its rest: as long as one of its frames has
// not left, it is not whole on the other side.
class ContentWalk {
  public:
    // True when the frame makes one more message that is not wholly gone.
    bool step(const wire::Frame& frame, bool unsent) {
        if (frame.type == wire::FrameType::method) counted_ = false;
        const bool is_content =
            frame.type == wire::FrameType::header || frame.type == wire::FrameType::body;
        const bool first = is_content && unsent && !counted_;
        counted_ |= first;
        return first;
    }
    // A frame of what was walked over goes. True when a message that was counted is therefore not
    // whole.
    bool cut(const wire::Frame& frame) {
        const bool was_counted = std::exchange(counted_, false);
        return was_counted && frame.type != wire::FrameType::method;
    }

  private:
    bool counted_ = false;
};

// How many messages of a channel go, from its frames before and after.
class PurgeWalk {
  public:
    // What the frame adds to that number.
    int step(const wire::Frame& frame, bool unsent, bool keep) {
        int messages = before_.step(frame, unsent) ? 1 : 0;
        if (keep) {
            messages -= after_.step(frame, unsent) ? 1 : 0;
        } else {
            messages += after_.cut(frame) ? 1 : 0;
        }
        return messages;
    }

  private:
    ContentWalk before_;
    ContentWalk after_;
};

}  // namespace

// Calls visit(frame, unsent) for every frame that is still here, in order.
template <class Visit>
void Outbox::walk(Visit visit) const {
    for (const Chunk* chunk = head_; chunk != nullptr; chunk = chunk->next) {
        for (std::size_t at = 0; at < chunk->end;) {
            const Item item = item_at(*chunk, at);
            at += item.size;
            visit(item.frame, at > chunk->begin);
        }
    }
}

// Keeps the frames for which keep(frame, begun, unsent) is true. One that was begun must be kept;
// of a held body those are kept that come before the first that is not.
template <class Keep>
void Outbox::filter(Keep keep) {
    last_frame_ = nullptr;  // it may move
    for (Chunk* chunk = head_; chunk != nullptr; chunk = chunk->next) {
        std::size_t kept = 0;
        for (std::size_t at = 0; at < chunk->end;) {
            const Item item = item_at(*chunk, at);
            if (keep(item.frame, at<chunk->begin, at + item.size> chunk->begin)) {
                if (kept != at && !chunk->held) {
                    std::memmove(chunk->bytes() + kept, chunk->bytes() + at, item.size);
                }
                kept += item.size;
            } else {
                size_ -= item.size;
            }
            at += item.size;
        }
        chunk->end = kept;
        // There is no room behind what is left of a held one.
        if (chunk->held) chunk->capacity = kept;
    }
    drop_empty();
}

// Held chunks of which nothing is left: their bodies are given back.
void Outbox::drop_empty() {
    Chunk* before = nullptr;
    for (Chunk* chunk = head_; chunk != nullptr;) {
        Chunk* const next = chunk->next;
        if (chunk->held && chunk->begin == chunk->end) {
            (before != nullptr ? before->next : head_) = next;
            if (tail_ == chunk) tail_ = before;
            drop(chunk);
        } else {
            before = chunk;
        }
        chunk = next;
    }
}

Outbox::Purged Outbox::purge(std::uint16_t channel, bool keep_begun) {
    Purged purged;
    PurgeWalk walk;
    // Header and body frames that come before any method belong to a message that was begun.
    bool keep_content = keep_begun;
    filter([&](const wire::Frame& frame, bool begun, bool unsent) {
        if (frame.channel != channel) return true;
        const bool is_method = frame.type == wire::FrameType::method;
        if (is_method) keep_content = keep_begun && begun;
        const bool keep = begun || (!is_method && keep_content);
        purged.messages += static_cast<std::uint64_t>(walk.step(frame, unsent, keep));
        if (!keep && is_method && wire::read_method_id(frame.payload) == wire::channel::Close::id) {
            purged.channel_close = true;
        }
        return keep;
    });
    return purged;
}

void Outbox::purge_channels(std::span<std::uint64_t> messages) {
    std::vector<PurgeWalk> walks(messages.size());
    filter([&](const wire::Frame& frame, bool begun, bool unsent) {
        const bool keep = begun || frame.channel == 0;
        if (frame.channel >= walks.size()) return keep;
        messages[frame.channel] +=
            static_cast<std::uint64_t>(walks[frame.channel].step(frame, unsent, keep));
        return keep;
    });
}

void Outbox::count_unsent(std::span<std::uint64_t> counts) const {
    std::vector<ContentWalk> contents(counts.size());
    walk([&](const wire::Frame& frame, bool unsent) {
        if (frame.channel >= contents.size()) return;
        if (contents[frame.channel].step(frame, unsent)) ++counts[frame.channel];
    });
}

}  // namespace haigha::protocol
