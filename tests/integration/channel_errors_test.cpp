// What the broker refuses: each time the code, the text and the method, word for word.
#include <gtest/gtest.h>

#include <string>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class ChannelErrors : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        channel_ = open_channel(connection_.get());
        ch_ = channel_.get();
    }
    haigha_status declare(haigha_channel* channel, std::string_view queue, bool passive,
                          bool exclusive) {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue);
        args.passive = passive ? 1 : 0;
        args.exclusive = exclusive ? 1 : 0;
        return haigha_queue_declare_wait(channel, &args, -1, nullptr, error_);
    }
    void expect_channel_error(int code, const std::string& method, const std::string& text) {
        EXPECT_EQ(error_.status(), HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER) << error_;
        EXPECT_EQ(error_.code(), code);
        EXPECT_EQ(error_.method(), method);
        EXPECT_EQ(error_.text(), text);
        EXPECT_NE(error_.message().find(text), std::string::npos) << error_;
        EXPECT_EQ(error_.stage(), "ready");
    }

    ConnectionHandle connection_;
    ChannelHandle channel_;
    haigha_channel* ch_ = nullptr;
};

// rules 32, 149
TEST_F(ChannelErrors, NotFound) {
    const std::string name = unique_name("missing");
    declare(ch_, name, true, false);
    expect_channel_error(404, "queue.declare", "NOT_FOUND - no queue '" + name + "' in vhost '/'");
    EXPECT_EQ(haigha_error_class_id(error_.get()), 50);
    EXPECT_EQ(haigha_error_method_id(error_.get()), 10);
    EXPECT_EQ(haigha_error_channel_id(error_.get()), haigha_channel_id(ch_));
    EXPECT_NE(view(haigha_error_host(error_.get())).find("127.0.0.1:"), std::string_view::npos);

    // Every later call fails with the original reason; the handle remembers it.
    EXPECT_EQ(HAIGHA_ERR_CLOSED, declare(ch_, name, true, false));
    EXPECT_EQ(error_.code(), 404);
    const ErrorHandle last(haigha_channel_last_error(ch_));
    EXPECT_EQ(haigha_error_reply_code(last.get()), 404);
    EXPECT_EQ(haigha_channel_state(ch_), HAIGHA_STATE_CLOSED);
    EXPECT_EQ(haigha_connection_state(connection_.get()), HAIGHA_STATE_OPEN);
    EXPECT_EQ(haigha_connection_last_error(connection_.get()), nullptr);
}

TEST_F(ChannelErrors, ResourceLocked) {
    const std::string queue = unique_name("locked");
    ASSERT_EQ(HAIGHA_OK, declare(ch_, queue, false, true)) << error_;
    const ConnectionHandle stranger = connect();
    const ChannelHandle other = open_channel(stranger.get());
    declare(other.get(), queue, false, true);
    // RabbitMQ cuts the text to the 255 bytes of a short string.
    EXPECT_EQ(
        error_.text().find("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '" +
                           queue + "' in vhost '/'. It could be "),
        0U)
        << error_.text();
    expect_channel_error(405, "queue.declare", error_.text());
}

TEST_F(ChannelErrors, PreconditionFailed) {
    haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    args.exchange = str("amq.direct");
    args.type = str("fanout");
    args.durable = 1;
    haigha_exchange_declare_wait(ch_, &args, -1, nullptr, error_);
    expect_channel_error(406, "exchange.declare",
                         "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' "
                         "in vhost '/': received 'fanout' but current is 'direct'");
}

TEST_F(ChannelErrors, AccessRefused) {
    haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    args.exchange = str("amq.haigha");
    const Recorded reply = completion(
        [&](const haigha_then* then) { return haigha_exchange_declare(ch_, &args, then, error_); });
    EXPECT_TRUE(reply.failed);
    EXPECT_FALSE(reply.has_reply);
    EXPECT_EQ(reply.status, HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER);
    EXPECT_EQ(reply.reply_code, 403);
    EXPECT_EQ(reply.method, "exchange.declare");
    EXPECT_EQ(reply.reply_text,
              "ACCESS_REFUSED - exchange name 'amq.haigha' contains reserved prefix 'amq.*'");
}

