// The library and its process: fork, SIGPIPE, many descriptors, and an exit in the middle.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "support/amqp_greeting.h"
#include "support/api_fixture.h"
#include "support/tcp_peer.h"

namespace haigha::test {
namespace {

class Process : public ApiTest {};

// rule 35: the child may call, and is told FORKED; what it drops does not disturb the parent.
TEST_F(Process, AForkedChildIsToldSo) {
    ConnectionHandle connection = connect();
    ChannelHandle channel = open_channel(connection.get());
    const std::string queue = declare_queue(channel.get());
    InboxHandle inbox;
    ASSERT_EQ(HAIGHA_OK, haigha_inbox_new(0, out(inbox), error_));
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        // No GoogleTest in here: the number of the first wrong answer is the exit status.
        int step = 0;
        const auto forked = [&](haigha_status status) {
            ++step;
            if (status != HAIGHA_ERR_FORKED) ::_exit(step);
        };
        haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        haigha_publish_args publish_args = HAIGHA_PUBLISH_ARGS_INIT;
        haigha_connection* other = nullptr;
        haigha_channel* none = nullptr;
        std::int64_t number = 0;
        haigha_then nobody{};
        forked(haigha_publish(channel.get(), &publish_args, str("x"), nullptr, nullptr));
        forked(haigha_publish_wait(channel.get(), &publish_args, str("x"), 10, nullptr, nullptr));
        forked(haigha_queue_declare(channel.get(), &declare, nullptr, nullptr));
        forked(haigha_queue_declare_wait(channel.get(), &declare, 10, nullptr, nullptr));
        forked(haigha_ack(channel.get(), 1, 0, nullptr));
        forked(haigha_channel_close(channel.get(), nullptr, nullptr));
        forked(haigha_channel_set_events(channel.get(), &nobody, nullptr));
        forked(haigha_channel_open(connection.get(), nullptr, nullptr, &none, nullptr));
        forked(haigha_connection_set_events(connection.get(), &nobody, nullptr));
        forked(haigha_connection_flush_wait(connection.get(), 10, nullptr));
        forked(haigha_connection_close_wait(connection.get(), 10, nullptr));
        forked(haigha_connection_info(connection.get(), str("channels"), &number, nullptr));
        forked(haigha_connection_new(loop_.get(), nullptr, nullptr, &other, nullptr));
        forked(haigha_loop_set_log(loop_.get(), 0, nullptr, nullptr, nullptr, nullptr));
        forked(haigha_loop_close(loop_.get(), nullptr, nullptr));
        haigha_event event;
        std::size_t count = 0;
        forked(haigha_inbox_poll(inbox.get(), &event, sizeof event, 1, -1, &count, nullptr));
        forked(haigha_inbox_set_ready(inbox.get(), nullptr, nullptr, nullptr, nullptr));
        // Asking is harmless, and so is dropping.
        (void)haigha_connection_state(connection.get());
        (void)haigha_channel_id(channel.get());
        haigha_error_free(haigha_connection_last_error(connection.get()));
        channel.reset();
        connection.reset();
        inbox.reset();
        loop_.reset();
        ::_exit(0);
    }
    int status = -1;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    ASSERT_TRUE(WIFEXITED(status)) << "the child was killed by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "the number of the call that was not refused";
    // One clean stream: the parent goes on.
    for (int i = 0; i < 10; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x")) << error_;
    EXPECT_TRUE(wait_messages(channel.get(), queue, 10));
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

// A child that ends by exit() runs what the libraries have left for that.
TEST_F(Process, AForkedChildMayEndByExit) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) std::exit(0);
    int status = -1;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    ASSERT_TRUE(WIFEXITED(status)) << "the child was killed by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_FALSE(declare_queue(channel.get()).empty());
}

// rule 34: no select() anywhere.
TEST_F(Process, DescriptorsBeyond1024) {
    rlimit limit{};
    ASSERT_EQ(0, ::getrlimit(RLIMIT_NOFILE, &limit));
    const rlimit before = limit;
    if (limit.rlim_max < 1200) GTEST_SKIP() << "the system allows too few descriptors";
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
    ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &limit));
    std::vector<int> descriptors;
    while (descriptors.empty() || descriptors.back() < 1030) {
        descriptors.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ASSERT_GE(descriptors.back(), 0);
    }
    {
        const LoopHandle loop = start_loop();
        const ConnectionHandle connection = new_connection(loop.get(), options().get());
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        const ChannelHandle channel = open_channel(connection.get());
        const std::string queue = declare_queue(channel.get());
        // An earlier test's loop may close its descriptors only now: low ones are used up until
        // none is left.
        std::vector<InboxHandle> low;
        InboxHandle inbox;
        while (haigha_inbox_fd(inbox.get()) <= 1024) {
            ASSERT_LT(low.size(), 64U);
            low.push_back(std::move(inbox));
            ASSERT_EQ(HAIGHA_OK, haigha_inbox_new(0, out(inbox), error_)) << error_;
        }
        haigha_then then{};
        then.inbox = inbox.get();
        ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, then, true)) << error_;
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x")) << error_;
        haigha_event event{};
        std::size_t count = 0;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_inbox_poll(inbox.get(), &event, sizeof event, 1, 60'000, &count, error_))
            << error_;
        EXPECT_EQ(count, 1U);
        close_loop(loop.get());
    }
    for (const int descriptor : descriptors)
        ::close(descriptor);
    ::setrlimit(RLIMIT_NOFILE, &before);
}

