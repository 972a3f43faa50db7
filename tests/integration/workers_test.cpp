// Tests of workers that handle deliveries, on a real broker.
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <haigha/workers.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/api_fixture.h"
#include "support/fault_proxy.h"

namespace haigha::test {
namespace {

// A handler that records what it was given, and may be kept from returning.
class Handling {
  public:
    using Verdict = std::function<std::int32_t(const haigha_event&)>;
    explicit Handling(Verdict verdict) : verdict_(std::move(verdict)) {}

    haigha_work_args args(std::string_view queue) {
        haigha_work_args args = HAIGHA_WORK_ARGS_INIT;
        args.queue = str(queue);
        args.handle = &on_event;
        args.user_data = this;
        args.release = [](void* data) {
            auto& self = *static_cast<Handling*>(data);
            const std::lock_guard lock(self.mutex_);
            ++self.releases_;
            self.changed_.notify_all();
        };
        return args;
    }
    // From now on a handler waits, once it has recorded.
    void shut() { set_shut(true); }
    void open() { set_shut(false); }

    template <class Done>
    bool wait(Done done, const char* what) {
        std::unique_lock lock(mutex_);
        const bool came = changed_.wait_for(lock, patience, done);
        EXPECT_TRUE(came) << "waited for " << what << "; " << bodies_.size() << " were handled";
        return came;
    }
    bool wait_begun(std::size_t count) {
        return wait([&] { return bodies_.size() >= count; }, "handlers to begin");
    }
    bool wait_returned(std::size_t count) {
        return wait([&] { return returned_ >= count; }, "handlers to return");
    }
    bool wait_cancelled() {
        return wait([&] { return cancelled_ > 0; }, "CONSUMER_CANCELLED");
    }
    bool wait_released() {
        return wait([&] { return releases_ > 0; }, "the release hook");
    }
    std::vector<std::string> bodies() const {
        const std::lock_guard lock(mutex_);
        return bodies_;
    }
    std::set<std::thread::id> threads() const {
        const std::lock_guard lock(mutex_);
        return threads_;
    }
    int most_at_once() const {
        const std::lock_guard lock(mutex_);
        return most_at_once_;
    }
    int releases() const {
        const std::lock_guard lock(mutex_);
        return releases_;
    }
    std::size_t behind_the_end() const {
        const std::lock_guard lock(mutex_);
        return behind_the_end_;
    }

  private:
    static std::int32_t on_event(const haigha_event* event, void* data) {
        return static_cast<Handling*>(data)->handle(*event);
    }
    std::int32_t handle(const haigha_event& event) {
        {
            std::unique_lock lock(mutex_);
            if (event.type == HAIGHA_EVENT_CONSUMER_CANCELLED) {
                ++cancelled_;
                changed_.notify_all();
                return 0;
            }
            EXPECT_EQ(event.user_data, this);
            EXPECT_EQ(releases_, 0) << "handled after its release hook ran";
            behind_the_end_ += cancelled_ > 0 ? 1 : 0;
            bodies_.emplace_back(view(event.body));
            threads_.insert(std::this_thread::get_id());
            most_at_once_ = std::max(most_at_once_, ++at_once_);
            changed_.notify_all();
            changed_.wait(lock, [&] { return !shut_; });
        }
        const std::int32_t verdict = verdict_(event);
        const std::lock_guard lock(mutex_);
        --at_once_;
        ++returned_;
        changed_.notify_all();
        return verdict;
    }
    void set_shut(bool shut) {
        const std::lock_guard lock(mutex_);
        shut_ = shut;
        changed_.notify_all();
    }

