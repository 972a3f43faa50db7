// Recovery over TLS, and what it does about a peer that is not who it should be.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "support/certificates.h"
#include "support/fault_proxy.h"
#include "support/recovery_fixture.h"
#include "support/tls_front.h"

namespace haigha::test {
namespace {

class RecoveryTls : public RecoveryTest {
  protected:
    std::unique_ptr<TlsFront> front(const Authority& authority) {
        LeafOptions leaf;
        leaf.names = {"DNS:localhost"};
        TlsFrontOptions options;
        options.identity = authority.issue(leaf);
        return std::make_unique<TlsFront>(std::move(options), broker_->port());
    }
    ConnectionHandle open(const std::string& hosts, const Authority& trusted,
                          const haigha_then* events, const std::string& parameters = {}) {
        const OptionsHandle options =
            options_from("amqps://guest:guest@" + hosts + parameters, {recovery, soon, capped});
        EXPECT_EQ(HAIGHA_OK, haigha_options_set_string(options.get(), str("cacert_pem"),
                                                       str(trusted.pem()), error_))
            << error_;
        ConnectionHandle connection = new_connection(loop_.get(), options.get(), events);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }
    static std::string host(const TlsFront& front) {
        return "localhost:" + std::to_string(front.port());
    }
};

TEST_F(RecoveryTls, ComesBackSecured) {
    const Authority authority("recovery test CA");
    const std::unique_ptr<TlsFront> secured = front(authority);
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = open(host(*secured), authority, &then);
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    for (std::size_t round = 0; round < 5; ++round) {
        lose();
        step(events, HAIGHA_RECOVERY_RECOVERED, round);
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", std::to_string(round)));
        EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY, round).body, std::to_string(round));
    }
    EXPECT_EQ(secured->accepted(), 6U);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

// rule 56: nobody is asked for anything under a wrong name.
TEST_F(RecoveryTls, StopsAtAPeerWithAnotherIdentity) {
    const Authority authority("recovery test CA");
    const std::unique_ptr<TlsFront> secured = front(authority);
    const std::unique_ptr<TlsFront> stranger = front(Authority("somebody else"));
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection =
        open(host(*secured) + "," + host(*stranger), authority, &then);
    lose();
    const Recorded failed = step(events, HAIGHA_RECOVERY_FAILED);
    EXPECT_EQ(failed.status, HAIGHA_ERR_TLS) << failed.error;
    EXPECT_EQ(failed.number, 1U);
    EXPECT_EQ(events.state(HAIGHA_STATE_CLOSED).status, HAIGHA_ERR_TLS);
    EXPECT_EQ(broker_->count("connection.start-ok"), 1U);
}

// rules 44, 56: whatever the network does to the octets of the handshake, or behind it.
TEST_F(RecoveryTls, TheNetworksFaultsEndInRecovery) {
    const Authority authority("recovery test CA");
    const std::unique_ptr<TlsFront> secured = front(authority);
    FaultProxy way(static_cast<std::uint16_t>(secured->port()));
    EventLog events;
    const haigha_then then = events.then();
    // What a fault has made of the handshake is not who the peer is. A record that is said to be
    // longer than it is never ends: then the timeouts do.
    const ConnectionHandle connection =
        open("localhost:" + std::to_string(way.port()), authority, &then,
             "?connection_timeout=1000&rpc_timeout_ms=1000&recovery_permanent=retry&recovery_"
             "stable_ms=0");
    EventLog outcomes;
    const ChannelHandle channel =
        open_channel(connection.get(), confirming(outcomes, HAIGHA_PUBLISH_RESEND));
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    struct Fault {
        std::string begin;
        std::string end;
        bool of_new_connections;  // and an attempt fails by it
    };
    std::vector<Fault> faults = {
        {"half-close", "delay 0", false},
        {"reset", "delay 0", false},
    };
    // In the first record, in the handshake, and behind it.
    for (const char* octets : {"1", "60", "300", "900"}) {
        for (const std::string what : {"truncate-after ", "reset-after ", "corrupt-at "})
            faults.push_back({what + octets, what + "0", true});
    }
    std::size_t round = 0;
    for (const Fault& fault : faults) {
        SCOPED_TRACE(fault.begin);
        const std::size_t attempts = steps(events, HAIGHA_RECOVERY_ATTEMPT);
        way.command(fault.begin);
        if (fault.of_new_connections) way.command("reset");
        const Recorded last =
            step(events, HAIGHA_RECOVERY_ATTEMPT, attempts + (fault.of_new_connections ? 1 : 0));
        EXPECT_FALSE(last.error.empty());
        EXPECT_FALSE(last.stage.empty()) << last.error;
        way.command(fault.end);
        // One that was accepted before may still have its fault before it.
        const std::string body = std::to_string(round);
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", body)) << error_;
        EXPECT_EQ(outcomes.wait_for(HAIGHA_EVENT_OUTCOME, round++).outcome,
                  HAIGHA_OUTCOME_CONFIRMED);
        deliveries.wait(
            [&](const std::vector<Recorded>& all) {
                return std::any_of(all.begin(), all.end(), [&](const Recorded& event) {
                    return event.type == HAIGHA_EVENT_DELIVERY && event.body == body;
                });
            },
            "what was confirmed");
    }
    EXPECT_EQ(deliveries.count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

}  // namespace
}  // namespace haigha::test
