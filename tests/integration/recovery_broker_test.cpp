// Recovery with a real RabbitMQ: killed and restarted, and behind a proxy that has the network's
// faults.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/api_fixture.h"
#include "support/fault_proxy.h"
#include "support/throwaway_broker.h"

namespace haigha::test {
namespace {

class RecoveryBroker : public ApiTest {
  protected:
    static void SetUpTestSuite() {
        if (ThrowawayBroker::available()) broker_ = std::make_unique<ThrowawayBroker>();
    }
    static void TearDownTestSuite() { broker_.reset(); }
    void SetUp() override {
        if (!broker_) {
            GTEST_SKIP() << "HAIGHA_BROKER_TOOL does not name tools/broker: run this by meson test";
        }
        ASSERT_TRUE(broker_->alive()) << "tools/broker did not start a node";
        uri_ = broker_->uri();
        loop_ = start_loop();
        const std::size_t colon = uri_.rfind(':');
        proxy_ = std::make_unique<FaultProxy>(
            static_cast<std::uint16_t>(std::stoi(uri_.substr(colon + 1))));
    }
    // A connection that recovers, through the proxy.
    ConnectionHandle recovering(const haigha_then* events,
                                std::initializer_list<IntOption> more = {}) {
        const std::size_t colon = uri_.rfind(':');
        const OptionsHandle chosen = options_from(
            uri_.substr(0, colon + 1) + std::to_string(proxy_->port()),
            {{"recovery", 1}, {"recovery_delay_ms", 10}, {"recovery_max_delay_ms", 100}});
        for (const IntOption& option : more) {
            EXPECT_EQ(HAIGHA_OK,
                      haigha_options_set_int(chosen.get(), str(option.name), option.value, error_))
                << error_;
        }
        ConnectionHandle connection = new_connection(loop_.get(), chosen.get(), events);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }
    static Recorded recovered(EventLog& log, std::size_t nth = 0) {
        return log.recovery(HAIGHA_RECOVERY_RECOVERED, nth);
    }
    void bind(haigha_channel* channel, std::string_view exchange, std::string_view queue,
              std::string_view key) {
        haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
        args.queue = str(queue);
        args.exchange = str(exchange);
        args.routing_key = str(key);
        EXPECT_EQ(HAIGHA_OK, haigha_queue_bind_wait(channel, &args, -1, nullptr, error_)) << error_;
    }
    haigha_status publish_to(haigha_channel* channel, std::string_view exchange,
                             std::string_view key, std::string_view body) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str(exchange);
        args.routing_key = str(key);
        return haigha_publish(channel, &args, str(body), nullptr, error_);
    }

    static std::unique_ptr<ThrowawayBroker> broker_;
    std::unique_ptr<FaultProxy> proxy_;
};

std::unique_ptr<ThrowawayBroker> RecoveryBroker::broker_;

// rules 45, 47: one queue and one consumer after a hundred.
TEST_F(RecoveryBroker, AHundredRecoveriesLeaveOneQueueAndOneConsumer) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then, {{"recovery_stable_ms", 0}});
    const ChannelHandle channel = open_channel(connection.get());
    declare_queue(channel.get());
    bind(channel.get(), "amq.topic", "", "news.#");
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), "", deliveries.then())) << error_;
    for (std::size_t round = 0; round < 100; ++round) {
        proxy_->command("reset");
        recovered(events, round);
        ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), "amq.topic", "news.x", "hello")) << error_;
        const Recorded delivery = deliveries.wait_for(HAIGHA_EVENT_DELIVERY, round);
        EXPECT_EQ(HAIGHA_OK, haigha_ack(channel.get(), delivery.number, 0, error_)) << error_;
    }
    EXPECT_EQ(events.count(HAIGHA_EVENT_QUEUE_RENAMED), 100U);
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
    EXPECT_EQ(info(connection.get(), "topology_records"), 2);
    const std::string queue = events.wait_for(HAIGHA_EVENT_QUEUE_RENAMED, 99).name;
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str(queue);
    args.passive = 1;
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel.get(), &args, -1, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_consumer_count(reply.get()), 1U);
    // Beside what other tests may have left, which has names of its own.
    std::istringstream names(broker_->ctl("list_queues name --no-table-headers"));
    std::vector<std::string> named_by_the_broker;
    for (std::string name; std::getline(names, name);) {
        if (name.starts_with("amq.gen-")) named_by_the_broker.push_back(name);
    }
    EXPECT_EQ(named_by_the_broker, std::vector<std::string>{queue});
}

