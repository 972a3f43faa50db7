// Order without waiting, and bytes that are all written before a close.
#include <gtest/gtest.h>

#include <string>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class Ordering : public ApiTest {};

// Everything on one channel without waiting for anything in between.
TEST_F(Ordering, OperationsOnAChannelKeepTheirOrder) {
    const ConnectionHandle connection = connect();
    EventLog log;
    EventLog deliveries;
    const std::string exchange = unique_name("pipeline");
    const std::string queue = unique_name("pipeline");
    ChannelHandle channel;
    haigha_then then = log.then(1);
    ASSERT_EQ(HAIGHA_OK,
              haigha_channel_open(connection.get(), nullptr, &then, out(channel), error_))
        << error_;
    haigha_channel* const ch = channel.get();

    haigha_exchange_declare_args declare = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    declare.exchange = str(exchange);
    declare.auto_delete = 1;
    then = log.then(2);
    ASSERT_EQ(HAIGHA_OK, haigha_exchange_declare(ch, &declare, &then, error_)) << error_;
    haigha_queue_declare_args queue_args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    queue_args.queue = str(queue);
    queue_args.exclusive = 1;
    then = log.then(3);
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare(ch, &queue_args, &then, error_)) << error_;
    haigha_queue_bind_args bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
    bind.queue = str(queue);
    bind.exchange = str(exchange);
    bind.routing_key = str("k");
    then = log.then(4);
    ASSERT_EQ(HAIGHA_OK, haigha_queue_bind(ch, &bind, &then, error_)) << error_;
    haigha_publish_args publish_args = HAIGHA_PUBLISH_ARGS_INIT;
    publish_args.exchange = str(exchange);
    publish_args.routing_key = str("k");
    ASSERT_EQ(HAIGHA_OK, haigha_publish(ch, &publish_args, str("first"), nullptr, error_));
    then = log.then(5);
    haigha_get_args get_args = HAIGHA_GET_ARGS_INIT;
    get_args.queue = str(queue);
    get_args.no_ack = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_get(ch, &get_args, &then, error_)) << error_;
    haigha_consume_args consume_args = HAIGHA_CONSUME_ARGS_INIT;
    consume_args.queue = str(queue);
    consume_args.consumer_tag = str("c");
    consume_args.deliveries = deliveries.then();
    consume_args.no_ack = 1;
    then = log.then(6);
    ASSERT_EQ(HAIGHA_OK, haigha_consume(ch, &consume_args, &then, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_publish(ch, &publish_args, str("second"), nullptr, error_));
    then = log.then(7);
    ASSERT_EQ(HAIGHA_OK, haigha_cancel(ch, str("c"), &then, error_)) << error_;
    then = log.then(8);
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close(ch, &then, error_)) << error_;

    const Recorded closed = log.reply(8);
    EXPECT_FALSE(closed.failed) << closed.error;
    const auto events = log.events();
    ASSERT_EQ(events.size(), 8U);
    for (std::size_t i = 0; i < events.size(); ++i) {
        EXPECT_EQ(events[i].tag, i + 1);
        EXPECT_FALSE(events[i].failed) << events[i].error;
    }
    EXPECT_EQ(events[4].body, "first");
    // Whether the broker still delivers the second one is its affair; nothing comes behind the end.
    const auto delivered = deliveries.events();
    ASSERT_FALSE(delivered.empty());
    EXPECT_EQ(delivered.back().type, static_cast<std::uint32_t>(HAIGHA_EVENT_CONSUMER_CANCELLED));
    if (delivered.size() > 1) {
        EXPECT_EQ(delivered.front().body, "second");
    }
    EXPECT_EQ(haigha_channel_state(ch), HAIGHA_STATE_CLOSED);
}

// rule 17: 256 calls at once on one channel, each within its time.
TEST_F(Ordering, ManyCallsWaitForTheirTurn) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    EventLog log;
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.exclusive = 1;
    for (std::uint64_t i = 0; i < 256; ++i) {
        const std::string name = unique_name("many");
        args.queue = str(name);
        const haigha_then then = log.then(i);
        ASSERT_EQ(HAIGHA_OK, haigha_queue_declare(channel.get(), &args, &then, error_)) << error_;
    }
    log.wait_count(HAIGHA_EVENT_REPLY, 256);
    std::uint64_t tag = 0;
    for (const Recorded& event : log.events()) {
        EXPECT_FALSE(event.failed) << event.error;
        EXPECT_EQ(event.tag, tag++);
    }
}