// Writes until it is known that the peer has reset the connection; returns why it ended. `turn`
// lets the loop go on.
haigha_status write_into_reset(haigha_loop* loop, const TcpPeer& peer,
                               const std::function<void()>& turn) {
    Err error;
    const ConnectionHandle connection = new_connection(loop, peer.options().get());
    ChannelHandle channel;
    EXPECT_EQ(HAIGHA_OK, haigha_connection_open(connection.get(), nullptr, error)) << error;
    while (haigha_connection_state(connection.get()) != HAIGHA_STATE_CLOSED) {
        const bool open = haigha_connection_state(connection.get()) == HAIGHA_STATE_OPEN;
        if (open && !channel) {
            haigha_channel_open(connection.get(), nullptr, nullptr, out(channel), nullptr);
        }
        if (channel) {
            const haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
            haigha_publish(channel.get(), &args, str("x"), nullptr, nullptr);
        }
        turn();
    }
    const ErrorHandle last(haigha_connection_last_error(connection.get()));
    return haigha_error_status(last.get());
}

// rule 93: a write to a connection that was reset, at the default disposition of SIGPIPE.
TEST_F(Process, APeerThatResetsIsNoSignal) {
    struct sigaction action {};
    ASSERT_EQ(0, ::sigaction(SIGPIPE, nullptr, &action));
    ASSERT_EQ(action.sa_handler, SIG_DFL);
    const auto at_once = [](TcpPeer::Client& client) { client.reset(); };
    const auto once_open = [](TcpPeer::Client& client) {
        greet(client);
        client.reset();
    };
    uv_loop_t uv;
    ASSERT_EQ(0, uv_loop_init(&uv));
    LoopHandle attached;
    ASSERT_EQ(HAIGHA_OK, haigha_loop_attach(&uv, out(attached), error_)) << error_;
    for (int i = 0; i < 20; ++i) {
        for (const std::function<void(TcpPeer::Client&)>& serve :
             {std::function<void(TcpPeer::Client&)>(at_once), {once_open}}) {
            const TcpPeer peer(serve);
            EXPECT_EQ(HAIGHA_ERR_IO,
                      write_into_reset(loop_.get(), peer, [] { std::this_thread::yield(); }));
            // The same in a loop of the program's own.
            EXPECT_EQ(HAIGHA_ERR_IO,
                      write_into_reset(attached.get(), peer, [&] { uv_run(&uv, UV_RUN_NOWAIT); }));
        }
    }
    attached.reset();
    EXPECT_EQ(0, uv_run(&uv, UV_RUN_DEFAULT));
    EXPECT_EQ(0, uv_loop_close(&uv));
    // The library leaves the process's signals alone.
    ASSERT_EQ(0, ::sigaction(SIGPIPE, nullptr, &action));
    EXPECT_EQ(action.sa_handler, SIG_DFL);
}

