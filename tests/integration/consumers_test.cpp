// The lives of consumers on a real broker: kinds of queues, arguments, cancelling, draining,
// pausing.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class Consumers : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        channel_ = open_channel(connection_.get());
        ch_ = channel_.get();
    }
    void TearDown() override {
        for (const std::string& queue : durable_)
            delete_queue(ch_, queue);
        ApiTest::TearDown();
    }
    static TableHandle table(std::string_view name, std::string_view value) {
        Err error;
        TableHandle arguments;
        EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(arguments), error)) << error;
        EXPECT_EQ(HAIGHA_OK, haigha_table_add_string(arguments.get(), str(name), str(value), error))
            << error;
        return arguments;
    }
    static TableHandle table(std::string_view name, std::int64_t value) {
        Err error;
        TableHandle arguments;
        EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(arguments), error)) << error;
        EXPECT_EQ(HAIGHA_OK, haigha_table_add_int(arguments.get(), str(name), value, error))
            << error;
        return arguments;
    }
    // Of a kind that has to be durable: deleted by TearDown.
    std::string declare_durable(std::string_view kind) {
        const std::string queue = unique_name(kind);
        const TableHandle arguments = table("x-queue-type", kind);
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue);
        args.durable = 1;
        args.arguments = arguments.get();
        EXPECT_EQ(HAIGHA_OK, haigha_queue_declare_wait(ch_, &args, -1, nullptr, error_)) << error_;
        durable_.push_back(queue);
        return queue;
    }
    void publish_confirmed(const std::string& queue, int from, int to) {
        const ChannelHandle confirming = open_channel(connection_.get(), nullptr, true);
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue);
        for (int i = from; i < to; ++i) {
            const std::string body = std::to_string(i);
            ReplyHandle reply;
            ASSERT_EQ(HAIGHA_OK, haigha_publish_wait(confirming.get(), &args, str(body), -1,
                                                     out(reply), error_))
                << error_;
            ASSERT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_CONFIRMED);
        }
    }
    haigha_status consume_with(haigha_channel* channel, const std::string& queue, EventLog& log,
                               std::string_view tag, const haigha_table* arguments = nullptr) {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue);
        args.consumer_tag = str(tag);
        args.deliveries = log.then();
        args.arguments = arguments;
        return haigha_consume_wait(channel, &args, -1, nullptr, error_);
    }
    static std::vector<std::string> bodies(const EventLog& log) {
        std::vector<std::string> all;
        for (const Recorded& event : log.events()) {
            if (event.type == HAIGHA_EVENT_DELIVERY) all.push_back(event.body);
        }
        return all;
    }
    static std::vector<std::string> numbers(int from, int to) {
        std::vector<std::string> all;
        for (int i = from; i < to; ++i)
            all.push_back(std::to_string(i));
        return all;
    }
    void ack(std::uint64_t tag) { EXPECT_EQ(HAIGHA_OK, haigha_ack(ch_, tag, 0, error_)) << error_; }
    // Publishes to a queue from a thread of its own until it is told to stop.
    class Load {
      public:
        Load(haigha_connection* connection, std::string queue)
            : thread_([this, connection, queue = std::move(queue)] {
                  Err error;
                  const ChannelHandle channel = open_channel(connection, nullptr, true);
                  haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
                  args.routing_key = str(queue);
                  while (!stop_) {
                      const std::string body = std::to_string(published_);
                      ASSERT_EQ(HAIGHA_OK, haigha_publish_wait(channel.get(), &args, str(body), -1,
                                                               nullptr, error))
                          << error;
                      ++published_;
                  }
              }) {}
        int stop() {
            stop_ = true;
            if (thread_.joinable()) thread_.join();
            return published_;
        }
        ~Load() { stop(); }

      private:
        std::atomic<bool> stop_{false};
        std::atomic<int> published_{0};
        std::thread thread_;
    };

    ConnectionHandle connection_;
    ChannelHandle channel_;
    haigha_channel* ch_ = nullptr;
    std::vector<std::string> durable_;
};

// ---- kinds of queues

