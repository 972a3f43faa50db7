// Memory for one thing that may be large.
#pragma once

#include <cstddef>
#include <memory>

namespace haigha {

// Large blocks are asked for in the system's large pages: touching a new block of some megabytes
// for the first time costs more than what is then done with it, page by page. Throws
// std::bad_alloc.
void* allocate_bulk(std::size_t size);
// `size`: as it was allocated.
void free_bulk(void* memory, std::size_t size);

struct FreeBulk {
    std::size_t size = 0;
    void operator()(std::byte* memory) const { free_bulk(memory, size); }
};
using BulkMemory = std::unique_ptr<std::byte[], FreeBulk>;

inline BulkMemory make_bulk(std::size_t size) {
    return {static_cast<std::byte*>(allocate_bulk(size)), FreeBulk{size}};
}

}  // namespace haigha
