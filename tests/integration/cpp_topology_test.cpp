// Tests of topology.hpp on a real broker: main use, errors, and release.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <future>
#include <haigha/task.hpp>
#include <haigha/topology.hpp>
#include <string>
#include <vector>

namespace haigha::test {
namespace {

using namespace std::chrono_literals;

class CppTopology : public testing::Test {
  protected:
    void SetUp() override {
        const char* const uri = std::getenv("HAIGHA_TEST_URI");
        if (uri == nullptr) GTEST_SKIP() << "HAIGHA_TEST_URI is not set: there is no broker";
        connection_ = Connection::connect(uri).value();
        channel_ = connection_.open_channel({.confirm = true}).wait().value();
        queue_ = channel_.declare_queue({.exclusive = true}).wait().value().queue;
    }

    Connection connection_;
    Channel channel_;
    std::string queue_;
};

TEST_F(CppTopology, ArgumentsByTypeAndTheDeathsOfAMessage) {
    const Table dies = arguments({.kind = QueueKind::classic,
                                  .dead_letter_exchange = "",
                                  .dead_letter_routing_key = queue_,
                                  .message_ttl = 0ms},
                                 connection_)
                           .value();
    const std::string from =
        channel_.declare_queue({.exclusive = true, .arguments = dies}).wait().value().queue;
    Inbox inbox = Inbox::create().value();
    const Table low = arguments(ConsumerArguments{.priority = -1}).value();
    channel_.consume({.queue = queue_, .no_ack = true, .arguments = low}, Into{inbox, 1})
        .wait()
        .value();
    channel_.publish_confirmed({.routing_key = from}, "x").wait().value();
    const Message message = inbox.next_message(10s).value();
    const std::vector<haigha_death> all = deaths(message).value();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(view(all[0].queue), from);
    EXPECT_EQ(view(all[0].reason), "expired");
    EXPECT_EQ(death_count(message, from).value(), 1U);
    EXPECT_EQ(deaths(Message()).status(), Status::argument);
    const Result<Table> refused = arguments({.kind = QueueKind::stream, .max_priority = 5});
    EXPECT_EQ(refused.status(), Status::argument);
    EXPECT_NE(refused.error().message().find("priority"), std::string_view::npos);
}

TEST_F(CppTopology, ATopologyIsComparedAndApplied) {
    const std::string name = "topology of " + queue_;
    Topology wanted = Topology::parse("exchange \"" + name + "\" topic").value();
    EXPECT_TRUE(wanted.add(QueueDeclare{.queue = name, .durable = true}));
    EXPECT_TRUE(wanted.add(QueueBind{.queue = name, .exchange = name, .routing_key = "#"}));
    EXPECT_EQ(wanted.compare(connection_).value().count(HAIGHA_TOPOLOGY_MISSING), 3U);
    EXPECT_EQ(wanted.apply(connection_).value().count(HAIGHA_TOPOLOGY_CREATED), 3U);
    const TopologyReport after = wanted.compare(connection_).value();
    EXPECT_EQ(after.count(HAIGHA_TOPOLOGY_EXISTS), 2U);
    EXPECT_EQ(view(after.row(1).value().name), name);
    EXPECT_EQ(after.row(3).status(), Status::argument);

    const Topology other = Topology::parse("exchange \"" + name + "\" fanout").value();
    const Result<TopologyReport> differs = other.apply(connection_);
    EXPECT_EQ(differs.error().reply_code(), 406);
    EXPECT_EQ(differs->count(HAIGHA_TOPOLOGY_DIFFERS), 1U);
    EXPECT_EQ(Topology::parse("no such line").status(), Status::argument);
    EXPECT_EQ(Topology().add("queue q").status(), Status::argument);
    channel_.delete_queue({.queue = name}).wait().value();
    channel_.delete_exchange({.exchange = name}).wait().value();
}

Task<std::string> retried(Retry ladder, Channel channel, Message message) {
    co_return (co_await ladder.retry(channel, message, "not yet")).value();
}

TEST_F(CppTopology, AMessageGoesUpTheLadder) {
    queue_ = "ladder of " + queue_;
    channel_.declare_queue({.queue = queue_, .exclusive = true}).wait().value();
    const std::array<std::uint64_t, 1> delays{1};
    const Retry ladder = Retry::create(connection_, {.queue = queue_, .delays_ms = delays}).value();
    ladder.declare().value();
    Topology described = Topology::make().value();
    EXPECT_TRUE(ladder.describe(described));
    EXPECT_EQ(described.compare(connection_).value().count(HAIGHA_TOPOLOGY_MISSING), 0U);
    Inbox inbox = Inbox::create().value();
    channel_.consume({.queue = queue_}, Into{inbox, 1}).wait().value();
    channel_.publish_confirmed({.routing_key = queue_}, "x").wait().value();
    EXPECT_EQ(retried(ladder, channel_, inbox.next_message(10s).value()).wait(),
              queue_ + ".retry.1ms");
    const Message again = inbox.next_message(10s).value();
    EXPECT_EQ(retries(again).value(), 1U);
    EXPECT_EQ(ladder.quarantine(channel_, again).wait().status(), Status::unsupported);
    std::promise<std::string> where;
    ASSERT_TRUE(ladder.quarantine(channel_, again, "never").then([&](Result<std::string> queue) {
        where.set_value(queue.value());
    }));
    EXPECT_EQ(where.get_future().get(), queue_ + ".quarantine");
    EXPECT_EQ(ladder.info("quarantined").value(), 1);
    EXPECT_EQ(Retry::create(connection_, {.queue = queue_}).status(), Status::argument);
    for (const char* one : {".retry.1ms", ".quarantine"}) {
        channel_.delete_queue({.queue = queue_ + one}).wait().value();
        channel_.delete_exchange({.exchange = queue_ + one}).wait().value();
    }
    channel_.delete_exchange({.exchange = queue_ + ".retry"}).wait().value();
}

}  // namespace
}  // namespace haigha::test
