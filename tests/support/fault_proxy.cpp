#include "support/fault_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace haigha::test {

namespace {

[[noreturn]] void fail(const char* doing) {
    throw std::system_error(errno, std::generic_category(), doing);
}

// What is held of one direction before reading stops, and what of that memory stays.
constexpr std::size_t most_held = 1024 * 1024;
constexpr std::size_t most_kept = 64 * 1024;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

}  // namespace

FaultProxy::FaultProxy(std::uint16_t target_port, const std::string& address)
    : target_(target_port), address_(::inet_addr(address.c_str())) {
    listen();
    if (::pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) fail("pipe");
    thread_ = std::thread([this] { serve(); });
}

FaultProxy::~FaultProxy() {
    run([this] { stopping_ = true; });
    thread_.join();
    for (Link& link : links_)
        close(link);
    if (listener_ >= 0) ::close(listener_);
    ::close(wake_[0]);
    ::close(wake_[1]);
}

std::size_t FaultProxy::accepted() const {
    const std::lock_guard lock(mutex_);
    return accepted_;
}

void FaultProxy::run(std::function<void()> work) {
    std::packaged_task<void()> task(std::move(work));
    std::future<void> done = task.get_future();
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    while (::write(wake_[1], "w", 1) < 0 && errno == EINTR) {
    }
    done.get();
}

void FaultProxy::command(std::string_view line) {
    run([this, text = std::string(line)] { execute(text); });
}

void FaultProxy::execute(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string what;
    words >> verb >> what;
    const bool on = what == "on";
    const std::size_t number = what.empty() || on || what == "off" ? 0 : std::stoull(what);
    if (verb == "delay") {
        faults_.delay_ms = static_cast<std::int64_t>(number);
    } else if (verb == "throttle") {
        faults_.throttle = number;
    } else if (verb == "split") {
        faults_.split = number;
    } else if (verb == "black-hole") {
        faults_.black_hole = on;
    } else if (verb == "refuse") {
        if (on && listener_ >= 0) {
            ::close(std::exchange(listener_, -1));
        } else if (!on && listener_ < 0) {
            listen();
        }
    } else if (verb == "truncate-after") {
        faults_.truncate_after = number;
    } else if (verb == "reset-after") {
        faults_.reset_after = number;
    } else if (verb == "corrupt-at") {
        faults_.corrupt_at = number;
    } else if (verb == "reset") {
        for (Link& link : links_)
            reset(link);
    } else if (verb == "half-close") {
        for (Link& link : links_)
            ::shutdown(link.to_client.to, SHUT_WR);
    } else {
        throw std::invalid_argument("the proxy knows no \"" + verb + "\"");
    }
}

// Always on the same port.
void FaultProxy::listen() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener_ < 0) fail("socket");
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = loopback(port_);
    address.sin_addr.s_addr = address_;
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, plain, size) != 0) fail("bind");
    if (::listen(listener_, 64) != 0) fail("listen");
    if (::getsockname(listener_, plain, &size) != 0) fail("getsockname");
    port_ = ntohs(address.sin_port);
}

bool FaultProxy::connect_to_target(int* fd) const {
    *fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(target_);
    if (*fd >= 0 &&
        ::connect(*fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        ::fcntl(*fd, F_SETFL, O_NONBLOCK);
        return true;
    }
    if (*fd >= 0) ::close(*fd);
    return false;
}

void FaultProxy::accept_one() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    {
        const std::lock_guard lock(mutex_);
        ++accepted_;
    }
    int server = -1;
    Link link;
    link.to_client.to = link.to_server.from = client;
    if (!connect_to_target(&server)) {
        reset(link);
        return;
    }
    const int on = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    link.to_client.from = link.to_server.to = server;
    link.faults = faults_;
    links_.push_back(std::move(link));
}

