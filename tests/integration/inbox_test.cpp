// The inbox for everything: its descriptor, batches, old and new callers, back-pressure.
#include <gtest/gtest.h>
#include <poll.h>

#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class Inbox : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        make_inbox(0);
    }
    void make_inbox(std::size_t capacity) {
        ASSERT_EQ(HAIGHA_OK, haigha_inbox_new(capacity, out(inbox_), error_)) << error_;
    }
    haigha_then into(std::uint64_t tag) {
        haigha_then then{};
        then.inbox = inbox_.get();
        then.tag = tag;
        then.user_data = &released_;
        then.release = [](void* released) { ++*static_cast<std::atomic<int>*>(released); };
        return then;
    }
    // Waits by poll(2) on the descriptor, then fetches without waiting.
    std::vector<Recorded> fetch(std::size_t capacity = 16) {
        pollfd readable{haigha_inbox_fd(inbox_.get()), POLLIN, 0};
        const auto limit_ms = static_cast<int>(std::chrono::milliseconds(patience).count());
        EXPECT_EQ(1, ::poll(&readable, 1, limit_ms)) << "nothing came";
        std::vector<haigha_event> events(capacity);
        std::size_t count = 0;
        EXPECT_EQ(HAIGHA_OK, haigha_inbox_poll(inbox_.get(), events.data(), sizeof(haigha_event),
                                               capacity, 0, &count, error_))
            << error_;
        EXPECT_LE(count, capacity);
        std::vector<Recorded> copies;
        for (std::size_t i = 0; i < count; ++i)
            copies.push_back(recorded(events[i]));
        return copies;
    }
    // The next event; others that came with it wait for the next call.
    Recorded next() {
        if (fetched_.empty()) fetched_ = fetch();
        if (fetched_.empty()) return {};
        Recorded first = fetched_.front();
        fetched_.erase(fetched_.begin());
        return first;
    }
    Recorded next_of(std::uint32_t type) {
        for (int i = 0; i < 1000; ++i) {
            const Recorded event = next();
            if (event.type == type || event.type == 0) return event;
        }
        ADD_FAILURE() << "no event of type " << type;
        return {};
    }

    InboxHandle inbox_;
    std::atomic<int> released_{0};
    std::vector<Recorded> fetched_;
};

