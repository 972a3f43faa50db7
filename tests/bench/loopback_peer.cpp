// The benchmark's other end: one thread that only parses frames. It throws publishes away, confirms
// them once per read, and blasts pre-encoded deliveries; a second, raw port serves the floor. When
// a connection ends it prints what it counted on it.
//
// usage: loopback_peer [--tls]   prints "AMQP-PORT RAW-PORT", serves any number of connections, and
//                                ends when its standard input closes; with --tls both ports are TLS
//
// Publishes are stamped with their number on their channel. A queue's name says what its consumer
// gets: "consume:SIZE:COUNT" is COUNT messages of SIZE octets, stamped with their delivery tags, at
// most `prefetch` of them unacknowledged if the consumer acknowledges; several consumers of a
// connection get one each in turn. "echo" is what is published on the consumer's channel, in bodies
// of one frame. Declaring "confirms:hold" withholds the channel's confirms until
// "confirms:multiple" is declared, or "confirms:single" (one ack each) or "confirms:backwards" (the
// same, the last publish first).
//
// A raw connection sends one line first. After "publish" it is as an AMQP connection on which
// everything is open already, whose bodies need no stamps. After "read SIZE COUNT" it gets the
// octets of COUNT deliveries of SIZE; after "echo" those that it sends.
//
// It writes without regard for other connections: a client has to read all of its own.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "bench_wire.h"
#include "loopback_connection.h"

namespace {

using bench::LoopbackConnection;
using Kind = LoopbackConnection::Kind;

[[noreturn]] void give_up() {
    std::perror("loopback_peer");
    std::exit(1);
}

int listen_on_loopback(std::uint16_t* port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(fd, SOMAXCONN) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        give_up();
    }
    *port = ntohs(address.sin_port);
    return fd;
}

// As many connections as the system allows.
void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

class Server {
  public:
    explicit Server(bool tls) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (tls) tls_ = bench::make_tls_server();
        std::uint16_t amqp_port = 0;
        std::uint16_t raw_port = 0;
        amqp_ = listen_on_loopback(&amqp_port);
        raw_ = listen_on_loopback(&raw_port);
        watch(amqp_, EPOLL_CTL_ADD, EPOLLIN);
        watch(raw_, EPOLL_CTL_ADD, EPOLLIN);
        watch(STDIN_FILENO, EPOLL_CTL_ADD, EPOLLIN);
        std::printf("%u %u\n", amqp_port, raw_port);
        std::fflush(stdout);
    }

    void run() {
        std::array<epoll_event, 256> ready{};
        while (true) {
            const int count = ::epoll_wait(epoll_, ready.data(), ready.size(), -1);
            for (int i = 0; i < count; ++i) {
                const int fd = ready[static_cast<std::size_t>(i)].data.fd;
                const std::uint32_t events = ready[static_cast<std::size_t>(i)].events;
                if (fd == STDIN_FILENO) return;
                if (fd == amqp_ || fd == raw_) {
                    accept_from(fd);
                } else {
                    serve(fd, events);
                }
            }
        }
    }

  private:
    struct Served {
        std::unique_ptr<LoopbackConnection> connection;
        bool writes = false;  // is watched for that
    };

    void watch(int fd, int how, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        if (::epoll_ctl(epoll_, how, fd, &event) != 0) give_up();
    }

    void accept_from(int listener) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        auto wire = std::make_unique<bench::Wire>(fd, tls_.get());
        if (!wire->good()) return;
        auto connection = listener == amqp_ ? std::make_unique<LoopbackConnection>(
                                                  std::move(wire), Kind::amqp, memory_)
                                            : open_raw(std::move(wire));
        if (!connection) return;
        const auto place = static_cast<std::size_t>(fd);
        if (place >= served_.size()) served_.resize(place + 1);
        served_[place] = Served{std::move(connection)};
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
        // What TLS has read with its handshake the descriptor does not tell of.
        serve(fd, 0);
    }

    // The line comes with the connection: it is waited for.
    std::unique_ptr<LoopbackConnection> open_raw(std::unique_ptr<bench::Wire> wire) {
        std::array<char, 128> line{};
        for (std::size_t size = 0; size + 1 < line.size(); ++size) {
            if (wire->receive(&line[size], 1) != 1) return nullptr;
            if (line[size] == '\n') break;
        }
        unsigned long long size = 0;
        unsigned long long count = 0;
        const auto open = [&](Kind kind) {
            return std::make_unique<LoopbackConnection>(std::move(wire), kind, memory_);
        };
        if (std::strcmp(line.data(), "publish\n") == 0) return open(Kind::open);
        if (std::strcmp(line.data(), "echo\n") == 0) return open(Kind::echo);
        if (std::sscanf(line.data(), "read %llu %llu", &size, &count) != 2) return nullptr;
        auto connection = open(Kind::read);
        connection->blast(size, count);
        return connection;
    }

    void serve(int fd, std::uint32_t events) {
        Served& served = served_[static_cast<std::size_t>(fd)];
        LoopbackConnection& connection = *served.connection;
        const bool readable =
            (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 || connection.has_pending();
        if ((readable && !connection.on_readable()) ||
            ((events & EPOLLOUT) != 0 && !connection.on_writable())) {
            connection.report();
            served = {};
            return;
        }
        const bool writes = connection.wants_to_write();
        if (writes == served.writes) return;
        served.writes = writes;
        watch(fd, EPOLL_CTL_MOD, EPOLLIN | (writes ? std::uint32_t{EPOLLOUT} : 0U));
    }

    int epoll_;
    int amqp_ = -1;
    int raw_ = -1;
    bench::TlsContext tls_;
    bench::ReadMemory memory_;
    std::vector<Served> served_;  // by descriptor
};

}  // namespace

int main(int argc, char** argv) {
    raise_descriptor_limit();
    Server(argc > 1 && std::strcmp(argv[1], "--tls") == 0).run();
    return 0;
}
