// A cluster of three, whose nodes are lost one by one.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/api_fixture.h"
#include "support/broker_nodes.h"
#include "support/broker_release.h"

namespace haigha::test {
namespace {

constexpr unsigned nodes = 3;

class Cluster : public ApiTest {
  protected:
    static void SetUpTestSuite() {
        if (!BrokerNodes::available()) return;
        cluster_ = std::make_unique<BrokerNodes>(nodes);
        started_ = cluster_->start();
    }
    static void TearDownTestSuite() { cluster_.reset(); }
    void SetUp() override {
        if (!cluster_) {
            GTEST_SKIP() << "HAIGHA_BROKER_TOOL does not name tools/broker: run this by meson test";
        }
        ASSERT_TRUE(started_) << "tools/broker did not start a cluster";
        loop_ = start_loop();
    }

    // A connection that recovers, on any node, and begins with `first`.
    ConnectionHandle recovering(unsigned first, const haigha_then* events = nullptr,
                                std::int64_t rpc_timeout_ms = 20'000) {
        std::string uri = "amqp://guest:guest@";
        for (unsigned i = 0; i < nodes; ++i) {
            uri += (i == 0 ? "127.0.0.1:" : ",127.0.0.1:") +
                   std::to_string(cluster_->port((first + i) % nodes));
        }
        const OptionsHandle chosen = options_from(uri, {{"recovery", 1},
                                                        {"recovery_delay_ms", 10},
                                                        {"recovery_max_delay_ms", 100},
                                                        {"rpc_timeout_ms", rpc_timeout_ms}});
        ConnectionHandle connection = new_connection(loop_.get(), chosen.get(), events);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }
    unsigned node_of(haigha_connection* connection) {
        TableHandle info;
        haigha_cursor cursor;
        haigha_field field;
        EXPECT_EQ(HAIGHA_OK, haigha_connection_peer_info(connection, out(info), error_)) << error_;
        EXPECT_EQ(HAIGHA_OK, haigha_table_cursor(info.get(), &cursor));
        while (haigha_cursor_next(&cursor, &field) == 1) {
            if (view(field.name) != "peer_address") continue;
            const std::string address(view(field.bytes));
            for (unsigned node = 0; node < nodes; ++node) {
                if (address.ends_with(":" + std::to_string(cluster_->port(node)))) return node;
            }
        }
        ADD_FAILURE() << "the connection is to no node";
        return 0;
    }
    void declare(haigha_channel* channel, const std::string& queue, const char* type) {
        TableHandle arguments;
        ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(arguments), error_)) << error_;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_table_add_string(arguments.get(), str("x-queue-type"), str(type), error_))
            << error_;
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue);
        args.durable = 1;
        args.arguments = arguments.get();
        ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel, &args, -1, nullptr, error_))
            << error_;
    }

    static std::unique_ptr<BrokerNodes> cluster_;
    static bool started_;
};

std::unique_ptr<BrokerNodes> Cluster::cluster_;
bool Cluster::started_ = false;

// Publishes each message until it is confirmed.
class Persistent {
  public:
    Persistent(haigha_connection* connection, std::string queue)
        : connection_(connection), queue_(std::move(queue)) {
        open();
    }

    void publish(std::string body) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        ASSERT_EQ(HAIGHA_OK, haigha_publish(channel_.get(), &args, str(body), nullptr, error_))
            << error_;
        bodies_.push_back(std::move(body));
        ended_.push_back(false);
    }
    void have_all_confirmed() {
        while (true) {
            std::vector<std::string> nacked;
            for (std::size_t i = 0; i < bodies_.size(); ++i) {
                const Recorded event = outcomes_->wait_for(HAIGHA_EVENT_OUTCOME, i);
                ASSERT_FALSE(ended_.at(event.number - 1)) << event.number << " ends twice";
                ended_.at(event.number - 1) = true;
                if (event.outcome == HAIGHA_OUTCOME_CONFIRMED) continue;
                ASSERT_EQ(event.outcome, HAIGHA_OUTCOME_NACKED) << event.number;
                nacked.push_back(bodies_[event.number - 1]);
            }
            if (nacked.empty()) return;
            // One that has lost a queue's leader on 3.10 nacks as long as it lives.
            open();
            for (std::string& body : nacked)
                publish(std::move(body));
        }
    }

  private:
    void open() {
        outcomes_ = std::make_unique<EventLog>();
        channel_ = open_channel(connection_, confirming(*outcomes_, HAIGHA_PUBLISH_RESEND));
        bodies_.clear();
        ended_.clear();
    }

    haigha_connection* connection_;
    std::string queue_;
    ChannelHandle channel_;
    std::unique_ptr<EventLog> outcomes_;
    std::vector<std::string> bodies_;  // by the number of the publish, from 1
    std::vector<bool> ended_;
    Err error_;
};

