// Tests of Inbox: bounded, readable exactly while something waits, safe between two threads.
#include "client/inbox.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <thread>

namespace haigha::client {
namespace {

Ref<Inbox> new_inbox(std::size_t capacity) {
    ErrorRef error;
    Ref<Inbox> inbox = Inbox::create(capacity, &error);
    EXPECT_TRUE(inbox) << "no eventfd";
    return inbox;
}

// The inbox's count starts as the handle's: dropping the handle drops it.
class InboxTest : public testing::Test {
  protected:
    void SetUp() override { inbox_ = new_inbox(8); }
    void TearDown() override {
        if (inbox_) inbox_.leak()->drop_handle();
    }
    Inbox::Fill push(std::uint64_t number, EventType type = EventType::delivery) {
        Event event;
        event.type = type;
        event.number = number;
        return inbox_->push(event);
    }
    bool readable() const {
        pollfd fd{inbox_->fd(), POLLIN, 0};
        return ::poll(&fd, 1, 0) == 1;
    }
    std::size_t poll(std::size_t most) { return inbox_->poll(std::span(events_).first(most), 0); }

    Ref<Inbox> inbox_;
    std::array<Event, 64> events_;
};

// Rule 33.
TEST_F(InboxTest, ASignalDoesNotEndAWait) {
    struct sigaction ignored {};
    ignored.sa_handler = [](int) {};  // without SA_RESTART: poll(2) ends with EINTR
    struct sigaction before {};
    ::sigaction(SIGUSR1, &ignored, &before);
    std::atomic<bool> waits{false};
    std::size_t got = 0;
    std::thread waiter([&] {
        waits = true;
        got = inbox_->poll(std::span(events_).first(1), 60'000);
    });
    while (!waits)
        std::this_thread::yield();
    for (int i = 0; i < 100; ++i) {
        ::pthread_kill(waiter.native_handle(), SIGUSR1);
        std::this_thread::yield();
    }
    (void)push(7);
    waiter.join();
    ::sigaction(SIGUSR1, &before, nullptr);
    ASSERT_EQ(got, 1U);
    EXPECT_EQ(events_[0].number, 7U);
}

// rule 74
TEST_F(InboxTest, SaysWhenItHasEnoughBytes) {
    inbox_->set_capacity_bytes(10'000);
    const std::string body(4'000, 'b');
    Event event;
    event.type = EventType::delivery;
    event.body = Str(body);
    EXPECT_EQ(inbox_->push(event), Inbox::Fill::room);
    EXPECT_EQ(inbox_->push(event), Inbox::Fill::room);
    EXPECT_EQ(push(1, EventType::outcome), Inbox::Fill::room);
    EXPECT_EQ(inbox_->push(event), Inbox::Fill::too_heavy);
    int resumed = 0;
    inbox_->when_half_empty([&] { ++resumed; });
    EXPECT_EQ(poll(1), 1U);
    EXPECT_EQ(resumed, 0);
    EXPECT_EQ(poll(2), 2U);  // one delivery is left, less than half
    EXPECT_EQ(resumed, 1);
    // What is larger than all of it is taken, alone.
    EXPECT_EQ(poll(8), 1U);
    inbox_->set_capacity_bytes(100);
    EXPECT_EQ(inbox_->push(event), Inbox::Fill::too_heavy);
    inbox_->when_half_empty([&] { ++resumed; });
    EXPECT_EQ(resumed, 1);
    inbox_->set_capacity_bytes(100'000);
    EXPECT_EQ(resumed, 2);
}

TEST_F(InboxTest, HandsEventsOutInOrderAndInBatches) {
    for (std::uint64_t i = 0; i < 10; ++i)
        (void)push(i);
    EXPECT_EQ(poll(4), 4U);
    EXPECT_EQ(events_[0].number, 0U);
    EXPECT_EQ(events_[3].number, 3U);
    EXPECT_TRUE(readable());
    EXPECT_EQ(poll(64), 6U);
    EXPECT_EQ(events_[5].number, 9U);
    EXPECT_FALSE(readable());
    EXPECT_EQ(poll(64), 0U);
}

TEST_F(InboxTest, IsReadableWhileSomethingWaits) {
    EXPECT_FALSE(readable());
    (void)push(1);
    EXPECT_TRUE(readable());
    (void)push(2);
    EXPECT_EQ(poll(1), 1U);
    EXPECT_TRUE(readable());
    EXPECT_EQ(poll(1), 1U);
    EXPECT_FALSE(readable());
    (void)push(3);
    EXPECT_TRUE(readable());
}

// rules 20, 82: more deliveries than the capacity stop the reading; nothing else counts or is lost
TEST_F(InboxTest, SaysWhenItHasEnoughDeliveries) {
    for (std::uint64_t i = 0; i < 100; ++i)
        EXPECT_EQ(push(i, EventType::outcome), Inbox::Fill::room);
    for (std::uint64_t i = 0; i < 8; ++i)
        EXPECT_EQ(push(i), Inbox::Fill::room);
    EXPECT_EQ(push(8), Inbox::Fill::too_many);
    EXPECT_EQ(push(9), Inbox::Fill::too_many);
}

TEST_F(InboxTest, ResumesOnceWhenHalfEmpty) {
    int resumed = 0;
    inbox_->when_half_empty([&] { ++resumed; });
    EXPECT_EQ(resumed, 1);  // it is already
    for (std::uint64_t i = 0; i < 9; ++i)
        (void)push(i);
    inbox_->when_half_empty([&] { ++resumed; });
    EXPECT_EQ(poll(4), 4U);
    EXPECT_EQ(resumed, 1);
    EXPECT_EQ(poll(1), 1U);
    EXPECT_EQ(resumed, 2);
    EXPECT_EQ(poll(4), 4U);
    EXPECT_EQ(resumed, 2);
}

TEST_F(InboxTest, LendsTheConsumerTagUntilTheNextPoll) {
    {
        const std::string tag = "a consumer tag that is longer than any small string";
        Event event;
        event.type = EventType::consumer_cancelled;
        event.consumer_tag = Str(tag);
        (void)inbox_->push(event);
    }
    EXPECT_EQ(poll(1), 1U);
    EXPECT_EQ(std::string_view(events_[0].consumer_tag),
              "a consumer tag that is longer than any small string");
}

TEST_F(InboxTest, KeepsErrorsWhileTheyWait) {
    ErrorRef error = make_error(Status::io, "gone");
    Event event;
    event.type = EventType::channel_state;
    event.error = error.get();
    (void)inbox_->push(event);
    error = nullptr;
    EXPECT_EQ(poll(1), 1U);
    EXPECT_EQ(events_[0].error->message, "gone");
}

// What waits goes with the last handle, whoever still pushes; and nobody waits for room for ever.
TEST_F(InboxTest, DropsWhatWaitsWithItsLastHandle) {
    const Ref<Inbox> of_the_library = inbox_;
    ErrorRef error = make_error(Status::io, "gone");
    Event event;
    event.error = error.get();
    int resumed = 0;
    for (std::uint64_t i = 0; i < 9; ++i) {
        (void)push(i);
        (void)inbox_->push(event);
    }
    inbox_->when_half_empty([&] { ++resumed; });
    inbox_->add_handle();
    inbox_->drop_handle();
    EXPECT_EQ(resumed, 0);
    inbox_.leak()->drop_handle();
    EXPECT_EQ(resumed, 1);
    EXPECT_EQ(of_the_library->push(event), Inbox::Fill::room);
}

class ReadyInbox : public InboxTest {
  protected:
    std::shared_ptr<const ReadyHook> hook() {
        return std::make_shared<const ReadyHook>(
            [](void* self) { ++static_cast<ReadyInbox*>(self)->calls_; }, this,
            [](void* self) { ++static_cast<ReadyInbox*>(self)->releases_; });
    }

    std::atomic<int> calls_{0};
    int releases_ = 0;
};

TEST_F(ReadyInbox, IsCalledInPlaceOfTheDescriptor) {
    inbox_->set_ready(hook());
    EXPECT_EQ(calls_, 0);
    (void)push(1);
    (void)push(2);
    EXPECT_EQ(calls_, 1);
    EXPECT_FALSE(readable());
    EXPECT_EQ(poll(1), 1U);
    (void)push(3);
    EXPECT_EQ(calls_, 1);  // one was there still
    EXPECT_EQ(poll(8), 1U);
    EXPECT_EQ(poll(8), 1U);
    (void)push(4);
    EXPECT_EQ(calls_, 2);
    EXPECT_EQ(poll(8), 1U);
    EXPECT_FALSE(readable());
}

TEST_F(ReadyInbox, CanBeChangedWhileSomethingWaits) {
    (void)push(1);
    inbox_->set_ready(hook());
    EXPECT_EQ(calls_, 1);
    EXPECT_FALSE(readable());
    inbox_->set_ready(hook());
    EXPECT_EQ(calls_, 2);
    EXPECT_EQ(releases_, 1);
    inbox_->set_ready(nullptr);
    EXPECT_EQ(releases_, 2);
    EXPECT_TRUE(readable());
    EXPECT_EQ(poll(8), 1U);
    EXPECT_FALSE(readable());
    (void)push(2);
    EXPECT_EQ(calls_, 2);
    EXPECT_TRUE(readable());
}

TEST_F(ReadyInbox, IsReleasedWithTheInbox) {
    inbox_->set_ready(hook());
    inbox_.leak()->drop_handle();
    EXPECT_EQ(releases_, 1);
    EXPECT_EQ(calls_, 0);
}

// Each time that a poll has left nothing, the next event is told: nobody sleeps over one.
TEST_F(ReadyInbox, WakesAPollerOnAnotherThread) {
    constexpr std::uint64_t count = 20'000;
    inbox_->set_ready(hook());
    std::thread filler([&] {
        for (std::uint64_t i = 0; i < count; ++i)
            (void)push(i);
    });
    std::uint64_t next = 0;
    while (next < count) {
        const int before = calls_;
        const std::size_t got = inbox_->poll(events_, 0);
        for (std::size_t i = 0; i < got; ++i)
            ASSERT_EQ(events_[i].number, next++);
        if (got > 0 || next == count) continue;
        while (calls_ == before)
            std::this_thread::yield();
    }
    filler.join();
    EXPECT_GT(calls_, 0);
}

TEST_F(InboxTest, PassesEventsBetweenTwoThreads) {
    constexpr std::uint64_t count = 20'000;
    std::thread filler([&] {
        for (std::uint64_t i = 0; i < count; ++i)
            (void)push(i);
    });
    std::uint64_t next = 0;
    while (next < count) {
        const std::size_t got = inbox_->poll(events_, -1);
        for (std::size_t i = 0; i < got; ++i)
            ASSERT_EQ(events_[i].number, next++);
    }
    filler.join();
    EXPECT_FALSE(readable());
    EXPECT_FALSE(inbox_->on_a_filling_thread());
    (void)push(1);
    EXPECT_TRUE(inbox_->on_a_filling_thread());
}

}  // namespace
}  // namespace haigha::client
