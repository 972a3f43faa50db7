// Descriptions of topologies on a real broker: compared, applied, applied again.
#include <gtest/gtest.h>
#include <haigha/topology.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/api_fixture.h"
#include "support/broker_release.h"

namespace haigha::test {
namespace {

class DeclaredTopology : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        exchange_ = unique_name("orders");
        queue_ = unique_name("billing");
        other_ = unique_name("audit");
    }
    void TearDown() override {
        if (connection_) {
            if (haigha_connection_state(connection_.get()) != HAIGHA_STATE_OPEN) {
                connection_ = connect();
            }
            const ChannelHandle channel = open_channel(connection_.get());
            for (const std::string& queue : {queue_, other_})
                delete_queue(channel.get(), queue);
            haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
            args.exchange = str(exchange_);
            haigha_exchange_delete_wait(channel.get(), &args, -1, nullptr, nullptr);
        }
        connection_.reset();
        ApiTest::TearDown();
    }

    TopologyHandle described(const std::string& text) {
        TopologyHandle topology;
        EXPECT_EQ(HAIGHA_OK, haigha_topology_new(out(topology), error_)) << error_;
        EXPECT_EQ(HAIGHA_OK, haigha_topology_add_text(topology.get(), str(text), error_)) << error_;
        return topology;
    }
    // An exchange, two queues, two bindings.
    std::string text(const char* queue_arguments = "x-max-length=10") const {
        return "exchange " + exchange_ + " topic durable\nqueue " + queue_ + " durable " +
               queue_arguments + "\nqueue " + other_ + " durable\nbind " + queue_ + " from " +
               exchange_ + " by order.paid\nbind " + other_ + " from " + exchange_ + " by #";
    }
    haigha_status compare(const TopologyHandle& topology) {
        return haigha_topology_compare_wait(topology.get(), connection_.get(), -1, out(report_),
                                            error_);
    }
    haigha_status apply(const TopologyHandle& topology, std::uint32_t flags = 0) {
        return haigha_topology_apply_wait(topology.get(), connection_.get(), flags, -1,
                                          out(report_), error_);
    }
    haigha_topology_row row(std::size_t index) {
        haigha_topology_row row = HAIGHA_TOPOLOGY_ROW_INIT;
        EXPECT_EQ(HAIGHA_OK, haigha_topology_report_row(report_.get(), index, &row, error_))
            << error_;
        return row;
    }
    std::vector<int> states() {
        std::vector<int> all;
        for (std::size_t at = 0; at < haigha_topology_report_size(report_.get()); ++at) {
            all.push_back(row(at).state);
        }
        return all;
    }
    bool exists(const std::string& queue) {
        const ChannelHandle channel = open_channel(connection_.get());
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue);
        args.passive = 1;
        return haigha_queue_declare_wait(channel.get(), &args, -1, nullptr, error_) == HAIGHA_OK;
    }

    static constexpr int unknown = HAIGHA_TOPOLOGY_UNKNOWN;
    static constexpr int there = HAIGHA_TOPOLOGY_EXISTS;
    static constexpr int missing = HAIGHA_TOPOLOGY_MISSING;
    static constexpr int created = HAIGHA_TOPOLOGY_CREATED;
    static constexpr int differs = HAIGHA_TOPOLOGY_DIFFERS;
    static constexpr int failed = HAIGHA_TOPOLOGY_FAILED;

    ConnectionHandle connection_;
    std::string exchange_;
    std::string queue_;
    std::string other_;
    ReportHandle report_;
};

TEST_F(DeclaredTopology, ComparingCreatesNothing) {
    const TopologyHandle topology = described(text());
    ASSERT_EQ(HAIGHA_OK, compare(topology)) << error_;
    EXPECT_EQ((std::vector<int>{missing, missing, missing, missing, missing}), states());
    EXPECT_EQ(5U, haigha_topology_report_count(report_.get(), missing));
    EXPECT_FALSE(exists(queue_));
    EXPECT_EQ(404, error_.code());
}