TEST_F(Consumers, AStreamIsReadFromTheOffsetThatIsNamed) {
    const std::string stream = declare_durable("stream");
    publish_confirmed(stream, 0, 10);
    EventLog first;
    ASSERT_EQ(HAIGHA_OK,
              consume_with(ch_, stream, first, "a", table("x-stream-offset", "first").get()))
        << error_;
    first.wait_count(HAIGHA_EVENT_DELIVERY, 10);
    EXPECT_EQ(bodies(first), numbers(0, 10));
    EventLog middle;
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, stream, middle, "b", table("x-stream-offset", 7).get()))
        << error_;
    middle.wait_count(HAIGHA_EVENT_DELIVERY, 3);
    EXPECT_EQ(bodies(middle), numbers(7, 10));
    EventLog next;
    ASSERT_EQ(HAIGHA_OK,
              consume_with(ch_, stream, next, "c", table("x-stream-offset", "next").get()))
        << error_;
    publish_confirmed(stream, 10, 12);
    next.wait_count(HAIGHA_EVENT_DELIVERY, 2);
    EXPECT_EQ(bodies(next), numbers(10, 12));
}

// A stream is read by whoever wants to, as often as they want; acks are only credit.
TEST_F(Consumers, AStreamNeedsAPrefetchCountAndAcks) {
    const std::string stream = declare_durable("stream");
    publish_confirmed(stream, 0, 5);
    const ChannelHandle narrow = open_channel(connection_.get());
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = 2;
    ASSERT_EQ(HAIGHA_OK, haigha_qos_wait(narrow.get(), &qos, -1, nullptr, error_)) << error_;
    EventLog log;
    ASSERT_EQ(HAIGHA_OK,
              consume_with(narrow.get(), stream, log, "a", table("x-stream-offset", "first").get()))
        << error_;
    for (std::uint64_t tag = 1; tag <= 5; ++tag) {
        log.wait_count(HAIGHA_EVENT_DELIVERY, tag);
        EXPECT_EQ(HAIGHA_OK, haigha_ack(narrow.get(), tag, 0, error_)) << error_;
    }
    EXPECT_EQ(bodies(log), numbers(0, 5));
}

TEST_F(Consumers, AQuorumQueueKeepsWhatIsNotAcknowledged) {
    const std::string queue = declare_durable("quorum");
    publish_confirmed(queue, 0, 4);
    {
        const ChannelHandle other = open_channel(connection_.get());
        EventLog log;
        ASSERT_EQ(HAIGHA_OK, consume_with(other.get(), queue, log, "a")) << error_;
        log.wait_count(HAIGHA_EVENT_DELIVERY, 4);
        EXPECT_EQ(HAIGHA_OK, haigha_ack(other.get(), 2, HAIGHA_MULTIPLE, error_)) << error_;
        ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(other.get(), -1, error_)) << error_;
    }
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, log, "b")) << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 2);
    EXPECT_EQ(bodies(log), numbers(2, 4));
    for (const Recorded& event : log.events())
        EXPECT_NE(event.flags & HAIGHA_FLAG_REDELIVERED, 0U);
}

// ---- arguments

TEST_F(Consumers, OneConsumerIsActiveAtATime) {
    const TableHandle arguments = [&] {
        TableHandle single;
        EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(single), error_)) << error_;
        EXPECT_EQ(HAIGHA_OK,
                  haigha_table_add_bool(single.get(), str("x-single-active-consumer"), 1, error_))
            << error_;
        return single;
    }();
    const std::string queue = declare_queue(ch_, arguments.get());
    EventLog first;
    EventLog second;
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, first, "first")) << error_;
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, second, "second")) << error_;
    publish_confirmed(queue, 0, 10);
    first.wait_count(HAIGHA_EVENT_DELIVERY, 10);
    EXPECT_EQ(bodies(first), numbers(0, 10));
    ASSERT_EQ(HAIGHA_OK, haigha_cancel_wait(ch_, str("first"), -1, nullptr, error_)) << error_;
    publish_confirmed(queue, 10, 20);
    second.wait_count(HAIGHA_EVENT_DELIVERY, 10);
    EXPECT_EQ(bodies(second), numbers(10, 20));
    EXPECT_EQ(first.count(HAIGHA_EVENT_DELIVERY), 10U);
}