// rules 5, 50, 51: with a node away a quorum queue goes on, and so does the program.
TEST_F(Cluster, AQuorumQueueOutlivesEachNodeInTurn) {
    const ConnectionHandle to = recovering(0);
    const ConnectionHandle from = recovering(1);
    const ChannelHandle consumes = open_channel(from.get());
    const std::string queue = unique_name("quorum");
    ASSERT_NO_FATAL_FAILURE(declare(consumes.get(), queue, "quorum"));
    EventLog deliveries([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        // STALE where its node has gone meanwhile: the message comes again.
        (void)haigha_ack(event.channel, event.number, 0, nullptr);
    });
    ASSERT_EQ(HAIGHA_OK, consume(consumes.get(), queue, deliveries.then())) << error_;
    std::size_t messages = 0;
    // The publisher's, the consumer's, and whichever is neither's.
    for (unsigned round = 0; round < nodes; ++round) {
        Persistent publisher(to.get(), queue);
        const auto publish_some = [&] {
            for (int i = 0; i < 200; ++i)
                publisher.publish(std::to_string(++messages));
        };
        unsigned node = node_of(round == 0 ? to.get() : from.get());
        while (round == 2 && (node == node_of(to.get()) || node == node_of(from.get())))
            node = (node + 1) % nodes;
        publish_some();
        if (round == 1) {
            cluster_->stop(node);
        } else {
            cluster_->kill(node);
        }
        publish_some();
        publisher.have_all_confirmed();  // without that node
        ASSERT_FALSE(HasFatalFailure());
        ASSERT_TRUE(cluster_->start_again(node));
    }
    deliveries.wait_numbered(messages);
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
}

// rule 54: a classic queue is nowhere while its node is away. That is told, and the rest comes
// back.
TEST_F(Cluster, AClassicQueueGoesWithItsNodeAndThatIsTold) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(0, &then, 1000);
    const ChannelHandle channel = open_channel(connection.get());
    const unsigned home = node_of(connection.get());
    const std::string classic = unique_name("classic");
    const std::string quorum = unique_name("quorum");
    ASSERT_NO_FATAL_FAILURE(declare(channel.get(), classic, "classic"));
    ASSERT_NO_FATAL_FAILURE(declare(channel.get(), quorum, "quorum"));
    EventLog from_classic;
    EventLog from_quorum;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), classic, from_classic.then(), true)) << error_;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), quorum, from_quorum.then(), true)) << error_;

    cluster_->kill(home);
    events.wait(
        [](const std::vector<Recorded>& all) {
            for (const Recorded& event : all) {
                if (event.type == HAIGHA_EVENT_RECOVERY && event.state == HAIGHA_RECOVERY_RECOVERED)
                    return true;
            }
            return false;
        },
        "the connection to be recovered");
    EXPECT_NE(node_of(connection.get()), home);
    const bool answered = BrokerRelease(connection.get()).answers_for_a_queue_whose_node_is_away();
    bool told = false;
    for (const Recorded& event : events.events()) {
        if (event.type != HAIGHA_EVENT_RECOVERY || event.state != HAIGHA_RECOVERY_ENTITY) continue;
        EXPECT_EQ(event.name, classic);
        EXPECT_EQ(event.status, answered ? HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER : HAIGHA_ERR_TIMEOUT)
            << event.error;
        told = true;
    }
    EXPECT_TRUE(told);
    from_classic.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), quorum, "goes on")) << error_;
    EXPECT_EQ(from_quorum.wait_for(HAIGHA_EVENT_DELIVERY).body, "goes on");

    // Once its node is back the program consumes from it again.
    ASSERT_TRUE(cluster_->start_again(home));
    EventLog again;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), classic, again.then(), true)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), classic, "is back")) << error_;
    EXPECT_EQ(again.wait_for(HAIGHA_EVENT_DELIVERY).body, "is back");
}

}  // namespace
}  // namespace haigha::test