TEST_F(DeclaredTopology, WhatIsMissingIsCreatedOnce) {
    const TopologyHandle topology = described(text());
    ASSERT_EQ(HAIGHA_OK, apply(topology)) << error_;
    EXPECT_EQ((std::vector<int>{created, created, created, created, created}), states());
    EXPECT_EQ(HAIGHA_TOPOLOGY_EXCHANGE, row(0).kind);
    EXPECT_EQ(exchange_, view(row(0).name));
    EXPECT_EQ(HAIGHA_TOPOLOGY_QUEUE_BINDING, row(3).kind);
    EXPECT_EQ(queue_, view(row(3).name));
    EXPECT_EQ(exchange_, view(row(3).source));
    EXPECT_EQ("order.paid", view(row(3).routing_key));
    // It is what was described: a message goes where the bindings say.
    const ChannelHandle channel = open_channel(connection_.get(), nullptr, true);
    haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
    publish.exchange = str(exchange_);
    for (const char* const key : {"order.paid", "order.sent"}) {
        publish.routing_key = haigha_text(key);
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(channel.get(), &publish, str("x"), -1, nullptr, error_));
    }
    EXPECT_TRUE(wait_messages(channel.get(), queue_, 1));
    EXPECT_TRUE(wait_messages(channel.get(), other_, 2));

    ASSERT_EQ(HAIGHA_OK, apply(topology)) << error_;
    EXPECT_EQ((std::vector<int>{there, there, there, created, created}), states());
    ASSERT_EQ(HAIGHA_OK, compare(topology)) << error_;
    EXPECT_EQ((std::vector<int>{there, there, there, unknown, unknown}), states());
    EXPECT_TRUE(wait_messages(channel.get(), other_, 2)) << "nothing was declared anew";
}

TEST_F(DeclaredTopology, WhereSomethingDiffersNothingIsApplied) {
    ASSERT_EQ(HAIGHA_OK, apply(described("queue " + queue_ + " durable x-max-length=10")));
    const ChannelHandle users = open_channel(connection_.get());
    const TopologyHandle topology = described(text("x-max-length=11"));
    ASSERT_EQ(HAIGHA_OK, compare(topology)) << error_;
    EXPECT_EQ((std::vector<int>{missing, differs, missing, missing, missing}), states());
    EXPECT_EQ(406, haigha_error_reply_code(row(1).error));
    EXPECT_NE(std::string::npos,
              std::string(view(haigha_error_reply_text(row(1).error))).find("x-max-length"));

    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, apply(topology));
    EXPECT_TRUE(error_.message().starts_with("the queue \"" + queue_ + "\" differs: ")) << error_;
    EXPECT_EQ(406, error_.code());
    EXPECT_EQ((std::vector<int>{missing, differs, missing, missing, missing}), states());
    EXPECT_FALSE(exists(other_));
    EXPECT_EQ(HAIGHA_STATE_OPEN, haigha_channel_state(users.get())) << "its channel is another";

    ASSERT_EQ(HAIGHA_OK, apply(topology, HAIGHA_TOPOLOGY_ANYWAY)) << error_;
    EXPECT_EQ((std::vector<int>{created, differs, created, created, created}), states());
    EXPECT_TRUE(exists(other_));
}

TEST_F(DeclaredTopology, AnExchangeOfAnotherTypeDiffers) {
    ASSERT_EQ(HAIGHA_OK, apply(described("exchange " + exchange_ + " fanout durable")));
    ASSERT_EQ(HAIGHA_OK, compare(described(text()))) << error_;
    EXPECT_EQ(differs, row(0).state);
    EXPECT_EQ(406, haigha_error_reply_code(row(0).error));
}

TEST_F(DeclaredTopology, AQueueThatIsSomebodysOwnDiffers) {
    const ConnectionHandle owner = connect();
    const ChannelHandle channel = open_channel(owner.get());
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str(queue_);
    args.exclusive = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel.get(), &args, -1, nullptr, error_));
    ASSERT_EQ(HAIGHA_OK, compare(described("queue " + queue_))) << error_;
    EXPECT_EQ(differs, row(0).state);
    EXPECT_EQ(405, haigha_error_reply_code(row(0).error));
    delete_queue(channel.get(), queue_);
    haigha_connection_close_wait(owner.get(), -1, nullptr);
}

// What fails is told, and what follows is applied all the same.
TEST_F(DeclaredTopology, ABindingToNothingFails) {
    const TopologyHandle topology =
        described("queue " + queue_ + " durable\nbind " + queue_ + " from " + exchange_ +
                  " by a\nbind " + queue_ + " from amq.topic by b");
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, apply(topology));
    EXPECT_EQ(404, error_.code());
    EXPECT_TRUE(error_.message().starts_with("the binding of \"" + queue_ + "\" to \"" + exchange_ +
                                             "\" by \"a\" could not be created: "))
        << error_;
    EXPECT_EQ((std::vector<int>{created, failed, created}), states());
}

