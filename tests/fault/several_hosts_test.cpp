// A broker that may be at one of several places.
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "support/loopback.h"
#include "support/stub_fixture.h"
#include "support/tcp_peer.h"

namespace haigha::test {
namespace {

class SeveralHosts : public StubTest {
  protected:
    // A port of 127.0.0.1 at which nobody listens.
    static std::string nobody() {
        TcpPeer gone([](TcpPeer::Client&) {});
        return "127.0.0.1:" + std::to_string(gone.port());
    }
    std::string here() const { return "127.0.0.1:" + std::to_string(broker_->port()); }
    haigha_status open(const std::string& hosts, std::int64_t timeout_ms = -1) {
        const OptionsHandle options = options_from("amqp://guest:guest@" + hosts);
        connection_ = new_connection(loop_.get(), options.get());
        return haigha_connection_open_wait(connection_.get(), timeout_ms, error_);
    }
    ConnectionHandle connection_;
};

TEST_F(SeveralHosts, AreTriedInOrder) {
    EXPECT_EQ(HAIGHA_OK, open(nobody() + "," + nobody() + "," + here())) << error_;
    EXPECT_EQ(info(connection_.get(), "channels"), 0);
    EXPECT_EQ(HAIGHA_OK, open(here() + "," + nobody())) << error_;
}

TEST_F(SeveralHosts, TheErrorNamesEach) {
    const std::string one = nobody();
    const std::string other = nobody();
    EXPECT_EQ(HAIGHA_ERR_IO, open(one + "," + other));
    EXPECT_EQ(error_.stage(), "connect");
    EXPECT_NE(error_.message().find("none of 2 hosts"), std::string::npos) << error_;
    EXPECT_NE(error_.message().find("cannot connect to " + one), std::string::npos) << error_;
    EXPECT_NE(error_.message().find("cannot connect to " + other), std::string::npos) << error_;
    EXPECT_EQ(HAIGHA_ERR_RESOLVE, open("no-such-host.invalid,also-none.invalid"));
}

// One that does not answer at all has its share of the time and no more.
TEST_F(SeveralHosts, ASilentOneDoesNotUseUpTheTime) {
    // A listener whose queue is full lets a further connection wait for ever.
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int port = bind_to_loopback(fd);
    ASSERT_EQ(0, ::listen(fd, 0));
    std::vector<int> queued;
    for (int i = 0; i < 4; ++i) {
        queued.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        (void)connect_to_loopback(queued.back(), port);
    }
    const std::string silent = "127.0.0.1:" + std::to_string(port);
    EXPECT_EQ(HAIGHA_OK, open(silent + "," + here(), 1000)) << error_;
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, open(silent + "," + silent, 300)) << error_;
    for (const int one : queued)
        ::close(one);
    ::close(fd);
}

}  // namespace
}  // namespace haigha::test
