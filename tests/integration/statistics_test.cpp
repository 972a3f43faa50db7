// What is counted on a real broker, against what was done.
#include <gtest/gtest.h>
#include <haigha/pieces.h>
#include <haigha/statistics.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/api_fixture.h"
#include "support/prometheus_text.h"

namespace haigha::test {
namespace {

class StatisticsTest : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
    }
    haigha_statistics now() const { return of(connection_.get()); }
    static haigha_statistics of(haigha_connection* connection) {
        Err error;
        haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
        EXPECT_EQ(HAIGHA_OK, haigha_connection_statistics(connection, &statistics, error)) << error;
        return statistics;
    }
    static std::uint64_t ended(const haigha_statistics& s) {
        return s.confirmed + s.nacked + s.returned + s.not_sent + s.unknown;
    }
    haigha_status publish_mandatory(haigha_channel* channel, std::string_view key) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(key);
        args.mandatory = 1;
        return haigha_publish(channel, &args, str("m"), nullptr, error_);
    }

    ConnectionHandle connection_;
};

TEST_F(StatisticsTest, PublishesByOutcome) {
    EventLog events;
    const haigha_then then = events.then();
    const ChannelHandle confirming = open_channel(connection_.get(), &then, true);
    const ChannelHandle plain = open_channel(connection_.get());
    const std::string queue = declare_queue(confirming.get());
    for (int i = 0; i < 100; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(confirming.get(), queue, "x")) << error_;
    for (int i = 0; i < 5; ++i)
        ASSERT_EQ(HAIGHA_OK, publish_mandatory(confirming.get(), "no such queue")) << error_;
    for (int i = 0; i < 7; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(plain.get(), queue, "x")) << error_;
    events.wait_count(HAIGHA_EVENT_OUTCOME, 105);
    const haigha_statistics s = now();
    EXPECT_EQ(s.published, 112U);
    EXPECT_EQ(s.confirmed, 100U);
    EXPECT_EQ(s.returned, 5U);
    EXPECT_EQ(s.messages_returned, 5U);
    EXPECT_EQ(ended(s), 105U);
    EXPECT_EQ(s.unconfirmed, 0U);
    EXPECT_EQ(s.oldest_unconfirmed_ms, 0U);
    EXPECT_EQ(s.confirm_latency.count, 105U);
    EXPECT_GT(s.confirm_latency.sum_ns, 0U);
    // Not longer than the test has taken, each.
    EXPECT_LT(s.confirm_latency.sum_ns, 105U * 60 * 1'000'000'000);
}

TEST_F(StatisticsTest, DeliveriesAndWhatBecameOfThem) {
    const ChannelHandle channel = open_channel(connection_.get());
    const std::string queue = declare_queue(channel.get());
    for (int i = 0; i < 12; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x")) << error_;
    ASSERT_TRUE(wait_messages(channel.get(), queue, 12));
    ASSERT_NE(get(channel.get(), queue, false), nullptr);  // tag 1
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, log.then())) << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 11);
    haigha_statistics s = now();
    EXPECT_EQ(s.got, 1U);
    EXPECT_EQ(s.delivered, 11U);
    EXPECT_EQ(s.unsettled, 12U);
    EXPECT_EQ(s.consumers, 1U);
    haigha_channel* const ch = channel.get();
    EXPECT_EQ(HAIGHA_OK, haigha_ack(ch, 4, 1, error_)) << error_;                  // 1 to 4
    EXPECT_EQ(HAIGHA_OK, haigha_ack(ch, 6, 0, error_)) << error_;                  // 6
    EXPECT_EQ(HAIGHA_OK, haigha_nack(ch, 8, HAIGHA_MULTIPLE, error_)) << error_;   // 5, 7, 8
    EXPECT_EQ(HAIGHA_OK, haigha_reject(ch, 9, HAIGHA_REQUEUE, error_)) << error_;  // comes again
    log.wait_count(HAIGHA_EVENT_DELIVERY, 12);
    s = now();
    EXPECT_EQ(s.acked, 5U);
    EXPECT_EQ(s.nacks_sent, 3U);
    EXPECT_EQ(s.rejected, 1U);
    EXPECT_EQ(s.redelivered, 1U);
    EXPECT_EQ(s.unsettled, 4U);
    EXPECT_EQ(HAIGHA_OK, haigha_ack(ch, 0, 1, error_)) << error_;
    s = now();
    EXPECT_EQ(s.acked, 9U);
    EXPECT_EQ(s.unsettled, 0U);
    EXPECT_EQ(s.oldest_unsettled_ms, 0U);
}

