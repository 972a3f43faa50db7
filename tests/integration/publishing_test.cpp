// Messages through a real broker: bodies of every size, properties, field tables, returns, tx.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "support/api_fixture.h"
#include "support/broker_release.h"
#include "support/lent_bodies.h"

namespace haigha::test {
namespace {

class Publishing : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        channel_ = open_channel(connection_.get());
        ch_ = channel_.get();
        queue_ = declare_queue(ch_);
    }
    haigha_publish_args to_queue() const {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        return args;
    }
    // A table as text: what two are compared by. `sorted` by the names of its own fields, not of
    // those that are nested.
    static std::string contents(haigha_cursor cursor, bool sorted = false) {
        std::vector<std::pair<std::string, std::string>> fields;
        haigha_field field;
        int32_t status = 0;
        while ((status = haigha_cursor_next(&cursor, &field)) == 1) {
            auto& [name, text] = fields.emplace_back(view(field.name), "");
            text += std::string(view(field.name)) + "=" + static_cast<char>(field.type) + ":" +
                    std::to_string(field.integer) + ":" + std::to_string(field.real) + ":" +
                    std::to_string(field.scale) + ":";
            haigha_cursor nested;
            if (field.type == HAIGHA_FIELD_ARRAY || field.type == HAIGHA_FIELD_TABLE) {
                EXPECT_EQ(HAIGHA_OK, haigha_cursor_enter(&cursor, &field, &nested));
                text += "{" + contents(nested) + "}";
            } else {
                text += view(field.bytes);
            }
            text += "\n";
        }
        EXPECT_EQ(status, 0);
        if (sorted) std::sort(fields.begin(), fields.end());
        std::string all;
        for (const auto& [name, text] : fields)
            all += text;
        return all;
    }
    static void add(haigha_table* table, std::string_view name, std::uint32_t type,
                    std::int64_t integer, double real = 0, std::string_view bytes = {},
                    std::uint32_t scale = 0) {
        const haigha_field field{str(name), str(bytes), integer, real, type, scale};
        Err error;
        EXPECT_EQ(HAIGHA_OK, haigha_table_add(table, &field, error)) << name << ": " << error;
    }
    // Each type of field, with its extremes.
    static TableHandle every_type() {
        TableHandle table;
        EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(table), nullptr));
        haigha_table* const t = table.get();
        add(t, "bool", HAIGHA_FIELD_BOOL, 1);
        add(t, "false", HAIGHA_FIELD_BOOL, 0);
        add(t, "int8", HAIGHA_FIELD_INT8, -128);
        add(t, "uint8", HAIGHA_FIELD_UINT8, 255);
        add(t, "int16", HAIGHA_FIELD_INT16, -32768);
        add(t, "uint16", HAIGHA_FIELD_UINT16, 65535);
        add(t, "int32", HAIGHA_FIELD_INT32, INT32_MIN);
        add(t, "uint32", HAIGHA_FIELD_UINT32, UINT32_MAX);
        add(t, "int64", HAIGHA_FIELD_INT64, INT64_MIN);
        add(t, "float", HAIGHA_FIELD_FLOAT, 0, -1.5);
        add(t, "double", HAIGHA_FIELD_DOUBLE, 0, 3.141592653589793);
        add(t, "decimal", HAIGHA_FIELD_DECIMAL, 31416, 0, {}, 4);
        add(t, "string", HAIGHA_FIELD_STRING, 0, 0, "t\xc3\xa4xt");
        add(t, "empty", HAIGHA_FIELD_STRING, 0);
        add(t, "bytes", HAIGHA_FIELD_BYTES, 0, 0, std::string_view("\0\xff\x01", 3));
        add(t, "timestamp", HAIGHA_FIELD_TIMESTAMP, 1700000000);
        add(t, "void", HAIGHA_FIELD_VOID, 0);
        return table;
    }

    ConnectionHandle connection_;
    ChannelHandle channel_;
    haigha_channel* ch_ = nullptr;
    std::string queue_;
};

