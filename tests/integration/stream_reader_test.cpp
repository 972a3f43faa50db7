// Readers of streams on a real broker: where they go on after a restart, and after an outage.
#include <gtest/gtest.h>
#include <haigha/queue_arguments.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "support/api_fixture.h"
#include "support/fault_proxy.h"

namespace haigha::test {
namespace {

class StreamReaders : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        channel_ = open_channel(connection_.get(), nullptr, true);
        stream_ = unique_name("stream");
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(stream_);
        args.durable = 1;
        const TableHandle table = new_table();
        haigha_queue_arguments arguments = HAIGHA_QUEUE_ARGUMENTS_INIT;
        arguments.kind = HAIGHA_QUEUE_STREAM;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_queue_arguments_add(&arguments, &args, nullptr, table.get(), error_))
            << error_;
        args.arguments = table.get();
        ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel_.get(), &args, -1, nullptr, error_))
            << error_;
    }
    void TearDown() override {
        if (connection_) {
            const ConnectionHandle cleaner = connect();
            const ChannelHandle channel = open_channel(cleaner.get());
            delete_queue(channel.get(), stream_);
            delete_queue(channel.get(), offsets());
        }
        channel_.reset();
        connection_.reset();
        ApiTest::TearDown();
    }

    std::string offsets() const { return stream_ + ".offset.r"; }
    static TableHandle new_table() {
        TableHandle table;
        EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(table), nullptr));
        return table;
    }
    void fill(int from, int to) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(stream_);
        for (int i = from; i < to; ++i) {
            ASSERT_EQ(HAIGHA_OK, haigha_publish_wait(channel_.get(), &args, str(std::to_string(i)),
                                                     -1, nullptr, error_))
                << error_;
        }
    }

    // What one life of a program has: a channel with a reader, and the messages it was given.
    class Life {
      public:
        Life(haigha_connection* connection, const std::string& stream,
             haigha_stream_reader_args args = HAIGHA_STREAM_READER_ARGS_INIT)
            : log_([this](const haigha_event& event) { keep(event); }) {
            channel_ = open_channel(connection);
            args.stream = str(stream);
            args.name = str("r");
            EXPECT_EQ(HAIGHA_OK,
                      haigha_stream_reader_new(channel_.get(), &args, out(reader_), error_))
                << error_;
        }
        Life(const Life&) = delete;
        Life& operator=(const Life&) = delete;
        ~Life() {
            reader_.reset();
            (void)haigha_channel_close_wait(channel_.get(), -1, nullptr);
        }

        haigha_consume_args consume_args(const haigha_table* arguments) {
            haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
            args.deliveries = log_.then();
            args.arguments = arguments;
            return args;
        }
        void consume() {
            const TableHandle table = new_table();
            haigha_consumer_arguments from = HAIGHA_CONSUMER_ARGUMENTS_INIT;
            from.kind = HAIGHA_QUEUE_STREAM;
            from.stream_from = HAIGHA_STREAM_OFFSET_FIRST;
            ASSERT_EQ(HAIGHA_OK, haigha_consumer_arguments_add(&from, nullptr, table.get(), error_))
                << error_;
            const haigha_consume_args args = consume_args(table.get());
            ReplyHandle reply;
            ASSERT_EQ(HAIGHA_OK, haigha_stream_reader_consume_wait(reader_.get(), &args, -1,
                                                                   out(reply), error_))
                << error_;
            EXPECT_FALSE(view(haigha_reply_consumer_tag(reply.get())).empty());
        }
        // By their place among those that came, from 0.
        haigha_message* message(std::size_t nth) {
            EXPECT_TRUE(log_.wait_count(HAIGHA_EVENT_DELIVERY, nth + 1));
            const std::lock_guard lock(mutex_);
            return messages_.at(nth).get();
        }
        std::string body(std::size_t nth) {
            return std::string(view(haigha_message_body(message(nth))));
        }
        void handled(std::size_t nth) {
            EXPECT_EQ(HAIGHA_OK, haigha_stream_reader_handled(reader_.get(), message(nth), error_))
                << error_;
        }
        haigha_status save() { return haigha_stream_reader_save_wait(reader_.get(), -1, error_); }
        std::int64_t info(std::string_view name) {
            std::int64_t value = -99;
            EXPECT_EQ(HAIGHA_OK,
                      haigha_stream_reader_info(reader_.get(), str(name), &value, error_))
                << error_;
            return value;
        }
        std::size_t count() const { return log_.count(HAIGHA_EVENT_DELIVERY); }
        haigha_stream_reader* reader() { return reader_.get(); }
        haigha_channel* channel() { return channel_.get(); }
        Err error_;

      private:
        void keep(const haigha_event& event) {
            if (event.type != HAIGHA_EVENT_DELIVERY) return;
            const std::lock_guard lock(mutex_);
            messages_.emplace_back(haigha_message_ref(event.message));
        }
        std::mutex mutex_;
        std::vector<MessageHandle> messages_;
        EventLog log_;
        ChannelHandle channel_;
        StreamReaderHandle reader_;
    };

    ConnectionHandle connection_;
    ChannelHandle channel_;
    std::string stream_;
};