TEST_F(Consumers, TheHigherPriorityIsServedFirst) {
    const std::string queue = declare_queue(ch_);
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = 5;
    ASSERT_EQ(HAIGHA_OK, haigha_qos_wait(ch_, &qos, -1, nullptr, error_)) << error_;
    EventLog low;
    EventLog high;
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, low, "low", table("x-priority", -3).get()))
        << error_;
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, high, "high", table("x-priority", 10).get()))
        << error_;
    publish_confirmed(queue, 0, 7);
    // As long as it has room: then the other one.
    high.wait_count(HAIGHA_EVENT_DELIVERY, 5);
    low.wait_count(HAIGHA_EVENT_DELIVERY, 2);
    EXPECT_EQ(bodies(high), numbers(0, 5));
    EXPECT_EQ(bodies(low), numbers(5, 7));
}

// The specification has it; RabbitMQ takes the flag and delivers all the same.
TEST_F(Consumers, RabbitMqDoesNotKnowNoLocal) {
    const std::string queue = declare_queue(ch_);
    EventLog log;
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str(queue);
    args.no_local = 1;
    args.no_ack = 1;
    args.deliveries = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_consume_wait(ch_, &args, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "own")) << error_;
    EXPECT_EQ(log.wait_for(HAIGHA_EVENT_DELIVERY).body, "own");
}

// ---- settling

TEST_F(Consumers, ADeliveryIsSettledOnce) {
    const std::string queue = declare_queue(ch_);
    publish_confirmed(queue, 0, 3);
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, log, "c")) << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 3);
    ack(3);
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_ack(ch_, 3, 0, error_));
    EXPECT_EQ(error_.message(),
              "delivery_tag 3 needs no settling: it is settled already, or was taken with no_ack");
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_nack(ch_, 4, HAIGHA_REQUEUE, error_));
    EXPECT_EQ(error_.message(), "delivery_tag 4 was not delivered on this channel");
    // A tag that is settled still says how far: the broker is told the last open one.
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, 3, HAIGHA_MULTIPLE, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, 0, HAIGHA_MULTIPLE, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(ch_, -1, error_)) << error_;
    EXPECT_FALSE(ErrorHandle(haigha_channel_last_error(ch_)));
    channel_ = open_channel(connection_.get());
    ch_ = channel_.get();
    EXPECT_EQ(count_messages(ch_, queue), 0U);
}

// ---- cancelling, draining, pausing

// rule 79: what comes until cancel-ok is delivered, none is lost and none stays unacknowledged
TEST_F(Consumers, CancellingUnderLoadLosesNothing) {
    const std::string queue = declare_queue(ch_);
    Load load(connection_.get(), queue);
    std::map<std::string, int> seen;
    for (int round = 0; round < 20; ++round) {
        EventLog log([&](const haigha_event& event) {
            if (event.type != HAIGHA_EVENT_DELIVERY) return;
            ++seen[std::string(view(event.body))];
            EXPECT_EQ(HAIGHA_OK, haigha_ack(event.channel, event.number, 0, nullptr));
        });
        ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, log, "c")) << error_;
        log.wait_count(HAIGHA_EVENT_DELIVERY, 5);
        ASSERT_EQ(HAIGHA_OK, haigha_cancel_wait(ch_, str("c"), -1, nullptr, error_)) << error_;
        EXPECT_TRUE(log.wait_released(1));
    }
    const int published = load.stop();
    const auto left = static_cast<int>(count_messages(ch_, queue));
    EXPECT_EQ(static_cast<int>(seen.size()) + left, published);
    for (const auto& [body, times] : seen)
        EXPECT_EQ(times, 1) << body;
}

// rule 79, where what is lost is lost for good
TEST_F(Consumers, CancellingUnderLoadLosesNothingWithoutAcks) {
    const std::string queue = declare_queue(ch_);
    Load load(connection_.get(), queue);
    std::map<std::string, int> seen;
    for (int round = 0; round < 20; ++round) {
        EventLog log([&](const haigha_event& event) {
            if (event.type == HAIGHA_EVENT_DELIVERY) ++seen[std::string(view(event.body))];
        });
        ASSERT_EQ(HAIGHA_OK, consume(ch_, queue, log.then(), true, "c")) << error_;
        log.wait_count(HAIGHA_EVENT_DELIVERY, 5);
        ASSERT_EQ(HAIGHA_OK, haigha_cancel_wait(ch_, str("c"), -1, nullptr, error_)) << error_;
        EXPECT_TRUE(log.wait_released(1));
    }
    const int published = load.stop();
    const auto left = static_cast<int>(count_messages(ch_, queue));
    EXPECT_EQ(static_cast<int>(seen.size()) + left, published);
}

