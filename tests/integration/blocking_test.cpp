// Tests of what plain programs use that know no event loop: connecting in one call, and one message
// after the other.
#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <string>
#include <string_view>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class Blocking : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_connect_wait(haigha_text(uri_.c_str()), -1, out(connection_), error_))
            << error_;
        channel_ = open_channel(connection_.get());
        queue_ = declare_queue(channel_.get());
        ASSERT_EQ(HAIGHA_OK, haigha_inbox_new(0, out(inbox_), error_)) << error_;
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue_);
        args.consumer_tag = str("one");
        args.deliveries.inbox = inbox_.get();
        ASSERT_EQ(HAIGHA_OK, haigha_consume_wait(channel_.get(), &args, -1, nullptr, error_))
            << error_;
    }
    void TearDown() override {
        channel_.reset();
        connection_.reset();
        ApiTest::TearDown();
    }
    haigha_status next(std::int64_t timeout_ms) {
        return haigha_inbox_next_message(inbox_.get(), timeout_ms, out(message_), error_);
    }

    const std::int64_t wait_ms = std::chrono::milliseconds(patience).count();
    ConnectionHandle connection_;
    ChannelHandle channel_;
    InboxHandle inbox_;
    MessageHandle message_;
    std::string queue_;
};

TEST_F(Blocking, OneMessageAfterTheOther) {
    for (const char* const body : {"1", "2", "3"})
        ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, body)) << error_;
    for (const std::string_view body : {"1", "2", "3"}) {
        ASSERT_EQ(HAIGHA_OK, next(wait_ms)) << error_;
        EXPECT_EQ(view(haigha_message_body(message_.get())), body);
        ASSERT_EQ(HAIGHA_OK, haigha_ack(channel_.get(), haigha_message_delivery_tag(message_.get()),
                                        0, error_))
            << error_;
    }
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, next(0));
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, next(5));
    EXPECT_TRUE(wait_messages(channel_.get(), queue_, 0));
}

// rule 15: nobody waits for what cannot come any more.
TEST_F(Blocking, TheNextMessageSaysHowTheConsumerEnded) {
    delete_queue(channel_.get(), queue_);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, next(wait_ms));
    EXPECT_NE(error_.message().find("cancel"), std::string::npos) << error_;

    queue_ = declare_queue(channel_.get());
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str(queue_);
    args.consumer_tag = str("two");
    args.deliveries.inbox = inbox_.get();
    ASSERT_EQ(HAIGHA_OK, haigha_consume_wait(channel_.get(), &args, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "the last")) << error_;
    ASSERT_EQ(HAIGHA_OK, next(wait_ms)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_cancel_wait(channel_.get(), str("two"), -1, nullptr, error_))
        << error_;
    EXPECT_EQ(HAIGHA_ERR_CLOSED, next(wait_ms));
    EXPECT_EQ(error_.message(), "the consumer was cancelled");

    ASSERT_EQ(HAIGHA_OK, haigha_consume_wait(channel_.get(), &args, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection_.get(), -1, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_CLOSED, next(wait_ms)) << error_;
}

TEST_F(Blocking, ConnectingSaysWhatIsWrong) {
    ConnectionHandle none;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_connect_wait(str("amqp://host?no_such_option=1"), -1, out(none), error_));
    EXPECT_NE(error_.message().find("no_such_option"), std::string::npos) << error_;
    EXPECT_EQ(HAIGHA_ERR_IO, haigha_connect_wait(str("amqp://127.0.0.1:1"), -1, out(none), error_))
        << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_connect_wait(str("http://x"), -1, out(none), error_));
    EXPECT_FALSE(none);
}

}  // namespace
}  // namespace haigha::test
