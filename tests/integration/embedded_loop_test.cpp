// The library in a libuv loop of the program's own, beside a timer and a TCP echo server.
#include <gtest/gtest.h>
#include <uv.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "support/api_fixture.h"
#include "support/lent_bodies.h"

namespace haigha::test {
namespace {

// A program with a loop: a timer that ticks, and a server that echoes to a client of its own.
class Program {
  public:
    Program() {
        EXPECT_EQ(0, uv_loop_init(&uv_));
        uv_timer_init(&uv_, &timer_);
        uv_tcp_init(&uv_, &server_);
        uv_tcp_init(&uv_, &client_);
        timer_.data = server_.data = client_.data = this;
        sockaddr_in address{};
        uv_ip4_addr("127.0.0.1", 0, &address);
        EXPECT_EQ(0, uv_tcp_bind(&server_, reinterpret_cast<sockaddr*>(&address), 0));
        EXPECT_EQ(0, uv_listen(reinterpret_cast<uv_stream_t*>(&server_), 4, on_client));
        int size = sizeof address;
        uv_tcp_getsockname(&server_, reinterpret_cast<sockaddr*>(&address), &size);
        EXPECT_EQ(0, uv_tcp_connect(&connecting_, &client_, reinterpret_cast<sockaddr*>(&address),
                                    [](uv_connect_t* request, int status) {
                                        EXPECT_EQ(status, 0);
                                        auto* const self =
                                            static_cast<Program*>(request->handle->data);
                                        read(request->handle, [](Program& program) {
                                            ++program.echoes;
                                            program.ping();
                                        });
                                        self->ping();
                                    }));
        uv_timer_start(
            &timer_, [](uv_timer_t* timer) { static_cast<Program*>(timer->data)->tick(); }, 1, 1);
    }
    ~Program() { EXPECT_EQ(0, uv_loop_close(&uv_)) << "something is left in the loop"; }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    uv_loop_t* uv() { return &uv_; }
    // To the end: until nothing is left to do.
    void run() { uv_run(&uv_, UV_RUN_DEFAULT); }
    // Its own part ends; what is left in the loop is the library's.
    void end() {
        uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
        uv_close(reinterpret_cast<uv_handle_t*>(&server_), nullptr);
        uv_close(reinterpret_cast<uv_handle_t*>(&client_), nullptr);
        if (served_) {
            uv_close(reinterpret_cast<uv_handle_t*>(served_),
                     [](uv_handle_t* handle) { delete reinterpret_cast<uv_tcp_t*>(handle); });
        }
    }

    std::function<void()> on_tick;
    int ticks = 0;
    int echoes = 0;

  private:
    using OnData = void (*)(Program& program);

    void tick() {
        ++ticks;
        if (on_tick) on_tick();
    }
    void ping() { write(reinterpret_cast<uv_stream_t*>(&client_)); }

    static void write(uv_stream_t* stream) {
        static char byte = '.';
        uv_buf_t buffer = uv_buf_init(&byte, 1);
        auto* const request = new uv_write_t;
        if (uv_write(request, stream, &buffer, 1, [](uv_write_t* done, int) { delete done; }) != 0)
            delete request;
    }
    static void allocate(uv_handle_t*, size_t, uv_buf_t* buffer) {
        static thread_local char memory[256];
        *buffer = uv_buf_init(memory, sizeof memory);
    }
    static void read(uv_stream_t* stream, OnData on_data) {
        static thread_local OnData pong;
        pong = on_data;
        uv_read_start(stream, allocate, [](uv_stream_t* from, ssize_t size, const uv_buf_t*) {
            if (size > 0) pong(*static_cast<Program*>(from->data));
        });
    }
    static void on_client(uv_stream_t* server, int status) {
        ASSERT_EQ(status, 0);
        auto* const self = static_cast<Program*>(server->data);
        auto* const served = new uv_tcp_t;
        uv_tcp_init(server->loop, served);
        served->data = self;
        self->served_ = served;
        EXPECT_EQ(0, uv_accept(server, reinterpret_cast<uv_stream_t*>(served)));
        uv_read_start(reinterpret_cast<uv_stream_t*>(served), allocate,
                      [](uv_stream_t* from, ssize_t size, const uv_buf_t*) {
                          if (size > 0) write(from);
                      });
    }

