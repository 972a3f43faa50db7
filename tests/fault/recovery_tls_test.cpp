// Recovery over TLS, and what it does about a peer that is not who it should be.
#include <memory>
#include <string>

#include "fault/recovery_fixture.h"
#include "support/certificates.h"
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
                          const haigha_then* events) {
        const OptionsHandle options =
            options_from("amqps://guest:guest@" + hosts, {recovery, soon, capped});
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

}  // namespace
}  // namespace haigha::test
