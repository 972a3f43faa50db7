// Wrong addresses and peers that break the protocol in plain bytes: one precise error, in time.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "support/amqp_greeting.h"
#include "support/api_fixture.h"
#include "support/tcp_peer.h"

namespace haigha::test {
namespace {

class ForeignPeers : public testing::Test {
  protected:
    void SetUp() override { loop_ = start_loop(); }
    void TearDown() override { close_loop(loop_.get()); }

    void open(const OptionsHandle& options) {
        connection_ = new_connection(loop_.get(), options.get());
        EXPECT_NE(HAIGHA_OK, haigha_connection_open_wait(connection_.get(), -1, error_));
        EXPECT_EQ(haigha_connection_state(connection_.get()), HAIGHA_STATE_CLOSED);
    }
    void expect(haigha_status status, std::string_view stage, std::string_view part) {
        EXPECT_EQ(error_.status(), status) << error_;
        EXPECT_EQ(error_.stage(), stage) << error_;
        EXPECT_NE(error_.message().find(part), std::string::npos) << error_;
        EXPECT_FALSE(view(haigha_error_host(error_.get())).empty()) << error_;
    }
    // A peer that sends these bytes after it has read the protocol header.
    void open_against(const std::string& bytes, bool hold = true) {
        TcpPeer peer([&](TcpPeer::Client& client) {
            client.read(8);
            client.send(bytes);
            if (hold) client.hold();
        });
        open(peer.options({{"connection_timeout", 20'000}}));
    }
    // A peer that has opened the connection and then sends these bytes.
    Recorded open_then(const std::string& bytes) {
        TcpPeer peer([&](TcpPeer::Client& client) {
            greet(client);
            client.send(bytes);
            client.hold();
        });
        EventLog events;
        const haigha_then then = events.then();
        connection_ = new_connection(loop_.get(), peer.options().get(), &then);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open(connection_.get(), nullptr, error_)) << error_;
        return events.state(HAIGHA_STATE_CLOSED);
    }

    LoopHandle loop_;
    ConnectionHandle connection_;
    Err error_;
};

TEST_F(ForeignPeers, ARefusedConnection) {
    OptionsHandle options;
    {
        TcpPeer peer([](TcpPeer::Client&) {});
        options = peer.options();
    }
    open(options);
    expect(HAIGHA_ERR_IO, "connect", "ECONNREFUSED");
    EXPECT_EQ(haigha_error_os_errno(error_.get()), ECONNREFUSED);
}

TEST_F(ForeignPeers, AnUnknownHost) {
    open(options_from("amqp://haigha-test.invalid", {{"connection_timeout", 30'000}}));
    expect(HAIGHA_ERR_RESOLVE, "resolve", "haigha-test.invalid");
}

TEST_F(ForeignPeers, AUnixSocketThatIsNotThere) {
    OptionsHandle options = options_from("amqp://");
    ASSERT_EQ(HAIGHA_OK, haigha_options_set_string(options.get(), str("unix_path"),
                                                   str("/nonexistent/haigha.sock"), error_));
    open(options);
    expect(HAIGHA_ERR_IO, "connect", "ENOENT");
}

TEST_F(ForeignPeers, OtherProtocols) {
    const std::pair<std::string, const char*> cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "SSH"},
        {std::string("\x15\x03\x01\0\x02\x02\x46", 7), "TLS"},
        {std::string("AMQP\0\1\0\0", 8), "AMQP 1-0-0"},
        {"220 mail.example ESMTP\r\n", "does not speak AMQP"},
        {std::string("\0\0\0\0\0\0\0\0", 8), "does not speak AMQP"},
    };
    for (const auto& [bytes, part] : cases) {
        open_against(bytes);
        expect(HAIGHA_ERR_PROTOCOL, "handshake", part);
        open_against(bytes, false);  // and hangs up
        expect(HAIGHA_ERR_PROTOCOL, "handshake", part);
    }
}

TEST_F(ForeignPeers, APeerThatHangsUp) {
    for (const std::size_t before : {std::size_t{0}, std::size_t{3}, start_frame().size()}) {
        open_against(start_frame().substr(0, before), false);
        expect(HAIGHA_ERR_IO, "handshake", "");
    }
    TcpPeer after_tune([](TcpPeer::Client& client) {
        client.read(8);
        client.send(start_frame());
        client.read_frame();
        client.send(tune_frame());
        client.read_frame();
        client.read_frame();
        client.reset();
    });
    open(after_tune.options());
    expect(HAIGHA_ERR_IO, "open", "");
}

// rules 104 to 113: the sizes of frames.
TEST_F(ForeignPeers, FramesOutOfShapeInTheHandshake) {
    const std::string start = start_frame();
    std::string no_end = start;
    no_end.back() = '\0';
    const std::pair<const char*, std::string> cases[] = {
        {"too large", std::string("\1\0\0", 3) + big_endian(1 << 20, 4) + std::string(100, 'x')},
        {"of a size that wraps", std::string("\1\0\0", 3) + "\xFF\xFF\xFF\xFF"},
        {"too short for a method", frame(1, 0, "\n")},
        {"cut in its arguments", method(0, 10, 10, std::string("\0\x09\0\0", 4))},
        {"without its end octet", no_end},
        {"of an unknown type", "\1" + std::string("\0\0\0\0\0\0", 6) + frame(9, 0, "")},
        {"a content header", frame(2, 0, std::string(14, '\0'))},
        {"on a channel", method(1, 10, 10)},
        {"tune before start", tune_frame()},
        {"an unknown method", method(0, 10, 99)},
        {"an unknown class", method(0, 77, 10)},
        {"start twice", start + start},
    };
    for (const auto& [what, bytes] : cases) {
        open_against(bytes);
        EXPECT_EQ(error_.status(), HAIGHA_ERR_PROTOCOL) << what << ": " << error_;
        EXPECT_EQ(error_.stage(), "handshake") << what << ": " << error_;
        EXPECT_GT(error_.message().size(), 20U) << what << ": " << error_;
    }
}

TEST_F(ForeignPeers, FramesOutOfPlaceOnAnOpenConnection) {
    const std::pair<const char*, std::string> cases[] = {
        {"larger than frame_max", std::string("\1\0\0", 3) + big_endian(131072, 4)},
        {"of an unknown type", frame(7, 0, "")},
        {"a body that nobody announced", frame(3, 1, "body")},
        {"a body on channel 0", frame(3, 0, "body")},
        {"a reply on a channel that is not open", method(5, 50, 31, big_endian(1, 4))},
        {"start again", start_frame()},
        {"a heartbeat with a payload", frame(8, 0, "x")},
    };
    for (const auto& [what, bytes] : cases) {
        const Recorded closed = open_then(bytes);
        EXPECT_EQ(closed.status, HAIGHA_ERR_PROTOCOL) << what << ": " << closed.error;
        EXPECT_EQ(closed.stage, "ready") << what << ": " << closed.error;
    }
}

// rules 7, 9, 12: a silent peer is dead after two intervals; meanwhile heartbeats were sent to it.
// Needs real time: two intervals of one second, the shortest that the protocol knows.
TEST_F(ForeignPeers, ASilentPeerIsDeadAfterTwoIntervals) {
    std::atomic<int> heartbeats{0};
    TcpPeer peer([&](TcpPeer::Client& client) {
        greet(client, 1);
        for (std::string got = client.read_frame(); !got.empty(); got = client.read_frame())
            heartbeats += got[0] == 8 ? 1 : 0;
    });
    EventLog events;
    const haigha_then then = events.then();
    connection_ = new_connection(loop_.get(), peer.options({{"heartbeat", 1}}).get(), &then);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection_.get(), -1, error_)) << error_;
    const auto opened = std::chrono::steady_clock::now();
    const ChannelHandle channel = [&] {
        ChannelHandle made;
        EXPECT_EQ(HAIGHA_OK,
                  haigha_channel_open(connection_.get(), nullptr, nullptr, out(made), error_));
        return made;
    }();
    // Waits inside, and hears the cause.
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    EXPECT_EQ(HAIGHA_ERR_HEARTBEAT,
              haigha_queue_declare_wait(channel.get(), &args, 30'000, nullptr, error_))
        << error_;
    const auto took = std::chrono::steady_clock::now() - opened;
    EXPECT_GE(took, std::chrono::milliseconds(1900));
    EXPECT_LT(took, std::chrono::seconds(10));  // two, and a machine that is slow
    const Recorded closed = events.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(closed.status, HAIGHA_ERR_HEARTBEAT) << closed.error;
    EXPECT_GE(heartbeats, 2);
}

}  // namespace
}  // namespace haigha::test
