// Heartbeats with a real broker, and a network that dies in silence.
#include <gtest/gtest.h>

#include <chrono>
#include <semaphore>
#include <string>

#include "support/api_fixture.h"
#include "support/dead_network.h"

namespace haigha::test {
namespace {

using Clock = std::chrono::steady_clock;

class Heartbeats : public ApiTest {
  protected:
    // Over fd_, with states_ for its events.
    ConnectionHandle connect_to_cut() {
        std::int64_t port = 0;
        EXPECT_EQ(HAIGHA_OK, haigha_options_get_int(options().get(), str("port"), &port, error_))
            << error_;
        fd_ = connected_socket(static_cast<int>(port));
        const haigha_then events = states_.then();
        ConnectionHandle connection =
            new_connection(loop_.get(), options({{"heartbeat", 1}}).get(), &events);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_fd_wait(connection.get(), fd_, -1, error_))
            << error_;
        return connection;
    }

    EventLog states_;
    std::counting_semaphore<> heard_{0};  // heartbeats of the broker's
    int fd_ = -1;
};

// RabbitMQ closes a connection that misses two; the broker sends them twice a second as well.
TEST_F(Heartbeats, KeepAnIdleConnectionAndCostLittle) {
    const auto listen = [](const haigha_log_record* one, void* to) {
        if (view(one->message).starts_with("<- channel 0 heartbeat")) {
            static_cast<std::counting_semaphore<>*>(to)->release();
        }
    };
    ASSERT_EQ(HAIGHA_OK,
              haigha_loop_set_log(loop_.get(), HAIGHA_LOG_TRACE, listen, &heard_, nullptr, error_));
    const ConnectionHandle connection = connect({{"heartbeat", 1}});
    ASSERT_EQ(info(connection.get(), "heartbeat"), 1);
    const ChannelHandle channel = open_channel(connection.get());
    const auto start = Clock::now();
    const std::int64_t writes = info(connection.get(), "writes");
    // Ten of the broker's are at least four intervals.
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(heard_.try_acquire_for(patience));
    const auto intervals =
        std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - start).count() + 1;
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_OPEN);
    EXPECT_LE(info(connection.get(), "writes") - writes, 2 * intervals + 2);
    (void)declare_queue(channel.get());
}

// rules 9, 10, 12
TEST_F(Heartbeats, ANetworkThatDiesIsNoticed) {
    const ConnectionHandle connection = connect_to_cut();
    ASSERT_TRUE(cut_off(fd_));
    const auto start = Clock::now();
    EXPECT_EQ(states_.state(HAIGHA_STATE_CLOSED).status, HAIGHA_ERR_HEARTBEAT);
    EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(1000));
}

// rules 10, 15: what was taken ends as not sent or unknown, and nothing waits for the socket.
TEST_F(Heartbeats, ANetworkThatDiesIsNoticedWhileWritingIsStalled) {
    const ConnectionHandle connection = connect_to_cut();
    EventLog outcomes;
    const haigha_then then = outcomes.then();
    const ChannelHandle channel = open_channel(connection.get(), &then, true);
    const std::string queue = declare_queue(channel.get());
    ASSERT_TRUE(cut_off(fd_));
    const std::string body(100'000, 'x');
    std::size_t taken = 0;
    while (publish(channel.get(), queue, body) == HAIGHA_OK)
        ++taken;
    EXPECT_EQ(error_.status(), HAIGHA_ERR_WOULD_BLOCK) << error_;
    EXPECT_EQ(states_.state(HAIGHA_STATE_CLOSED).status, HAIGHA_ERR_HEARTBEAT);
    ASSERT_TRUE(outcomes.wait_count(HAIGHA_EVENT_OUTCOME, taken));
    std::size_t not_sent = 0;
    for (const Recorded& event : outcomes.events()) {
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        EXPECT_TRUE(event.outcome == HAIGHA_OUTCOME_NOT_SENT ||
                    event.outcome == HAIGHA_OUTCOME_UNKNOWN);
        if (event.outcome == HAIGHA_OUTCOME_NOT_SENT) ++not_sent;
    }
    EXPECT_GT(not_sent, 0U);
}

}  // namespace
}  // namespace haigha::test
