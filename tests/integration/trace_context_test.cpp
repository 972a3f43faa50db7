// A trace that goes on through a real broker: by the connection's hook on every way to publish, and
// by hand.
#include <gtest/gtest.h>
#include <haigha/pieces.h>
#include <haigha/pool.h>
#include <haigha/rpc.h>
#include <haigha/trace_context.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

// What the program is doing on this thread, as a tracing library would know it.
thread_local haigha_trace_context current{};

struct Hook {
    std::atomic<int> asked{0};
    std::atomic<int> released{0};
    std::string last_key;
};

int32_t ask(haigha_str, haigha_str routing_key, haigha_trace_context* context, void* user_data) {
    auto& hook = *static_cast<Hook*>(user_data);
    ++hook.asked;
    hook.last_key = view(routing_key);
    *context = current;
    return current.flags == 0xEE ? 0 : 1;
}

class TraceContextTest : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = new_connection(loop_.get(), options().get());
        ASSERT_EQ(HAIGHA_OK, haigha_connection_set_trace_fn(
                                 connection_.get(), &ask, &hook_,
                                 [](void* hook) { ++static_cast<Hook*>(hook)->released; }, error_))
            << error_;
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection_.get(), -1, error_)) << error_;
        channel_ = open_channel(connection_.get(), nullptr, true);
        queue_ = declare_queue(channel_.get());
        current = context(1);
    }
    static haigha_trace_context context(std::uint8_t number, std::string_view tracestate = {}) {
        haigha_trace_context made{};
        std::fill(std::begin(made.trace_id), std::end(made.trace_id), std::uint8_t{0xAB});
        std::fill(std::begin(made.parent_id), std::end(made.parent_id), number);
        made.flags = HAIGHA_TRACE_SAMPLED;
        made.tracestate = str(tracestate);
        return made;
    }
    MessageHandle received(const std::string& queue) {
        EXPECT_TRUE(wait_messages(channel_.get(), queue, 1));
        return get(channel_.get(), queue);
    }
    // The one that the next message of the queue came with, and its body.
    void expect_context(std::uint8_t number, std::string_view tracestate = {},
                        std::string_view body = "m") {
        const MessageHandle message = received(queue_);
        ASSERT_NE(message, nullptr);
        expect_context(message.get(), number, tracestate);
        EXPECT_EQ(view(haigha_message_body(message.get())), body);
    }
    void expect_context(const haigha_message* message, std::uint8_t number,
                        std::string_view tracestate = {}) {
        haigha_trace_context found{};
        std::int32_t has_one = -1;
        ASSERT_EQ(HAIGHA_OK, haigha_message_trace_context(message, &found, &has_one, error_))
            << error_;
        ASSERT_EQ(has_one, 1);
        const haigha_trace_context expected = context(number);
        EXPECT_TRUE(std::equal(std::begin(found.trace_id), std::end(found.trace_id),
                               std::begin(expected.trace_id)));
        EXPECT_EQ(found.parent_id[7], number);
        EXPECT_EQ(found.flags, HAIGHA_TRACE_SAMPLED);
        EXPECT_EQ(view(found.tracestate), tracestate);
    }
    void expect_none() {
        const MessageHandle message = received(queue_);
        haigha_trace_context found{};
        std::int32_t has_one = -1;
        ASSERT_EQ(HAIGHA_OK, haigha_message_trace_context(message.get(), &found, &has_one, error_))
            << error_;
        EXPECT_EQ(has_one, 0);
    }
    haigha_publish_args to_queue(const haigha_properties* properties = nullptr) const {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        args.properties = properties;
        return args;
    }

    Hook hook_;
    ConnectionHandle connection_;
    ChannelHandle channel_;
    std::string queue_;
};

TEST_F(TraceContextTest, EachMessageHasThatOfWhoPublishesIt) {
    current = context(1, "rojo=00f067aa0ba902b7");
    ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "m")) << error_;
    expect_context(1, "rojo=00f067aa0ba902b7");
    EXPECT_EQ(hook_.last_key, queue_);
    current = context(2);
    const haigha_publish_args args = to_queue();
    ASSERT_EQ(HAIGHA_OK, haigha_publish_wait(channel_.get(), &args, str("m"), -1, nullptr, error_))
        << error_;
    expect_context(2);
}

