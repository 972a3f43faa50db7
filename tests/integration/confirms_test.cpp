// Publisher confirms on a real broker: one outcome for each message, nacks, returns before them.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class Confirms : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        then_ = events_.then(3);
        channel_ = open_channel(connection_.get(), &then_, true);
        ch_ = channel_.get();
        queue_ = declare_queue(ch_);
    }
    // A queue that takes one message and refuses the others.
    std::string full_queue() {
        TableHandle arguments;
        EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(arguments), error_));
        EXPECT_EQ(HAIGHA_OK, haigha_table_add_int(arguments.get(), str("x-max-length"), 1, error_));
        EXPECT_EQ(HAIGHA_OK, haigha_table_add_string(arguments.get(), str("x-overflow"),
                                                     str("reject-publish"), error_));
        const std::string queue = declare_queue(ch_, arguments.get());
        EXPECT_EQ(HAIGHA_OK, publish(ch_, queue, "1")) << error_;
        EXPECT_EQ(HAIGHA_OK, publish(ch_, queue, "2")) << error_;
        // Another channel's publishes could reach the queue before these.
        events_.wait_count(HAIGHA_EVENT_OUTCOME, 2);
        return queue;
    }

    ConnectionHandle connection_;
    EventLog events_;
    haigha_then then_{};
    ChannelHandle channel_;
    haigha_channel* ch_ = nullptr;
    std::string queue_;
};

TEST_F(Confirms, EachPublishEndsInOneOutcome) {
    constexpr std::size_t count = 1000;
    std::vector<int> places(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::uint64_t sequence = 0;
        ASSERT_EQ(HAIGHA_OK, publish(ch_, queue_, "x", &sequence, &places[i])) << error_;
        EXPECT_EQ(sequence, i + 1);
    }
    events_.wait_count(HAIGHA_EVENT_OUTCOME, count);
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(ch_, -1, error_)) << error_;
    std::vector<int> outcomes(count, 0);
    for (const Recorded& event : events_.events()) {
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        ASSERT_GE(event.number, 1U);
        ASSERT_LE(event.number, count);
        ++outcomes[event.number - 1];
        EXPECT_EQ(event.outcome, HAIGHA_OUTCOME_CONFIRMED);
        EXPECT_EQ(event.user_data, &places[event.number - 1]);
        EXPECT_EQ(event.tag, 3U);
    }
    EXPECT_EQ(outcomes, std::vector<int>(count, 1));
}

TEST_F(Confirms, SelectLater) {
    EventLog events;
    const haigha_then then = events.then();
    const ChannelHandle channel = open_channel(connection_.get(), &then);
    std::uint64_t sequence = 99;
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue_, "before", &sequence)) << error_;
    EXPECT_EQ(sequence, 0U);
    // Pipelined: what is published behind the select is confirmed.
    EventLog selected;
    const haigha_then done = selected.then();
    ASSERT_EQ(HAIGHA_OK, haigha_confirm_select(channel.get(), &done, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue_, "after", &sequence)) << error_;
    EXPECT_EQ(sequence, 1U);
    EXPECT_EQ(events.wait_for(HAIGHA_EVENT_OUTCOME).number, 1U);
    EXPECT_FALSE(selected.reply().failed);

    const ChannelHandle waiting = open_channel(connection_.get());
    EXPECT_EQ(HAIGHA_OK, haigha_confirm_select_wait(waiting.get(), -1, nullptr, error_)) << error_;
    ReplyHandle reply;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue_);
    ASSERT_EQ(HAIGHA_OK,
              haigha_publish_wait(waiting.get(), &args, str("x"), -1, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_CONFIRMED);
}

TEST_F(Confirms, PublishWaitWithoutConfirmsHasNoOutcome) {
    const ChannelHandle plain = open_channel(connection_.get());
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue_);
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK, haigha_publish_wait(plain.get(), &args, str("x"), -1, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_outcome(reply.get()), 0);
    // The reply may be left away.
    EXPECT_EQ(HAIGHA_OK, haigha_publish_wait(plain.get(), &args, str("x"), -1, nullptr, error_))
        << error_;
}

