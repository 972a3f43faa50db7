// Tests of InboxFiller: deliveries go into their inbox together, in order, and before anything
// else.
#include "client/inbox_filler.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace haigha::client {
namespace {

class Fetched {
  public:
    explicit Fetched(std::size_t capacity) {
        ErrorRef error;
        inbox_ = Inbox::create(capacity, &error);
        EXPECT_TRUE(inbox_) << "no eventfd";
    }
    ~Fetched() { inbox_.leak()->drop_handle(); }
    Fetched(const Fetched&) = delete;
    Fetched& operator=(const Fetched&) = delete;

    Then then(std::uint64_t tag) const { return {nullptr, nullptr, nullptr, nullptr, inbox_, tag}; }
    bool readable() const {
        pollfd fd{inbox_->fd(), POLLIN, 0};
        return ::poll(&fd, 1, 0) == 1;
    }
    // The numbers of what a poll gives.
    std::vector<std::uint64_t> poll(std::size_t most = 1024) {
        std::vector<Event> events(most);
        events.resize(inbox_->poll(events, 0));
        std::vector<std::uint64_t> numbers;
        for (const Event& event : events) {
            numbers.push_back(event.number);
            tags.push_back(event.tag);
        }
        return numbers;
    }
    Inbox& inbox() { return *inbox_; }

    std::vector<std::uint64_t> tags;

  private:
    Ref<Inbox> inbox_;
};

Event delivery(std::uint64_t number, std::string_view body = {}) {
    Event event;
    event.type = EventType::delivery;
    event.number = number;
    event.body = Str(body);
    return event;
}

class InboxFillerTest : public testing::Test {
  protected:
    Inbox::Fill add(const Then& then, std::uint64_t number, std::string_view body = {}) {
        Event event = delivery(number, body);
        return filler_.add(then, event);
    }

    InboxFiller filler_;
    Fetched inbox_{8};
    const Then then_ = inbox_.then(5);
};

TEST_F(InboxFillerTest, HandsOverWhatCameTogether) {
    (void)add(then_, 1);
    (void)add(then_, 2);
    EXPECT_FALSE(inbox_.readable());
    filler_.flush();
    EXPECT_TRUE(inbox_.readable());
    EXPECT_EQ(inbox_.poll(), (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(inbox_.tags, (std::vector<std::uint64_t>{5, 5}));
    EXPECT_FALSE(inbox_.readable());
    filler_.flush();  // of nothing
    EXPECT_FALSE(inbox_.readable());
}

TEST_F(InboxFillerTest, KeepsTheOrderBehindWhatWaits) {
    Event first = delivery(1);
    (void)then_.deliver(first);
    (void)add(then_, 2);
    (void)add(then_, 3);
    filler_.flush();
    EXPECT_EQ(inbox_.poll(2), (std::vector<std::uint64_t>{1, 2}));
    (void)add(then_, 4);
    filler_.flush();
    Event last = delivery(5);
    (void)then_.deliver(last);
    std::vector<std::uint64_t> rest;
    while (inbox_.readable()) {
        for (const std::uint64_t number : inbox_.poll())
            rest.push_back(number);
    }
    EXPECT_EQ(rest, (std::vector<std::uint64_t>{3, 4, 5}));
}

TEST_F(InboxFillerTest, AnotherInboxComesAfterTheFirst) {
    Fetched other(8);
    const Then there = other.then(6);
    (void)add(then_, 1);
    (void)add(there, 2);
    EXPECT_TRUE(inbox_.readable());
    EXPECT_FALSE(other.readable());
    filler_.flush();
    EXPECT_EQ(inbox_.poll(), (std::vector<std::uint64_t>{1}));
    EXPECT_EQ(other.poll(), (std::vector<std::uint64_t>{2}));
    EXPECT_EQ(other.tags, (std::vector<std::uint64_t>{6}));
}

TEST_F(InboxFillerTest, ALongRowIsNotWaitedFor) {
    std::uint64_t number = 0;
    while (!inbox_.readable() && number < 100'000)
        (void)add(then_, ++number);
    EXPECT_EQ(number, 257U);
    EXPECT_EQ(inbox_.poll().size(), 256U);
    filler_.flush();
    EXPECT_EQ(inbox_.poll(), (std::vector<std::uint64_t>{257}));
}

// Rule 74: before it has them.
TEST_F(InboxFillerTest, SaysHowFullTheInboxWillBe) {
    for (std::uint64_t i = 1; i <= 8; ++i)
        EXPECT_EQ(add(then_, i), Inbox::Fill::room);
    EXPECT_EQ(add(then_, 9), Inbox::Fill::too_many);
    filler_.flush();
    EXPECT_EQ(add(then_, 10), Inbox::Fill::too_many);
    filler_.flush();
    EXPECT_EQ(inbox_.poll().size(), 10U);
    inbox_.inbox().set_capacity_bytes(1'000);
    const std::string body(900, 'b');
    EXPECT_EQ(add(then_, 11, body), Inbox::Fill::too_heavy);
    filler_.flush();
}

TEST_F(InboxFillerTest, WhatIsForNobodyIsDropped) {
    auto gone = std::make_unique<Fetched>(8);
    const Then then = gone->then(1);
    (void)add(then, 1);
    gone = nullptr;
    filler_.flush();
    (void)add(then_, 2);
    filler_.flush();
    EXPECT_EQ(inbox_.poll(), (std::vector<std::uint64_t>{2}));
}

}  // namespace
}  // namespace haigha::client