// For as long as it is not settled; others that come and go change nothing.
TEST_F(StatisticsTest, TheAgeOfTheOldestDelivery) {
    const ChannelHandle channel = open_channel(connection_.get());
    const std::string queue = declare_queue(channel.get());
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, log.then())) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x")) << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 1);
    const auto came = std::chrono::steady_clock::now();
    std::size_t count = 1;
    while (now().oldest_unsettled_ms < 20) {
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x")) << error_;
        log.wait_count(HAIGHA_EVENT_DELIVERY, ++count);
        ASSERT_EQ(HAIGHA_OK, haigha_ack(channel.get(), count, 0, error_)) << error_;
    }
    EXPECT_GE(std::chrono::steady_clock::now() - came, std::chrono::milliseconds(10));
    EXPECT_EQ(now().unsettled, 1U);
    ASSERT_EQ(HAIGHA_OK, haigha_ack(channel.get(), 1, 0, error_)) << error_;
    EXPECT_EQ(now().oldest_unsettled_ms, 0U);
}

TEST_F(StatisticsTest, BytesFramesAndCalls) {
    const haigha_statistics before = now();
    EXPECT_EQ(before.state, HAIGHA_STATE_OPEN);
    EXPECT_EQ(before.connections_opened, 1U);
    EXPECT_EQ(before.channels, 0U);
    // start-ok, tune-ok, open; start, tune, open-ok
    EXPECT_EQ(before.frames_sent, 3U);
    EXPECT_EQ(before.frames_received, 3U);
    const ChannelHandle channel = open_channel(connection_.get());
    const std::string queue = declare_queue(channel.get());
    const haigha_statistics after = now();
    // channel.open, basic.qos, queue.declare, and their answers
    EXPECT_EQ(after.round_trip.count, after.frames_sent - before.frames_sent);
    EXPECT_EQ(after.frames_received - before.frames_received, after.round_trip.count);
    EXPECT_GE(after.round_trip.count, 2U);
    EXPECT_GT(after.round_trip.sum_ns, 0U);
    EXPECT_EQ(after.channels, 1U);
    EXPECT_EQ(after.channels_opened, 1U);
    EXPECT_EQ(after.calls_waiting, 0U);
    EXPECT_GT(after.bytes_sent, before.bytes_sent);
    EXPECT_GT(after.bytes_received, before.bytes_received);
    EXPECT_EQ(after.bytes_sent, static_cast<std::uint64_t>(info(connection_.get(), "bytes_sent")));
    EXPECT_GT(after.writes, before.writes);
    EXPECT_GT(after.reads, before.reads);
}

