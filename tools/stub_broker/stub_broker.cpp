#include "stub_broker/stub_broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "stub_broker/stub_connection.h"

namespace haigha::test {

namespace {

[[noreturn]] void fail(const char* doing) {
    throw std::system_error(errno, std::generic_category(), doing);
}

}  // namespace

class StubBroker::Server {
  public:
    explicit Server(StubOptions options) : world_(std::move(options)) {
        open_listener();
        if (::pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) fail("pipe");
        thread_ = std::thread([this] { serve(); });
    }
    ~Server() {
        run([this] { stopping_ = true; });
        thread_.join();
        ::close(listener_);
        ::close(wake_[0]);
        ::close(wake_[1]);
    }

    std::uint16_t port() const { return port_; }
    const StubLog& log() const { return world_.log; }

    // On the broker's thread; returns when it has run, and throws what it threw.
    void run(std::function<void()> work) {
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
    void execute(std::string_view text);
    void inject(std::span<const std::byte> bytes) {
        each([&](StubConnection& connection) { connection.send_bytes(bytes); });
    }
    std::size_t queue_size(std::string_view name) {
        const StubQueue* queue = world_.queues.find(name);
        return queue == nullptr ? 0 : queue->ready.size();
    }

  private:
    void open_listener();
    void serve();
    void take_tasks();
    bool accepting() const {
        return world_.script.stall != StubStall::accept &&
               connections_.size() < world_.options.most_connections;
    }
    void accept_some();
    void reap();
    template <class Visit>
    void each(Visit visit) {
        for (const auto& connection : connections_) {
            if (!connection->dead()) visit(*connection);
        }
    }

    StubWorld world_;
    std::vector<std::unique_ptr<StubConnection>> connections_;
    int listener_ = -1;
    int wake_[2] = {-1, -1};
    std::uint16_t port_ = 0;
    int accepted_ = 0;
    bool stopping_ = false;
    std::mutex mutex_;
    std::vector<std::packaged_task<void()>> tasks_;
    std::thread thread_;
};

void StubBroker::Server::open_listener() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener_ < 0) fail("socket");
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (const int size = world_.options.socket_buffer; size != 0) {
        // Of the listener, as a window that is larger at first cannot shrink.
        ::setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        ::setsockopt(listener_, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(world_.options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, plain, size) != 0) fail("bind");
    if (::listen(listener_, 128) != 0) fail("listen");
    if (::getsockname(listener_, plain, &size) != 0) fail("getsockname");
    port_ = ntohs(address.sin_port);
}

void StubBroker::Server::serve() {
    using Clock = StubConnection::Clock;
    std::vector<pollfd> watched;
    while (!stopping_) {
        watched.clear();
        watched.push_back({wake_[0], POLLIN, 0});
        watched.push_back({accepting() ? listener_ : -1, POLLIN, 0});
        Clock::time_point due = Clock::time_point::max();
        for (const auto& connection : connections_) {
            short events = connection->wants_read() ? POLLIN : 0;
            if (connection->wants_write()) events |= POLLOUT;
            // Nothing is watched by its number: a hang-up would be told without being asked for.
            watched.push_back({events != 0 ? connection->fd() : -1, events, 0});
            due = std::min(due, connection->due());
        }
        int timeout_ms = -1;
        if (due != Clock::time_point::max()) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()).count();
            timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
        }
        if (::poll(watched.data(), watched.size(), timeout_ms) < 0 && errno != EINTR) return;
        const std::size_t known = connections_.size();
        if (watched[0].revents != 0) take_tasks();
        for (std::size_t i = 0; i < known; ++i) {
            StubConnection& connection = *connections_[i];
            const short seen = watched[i + 2].revents;
            if (connection.wants_read() && (seen & (POLLIN | POLLHUP | POLLERR)) != 0) {
                connection.on_readable();
            }
        }
        if (watched[1].revents != 0) accept_some();
        const Clock::time_point now = Clock::now();
        each([&](StubConnection& connection) { connection.on_time(now); });
        reap();
        each([](StubConnection& connection) { connection.write_some(); });
    }
}

void StubBroker::Server::take_tasks() {
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
}

void StubBroker::Server::accept_some() {
    while (accepting()) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections_.push_back(std::make_unique<StubConnection>(fd, ++accepted_, world_));
    }
}

void StubBroker::Server::reap() {
    // What goes back to a queue may be delivered to another that is dying: all are asked first.
    for (const auto& connection : connections_) {
        if (connection->dead()) connection->clean_up();
    }
    std::erase_if(connections_, [](const auto& connection) { return connection->dead(); });
}

void StubBroker::Server::execute(std::string_view text) {
    StubLine line(text);
    if (line.empty() || text.starts_with('#')) return;
    const std::string_view verb = line.word();
    if (world_.script.take(verb, line)) {
        if (verb == "resume") {
            each([](StubConnection& connection) { connection.resume(); });
        }
        return;
    }
    if (verb == "release" || verb == "go") {
        const std::size_t count = line.empty() ? SIZE_MAX : line.number(SIZE_MAX);
        line.end();
        each([&](StubConnection& connection) { connection.release(count); });
    } else if (verb == "inject") {
        inject(parse_stub_hex(line.rest()));
    } else if (verb == "put") {
        const std::string queue(line.word());
        world_.queues.put(queue, line.rest());
    } else if (verb == "flow") {
        const auto channel = static_cast<std::uint16_t>(line.number(UINT16_MAX));
        const std::string_view active = line.word();
        if (active != "on" && active != "off") throw std::invalid_argument("flow takes on or off");
        line.end();
        each([&](StubConnection& connection) { connection.flow(channel, active == "on"); });
    } else {
        const auto channel = verb == "close-channel"
                                 ? static_cast<std::uint16_t>(line.number(UINT16_MAX))
                                 : std::uint16_t{0};
        const auto action = parse_stub_action(verb, line);
        if (!action || timing_of(action->verb) == StubTiming::instead_content ||
            action->verb == StubVerb::tell || verb == "refuse-login") {
            throw std::invalid_argument("there is no command \"" + std::string(verb) + "\"");
        }
        each([&](StubConnection& connection) { connection.act(*action, channel); });
    }
}

StubBroker::StubBroker(StubOptions options)
    : server_(std::make_unique<Server>(std::move(options))) {}

StubBroker::~StubBroker() = default;

std::uint16_t StubBroker::port() const {
    return server_->port();
}

void StubBroker::command(std::string_view line) {
    server_->run([&] { server_->execute(line); });
}

void StubBroker::inject(std::span<const std::byte> bytes) {
    server_->run([&] { server_->inject(bytes); });
}

bool StubBroker::wait_for_method(std::string_view method, std::size_t count,
                                 std::chrono::milliseconds deadline) const {
    return server_->log().wait(method, count, deadline);
}

std::size_t StubBroker::count(std::string_view method) const {
    return server_->log().count(method);
}

std::vector<StubReceived> StubBroker::received() const {
    return server_->log().received();
}

std::vector<std::string> StubBroker::violations() const {
    return server_->log().violations();
}

std::vector<std::string> StubBroker::secrets() const {
    return server_->log().secrets();
}

std::vector<std::string> StubBroker::fired() const {
    return server_->log().fired();
}

std::size_t StubBroker::queue_size(std::string_view queue) const {
    std::size_t size = 0;
    server_->run([&] { size = server_->queue_size(queue); });
    return size;
}

}  // namespace haigha::test