TEST_F(TraceContextTest, TheHeadersThatAMessageHasStay) {
    TableHandle headers;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(headers), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_int(headers.get(), str("n"), 7, error_));
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS | HAIGHA_PROPERTY_MESSAGE_ID;
    properties.headers = headers.get();
    properties.message_id = str("id");
    const haigha_publish_args args = to_queue(&properties);
    ASSERT_EQ(HAIGHA_OK, haigha_publish(channel_.get(), &args, str("m"), nullptr, error_));
    const MessageHandle message = received(queue_);
    expect_context(message.get(), 1);
    haigha_cursor cursor;
    haigha_field field;
    ASSERT_EQ(HAIGHA_OK, haigha_message_headers(message.get(), &cursor, error_));
    ASSERT_EQ(1, haigha_cursor_next(&cursor, &field));
    EXPECT_EQ(view(field.name), "n");
    EXPECT_EQ(field.integer, 7);
    haigha_properties read = HAIGHA_PROPERTIES_INIT;
    ASSERT_EQ(HAIGHA_OK, haigha_message_properties(message.get(), &read, error_));
    EXPECT_EQ(view(read.message_id), "id");
}

TEST_F(TraceContextTest, OneThatAMessageHasIsNotReplaced) {
    TableHandle headers;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(headers), error_));
    const haigha_trace_context own = context(9);
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_trace_context(headers.get(), &own, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_table_add_trace_context(headers.get(), &own, error_));
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = headers.get();
    const haigha_publish_args args = to_queue(&properties);
    ASSERT_EQ(HAIGHA_OK, haigha_publish(channel_.get(), &args, str("m"), nullptr, error_));
    EXPECT_EQ(hook_.asked, 0);
    expect_context(9);
}

TEST_F(TraceContextTest, NoneAndOneThatIsNotValidAreNone) {
    current.flags = 0xEE;
    ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "m")) << error_;
    expect_none();
    current = context(0);
    ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "m")) << error_;
    expect_none();
    current = context(3, "Not Valid");
    ASSERT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "m")) << error_;
    expect_context(3);
    EXPECT_EQ(hook_.asked, 3);
}

TEST_F(TraceContextTest, APreparedPublisherAsksForEachMessage) {
    const haigha_publish_args args = to_queue();
    PublisherHandle publisher;
    ASSERT_EQ(HAIGHA_OK, haigha_publisher_new(channel_.get(), &args, out(publisher), error_));
    EXPECT_EQ(hook_.asked, 0);
    for (std::uint8_t i = 1; i <= 3; ++i) {
        current = context(i);
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publisher_publish(publisher.get(), str("m"), nullptr, nullptr, error_))
            << error_;
        expect_context(i);
    }
}