    uv_loop_t uv_;
    uv_timer_t timer_;
    uv_tcp_t server_;
    uv_tcp_t client_;
    uv_tcp_t* served_ = nullptr;
    uv_connect_t connecting_;
};

// A connection in the program's loop that publishes to itself without end.
class Mill {
  public:
    explicit Mill(haigha_loop* loop, const haigha_options* options) {
        haigha_then then{};
        then.user_data = this;
        then.fn = [](const haigha_event* event, void* self) {
            static_cast<Mill*>(self)->on_event(*event);
        };
        then_ = then;
        connection_ = new_connection(loop, options);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open(connection_.get(), &then, nullptr));
    }
    void on_event(const haigha_event& event) {
        EXPECT_EQ(event.error, nullptr) << haigha_error_message(event.error);
        if (event.type == HAIGHA_EVENT_DELIVERY) {
            ++deliveries;
            publish();
        } else if (!channel_) {
            EXPECT_EQ(HAIGHA_OK, haigha_channel_open(connection_.get(), nullptr, nullptr,
                                                     out(channel_), nullptr));
            haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
            args.exclusive = 1;
            EXPECT_EQ(HAIGHA_OK, haigha_queue_declare(channel_.get(), &args, &then_, nullptr));
        } else if (queue_.empty()) {
            queue_ = view(haigha_reply_queue(event.reply));
            haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
            args.queue = str(queue_);
            args.no_ack = 1;
            args.deliveries = then_;
            EXPECT_EQ(HAIGHA_OK, haigha_consume(channel_.get(), &args, &then_, nullptr));
        } else {
            publish();
        }
    }
    int deliveries = 0;

  private:
    void publish() {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        EXPECT_EQ(HAIGHA_OK, haigha_publish(channel_.get(), &args, str("x"), nullptr, nullptr));
    }
    haigha_then then_{};
    ConnectionHandle connection_;
    ChannelHandle channel_;
    std::string queue_;
};

class EmbeddedLoop : public ApiTest {
  protected:
    // Runs a program beside the library until each of its three parts has made progress; then ends
    // it by `end`, and uv_run has to return by itself.
    template <class End>
    void run_beside(End end) {
        Program program;
        LoopHandle loop;
        Err error;
        ASSERT_EQ(HAIGHA_OK, haigha_loop_attach(program.uv(), out(loop), error)) << error;
        auto mill = std::make_unique<Mill>(loop.get(), options().get());
        const auto deadline = std::chrono::steady_clock::now() + patience;
        program.on_tick = [&] {
            const bool enough =
                program.ticks >= 20 && program.echoes >= 50 && mill->deliveries >= 50;
            if (!enough && std::chrono::steady_clock::now() < deadline) return;
            EXPECT_TRUE(enough) << program.ticks << " ticks, " << program.echoes << " echoes, "
                                << mill->deliveries << " deliveries";
            end(loop, mill);
            program.end();
        };
        program.run();
        mill.reset();
        loop.reset();
        program.run();  // nothing keeps it
    }
};

// rules 37, 130
TEST_F(EmbeddedLoop, BesideATimerAndAServerUntilItIsClosed) {
    EventLog closed;
    run_beside([&](LoopHandle& loop, std::unique_ptr<Mill>&) {
        const haigha_then then = closed.then();
        EXPECT_EQ(HAIGHA_OK, haigha_loop_close(loop.get(), &then, nullptr));
    });
    EXPECT_EQ(closed.count(HAIGHA_EVENT_REPLY), 1U);
}

TEST_F(EmbeddedLoop, BesideATimerAndAServerUntilTheLastHandleIsDropped) {
    run_beside([](LoopHandle& loop, std::unique_ptr<Mill>& mill) {
        mill.reset();
        loop.reset();
    });
}

TEST_F(EmbeddedLoop, TwoLoopsInTwoThreads) {
    const auto run = [this] {
        run_beside([](LoopHandle& loop, std::unique_ptr<Mill>& mill) {
            mill.reset();
            loop.reset();
        });
    };
    std::thread first(run);
    std::thread second(run);
    first.join();
    second.join();
}

// rule 37: created before the loop runs, from another thread, and the loop waits for it.
TEST_F(EmbeddedLoop, WhatIsStartedBeforeTheLoopRunsIsDone) {
    uv_loop_t uv;
    ASSERT_EQ(0, uv_loop_init(&uv));
    LoopHandle loop;
    ASSERT_EQ(HAIGHA_OK, haigha_loop_attach(&uv, out(loop), error_)) << error_;
    ConnectionHandle connection = new_connection(loop.get(), options().get());
    EventLog log;
    haigha_then then = log.then(1);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open(connection.get(), &then, error_)) << error_;
    EXPECT_EQ(log.size(), 0U);
    std::thread runner([&] { uv_run(&uv, UV_RUN_DEFAULT); });
    EXPECT_FALSE(log.reply(1).failed);
    // The waiting forms serve any thread but the loop's.
    const ChannelHandle channel = open_channel(connection.get());
    EXPECT_FALSE(declare_queue(channel.get()).empty());
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    close_loop(loop.get());
    runner.join();
    EXPECT_EQ(0, uv_loop_close(&uv));
}

