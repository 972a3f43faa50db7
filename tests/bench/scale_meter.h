// What a process has used: time exactly, and memory as the kernel and as malloc count it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

// User and system time of all threads, in seconds, to the nanosecond.
double cpu_time();

struct Memory {
    double resident = 0;  // bytes
    double heap = 0;      // bytes handed out by malloc, its own overhead included
};
Memory memory_now();

// The largest resident size since reset_peak(), in bytes.
void reset_peak();
double peak_resident();

// Gives what malloc keeps for itself back to the system, so that the next figures start alike.
void trim_heap();

// How many descriptors this process may have open, once that was raised as far as it goes.
std::size_t descriptor_limit();

}  // namespace bench
