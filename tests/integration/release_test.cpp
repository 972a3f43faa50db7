// Dropping handles in every order; release hooks exactly once; a refusal takes nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "support/api_fixture.h"
#include "support/sanitizers.h"

namespace haigha::test {
namespace {

class Release : public ApiTest {};

// rule 125: a live connection with consumers, everything dropped in each of the 24 orders.
TEST_F(Release, EveryOrderOfDropping) {
    std::array<int, 4> order{0, 1, 2, 3};
    do {
        EventLog connection_log;
        EventLog channel_log;
        EventLog delivery_log;
        EventLog loop_log;
        LoopHandle loop = start_loop();
        haigha_then then = connection_log.then();
        ConnectionHandle connection = new_connection(loop.get(), options().get(), &then);
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        then = channel_log.then();
        ChannelHandle channel = open_channel(connection.get(), &then);
        const std::string queue = declare_queue(channel.get());
        ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, delivery_log.then(), true)) << error_;
        InboxHandle inbox;
        ASSERT_EQ(HAIGHA_OK, haigha_inbox_new(0, out(inbox), error_));
        haigha_then into = loop_log.then();
        into.fn = nullptr;
        into.inbox = inbox.get();
        ASSERT_EQ(HAIGHA_OK, haigha_connection_flush(connection.get(), &into, error_)) << error_;
        for (int i = 0; i < 10; ++i)
            ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x")) << error_;
        for (const int which : order) {
            if (which == 0) loop.reset();
            if (which == 1) connection.reset();
            if (which == 2) channel.reset();
            if (which == 3) inbox.reset();
        }
        connection_log.wait_released(1);
        channel_log.wait_released(1);
        delivery_log.wait_released(1);
        loop_log.wait_released(1);
        // Silent: nothing is told of an end that the program made itself.
        EXPECT_EQ(delivery_log.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Release, ADroppedChannelIsClosedButItsConsumersKeepIt) {
    const ConnectionHandle connection = connect();
    ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    EXPECT_EQ(info(connection.get(), "channels"), 1);
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, deliveries.then(), true)) << error_;
    channel.reset();
    channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "still here")) << error_;
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY).body, "still here");
    EXPECT_EQ(info(connection.get(), "channels"), 2);
    channel.reset();
    // One without a consumer is closed; the broker's answer comes some time after.
    const ChannelHandle third = open_channel(connection.get());
    const auto end = std::chrono::steady_clock::now() + patience;
    while (info(connection.get(), "channels") > 2 && std::chrono::steady_clock::now() < end)
        ASSERT_EQ(HAIGHA_OK, haigha_channel_flow_wait(third.get(), 1, -1, nullptr, error_));
    EXPECT_EQ(info(connection.get(), "channels"), 2);
}

// rule 78
TEST_F(Release, ChannelsGiveTheirMemoryBack) {
    if (address_sanitizer) GTEST_SKIP() << "the address sanitizer keeps what was freed";
    const ConnectionHandle connection = connect();
    const std::string body(20'000, 'x');
    const auto resident_pages = [] {
        std::size_t size = 0;
        std::size_t resident = 0;
        std::ifstream("/proc/self/statm") >> size >> resident;
        return resident;
    };
    std::size_t warm = 0;
    constexpr int rounds = 1500;
    for (int i = 0; i < rounds; ++i) {
        if (i == rounds / 3) warm = resident_pages();
        const ChannelHandle channel = open_channel(connection.get());
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str("haigha-test-nowhere");
        ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str(body), nullptr, error_));
        ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel.get(), -1, error_)) << error_;
    }
    EXPECT_EQ(info(connection.get(), "channels"), 0);
    // A thousand channels that each kept what they wrote would be 5,000 pages.
    EXPECT_LT(resident_pages(), warm + 1'000);
}

