// A TCP server of one thread on a free port of the loopback, that a test scripts with plain bytes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "support/api_fixture.h"

namespace haigha::test {

class TcpPeer {
  public:
    // One accepted connection. Its calls return early when the peer is being stopped.
    class Client {
      public:
        Client(int fd, const std::atomic<bool>& stopping) : fd_(fd), stopping_(stopping) {}
        ~Client() {
            if (fd_ >= 0) ::close(fd_);
        }
        Client(const Client&) = delete;
        Client& operator=(const Client&) = delete;

        void send(std::string_view bytes) {
            while (!bytes.empty()) {
                const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
                if (sent <= 0) return;
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            }
        }
        // Reads until there are `size` bytes; fewer when the other side ends.
        std::string read(std::size_t size) {
            std::string bytes;
            while (bytes.size() < size && wait_readable()) {
                char part[4096];
                const ssize_t got =
                    ::recv(fd_, part, std::min(sizeof part, size - bytes.size()), 0);
                if (got <= 0) break;
                bytes.append(part, static_cast<std::size_t>(got));
            }
            return bytes;
        }
        // The same into memory of the caller's; false when the other side ends.
        bool read_into(char* at, std::size_t size) {
            while (size > 0) {
                if (!wait_readable()) return false;
                const ssize_t got = ::recv(fd_, at, size, 0);
                if (got <= 0) return false;
                at += got;
                size -= static_cast<std::size_t>(got);
            }
            return true;
        }
        // The size of the next frame's payload, which is to be read, and an octet behind it; 0 at
        // the end.
        std::uint32_t read_frame_head() {
            char head[7];
            if (!read_into(head, sizeof head)) return 0;
            std::uint32_t size = 0;
            for (int i = 3; i < 7; ++i)
                size = size << 8 | static_cast<unsigned char>(head[i]);
            return size;
        }
        // One whole frame: type, channel and payload; empty at the end.
        std::string read_frame() {
            std::string frame = read(7);
            if (frame.size() < 7) return {};
            std::uint32_t size = 0;
            for (int i = 3; i < 7; ++i)
                size = size << 8 | static_cast<unsigned char>(frame[static_cast<std::size_t>(i)]);
            frame += read(std::size_t{size} + 1);
            return frame;
        }
        // Swallows what comes until the other side ends.
        void hold() {
            while (!read(1).empty()) {
            }
        }
        // Keeps the connection, and reads nothing.
        void stall() {
            while (!stopping_) {
                pollfd gone{fd_, 0, 0};
                ::poll(&gone, 1, 20);
                if ((gone.revents & (POLLHUP | POLLERR)) != 0) return;
            }
        }
        // Ends with RST.
        void reset() {
            const linger hard{1, 0};
            ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
            ::close(std::exchange(fd_, -1));
        }

      private:
        bool wait_readable() {
            while (!stopping_) {
                pollfd readable{fd_, POLLIN, 0};
                if (::poll(&readable, 1, 20) > 0) return true;
            }
            return false;
        }
        int fd_;
        const std::atomic<bool>& stopping_;
    };

    explicit TcpPeer(std::function<void(Client&)> serve) : serve_(std::move(serve)) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(0, ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size));
        EXPECT_EQ(0, ::listen(fd_, 8));
        EXPECT_EQ(0, ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size));
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~TcpPeer() { stop(); }
    TcpPeer(const TcpPeer&) = delete;
    TcpPeer& operator=(const TcpPeer&) = delete;

    int port() const { return port_; }
    OptionsHandle options(std::initializer_list<IntOption> numbers = {}) const {
        return options_from("amqp://guest:guest@127.0.0.1:" + std::to_string(port_), numbers);
    }
    // Nobody listens on the port any more.
    void stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

  private:
    void run() {
        while (!stopping_) {
            pollfd waiting{fd_, POLLIN, 0};
            if (::poll(&waiting, 1, 20) <= 0) continue;
            const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) continue;
            Client client(fd, stopping_);
            serve_(client);
        }
    }

    std::function<void(Client&)> serve_;
    int fd_ = -1;
    int port_ = 0;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace haigha::test