TEST_F(Confirms, NackedByAFullQueue) {
    const std::string queue = full_queue();
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "3")) << error_;
    const Recorded third = events_.wait_for(HAIGHA_EVENT_OUTCOME, 2);
    EXPECT_EQ(third.number, 3U);
    EXPECT_EQ(third.outcome, HAIGHA_OUTCOME_NACKED);

    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue);
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK, haigha_publish_wait(ch_, &args, str("4"), -1, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_NACKED);
    EXPECT_EQ(events_.count(HAIGHA_EVENT_OUTCOME), 3U);  // none for a waiting publish
}

// rule 70
TEST_F(Confirms, AWaitThatTimesOutLeavesItsChannelUsable) {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue_);
    ReplyHandle reply;
    int timeouts = 0;
    for (int i = 0; i < 20; ++i) {
        const haigha_status status =
            haigha_publish_wait(ch_, &args, str("early"), 0, out(reply), error_);
        if (status == HAIGHA_ERR_TIMEOUT) ++timeouts;
    }
    EXPECT_GT(timeouts, 0);
    ASSERT_EQ(HAIGHA_OK, haigha_publish_wait(ch_, &args, str("late"), -1, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_TRUE(wait_messages(ch_, queue_, 21));
}

// rules 67, 68: without a word to the broker, by what was published and in what order
TEST_F(Confirms, ReturnsAreMatchedByTheirContent) {
    EventLog events;
    haigha_channel_args channel_args = confirming(events);
    const ChannelHandle channel = open_channel(connection_.get(), channel_args);
    ASSERT_TRUE(channel);
    const std::string full = full_queue();
    TableHandle headers;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(headers), error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_int(headers.get(), str("z"), 5, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_int(headers.get(), str("a"), 6, error_)) << error_;
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS | HAIGHA_PROPERTY_MESSAGE_ID;
    properties.headers = headers.get();
    properties.message_id = str("id");
    constexpr int count = 600;
    const std::array<std::string, 3> queues = {"haigha-test-nowhere", queue_, full};
    for (int i = 0; i < count; ++i) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queues[static_cast<std::size_t>(i) % 3]);
        args.mandatory = 1;
        args.properties = i % 2 == 0 ? &properties : nullptr;
        const std::string body(i % 7 == 0 ? 3000 : 4, static_cast<char>('a' + i % 5));
        if (i % 4 < 2) {
            ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str(body), nullptr, error_))
                << error_;
            continue;
        }
        PublisherHandle publisher;
        ASSERT_EQ(HAIGHA_OK, haigha_publisher_new(channel.get(), &args, out(publisher), error_))
            << error_;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publisher_publish(publisher.get(), str(body), nullptr, nullptr, error_))
            << error_;
    }
    events.wait_count(HAIGHA_EVENT_OUTCOME, count);
    std::set<std::uint64_t> returned;
    for (const Recorded& event : events.events()) {
        if (event.type == HAIGHA_EVENT_RETURN) {
            EXPECT_EQ(event.number % 3, 1U);
            returned.insert(event.number);
        }
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        const int expected[] = {HAIGHA_OUTCOME_NACKED, HAIGHA_OUTCOME_RETURNED,
                                HAIGHA_OUTCOME_CONFIRMED};
        EXPECT_EQ(event.outcome, expected[event.number % 3]) << event.number;
        EXPECT_EQ(event.reply_code, event.outcome == HAIGHA_OUTCOME_RETURNED ? 312 : 0);
        EXPECT_EQ(returned.contains(event.number), event.outcome == HAIGHA_OUTCOME_RETURNED);
    }
    EXPECT_EQ(returned.size(), static_cast<std::size_t>(count) / 3);
}

