#include "protocol/outbox.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"

namespace haigha::protocol {

Outbox::~Outbox() {
    clear();
    while (spare_ != nullptr) {
        Chunk* next = spare_->next;
        ::operator delete(spare_);
        spare_ = next;
    }
}

Outbox::Chunk* Outbox::new_chunk(std::size_t size) {
    if (size <= chunk_capacity && spare_ != nullptr) {
        Chunk* chunk = spare_;
        spare_ = chunk->next;
        --spare_count_;
        *chunk = Chunk{nullptr, chunk->capacity, 0, 0};
        return chunk;
    }
    const bool first = head_ == nullptr && size <= first_chunk_capacity;
    const std::size_t capacity = first ? first_chunk_capacity : std::max(size, chunk_capacity);
    void* memory = ::operator new(sizeof(Chunk) + capacity);
    return new (memory) Chunk{nullptr, capacity, 0, 0};
}

std::byte* Outbox::append_chunk(std::size_t size) {
    Chunk* chunk = new_chunk(size);
    if (tail_ != nullptr) {
        tail_->next = chunk;
    } else {
        head_ = chunk;
    }
    tail_ = chunk;
    chunk->end = size;
    size_ += size;
    return chunk->bytes();
}

std::size_t Outbox::gather(std::span<Segment> segments, std::size_t limit) const {
    std::size_t count = 0;
    for (const Chunk* chunk = head_; chunk != nullptr && count < segments.size() && limit > 0;
         chunk = chunk->next) {
        const std::size_t size = chunk->end - chunk->begin;
        if (size == 0) continue;
        segments[count++] = {chunk->bytes() + chunk->begin, size};
        limit -= std::min(limit, size);
    }
    return count;
}

void Outbox::consume(std::size_t size) {
    size_ -= size;
    gone_ += size;
    while (head_ != nullptr) {
        const std::size_t taken = std::min(size, head_->end - head_->begin);
        head_->begin += taken;
        size -= taken;
        if (head_->begin < head_->end) return;
        if (head_ == tail_) {
            // The last chunk stays: the next frames go there.
            if (head_->capacity <= chunk_capacity) {
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
    if (chunk->capacity == chunk_capacity && spare_count_ < max_spare) {
        chunk->next = spare_;
        spare_ = chunk;
        ++spare_count_;
        return;
    }
    ::operator delete(chunk);
}

void Outbox::clear() {
    while (head_ != nullptr) {
        Chunk* next = head_->next;
        drop(head_);
        head_ = next;
    }
    tail_ = nullptr;
    gone_ += size_;
    size_ = 0;
}

std::size_t Outbox::purge(std::uint16_t channel, bool keep_begun) {
    const std::size_t before = size_;
    // Header and body frames that come before any method belong to a message that was begun.
    bool keep_content = keep_begun;
    for (Chunk* chunk = head_; chunk != nullptr; chunk = chunk->next) {
        std::size_t kept = 0;
        for (std::size_t at = 0; at < chunk->end;) {
            const auto parsed = wire::parse_frame({chunk->bytes() + at, chunk->end - at}, 0);
            if (parsed.status != wire::FrameParse::Status::complete) return before - size_;
            const std::size_t size = parsed.size;
            const bool begun = at < chunk->begin;
            bool keep = begun || parsed.frame.channel != channel;
            if (parsed.frame.channel == channel) {
                if (parsed.frame.type == wire::FrameType::method) {
                    keep_content = keep_begun && begun;
                } else {
                    keep = keep || keep_content;
                }
            }
            if (keep) {
                if (kept != at) std::memmove(chunk->bytes() + kept, chunk->bytes() + at, size);
                kept += size;
            } else {
                size_ -= size;
                gone_ += size;
            }
            at += size;
        }
        chunk->end = kept;
    }
    return before - size_;
}

void Outbox::count_unsent(std::span<std::uint64_t> counts) const {
    // What is known of a channel's content on this walk. A content whose beginning has left the
    // queue is recognised by its remaining frames.
    enum class Part : std::uint8_t { none, header, body };
    struct Content {
        Part part = Part::none;
        bool counted = false;
        std::uint64_t left = 0;
    };
    std::vector<Content> contents(counts.size());
    for (const Chunk* chunk = head_; chunk != nullptr; chunk = chunk->next) {
        for (std::size_t at = 0; at < chunk->end;) {
            const auto parsed = wire::parse_frame({chunk->bytes() + at, chunk->end - at}, 0);
            if (parsed.status != wire::FrameParse::Status::complete) return;
            at += parsed.size;
            const wire::Frame& frame = parsed.frame;
            if (frame.channel >= counts.size()) continue;
            const bool unsent = at > chunk->begin;
            Content& content = contents[frame.channel];
            const auto finish = [&] {
                if (unsent) ++counts[frame.channel];
                content = {};
            };
            if (frame.type == wire::FrameType::method) {
                content = {};
                if (wire::read_method_id(frame.payload) == wire::basic::Publish::id) {
                    content.part = Part::header;
                }
            } else if (frame.type == wire::FrameType::header) {
                wire::ContentHeader header;
                if (!wire::parse_content_header(frame.payload, header)) continue;
                content.part = Part::body;
                content.left = header.body_size;
                if (content.left == 0) finish();
            } else if (frame.type == wire::FrameType::body) {
                if (content.part == Part::none) {
                    // A run of bodies whose header is gone: one message, counted once.
                    if (unsent && !content.counted) {
                        ++counts[frame.channel];
                        content.counted = true;
                    }
                    continue;
                }
                content.left -= std::min<std::uint64_t>(content.left, frame.payload.size());
                if (content.left == 0) finish();
            }
        }
    }
}

}  // namespace haigha::protocol
