// Exchanges and queues on a real broker: every operation, by completion and waiting.
#include <gtest/gtest.h>

#include <list>
#include <string>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class Topology : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        channel_ = open_channel(connection_.get());
        ch_ = channel_.get();
    }
    void TearDown() override {
        for (const std::string& exchange : exchanges_) {
            haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
            args.exchange = str(exchange);
            haigha_exchange_delete_wait(ch_, &args, -1, nullptr, nullptr);
        }
        ApiTest::TearDown();
    }

    haigha_exchange_declare_args exchange_args(std::string_view what, std::string_view type) {
        exchanges_.push_back(unique_name(what));
        haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        args.exchange = str(exchanges_.back());
        args.type = str(type);
        return args;
    }
    std::string declare_exchange(std::string_view what, std::string_view type) {
        const auto args = exchange_args(what, type);
        EXPECT_EQ(HAIGHA_OK, haigha_exchange_declare_wait(ch_, &args, -1, nullptr, error_))
            << error_;
        return exchanges_.back();
    }
    haigha_status publish_to(const std::string& exchange, std::string_view key,
                             const haigha_properties* properties = nullptr) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str(exchange);
        args.routing_key = str(key);
        args.properties = properties;
        return haigha_publish(ch_, &args, str("x"), nullptr, error_);
    }
    haigha_queue_bind_args queue_bind_args(const std::string& queue, const std::string& exchange,
                                           std::string_view key) {
        haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
        args.queue = str(queue);
        args.exchange = str(exchange);
        args.routing_key = str(key);
        return args;
    }

    ConnectionHandle connection_;
    ChannelHandle channel_;
    haigha_channel* ch_ = nullptr;
    std::list<std::string> exchanges_;
};

TEST_F(Topology, ExchangeDeclareAndDelete) {
    for (const char* type : {"direct", "fanout", "topic", "headers"}) {
        auto args = exchange_args(type, type);
        args.durable = 1;
        const Recorded reply = completion([&](const haigha_then* then) {
            return haigha_exchange_declare(ch_, &args, then, error_);
        });
        EXPECT_FALSE(reply.failed) << reply.error;
        EXPECT_TRUE(reply.has_reply);

        args.passive = 1;
        EXPECT_EQ(HAIGHA_OK, haigha_exchange_declare_wait(ch_, &args, -1, nullptr, error_))
            << error_;

        haigha_exchange_delete_args gone = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
        gone.exchange = args.exchange;
        gone.if_unused = 1;
        EXPECT_FALSE(completion([&](const haigha_then* then) {
                         return haigha_exchange_delete(ch_, &gone, then, error_);
                     }).failed);
    }
}

TEST_F(Topology, TheDefaultTypeOfAnExchangeIsDirect) {
    const std::string exchange = declare_exchange("untyped", "");
    haigha_exchange_declare_args again = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    again.exchange = str(exchange);
    again.type = str("direct");
    EXPECT_EQ(HAIGHA_OK, haigha_exchange_declare_wait(ch_, &again, -1, nullptr, error_)) << error_;
}

TEST_F(Topology, AnInternalExchangeIsReachedOnlyThroughAnother) {
    const std::string front = declare_exchange("front", "fanout");
    auto args = exchange_args("behind", "topic");
    args.internal = 1;
    args.auto_delete = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_exchange_declare_wait(ch_, &args, -1, nullptr, error_)) << error_;
    const std::string behind = exchanges_.back();
    const std::string queue = declare_queue(ch_);

    haigha_exchange_bind_args joint = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    joint.destination = str(behind);
    joint.source = str(front);
    joint.routing_key = str("any");
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_exchange_bind(ch_, &joint, then, error_);
                 }).failed);
    const auto bind = queue_bind_args(queue, behind, "a.*");
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_queue_bind(ch_, &bind, then, error_);
                 }).failed);

    ASSERT_EQ(HAIGHA_OK, publish_to(front, "a.b")) << error_;
    ASSERT_EQ(HAIGHA_OK, publish_to(front, "b.a")) << error_;
    const MessageHandle message = get(ch_, queue);
    ASSERT_TRUE(message);
    EXPECT_EQ(view(haigha_message_exchange(message.get())), front);
    EXPECT_EQ(view(haigha_message_routing_key(message.get())), "a.b");
    EXPECT_FALSE(get(ch_, queue));

    EXPECT_EQ(HAIGHA_OK, haigha_exchange_unbind_wait(ch_, &joint, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish_to(front, "a.b")) << error_;
    EXPECT_FALSE(get(ch_, queue));

    EXPECT_EQ(HAIGHA_OK, haigha_exchange_bind_wait(ch_, &joint, -1, nullptr, error_)) << error_;
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_exchange_unbind(ch_, &joint, then, error_);
                 }).failed);
}

