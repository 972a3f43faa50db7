// Rows of plain records between two that know them at different sizes, as a library and a program
// that was compiled with an earlier or later header do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace haigha {

// Members are only ever added at the end: what both know is copied, what only the receiver knows is
// zero.
inline void copy_records(const void* from, std::size_t from_size, void* to, std::size_t to_size,
                         std::size_t count) {
    const auto* source = static_cast<const unsigned char*>(from);
    auto* target = static_cast<unsigned char*>(to);
    const std::size_t known = std::min(from_size, to_size);
    for (; count > 0; --count, source += from_size, target += to_size) {
        std::memcpy(target, source, known);
        std::memset(target + known, 0, to_size - known);
    }
}

}  // namespace haigha