TEST_F(StreamReaders, GoOnWhereTheyWereBefore) {
    fill(0, 10);
    {
        Life life(connection_.get(), stream_);
        life.consume();
        for (std::size_t i = 0; i < 6; ++i)
            life.handled(i);
        EXPECT_EQ(HAIGHA_OK, life.save()) << life.error_;
        EXPECT_EQ(life.info("saved_offset"), 5);
        EXPECT_EQ(HAIGHA_OK, life.save()) << life.error_;  // there is nothing new
    }
    for (int life_number = 0; life_number < 3; ++life_number) {
        Life life(connection_.get(), stream_);
        life.consume();
        EXPECT_EQ(life.body(0), "6");
        EXPECT_EQ(life.body(3), "9");
        std::uint64_t offset = 0;
        EXPECT_EQ(HAIGHA_OK, haigha_message_stream_offset(life.message(0), &offset, error_));
        EXPECT_EQ(offset, 6U);
        EXPECT_EQ(life.info("offset"), 5);
        // What was read is replaced: nothing stays unsettled, and one place is kept.
        EXPECT_EQ(HAIGHA_OK, life.save()) << life.error_;
        EXPECT_EQ(life.info("saves"), 1);
    }
    ASSERT_TRUE(wait_messages(channel_.get(), offsets(), 1));
    EXPECT_EQ(view(haigha_message_body(get(channel_.get(), offsets(), false).get())), "5");
}

TEST_F(StreamReaders, NothingIsLeftOutThatIsNotHandled) {
    fill(0, 6);
    {
        Life life(connection_.get(), stream_);
        life.consume();
        for (const std::size_t i : {4, 1, 0, 3})
            life.handled(i);
        EXPECT_EQ(life.info("offset"), 1);
        EXPECT_EQ(HAIGHA_OK, life.save()) << life.error_;
        (void)life.message(5);
        EXPECT_EQ(life.info("unhandled"), 2);
    }
    Life life(connection_.get(), stream_);
    life.consume();
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_EQ(life.body(i), std::to_string(i + 2));
}

TEST_F(StreamReaders, KeepTheirPlaceByThemselves) {
    fill(0, 7);
    haigha_stream_reader_args args = HAIGHA_STREAM_READER_ARGS_INIT;
    args.save_every = 3;
    args.save_interval_ms = 3'600'000;
    Life life(connection_.get(), stream_, args);
    life.consume();
    for (std::size_t i = 0; i < 4; ++i)
        life.handled(i);
    ASSERT_TRUE(wait_messages(channel_.get(), offsets(), 1));
    EXPECT_EQ(view(haigha_message_body(get(channel_.get(), offsets(), false).get())), "2");
    EXPECT_EQ(life.info("offset"), 3);
}

TEST_F(StreamReaders, KeepTheirPlaceAfterAWhile) {
    fill(0, 1);
    haigha_stream_reader_args args = HAIGHA_STREAM_READER_ARGS_INIT;
    args.save_interval_ms = 1;
    args.quorum = 1;
    Life life(connection_.get(), stream_, args);
    life.consume();
    life.handled(0);
    ASSERT_TRUE(wait_messages(channel_.get(), offsets(), 1));
    EXPECT_EQ(view(haigha_message_body(get(channel_.get(), offsets(), false).get())), "0");
}

TEST_F(StreamReaders, AnOutageHasNothingComeTwice) {
    const std::size_t colon = uri_.rfind(':');
    FaultProxy proxy(static_cast<std::uint16_t>(std::stoi(uri_.substr(colon + 1))));
    EventLog states;
    const haigha_then watch = states.then();
    const OptionsHandle through =
        options_from(uri_.substr(0, colon + 1) + std::to_string(proxy.port()),
                     {{"recovery", 1}, {"prefetch", 4}});
    const ConnectionHandle connection = new_connection(loop_.get(), through.get(), &watch);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
    fill(0, 12);
    Life life(connection.get(), stream_);
    life.consume();
    (void)life.message(3);
    life.handled(1);
    proxy.command("reset");
    states.wait(
        [](const auto& events) {
            return std::any_of(events.begin(), events.end(), [](const Recorded& event) {
                return event.type == HAIGHA_EVENT_RECOVERY &&
                       event.state == HAIGHA_RECOVERY_RECOVERED;
            });
        },
        "the recovery");
    // Those of before the outage are handled as any other.
    for (const std::size_t i : {0, 2, 3})
        life.handled(i);
    for (std::size_t i = 4; i < 12; ++i)
        life.handled(i);
    for (std::size_t i = 0; i < 12; ++i)
        EXPECT_EQ(life.body(i), std::to_string(i));
    EXPECT_EQ(life.info("offset"), 11);
    EXPECT_EQ(HAIGHA_OK, life.save()) << life.error_;
    EXPECT_EQ(life.info("saved_offset"), 11);
    EXPECT_EQ(life.count(), 12U);
}