TEST_F(TraceContextTest, LentBodiesAndBodiesInPieces) {
    const std::string body(100'000, 'x');
    const haigha_publish_args args = to_queue();
    std::atomic<int> given_back{0};
    ASSERT_EQ(HAIGHA_OK, haigha_publish_lent(
                             channel_.get(), &args, str(body),
                             [](void* count) { ++*static_cast<std::atomic<int>*>(count); },
                             &given_back, nullptr, error_))
        << error_;
    expect_context(1, {}, body);
    EXPECT_EQ(given_back, 1);
    current = context(2);
    haigha_body_writer* writer = nullptr;
    ASSERT_EQ(HAIGHA_OK,
              haigha_body_writer_new(channel_.get(), &args, body.size(), nullptr, &writer, error_));
    current = context(3);  // it belongs to where it was begun
    std::size_t taken = 0;
    ASSERT_EQ(HAIGHA_OK, haigha_body_write_wait(writer, str(body), 60'000, &taken, error_));
    haigha_body_writer_unref(writer);
    expect_context(2, {}, body);
}

// Asked by the thread that hands the message over, whatever publishes it.
TEST_F(TraceContextTest, APoolsMessages) {
    PoolHandle pool;
    ASSERT_EQ(HAIGHA_OK, haigha_pool_new(connection_.get(), nullptr, out(pool), error_)) << error_;
    const haigha_publish_args args = to_queue();
    current = context(4);
    ASSERT_EQ(HAIGHA_OK, haigha_pool_publish(pool.get(), &args, str("m"), nullptr, error_));
    expect_context(4);
    current = context(5);
    ASSERT_EQ(HAIGHA_OK, haigha_pool_publish_wait(pool.get(), &args, str("m"), -1, nullptr, error_))
        << error_;
    expect_context(5);
    EXPECT_EQ(HAIGHA_OK, haigha_pool_close_wait(pool.get(), -1, error_)) << error_;
}

TEST_F(TraceContextTest, RequestsAndTheirAnswers) {
    EventLog served([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        expect_context(event.message, 6);
        current = context(7);  // of the loop's thread
        EXPECT_EQ(HAIGHA_OK,
                  haigha_rpc_reply(event.channel, event.message, nullptr, str("answer"), nullptr));
    });
    ASSERT_EQ(HAIGHA_OK, consume(channel_.get(), queue_, served.then(), true)) << error_;
    RpcClientHandle client;
    ASSERT_EQ(HAIGHA_OK, haigha_rpc_client_new(connection_.get(), nullptr, out(client), error_));
    const haigha_publish_args args = to_queue();
    current = context(6);
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK,
              haigha_rpc_call_wait(client.get(), &args, str("?"), 60'000, out(reply), error_))
        << error_;
    expect_context(haigha_reply_message(reply.get()), 7);
}

TEST_F(TraceContextTest, AConnectionHasOneHookFromTheBeginning) {
    EXPECT_EQ(HAIGHA_ERR_CLOSED,
              haigha_connection_set_trace_fn(connection_.get(), &ask, &hook_, nullptr, error_));
    const ConnectionHandle fresh = new_connection(loop_.get(), options().get());
    EXPECT_EQ(HAIGHA_OK,
              haigha_connection_set_trace_fn(fresh.get(), &ask, &hook_, nullptr, error_));
    EXPECT_EQ(HAIGHA_ERR_CLOSED,
              haigha_connection_set_trace_fn(fresh.get(), &ask, &hook_, nullptr, error_));
    channel_.reset();
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection_.get(), -1, error_)) << error_;
    connection_.reset();
    close_loop(loop_.get());
    loop_.reset();
    EXPECT_EQ(hook_.released, 1);
}

TEST(TraceContextTexts, ByHand) {
    Err error;
    const std::string text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    haigha_trace_context context{};
    ASSERT_EQ(HAIGHA_OK, haigha_trace_context_parse(str(text), str("a=1"), &context, error));
    EXPECT_EQ(view(context.tracestate), "a=1");
    char written[HAIGHA_TRACEPARENT_SIZE];
    ASSERT_EQ(HAIGHA_OK, haigha_trace_context_format(&context, written, error));
    EXPECT_EQ(std::string(written, sizeof written), text);
    EXPECT_EQ(HAIGHA_OK, haigha_trace_context_parse(str(text), str("A=1"), &context, error));
    EXPECT_EQ(view(context.tracestate), "");
    EXPECT_EQ(HAIGHA_ERR_MALFORMED,
              haigha_trace_context_parse(str("ff" + text.substr(2)), str(""), &context, error));
    EXPECT_NE(error.message().find("ff"), std::string::npos) << error;
    const haigha_trace_context zeros{};
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_trace_context_format(&zeros, written, error));
    TableHandle array;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new_array(out(array), error));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_table_add_trace_context(array.get(), &context, error));
    TableHandle table;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(table), error));
    context.tracestate = str("A=1");
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_table_add_trace_context(table.get(), &context, error));
    haigha_cursor cursor;
    haigha_field field;
    ASSERT_EQ(HAIGHA_OK, haigha_table_cursor(table.get(), &cursor));
    EXPECT_EQ(haigha_cursor_next(&cursor, &field), 0) << "something was added";
}

}  // namespace
}  // namespace haigha::test