void FaultProxy::reset(Link& link) {
    const linger hard{1, 0};
    for (const int fd : {link.to_client.to, link.to_server.to}) {
        if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    close(link);
}

void FaultProxy::close(Link& link) {
    if (link.to_client.to >= 0) ::close(link.to_client.to);
    if (link.to_server.to >= 0) ::close(link.to_server.to);
    link.to_client.to = link.to_server.to = -1;
    link.dead = true;
}

void FaultProxy::read_some(Link& link, Way& way) {
    char part[64 * 1024];
    const ssize_t got = ::recv(way.from, part, sizeof part, 0);
    if (got > 0) {
        if (way.held.empty()) way.due = Clock::now() + std::chrono::milliseconds(faults_.delay_ms);
        way.held.append(part, static_cast<std::size_t>(got));
    } else if (got == 0) {
        way.ended = true;
    } else if (errno != EAGAIN) {
        reset(link);
    }
}

void FaultProxy::pass_on(Link& link, Way& way, Clock::time_point now) {
    const bool to_client = &way == &link.to_client;
    const Faults& fixed = link.faults;
    while (!way.held.empty() && way.due <= now) {
        std::size_t size = way.held.size();
        if (faults_.split != 0) size = std::min(size, faults_.split);
        // A hundred times a second.
        if (faults_.throttle != 0) size = std::min(size, faults_.throttle / 100 + 1);
        const std::size_t limit = fixed.reset_after != 0 ? fixed.reset_after : fixed.truncate_after;
        if (to_client && limit != 0) size = std::min(size, limit - way.passed);
        if (to_client && fixed.corrupt_at != 0 && fixed.corrupt_at >= way.passed &&
            fixed.corrupt_at < way.passed + size) {
            char& octet = way.held[fixed.corrupt_at - way.passed];
            octet = static_cast<char>(~octet);
            link.faults.corrupt_at = 0;
        }
        const ssize_t sent = ::send(way.to, way.held.data(), size, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) reset(link);
            return;
        }
        way.held.erase(0, static_cast<std::size_t>(sent));
        // What a fault has piled up is not kept.
        if (way.held.empty() && way.held.capacity() > most_kept) std::string().swap(way.held);
        way.passed += static_cast<std::size_t>(sent);
        if (to_client && limit != 0 && way.passed >= limit) {
            if (fixed.reset_after != 0) {
                reset(link);
            } else {
                close(link);
            }
            return;
        }
        if (faults_.throttle != 0) way.due = now + std::chrono::milliseconds(10);
    }
    if (way.ended && way.held.empty() && !way.shut) {
        way.shut = true;
        ::shutdown(way.to, SHUT_WR);
    }
    if (link.to_client.shut && link.to_server.shut) close(link);
}

void FaultProxy::serve() {
    std::vector<pollfd> watched;
    while (!stopping_) {
        watched.assign({{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}});
        Clock::time_point due = Clock::time_point::max();
        for (Link& link : links_) {
            for (Way* way : {&link.to_client, &link.to_server}) {
                const bool reads =
                    !faults_.black_hole && !way->ended && way->held.size() < most_held;
                watched.push_back({reads ? way->from : -1, POLLIN, 0});
                const bool writes =
                    !faults_.black_hole && !way->held.empty() && way->due <= Clock::now();
                watched.push_back({writes ? way->to : -1, POLLOUT, 0});
                if (!faults_.black_hole && !way->held.empty()) due = std::min(due, way->due);
            }
        }
        int timeout_ms = -1;
        if (due != Clock::time_point::max()) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()).count();
            timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000));
            // What is due waits for room, which POLLOUT tells.
            if (left <= 0) timeout_ms = 1000;
        }
        if (::poll(watched.data(), watched.size(), timeout_ms) < 0 && errno != EINTR) return;
        std::size_t at = 2;
        for (Link& link : links_) {
            for (Way* way : {&link.to_client, &link.to_server}) {
                const bool readable = watched[at].revents != 0;
                at += 2;
                if (link.dead) continue;
                if (readable) read_some(link, *way);
                if (!link.dead && !faults_.black_hole) pass_on(link, *way, Clock::now());
            }
        }
        std::erase_if(links_, [](const Link& link) { return link.dead; });
        if (watched[0].revents != 0) {
            char drained[64];
            while (::read(wake_[0], drained, sizeof drained) > 0) {
            }
            std::vector<std::packaged_task<void()>> tasks;
            {
                const std::lock_guard lock(mutex_);
                tasks.swap(tasks_);
            }
            for (auto& task : tasks)
                task();
            std::erase_if(links_, [](const Link& link) { return link.dead; });
        } else if (watched[1].revents != 0) {
            accept_one();
        }
    }
}

}  // namespace haigha::test