    const Verdict verdict_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool shut_ = false;
    std::vector<std::string> bodies_;
    std::set<std::thread::id> threads_;
    int at_once_ = 0;
    int most_at_once_ = 0;
    std::size_t returned_ = 0;
    int cancelled_ = 0;
    int releases_ = 0;
    std::size_t behind_the_end_ = 0;
};

// Kept to the end of the process: a hook that runs too late is then a failed test and not a crash.
Handling* new_handling(Handling::Verdict verdict = [](const haigha_event&) {
    return HAIGHA_WORK_ACK;
}) {
    static auto& mutex = *new std::mutex;
    static auto& all = *new std::vector<std::unique_ptr<Handling>>;
    const std::lock_guard lock(mutex);
    return all.emplace_back(std::make_unique<Handling>(std::move(verdict))).get();
}

std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> all;
    for (int number = from; number <= to; ++number)
        all.push_back(std::to_string(number));
    return all;
}

class Workers : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        channel_ = open_channel(connection_.get());
        queue_ = declare_queue(channel_.get());
    }
    void TearDown() override {
        workers_.reset();
        channel_.reset();
        connection_.reset();
        ApiTest::TearDown();
    }

    void make(haigha_workers_args args = HAIGHA_WORKERS_ARGS_INIT) {
        ASSERT_EQ(HAIGHA_OK, haigha_workers_new(loop_.get(), &args, out(workers_), error_))
            << error_;
    }
    void make(std::uint32_t threads) {
        haigha_workers_args args = HAIGHA_WORKERS_ARGS_INIT;
        args.threads = threads;
        make(args);
    }
    haigha_status work(haigha_channel* channel, const haigha_work_args& args) {
        return haigha_workers_consume_wait(workers_.get(), channel, &args, -1, nullptr, error_);
    }
    void publish_numbers(const std::string& queue, int from, int to) {
        for (const std::string& number : numbers(from, to))
            ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), queue, number)) << error_;
    }
    std::int64_t number_of(std::string_view name) {
        std::int64_t value = -1;
        EXPECT_EQ(HAIGHA_OK, haigha_workers_info(workers_.get(), str(name), &value, error_))
            << error_;
        return value;
    }
    bool becomes(std::string_view name, std::int64_t wanted) {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < end) {
            if (number_of(name) == wanted) return true;
            std::this_thread::yield();
        }
        ADD_FAILURE() << name << " is " << number_of(name) << ", not " << wanted;
        return false;
    }
    haigha_status drain() { return haigha_workers_drain_wait(workers_.get(), -1, error_); }

    ConnectionHandle connection_;
    ChannelHandle channel_;
    std::string queue_;
    WorkersHandle workers_;
};

TEST_F(Workers, KeepTheOrderOfAChannelAndAckByWhatTheHandlerReturns) {
    Handling& handling = *new_handling();
    make(4);
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), handling.args(queue_))) << error_;
    publish_numbers(queue_, 1, 1000);
    ASSERT_TRUE(handling.wait_returned(1000));
    EXPECT_EQ(handling.bodies(), numbers(1, 1000));
    EXPECT_EQ(handling.most_at_once(), 1);
    ASSERT_EQ(HAIGHA_OK, drain()) << error_;
    EXPECT_EQ(number_of("handled"), 1000);
    EXPECT_EQ(number_of("queued"), 0);
    EXPECT_EQ(number_of("running"), 0);
    // All of it is settled: nothing comes back with the end of the channel.
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel_.get(), -1, error_)) << error_;
    channel_ = open_channel(connection_.get());
    EXPECT_TRUE(wait_messages(channel_.get(), queue_, 0));
}

// rule 82: a handler that waits holds up its own channel, and no other.
TEST_F(Workers, AHandlerThatWaitsHoldsUpNoOtherChannel) {
    Handling& slow = *new_handling();
    Handling& fast = *new_handling();
    make(2);
    const ChannelHandle other = open_channel(connection_.get());
    const std::string second = declare_queue(other.get());
    slow.shut();
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), slow.args(queue_))) << error_;
    ASSERT_EQ(HAIGHA_OK, work(other.get(), fast.args(second))) << error_;
    publish_numbers(queue_, 1, 100);
    ASSERT_TRUE(slow.wait_begun(1));
    publish_numbers(second, 1, 500);
    EXPECT_TRUE(fast.wait_returned(500));
    EXPECT_EQ(fast.bodies(), numbers(1, 500));
    EXPECT_EQ(slow.bodies().size(), 1U);
    slow.open();
    EXPECT_TRUE(slow.wait_returned(100));
}

