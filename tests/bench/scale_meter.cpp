#include "scale_meter.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <ctime>

namespace bench {

namespace {

// "Name:  123 kB" of /proc/self/status, in bytes.
double status_of(const char* name) {
    std::FILE* file = std::fopen("/proc/self/status", "r");
    if (file == nullptr) return 0;
    char line[256];
    unsigned long long kib = 0;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        if (std::strncmp(line, name, std::strlen(name)) == 0) {
            std::sscanf(line + std::strlen(name), ": %llu", &kib);
            break;
        }
    }
    std::fclose(file);
    return static_cast<double>(kib) * 1024;
}

}  // namespace

double cpu_time() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Memory memory_now() {
    const struct mallinfo2 info = mallinfo2();
    return {status_of("VmRSS"), static_cast<double>(info.uordblks + info.hblkhd)};
}

void reset_peak() {
    std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
    if (file == nullptr) return;
    std::fputs("5", file);
    std::fclose(file);
}

double peak_resident() {
    return status_of("VmHWM");
}

void trim_heap() {
    malloc_trim(0);
}

std::size_t descriptor_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

}  // namespace bench
