// Tests of requests and their answers on a real broker.
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <haigha/rpc.h>
#include <uv.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/api_fixture.h"
#include "support/fault_proxy.h"

namespace haigha::test {
namespace {

class Rpc : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        server_ = open_channel(connection_.get());
        queue_ = declare_queue(server_.get());
        ASSERT_EQ(HAIGHA_OK,
                  haigha_rpc_client_new(connection_.get(), nullptr, out(client_), error_))
            << error_;
    }
    void TearDown() override {
        client_.reset();
        server_.reset();
        connection_.reset();
        ApiTest::TearDown();
    }

    // Answers each request with what it asks, and an exclamation mark.
    void serve() {
        ASSERT_EQ(HAIGHA_OK, consume(server_.get(), queue_, requests_.then())) << error_;
    }
    haigha_status call(std::string_view body, const haigha_then& then,
                       std::int64_t timeout_ms = -1) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        return haigha_rpc_call(client_.get(), &args, str(body), timeout_ms, &then, error_);
    }
    haigha_status call_wait(std::string_view key, std::string_view body,
                            std::int64_t timeout_ms = -1) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(key);
        return haigha_rpc_call_wait(client_.get(), &args, str(body), timeout_ms, out(reply_),
                                    error_);
    }
    std::string_view answer() const {
        return view(haigha_message_body(haigha_reply_message(reply_.get())));
    }
    std::int64_t number_of(std::string_view name) {
        std::int64_t value = -1;
        EXPECT_EQ(HAIGHA_OK, haigha_rpc_client_info(client_.get(), str(name), &value, error_))
            << error_;
        return value;
    }

    ConnectionHandle connection_;
    ChannelHandle server_;
    std::string queue_;
    RpcClientHandle client_;
    ReplyHandle reply_;
    EventLog requests_{[](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        const std::string body = std::string(view(event.body)) + "!";
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_TYPE;
        properties.type = str("answer");
        EXPECT_EQ(HAIGHA_OK,
                  haigha_rpc_reply(event.channel, event.message, &properties, str(body), nullptr));
        haigha_ack(event.channel, event.number, 0, nullptr);
    }};
};

