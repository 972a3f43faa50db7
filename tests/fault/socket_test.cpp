// The socket under a connection: options that reach it, and one that the program brings.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <string>

#include "support/loopback.h"
#include "support/stub_fixture.h"

namespace haigha::test {
namespace {

class Socket : public StubTest {
  protected:
    // This process's descriptor that is bound to a port.
    static int descriptor_at(std::int64_t local_port) {
        for (int fd = 3; fd < 1024; ++fd) {
            sockaddr_in address{};
            socklen_t size = sizeof address;
            sockaddr_in peer{};
            socklen_t peer_size = sizeof peer;
            if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
                ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0 &&
                ntohs(address.sin_port) == local_port) {
                return fd;
            }
        }
        return -1;
    }
    static int option(int fd, int level, int name) {
        int value = -1;
        socklen_t size = sizeof value;
        EXPECT_EQ(0, ::getsockopt(fd, level, name, &value, &size));
        return value;
    }
    int connected() const {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_EQ(0, connect_to_loopback(fd, broker_->port()));
        return fd;
    }
};

TEST_F(Socket, OptionsReachIt) {
    const ConnectionHandle usual = connect();
    const int plain = descriptor_at(info(usual.get(), "local_port"));
    ASSERT_GE(plain, 0);
    EXPECT_EQ(option(plain, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(plain, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(plain, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    const ConnectionHandle special = connect({{"tcp_nodelay", 0},
                                              {"tcp_keepalive", 0},
                                              {"tcp_user_timeout_ms", 4000},
                                              {"send_buffer_bytes", 65536},
                                              {"receive_buffer_bytes", 32768}});
    const int fd = descriptor_at(info(special.get(), "local_port"));
    ASSERT_GE(fd, 0);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 4000);
    // Linux doubles them for its own accounting.
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_SNDBUF), 2 * 65536);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_RCVBUF), 2 * 32768);
}

// What came before a reset is read, and does not hide it: libuv tells of both at once, and then
// watches the socket no more.
TEST_F(Socket, AResetBehindWhatWasNotReadIsNoticed) {
    std::promise<void> held;
    std::promise<void> release;
    EventLog events([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_BLOCKED) return;
        held.set_value();
        release.get_future().wait();
    });
    const haigha_then then = events.then();
    const ConnectionHandle connection = connect({{"heartbeat", 0}}, &then);
    const int fd = descriptor_at(info(connection.get(), "local_port"));
    script("block enough");
    held.get_future().wait();  // the loop does nothing now
    script("unblock");
    pollfd readable{fd, POLLIN, 0};
    ASSERT_EQ(1, ::poll(&readable, 1, static_cast<int>(patience.count()) * 1000));
    script("reset");
    pollfd reset{fd, 0, 0};
    ASSERT_EQ(1, ::poll(&reset, 1, static_cast<int>(patience.count()) * 1000));
    EXPECT_NE(reset.revents & POLLERR, 0);
    release.set_value();
    const Recorded closed = events.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(closed.status, HAIGHA_ERR_IO) << closed.error;
    EXPECT_EQ(events.count(HAIGHA_EVENT_UNBLOCKED), 1U);
}

TEST_F(Socket, TheProgramBringsItsOwn) {
    const int fd = connected();
    const ConnectionHandle connection = new_connection(loop_.get(), options().get());
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open_fd_wait(connection.get(), fd, -1, error_))
        << error_;
    EXPECT_EQ(descriptor_at(info(connection.get(), "local_port")), fd);
    const ChannelHandle channel = open_channel(connection.get());
    EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    // It was the library's to close.
    EXPECT_TRUE(saw("disconnect"));
}

TEST_F(Socket, WhatIsNoConnectedStreamIsRefusedAndLeftAlone) {
    const ConnectionHandle connection = new_connection(loop_.get(), options().get());
    const int loose = ::socket(AF_INET, SOCK_STREAM, 0);
    const int datagrams = ::socket(AF_INET, SOCK_DGRAM, 0);
    for (const int fd : {-1, 999'999, loose, datagrams, 0}) {
        EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
                  haigha_connection_open_fd_wait(connection.get(), fd, -1, error_))
            << fd;
    }
    EXPECT_GE(::fcntl(loose, F_GETFD), 0);
    ::close(loose);
    ::close(datagrams);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
    const int late = connected();
    EXPECT_EQ(HAIGHA_ERR_CLOSED,
              haigha_connection_open_fd_wait(connection.get(), late, -1, error_));
    EXPECT_GE(::fcntl(late, F_GETFD), 0);
    ::close(late);
}

}  // namespace
}  // namespace haigha::test
