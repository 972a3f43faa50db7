// Encoded frames on their way to the wire: a byte queue in chunks, with room made before writing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/chunk_pool.h"
#include "base/ref.h"
#include "protocol/held_body.h"
#include "wire/frame.h"

namespace haigha::protocol {

// Whole frames go in; any number of bytes is taken out at the other end. A frame never straddles
// two chunks, so what waits can be walked frame by frame when a channel dies.
class Outbox {
  public:
    // Small messages share a chunk of this size, and one send takes several.
    static constexpr std::size_t chunk_capacity = 64 * 1024;
    // The first chunk of a connection that has little to say, and one between two held bodies.
    static constexpr std::size_t small_chunk_capacity = 4 * 1024;

    struct Segment {
        const std::byte* data;
        std::size_t size;
    };

    // Chunks come from `chunks` and go back there as soon as they are empty, so that a busy
    // connection does not allocate and an idle one holds a small one at most.
    explicit Outbox(Ref<ChunkPool> chunks = Ref<ChunkPool>::adopt(new ChunkPool))
        : chunks_(std::move(chunks)) {}
    ~Outbox() { clear(); }
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

    // Adds `size` bytes, contiguous, for the caller to fill with whole frames before anything else
    // is called.
    std::byte* append(std::size_t size) {
        if (tail_ != nullptr && tail_->capacity - tail_->end >= size) [[likely]] {
            std::byte* at = tail_->bytes() + tail_->end;
            tail_->end += size;
            size_ += size;
            return at;
        }
        return append_chunk(size);
    }

    // The same, and behind it the body frames of a stretch of `body`, which is written from where
    // it is. All of it or, when there is no memory, nothing.
    std::byte* append_held(std::size_t size, HeldFrames frames);

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    // Bytes that were handed to the operating system since the beginning.
    std::uint64_t sent() const { return sent_; }
    // A place behind all that is here now, and whether nothing before it is here any more. When
    // something was purged meanwhile that may be said late, but never too early.
    std::uint64_t mark() const { return sent_ + size_; }
    bool has_left(std::uint64_t mark) const { return sent_ >= mark || size_ == 0; }

    // What comes next, as up to segments.size() pieces of about limit bytes together; they stay
    // where they are until consume(), whatever is appended meanwhile. Returns how many.
    std::size_t gather(std::span<Segment> segments, std::size_t limit);
    // The frame that `channel` has appended last and kept, where nothing came after it and nobody
    // has gathered it: it may still be changed. Otherwise null.
    std::byte* last_frame(std::uint16_t channel) const {
        return last_end_ == mark() && last_channel_ == channel ? last_frame_ : nullptr;
    }
    void keep_last(std::byte* frame, std::uint16_t channel) {
        last_frame_ = frame;
        last_end_ = mark();
        last_channel_ = channel;
    }
    // The first `size` bytes have been handed to the operating system.
    void consume(std::size_t size);

    struct Purged {
        std::uint64_t messages = 0;  // that the peer will therefore never have whole
        bool channel_close = false;  // channel.close was among what went
    };
    // Takes out the frames of one channel of which not a byte has been consumed. With keep_begun
    // also the rest of a message stays of which a part has been consumed, so that what follows it
    // is legal.
    Purged purge(std::uint16_t channel, bool keep_begun);
    // The same for every channel but 0, nothing kept; messages[channel] grows by what went.
    void purge_channels(std::span<std::uint64_t> messages);
    // Adds to counts[channel] the messages (basic.publish with its content) that are not wholly
    // consumed. A channel beyond counts is not counted.
    void count_unsent(std::span<std::uint64_t> counts) const;
    void clear();

  private:
    // Followed by its octets.
    struct Chunk {
        Chunk* next;
        std::size_t capacity;  // of a held one: what it was made with
        std::size_t begin;     // consumed up to here
        std::size_t end;       // filled up to here
        bool held;             // its octets are those of a HeldChunk
        std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
        const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(this + 1); }
    };
    // Followed by what HeldFrames calls its edges.
    struct HeldChunk : Chunk {
        HeldFrames frames;
        std::byte* edges() { return reinterpret_cast<std::byte*>(this + 1); }
        const std::byte* edges() const { return reinterpret_cast<const std::byte*>(this + 1); }
    };
    struct Item {
        wire::Frame frame;
        std::size_t size;
    };

    template <class Visit>
    void walk(Visit visit) const;
    template <class Keep>
    void filter(Keep keep);
    static Item item_at(const Chunk& chunk, std::size_t at);
    static Segment stretch_at(const Chunk& chunk, std::size_t at);
    std::byte* append_chunk(std::size_t size);
    Chunk* new_chunk(std::size_t size);
    struct FreeChunk {
        void operator()(HeldChunk* chunk) const;
    };
    void link(Chunk* chunk);
    void drop(Chunk* chunk);
    void drop_empty();

    Chunk* head_ = nullptr;
    Chunk* tail_ = nullptr;
    std::size_t size_ = 0;
    std::uint64_t sent_ = 0;
    std::byte* last_frame_ = nullptr;
    std::uint64_t last_end_ = 0;
    std::uint16_t last_channel_ = 0;
    Ref<ChunkPool> chunks_;
};

}  // namespace haigha::protocol
