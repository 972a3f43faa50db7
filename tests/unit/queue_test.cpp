// Tests of Queue against std::deque.
#include "base/queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

namespace haigha {
namespace {

TEST(Queue, BehavesAsADeque) {
    std::mt19937 random(1);
    Queue<int> queue;
    std::deque<int> model;
    for (int step = 0; step < 20'000; ++step) {
        // Long enough runs of either that the queue both grows and moves down.
        const bool push = model.empty() || random() % 1000 < (step / 500 % 2 == 0 ? 800U : 200U);
        if (push) {
            queue.push(step);
            model.push_back(step);
        } else {
            ASSERT_EQ(queue.pop(), model.front());
            model.pop_front();
        }
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.empty(), model.empty());
        if (model.empty()) continue;
        ASSERT_EQ(queue.front(), model.front());
        ASSERT_EQ(queue.back(), model.back());
        if (step % 100 == 0) {
            ASSERT_TRUE(std::equal(queue.begin(), queue.end(), model.begin(), model.end()));
        }
    }
    queue.clear();
    EXPECT_TRUE(queue.empty());
}

TEST(Queue, LetsGoOfWhatIsPopped) {
    Queue<std::shared_ptr<int>> queue;
    const auto shared = std::make_shared<int>(1);
    for (int i = 0; i < 100; ++i)
        queue.push(shared);
    for (int i = 0; i < 99; ++i)
        (void)queue.pop();
    EXPECT_EQ(shared.use_count(), 2);
}

}  // namespace
}  // namespace haigha