TEST_F(StatisticsTest, BodiesInPiecesCountAsAnyOthers) {
    const std::string body(1'000'000, 'x');
    EventLog events;
    const haigha_then then = events.then();
    const ChannelHandle channel = open_channel(connection_.get(), &then, true);
    const std::string queue = declare_queue(channel.get());
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue);
    haigha_body_writer* writer = nullptr;
    ASSERT_EQ(HAIGHA_OK,
              haigha_body_writer_new(channel.get(), &args, body.size(), nullptr, &writer, error_))
        << error_;
    std::size_t taken = 0;
    EXPECT_EQ(HAIGHA_OK, haigha_body_write_wait(writer, str(body), 60'000, &taken, error_))
        << error_;
    EXPECT_EQ(taken, body.size());
    haigha_body_writer_unref(writer);
    events.wait_count(HAIGHA_EVENT_OUTCOME, 1);
    haigha_statistics s = now();
    EXPECT_EQ(s.published, 1U);
    EXPECT_EQ(s.confirmed, 1U);
    EXPECT_EQ(s.confirm_latency.count, 1U);
    const std::uint64_t received = s.frames_received;

    struct Pieces {
        std::atomic<std::uint64_t> octets{0};
        std::atomic<int> ends{0};
        EventLog told;
    } pieces;
    haigha_pieces_args taker = HAIGHA_PIECES_ARGS_INIT;
    taker.user_data = &pieces;
    taker.fn = [](const haigha_piece* piece, void* user_data) {
        auto& all = *static_cast<Pieces*>(user_data);
        all.octets += piece->octets.size;
        if (piece->kind == HAIGHA_PIECE_END) ++all.ends;
    };
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    consume.queue = str(queue);
    ASSERT_EQ(HAIGHA_OK,
              haigha_consume_pieces_wait(channel.get(), &consume, &taker, -1, nullptr, error_))
        << error_;
    const auto end = std::chrono::steady_clock::now() + patience;
    while (pieces.ends == 0 && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    EXPECT_EQ(pieces.octets, body.size());
    s = now();
    EXPECT_EQ(s.delivered, 1U);
    EXPECT_EQ(s.unsettled, 1U);
    // consume-ok, deliver, header, and eight body frames of 128 KiB
    EXPECT_GE(s.frames_received - received, 1U + 2 + 8);
    ASSERT_EQ(HAIGHA_OK, haigha_ack(channel.get(), 1, 0, error_)) << error_;
    EXPECT_EQ(now().acked, 1U);
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel.get(), -1, error_)) << error_;
}

TEST_F(StatisticsTest, AChannelThatTheBrokerClosesIsLost) {
    EventLog events;
    const haigha_then then = events.then();
    const ChannelHandle channel = open_channel(connection_.get(), &then, true);
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.exchange = str("no such exchange");
    ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str("x"), nullptr, error_)) << error_;
    events.wait_count(HAIGHA_EVENT_OUTCOME, 1);
    haigha_statistics s = now();
    EXPECT_EQ(s.channels_lost, 1U);
    EXPECT_EQ(s.unknown, 1U);
    EXPECT_EQ(s.confirm_latency.count, 0U);
    EXPECT_EQ(s.connections_lost, 0U);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection_.get(), -1, error_)) << error_;
    s = now();  // afterwards too
    EXPECT_EQ(s.state, HAIGHA_STATE_CLOSED);
    EXPECT_EQ(s.channels_lost, 1U);
    EXPECT_EQ(s.connections_lost, 0U);
    EXPECT_EQ(s.published, 1U);
}

TEST_F(StatisticsTest, AnswersCallersOfAnyAge) {
    haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
    for (const std::size_t size : {std::size_t{0}, sizeof statistics - 8, std::size_t{5000}}) {
        statistics.size = size;
        EXPECT_EQ(HAIGHA_ERR_STRUCT_VERSION,
                  haigha_connection_statistics(connection_.get(), &statistics, error_));
    }
    // A later one, whose further members are 0.
    std::vector<std::uint64_t> memory(sizeof statistics / 8 + 4, ~std::uint64_t{0});
    auto* const later = reinterpret_cast<haigha_statistics*>(memory.data());
    later->size = sizeof statistics + 16;
    ASSERT_EQ(HAIGHA_OK, haigha_connection_statistics(connection_.get(), later, error_)) << error_;
    EXPECT_EQ(later->size, sizeof statistics + 16);
    EXPECT_EQ(later->connections_opened, 1U);
    EXPECT_EQ(memory[sizeof statistics / 8], 0U);
    EXPECT_EQ(memory[sizeof statistics / 8 + 1], 0U);
    EXPECT_EQ(memory[sizeof statistics / 8 + 2], ~std::uint64_t{0});
}

