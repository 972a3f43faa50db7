#include "transport/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace haigha::transport {
namespace {

// Whoever wakes the loop may be overtaken by its end: what it was going to write to is closed by
// then.
TEST(Loop, MayEndWhileItIsBeingWoken) {
    for (int i = 0; i < 300; ++i) {
        ErrorRef error;
        Ref<Loop> loop = Loop::start(&error);
        ASSERT_TRUE(loop) << error->message;
        std::atomic<int> posted{0};
        std::thread poster([&, kept = loop] {
            while (kept->post([] {}))
                ++posted;
        });
        while (posted == 0)
            std::this_thread::yield();
        loop->drop_user();
        poster.join();
    }
}

}  // namespace
}  // namespace haigha::transport
