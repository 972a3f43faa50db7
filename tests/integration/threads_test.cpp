// Many threads on shared connections and channels. Runs under ThreadSanitizer, too.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class Threads : public ApiTest {};

// rules 39, 84, 86: four threads share twenty channels of one connection; each channel has a
// consumer whose deliveries are acked on the loop's thread. What one thread publishes on a channel
// comes in its order, and no message is broken by the declares and acks in between.
TEST_F(Threads, PublishAckAndDeclareOnSharedChannels) {
    constexpr int thread_count = 4;
    constexpr std::size_t channel_count = 20;
    constexpr int rounds = 50;
    EventLog events;
    const haigha_then connection_then = events.then();
    const ConnectionHandle connection = connect({}, &connection_then);

    struct Lane {
        ChannelHandle channel;
        std::string queue;
        std::mutex mutex;
        std::map<int, int> next;  // of each thread
        int seen = 0;
    };
    std::vector<std::unique_ptr<Lane>> lanes;
    std::mutex mutex;
    std::condition_variable changed;
    int total = 0;
    EventLog deliveries([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        const std::string body(view(event.body));
        Lane& lane = *lanes[event.tag];
        {
            const std::lock_guard lock(lane.mutex);
            const int thread = std::stoi(body);
            const int number = std::stoi(body.substr(body.find(':') + 1));
            EXPECT_EQ(number, lane.next[thread]++) << "thread " << thread;
            const std::string tail(20'000, 'x');
            EXPECT_TRUE(body.ends_with(number % 8 == 0 ? tail : "."));
        }
        EXPECT_EQ(HAIGHA_OK, haigha_ack(event.channel, event.number, 0, nullptr));
        const std::lock_guard lock(mutex);
        ++total;
        changed.notify_all();
    });
    for (std::size_t i = 0; i < channel_count; ++i) {
        auto lane = std::make_unique<Lane>();
        lane->channel = open_channel(connection.get());
        lane->queue = declare_queue(lane->channel.get());
        lanes.push_back(std::move(lane));
    }
    for (std::size_t i = 0; i < channel_count; ++i) {
        ASSERT_EQ(HAIGHA_OK, consume(lanes[i]->channel.get(), lanes[i]->queue, deliveries.then(i)))
            << error_;
    }
    std::vector<std::thread> threads;
    for (int thread = 0; thread < thread_count; ++thread) {
        threads.emplace_back([&, thread] {
            for (int round = 0; round < rounds; ++round) {
                for (const auto& lane : lanes) {
                    const std::string body = std::to_string(thread) + ":" + std::to_string(round) +
                                             (round % 8 == 0 ? std::string(20'000, 'x') : ".");
                    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
                    args.routing_key = str(lane->queue);
                    Err error;
                    EXPECT_EQ(HAIGHA_OK, haigha_publish_wait(lane->channel.get(), &args, str(body),
                                                             60'000, nullptr, error))
                        << error;
                    if (round % 10 == thread) {
                        haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
                        declare.queue = str(lane->queue);
                        declare.passive = 1;
                        EXPECT_EQ(HAIGHA_OK, haigha_queue_declare(lane->channel.get(), &declare,
                                                                  nullptr, error))
                            << error;
                    }
                }
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    constexpr int wanted = thread_count * rounds * static_cast<int>(channel_count);
    {
        std::unique_lock lock(mutex);
        EXPECT_TRUE(changed.wait_for(lock, patience, [&] { return total == wanted; }))
            << total << " of " << wanted << " were delivered";
    }
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), 20'000, error_)) << error_;
    EXPECT_FALSE(events.state(HAIGHA_STATE_CLOSED).failed);
    close_loop(loop_.get());
}

// The number that a publish is given, and the outcome with that number, are of the same message,
// whichever thread it was; also when the broker answers for several at once.
TEST_F(Threads, EachPublishHasTheOutcomeOfItsOwnMessage) {
    const ConnectionHandle connection = connect();
    EventLog log;
    haigha_channel_args channel_args = confirming(log);
    channel_args.correlate_returns = 1;
    const ChannelHandle channel = open_channel(connection.get(), channel_args);
    ASSERT_TRUE(channel);
    const std::string queue = declare_queue(channel.get());
    constexpr std::size_t per_thread = 500;
    constexpr std::size_t thread_count = 8;
    std::vector<int> routed(per_thread * thread_count + 1, -1);
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < thread_count; ++thread) {
        threads.emplace_back([&, thread] {
            for (std::size_t i = 0; i < per_thread; ++i) {
                const bool reaches = (i * 7 + thread) % 3 != 0;
                haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
                args.routing_key = reaches ? str(queue) : str("haigha-test-nowhere");
                args.mandatory = 1;
                std::uint64_t number = 0;
                Err error;
                ASSERT_EQ(HAIGHA_OK,
                          haigha_publish(channel.get(), &args, str("same"), &number, error))
                    << error;
                ASSERT_LT(number, routed.size());
                EXPECT_EQ(std::exchange(routed[number], reaches ? 1 : 0), -1);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    ASSERT_TRUE(log.wait_count(HAIGHA_EVENT_OUTCOME, per_thread * thread_count));
    for (const Recorded& event : log.events()) {
        if (event.type == HAIGHA_EVENT_OUTCOME) {
            EXPECT_EQ(event.outcome, routed[event.number] == 1 ? HAIGHA_OUTCOME_CONFIRMED
                                                               : HAIGHA_OUTCOME_RETURNED);
        }
        if (event.type == HAIGHA_EVENT_RETURN) {
            EXPECT_EQ(routed[event.number], 0);
        }
    }
    close_loop(loop_.get());
}

// Confirms by waiting threads on one channel: each gets its own outcome.
TEST_F(Threads, WaitingPublishersShareAChannel) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get(), nullptr, true);
    const std::string queue = declare_queue(channel.get());
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&] {
            haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
            args.routing_key = str(queue);
            for (int i = 0; i < 50; ++i) {
                ReplyHandle reply;
                Err error;
                EXPECT_EQ(HAIGHA_OK, haigha_publish_wait(channel.get(), &args, str("x"), -1,
                                                         out(reply), error))
                    << error;
                EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_CONFIRMED);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_TRUE(wait_messages(channel.get(), queue, 200));
}

// rule 21: everything is closed at once from several threads; all of it ends, each hook runs once.
TEST_F(Threads, ClosingFromSeveralThreadsAtOnce) {
    for (int round = 0; round < 20; ++round) {
        EventLog log;
        haigha_then then = log.then();
        ConnectionHandle connection = connect({}, &then);
        then = log.then();
        ChannelHandle channel = open_channel(connection.get(), &then, true);
        const std::string queue = declare_queue(channel.get());
        std::atomic<std::size_t> accepted{2};
        const auto run = [&](auto start) {
            return std::thread([&, start] {
                for (int i = 0; i < 10; ++i) {
                    const haigha_then done = log.then();
                    if (start(done) == HAIGHA_OK) ++accepted;
                }
            });
        };
        std::vector<std::thread> threads;
        threads.push_back(run([&](const haigha_then& done) {
            return haigha_channel_close(channel.get(), &done, nullptr);
        }));
        threads.push_back(run([&](const haigha_then& done) {
            return haigha_connection_close(connection.get(), &done, nullptr);
        }));
        threads.push_back(run([&](const haigha_then& done) {
            haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
            args.routing_key = str(queue);
            haigha_publish(channel.get(), &args, str("x"), nullptr, nullptr);
            return haigha_queue_purge(channel.get(), str(queue), &done, nullptr);
        }));
        for (std::thread& thread : threads)
            thread.join();
        EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
        channel.reset();
        connection.reset();
        log.wait_released(accepted);
    }
}

// One inbox, filled by two loops and read by one thread while others publish.
TEST_F(Threads, TwoLoopsFillOneInbox) {
    const LoopHandle second_loop = start_loop();
    InboxHandle inbox;
    ASSERT_EQ(HAIGHA_OK, haigha_inbox_new(64, out(inbox), error_)) << error_;
    constexpr int count = 500;
    std::vector<ConnectionHandle> connections;
    std::vector<ChannelHandle> channels;
    std::vector<std::string> queues;
    for (haigha_loop* const loop : {loop_.get(), second_loop.get()}) {
        connections.push_back(new_connection(loop, options().get()));
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connections.back().get(), -1, error_))
            << error_;
        channels.push_back(open_channel(connections.back().get()));
        queues.push_back(declare_queue(channels.back().get()));
        haigha_then then{};
        then.inbox = inbox.get();
        then.tag = connections.size();
        ASSERT_EQ(HAIGHA_OK, consume(channels.back().get(), queues.back(), then, true)) << error_;
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < channels.size(); ++i) {
        threads.emplace_back([&, i] {
            haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
            args.routing_key = str(queues[i]);
            for (int number = 0; number < count; ++number) {
                const std::string body = std::to_string(number);
                EXPECT_EQ(HAIGHA_OK,
                          haigha_publish(channels[i].get(), &args, str(body), nullptr, nullptr));
            }
        });
    }
    std::map<std::uint64_t, int> next;
    int seen = 0;
    std::vector<haigha_event> events(32);
    const auto end = std::chrono::steady_clock::now() + patience;
    while (seen < 2 * count && std::chrono::steady_clock::now() < end) {
        std::size_t got = 0;
        ASSERT_EQ(HAIGHA_OK, haigha_inbox_poll(inbox.get(), events.data(), sizeof(haigha_event),
                                               events.size(), 100, &got, error_))
            << error_;
        for (std::size_t i = 0; i < got; ++i) {
            EXPECT_EQ(view(events[i].body), std::to_string(next[events[i].tag]++));
            ++seen;
        }
    }
    EXPECT_EQ(seen, 2 * count);
    for (std::thread& thread : threads)
        thread.join();
    close_loop(second_loop.get());
}

}  // namespace
}  // namespace haigha::test