// rule 36
// It is written in pieces, from when the call before it is answered.
TEST_F(Ordering, ALargeMessageGoesOnceWhatHoldsItBackIsAnswered) {
    const ConnectionHandle connection = connect();
    EventLog events;
    const haigha_channel_args args = confirming(events);
    ChannelHandle channel;
    ASSERT_EQ(HAIGHA_OK,
              haigha_channel_open(connection.get(), &args, nullptr, out(channel), error_))
        << error_;
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "nobody", std::string(3'000'000, 'x'))) << error_;
    EXPECT_EQ(events.wait_for(HAIGHA_EVENT_OUTCOME).outcome, HAIGHA_OUTCOME_CONFIRMED);
}

TEST_F(Ordering, CloseWritesWhatWasTaken) {
    const ConnectionHandle reader = connect();
    const ChannelHandle control = open_channel(reader.get());
    const std::string queue = declare_queue(control.get());
    // An exclusive queue takes publishes from any connection.
    const ConnectionHandle writer = connect({{"outbox_high_water_bytes", std::int64_t{1} << 30}});
    const ChannelHandle channel = open_channel(writer.get());
    constexpr std::uint32_t count = 100'000;
    for (std::uint32_t i = 0; i < count; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "0123456789abcdef")) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(writer.get(), 60'000, error_)) << error_;
    // The broker answered the close after the last publish; its queue may still be taking them in.
    EventLog log;
    std::atomic<std::uint32_t> delivered{0};
    haigha_then then{};
    then.user_data = &delivered;
    then.fn = [](const haigha_event* event, void* user_data) {
        if (event->type == HAIGHA_EVENT_DELIVERY)
            ++*static_cast<std::atomic<std::uint32_t>*>(user_data);
    };
    ASSERT_EQ(HAIGHA_OK, consume(control.get(), queue, then, true)) << error_;
    const auto end = std::chrono::steady_clock::now() + patience;
    while (delivered < count && std::chrono::steady_clock::now() < end)
        count_messages(control.get(), queue);  // a round trip
    EXPECT_EQ(delivered, count);
    close_loop(loop_.get());  // `delivered` goes
}

TEST_F(Ordering, FlushTellsThatAllIsGone) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    for (int i = 0; i < 10; ++i) {
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "", std::string(100'000, 'x'))) << error_;
        EXPECT_FALSE(completion([&](const haigha_then* then) {
                         return haigha_connection_flush(connection.get(), then, error_);
                     }).failed);
        EXPECT_EQ(info(connection.get(), "outbox_bytes"), 0);
    }
    EXPECT_EQ(HAIGHA_OK, haigha_connection_flush_wait(connection.get(), -1, error_)) << error_;
    EXPECT_GE(info(connection.get(), "bytes_sent"), 1'000'000);
    EXPECT_GT(info(connection.get(), "writes"), 0);
}

// rule 4: over the high-water mark publishes are refused, and WRITABLE says when they may go on.
TEST_F(Ordering, AFullOutboxRefusesAndTellsWhenThereIsRoom) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = connect({{"outbox_high_water_bytes", 65536}}, &then);
    const ChannelHandle channel = open_channel(connection.get());
    const std::string body(60'000, 'x');
    haigha_status status = HAIGHA_OK;
    for (int i = 0; i < 100'000 && status == HAIGHA_OK; ++i)
        status = publish(channel.get(), "", body);
    ASSERT_EQ(status, HAIGHA_ERR_WOULD_BLOCK);
    events.wait_for(HAIGHA_EVENT_WRITABLE);
    EXPECT_EQ(publish(channel.get(), "", body), HAIGHA_OK) << error_;
    // A waiting publish waits for the room.
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(channel.get(), &args, str(body), -1, nullptr, error_))
            << error_;
    }
}

}  // namespace
}  // namespace haigha::test
