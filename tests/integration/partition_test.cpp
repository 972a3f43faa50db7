// A network that is cut between the program and the broker: nothing comes, and nobody says so.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/api_fixture.h"
#include "support/fault_proxy.h"
#include "support/network_namespace.h"

namespace haigha::test {
namespace {

class Partition : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        if (!network_.why_not().empty()) {
            GTEST_SKIP() << "there can be no network of the test's own: " << network_.why_not();
        }
        // The broker listens on the loopback alone.
        const std::size_t colon = uri_.rfind(':');
        way_ = std::make_unique<FaultProxy>(
            static_cast<std::uint16_t>(std::stoi(uri_.substr(colon + 1))), network_.address());
        network_.run([this] { inside_ = start_loop(); });
    }
    void TearDown() override {
        if (inside_) close_loop(inside_.get());
        ApiTest::TearDown();
    }

    NetworkNamespace network_;
    std::unique_ptr<FaultProxy> way_;
    LoopHandle inside_;
};

// rules 5, 44, 50: the heartbeat finds it, and nothing is lost once the cable is back.
TEST_F(Partition, IsFoundByTheHeartbeatAndNothingIsLost) {
    EventLog events;
    const haigha_then then = events.then();
    const std::size_t at = uri_.rfind('@');
    ASSERT_NE(at, std::string::npos);
    const OptionsHandle chosen = options_from(
        uri_.substr(0, at + 1) + network_.address() + ":" + std::to_string(way_->port()),
        {{"recovery", 1},
         {"recovery_delay_ms", 10},
         {"recovery_max_delay_ms", 100},
         {"connection_timeout", 500},
         {"heartbeat", 1}});
    const ConnectionHandle connection = new_connection(inside_.get(), chosen.get(), &then);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
    EventLog outcomes;
    const ChannelHandle publishes =
        open_channel(connection.get(), confirming(outcomes, HAIGHA_PUBLISH_RESEND));
    const ChannelHandle consumes = open_channel(connection.get());
    const std::string queue = unique_name("partition");
    ASSERT_NO_FATAL_FAILURE(declare_durable(publishes.get(), queue));
    EventLog deliveries([](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        // STALE once the cable was cut: the message comes again.
        (void)haigha_ack(event.channel, event.number, 0, nullptr);
    });
    ASSERT_EQ(HAIGHA_OK, consume(consumes.get(), queue, deliveries.then())) << error_;
    std::size_t published = 0;
    const auto publish_some = [&] {
        for (int i = 0; i < 200; ++i) {
            ASSERT_EQ(HAIGHA_OK, publish(publishes.get(), queue, std::to_string(++published)))
                << error_;
        }
    };
    publish_some();
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 1);
    network_.cut();
    publish_some();
    const Recorded lost = events.state(HAIGHA_STATE_RECOVERING);
    EXPECT_EQ(lost.status, HAIGHA_ERR_HEARTBEAT) << lost.error;
    publish_some();
    // It tries, and is told that nothing is there.
    events.wait(
        [](const std::vector<Recorded>& all) {
            for (const Recorded& event : all) {
                if (event.type == HAIGHA_EVENT_RECOVERY && event.number == 2) return true;
            }
            return false;
        },
        "a second attempt");
    network_.mend();
    outcomes.wait_count(HAIGHA_EVENT_OUTCOME, published);
    std::vector<int> ended(published + 1);
    for (const Recorded& event : outcomes.events()) {
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        EXPECT_EQ(event.outcome, HAIGHA_OUTCOME_CONFIRMED) << event.number;
        EXPECT_EQ(++ended.at(event.number), 1) << event.number;
    }
    deliveries.wait_numbered(published);
    delete_queue(publishes.get(), queue);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

}  // namespace
}  // namespace haigha::test