// rule 122
TEST_F(Inbox, EverythingAConnectionDoes) {
    haigha_then then = into(1);
    const ConnectionHandle connection = new_connection(loop_.get(), options().get(), &then);
    then = into(2);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open(connection.get(), &then, error_)) << error_;
    EXPECT_EQ(next().state, HAIGHA_STATE_OPENING);
    EXPECT_EQ(next().state, HAIGHA_STATE_OPEN);
    Recorded event = next();
    EXPECT_EQ(event.type, static_cast<std::uint32_t>(HAIGHA_EVENT_REPLY));
    EXPECT_EQ(event.tag, 2U);
    EXPECT_FALSE(event.failed) << event.error;

    haigha_channel_args channel_args = HAIGHA_CHANNEL_ARGS_INIT;
    channel_args.events = into(3);
    channel_args.confirm = 1;
    ChannelHandle channel;
    then = into(4);
    ASSERT_EQ(HAIGHA_OK,
              haigha_channel_open(connection.get(), &channel_args, &then, out(channel), error_))
        << error_;
    EXPECT_EQ(next_of(HAIGHA_EVENT_CHANNEL_STATE).state, HAIGHA_STATE_OPEN);
    EXPECT_EQ(next_of(HAIGHA_EVENT_REPLY).tag, 4U);

    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    declare.exclusive = 1;
    then = into(5);
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare(channel.get(), &declare, &then, error_)) << error_;
    event = next();
    EXPECT_EQ(event.tag, 5U);
    const std::string queue = event.queue;

    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    consume.queue = str(queue);
    consume.consumer_tag = str("c");
    consume.deliveries = into(6);
    then = into(7);
    ASSERT_EQ(HAIGHA_OK, haigha_consume(channel.get(), &consume, &then, error_)) << error_;
    event = next();
    EXPECT_EQ(event.tag, 7U);
    EXPECT_EQ(event.consumer_tag, "c");

    int place = 0;
    std::uint64_t sequence = 0;
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "hello", &sequence, &place)) << error_;
    bool delivered = false;
    bool settled = false;
    while (!(delivered && settled)) {
        event = next();
        if (event.type == HAIGHA_EVENT_DELIVERY) {
            delivered = true;
            EXPECT_EQ(event.tag, 6U);
            EXPECT_EQ(event.body, "hello");
            EXPECT_EQ(event.consumer_tag, "c");
            EXPECT_EQ(event.user_data, &released_);
        } else if (event.type == HAIGHA_EVENT_OUTCOME) {
            settled = true;
            EXPECT_EQ(event.tag, 3U);
            EXPECT_EQ(event.number, sequence);
            EXPECT_EQ(event.user_data, &place);
        } else {
            FAIL() << "an event of type " << event.type;
        }
    }
    haigha_publish_args nowhere = HAIGHA_PUBLISH_ARGS_INIT;
    nowhere.routing_key = str("haigha-test-nowhere");
    nowhere.mandatory = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &nowhere, str("back"), nullptr, error_));
    EXPECT_EQ(next().body, "back");
    EXPECT_EQ(next().type, static_cast<std::uint32_t>(HAIGHA_EVENT_OUTCOME));

    then = into(8);
    ASSERT_EQ(HAIGHA_OK, haigha_cancel(channel.get(), str("c"), &then, error_)) << error_;
    EXPECT_EQ(next_of(HAIGHA_EVENT_CONSUMER_CANCELLED).consumer_tag, "c");

    then = into(9);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close(connection.get(), &then, error_)) << error_;
    event = next_of(HAIGHA_EVENT_CONNECTION_STATE);
    EXPECT_EQ(event.state, HAIGHA_STATE_CLOSED);
    EXPECT_EQ(event.previous_state, HAIGHA_STATE_CLOSING);
    EXPECT_EQ(next_of(HAIGHA_EVENT_REPLY).tag, 9U);
}

TEST_F(Inbox, DeliveriesComeInBatchesAndOrder) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, into(1), true)) << error_;
    constexpr int count = 500;
    for (int i = 0; i < count; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, std::to_string(i))) << error_;
    int seen = 0;
    while (seen < count) {
        for (const Recorded& event : fetch(7)) {
            ASSERT_EQ(event.type, static_cast<std::uint32_t>(HAIGHA_EVENT_DELIVERY));
            EXPECT_EQ(event.body, std::to_string(seen++));
        }
    }
    // Empty: not readable, and a poll with a time limit comes back empty.
    pollfd readable{haigha_inbox_fd(inbox_.get()), POLLIN, 0};
    EXPECT_EQ(0, ::poll(&readable, 1, 0));
    haigha_event none[2];
    std::size_t got = 9;
    EXPECT_EQ(HAIGHA_OK, haigha_inbox_poll(inbox_.get(), none, sizeof none[0], 2, 1, &got, error_));
    EXPECT_EQ(got, 0U);
}

// What a program keeps of a batch stays good after the next poll.
TEST_F(Inbox, AMessageIsKeptByItsReference) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, into(1), true)) << error_;
    std::vector<MessageHandle> kept;
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, std::to_string(i))) << error_;
        haigha_event event{};
        std::size_t count = 0;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_inbox_poll(inbox_.get(), &event, sizeof event, 1, -1, &count, error_))
            << error_;
        ASSERT_EQ(count, 1U);
        kept.emplace_back(haigha_message_ref(event.message));
    }
    for (std::size_t i = 0; i < kept.size(); ++i)
        EXPECT_EQ(view(haigha_message_body(kept[i].get())), std::to_string(i));
}