TEST_F(Workers, HandlersMayPublishSettleAndWait) {
    const std::string answers = declare_queue(channel_.get());
    Handling& handling = *new_handling([&](const haigha_event& event) {
        Err error;
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(answers);
        // A round trip, which the loop's thread is free for.
        ReplyHandle reply;
        haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        declare.queue = str(answers);
        declare.passive = 1;
        EXPECT_EQ(HAIGHA_OK,
                  haigha_queue_declare_wait(event.channel, &declare, -1, out(reply), error))
            << error;
        EXPECT_EQ(HAIGHA_OK, haigha_publish(event.channel, &args, event.body, nullptr, error))
            << error;
        EXPECT_EQ(HAIGHA_OK, haigha_ack(event.channel, event.number, 0, error)) << error;
        EXPECT_EQ(HAIGHA_ERR_WRONG_THREAD, haigha_workers_drain_wait(workers_.get(), -1, nullptr));
        return HAIGHA_WORK_ACK;  // it is settled already
    });
    make(2);
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), handling.args(queue_))) << error_;
    publish_numbers(queue_, 1, 20);
    ASSERT_TRUE(handling.wait_returned(20));
    EXPECT_TRUE(wait_messages(channel_.get(), answers, 20));
    EXPECT_EQ(haigha_channel_state(channel_.get()), HAIGHA_STATE_OPEN);
}

TEST_F(Workers, WhatAHandlerReturnsSettles) {
    Handling& handling = *new_handling([](const haigha_event& event) -> std::int32_t {
        const std::string_view body = view(event.body);
        const bool again = (event.flags & HAIGHA_FLAG_REDELIVERED) != 0;
        if (body == "requeue" || body == "unknown") {
            if (again) return HAIGHA_WORK_ACK;
            return body == "requeue" ? HAIGHA_WORK_REQUEUE : -7;
        }
        return body == "drop" ? HAIGHA_WORK_DROP : HAIGHA_WORK_LATER;
    });
    make();
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), handling.args(queue_))) << error_;
    for (const char* body : {"requeue", "unknown", "drop", "later"})
        ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, body)) << error_;
    ASSERT_TRUE(handling.wait_returned(6));
    ASSERT_EQ(HAIGHA_OK, drain()) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel_.get(), -1, error_)) << error_;
    channel_ = open_channel(connection_.get());
    ASSERT_TRUE(wait_messages(channel_.get(), queue_, 1));
    EXPECT_EQ(view(haigha_message_body(get(channel_.get(), queue_).get())), "later");
}

TEST_F(Workers, KeysKeepTheirOrderAndRunAtTheSameTime) {
    Handling& handling = *new_handling();
    haigha_workers_args made = HAIGHA_WORKERS_ARGS_INIT;
    made.threads = 4;
    made.max_threads_per_channel = 4;
    make(made);
    haigha_work_args args = handling.args(queue_);
    args.order = HAIGHA_ORDER_KEY;
    args.key = [](const haigha_event* event, void*) {
        return std::uint64_t{std::stoul(std::string(view(event->body))) % 7};
    };
    handling.shut();
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), args)) << error_;
    publish_numbers(queue_, 1, 700);
    // Four of different keys are in hand at once.
    ASSERT_TRUE(handling.wait_begun(4));
    EXPECT_EQ(handling.bodies().size(), 4U);
    handling.open();
    ASSERT_TRUE(handling.wait_returned(700));
    EXPECT_EQ(handling.threads().size(), 4U);
    std::map<int, int> last;
    for (const std::string& body : handling.bodies()) {
        const int number = std::stoi(body);
        EXPECT_LT(last[number % 7], number);
        last[number % 7] = number;
    }
}

// By default there is a thread that a channel without order does not take.
TEST_F(Workers, WithoutOrderAChannelLeavesAThreadToOthers) {
    Handling& slow = *new_handling();
    Handling& fast = *new_handling();
    make(3);
    const ChannelHandle other = open_channel(connection_.get());
    const std::string second = declare_queue(other.get());
    slow.shut();
    haigha_work_args args = slow.args(queue_);
    args.order = HAIGHA_ORDER_NONE;
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), args)) << error_;
    publish_numbers(queue_, 1, 10);
    ASSERT_TRUE(slow.wait_begun(2));
    ASSERT_EQ(HAIGHA_OK, work(other.get(), fast.args(second))) << error_;
    publish_numbers(second, 1, 50);
    EXPECT_TRUE(fast.wait_returned(50));
    EXPECT_EQ(slow.most_at_once(), 2);
    slow.open();
    EXPECT_TRUE(slow.wait_returned(10));
}

