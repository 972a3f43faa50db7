// Recovery of a connection that has several hosts to go to.
#include <memory>
#include <string>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

class RecoveryHosts : public RecoveryTest {
  protected:
    OptionsHandle two_hosts() {
        other_ = std::make_unique<StubBroker>();
        return options_from("amqp://guest:guest@127.0.0.1:" + std::to_string(broker_->port()) +
                                ",127.0.0.1:" + std::to_string(other_->port()),
                            {recovery, soon, capped});
    }
    ConnectionHandle open(const haigha_options* options, const haigha_then* events) {
        ConnectionHandle connection = new_connection(loop_.get(), options, events);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }
    std::unique_ptr<StubBroker> other_;
};

TEST_F(RecoveryHosts, GoesToTheNextHost) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = open(two_hosts().get(), &then);
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(step(events, HAIGHA_RECOVERY_ATTEMPT).name,
              "127.0.0.1:" + std::to_string(other_->port()));
    EXPECT_EQ(other_->count("connect"), 1U);
    // The other broker has never heard of the queue: it was declared there.
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "x"));
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
    // And back.
    other_->command("reset");
    step(events, HAIGHA_RECOVERY_RECOVERED, 1);
    EXPECT_EQ(broker_->count("connect"), 2U);
    EXPECT_EQ(other_->violations(), std::vector<std::string>());
}

struct Chooser {
    int asked = 0;
    std::size_t hosts = 0;
    std::uint32_t failures = 0;
    std::string name;
    bool released = false;
};

TEST_F(RecoveryHosts, TheProgramChooses) {
    Chooser chooser;
    {
        const OptionsHandle options = two_hosts();
        ASSERT_EQ(
            HAIGHA_OK,
            haigha_options_set_choose_host_fn(
                options.get(),
                [](const haigha_host_state* hosts, size_t count, void* user_data) {
                    auto* const chosen = static_cast<Chooser*>(user_data);
                    ++chosen->asked;
                    chosen->hosts = count;
                    chosen->failures = hosts[0].failures;
                    chosen->name = view(hosts[0].host);
                    return std::int32_t{0};  // the one that was lost, again and again
                },
                &chooser, [](void* data) { static_cast<Chooser*>(data)->released = true; }, error_))
            << error_;
        EventLog events;
        const haigha_then then = events.then();
        const ConnectionHandle connection = open(options.get(), &then);
        script("on connection.start-ok#1 reset");
        lose();
        step(events, HAIGHA_RECOVERY_RECOVERED);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    }
    EXPECT_EQ(chooser.asked, 2);
    EXPECT_EQ(chooser.hosts, 2U);
    EXPECT_GE(chooser.failures, 1U);
    EXPECT_EQ(chooser.name, "127.0.0.1:" + std::to_string(broker_->port()));
    EXPECT_EQ(other_->count("connect"), 0U);
    close_loop(loop_.get());
    EXPECT_TRUE(chooser.released);
    loop_ = start_loop();
}

}  // namespace
}  // namespace haigha::test
