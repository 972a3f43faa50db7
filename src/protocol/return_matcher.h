// Which publish a returned message was: found by its place and its content, since basic.return does
// not say it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/queue.h"
#include "protocol/confirm_ring.h"
#include "wire/properties.h"

namespace haigha::protocol {

// What a message is known by, but for its body: where it goes, and what names it.
std::uint64_t return_key(std::string_view exchange, std::string_view routing_key,
                         const wire::Properties* properties);

// The mandatory publishes of a confirm channel that may yet be returned. A broker returns a message
// when it routes it: in the order of the publishes, and before it confirms it. So a return is that
// of the first publish that is like it, behind the one that was returned before; and what is alike
// in all of this is routed alike, unless a binding has changed in between.
class ReturnMatcher {
  public:
    // The publish that the ring was given last, or the one of that number, in their order.
    void add(std::uint64_t key, std::span<const std::byte> body, const ConfirmRing& ring) {
        add(ring.last(), key, body, ring);
    }
    void add(std::uint64_t sequence, std::uint64_t key, std::span<const std::byte> body,
             const ConfirmRing& ring);
    // Makes room for one, so that adding it cannot fail.
    void reserve() { open_.reserve_one(); }
    // The publish's number, which is not found again.
    std::optional<std::uint64_t> match(std::uint64_t key, std::span<const std::byte> body,
                                       const ConfirmRing& ring);
    std::size_t size() const { return open_.size(); }

  private:
    struct Open {
        std::uint64_t sequence;
        std::uint64_t print;
    };
    Queue<Open> open_;
};

}  // namespace haigha::protocol