// Without acks nothing else bounds what comes: the consumer is paused, and its connection read on.
TEST_F(Workers, AConsumerOfWhichTooMuchWaitsIsPaused) {
    Handling& handling = *new_handling();
    haigha_workers_args made = HAIGHA_WORKERS_ARGS_INIT;
    made.threads = 1;
    made.max_queued = 10;
    make(made);
    haigha_work_args args = handling.args(queue_);
    args.no_ack = 1;
    handling.shut();
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), args)) << error_;
    publish_numbers(queue_, 1, 50);
    ASSERT_TRUE(becomes("held_back", 1));
    ASSERT_TRUE(handling.wait_begun(1));
    // On the same connection, behind the pause: that it is answered says that it is read on.
    (void)count_messages(channel_.get(), queue_);
    publish_numbers(queue_, 51, 2000);
    ASSERT_TRUE(wait_messages(channel_.get(), queue_,
                              2000U - 1U - static_cast<std::uint32_t>(number_of("queued"))));
    handling.open();
    ASSERT_TRUE(handling.wait_returned(2000));
    EXPECT_EQ(handling.bodies(), numbers(1, 2000));
}

TEST_F(Workers, CancelledAConsumerHasItsRestHandledAndIsToldLast) {
    Handling& handling = *new_handling();
    make();
    haigha_work_args args = handling.args(queue_);
    args.consumer_tag = str("a");
    handling.shut();
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), args)) << error_;
    publish_numbers(queue_, 1, 50);
    ASSERT_TRUE(handling.wait_begun(1));
    ASSERT_TRUE(becomes("queued", 49));
    ASSERT_EQ(HAIGHA_OK, haigha_cancel_wait(channel_.get(), str("a"), -1, nullptr, error_))
        << error_;
    EXPECT_EQ(handling.releases(), 0);
    handling.open();
    ASSERT_TRUE(handling.wait_cancelled());
    EXPECT_EQ(handling.bodies(), numbers(1, 50));
    EXPECT_EQ(handling.behind_the_end(), 0U);
    ASSERT_TRUE(handling.wait_released());
    EXPECT_EQ(number_of("consumers"), 0);
}

TEST_F(Workers, ClosedTheyGiveBackWhatWaits) {
    Handling& handling = *new_handling();
    make(1);
    handling.shut();
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), handling.args(queue_))) << error_;
    publish_numbers(queue_, 1, 50);
    ASSERT_TRUE(handling.wait_begun(1));
    ASSERT_TRUE(becomes("queued", 49));
    EventLog log;
    const haigha_then then = log.then(1);
    ASSERT_EQ(HAIGHA_OK, haigha_workers_close(workers_.get(), &then, error_)) << error_;
    EXPECT_EQ(number_of("requeued"), 49);
    EXPECT_TRUE(wait_messages(channel_.get(), queue_, 49));
    EXPECT_EQ(log.size(), 0U) << "a handler is still running";
    EXPECT_EQ(HAIGHA_ERR_CLOSED, work(channel_.get(), handling.args(queue_)));
    EXPECT_EQ(handling.releases(), 0);
    handling.open();
    EXPECT_FALSE(log.reply(1).failed);
    EXPECT_EQ(number_of("threads"), 0);
    ASSERT_TRUE(handling.wait_released());
    EXPECT_EQ(handling.bodies().size(), 1U);
    EXPECT_TRUE(wait_messages(channel_.get(), queue_, 49)) << "the one was acked";
    // Once more, and it answers at once.
    EXPECT_EQ(HAIGHA_OK, haigha_workers_close_wait(workers_.get(), 0, error_)) << error_;
}

TEST_F(Workers, ClosedInGoodTimeTheyHandleWhatWaits) {
    Handling& handling = *new_handling();
    make(2);
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), handling.args(queue_))) << error_;
    publish_numbers(queue_, 1, 300);
    ASSERT_TRUE(handling.wait_begun(1));
    ASSERT_EQ(HAIGHA_OK, haigha_workers_close_wait(workers_.get(), -1, error_)) << error_;
    const std::size_t handled = handling.bodies().size();
    EXPECT_EQ(number_of("handled"), static_cast<std::int64_t>(handled));
    EXPECT_TRUE(wait_messages(channel_.get(), queue_, 300U - static_cast<std::uint32_t>(handled)));
}

TEST_F(Workers, ACloseThatWaitsEndsWithItsTime) {
    Handling& handling = *new_handling();
    make(1);
    handling.shut();
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), handling.args(queue_))) << error_;
    publish_numbers(queue_, 1, 5);
    ASSERT_TRUE(handling.wait_begun(1));
    ASSERT_TRUE(becomes("queued", 4));
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, haigha_workers_close_wait(workers_.get(), 1, error_)) << error_;
    EXPECT_TRUE(wait_messages(channel_.get(), queue_, 4));
    handling.open();
    EXPECT_EQ(HAIGHA_OK, haigha_workers_close_wait(workers_.get(), -1, error_)) << error_;
}