// rule 80: acknowledged and requeued are together what was delivered
TEST_F(Consumers, DrainingUnderLoad) {
    const std::string queue = declare_queue(ch_);
    Load load(connection_.get(), queue);
    std::atomic<std::uint64_t> delivered{0};
    std::atomic<std::uint64_t> settled{0};
    std::thread worker;
    EventLog log([&](const haigha_event& event) {
        if (event.type == HAIGHA_EVENT_DELIVERY) delivered = event.number;
    });
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, log, "c")) << error_;
    std::atomic<bool> stop{false};
    worker = std::thread([&] {
        while (!stop || settled < delivered) {
            if (settled == delivered) std::this_thread::yield();
            while (settled < delivered) {
                Err error;
                EXPECT_EQ(HAIGHA_OK, haigha_ack(ch_, ++settled, 0, error)) << error;
            }
        }
    });
    log.wait_count(HAIGHA_EVENT_DELIVERY, 100);
    ReplyHandle reply;
    EXPECT_EQ(HAIGHA_OK, haigha_consumer_drain_wait(ch_, str("c"), 60'000, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_message_count(reply.get()), 0U);
    EXPECT_EQ(settled, delivered);
    EXPECT_EQ(log.events().back().type,
              static_cast<std::uint32_t>(HAIGHA_EVENT_CONSUMER_CANCELLED));
    stop = true;
    worker.join();
    const int published = load.stop();
    EXPECT_EQ(delivered + count_messages(ch_, queue), static_cast<std::uint64_t>(published));
}

// rule 80: within its deadline
TEST_F(Consumers, DrainingGivesUpAtItsDeadline) {
    const std::string queue = declare_queue(ch_);
    publish_confirmed(queue, 0, 5);
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, log, "c")) << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 5);
    ack(2);
    const Recorded drained = completion([&](const haigha_then* then) {
        return haigha_consumer_drain(ch_, str("c"), 200, then, error_);
    });
    EXPECT_FALSE(drained.failed) << drained.error;
    EXPECT_EQ(drained.message_count, 4U);
    ASSERT_EQ(HAIGHA_OK, haigha_nack(ch_, 0, HAIGHA_MULTIPLE | HAIGHA_REQUEUE, error_)) << error_;
    EXPECT_TRUE(wait_messages(ch_, queue, 4));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_consumer_drain_wait(ch_, str("c"), 0, nullptr, error_));
    EXPECT_EQ(error_.message(), "there is no consumer \"c\" on this channel");
}

// rule 81
TEST_F(Consumers, PausingStopsDeliveriesAndResumingGoesOn) {
    const std::string queue = declare_queue(ch_);
    EventLog log([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        EXPECT_EQ(HAIGHA_OK, haigha_ack(event.channel, event.number, 0, nullptr));
    });
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, log, "c")) << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_consumer_resume_wait(ch_, str("c"), -1, nullptr, error_));
    EXPECT_EQ(error_.message(), "consumer \"c\" is not paused");
    int next = 0;
    for (int round = 0; round < 10; ++round) {
        publish_confirmed(queue, next, next + 10);
        log.wait_count(HAIGHA_EVENT_DELIVERY, static_cast<std::size_t>(next) + 10);
        ASSERT_EQ(HAIGHA_OK, haigha_consumer_pause_wait(ch_, str("c"), -1, nullptr, error_))
            << error_;
        const std::size_t before = log.count(HAIGHA_EVENT_DELIVERY);
        publish_confirmed(queue, next + 10, next + 20);
        EXPECT_TRUE(wait_messages(ch_, queue, 10));
        EXPECT_EQ(log.count(HAIGHA_EVENT_DELIVERY), before);
        EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
                  haigha_consumer_pause_wait(ch_, str("c"), -1, nullptr, error_));
        EXPECT_EQ(error_.message(), "consumer \"c\" is paused already");
        ASSERT_EQ(HAIGHA_OK, haigha_consumer_resume_wait(ch_, str("c"), -1, nullptr, error_))
            << error_;
        next += 20;
        log.wait_count(HAIGHA_EVENT_DELIVERY, static_cast<std::size_t>(next));
    }
    EXPECT_EQ(bodies(log), numbers(0, next));
    EXPECT_EQ(log.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
}

