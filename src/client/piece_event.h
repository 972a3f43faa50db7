// An event of a delivery that comes in pieces. It reaches the user's function like any other; only
// whoever made that function knows that there is more behind it.
#pragma once

#include <cstdint>

#include "client/event.h"

namespace haigha::client {

// What the C API calls HAIGHA_PIECE_*.
enum class PieceKind : std::uint32_t { begin = 1, octets = 2, end = 3, aborted = 4, cancelled = 5 };

struct PieceEvent : Event {
    PieceKind kind = PieceKind::begin;
    std::uint64_t offset = 0;     // in the body, of what it brings; at the end: what came
    std::uint64_t body_size = 0;  // begin: of the whole
};

}  // namespace haigha::client
