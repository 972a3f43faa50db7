/* examples/embedding/beside_epoll.c: beside a bare epoll loop: the library works on a thread of its
 * own, and what it has for the program waits in an inbox, whose descriptor is one of epoll's.
 *
 *     cc beside_epoll.c $(pkg-config --cflags --libs haigha) -o beside_epoll */
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "embedding.h"

static void watch(int epoll, int fd) {
    struct epoll_event readable = {.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &readable) != 0) exit(1);
}

int main(int argc, char** argv) {
    const struct itimerspec every = {{0, 5000000}, {0, 5000000}};
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int running = 1;
    begin(argc > 1 ? argv[1] : "amqp://localhost");
    watch(epoll, haigha_inbox_fd(inbox));
    watch(epoll, timer);
    timerfd_settime(timer, 0, &every, NULL);
    while (running) {
        struct epoll_event event;
        uint64_t times;
        if (epoll_wait(epoll, &event, 1, -1) != 1) continue;
        if (event.data.fd != timer) {
            running = receive();
        } else if (read(timer, &times, sizeof times) > 0 && !tick()) {
            close(timer);
        }
    }
    close(epoll);
    end();
    return 0;
}