// rule 83
TEST_F(Publishing, BodiesOfEverySize) {
    const auto frame_max = static_cast<std::size_t>(info(connection_.get(), "frame_max"));
    ASSERT_GE(frame_max, 4096U);
    const std::array<std::size_t, 7> sizes = {0,
                                              1,
                                              frame_max - 8,
                                              frame_max - 7,
                                              2 * (frame_max - 8),
                                              std::size_t{1} << 20,
                                              std::size_t{10} << 20};
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(ch_, queue_, deliveries.then(), true)) << error_;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        std::string body(sizes[i], '\0');
        std::iota(body.begin(), body.end(), static_cast<char>(i));
        ASSERT_EQ(HAIGHA_OK, publish(ch_, queue_, body)) << error_;
        const std::string copy = body;
        body.assign(body.size(), '?');  // it was copied (rule 118)
        const Recorded delivery = deliveries.wait_for(HAIGHA_EVENT_DELIVERY, i);
        EXPECT_TRUE(delivery.body == copy)
            << "a body of " << sizes[i] << " bytes came as " << delivery.body.size() << " others";
    }
    // The same sizes by get, and as returns.
    EventLog events;
    const haigha_then then = events.then();
    const ChannelHandle other = open_channel(connection_.get(), &then);
    const std::string second = declare_queue(other.get());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const std::string body(sizes[i], static_cast<char>('a' + i));
        ASSERT_EQ(HAIGHA_OK, publish(other.get(), second, body)) << error_;
        const MessageHandle message = get(other.get(), second);
        ASSERT_TRUE(message);
        EXPECT_TRUE(view(haigha_message_body(message.get())) == body) << sizes[i];
        haigha_publish_args nowhere = HAIGHA_PUBLISH_ARGS_INIT;
        nowhere.routing_key = str("haigha-test-no-such-queue");
        nowhere.mandatory = 1;
        ASSERT_EQ(HAIGHA_OK, haigha_publish(other.get(), &nowhere, str(body), nullptr, error_))
            << error_;
        EXPECT_TRUE(events.wait_for(HAIGHA_EVENT_RETURN, i).body == body) << sizes[i];
    }
}

TEST_F(Publishing, AllProperties) {
    const TableHandle headers = every_type();
    haigha_properties sent = HAIGHA_PROPERTIES_INIT;
    sent.present = 0xFFFC;
    sent.delivery_mode = 2;
    sent.priority = 7;
    sent.timestamp = 1700000000;
    sent.content_type = str("text/plain");
    sent.content_encoding = str("");
    sent.correlation_id = str("correlation");
    sent.reply_to = str("reply");
    sent.expiration = str("60000");
    sent.message_id = str("id");
    sent.type = str("kind");
    sent.user_id = str("guest");
    sent.app_id = str("app");
    sent.cluster_id = str("cluster");
    sent.headers = headers.get();
    haigha_publish_args args = to_queue();
    args.properties = &sent;
    ASSERT_EQ(HAIGHA_OK, haigha_publish(ch_, &args, str("x"), nullptr, error_)) << error_;

    const MessageHandle message = get(ch_, queue_);
    ASSERT_TRUE(message) << error_;
    haigha_properties got = HAIGHA_PROPERTIES_INIT;
    ASSERT_EQ(HAIGHA_OK, haigha_message_properties(message.get(), &got, error_)) << error_;
    EXPECT_EQ(got.present, sent.present);
    EXPECT_EQ(got.delivery_mode, 2);
    EXPECT_EQ(got.priority, 7);
    EXPECT_EQ(got.timestamp, 1700000000U);
    EXPECT_EQ(view(got.content_type), "text/plain");
    EXPECT_EQ(view(got.content_encoding), "");
    EXPECT_EQ(view(got.correlation_id), "correlation");
    EXPECT_EQ(view(got.reply_to), "reply");
    EXPECT_EQ(view(got.expiration), "60000");
    EXPECT_EQ(view(got.message_id), "id");
    EXPECT_EQ(view(got.type), "kind");
    EXPECT_EQ(view(got.user_id), "guest");
    EXPECT_EQ(view(got.app_id), "app");
    EXPECT_EQ(view(got.cluster_id), "cluster");
    EXPECT_EQ(got.headers, nullptr);
}

