#include "base/busy_mutex.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace haigha {
namespace {

TEST(BusyMutex, HasOneHolderAtATime) {
    constexpr int threads = 4;
    constexpr int rounds = 20'000;
    BusyMutex mutex;
    int counted = 0;
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i) {
        running.emplace_back([&] {
            for (int round = 0; round < rounds; ++round) {
                const std::lock_guard lock(mutex);
                ++counted;
            }
        });
    }
    for (std::thread& thread : running)
        thread.join();
    EXPECT_EQ(counted, threads * rounds);
}

TEST(BusyMutex, IsWaitedForHoweverLongItIsHeld) {
    BusyMutex mutex;
    std::unique_lock lock(mutex);
    bool had = false;
    std::thread other([&] {
        const std::lock_guard waited(mutex);
        had = true;
    });
    EXPECT_FALSE(had);
    lock.unlock();
    other.join();
    EXPECT_TRUE(had);
}

}  // namespace
}  // namespace haigha