TEST_F(Release, HandlesAreCounted) {
    ConnectionHandle connection = connect();
    ConnectionHandle second(haigha_connection_ref(connection.get()));
    ChannelHandle channel = open_channel(connection.get());
    ChannelHandle other(haigha_channel_ref(channel.get()));
    LoopHandle loop(haigha_loop_ref(loop_.get()));
    connection.reset();
    channel.reset();
    loop.reset();
    const std::string queue = declare_queue(other.get());
    ASSERT_EQ(HAIGHA_OK, publish(other.get(), queue, "x")) << error_;
    const MessageHandle message = get(other.get(), queue);
    ASSERT_TRUE(message);
    const MessageHandle again(haigha_message_ref(message.get()));
    EXPECT_EQ(again.get(), message.get());
    EXPECT_EQ(nullptr, haigha_connection_ref(nullptr));
}

TEST_F(Release, EventsThatAreReplacedAreReleased) {
    EventLog first;
    EventLog second;
    EventLog third;
    haigha_then then = first.then();
    ConnectionHandle connection = connect({}, &then);
    then = second.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_set_events(connection.get(), &then, error_)) << error_;
    first.wait_released(1);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_set_events(connection.get(), nullptr, error_)) << error_;
    second.wait_released(1);
    then = third.then();
    ChannelHandle channel = open_channel(connection.get(), &then);
    then = first.then();
    ASSERT_EQ(HAIGHA_OK, haigha_channel_set_events(channel.get(), &then, error_)) << error_;
    third.wait_released(1);
    channel.reset();
    connection.reset();
    first.wait_released(2);
    EXPECT_EQ(second.released(), 1U);
}

TEST_F(Release, TheLogHook) {
    struct Count {
        std::atomic<int> records{0};
        std::atomic<int> releases{0};
    };
    static Count count;
    count.records = 0;
    count.releases = 0;
    const haigha_log_fn record = [](const haigha_log_record* said, void* user_data) {
        EXPECT_EQ(said->size, sizeof(haigha_log_record));
        EXPECT_EQ(view(said->message).find('\n'), std::string_view::npos);
        ++static_cast<Count*>(user_data)->records;
    };
    const haigha_release_fn release = [](void* user_data) {
        ++static_cast<Count*>(user_data)->releases;
    };
    ASSERT_EQ(HAIGHA_OK,
              haigha_loop_set_log(loop_.get(), HAIGHA_LOG_TRACE, record, &count, release, error_))
        << error_;
    ConnectionHandle connection = connect();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    connection.reset();
    EXPECT_GT(count.records, 0);
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_loop_set_log(loop_.get(), 5, record, &count, release, error_));
    EXPECT_EQ(count.releases, 0);
    ASSERT_EQ(HAIGHA_OK,
              haigha_loop_set_log(loop_.get(), HAIGHA_LOG_ERROR, nullptr, &count, release, error_));
    close_loop(loop_.get());
    EXPECT_EQ(count.releases, 1);
    EXPECT_EQ(HAIGHA_ERR_CLOSED,
              haigha_loop_set_log(loop_.get(), HAIGHA_LOG_ERROR, record, &count, release, error_));
    loop_.reset();
    // Of the second hook, when the loop's last share goes; never of the refused ones.
    const auto end = std::chrono::steady_clock::now() + patience;
    while (count.releases < 2 && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    EXPECT_EQ(count.releases, 2);
}