TEST_F(ChannelErrors, WhatWaitsBehindTheFailureFailsWithItsReason) {
    EventLog log;
    const std::string missing = unique_name("missing");
    haigha_queue_declare_args bad = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    bad.queue = str(missing);
    bad.passive = 1;
    haigha_queue_declare_args good = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    good.exclusive = 1;
    haigha_then then = log.then(0);
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare(ch_, &bad, &then, error_)) << error_;
    std::size_t accepted = 1;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        then = log.then(i);
        if (haigha_queue_declare(ch_, &good, &then, error_) == HAIGHA_OK) {
            ++accepted;
        } else {
            // The failure has come in meanwhile.
            EXPECT_EQ(error_.status(), HAIGHA_ERR_CLOSED) << error_;
            EXPECT_EQ(error_.code(), 404) << error_;
        }
    }
    EXPECT_TRUE(log.wait_released(accepted));
    EXPECT_EQ(log.size(), accepted);
    for (const Recorded& reply : log.events())
        EXPECT_EQ(reply.reply_code, 404) << reply.tag;
}

// rule 32: at no moment is there a refusal without the reason.
TEST_F(ChannelErrors, ARefusalAlwaysHasTheReason) {
    for (int i = 0; i < 20; ++i) {
        const ChannelHandle channel = open_channel(connection_.get());
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str("haigha-test-missing");
        args.passive = 1;
        while (haigha_queue_declare(channel.get(), &args, nullptr, error_) == HAIGHA_OK) {
        }
        ASSERT_EQ(error_.status(), HAIGHA_ERR_CLOSED) << error_;
        ASSERT_EQ(error_.code(), 404) << error_;
        ASSERT_EQ(haigha_channel_state(channel.get()), HAIGHA_STATE_CLOSED);
    }
}

// rule 26: a closed channel's number comes back.
TEST_F(ChannelErrors, NumbersOfFailedChannelsAreUsedAgain) {
    const ConnectionHandle connection = connect({{"channel_max", 3}});
    for (int i = 0; i < 50; ++i) {
        const ChannelHandle channel = open_channel(connection.get());
        ASSERT_TRUE(channel);
        EXPECT_LE(haigha_channel_id(channel.get()), 3);
        EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER,
                  declare(channel.get(), "haigha-test-missing", true, false));
    }
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_OPEN);
}

// rule 27
TEST_F(ChannelErrors, ChannelsAreLimited) {
    const ConnectionHandle connection = connect({{"channel_max", 3}});
    ChannelHandle channels[3];
    for (ChannelHandle& channel : channels)
        channel = open_channel(connection.get());
    EXPECT_EQ(info(connection.get(), "channels"), 3);
    const std::int64_t sent = info(connection.get(), "bytes_sent");
    ChannelHandle fourth;
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_LIMIT,
              haigha_channel_open(connection.get(), nullptr, nullptr, out(fourth), error_));
    EXPECT_FALSE(fourth);
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_LIMIT,
              haigha_channel_open_wait(connection.get(), nullptr, -1, out(fourth), error_));
    EXPECT_EQ(info(connection.get(), "bytes_sent"), sent);
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(channels[1].get(), -1, error_)) << error_;
    fourth = open_channel(connection.get());
    EXPECT_EQ(haigha_channel_state(fourth.get()), HAIGHA_STATE_OPEN);
}

// rule 22
TEST_F(ChannelErrors, WhoComesLateStillHearsTheCause) {
    declare(ch_, "haigha-test-missing", true, false);
    for (int i = 0; i < 2; ++i) {
        EventLog late;
        const haigha_then then = late.then(9);
        ASSERT_EQ(HAIGHA_OK, haigha_channel_set_events(ch_, &then, error_)) << error_;
        const Recorded closed = late.state(HAIGHA_STATE_CLOSED);
        EXPECT_EQ(closed.reply_code, 404);
        EXPECT_EQ(closed.tag, 9U);
    }
    // A connection as well.
    ASSERT_EQ(
        HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER,
        haigha_channel_flow_wait(open_channel(connection_.get()).get(), 0, -1, nullptr, error_));
    EventLog late;
    const haigha_then then = late.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_set_events(connection_.get(), &then, error_)) << error_;
    EXPECT_EQ(late.state(HAIGHA_STATE_CLOSED).reply_code, 540);
    EXPECT_EQ(late.size(), 1U);
}

class Login : public ApiTest {
  protected:
    // Opens with one part of the URI's replaced; expects it to fail, by completion too.
    void expect_failure(const haigha_options* options) {
        const ConnectionHandle waiting = new_connection(loop_.get(), options);
        EXPECT_NE(HAIGHA_OK, haigha_connection_open_wait(waiting.get(), -1, error_));
        EventLog events;
        const haigha_then then = events.then(1);
        const haigha_then opened = events.then(2);
        const ConnectionHandle connection = new_connection(loop_.get(), options, &then);
        Err refused;
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open(connection.get(), &opened, refused)) << refused;
        reply_ = events.reply(2);
        EXPECT_EQ(reply_.status, error_.status());
        EXPECT_EQ(reply_.error, error_.message());
        EXPECT_EQ(events.state(HAIGHA_STATE_CLOSED).error, error_.message());
        EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_CLOSED);
        const ErrorHandle last(haigha_connection_last_error(connection.get()));
        EXPECT_EQ(haigha_error_message(last.get()), error_.message());
    }
    Recorded reply_;
};

