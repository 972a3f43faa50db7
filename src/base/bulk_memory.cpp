#include "base/bulk_memory.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <new>

namespace haigha {

namespace {

constexpr std::size_t large_page = std::size_t{2} * 1024 * 1024;
// Below it what is lost at its end weighs more.
constexpr std::size_t least_large = 2 * large_page;
constexpr auto alignment = std::align_val_t{large_page};

}  // namespace

void* allocate_bulk(std::size_t size) {
    if (size < least_large) return ::operator new(size);
    void* const memory = ::operator new(size, alignment);
#ifdef MADV_HUGEPAGE
    // Whole ones only: what is next to the block is somebody else's. A refusal costs nothing.
    (void)madvise(memory, size / large_page * large_page, MADV_HUGEPAGE);
#endif
    return memory;
}

void free_bulk(void* memory, std::size_t size) {
    if (size < least_large) {
        ::operator delete(memory);
    } else {
        ::operator delete(memory, alignment);
    }
}

}  // namespace haigha