TEST_F(Topology, QueueDeclareTellsTheNameAndTheCounts) {
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.exclusive = 1;
    args.auto_delete = 1;
    const Recorded made = completion(
        [&](const haigha_then* then) { return haigha_queue_declare(ch_, &args, then, error_); });
    EXPECT_FALSE(made.failed) << made.error;
    EXPECT_EQ(made.queue.rfind("amq.gen-", 0), 0U) << made.queue;
    EXPECT_EQ(made.message_count, 0U);
    EXPECT_EQ(made.channel_id, haigha_channel_id(ch_));

    ASSERT_EQ(HAIGHA_OK, publish(ch_, made.queue, "1")) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(ch_, made.queue, "2")) << error_;
    EventLog deliveries;
    const ChannelHandle other = open_channel(connection_.get());
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_qos_wait(other.get(), &qos, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, consume(other.get(), made.queue, deliveries.then())) << error_;
    deliveries.wait_for(HAIGHA_EVENT_DELIVERY);

    args.queue = str(made.queue);
    args.passive = 1;
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(ch_, &args, -1, out(reply), error_)) << error_;
    EXPECT_EQ(view(haigha_reply_queue(reply.get())), made.queue);
    EXPECT_EQ(haigha_reply_message_count(reply.get()), 1U);
    EXPECT_EQ(haigha_reply_consumer_count(reply.get()), 1U);
}

TEST_F(Topology, ArgumentsReachTheBroker) {
    TableHandle arguments;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(arguments), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_int(arguments.get(), str("x-max-length"), 2, error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_string(arguments.get(), str("x-overflow"),
                                                 str("drop-head"), error_));
    const std::string queue = declare_queue(ch_, arguments.get());
    for (const char* body : {"1", "2", "3"})
        ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, body)) << error_;
    const MessageHandle oldest = get(ch_, queue);
    ASSERT_TRUE(oldest);
    EXPECT_EQ(view(haigha_message_body(oldest.get())), "2");
}

TEST_F(Topology, BindByHeaders) {
    const std::string exchange = declare_exchange("headers", "headers");
    const std::string queue = declare_queue(ch_);
    TableHandle wanted;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(wanted), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_string(wanted.get(), str("x-match"), str("all"), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_int(wanted.get(), str("size"), 3, error_));
    auto bind = queue_bind_args(queue, exchange, "");
    bind.arguments = wanted.get();
    ASSERT_EQ(HAIGHA_OK, haigha_queue_bind_wait(ch_, &bind, -1, nullptr, error_)) << error_;

    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    ASSERT_EQ(HAIGHA_OK, publish_to(exchange, "", &properties)) << error_;
    EXPECT_FALSE(get(ch_, queue));
    TableHandle headers;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(headers), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_int(headers.get(), str("size"), 3, error_));
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = headers.get();
    ASSERT_EQ(HAIGHA_OK, publish_to(exchange, "", &properties)) << error_;
    EXPECT_TRUE(get(ch_, queue));

    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_queue_unbind(ch_, &bind, then, error_);
                 }).failed);
    ASSERT_EQ(HAIGHA_OK, publish_to(exchange, "", &properties)) << error_;
    EXPECT_FALSE(get(ch_, queue));
    // Unbinding what is not bound is no error to RabbitMQ.
    EXPECT_EQ(HAIGHA_OK, haigha_queue_unbind_wait(ch_, &bind, -1, nullptr, error_)) << error_;
}

TEST_F(Topology, AnEmptyQueueNameIsTheLastOneDeclared) {
    const std::string exchange = declare_exchange("last", "fanout");
    const std::string queue = declare_queue(ch_);
    const auto bind = queue_bind_args("", exchange, "");
    ASSERT_EQ(HAIGHA_OK, haigha_queue_bind_wait(ch_, &bind, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish_to(exchange, "")) << error_;
    EXPECT_TRUE(get(ch_, queue));
}

TEST_F(Topology, PurgeAndDeleteTellHowMany) {
    const std::string queue = declare_queue(ch_);
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "x")) << error_;
    EXPECT_EQ(completion([&](const haigha_then* then) {
                  return haigha_queue_purge(ch_, str(queue), then, error_);
              }).message_count,
              3U);
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "x")) << error_;
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK, haigha_queue_purge_wait(ch_, str(queue), -1, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_message_count(reply.get()), 1U);

    for (int i = 0; i < 2; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "x")) << error_;
    haigha_queue_delete_args gone = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    gone.queue = str(queue);
    gone.if_unused = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_queue_delete_wait(ch_, &gone, -1, out(reply), error_)) << error_;
    EXPECT_EQ(haigha_reply_message_count(reply.get()), 2U);

    const std::string second = declare_queue(ch_);
    ASSERT_EQ(HAIGHA_OK, publish(ch_, second, "x")) << error_;
    gone = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    gone.queue = str(second);
    EXPECT_EQ(completion([&](const haigha_then* then) {
                  return haigha_queue_delete(ch_, &gone, then, error_);
              }).message_count,
              1U);
}

TEST_F(Topology, DeletingAQueueThatIsNotEmptyIsRefusedIfAskedSo) {
    const std::string queue = declare_queue(ch_);
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue, "x")) << error_;
    const ChannelHandle second = open_channel(connection_.get());
    EXPECT_TRUE(wait_messages(ch_, queue, 1));
    haigha_queue_delete_args gone = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    gone.queue = str(queue);
    gone.if_empty = 1;
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER,
              haigha_queue_delete_wait(second.get(), &gone, -1, nullptr, error_));
    EXPECT_EQ(error_.code(), 406);
    EXPECT_EQ(error_.method(), "queue.delete");
}

}  // namespace
}  // namespace haigha::test