// rule 81: at most `prefetch` more
TEST_F(Consumers, APausedConsumerKeepsWhatItHas) {
    const std::string queue = declare_queue(ch_);
    publish_confirmed(queue, 0, 10);
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = 4;
    ASSERT_EQ(HAIGHA_OK, haigha_qos_wait(ch_, &qos, -1, nullptr, error_)) << error_;
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume_with(ch_, queue, log, "c")) << error_;
    const Recorded paused = completion([&](const haigha_then* then) {
        return haigha_consumer_pause(ch_, str("c"), then, error_);
    });
    EXPECT_FALSE(paused.failed) << paused.error;
    EXPECT_EQ(paused.consumer_tag, "c");
    EXPECT_LE(log.count(HAIGHA_EVENT_DELIVERY), 4U);
    const std::size_t before = log.count(HAIGHA_EVENT_DELIVERY);
    for (std::uint64_t tag = 1; tag <= before; ++tag)
        ack(tag);
    EXPECT_TRUE(wait_messages(ch_, queue, static_cast<std::uint32_t>(10 - before)));
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_consumer_resume(ch_, str("c"), then, error_);
                 }).failed);
    log.wait_count(HAIGHA_EVENT_DELIVERY, before + 4);
    EXPECT_EQ(bodies(log), numbers(0, static_cast<int>(before) + 4));
}

TEST_F(Consumers, AStreamGoesOnBehindTheLastDelivery) {
    const std::string stream = declare_durable("stream");
    publish_confirmed(stream, 0, 20);
    EventLog log([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        EXPECT_EQ(HAIGHA_OK, haigha_ack(event.channel, event.number, 0, nullptr));
    });
    ASSERT_EQ(HAIGHA_OK,
              consume_with(ch_, stream, log, "c", table("x-stream-offset", "first").get()))
        << error_;
    log.wait_count(HAIGHA_EVENT_DELIVERY, 1);
    for (int round = 0; round < 5; ++round) {
        ASSERT_EQ(HAIGHA_OK, haigha_consumer_pause_wait(ch_, str("c"), -1, nullptr, error_))
            << error_;
        publish_confirmed(stream, 20 + round, 21 + round);
        ASSERT_EQ(HAIGHA_OK, haigha_consumer_resume_wait(ch_, str("c"), -1, nullptr, error_))
            << error_;
    }
    log.wait_count(HAIGHA_EVENT_DELIVERY, 25);
    EXPECT_EQ(bodies(log), numbers(0, 25));
}

// Whatever was delivered is settled or the broker's again, and whatever was published is confirmed.
TEST_F(Consumers, StoppingAConnectionUnderLoadLosesNothing) {
    const ConnectionHandle other = connect();
    const ChannelHandle control = open_channel(other.get());
    const std::string in = unique_name("stop-in");
    const std::string queue_out = unique_name("stop-out");
    for (const std::string& queue : {in, queue_out}) {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue);
        ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(control.get(), &args, -1, nullptr, error_))
            << error_;
    }
    constexpr std::uint32_t count = 2000;
    for (std::uint32_t i = 0; i < count; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(control.get(), in, "x")) << error_;
    const ConnectionHandle connection = connect();
    EventLog outcomes;
    const haigha_then outcomes_then = outcomes.then();
    const ChannelHandle channel = open_channel(connection.get(), &outcomes_then, true);
    std::atomic<std::uint32_t> handled{0};
    EventLog deliveries([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_out);
        EXPECT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, event.body, nullptr, nullptr));
        EXPECT_EQ(HAIGHA_OK, haigha_ack(event.channel, event.number, 0, nullptr));
        ++handled;
    });
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), in, deliveries.then())) << error_;
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 100);
    ReplyHandle reply;
    EXPECT_EQ(HAIGHA_OK, haigha_connection_stop_wait(connection.get(), nullptr, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_unconfirmed(reply.get()), 0U);
    EXPECT_EQ(haigha_reply_unsettled(reply.get()), 0U);
    EXPECT_EQ(outcomes.count(HAIGHA_EVENT_OUTCOME), handled.load());
    EXPECT_TRUE(wait_messages(control.get(), queue_out, handled));
    EXPECT_TRUE(wait_messages(control.get(), in, count - handled));
    for (const std::string& queue : {in, queue_out})
        delete_queue(control.get(), queue);
}

}  // namespace
}  // namespace haigha::test