// rule 99
TEST_F(Login, AWrongPassword) {
    const OptionsHandle wrong = options();
    ASSERT_EQ(HAIGHA_OK, haigha_options_set_string(wrong.get(), str("password"),
                                                   str("s3cret-and-wrong"), error_));
    expect_failure(wrong.get());
    EXPECT_EQ(error_.status(), HAIGHA_ERR_AUTH) << error_;
    EXPECT_EQ(error_.code(), 403);
    EXPECT_EQ(error_.text(),
              "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For "
              "details see the broker logfile.");
    EXPECT_EQ(error_.stage(), "handshake");
    EXPECT_EQ(error_.message().find("s3cret"), std::string::npos) << error_;
}

TEST_F(Login, AMissingVhost) {
    const OptionsHandle wrong = options();
    ASSERT_EQ(HAIGHA_OK, haigha_options_set_string(wrong.get(), str("vhost"),
                                                   str("haigha-test-nowhere"), error_));
    expect_failure(wrong.get());
    EXPECT_EQ(error_.status(), HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER) << error_;
    EXPECT_EQ(error_.code(), 530);
    EXPECT_EQ(error_.text(), "NOT_ALLOWED - vhost haigha-test-nowhere not found");
    EXPECT_EQ(error_.stage(), "open");
    EXPECT_EQ(error_.method(), "connection.open");
}

TEST_F(Login, StatesAndWhatTheBrokerIs) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = new_connection(loop_.get(), options().get(), &then);
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_NEW);
    TableHandle properties;
    EXPECT_EQ(HAIGHA_ERR_CLOSED,
              haigha_connection_server_properties(connection.get(), out(properties), error_));
    EXPECT_EQ(info(connection.get(), "resolve_us"), -1);
    const haigha_then opened = events.then(1);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open(connection.get(), &opened, error_)) << error_;
    EXPECT_FALSE(events.reply(1).failed);
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_OPEN);
    EXPECT_EQ(info(connection.get(), "tls_us"), -1);
    for (const char* const stage : {"resolve_us", "connect_us", "handshake_us", "open_us"})
        EXPECT_GE(info(connection.get(), stage), 0) << stage;
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_open_wait(connection.get(), -1, error_));

    ASSERT_EQ(HAIGHA_OK,
              haigha_connection_server_properties(connection.get(), out(properties), error_));
    haigha_cursor cursor;
    haigha_field field;
    std::string product;
    ASSERT_EQ(HAIGHA_OK, haigha_table_cursor(properties.get(), &cursor));
    while (haigha_cursor_next(&cursor, &field) == 1) {
        if (view(field.name) == "product") product = view(field.bytes);
    }
    EXPECT_EQ(product, "RabbitMQ");
    EXPECT_GT(info(connection.get(), "local_port"), 0);
    EXPECT_GT(info(connection.get(), "heartbeat"), 0);
    EXPECT_EQ(info(connection.get(), "blocked"), 0);

    const haigha_then closed = events.then(2);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close(connection.get(), &closed, error_)) << error_;
    EXPECT_FALSE(events.reply(2).failed);
    EXPECT_EQ(haigha_connection_last_error(connection.get()), nullptr);
    // Closing again, and waiting, is answered at once.
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_flush_wait(connection.get(), -1, error_));

    std::vector<int> states;
    for (const Recorded& event : events.events()) {
        if (event.type == HAIGHA_EVENT_CONNECTION_STATE) states.push_back(event.state);
    }
    EXPECT_EQ(states,
              (std::vector<int>{HAIGHA_STATE_OPENING, HAIGHA_STATE_OPEN, HAIGHA_STATE_CLOSED}));
}

TEST_F(Login, ClosingWhatWasNeverOpened) {
    const ConnectionHandle connection = new_connection(loop_.get(), options().get());
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(haigha_connection_state(connection.get()), HAIGHA_STATE_CLOSED);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_open_wait(connection.get(), -1, error_));
    EventLog late;
    const haigha_then then = late.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_set_events(connection.get(), &then, error_)) << error_;
    EXPECT_FALSE(late.state(HAIGHA_STATE_CLOSED).failed);
}

}  // namespace
}  // namespace haigha::test