class ProcessDeathTest : public ApiTest {
  protected:
    void SetUp() override {
        testing::GTEST_FLAG(death_test_style) = "threadsafe";
        ApiTest::SetUp();
    }
};

// rule 124: a process ends while events wait and a consumer runs, and nothing was closed.
TEST_F(ProcessDeathTest, ExitWithALiveConnection) {
    EXPECT_EXIT(
        {
            const LoopHandle loop = start_loop();
            ConnectionHandle connection = new_connection(loop.get(), options().get());
            haigha_connection_open_wait(connection.get(), -1, nullptr);
            ChannelHandle channel = open_channel(connection.get());
            const std::string queue = declare_queue(channel.get());
            InboxHandle inbox;
            haigha_inbox_new(0, out(inbox), nullptr);
            haigha_then then{};
            then.inbox = inbox.get();
            consume(channel.get(), queue, then, true);
            for (int i = 0; i < 1000; ++i)
                publish(channel.get(), queue, "x");
            haigha_event event{};
            std::size_t count = 0;
            haigha_inbox_poll(inbox.get(), &event, sizeof event, 1, 60'000, &count, nullptr);
            // Nothing is dropped: as in a language whose objects are left to the system.
            (void)inbox.release();
            (void)channel.release();
            (void)connection.release();
            std::quick_exit(count == 1 ? 0 : 9);
        },
        testing::ExitedWithCode(0), "");
}

// The same at other moments: nothing was fetched yet, or only a part, and a thread waits for more.
TEST_F(ProcessDeathTest, ExitAtAnyMomentWithUnreadEvents) {
    for (const std::size_t wanted : {0, 1, 100, 1000}) {
        SCOPED_TRACE(wanted);
        EXPECT_EXIT(
            {
                haigha_loop* const loop = start_loop().release();
                haigha_connection* const connection =
                    new_connection(loop, options().get()).release();
                haigha_connection_open_wait(connection, -1, nullptr);
                haigha_channel* const channel = open_channel(connection).release();
                const std::string queue = declare_queue(channel);
                haigha_inbox* inbox = nullptr;
                haigha_inbox_new(0, &inbox, nullptr);
                haigha_then then{};
                then.inbox = inbox;
                consume(channel, queue, then, true);
                for (int i = 0; i < 2000; ++i)
                    publish(channel, queue, "x");
                std::size_t seen = 0;
                while (seen < wanted) {
                    haigha_event events[10];
                    std::size_t count = 0;
                    haigha_inbox_poll(inbox, events, sizeof events[0], 10, 60'000, &count, nullptr);
                    seen += count;
                }
                // Which it goes on doing while the process ends.
                std::thread([inbox] {
                    haigha_event events[10];
                    std::size_t count = 0;
                    while (haigha_inbox_poll(inbox, events, sizeof events[0], 10, -1, &count,
                                             nullptr) == HAIGHA_OK) {
                    }
                }).detach();
                std::exit(seen >= wanted ? 0 : 9);
            },
            testing::ExitedWithCode(0), "");
    }
}

TEST_F(ProcessDeathTest, ReturnFromMainWithALiveConnection) {
    EXPECT_EXIT(
        {
            haigha_loop* loop = start_loop().release();
            haigha_connection* const connection = new_connection(loop, options().get()).release();
            haigha_connection_open_wait(connection, -1, nullptr);
            haigha_channel* const channel = open_channel(connection).release();
            publish(channel, "", "x");
            std::exit(0);
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace haigha::test