// rules 67, 68: bodies that are the same are told apart, and what comes back is what was published
TEST_F(Confirms, ReturnsAreMatchedToTheirPublishes) {
    EventLog events;
    haigha_channel_args channel_args = confirming(events);
    channel_args.correlate_returns = 1;
    const ChannelHandle channel = open_channel(connection_.get(), channel_args);
    ASSERT_TRUE(channel);
    const std::string full = full_queue();
    TableHandle headers;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(headers), error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_int(headers.get(), str("z"), 5, error_)) << error_;
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS | HAIGHA_PROPERTY_MESSAGE_ID;
    properties.headers = headers.get();
    properties.message_id = str("id");
    constexpr int count = 300;
    const std::array<std::string, 3> queues = {"haigha-test-nowhere", queue_, full};
    for (int i = 0; i < count; ++i) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queues[static_cast<std::size_t>(i) % 3]);
        args.mandatory = 1;
        args.properties = i % 2 == 0 ? &properties : nullptr;
        // Prepared or not makes no difference.
        if (i % 4 < 2) {
            ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str("same"), nullptr, error_))
                << error_;
            continue;
        }
        PublisherHandle publisher;
        ASSERT_EQ(HAIGHA_OK, haigha_publisher_new(channel.get(), &args, out(publisher), error_))
            << error_;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publisher_publish(publisher.get(), str("same"), nullptr, nullptr, error_))
            << error_;
    }
    events.wait_count(HAIGHA_EVENT_OUTCOME, count);
    std::set<std::uint64_t> returned;
    for (const Recorded& event : events.events()) {
        if (event.type == HAIGHA_EVENT_RETURN) {
            EXPECT_EQ(event.number % 3, 1U);
            EXPECT_EQ(event.body, "same");
            EXPECT_EQ(event.headers, event.number % 2 == 1 ? "z" : "");
            returned.insert(event.number);
        }
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        const int expected[] = {HAIGHA_OUTCOME_NACKED, HAIGHA_OUTCOME_RETURNED,
                                HAIGHA_OUTCOME_CONFIRMED};
        EXPECT_EQ(event.outcome, expected[event.number % 3]) << event.number;
        EXPECT_EQ(event.reply_code, event.outcome == HAIGHA_OUTCOME_RETURNED ? 312 : 0);
        EXPECT_EQ(event.reply_text, event.outcome == HAIGHA_OUTCOME_RETURNED ? "NO_ROUTE" : "");
        EXPECT_EQ(returned.contains(event.number), event.outcome == HAIGHA_OUTCOME_RETURNED);
    }
    EXPECT_EQ(returned.size(), static_cast<std::size_t>(count) / 3);

    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("haigha-test-nowhere");
    args.mandatory = 1;
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK,
              haigha_publish_wait(channel.get(), &args, str("x"), -1, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_RETURNED);
    EXPECT_EQ(haigha_error_reply_code(haigha_reply_return_reason(reply.get())), 312);
    args.routing_key = str(queue_);
    ASSERT_EQ(HAIGHA_OK,
              haigha_publish_wait(channel.get(), &args, str("x"), -1, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(haigha_reply_return_reason(reply.get()), nullptr);
}

// rule 73
TEST_F(Confirms, NoMoreIsInFlightThanMayBe) {
    std::atomic<int> in_flight{0};
    EventLog events([&](const haigha_event& event) {
        if (event.type == HAIGHA_EVENT_OUTCOME) --in_flight;
    });
    haigha_channel_args channel_args = confirming(events);
    channel_args.max_in_flight = 20;
    const ChannelHandle channel = open_channel(connection_.get(), channel_args);
    ASSERT_TRUE(channel);
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue_);
    std::size_t refused = 0;
    for (std::size_t taken = 0; taken < 2000;) {
        const haigha_status status =
            haigha_publish(channel.get(), &args, str("x"), nullptr, nullptr);
        if (status == HAIGHA_OK) {
            ++taken;
            // Beside those without an outcome as many may have one that is yet to be told.
            EXPECT_LE(++in_flight, 2 * 20);
        } else {
            ASSERT_EQ(status, HAIGHA_ERR_WOULD_BLOCK);
            events.wait_count(HAIGHA_EVENT_WRITABLE, ++refused);
        }
    }
    EXPECT_GT(refused, 0U);
    // A form that waits does it itself.
    for (int i = 0; i < 50; ++i) {
        ReplyHandle reply;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(channel.get(), &args, str("x"), -1, out(reply), error_))
            << error_;
    }
    events.wait_count(HAIGHA_EVENT_OUTCOME, 2000);
}