TEST_F(Rpc, AnAnswerComesToItsRequest) {
    serve();
    ASSERT_EQ(HAIGHA_OK, call_wait(queue_, "hello")) << error_;
    EXPECT_EQ(answer(), "hello!");
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    ASSERT_EQ(HAIGHA_OK,
              haigha_message_properties(haigha_reply_message(reply_.get()), &properties, nullptr));
    EXPECT_EQ(view(properties.type), "answer");
    ASSERT_EQ(HAIGHA_OK, call_wait(queue_, std::string(200'000, 'x'))) << error_;
    EXPECT_EQ(answer().size(), 200'001U);
}

// rule 16: whoever waits is given its own answer.
TEST_F(Rpc, ThousandsAreOpenAtOnceFromSeveralThreads) {
    constexpr int threads = 3;
    constexpr int each = 1500;
    std::vector<std::unique_ptr<EventLog>> logs;
    std::vector<std::thread> callers;
    for (int i = 0; i < threads; ++i)
        logs.push_back(std::make_unique<EventLog>());
    for (int i = 0; i < threads; ++i) {
        callers.emplace_back([&, i] {
            haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
            args.routing_key = str(queue_);
            for (int n = 0; n < each; ++n) {
                const haigha_then then = logs[i]->then(static_cast<std::uint64_t>(n));
                const std::string body = std::to_string(i) + " " + std::to_string(n);
                EXPECT_EQ(HAIGHA_OK,
                          haigha_rpc_call(client_.get(), &args, str(body), 60'000, &then, nullptr));
            }
        });
    }
    for (std::thread& caller : callers)
        caller.join();
    EXPECT_EQ(number_of("open"), threads * each);
    serve();
    for (int i = 0; i < threads; ++i) {
        logs[i]->wait_count(HAIGHA_EVENT_REPLY, each);
        for (const Recorded& event : logs[i]->events()) {
            EXPECT_FALSE(event.failed) << event.error;
            EXPECT_EQ(event.body, std::to_string(i) + " " + std::to_string(event.tag) + "!");
        }
    }
    EXPECT_EQ(number_of("answers"), threads * each);
    EXPECT_EQ(number_of("open"), 0);
}

TEST_F(Rpc, AnAnswerThatIsLateIsNobodys) {
    // Once a call has ended so, requests are published as they are made.
    EXPECT_EQ(HAIGHA_ERR_RETURNED, call_wait("haigha-test-no-such-queue", "x")) << error_;
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, call_wait(queue_, "first", 1)) << error_;
    EXPECT_NE(error_.message().find("no answer came in time"), std::string::npos) << error_;
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, call("second", log.then(7), 2)) << error_;
    const Recorded late = log.wait_for(HAIGHA_EVENT_REPLY);
    EXPECT_EQ(late.status, HAIGHA_ERR_TIMEOUT) << late.error;
    serve();
    ASSERT_EQ(HAIGHA_OK, call_wait(queue_, "third")) << error_;
    EXPECT_EQ(answer(), "third!");
    EXPECT_EQ(number_of("late_answers"), 2);
    EXPECT_EQ(number_of("timeouts"), 2);
    EXPECT_EQ(log.count(HAIGHA_EVENT_REPLY), 1U);
}

TEST_F(Rpc, ThatNobodyServesIsToldAtOnce) {
    EXPECT_EQ(HAIGHA_ERR_RETURNED, call_wait("haigha-test-no-such-queue", "x")) << error_;
    EXPECT_EQ(error_.code(), 312);
    EXPECT_NE(error_.message().find("no queue took the request"), std::string::npos) << error_;
}

TEST_F(Rpc, AnAnswerToNobodyIsRefused) {
    EventLog log([](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        Err error;
        EXPECT_EQ(HAIGHA_ERR_MALFORMED,
                  haigha_rpc_reply(event.channel, event.message, nullptr, str("x"), error));
        EXPECT_NE(error.message().find("no reply_to"), std::string::npos) << error;
    });
    ASSERT_EQ(HAIGHA_OK, consume(server_.get(), queue_, log.then(), true)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(server_.get(), queue_, "no request")) << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 1);
}

TEST_F(Rpc, CallsAreLimited) {
    haigha_rpc_client_args args = HAIGHA_RPC_CLIENT_ARGS_INIT;
    args.max_calls = 2;
    ASSERT_EQ(HAIGHA_OK, haigha_rpc_client_new(connection_.get(), &args, out(client_), error_))
        << error_;
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, call("1", log.then())) << error_;
    ASSERT_EQ(HAIGHA_OK, call("2", log.then())) << error_;
    const haigha_then refused = log.then();
    EXPECT_EQ(HAIGHA_ERR_WOULD_BLOCK, call("3", refused)) << error_;
    refused.release(refused.user_data);  // a refused call takes nothing
    serve();
    log.wait_count(HAIGHA_EVENT_REPLY, 2);
    ASSERT_EQ(HAIGHA_OK, call_wait(queue_, "4")) << error_;
    EXPECT_EQ(answer(), "4!");
}

// rule 82: an answer may be waited for by whoever serves others.
TEST_F(Rpc, CallsFromItsOwnAnswers) {
    serve();
    EventLog second;
    EventLog first([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_REPLY) return;
        EXPECT_EQ(HAIGHA_OK, call("again", second.then()));
        EXPECT_EQ(HAIGHA_ERR_WRONG_THREAD, call_wait(queue_, "wait"));
    });
    ASSERT_EQ(HAIGHA_OK, call("once", first.then())) << error_;
    EXPECT_EQ(second.wait_for(HAIGHA_EVENT_REPLY).body, "again!");
}

TEST_F(Rpc, ACallTriesForTheChannelThatThereWasNone) {
    const ConnectionHandle narrow = connect({{"channel_max", 1}});
    ChannelHandle only = open_channel(narrow.get());
    ASSERT_EQ(HAIGHA_OK, haigha_rpc_client_new(narrow.get(), nullptr, out(client_), error_))
        << error_;
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, call_wait(queue_, "x", 5)) << error_;
    serve();
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(only.get(), -1, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, call_wait(queue_, "y", 60'000)) << error_;
    EXPECT_EQ(answer(), "y!");
}

TEST_F(Rpc, ARequestThatFitsNoFrameIsRefusedAndHoldsNobodyUp) {
    const ConnectionHandle narrow = connect({{"frame_max", 8192}});
    ASSERT_EQ(HAIGHA_OK, haigha_rpc_client_new(narrow.get(), nullptr, out(client_), error_))
        << error_;
    TableHandle headers;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(headers), error_));
    const std::string wide(9000, 'h');
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_string(headers.get(), str("h"), str(wide), error_));
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = headers.get();
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue_);
    args.properties = &properties;
    serve();
    EventLog log;
    for (int i = 0; i < 2; ++i) {  // before there is a channel, and on it
        const haigha_then then = log.then();
        ASSERT_EQ(HAIGHA_OK, haigha_rpc_call(client_.get(), &args, str("x"), 60'000, &then, error_))
            << error_;
        ASSERT_EQ(HAIGHA_OK, call_wait(queue_, "y", 60'000)) << error_;
        EXPECT_EQ(log.wait_for(HAIGHA_EVENT_REPLY, static_cast<std::size_t>(i)).status,
                  HAIGHA_ERR_ARGUMENT);
    }
}

TEST_F(Rpc, HandlesGoInAnyOrder) {
    for (int order = 0; order < 3; ++order) {
        ConnectionHandle connection = connect();
        RpcClientHandle client;
        ASSERT_EQ(HAIGHA_OK, haigha_rpc_client_new(connection.get(), nullptr, out(client), error_))
            << error_;
        EventLog log;
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        const haigha_then then = log.then();
        ASSERT_EQ(HAIGHA_OK, haigha_rpc_call(client.get(), &args, str("x"), 60'000, &then, error_))
            << error_;
        if (order == 0) {
            client.reset();
            connection.reset();
        } else if (order == 1) {
            connection.reset();
            client.reset();
        } else {
            ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_))
                << error_;
            EXPECT_TRUE(log.wait_for(HAIGHA_EVENT_REPLY).failed);
            EXPECT_EQ(HAIGHA_ERR_CLOSED,
                      haigha_rpc_call(client.get(), &args, str("x"), 60'000, nullptr, error_))
                << error_;
        }
        EXPECT_TRUE(log.wait_released(1)) << order;
    }
}

// What was published is lost with its channel, and says so at once; what comes meanwhile waits.
TEST_F(Rpc, GoesOnWithAConnectionThatRecovers) {
    const std::size_t colon = uri_.rfind(':');
    FaultProxy proxy(static_cast<std::uint16_t>(std::stoi(uri_.substr(colon + 1))));
    const OptionsHandle chosen =
        options_from(uri_.substr(0, colon + 1) + std::to_string(proxy.port()),
                     {{"recovery", 1}, {"recovery_delay_ms", 10}, {"recovery_max_delay_ms", 100}});
    EventLog states;
    const haigha_then then = states.then();
    const ConnectionHandle through = new_connection(loop_.get(), chosen.get(), &then);
    ASSERT_EQ(HAIGHA_OK, haigha_rpc_client_new(through.get(), nullptr, out(client_), error_))
        << error_;
    EventLog before;
    ASSERT_EQ(HAIGHA_OK, call("before it is open", before.then(), 60'000)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(through.get(), -1, error_)) << error_;
    ASSERT_TRUE(wait_messages(server_.get(), queue_, 1));
    proxy.command("refuse on");
    proxy.command("reset");
    const Recorded lost = before.wait_for(HAIGHA_EVENT_REPLY);
    EXPECT_EQ(lost.status, HAIGHA_ERR_IO) << lost.error;
    states.state(HAIGHA_STATE_RECOVERING);
    EventLog meanwhile;
    ASSERT_EQ(HAIGHA_OK, call("meanwhile", meanwhile.then(), 60'000)) << error_;
    EXPECT_EQ(number_of("waiting"), 1);
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, call_wait(queue_, "too soon", 5)) << error_;
    EXPECT_NE(error_.message().find("could not be published"), std::string::npos) << error_;
    proxy.command("refuse off");
    serve();
    EXPECT_EQ(meanwhile.wait_for(HAIGHA_EVENT_REPLY).body, "meanwhile!");
    ASSERT_EQ(HAIGHA_OK, call_wait(queue_, "after", 60'000)) << error_;
    EXPECT_EQ(answer(), "after!");
}

// Its timer is the loop's: it is gone with the connection, whoever still holds the client.
TEST_F(Rpc, NothingIsLeftInALoopOfTheProgramsOwn) {
    uv_loop_t uv;
    ASSERT_EQ(0, uv_loop_init(&uv));
    LoopHandle attached;
    ASSERT_EQ(HAIGHA_OK, haigha_loop_attach(&uv, out(attached), error_)) << error_;
    ConnectionHandle connection = new_connection(attached.get(), options().get(), nullptr);
    ASSERT_EQ(HAIGHA_OK, haigha_rpc_client_new(connection.get(), nullptr, out(client_), error_))
        << error_;
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, call("nobody answers", log.then(), 3600'000)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open(connection.get(), nullptr, error_)) << error_;
    while (count_messages(server_.get(), queue_) == 0)
        uv_run(&uv, UV_RUN_NOWAIT);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close(connection.get(), nullptr, error_)) << error_;
    while (log.count(HAIGHA_EVENT_REPLY) == 0)
        uv_run(&uv, UV_RUN_ONCE);
    ASSERT_EQ(HAIGHA_OK, haigha_loop_close(attached.get(), nullptr, error_)) << error_;
    uv_run(&uv, UV_RUN_DEFAULT);
    EXPECT_EQ(0, uv_loop_close(&uv));
    client_.reset();
}

TEST_F(Rpc, TheLoopClosesUnderIt) {
    std::thread waiter([&] {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        EXPECT_EQ(HAIGHA_ERR_CLOSED,
                  haigha_rpc_call_wait(client_.get(), &args, str("x"), 60'000, nullptr, nullptr));
    });
    ASSERT_TRUE(wait_messages(server_.get(), queue_, 1));
    close_loop(loop_.get());
    loop_.reset();
    waiter.join();
}

}  // namespace
}  // namespace haigha::test
