// A network that stops carrying anything, without saying so: what a heartbeat is for.
#pragma once

#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/loopback.h"

namespace haigha::test {

// A socket that is connected to a port of this machine, or -1.
inline int connected_socket(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect_to_loopback(fd, port) == 0) return fd;
    ::close(fd);
    return -1;
}

// From now on the kernel drops every packet that comes for this socket before TCP sees it, the
// acknowledgements of what it sends included: a cable that is cut, without any privileges.
inline bool cut_off(int fd) {
    sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const sock_fprog program{1, nothing};
    return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

}  // namespace haigha::test