// "A call that returns an error has taken nothing": no callback and no release hook runs.
TEST_F(Release, ARefusalTakesNothing) {
    EventLog log;
    const haigha_then then = log.then();
    ConnectionHandle connection = connect();
    ChannelHandle channel = open_channel(connection.get());
    haigha_channel* const ch = channel.get();
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(ch, -1, error_)) << error_;

    haigha_exchange_declare_args exchange_declare = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    haigha_exchange_delete_args exchange_delete = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
    haigha_exchange_bind_args exchange_bind = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    haigha_queue_declare_args queue_declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_queue_bind_args queue_bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
    haigha_queue_delete_args queue_delete = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    haigha_get_args get_args = HAIGHA_GET_ARGS_INIT;
    haigha_consume_args consume_args = HAIGHA_CONSUME_ARGS_INIT;
    consume_args.deliveries = then;
    haigha_publish_args publish_args = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_channel_args channel_args = HAIGHA_CHANNEL_ARGS_INIT;
    channel_args.events = then;
    haigha_channel* none = nullptr;
    haigha_error** const error = nullptr;
    const std::vector<std::function<haigha_status()>> on_the_channel = {
        [&] { return haigha_channel_flow(ch, 1, &then, error); },
        [&] { return haigha_exchange_declare(ch, &exchange_declare, &then, error); },
        [&] { return haigha_exchange_delete(ch, &exchange_delete, &then, error); },
        [&] { return haigha_exchange_bind(ch, &exchange_bind, &then, error); },
        [&] { return haigha_exchange_unbind(ch, &exchange_bind, &then, error); },
        [&] { return haigha_queue_declare(ch, &queue_declare, &then, error); },
        [&] { return haigha_queue_bind(ch, &queue_bind, &then, error); },
        [&] { return haigha_queue_unbind(ch, &queue_bind, &then, error); },
        [&] { return haigha_queue_purge(ch, str("q"), &then, error); },
        [&] { return haigha_queue_delete(ch, &queue_delete, &then, error); },
        [&] { return haigha_publish(ch, &publish_args, str("x"), nullptr, error); },
        [&] { return haigha_publish_wait(ch, &publish_args, str("x"), -1, nullptr, error); },
        [&] { return haigha_confirm_select(ch, &then, error); },
        [&] { return haigha_tx_select(ch, &then, error); },
        [&] { return haigha_tx_commit(ch, &then, error); },
        [&] { return haigha_tx_rollback(ch, &then, error); },
        [&] { return haigha_qos(ch, &qos, &then, error); },
        [&] { return haigha_consume(ch, &consume_args, &then, error); },
        [&] { return haigha_consume_wait(ch, &consume_args, -1, nullptr, error); },
        [&] { return haigha_cancel(ch, str("c"), &then, error); },
        [&] { return haigha_get(ch, &get_args, &then, error); },
        [&] { return haigha_ack(ch, 1, 0, error); },
        [&] { return haigha_nack(ch, 1, 0, error); },
        [&] { return haigha_reject(ch, 1, 0, error); },
        [&] { return haigha_recover(ch, 1, &then, error); },
    };
    for (std::size_t i = 0; i < on_the_channel.size(); ++i)
        EXPECT_EQ(on_the_channel[i](), HAIGHA_ERR_CLOSED) << i;

    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_open(connection.get(), &then, error));
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_flush(connection.get(), &then, error));
    EXPECT_EQ(HAIGHA_ERR_CLOSED,
              haigha_channel_open(connection.get(), &channel_args, &then, &none, error));
    EXPECT_EQ(HAIGHA_ERR_CLOSED,
              haigha_channel_open_wait(connection.get(), &channel_args, -1, &none, error));
    EXPECT_EQ(none, nullptr);
    close_loop(loop_.get());
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_set_events(connection.get(), &then, error));
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_channel_set_events(ch, &then, error));
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_close(connection.get(), &then, error));
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_channel_close(ch, &then, error));
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_loop_close(loop_.get(), &then, error));
    const ConnectionHandle late = new_connection(loop_.get(), nullptr);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_open(late.get(), &then, error));
    channel.reset();
    connection.reset();
    loop_.reset();
    EXPECT_EQ(log.size(), 0U);
    EXPECT_EQ(log.released(), 0U);
}

