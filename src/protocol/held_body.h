// Bodies that are written from where they are: lent by their caller, or one copy of a large one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/bulk_memory.h"
#include "base/ref.h"
#include "wire/frame.h"

namespace haigha::protocol {

class HeldBody;

// From this size on a body that is lent, or kept, is written from where it is; below it a copy is
// cheaper.
inline constexpr std::size_t least_held_body = 16 * 1024;

// Those that nothing needs any more. Whoever lent them is told when this goes: not where a lock is
// held, since the caller's hook may want a lock of its own (an interpreter's, say).
class ReturnedBodies {
  public:
    ReturnedBodies() = default;
    ReturnedBodies(ReturnedBodies&& other) noexcept
        : first_(std::exchange(other.first_, nullptr)) {}
    ReturnedBodies& operator=(ReturnedBodies&& other) noexcept {
        std::swap(first_, other.first_);
        return *this;
    }
    ~ReturnedBodies();
    bool empty() const { return first_ == nullptr; }

  private:
    friend class HeldBody;
    HeldBody* first_ = nullptr;
};

// Shared by the frames that are made of it. Its count is not atomic: everything about it is guarded
// by what guards its machine.
class HeldBody {
  public:
    using Release = void (*)(void* data);

    // Lent: `release` runs once, when nothing of it is needed any more.
    static Ref<HeldBody> lend(std::span<const std::byte> octets, Release release, void* data,
                              ReturnedBodies& returned) {
        return Ref<HeldBody>::adopt(new HeldBody(octets, nullptr, release, data, returned));
    }
    static Ref<HeldBody> copy(std::span<const std::byte> octets, ReturnedBodies& returned);

    std::span<const std::byte> octets() const { return octets_; }
    // The message was not taken after all: nobody is told.
    void disarm() { release_ = nullptr; }

    void add_ref() const { ++refs_; }
    void release() const {
        if (--refs_ == 0) give_back();
    }

  private:
    friend class ReturnedBodies;
    HeldBody(std::span<const std::byte> octets, BulkMemory own, Release release, void* data,
             ReturnedBodies& returned)
        : octets_(octets),
          own_(std::move(own)),
          release_(release),
          data_(data),
          returned_(returned) {}
    void give_back() const { next_ = std::exchange(returned_.first_, const_cast<HeldBody*>(this)); }

    const std::span<const std::byte> octets_;
    const BulkMemory own_;
    Release release_;
    void* const data_;
    ReturnedBodies& returned_;
    mutable std::uint32_t refs_ = 1;
    mutable HeldBody* next_ = nullptr;
};

// The body frames of one channel that a stretch of a held body makes: a run of octets of which only
// the frames' own are written down, so that it can be counted, cut and walked like any other.
class HeldFrames {
  public:
    // `piece`: the payload of each frame but the last. The stretch is not empty.
    HeldFrames(Ref<HeldBody> body, std::size_t from, std::size_t size, std::size_t piece,
               std::uint16_t channel)
        : body_(std::move(body)),
          payload_(body_->octets().subspan(from, size)),
          piece_(piece),
          channel_(channel) {}

    std::size_t count() const { return (payload_.size() + piece_ - 1) / piece_; }
    std::size_t size() const { return payload_.size() + count() * wire::frame_overhead; }
    // What the frames' own octets take together; write_edges() writes them.
    std::size_t edges_size() const { return count() * wire::frame_overhead; }
    void write_edges(std::byte* edges) const;
    // The frame that begins at that place of the run.
    wire::Frame frame_at(std::size_t at) const {
        const std::size_t number = at / (piece_ + wire::frame_overhead);
        return {wire::FrameType::body, channel_, payload_of(number)};
    }
    // The octets from `at` on that follow one another in memory.
    std::span<const std::byte> stretch_at(std::size_t at, const std::byte* edges) const;

  private:
    std::span<const std::byte> payload_of(std::size_t number) const {
        const std::size_t from = number * piece_;
        return payload_.subspan(from, std::min(piece_, payload_.size() - from));
    }

    Ref<HeldBody> body_;
    std::span<const std::byte> payload_;
    std::size_t piece_;
    std::uint16_t channel_;
};

}  // namespace haigha::protocol
