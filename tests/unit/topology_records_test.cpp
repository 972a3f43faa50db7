// Tests of the topology records: what is kept, and what goes with what.
#include "client/topology_records.h"

#include <gtest/gtest.h>

#include <string>

namespace haigha::client {
namespace {

ExchangeRecord exchange(std::string name, bool auto_delete = false) {
    ExchangeRecord record;
    record.name = std::move(name);
    record.type = "topic";
    record.auto_delete = auto_delete;
    return record;
}

QueueRecord queue(std::string name, bool auto_delete = false, bool server_named = false) {
    QueueRecord record;
    record.name = std::move(name);
    record.auto_delete = auto_delete;
    record.server_named = server_named;
    return record;
}

BindingRecord binding(std::string source, std::string destination, std::string key = "k",
                      bool to_exchange = false) {
    BindingRecord record;
    record.to_exchange = to_exchange;
    record.destination = std::move(destination);
    record.source = std::move(source);
    record.routing_key = std::move(key);
    return record;
}

TEST(TopologyRecords, AreKeyedByValue) {
    TopologyRecords records;
    for (int i = 0; i < 3; ++i) {
        records.exchange_declared(exchange("x"));
        records.queue_declared(queue("q"));
        records.bound(binding("x", "q"));
        records.bound(binding("x", "q", "other"));
    }
    EXPECT_EQ(records.size(), 4U);
    records.unbound(binding("x", "q", "none such"));
    records.unbound(binding("x", "q"));
    EXPECT_EQ(records.bindings().size(), 1U);
    BindingRecord with_arguments = binding("x", "q");
    with_arguments.arguments = {std::byte{1}};
    records.bound(binding("x", "q"));
    records.bound(with_arguments);
    records.unbound(with_arguments);
    EXPECT_TRUE(records.bindings().contains(binding("x", "q")));
    EXPECT_FALSE(records.bindings().contains(with_arguments));
}

TEST(TopologyRecords, LeaveOutWhatTheBrokerHasByItself) {
    TopologyRecords records;
    records.exchange_declared(exchange(""));
    records.bound(binding("", "q"));
    EXPECT_EQ(records.size(), 0U);
}

// rule 53: queue -> binding -> exchange
TEST(TopologyRecords, DropWhatGoesWithAQueue) {
    TopologyRecords records;
    records.exchange_declared(exchange("kept"));
    records.exchange_declared(exchange("upper", true));
    records.exchange_declared(exchange("lower", true));
    records.exchange_declared(exchange("shared", true));
    records.queue_declared(queue("q"));
    records.queue_declared(queue("other"));
    records.bound(binding("kept", "q"));
    records.bound(binding("lower", "q"));
    records.bound(binding("upper", "lower", "k", true));
    records.bound(binding("shared", "q"));
    records.bound(binding("shared", "other"));
    records.queue_deleted("q");
    EXPECT_EQ(records.exchanges().size(), 2U);
    EXPECT_TRUE(records.exchanges().contains("kept"));
    EXPECT_TRUE(records.exchanges().contains("shared"));
    EXPECT_EQ(records.bindings().size(), 1U);
    EXPECT_EQ(records.queues().size(), 1U);
}

TEST(TopologyRecords, DropWhatGoesWithAnExchange) {
    TopologyRecords records;
    records.exchange_declared(exchange("x"));
    records.exchange_declared(exchange("source", true));
    records.exchange_declared(exchange("destination"));
    records.bound(binding("x", "q"));
    records.bound(binding("source", "x", "k", true));
    records.bound(binding("x", "destination", "k", true));
    records.bound(binding("x", "x", "k", true));
    records.exchange_deleted("x");
    EXPECT_EQ(records.bindings().size(), 0U);
    EXPECT_EQ(records.exchanges().size(), 1U);
    EXPECT_TRUE(records.exchanges().contains("destination"));
}

TEST(TopologyRecords, UnbindingTheLastTakesAnAutoDeleteExchange) {
    TopologyRecords records;
    records.exchange_declared(exchange("x", true));
    records.bound(binding("x", "q", "1"));
    records.bound(binding("x", "q", "2"));
    records.unbound(binding("x", "q", "1"));
    EXPECT_EQ(records.exchanges().size(), 1U);
    records.unbound(binding("x", "q", "2"));
    EXPECT_EQ(records.size(), 0U);
}

TEST(TopologyRecords, TheLastConsumerTakesAnAutoDeleteQueue) {
    TopologyRecords records;
    records.exchange_declared(exchange("x", true));
    records.queue_declared(queue("q", true));
    records.queue_declared(queue("plain"));
    records.bound(binding("x", "q"));
    records.consumer_ended("q");  // there was none
    EXPECT_EQ(records.queues().size(), 2U);
    records.consumer_started("q");
    records.consumer_started("q");
    records.consumer_started("plain");
    records.consumer_ended("plain");
    records.consumer_ended("q");
    records.queue_declared(queue("q", true));  // once more: its consumer is still counted
    EXPECT_EQ(records.queues().size(), 2U);
    records.consumer_ended("q");
    EXPECT_EQ(records.size(), 1U);
    EXPECT_NE(records.find_queue("plain"), nullptr);
}

// rule 45
TEST(TopologyRecords, ARenamedQueueKeepsItsBindingsAndConsumers) {
    TopologyRecords records;
    records.queue_declared(queue("amq.gen-1", false, true));
    records.queue_declared(queue("amq.gen-10", false, true));
    records.bound(binding("x", "amq.gen-1", "1"));
    records.bound(binding("x", "amq.gen-1", "2"));
    records.bound(binding("x", "amq.gen-10", "3"));
    records.consumer_started("amq.gen-1");
    for (int i = 2; i < 10; ++i) {
        EXPECT_TRUE(records.queue_renamed("amq.gen-" + std::to_string(i - 1),
                                          "amq.gen-" + std::to_string(i)));
    }
    EXPECT_FALSE(records.queue_renamed("amq.gen-1", "other"));
    ASSERT_NE(records.find_queue("amq.gen-9"), nullptr);
    EXPECT_EQ(records.find_queue("amq.gen-9")->name, "amq.gen-9");
    EXPECT_EQ(records.find_queue("amq.gen-9")->consumers, 1U);
    EXPECT_EQ(records.queues().size(), 2U);
    EXPECT_EQ(records.bindings().size(), 3U);
    EXPECT_TRUE(records.bindings().contains(binding("x", "amq.gen-9", "2")));
    EXPECT_TRUE(records.bindings().contains(binding("x", "amq.gen-10", "3")));
    // Declared again by name it is still the broker's name.
    records.queue_declared(queue("amq.gen-9"));
    EXPECT_TRUE(records.find_queue("amq.gen-9")->server_named);
    records.queue_deleted("amq.gen-9");
    EXPECT_EQ(records.bindings().size(), 1U);
}

// rule 53
TEST(TopologyRecords, DoNotGrow) {
    TopologyRecords records;
    for (int i = 0; i < 100'000; ++i) {
        const std::string name = "q" + std::to_string(i);
        records.exchange_declared(exchange("x", true));
        records.queue_declared(queue(name, i % 2 == 0));
        records.bound(binding("x", name));
        records.consumer_started(name);
        records.consumer_ended(name);
        if (i % 2 == 1) records.queue_deleted(name);
    }
    EXPECT_EQ(records.size(), 0U);
}

}  // namespace
}  // namespace haigha::client
