#include "transport/fork_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

namespace haigha::transport {

ForkGuard::ForkGuard() {
    const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return;
#ifdef MADV_WIPEONFORK
    if (madvise(page, size, MADV_WIPEONFORK) == 0) {
        page_ = static_cast<volatile std::uint8_t*>(page);
        *page_ = 1;
        return;
    }
#endif
    munmap(page, size);
}

ForkGuard::~ForkGuard() {
    if (page_ != nullptr) {
        munmap(const_cast<std::uint8_t*>(page_), static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
    }
}

}  // namespace haigha::transport