// rules 5, 44, 47, 50: the broker is killed, and comes back with what was durable.
TEST_F(RecoveryBroker, KilledAndRestarted) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    EventLog outcomes;
    const haigha_then outcomes_then = outcomes.then();
    const ChannelHandle channel = open_channel(connection.get(), &outcomes_then, true);
    const std::string durable = unique_name("durable");
    ASSERT_NO_FATAL_FAILURE(declare_durable(channel.get(), durable));
    const std::string exchange = unique_name("transient");
    haigha_exchange_declare_args declare_exchange = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    declare_exchange.exchange = str(exchange);
    declare_exchange.auto_delete = 1;
    ASSERT_EQ(HAIGHA_OK,
              haigha_exchange_declare_wait(channel.get(), &declare_exchange, -1, nullptr, error_))
        << error_;
    bind(channel.get(), exchange, durable, "k");
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), durable, deliveries.then(), true)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), exchange, "k", "before")) << error_;
    deliveries.wait_for(HAIGHA_EVENT_DELIVERY);
    outcomes.wait_for(HAIGHA_EVENT_OUTCOME);

    broker_->kill();
    events.state(HAIGHA_STATE_RECOVERING);
    EXPECT_EQ(HAIGHA_ERR_RECOVERING, publish_to(channel.get(), exchange, "k", "meanwhile"));
    broker_->start();
    recovered(events);
    ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), exchange, "k", "after")) << error_;
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY, 1).body, "after");
    EXPECT_EQ(outcomes.wait_for(HAIGHA_EVENT_OUTCOME, 1).number, 2U);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

// rules 50, 51, 52: the broker is killed while messages are published, once on the way and once
// more while they are sent again.
TEST_F(RecoveryBroker, WhatIsPublishedOutlivesTheBroker) {
    for (const std::uint8_t policy : {HAIGHA_PUBLISH_KEEP_UNSENT, HAIGHA_PUBLISH_RESEND}) {
        SCOPED_TRACE(int{policy});
        EventLog events;
        const haigha_then then = events.then();
        const ConnectionHandle connection = recovering(&then);
        EventLog outcomes;
        const ChannelHandle channel = open_channel(connection.get(), confirming(outcomes, policy));
        const std::string queue = unique_name("outlives");
        ASSERT_NO_FATAL_FAILURE(declare_durable(channel.get(), queue));
        broker_->write_down();
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_DELIVERY_MODE;
        properties.delivery_mode = 2;
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue);
        args.properties = &properties;
        std::size_t published = 0;
        const auto publish_some = [&] {
            for (int i = 0; i < 1000; ++i) {
                ASSERT_EQ(HAIGHA_OK,
                          haigha_publish(channel.get(), &args, str(std::to_string(++published)),
                                         nullptr, error_))
                    << error_;
            }
        };
        publish_some();
        outcomes.wait_count(HAIGHA_EVENT_OUTCOME, 1);
        broker_->kill();
        events.state(HAIGHA_STATE_RECOVERING);
        publish_some();
        broker_->start();
        recovered(events);
        publish_some();
        broker_->kill();
        publish_some();
        broker_->start();
        outcomes.wait_count(HAIGHA_EVENT_OUTCOME, published);
        std::vector<int> ended(published + 1);
        for (const Recorded& event : outcomes.events()) {
            if (event.type != HAIGHA_EVENT_OUTCOME) continue;
            EXPECT_EQ(ended[event.number], 0) << event.number << " ends twice";
            ended[event.number] = event.outcome;
        }

        // What came, by its consumer: the queue has nothing more after all that was published.
        const std::string last = "the end";
        ReplyHandle reply;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(channel.get(), &args, str(last), 60'000, out(reply), error_))
            << error_;
        EventLog deliveries;
        ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, deliveries.then(), true)) << error_;
        deliveries.wait(
            [&](const std::vector<Recorded>& all) {
                return !all.empty() && all.back().body == last;
            },
            "the last message");
        std::vector<int> came(published + 1);
        std::size_t newest = 0;
        for (const Recorded& event : deliveries.events()) {
            if (event.body == last) break;
            const std::size_t number = std::stoul(event.body);
            ++came[number];
            if (event.headers.find("x-haigha-republished") != std::string::npos) {
                EXPECT_EQ(policy, HAIGHA_PUBLISH_RESEND) << number;
                continue;
            }
            EXPECT_GT(number, newest) << "out of order";
            newest = number;
        }
        for (std::size_t number = 1; number <= published; ++number) {
            EXPECT_NE(ended[number], HAIGHA_OUTCOME_NOT_SENT) << number;
            const bool confirmed = ended[number] == HAIGHA_OUTCOME_CONFIRMED;
            EXPECT_TRUE(confirmed || policy != HAIGHA_PUBLISH_RESEND) << number;
            EXPECT_TRUE(came[number] == 1 || policy != HAIGHA_PUBLISH_KEEP_UNSENT || !confirmed)
                << number << " came " << came[number] << " times";
            EXPECT_TRUE(came[number] <= 1 || policy == HAIGHA_PUBLISH_RESEND) << number;
            EXPECT_TRUE(came[number] >= 1 || !confirmed) << number;
        }
        EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    }
}

