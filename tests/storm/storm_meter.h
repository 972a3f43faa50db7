// What this process holds: memory as the kernel and as malloc count it, and descriptors.
#pragma once

#include <cstdint>

namespace haigha::storm {

struct Holdings {
    std::int64_t resident_bytes = 0;
    std::int64_t heap_bytes = 0;  // in use; 0 under a sanitizer, which has a heap of its own
    std::int64_t descriptors = 0;
};

Holdings holdings_now();

}  // namespace haigha::storm
