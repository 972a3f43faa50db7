// The library through its public header against a stub broker, of which no violation may remain.
#pragma once

#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "stub_broker/stub_broker.h"
#include "support/api_fixture.h"

namespace haigha::test {

class StubTest : public testing::Test {
  protected:
    void SetUp() override { start({}); }
    void TearDown() override {
        close_loop(loop_.get());
        EXPECT_EQ(broker_->violations(), std::vector<std::string>());
    }

    // Another broker, in place of the one with default options.
    void start(StubOptions options) {
        broker_ = std::make_unique<StubBroker>(std::move(options));
        if (!loop_) loop_ = start_loop();
    }
    void script(std::string_view line) { broker_->command(line); }
    bool saw(std::string_view method, std::size_t count = 1) {
        return broker_->wait_for_method(method, count, patience);
    }
    // How often a method came on one channel.
    std::size_t count_on(std::uint16_t channel, std::string_view method) const {
        std::size_t count = 0;
        for (const StubReceived& one : broker_->received())
            count += one.channel == channel && one.method == method ? 1 : 0;
        return count;
    }

    OptionsHandle options(std::initializer_list<IntOption> numbers = {}) const {
        return options_from("amqp://guest:guest@127.0.0.1:" + std::to_string(broker_->port()),
                            numbers);
    }
    ConnectionHandle connect(std::initializer_list<IntOption> numbers = {},
                             const haigha_then* events = nullptr) {
        ConnectionHandle connection = new_connection(loop_.get(), options(numbers).get(), events);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }

    static haigha_queue_declare_args declare_args(std::string_view queue) {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue);
        return args;
    }
    haigha_status declare(haigha_channel* channel, std::string_view queue,
                          std::int64_t timeout_ms = -1, std::string* name = nullptr) {
        const haigha_queue_declare_args args = declare_args(queue);
        ReplyHandle reply;
        const haigha_status status =
            haigha_queue_declare_wait(channel, &args, timeout_ms, out(reply), error_);
        if (name != nullptr) *name = view(haigha_reply_queue(reply.get()));
        return status;
    }
    void declare_soon(haigha_channel* channel, std::string_view queue, const haigha_then& then) {
        const haigha_queue_declare_args args = declare_args(queue);
        EXPECT_EQ(HAIGHA_OK, haigha_queue_declare(channel, &args, &then, error_)) << error_;
    }
    static haigha_status publish(haigha_channel* channel, std::string_view queue,
                                 std::string_view body) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue);
        return haigha_publish(channel, &args, str(body), nullptr, nullptr);
    }
    void consume(haigha_channel* channel, std::string_view queue, const haigha_then& deliveries,
                 bool no_ack = false) {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue);
        args.deliveries = deliveries;
        args.no_ack = no_ack ? 1 : 0;
        EXPECT_EQ(HAIGHA_OK, haigha_consume_wait(channel, &args, -1, nullptr, error_)) << error_;
    }

    std::unique_ptr<StubBroker> broker_;
    LoopHandle loop_;
    Err error_;
};

}  // namespace haigha::test
