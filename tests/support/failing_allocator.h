// Has an allocation of the thread by operator new fail. A program that is linked with
// failing_allocator.cpp has all of them go through it. libuv's own are left alone: it aborts when
// it cannot enlarge its tables.
#pragma once

#include <cstdint>

namespace haigha::test {

class AllocationFaults {
  public:
    // From now on the nth allocation of this thread fails, from 1, and no other.
    static void arm(std::uint64_t nth);
    // Whether it has.
    static bool struck();
    static void disarm();
    // To stderr: the calls that led to the one that failed, for addr2line.
    static void show_where();

    // What happens on this thread meanwhile is the test's own and does not count.
    class Spared {
      public:
        Spared();
        ~Spared();
        Spared(const Spared&) = delete;
        Spared& operator=(const Spared&) = delete;
    };
};

}  // namespace haigha::test
