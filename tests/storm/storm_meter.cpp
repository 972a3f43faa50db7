#include "storm/storm_meter.h"

#include <dirent.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdio>

#include "support/sanitizers.h"

namespace haigha::storm {

namespace {

std::int64_t count_descriptors() {
    DIR* const folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) return 0;
    std::int64_t count = -3;  // ".", "..", and the folder's own
    while (::readdir(folder) != nullptr)
        ++count;
    ::closedir(folder);
    return count;
}

std::int64_t resident() {
    long pages = 0;
    long in_memory = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "re")) {
        if (std::fscanf(file, "%ld %ld", &pages, &in_memory) != 2) in_memory = 0;
        std::fclose(file);
    }
    return in_memory * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

Holdings holdings_now() {
    Holdings now;
    now.descriptors = count_descriptors();
    if (!test::address_sanitizer && !test::thread_sanitizer) {
        // What was freed and is kept is no one's.
        ::malloc_trim(0);
        const struct mallinfo2 info = ::mallinfo2();
        now.heap_bytes = static_cast<std::int64_t>(info.uordblks + info.hblkhd);
    }
    now.resident_bytes = resident();
    return now;
}

}  // namespace haigha::storm