TEST_F(EmbeddedLoop, AttachedAndDroppedWithoutRunning) {
    uv_loop_t uv;
    ASSERT_EQ(0, uv_loop_init(&uv));
    LoopHandle loop;
    ASSERT_EQ(HAIGHA_OK, haigha_loop_attach(&uv, out(loop), error_)) << error_;
    loop.reset();
    uv_run(&uv, UV_RUN_DEFAULT);
    EXPECT_EQ(0, uv_loop_close(&uv));
}

// What a turn gives back ends the wait of that turn, as a callback does.
TEST_F(EmbeddedLoop, ALentBodyComesBackInTheTurnThatWritesIt) {
    uv_loop_t uv;
    ASSERT_EQ(0, uv_loop_init(&uv));
    LoopHandle loop;
    ASSERT_EQ(HAIGHA_OK, haigha_loop_attach(&uv, out(loop), error_)) << error_;
    {
        const ConnectionHandle connection = new_connection(loop.get(), options().get());
        EventLog log;
        const haigha_then opened = log.then(1);
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open(connection.get(), &opened, error_)) << error_;
        while (log.count(HAIGHA_EVENT_REPLY) < 1)
            uv_run(&uv, UV_RUN_ONCE);
        ChannelHandle channel;
        const haigha_then ready = log.then(2);
        ASSERT_EQ(HAIGHA_OK,
                  haigha_channel_open(connection.get(), nullptr, &ready, out(channel), error_))
            << error_;
        while (log.count(HAIGHA_EVENT_REPLY) < 2)
            uv_run(&uv, UV_RUN_ONCE);
        LentBodies bodies;
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str("haigha-test-nowhere");
        for (std::size_t i = 1; i <= 20; ++i) {
            LentBodies::Body& body = bodies.add(std::string(20'000, 'x'));
            ASSERT_EQ(HAIGHA_OK, haigha_publish_lent(channel.get(), &args, body.str(),
                                                     &LentBodies::release, &body, nullptr, error_))
                << error_;
            while (bodies.released() < i)
                uv_run(&uv, UV_RUN_ONCE);
        }
    }
    loop.reset();
    uv_run(&uv, UV_RUN_DEFAULT);
    EXPECT_EQ(0, uv_loop_close(&uv));
}

// A program with a second copy of libuv shows another address.
TEST_F(EmbeddedLoop, AnotherLibuvIsRefused) {
    uv_loop_t uv;
    ASSERT_EQ(0, uv_loop_init(&uv));
    LoopHandle loop;
    const auto foreign = reinterpret_cast<void (*)()>(&std::abort);
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_loop_attach_checked(&uv, foreign, out(loop), error_));
    EXPECT_NE(error_.message().find("uv_run"), std::string::npos) << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_loop_attach_checked(&uv, nullptr, out(loop), error_));
    EXPECT_FALSE(loop);
    EXPECT_EQ(0, uv_loop_close(&uv)) << "the refused loop was not left alone";
}

}  // namespace
}  // namespace haigha::test