// A caller that was compiled with a later header: a longer record, whose end is zeroed.
TEST_F(Inbox, ANewerCallerHasALongerRecord) {
    struct Longer {
        haigha_event event;
        char later[24];
    };
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, into(1), true)) << error_;
    constexpr int count = 100;  // more than one internal batch
    for (int i = 0; i < count; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, std::to_string(i))) << error_;
    std::vector<Longer> events(80);
    int seen = 0;
    while (seen < count) {
        std::memset(static_cast<void*>(events.data()), 0x5A, events.size() * sizeof(Longer));
        std::size_t got = 0;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_inbox_poll(inbox_.get(), reinterpret_cast<haigha_event*>(events.data()),
                                    sizeof(Longer), events.size(), -1, &got, error_))
            << error_;
        for (std::size_t i = 0; i < got; ++i) {
            EXPECT_EQ(view(events[i].event.body), std::to_string(seen++));
            for (const char byte : events[i].later)
                EXPECT_EQ(byte, 0);
        }
        if (got < events.size()) {
            EXPECT_EQ(events[got].later[0], 0x5A) << "wrote past the events that it counted";
        }
    }
}

TEST_F(Inbox, ACallerWithAnImpossibleRecordIsRefused) {
    haigha_event event{};
    std::size_t count = 5;
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{8}, sizeof event - 8, std::size_t{5000}}) {
        EXPECT_EQ(HAIGHA_ERR_STRUCT_VERSION,
                  haigha_inbox_poll(inbox_.get(), &event, size, 1, 0, &count, error_))
            << size;
    }
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_inbox_poll(inbox_.get(), &event, sizeof event, 0, 0, &count, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_inbox_poll(inbox_.get(), &event, sizeof event, 1, -2, &count, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_inbox_new(1'000'001, out(inbox_), error_));
}

// rules 20, 75: an inbox that nobody reads stops the reading, and nothing else.
TEST_F(Inbox, AFullInboxStopsReadingUntilItIsRead) {
    make_inbox(10);
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    const ConnectionHandle other = connect();
    const ChannelHandle publisher = open_channel(other.get(), nullptr, true);
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, into(1), true)) << error_;
    constexpr int count = 2000;
    const std::string body(4000, 'x');
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue);
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(publisher.get(), &args, str(body), -1, nullptr, error_))
            << error_;
    }
    // All are with the broker or the system by now; few came in.
    EXPECT_LT(info(connection.get(), "bytes_received"), std::int64_t{count} * 4000 / 2);
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "", "still writing")) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_connection_flush_wait(connection.get(), -1, error_)) << error_;
    std::size_t seen = 0;
    while (seen < count && !HasFailure())
        seen += fetch(64).size();
    EXPECT_EQ(seen, static_cast<std::size_t>(count));
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

// rule 74: without acks nothing but this bounds what comes in
TEST_F(Inbox, TheBytesThatWaitAreBounded) {
    make_inbox(1'000'000);
    constexpr std::int64_t limit = 512 * 1024;
    ASSERT_EQ(HAIGHA_OK, haigha_inbox_set_capacity_bytes(inbox_.get(), limit, error_)) << error_;
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    const std::string body(100'000, 'x');
    constexpr int count = 200;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue);
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(channel.get(), &args, str(body), -1, nullptr, error_))
            << error_;
    }
    ASSERT_TRUE(wait_messages(channel.get(), queue, count));
    const std::int64_t before = info(connection.get(), "bytes_received");
    // Not the form that waits: the connection is read on as long as somebody does.
    haigha_consume_args consumer = HAIGHA_CONSUME_ARGS_INIT;
    consumer.queue = str(queue);
    consumer.no_ack = 1;
    consumer.deliveries = into(1);
    ASSERT_EQ(HAIGHA_OK, haigha_consume(channel.get(), &consumer, nullptr, error_)) << error_;
    std::int64_t fetched = 0;
    while (fetched < count * std::int64_t{100'000} && !HasFailure()) {
        for (const Recorded& event : fetch(1)) {
            if (event.type == HAIGHA_EVENT_DELIVERY) {
                fetched += static_cast<std::int64_t>(event.body.size());
            }
        }
        // The limit, the message that went over it, and what was read together with that.
        EXPECT_LT(info(connection.get(), "bytes_received") - before - fetched, limit + 700'000);
    }
}

// rule 82: who empties the inbox may wait for answers meanwhile
TEST_F(Inbox, CallsAreAnsweredWhileItIsFull) {
    make_inbox(1);
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const ChannelHandle publisher = open_channel(connection.get(), nullptr, true);
    const std::string queue = declare_queue(channel.get());
    constexpr std::uint64_t count = 200;
    for (std::uint64_t i = 0; i < count; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, std::string(5000, 'x'))) << error_;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, into(1))) << error_;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("haigha-test-nowhere");
    for (std::uint64_t tag = 1; tag <= count; ++tag) {
        const Recorded delivery = next_of(HAIGHA_EVENT_DELIVERY);
        ASSERT_EQ(delivery.number, tag);
        ASSERT_EQ(HAIGHA_OK, haigha_channel_flow_wait(channel.get(), 1, -1, nullptr, error_))
            << error_;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(publisher.get(), &args, str(""), -1, nullptr, error_))
            << error_;
        ASSERT_EQ(HAIGHA_OK, haigha_ack(channel.get(), tag, 0, error_)) << error_;
    }
}

