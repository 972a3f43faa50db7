// One message that arrives in several frames, or in frames that did not come together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/slab.h"
#include "wire/frame.h"

namespace haigha::protocol {

// A block of memory holds the method, the properties and the body. It grows with the bytes
// received, never with the size announced (rule 109).
class ContentAssembler {
  public:
    // Room made at once for a body, whatever its announced size.
    static constexpr std::size_t first_body_capacity = 32 * 1024;
    // Beyond it the room is at most so many times what has come: few steps for an honest peer, and
    // little to gain for one that announces much and sends nothing.
    static constexpr std::size_t growth = 8;

    enum class Part : std::uint8_t { none, header, body };
    Part expects() const { return part_; }

    void begin(std::span<const std::byte> method_payload);
    // Returns true when the message is complete, which an empty body is at once (rule 83).
    bool header(const wire::ContentHeader& header, SlabPool& pool);
    // The same of one whose body is handed on as it comes, and not kept here: note_passed() in
    // place of body().
    bool pass(const wire::ContentHeader& header, SlabPool& pool);
    bool note_passed(std::size_t bytes) {
        received_ += bytes;
        return received_ == body_size_;
    }
    bool passes() const { return passes_; }
    std::uint64_t received() const { return received_; }
    // Of a message that has begun, before its header.
    std::span<const std::byte> pending_method() const { return method_; }
    const Ref<Slab>& slab() const { return slab_; }
    // `bytes` must not be more than left(). Returns true when the message is complete.
    bool body(std::span<const std::byte> bytes, SlabPool& pool);
    std::uint64_t left() const { return body_size_ - received_; }

    std::span<const std::byte> method_payload() const;
    std::span<const std::byte> properties() const;
    std::span<const std::byte> body() const;
    // Gives the memory away; the views above stay in it. Ready for the next message.
    Ref<Slab> finish();
    void reset();

  private:
    bool begin_body(const wire::ContentHeader& header, std::size_t body_capacity, SlabPool& pool);
    void reserve(std::size_t body_capacity, SlabPool& pool);

    Part part_ = Part::none;
    bool passes_ = false;
    std::vector<std::byte> method_;  // between the method frame and the header
    Ref<Slab> slab_;
    std::size_t method_size_ = 0;
    std::size_t properties_size_ = 0;
    std::uint64_t body_size_ = 0;
    std::uint64_t received_ = 0;
};

}  // namespace haigha::protocol