// What it was made of may be gone by the time it is used.
TEST_F(Publishing, APreparedPublishIsLikeTheOthers) {
    PublisherHandle publisher;
    {
        const TableHandle headers = every_type();
        const std::string type(200, 't');
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_HEADERS | HAIGHA_PROPERTY_TYPE;
        properties.headers = headers.get();
        properties.type = str(type);
        haigha_publish_args args = to_queue();
        args.properties = &properties;
        ASSERT_EQ(HAIGHA_OK, haigha_publish(ch_, &args, str("plain"), nullptr, error_)) << error_;
        ASSERT_EQ(HAIGHA_OK, haigha_publisher_new(ch_, &args, out(publisher), error_)) << error_;
    }
    EXPECT_EQ(haigha_publisher_channel(publisher.get()), ch_);
    const std::string large(500'000, 'l');
    for (const std::string& body : {std::string("plain"), std::string(), large}) {
        std::uint64_t sequence = 7;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publisher_publish(publisher.get(), str(body), nullptr, &sequence, error_))
            << error_;
        EXPECT_EQ(sequence, 0U);  // no confirms here
    }
    ASSERT_TRUE(wait_messages(ch_, queue_, 4));
    const MessageHandle first = get(ch_, queue_);
    for (const std::string& body : {std::string("plain"), std::string(), large}) {
        const MessageHandle message = get(ch_, queue_);
        ASSERT_TRUE(message);
        EXPECT_EQ(view(haigha_message_body(message.get())), body);
        haigha_properties got = HAIGHA_PROPERTIES_INIT;
        ASSERT_EQ(HAIGHA_OK, haigha_message_properties(message.get(), &got, error_)) << error_;
        EXPECT_EQ(got.present, HAIGHA_PROPERTY_HEADERS | HAIGHA_PROPERTY_TYPE);
        EXPECT_EQ(view(got.type), std::string(200, 't'));
        haigha_cursor walk;
        haigha_cursor wanted;
        ASSERT_EQ(HAIGHA_OK, haigha_message_headers(message.get(), &walk, error_)) << error_;
        ASSERT_EQ(HAIGHA_OK, haigha_message_headers(first.get(), &wanted, error_)) << error_;
        haigha_field field;
        haigha_field same;
        while (haigha_cursor_next(&wanted, &same) == 1) {
            ASSERT_EQ(haigha_cursor_next(&walk, &field), 1);
            EXPECT_EQ(view(field.name), view(same.name));
            EXPECT_EQ(field.type, same.type);
        }
        EXPECT_EQ(haigha_cursor_next(&walk, &field), 0);
    }
    // It is its channel's, and keeps it: who publishes on what has ended is told so.
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(ch_, -1, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_CLOSED,
              haigha_publisher_publish(publisher.get(), str("x"), nullptr, nullptr, error_));
}

TEST_F(Publishing, LentBodiesOfEverySize) {
    const auto frame_max = static_cast<std::size_t>(info(connection_.get(), "frame_max"));
    const std::array<std::size_t, 7> sizes = {100,
                                              16 * 1024,
                                              frame_max - 8,
                                              frame_max - 7,
                                              2 * (frame_max - 8) + 1,
                                              std::size_t{1} << 20,
                                              std::size_t{10} << 20};
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(ch_, queue_, deliveries.then(), true)) << error_;
    const haigha_publish_args args = to_queue();
    PublisherHandle publisher;
    ASSERT_EQ(HAIGHA_OK, haigha_publisher_new(ch_, &args, out(publisher), error_)) << error_;
    LentBodies bodies;
    std::size_t count = 0;
    for (const std::size_t size : sizes) {
        std::string filled(size, '\0');
        std::iota(filled.begin(), filled.end(), static_cast<char>(size));
        LentBodies::Body& plain = bodies.add(filled);
        ASSERT_EQ(HAIGHA_OK, haigha_publish_lent(ch_, &args, plain.str(), &LentBodies::release,
                                                 &plain, nullptr, error_))
            << error_;
        // Room for the other: the largest are over the outbox's mark alone.
        ASSERT_EQ(HAIGHA_OK, haigha_connection_flush_wait(connection_.get(), -1, error_)) << error_;
        LentBodies::Body& prepared = bodies.add(filled);
        ASSERT_EQ(HAIGHA_OK, haigha_publisher_publish_lent(publisher.get(), prepared.str(),
                                                           &LentBodies::release, &prepared, nullptr,
                                                           nullptr, error_))
            << error_;
        for (int i = 0; i < 2; ++i) {
            const Recorded delivery = deliveries.wait_for(HAIGHA_EVENT_DELIVERY, count++);
            EXPECT_TRUE(delivery.body == filled) << size;
        }
    }
    bodies.wait_released(count);
}

TEST_F(Publishing, AbsentPropertiesStayAbsent) {
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue_, "x")) << error_;
    const MessageHandle message = get(ch_, queue_);
    ASSERT_TRUE(message);
    haigha_properties got = HAIGHA_PROPERTIES_INIT;
    ASSERT_EQ(HAIGHA_OK, haigha_message_properties(message.get(), &got, error_)) << error_;
    EXPECT_EQ(got.present, 0U);
    haigha_cursor cursor;
    ASSERT_EQ(HAIGHA_OK, haigha_message_headers(message.get(), &cursor, error_)) << error_;
    haigha_field field;
    EXPECT_EQ(0, haigha_cursor_next(&cursor, &field));
}