// rule 125
// For runtimes that wake a task: what fills the inbox calls, and nobody waits for a descriptor.
TEST_F(Inbox, CallsWhenItIsReady) {
    struct Task {
        std::mutex mutex;
        std::condition_variable woken;
        bool ready = false;
        int releases = 0;
    } task;
    const auto wake = [](void* data) {
        auto* const self = static_cast<Task*>(data);
        const std::lock_guard lock(self->mutex);
        self->ready = true;
        self->woken.notify_one();
    };
    const auto release = [](void* data) {
        auto* const self = static_cast<Task*>(data);
        const std::lock_guard lock(self->mutex);
        ++self->releases;
    };
    ASSERT_EQ(HAIGHA_OK, haigha_inbox_set_ready(inbox_.get(), wake, &task, release, error_));
    haigha_event event;
    std::size_t got = 0;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_inbox_poll(inbox_.get(), &event, sizeof event, 1, 10, &got, error_));
    EXPECT_NE(error_.message().find("timeout_ms"), std::string::npos) << error_;
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, into(1), true)) << error_;
    constexpr int count = 500;
    for (int i = 0; i < count; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, std::to_string(i))) << error_;
    int seen = 0;
    while (seen < count) {
        {
            std::unique_lock lock(task.mutex);
            ASSERT_TRUE(task.woken.wait_for(lock, patience, [&] { return task.ready; })) << seen;
            task.ready = false;
        }
        do {
            ASSERT_EQ(HAIGHA_OK,
                      haigha_inbox_poll(inbox_.get(), &event, sizeof event, 1, 0, &got, error_))
                << error_;
            if (got == 1) {
                EXPECT_EQ(view(event.body), std::to_string(seen++));
            }
        } while (got > 0);
    }
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    inbox_.reset();
    const std::lock_guard lock(task.mutex);
    EXPECT_EQ(task.releases, 1);
}

TEST_F(Inbox, DroppedWithEventsInIt) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, into(1), true)) << error_;
    for (int i = 0; i < 50; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x")) << error_;
    EXPECT_FALSE(fetch(5).empty());
    InboxHandle second(haigha_inbox_ref(inbox_.get()));
    inbox_.reset();
    EXPECT_GE(haigha_inbox_fd(second.get()), 0);
    second.reset();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    // The consumer ended with its connection, and with it its release hook.
    close_loop(loop_.get());
    EXPECT_EQ(released_, 1);
}

TEST_F(Inbox, OnTheLoopsThreadOnlyAPollThatDoesNotWait) {
    const ConnectionHandle connection = connect();
    std::atomic<int> waited{1};
    std::atomic<int> at_once{1};
    EventLog log([&](const haigha_event&) {
        haigha_event event{};
        std::size_t count = 0;
        waited = haigha_inbox_poll(inbox_.get(), &event, sizeof event, 1, 5, &count, nullptr);
        at_once = haigha_inbox_poll(inbox_.get(), &event, sizeof event, 1, 0, &count, nullptr);
    });
    const haigha_then then = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_flush(connection.get(), &then, error_)) << error_;
    log.reply();
    EXPECT_EQ(waited, HAIGHA_ERR_WRONG_THREAD);
    EXPECT_EQ(at_once, HAIGHA_OK);
}

}  // namespace
}  // namespace haigha::test