// rule 54, with RabbitMQ's own refusals: one queue is declared by somebody else meanwhile, with
// other arguments.
TEST_F(RecoveryBroker, AQueueThatIsDifferentNowIsToldAndTheOthersComeBack) {
    const ConnectionHandle other = connect();
    const ChannelHandle elsewhere = open_channel(other.get());
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    std::vector<std::string> queues;
    for (int i = 0; i < 10; ++i) {
        queues.push_back(unique_name("drift"));
        ASSERT_NO_FATAL_FAILURE(declare_durable(channel.get(), queues.back()));
        bind(channel.get(), "amq.direct", queues.back(), "drift");
    }
    proxy_->command("refuse on");
    proxy_->command("reset");
    events.state(HAIGHA_STATE_RECOVERING);
    for (const std::size_t changed : {std::size_t{3}, std::size_t{5}}) {
        delete_queue(elsewhere.get(), queues[changed]);
    }
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str(queues[3]);
    args.durable = 1;
    args.auto_delete = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(elsewhere.get(), &args, -1, nullptr, error_))
        << error_;
    proxy_->command("refuse off");
    recovered(events);
    std::vector<Recorded> failures;
    for (const Recorded& event : events.events()) {
        if (event.type == HAIGHA_EVENT_RECOVERY && event.state == HAIGHA_RECOVERY_ENTITY) {
            failures.push_back(event);
        }
    }
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_EQ(failures[0].name, queues[3]);
    EXPECT_EQ(failures[0].reply_code, 406);
    // All ten are bound, the one that is different too.
    ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), "amq.direct", "drift", "x")) << error_;
    for (const std::string& queue : queues)
        EXPECT_TRUE(wait_messages(elsewhere.get(), queue, 1)) << queue;
    for (const std::string& queue : queues)
        delete_queue(elsewhere.get(), queue);
}

// rules 44, 56: whatever the network does to what the broker says.
TEST_F(RecoveryBroker, TheNetworksFaultsEndInRecovery) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection =
        recovering(&then, {{"recovery_stable_ms", 0}, {"heartbeat", 1}, {"rpc_timeout_ms", 2000}});
    const ChannelHandle channel = open_channel(connection.get(), nullptr, true);
    const std::string queue = unique_name("faults");
    ASSERT_NO_FATAL_FAILURE(declare_durable(channel.get(), queue));
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, deliveries.then())) << error_;
    struct Fault {
        const char* begin;
        const char* end;
        bool ends_what_is_there;  // and not only what comes
    };
    const Fault faults[] = {
        {"half-close", "delay 0", true},
        {"truncate-after 700", "truncate-after 0", false},
        {"reset-after 600", "reset-after 0", false},
        {"corrupt-at 20", "corrupt-at 0", false},
        {"corrupt-at 500", "corrupt-at 0", false},
        {"refuse on", "refuse off", false},
        {"black-hole on", "black-hole off", true},  // found by heartbeats
        {"split 1", "split 0", false},
        {"throttle 20000", "throttle 0", false},
        {"delay 20", "delay 0", false},
    };
    std::size_t round = 0;
    for (const Fault& fault : faults) {
        SCOPED_TRACE(fault.begin);
        const std::size_t attempts = events.count(HAIGHA_EVENT_RECOVERY);
        proxy_->command(fault.begin);
        if (!fault.ends_what_is_there) proxy_->command("reset");
        events.wait_count(HAIGHA_EVENT_RECOVERY, attempts + (fault.ends_what_is_there ? 1 : 2));
        proxy_->command(fault.end);
        // A connection that was accepted before may still have its fault before it.
        const std::string body = std::to_string(round++);
        haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
        publish.routing_key = str(queue);
        int outcome = 0;
        while (outcome != HAIGHA_OUTCOME_CONFIRMED) {
            ReplyHandle reply;
            const haigha_status status =
                haigha_publish_wait(channel.get(), &publish, str(body), -1, out(reply), error_);
            ASSERT_TRUE(status == HAIGHA_OK || status == HAIGHA_ERR_RECOVERING ||
                        status == HAIGHA_ERR_TIMEOUT || status == HAIGHA_ERR_IO)
                << error_;
            outcome = haigha_reply_outcome(reply.get());
            std::this_thread::yield();
        }
        deliveries.wait(
            [&](const std::vector<Recorded>& all) {
                return std::any_of(all.begin(), all.end(), [&](const Recorded& event) {
                    return event.type == HAIGHA_EVENT_DELIVERY && event.body == body;
                });
            },
            "what was confirmed");
    }
    EXPECT_GE(info(connection.get(), "recoveries"), static_cast<std::int64_t>(round));
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
    delete_queue(channel.get(), queue);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

}  // namespace
}  // namespace haigha::test