// An exchange type that the broker does not know ends the whole connection until 4.0.
TEST_F(DeclaredTopology, WhatEndsTheConnectionEndsTheApplication) {
    const bool ends = BrokerRelease(connection_.get()).unknown_exchange_type_ends_the_connection();
    const TopologyHandle topology =
        described("exchange " + exchange_ + " nosuch\nqueue " + queue_ + " durable");
    const haigha_status status = apply(topology);
    EXPECT_EQ(ends ? HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER : HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER,
              status)
        << error_;
    EXPECT_EQ(ends ? 503 : 406, error_.code());
    EXPECT_EQ((std::vector<int>{failed, ends ? missing : created}), states());
    if (!ends) return;
    EXPECT_NE(HAIGHA_OK, compare(topology));
    EXPECT_EQ((std::vector<int>{unknown, unknown}), states());
}

TEST_F(DeclaredTopology, DescribedByCalls) {
    TopologyHandle topology;
    TableHandle arguments;
    ASSERT_EQ(HAIGHA_OK, haigha_topology_new(out(topology), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(arguments), error_));
    haigha_table_add_int(arguments.get(), str("x-max-length"), 10, nullptr);
    haigha_exchange_declare_args exchange = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    exchange.exchange = str(exchange_);
    exchange.type = str("topic");
    exchange.durable = 1;
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    queue.queue = str(queue_);
    queue.durable = 1;
    queue.arguments = arguments.get();
    haigha_queue_bind_args bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
    bind.queue = str(queue_);
    bind.exchange = str(exchange_);
    bind.routing_key = str("order.paid");
    haigha_exchange_bind_args between = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    between.destination = str(exchange_);
    between.source = str("amq.topic");
    between.routing_key = str("#");
    EXPECT_EQ(HAIGHA_OK, haigha_topology_add_queue_binding(topology.get(), &bind, error_));
    EXPECT_EQ(HAIGHA_OK, haigha_topology_add_exchange_binding(topology.get(), &between, error_));
    EXPECT_EQ(HAIGHA_OK, haigha_topology_add_queue(topology.get(), &queue, error_));
    EXPECT_EQ(HAIGHA_OK, haigha_topology_add_exchange(topology.get(), &exchange, error_));
    queue.passive = 1;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_topology_add_queue(topology.get(), &queue, error_));
    EXPECT_TRUE(error_.message().starts_with("args->passive")) << error_;
    arguments.reset();  // it was copied
    ASSERT_EQ(HAIGHA_OK, apply(topology)) << error_;
    EXPECT_EQ((std::vector<int>{created, created, created, created}), states());
    EXPECT_EQ(HAIGHA_TOPOLOGY_EXCHANGE_BINDING, row(3).kind);
    EXPECT_EQ("amq.topic", view(row(3).source));
    // The same in text.
    ASSERT_EQ(HAIGHA_OK, compare(described(text()))) << error_;
    EXPECT_EQ((std::vector<int>{there, there, missing, unknown, missing}), states());
}

TEST_F(DeclaredTopology, WhereItCannotBeUsed) {
    const TopologyHandle topology = described("queue " + queue_);
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, apply(topology, 2));
    EXPECT_EQ(nullptr, report_.get());
    // On the loop's own thread its answers could not come.
    haigha_status inside = HAIGHA_OK;
    EventLog log([&](const haigha_event&) {
        inside = haigha_topology_compare_wait(topology.get(), connection_.get(), -1, out(report_),
                                              nullptr);
    });
    const haigha_then then = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_flush(connection_.get(), &then, error_)) << error_;
    log.reply();
    EXPECT_EQ(HAIGHA_ERR_WRONG_THREAD, inside);
    EXPECT_EQ(nullptr, report_.get());
    haigha_topology_row row = HAIGHA_TOPOLOGY_ROW_INIT;
    ASSERT_EQ(HAIGHA_OK, compare(topology)) << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_topology_report_row(report_.get(), 1, &row, error_));
    row.size = 1;
    EXPECT_EQ(HAIGHA_ERR_STRUCT_VERSION,
              haigha_topology_report_row(report_.get(), 0, &row, error_));
    // A topology is not of a connection, and what has ended is told.
    haigha_connection_close_wait(connection_.get(), -1, nullptr);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, compare(topology)) << error_;
    EXPECT_EQ((std::vector<int>{unknown}), states());
}

}  // namespace
}  // namespace haigha::test