TEST_F(Workers, TheLastReferenceMayGoInAHandler) {
    std::atomic<int> dropped{0};
    Handling& handling = *new_handling([&](const haigha_event&) {
        if (dropped.fetch_add(1) == 0) workers_.reset();
        return HAIGHA_WORK_ACK;
    });
    make(2);
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), handling.args(queue_))) << error_;
    publish_numbers(queue_, 1, 10);
    ASSERT_TRUE(handling.wait_released());
    EXPECT_EQ(haigha_channel_state(channel_.get()), HAIGHA_STATE_OPEN);
}

TEST_F(Workers, HandlesGoInAnyOrder) {
    Handling& handling = *new_handling();
    make(2);
    ASSERT_EQ(HAIGHA_OK, work(channel_.get(), handling.args(queue_))) << error_;
    publish_numbers(queue_, 1, 10);
    ASSERT_TRUE(handling.wait_begun(1));
    haigha_loop* const loop = loop_.release();
    haigha_loop_unref(loop);  // the connection and the pool hold it
    connection_.reset();
    channel_.reset();
    ASSERT_EQ(HAIGHA_OK, haigha_workers_close_wait(workers_.get(), -1, error_)) << error_;
    ASSERT_TRUE(handling.wait_released());
}

TEST_F(Workers, ARefusedConsumerStaysItsCallers) {
    Handling& handling = *new_handling();
    make(1);
    haigha_work_args args = handling.args(queue_);
    args.order = 4;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, work(channel_.get(), args));
    args.order = 0;
    args.handle = nullptr;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, work(channel_.get(), args));
    args = handling.args(queue_);
    args.consumer_tag = str("twice");
    EXPECT_EQ(HAIGHA_OK, work(channel_.get(), args)) << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, work(channel_.get(), args));
    EXPECT_EQ(handling.releases(), 0);
    EXPECT_EQ(number_of("consumers"), 1);
    haigha_workers_args too_many = HAIGHA_WORKERS_ARGS_INIT;
    too_many.threads = 1025;
    WorkersHandle none;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_workers_new(loop_.get(), &too_many, out(none), error_));
}

// rules 49, 50: what a lost connection had delivered is not handled any more, and comes again.
TEST_F(Workers, OfALostConnectionNothingIsHandledThatCannotBeSettled) {
    const std::size_t colon = uri_.rfind(':');
    FaultProxy proxy(static_cast<std::uint16_t>(std::stoi(uri_.substr(colon + 1))));
    const std::string durable = unique_name("workers");
    declare_durable(channel_.get(), durable);
    const OptionsHandle chosen =
        options_from(uri_.substr(0, colon + 1) + std::to_string(proxy.port()),
                     {{"recovery", 1}, {"recovery_delay_ms", 1}, {"recovery_max_delay_ms", 20}});
    const ConnectionHandle faulty = new_connection(loop_.get(), chosen.get());
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(faulty.get(), -1, error_)) << error_;
    const ChannelHandle lost = open_channel(faulty.get());
    Handling& handling = *new_handling();
    make(2);
    handling.shut();
    ASSERT_EQ(HAIGHA_OK, work(lost.get(), handling.args(durable))) << error_;
    publish_numbers(durable, 1, 100);
    ASSERT_TRUE(handling.wait_begun(1));
    ASSERT_TRUE(becomes("queued", 99));
    proxy.command("reset");
    // The first is still in hand; all hundred come again, behind it.
    ASSERT_TRUE(becomes("queued", 199));
    handling.open();
    ASSERT_TRUE(handling.wait_returned(101));
    ASSERT_EQ(HAIGHA_OK, drain()) << error_;
    EXPECT_EQ(number_of("stale"), 99);
    EXPECT_EQ(number_of("handled"), 101);
    std::vector<std::string> wanted = {"1"};
    for (const std::string& number : numbers(1, 100))
        wanted.push_back(number);
    EXPECT_EQ(handling.bodies(), wanted);
    EXPECT_EQ(info(faulty.get(), "stale_acks"), 1);
    ASSERT_EQ(HAIGHA_OK, haigha_workers_close_wait(workers_.get(), -1, error_)) << error_;
    EXPECT_TRUE(wait_messages(channel_.get(), durable, 0));
    delete_queue(channel_.get(), durable);
}

}  // namespace
}  // namespace haigha::test