// rule 15: what is under way when the loop is closed completes all the same, or is refused.
// A callable that holds a handle is let go in a release hook.
TEST_F(Release, HooksMayDropReferences) {
    struct Held {
        haigha_connection* connection;
        haigha_channel* channel;
        std::promise<void> released;
    };
    const auto drop = [](void* user_data) {
        auto* const held = static_cast<Held*>(user_data);
        haigha_channel_unref(held->channel);
        haigha_connection_unref(held->connection);
        held->released.set_value();
    };
    for (const bool in_silence : {false, true}) {
        ConnectionHandle connection = connect();
        ChannelHandle channel = open_channel(connection.get());
        const std::string queue = declare_queue(channel.get());
        Held of_consumer{
            haigha_connection_ref(connection.get()), haigha_channel_ref(channel.get()), {}};
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue);
        args.deliveries = {[](const haigha_event*, void*) {}, &of_consumer, drop, nullptr, 0};
        ASSERT_EQ(HAIGHA_OK, haigha_consume_wait(channel.get(), &args, -1, nullptr, error_))
            << error_;
        Held of_answer{
            haigha_connection_ref(connection.get()), haigha_channel_ref(channel.get()), {}};
        const haigha_then then = {[](const haigha_event*, void*) {}, &of_answer, drop, nullptr, 0};
        ASSERT_EQ(HAIGHA_OK, haigha_channel_flow(channel.get(), 1, &then, error_)) << error_;
        of_answer.released.get_future().get();
        if (in_silence) {
            haigha_loop_close(loop_.get(), nullptr, nullptr);
        } else {
            ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel.get(), -1, error_)) << error_;
        }
        of_consumer.released.get_future().get();
    }
}

// What was given to a waiting form is released all the same when the broker refuses.
TEST_F(Release, AWaitingFormTellsWhetherItsCallWasAccepted) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    std::promise<void> released;
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str("there is no such queue");
    args.deliveries = {[](const haigha_event*, void*) {}, &released,
                       [](void* of) { static_cast<std::promise<void>*>(of)->set_value(); }, nullptr,
                       0};
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER,
              haigha_consume_wait(channel.get(), &args, -1, nullptr, error_));
    EXPECT_EQ(haigha_error_accepted(error_.get()), 1);
    released.get_future().get();
    // The channel has ended: nothing is taken.
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_consume_wait(channel.get(), &args, -1, nullptr, error_));
    EXPECT_EQ(haigha_error_accepted(error_.get()), 0);
}

TEST_F(Release, ClosingTheLoopRacesWithWhatIsStarted) {
    for (int i = 0; i < 20; ++i) {
        const LoopHandle loop = start_loop();
        const ConnectionHandle connection = new_connection(loop.get(), options().get());
        EventLog closed;
        EventLog opened;
        haigha_then then = closed.then();
        ASSERT_EQ(HAIGHA_OK, haigha_loop_close(loop.get(), &then, error_)) << error_;
        then = opened.then();
        const haigha_status status = haigha_connection_open(connection.get(), &then, error_);
        closed.reply();
        if (status == HAIGHA_OK) {
            EXPECT_TRUE(opened.wait_released(1));
        } else {
            EXPECT_EQ(status, HAIGHA_ERR_CLOSED) << error_;
            EXPECT_EQ(opened.released(), 0U);
        }
    }
}

// rule 77: messages outlive their connection, on any thread.
TEST_F(Release, MessagesAreKeptAfterTheConnection) {
    std::vector<haigha_message*> kept;
    {
        ConnectionHandle connection = connect();
        const ChannelHandle channel = open_channel(connection.get());
        const std::string queue = declare_queue(channel.get());
        struct Keeper {
            std::mutex mutex;
            std::vector<haigha_message*>* kept;
        };
        static Keeper keeper;
        keeper.kept = &kept;
        EventLog log([](const haigha_event& event) {
            if (event.type != HAIGHA_EVENT_DELIVERY) return;
            const std::lock_guard lock(keeper.mutex);
            keeper.kept->push_back(haigha_message_ref(event.message));
        });
        ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, log.then(), true)) << error_;
        for (int i = 0; i < 2000; ++i) {
            const std::string body =
                std::to_string(i) + std::string(static_cast<std::size_t>(i), 'x');
            ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, body)) << error_;
        }
        log.wait_count(HAIGHA_EVENT_DELIVERY, 2000);
        ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    }
    close_loop(loop_.get());
    loop_.reset();
    std::vector<std::thread> threads;
    for (std::size_t offset = 0; offset < 4; ++offset) {
        threads.emplace_back([&kept, offset] {
            for (std::size_t i = offset; i < kept.size(); i += 4) {
                const MessageHandle message(kept[i]);
                EXPECT_EQ(view(haigha_message_body(message.get())),
                          std::to_string(i) + std::string(i, 'x'));
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
}

}  // namespace
}  // namespace haigha::test