// Publishers, a consumer that acks, and threads that look: what they see never goes down, and in
// the end all adds up.
TEST_F(StatisticsTest, AnyThreadMayLookWhileMessagesGoThrough) {
    constexpr int publishers = 2;
    constexpr int each = 2000;
    EventLog events;
    std::vector<ChannelHandle> channels;
    for (int i = 0; i < publishers; ++i)
        channels.push_back(open_channel(connection_.get(), confirming(events)));
    const ChannelHandle consuming = open_channel(connection_.get());
    const std::string queue = declare_queue(consuming.get());
    EventLog deliveries([](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        EXPECT_EQ(HAIGHA_OK, haigha_ack(event.channel, event.number, 0, nullptr));
    });
    ASSERT_EQ(HAIGHA_OK, consume(consuming.get(), queue, deliveries.then())) << error_;

    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> looks{0};
    const auto look = [&] {
        haigha_statistics last = now();
        while (!done) {
            const haigha_statistics s = now();
            EXPECT_GE(s.published, last.published);
            EXPECT_GE(s.confirmed, last.confirmed);
            EXPECT_GE(s.delivered, last.delivered);
            EXPECT_GE(s.acked, last.acked);
            EXPECT_GE(s.frames_sent, last.frames_sent);
            EXPECT_GE(s.confirm_latency.sum_ns, last.confirm_latency.sum_ns);
            // Of one moment.
            EXPECT_EQ(s.published, s.unconfirmed + ended(s));
            EXPECT_EQ(s.delivered, s.unsettled + s.acked);
            last = s;
            ++looks;
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < publishers; ++i) {
        threads.emplace_back([&, i] {
            for (int sent = 0; sent < each; ++sent) {
                haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
                args.routing_key = str(queue);
                EXPECT_EQ(HAIGHA_OK, haigha_publish(channels[static_cast<std::size_t>(i)].get(),
                                                    &args, str("x"), nullptr, nullptr));
            }
        });
    }
    std::thread first(look);
    std::thread second(look);
    for (std::thread& thread : threads)
        thread.join();
    events.wait_count(HAIGHA_EVENT_OUTCOME, publishers * each);
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, publishers * each);
    done = true;
    first.join();
    second.join();
    EXPECT_GT(looks, 0U);
    const haigha_statistics s = now();
    EXPECT_EQ(s.published, std::uint64_t{publishers * each});
    EXPECT_EQ(s.confirmed, std::uint64_t{publishers * each});
    EXPECT_EQ(s.confirm_latency.count, std::uint64_t{publishers * each});
    EXPECT_EQ(s.delivered, std::uint64_t{publishers * each});
    EXPECT_EQ(s.acked, std::uint64_t{publishers * each});
    EXPECT_EQ(s.unsettled, 0U);
}

TEST_F(StatisticsTest, AsPrometheusReadsIt) {
    const ChannelHandle channel = open_channel(connection_.get());
    const std::string queue = declare_queue(channel.get());
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x")) << error_;
    const haigha_statistics s = now();
    haigha_metrics* metrics = nullptr;
    ASSERT_EQ(HAIGHA_OK, haigha_metrics_new(&metrics, error_)) << error_;
    const haigha_label label{str("connection"), str("orders")};
    ASSERT_EQ(HAIGHA_OK, haigha_metrics_add(metrics, &s, &label, 1, error_)) << error_;
    haigha_str text{};
    ASSERT_EQ(HAIGHA_OK, haigha_metrics_prometheus(metrics, &text, error_)) << error_;
    const PrometheusText read(view(text));
    haigha_metrics_free(metrics);
    const Labels labels = {{"connection", "orders"}};
    EXPECT_EQ(read.at("haigha_channels", labels), 1);
    EXPECT_EQ(read.at("haigha_connection_state", labels), HAIGHA_STATE_OPEN);
    EXPECT_EQ(read.at("haigha_call_duration_seconds_count", labels),
              static_cast<double>(s.round_trip.count));
    EXPECT_EQ(read.at("haigha_sent_bytes_total", labels), static_cast<double>(s.bytes_sent));
}

}  // namespace
}  // namespace haigha::test