TEST_F(StreamReaders, SayThatAPlaceCannotBeKept) {
    fill(0, 2);
    Life life(connection_.get(), stream_);
    life.consume();
    delete_queue(channel_.get(), offsets());
    life.handled(0);
    EXPECT_EQ(HAIGHA_ERR_RETURNED, life.save());
    EXPECT_NE(life.error_.message().find("\"" + offsets() + "\""), std::string::npos)
        << life.error_;
    EXPECT_EQ(life.info("failed_saves"), 1);
    EXPECT_EQ(life.info("saved_offset"), -1);
    // With a queue again it can be.
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.durable = 1;
    const std::string queue = offsets();
    args.queue = str(queue);
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel_.get(), &args, -1, nullptr, error_))
        << error_;
    EXPECT_EQ(HAIGHA_OK, life.save()) << life.error_;
    EXPECT_EQ(life.info("saved_offset"), 0);
}

TEST_F(StreamReaders, RefuseWhatIsNoPlace) {
    fill(0, 1);
    {
        Life life(connection_.get(), stream_);
        life.consume();
    }
    for (const std::string_view body : {"", "x", "-1", "1 ", "9999999999999999999"}) {
        const std::string queue = offsets();
        ASSERT_EQ(HAIGHA_OK,
                  haigha_queue_purge_wait(channel_.get(), str(queue), -1, nullptr, error_))
            << error_;
        ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), queue, body)) << error_;
        ASSERT_TRUE(wait_messages(channel_.get(), queue, 1));
        Life life(connection_.get(), stream_);
        const haigha_consume_args args = life.consume_args(nullptr);
        EXPECT_EQ(HAIGHA_ERR_MALFORMED,
                  haigha_stream_reader_consume_wait(life.reader(), &args, -1, nullptr, error_));
        EXPECT_TRUE(wait_messages(channel_.get(), queue, 1)) << "it is given back";
    }
}

TEST_F(StreamReaders, RefuseWhatTheyCannotDo) {
    fill(0, 2);
    const std::string plain = declare_queue(channel_.get());
    ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), plain, "x")) << error_;
    ASSERT_TRUE(wait_messages(channel_.get(), plain, 1));
    Life life(connection_.get(), stream_);
    haigha_consume_args args = life.consume_args(nullptr);
    const auto refused = [&](const char* name) {
        EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
                  haigha_stream_reader_consume_wait(life.reader(), &args, -1, nullptr, error_));
        EXPECT_NE(error_.message().find(name), std::string::npos) << error_;
    };
    args.queue = str("other");
    refused("args->queue");
    args.queue = {};
    args.no_ack = 1;
    refused("args->no_ack");
    args.no_ack = 0;
    life.consume();
    refused("has a consumer");

    const MessageHandle other = get(channel_.get(), plain);
    std::uint64_t offset = 0;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_message_stream_offset(other.get(), &offset, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_stream_reader_handled(life.reader(), other.get(), error_));
    life.handled(0);
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_stream_reader_handled(life.reader(), life.message(0), error_));
    EXPECT_NE(error_.message().find("offset 0"), std::string::npos) << error_;

    haigha_stream_reader_args reader_args = HAIGHA_STREAM_READER_ARGS_INIT;
    StreamReaderHandle none;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_stream_reader_new(channel_.get(), &reader_args, out(none), error_));
    reader_args.stream = str(stream_);
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_stream_reader_new(channel_.get(), &reader_args, out(none), error_));
    EXPECT_NE(error_.message().find("args->name"), std::string::npos) << error_;
    const std::string long_name(250, 'n');
    reader_args.name = str(long_name);
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_stream_reader_new(channel_.get(), &reader_args, out(none), error_));
}

// A queue of that name which is another's: what the broker says, and the hook of the deliveries.
TEST_F(StreamReaders, TellWhatTheBrokerSays) {
    const std::string queue = offsets();
    declare_durable(channel_.get(), queue);
    Life life(connection_.get(), stream_);
    EventLog deliveries;
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.deliveries = deliveries.then();
    const Recorded answer = completion([&](const haigha_then* then) {
        return haigha_stream_reader_consume(life.reader(), &args, then, error_);
    });
    EXPECT_TRUE(answer.failed);
    EXPECT_EQ(answer.reply_code, 406);
    EXPECT_TRUE(deliveries.wait_released(1));
}

TEST_F(StreamReaders, AreAnsweredForWhenTheirConnectionEnds) {
    fill(0, 1);
    const ConnectionHandle connection = connect();
    Life life(connection.get(), stream_);
    life.consume();
    life.handled(0);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_CLOSED, life.save());
}

}  // namespace
}  // namespace haigha::test