TEST_F(Confirms, WhatIsOfConfirmsNeedsThem) {
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.correlate_returns = 1;
    ChannelHandle channel;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_channel_open_wait(connection_.get(), &args, -1, out(channel), error_));
    EXPECT_EQ(error_.message(), "args->correlate_returns needs args->confirm");
    args.correlate_returns = 0;
    args.max_in_flight_bytes = 1;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_channel_open_wait(connection_.get(), &args, -1, out(channel), error_));
    EXPECT_EQ(error_.message(), "args->max_in_flight needs args->confirm");
}

// rule 66
TEST_F(Confirms, AReturnComesBeforeTheConfirmOfItsMessage) {
    constexpr int count = 300;
    for (int i = 0; i < count; ++i) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = i % 3 == 0 ? str("haigha-test-nowhere") : str(queue_);
        args.mandatory = 1;
        const std::string body = std::to_string(i + 1);
        ASSERT_EQ(HAIGHA_OK, haigha_publish(ch_, &args, str(body), nullptr, error_)) << error_;
    }
    events_.wait_count(HAIGHA_EVENT_OUTCOME, count);
    std::vector<bool> returned(count + 1, false);
    std::size_t returns = 0;
    std::uint64_t last_return = 0;
    for (const Recorded& event : events_.events()) {
        if (event.type == HAIGHA_EVENT_RETURN) {
            const std::uint64_t sequence = std::stoull(event.body);
            EXPECT_GT(sequence, last_return);
            last_return = sequence;
            returned[sequence] = true;
            ++returns;
        } else if (event.type == HAIGHA_EVENT_OUTCOME && (event.number - 1) % 3 == 0) {
            EXPECT_TRUE(returned[event.number]) << event.number;
            EXPECT_EQ(event.outcome, HAIGHA_OUTCOME_RETURNED);
        }
    }
    EXPECT_EQ(returns, static_cast<std::size_t>(count) / 3);
}

// rules 5, 32: a publish that closes its channel has an outcome too.
TEST_F(Confirms, WhatAClosedChannelLeavesIsUnknownOrNotSent) {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.exchange = str("haigha-test-no-such-exchange");
    std::size_t taken = 0;
    for (int i = 0; i < 50; ++i)
        taken += haigha_publish(ch_, &args, str("x"), nullptr, nullptr) == HAIGHA_OK ? 1U : 0U;
    const Recorded closed = events_.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(closed.reply_code, 404);
    EXPECT_EQ(closed.method, "basic.publish");
    EXPECT_EQ(closed.reply_text,
              "NOT_FOUND - no exchange 'haigha-test-no-such-exchange' in vhost '/'");
    events_.wait_count(HAIGHA_EVENT_OUTCOME, taken);
    EXPECT_EQ(events_.count(HAIGHA_EVENT_OUTCOME), taken);
    for (const Recorded& event : events_.events()) {
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        EXPECT_TRUE(event.outcome == HAIGHA_OUTCOME_UNKNOWN ||
                    event.outcome == HAIGHA_OUTCOME_NOT_SENT)
            << event.outcome;
        EXPECT_EQ(event.reply_code, 404) << "the original reason";
    }
    EXPECT_EQ(haigha_connection_state(connection_.get()), HAIGHA_STATE_OPEN);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(ch_, queue_, "late"));
    EXPECT_EQ(error_.code(), 404) << "the original reason";
}

TEST_F(Confirms, NotTogetherWithTransactions) {
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, haigha_tx_select_wait(ch_, -1, nullptr, error_));
    EXPECT_EQ(error_.code(), 406);
    EXPECT_EQ(error_.method(), "tx.select");
}

}  // namespace
}  // namespace haigha::test
