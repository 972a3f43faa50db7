// How much memory a program holds by operator new, and the most that it held: a program that is
// linked with counting_allocator.cpp has all of it counted, of all threads.
#pragma once

#include <cstddef>

namespace haigha::test {

struct CountedMemory {
    static std::size_t held();
    // The most since the last begin_peak().
    static std::size_t peak();
    static void begin_peak();
};

}  // namespace haigha::test