// rule 114
TEST_F(Publishing, EveryTypeOfField) {
    const TableHandle headers = every_type();
    TableHandle array;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new_array(out(array), error_));
    add(array.get(), "", HAIGHA_FIELD_INT32, -7);
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_table(array.get(), str(""), headers.get(), error_))
        << error_;
    add(array.get(), "", HAIGHA_FIELD_STRING, 0, 0, "end");
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_table(headers.get(), str("array"), array.get(), error_))
        << error_;
    TableHandle nothing;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(nothing), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_table(headers.get(), str("none"), nothing.get(), error_))
        << error_;

    haigha_properties sent = HAIGHA_PROPERTIES_INIT;
    sent.present = HAIGHA_PROPERTY_HEADERS;
    sent.headers = headers.get();
    haigha_publish_args args = to_queue();
    args.properties = &sent;
    ASSERT_EQ(HAIGHA_OK, haigha_publish(ch_, &args, str("x"), nullptr, error_)) << error_;
    const MessageHandle message = get(ch_, queue_);
    ASSERT_TRUE(message);
    haigha_cursor before;
    haigha_cursor after;
    ASSERT_EQ(HAIGHA_OK, haigha_table_cursor(headers.get(), &before));
    ASSERT_EQ(HAIGHA_OK, haigha_message_headers(message.get(), &after, error_)) << error_;
    const bool sorted = BrokerRelease(connection_.get()).sorts_headers();
    EXPECT_EQ(contents(after), contents(before, sorted));
}

TEST_F(Publishing, AReturnTellsTheMessageAndWhy) {
    EventLog events;
    const haigha_then then = events.then(5);
    const ChannelHandle channel = open_channel(connection_.get(), &then);
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_MESSAGE_ID;
    properties.message_id = str("m");
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.exchange = str("amq.direct");
    args.routing_key = str("haigha-test-nowhere");
    args.properties = &properties;
    args.mandatory = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str("body"), nullptr, error_))
        << error_;
    const Recorded returned = events.wait_for(HAIGHA_EVENT_RETURN);
    EXPECT_EQ(returned.tag, 5U);
    EXPECT_EQ(returned.exchange, "amq.direct");
    EXPECT_EQ(returned.routing_key, "haigha-test-nowhere");
    EXPECT_EQ(returned.body, "body");
    EXPECT_EQ(returned.reply_code, 312);
    EXPECT_EQ(returned.reply_text, "NO_ROUTE");
    EXPECT_TRUE(returned.has_message);
}

TEST_F(Publishing, ImmediateIsRefusedByRabbitMqWith540) {
    haigha_publish_args args = to_queue();
    args.immediate = 1;
    EventLog events;
    const haigha_then then = events.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_set_events(connection_.get(), &then, error_));
    ASSERT_EQ(HAIGHA_OK, haigha_publish(ch_, &args, str("x"), nullptr, error_)) << error_;
    const Recorded closed = events.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(closed.status, HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER);
    EXPECT_EQ(closed.reply_code, 540);
    EXPECT_EQ(closed.method, "basic.publish");
}

TEST_F(Publishing, Transactions) {
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_tx_select(ch_, then, error_);
                 }).failed);
    const ChannelHandle other = open_channel(connection_.get());
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue_, "rolled back")) << error_;
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_tx_rollback(ch_, then, error_);
                 }).failed);
    EXPECT_TRUE(wait_messages(other.get(), queue_, 0));
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue_, "committed")) << error_;
    EXPECT_FALSE(completion([&](const haigha_then* then) {
                     return haigha_tx_commit(ch_, then, error_);
                 }).failed);
    EXPECT_TRUE(wait_messages(other.get(), queue_, 1));
}

TEST_F(Publishing, TransactionsWaiting) {
    ASSERT_EQ(HAIGHA_OK, haigha_tx_select_wait(ch_, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(ch_, queue_, "kept")) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_tx_commit_wait(ch_, -1, nullptr, error_)) << error_;
    // An ack takes effect at commit: rolled back, the message can be acknowledged again.
    const MessageHandle message = get(ch_, queue_, false);
    ASSERT_TRUE(message);
    const std::uint64_t tag = haigha_message_delivery_tag(message.get());
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, tag, 0, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_tx_rollback_wait(ch_, -1, nullptr, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_ack(ch_, tag, 0, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_tx_commit_wait(ch_, -1, nullptr, error_)) << error_;
    EXPECT_TRUE(wait_messages(ch_, queue_, 0));
}

TEST_F(Publishing, CommitWithoutSelectClosesTheChannel) {
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, haigha_tx_commit_wait(ch_, -1, nullptr, error_));
    EXPECT_EQ(error_.code(), 406);
    EXPECT_EQ(error_.method(), "tx.commit");
}

}  // namespace
}  // namespace haigha::test
