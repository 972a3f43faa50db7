// A test on the private RabbitMQ that HAIGHA_TEST_URI names, through the public API.
#pragma once

#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <atomic>
#include <cstdlib>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "support/api_handles.h"
#include "support/event_log.h"

namespace haigha::test {

struct IntOption {
    std::string_view name;
    std::int64_t value;
};

inline OptionsHandle options_from(std::string_view uri,
                                  std::initializer_list<IntOption> numbers = {}) {
    Err error;
    OptionsHandle options;
    EXPECT_EQ(HAIGHA_OK, haigha_options_new(out(options), error)) << error;
    EXPECT_EQ(HAIGHA_OK, haigha_options_set_uri(options.get(), str(uri), error)) << error;
    for (const IntOption& option : numbers) {
        EXPECT_EQ(HAIGHA_OK,
                  haigha_options_set_int(options.get(), str(option.name), option.value, error))
            << error;
    }
    return options;
}

inline LoopHandle start_loop() {
    Err error;
    LoopHandle loop;
    EXPECT_EQ(HAIGHA_OK, haigha_loop_start(out(loop), error)) << error;
    return loop;
}

// Ends the loop and waits until it has ended: nothing of a test runs into the next one.
inline void close_loop(haigha_loop* loop) {
    EventLog log;
    const haigha_then then = log.then();
    if (haigha_loop_close(loop, &then, nullptr) == HAIGHA_OK) log.reply();
}

inline ConnectionHandle new_connection(haigha_loop* loop, const haigha_options* options,
                                       const haigha_then* events = nullptr) {
    Err error;
    ConnectionHandle connection;
    EXPECT_EQ(HAIGHA_OK, haigha_connection_new(loop, options, events, out(connection), error))
        << error;
    return connection;
}

inline ChannelHandle open_channel(haigha_connection* connection, const haigha_channel_args& args) {
    Err error;
    ChannelHandle channel;
    EXPECT_EQ(HAIGHA_OK, haigha_channel_open_wait(connection, &args, -1, out(channel), error))
        << error;
    return channel;
}

inline ChannelHandle open_channel(haigha_connection* connection,
                                  const haigha_then* events = nullptr, bool confirm = false) {
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    if (events != nullptr) args.events = *events;
    args.confirm = confirm ? 1 : 0;
    return open_channel(connection, args);
}

inline haigha_channel_args confirming(EventLog& events, std::uint8_t publish_policy = 0) {
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.events = events.then();
    args.confirm = 1;
    args.publish_policy = publish_policy;
    return args;
}

// A name that no other test and no other run uses.
inline std::string unique_name(std::string_view what) {
    static std::atomic<unsigned> count{0};
    return "haigha-test-" + std::string(what) + "-" + std::to_string(std::rand()) + "-" +
           std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()) + "-" +
           std::to_string(++count);
}

inline std::int64_t info(haigha_connection* connection, std::string_view name) {
    Err error;
    std::int64_t value = -1;
    EXPECT_EQ(HAIGHA_OK, haigha_connection_info(connection, str(name), &value, error)) << error;
    return value;
}

class ApiTest : public testing::Test {
  protected:
    void SetUp() override {
        const char* const uri = std::getenv("HAIGHA_TEST_URI");
        if (uri == nullptr || *uri == '\0') {
            GTEST_SKIP()
                << "HAIGHA_TEST_URI names no broker: run this by `tools/dev test`, or start "
                   "one with `tools/broker start` and set it to what that prints";
        }
        uri_ = uri;
        loop_ = start_loop();
    }
    void TearDown() override {
        if (loop_) close_loop(loop_.get());
    }

    OptionsHandle options(std::initializer_list<IntOption> numbers = {}) const {
        return options_from(uri_, numbers);
    }
    // Throws when it fails, which ends the test: without a connection the rest says nothing.
    ConnectionHandle connect(std::initializer_list<IntOption> numbers = {},
                             const haigha_then* events = nullptr) {
        ConnectionHandle connection = new_connection(loop_.get(), options(numbers).get(), events);
        if (haigha_connection_open_wait(connection.get(), -1, error_) != HAIGHA_OK) {
            throw std::runtime_error("cannot connect: " + error_.message());
        }
        return connection;
    }

    // A queue of this connection alone; RabbitMQ chooses its name.
    std::string declare_queue(haigha_channel* channel, const haigha_table* arguments = nullptr) {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.exclusive = 1;
        args.arguments = arguments;
        ReplyHandle reply;
        EXPECT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel, &args, -1, out(reply), error_))
            << error_;
        return std::string(view(haigha_reply_queue(reply.get())));
    }
    // One that outlives connections, and the broker.
    void declare_durable(haigha_channel* channel, const std::string& queue) {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue);
        args.durable = 1;
        ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel, &args, -1, nullptr, error_))
            << error_;
    }
    void delete_queue(haigha_channel* channel, const std::string& queue) {
        haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        args.queue = str(queue);
        EXPECT_EQ(HAIGHA_OK, haigha_queue_delete_wait(channel, &args, -1, nullptr, error_))
            << error_;
    }
    std::uint32_t count_messages(haigha_channel* channel, const std::string& queue) {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue);
        args.passive = 1;
        ReplyHandle reply;
        EXPECT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel, &args, -1, out(reply), error_))
            << error_;
        return haigha_reply_message_count(reply.get());
    }
    // RabbitMQ answers a declare before what it was sent just before has reached the queue.
    bool wait_messages(haigha_channel* channel, const std::string& queue, std::uint32_t count) {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < end) {
            if (count_messages(channel, queue) == count) return true;
        }
        return false;
    }
    haigha_status publish(haigha_channel* channel, std::string_view queue, std::string_view body,
                          std::uint64_t* sequence = nullptr, void* user_data = nullptr) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue);
        args.user_data = user_data;
        return haigha_publish(channel, &args, str(body), sequence, error_);
    }
    // Gets one message; null when there is none.
    MessageHandle get(haigha_channel* channel, const std::string& queue, bool no_ack = true) {
        haigha_get_args args = HAIGHA_GET_ARGS_INIT;
        args.queue = str(queue);
        args.no_ack = no_ack ? 1 : 0;
        ReplyHandle reply;
        EXPECT_EQ(HAIGHA_OK, haigha_get_wait(channel, &args, -1, out(reply), error_)) << error_;
        return MessageHandle(haigha_message_ref(haigha_reply_message(reply.get())));
    }
    haigha_status consume(haigha_channel* channel, const std::string& queue,
                          const haigha_then& deliveries, bool no_ack = false,
                          std::string_view consumer_tag = {}) {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue);
        args.consumer_tag = str(consumer_tag);
        args.deliveries = deliveries;
        args.no_ack = no_ack ? 1 : 0;
        return haigha_consume_wait(channel, &args, -1, nullptr, error_);
    }
    // Runs an asynchronous operation and gives its completion.
    template <class Start>
    Recorded completion(Start start) {
        EventLog log;
        const haigha_then then = log.then(7);
        EXPECT_EQ(HAIGHA_OK, start(&then)) << error_;
        Recorded reply = log.reply(7);
        EXPECT_TRUE(log.wait_released(1));
        EXPECT_EQ(log.size(), 1U);
        return reply;
    }

    std::string uri_;
    LoopHandle loop_;
    Err error_;
};

}  // namespace haigha::test
