// A loop's clock that stands still: which timers fire, when, in which order, and when the call is
// told.
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transport/loop.h"

namespace haigha::transport {
namespace {

class VirtualClock : public testing::Test {
  protected:
    void SetUp() override {
        ErrorRef error;
        loop_ = Loop::start(&error);
        ASSERT_TRUE(loop_) << error->message;
        ASSERT_TRUE(loop_->stop_clock());
        start_ = loop_->now();
    }
    void TearDown() override {
        on_loop([this] { timers_.clear(); });
        loop_->drop_user();
    }

    // On the loop's thread; returns when it has run.
    void on_loop(const std::function<void()>& work) {
        std::promise<void> ran;
        ASSERT_TRUE(loop_->post([&] {
            work();
            ran.set_value();
        }));
        ran.get_future().get();
    }
    std::int64_t elapsed_ms() const { return (loop_->now() - start_).nanoseconds / 1'000'000; }
    // Of the loop's thread: a timer that notes its name and its time, and does `more`.
    Timer& timer(std::string name, std::int64_t at_ms, std::function<void()> more = nullptr) {
        timers_.push_back(
            std::make_unique<Timer>(*loop_, [this, name = std::move(name), more = std::move(more)] {
                fired_.push_back(name + "@" + std::to_string(elapsed_ms()));
                if (more) more();
            }));
        timers_.back()->set(start_ + milliseconds(at_ms));
        return *timers_.back();
    }
    bool advance(std::int64_t ms) {
        std::promise<bool> done;
        EXPECT_TRUE(loop_->post([&, ms] {
            loop_->advance(milliseconds(ms), [&](bool arrived) { done.set_value(arrived); });
        }));
        return done.get_future().get();
    }
    using Names = std::vector<std::string>;

    Ref<Loop> loop_;
    Instant start_;
    std::vector<std::unique_ptr<Timer>> timers_;
    Names fired_;
};

TEST_F(VirtualClock, StandsStill) {
    EXPECT_TRUE(loop_->clock_stands_still());
    EXPECT_FALSE(loop_->stop_clock());
    on_loop([this] { timer("later", 1); });
    EXPECT_EQ(loop_->now(), start_);
    EXPECT_TRUE(advance(0));
    EXPECT_EQ(loop_->now(), start_);
    EXPECT_EQ(fired_, Names());
}

TEST_F(VirtualClock, FiresInOrderEachAtItsTime) {
    on_loop([this] {
        timer("c", 30);
        timer("a", 10);
        timer("b", 20);
        timer("second b", 20);
        timer("too late", 31);
    });
    EXPECT_TRUE(advance(30));
    EXPECT_EQ(fired_, (Names{"a@10", "b@20", "second b@20", "c@30"}));
    EXPECT_EQ(elapsed_ms(), 30);
    EXPECT_EQ(loop_->advanced(), milliseconds(30));
    EXPECT_TRUE(advance(1));
    EXPECT_EQ(fired_.back(), "too late@31");
}

TEST_F(VirtualClock, FiresWhatIsSetMeanwhileIfItIsDue) {
    Timer* again = nullptr;
    on_loop(
        [&] { again = &timer("beat", 10, [&] { again->set(loop_->now() + milliseconds(10)); }); });
    EXPECT_TRUE(advance(35));
    EXPECT_EQ(fired_, (Names{"beat@10", "beat@20", "beat@30"}));
    EXPECT_EQ(elapsed_ms(), 35);
}

// As without a virtual clock: what is due already comes with the loop's next turn, not within
// set().
TEST_F(VirtualClock, FiresWhatIsDueWithoutBeingAdvanced) {
    std::promise<std::size_t> inside;
    std::promise<void> fired;
    on_loop([&] {
        timer("now", 0, [&] { fired.set_value(); });
        inside.set_value(fired_.size());
    });
    EXPECT_EQ(inside.get_future().get(), 0U);
    fired.get_future().get();
    EXPECT_EQ(fired_, Names{"now@0"});
}

TEST_F(VirtualClock, DoesNotFireWhatWasStoppedMovedOrDestroyed) {
    on_loop([this] {
        timer("stopped", 10).set(Instant::never());
        timer("moved", 10).set(start_ + milliseconds(50));
        timer("destroys the next", 5, [this] { timers_[3].reset(); });
        timer("destroyed", 6);
    });
    EXPECT_TRUE(advance(20));
    EXPECT_EQ(fired_, Names{"destroys the next@5"});
    EXPECT_TRUE(advance(30));
    EXPECT_EQ(fired_.back(), "moved@50");
}

// What a timer leaves to the loop's next turn is done before the next timer fires.
TEST_F(VirtualClock, TurnsBetweenTimers) {
    on_loop([this] {
        timer("first", 10, [this] {
            loop_->post([this] { fired_.push_back("posted@" + std::to_string(elapsed_ms())); });
        });
        timer("second", 11);
    });
    EXPECT_TRUE(advance(20));
    EXPECT_EQ(fired_, (Names{"first@10", "posted@10", "second@11"}));
}

TEST_F(VirtualClock, AdvancesTakeTheirTurns) {
    std::promise<void> done;
    on_loop([&] {
        timer("a", 10);
        timer("b", 15);
        loop_->advance(milliseconds(10), [&](bool) { fired_.push_back("first done"); });
        loop_->advance(milliseconds(10), [&](bool) { done.set_value(); });
    });
    done.get_future().get();
    EXPECT_EQ(fired_, (Names{"a@10", "first done", "b@15"}));
    EXPECT_EQ(elapsed_ms(), 20);
}

TEST_F(VirtualClock, IsToldWhenTheLoopEndsFirst) {
    std::promise<bool> arrived;
    std::promise<void> closed;
    on_loop([&] {
        loop_->advance(milliseconds(10), [&](bool told) { arrived.set_value(told); });
        loop_->close([&] { closed.set_value(); });
    });
    EXPECT_FALSE(arrived.get_future().get());
    closed.get_future().get();
    loop_->drop_user();
    ErrorRef error;
    loop_ = Loop::start(&error);
    ASSERT_TRUE(loop_) << error->message;
}

TEST(RealClock, GoesOnByItself) {
    ErrorRef error;
    const Ref<Loop> loop = Loop::start(&error);
    ASSERT_TRUE(loop) << error->message;
    EXPECT_FALSE(loop->clock_stands_still());
    EXPECT_EQ(loop->advanced(), Duration{});
    const Instant before = Loop::real_now();
    EXPECT_LE(before, loop->now());
    std::promise<void> fired;
    std::unique_ptr<Timer> timer;
    loop->post([&] {
        timer = std::make_unique<Timer>(*loop, [&] { fired.set_value(); });
        timer->set(loop->now() + milliseconds(1));
    });
    fired.get_future().get();
    EXPECT_GE(Loop::real_now(), before + milliseconds(1));
    std::promise<void> gone;
    loop->post([&] {
        timer.reset();
        gone.set_value();
    });
    gone.get_future().get();
    loop->drop_user();
}

}  // namespace
}  // namespace haigha::transport
