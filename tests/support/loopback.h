// Addresses and ports of the loopback interface, for sockets of the tests' own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <stdexcept>

namespace haigha::test {

inline sockaddr_in loopback(int port = 0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

// Binds a socket to a free port, and returns that.
inline int bind_to_loopback(int fd) {
    sockaddr_in address = loopback();
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd, any, size) != 0 || ::getsockname(fd, any, &size) != 0) {
        throw std::runtime_error("cannot bind to the loopback interface");
    }
    return ntohs(address.sin_port);
}

inline int connect_to_loopback(int fd, int port) {
    const sockaddr_in address = loopback(port);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace haigha::test
