#include "transport/connector.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "base/insist.h"

namespace haigha::transport {

std::string Endpoint::display() const {
    if (!unix_path.empty()) return "unix:" + unix_path;
    const bool literal6 = host.find(':') != std::string::npos;
    return (literal6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

struct Connector::Address {
    sockaddr_storage storage{};
    socklen_t size = 0;
    std::string text;
};

// Outlives the connector if libuv's thread is still looking the name up.
struct Connector::Lookup {
    uv_getaddrinfo_t request{};
    Connector* owner = nullptr;
};

struct Connector::Attempt {
    uv_poll_t poll{};
    Connector* owner = nullptr;
    Address address;
    int fd = -1;
    bool watched = false;

    // Stops watching; closes the socket unless it was taken.
    void discard() {
        owner = nullptr;
        if (!watched) {
            if (fd >= 0) ::close(fd);
            delete this;
            return;
        }
        uv_poll_stop(&poll);
        uv_close(reinterpret_cast<uv_handle_t*>(&poll), [](uv_handle_t* handle) {
            auto* attempt = static_cast<Attempt*>(handle->data);
            if (attempt->fd >= 0) ::close(attempt->fd);
            delete attempt;
        });
    }
};

struct Connector::Discard {
    void operator()(Attempt* attempt) const { attempt->discard(); }
};

// The end of it waits for memory.
template <class Work>
void Connector::guarded(Work work) {
    try {
        work();
    } catch (const std::bad_alloc&) {
        finish(-1, insist([this] {
            const Ref<Error> error = edit_error(
                *make_error(Status::no_memory,
                            "there was no memory to connect to " + endpoint_.display(), stage_));
            error->host = endpoint_.display();
            return ErrorRef(error.get());
        }));
    }
}

namespace {
std::string address_text(const sockaddr* address) {
    char host[INET6_ADDRSTRLEN] = "";
    if (address->sa_family == AF_INET6) {
        const auto* six = reinterpret_cast<const sockaddr_in6*>(address);
        uv_ip6_name(six, host, sizeof host);
        return "[" + std::string(host) + "]:" + std::to_string(ntohs(six->sin6_port));
    }
    const auto* four = reinterpret_cast<const sockaddr_in*>(address);
    uv_ip4_name(four, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(four->sin_port));
}
}  // namespace

std::string peer_address(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    auto* const address = reinterpret_cast<sockaddr*>(&storage);
    if (::getpeername(fd, address, &size) != 0 || storage.ss_family == AF_UNIX) return {};
    return address_text(address);
}

bool is_loopback(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return false;
    if (storage.ss_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(storage);
        return (ntohl(four.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
    }
    const auto& six = reinterpret_cast<const sockaddr_in6&>(storage);
    return storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
}

void set_options(int fd, const SocketOptions& options) {
    const auto set = [fd](int level, int name, int value) {
        (void)::setsockopt(fd, level, name, &value, sizeof value);
    };
    if (options.no_delay) set(IPPROTO_TCP, TCP_NODELAY, 1);
    if (options.keep_alive) set(SOL_SOCKET, SO_KEEPALIVE, 1);
    if (options.send_buffer_bytes > 0) set(SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
    if (options.receive_buffer_bytes > 0) {
        set(SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
    }
    if (options.user_timeout_ms > 0) set(IPPROTO_TCP, TCP_USER_TIMEOUT, options.user_timeout_ms);
}

ErrorRef adopt_socket(int fd) {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
        return make_error(Status::argument,
                          "the descriptor " + std::to_string(fd) + " is no stream socket");
    }
    sockaddr_storage peer{};
    size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) {
        return make_error(Status::argument,
                          "the socket " + std::to_string(fd) + " is not connected");
    }
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return make_error(Status::io, std::string("cannot make the socket non-blocking: ") +
                                          std::strerror(errno));
    }
    return nullptr;
}

Connector::Connector(Loop& loop, Endpoint endpoint, SocketOptions options,
                     std::function<void()> resolved, Done done)
    : loop_(loop),
      endpoint_(std::move(endpoint)),
      options_(options),
      resolved_(std::move(resolved)),
      done_(std::move(done)),
      timer_(loop, [this] { guarded([this] { next_attempt(); }); }) {
    if (endpoint_.unix_path.empty()) {
        resolve();
        return;
    }
    stage_ = Stage::connect;
    Address address;
    auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
    local->sun_family = AF_UNIX;
    // The option's range keeps it within sun_path.
    std::memcpy(local->sun_path, endpoint_.unix_path.c_str(),
                std::min(endpoint_.unix_path.size() + 1, sizeof local->sun_path));
    address.size = sizeof(sockaddr_un);
    address.text = endpoint_.unix_path;
    addresses_.push_back(std::move(address));
    timer_.set(loop_.now());
}

Connector::~Connector() {
    if (lookup_ != nullptr) {
        lookup_->owner = nullptr;
        uv_cancel(reinterpret_cast<uv_req_t*>(&lookup_->request));
    }
    for (Attempt* attempt : attempts_)
        attempt->discard();
}

void Connector::resolve() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = endpoint_.address_family == 4   ? AF_INET
                      : endpoint_.address_family == 6 ? AF_INET6
                                                      : AF_UNSPEC;
    const std::string port = std::to_string(endpoint_.port);
    // An address is not looked up: that would start libuv's threads, for which a child of fork that
    // ends by exit() waits for ever.
    hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
    addrinfo* list = nullptr;
    if (::getaddrinfo(endpoint_.host.c_str(), port.c_str(), &hints, &list) == 0) {
        const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found(list, &::freeaddrinfo);
        take_addresses(found.get());
        timer_.set(loop_.now());
        return;
    }
    hints.ai_flags = AI_NUMERICSERV;
    lookup_ = new Lookup;
    lookup_->owner = this;
    lookup_->request.data = lookup_;
    const int code = uv_getaddrinfo(
        loop_.uv(), &lookup_->request,
        [](uv_getaddrinfo_t* request, int status, addrinfo* list) {
            const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(request->data));
            if (lookup->owner != nullptr) {
                lookup->owner->lookup_ = nullptr;
                Connector* const owner = lookup->owner;
                owner->guarded([&] { owner->on_resolved(status, list); });
            }
            uv_freeaddrinfo(list);
        },
        endpoint_.host.c_str(), port.c_str(), &hints);
    if (code != 0) {
        delete std::exchange(lookup_, nullptr);
        last_errno_ = -code;
        failures_ = uv_strerror(code);
        timer_.set(loop_.now());  // reported from a turn of the loop, like everything else
    }
}

void Connector::on_resolved(int status, const addrinfo* list) {
    if (status != 0) {
        const Ref<Error> error = edit_error(*make_error(
            status == UV_EAI_MEMORY || status == UV_ENOMEM ? Status::no_memory : Status::resolve,
            "cannot find the address of \"" + endpoint_.host + "\": " + uv_strerror(status),
            Stage::resolve));
        error->host = endpoint_.display();
        finish(-1, ErrorRef(error.get()));
        return;
    }
    take_addresses(list);
    next_attempt();
}

void Connector::take_addresses(const addrinfo* list) {
    for (; list != nullptr; list = list->ai_next) {
        if (list->ai_addrlen > sizeof(sockaddr_storage)) continue;
        Address address;
        std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
        address.size = list->ai_addrlen;
        address.text = address_text(list->ai_addr);
        addresses_.push_back(std::move(address));
    }
}

void Connector::next_attempt() {
    if (stage_ == Stage::resolve && !addresses_.empty()) {
        stage_ = Stage::connect;
        resolved_();
    }
    while (next_address_ < addresses_.size()) {
        const Address address = addresses_[next_address_++];
        std::unique_ptr<Attempt, Discard> made(new Attempt);
        made->address = address;
        attempts_.reserve(attempts_.size() + 1);
        const int fd = made->fd =
            ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            attempt_failed(address, errno);
            continue;
        }
        set_options(fd, options_);
        const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
        const int result = ::connect(fd, to, address.size);
        if (result != 0 && errno != EINPROGRESS && errno != EINTR) {
            attempt_failed(address, errno);
            continue;
        }
        Attempt* const attempt = made.release();
        attempt->owner = this;
        attempts_.push_back(attempt);
        if (result == 0) {
            on_ready(attempt);
            return;
        }
        if (const int code = uv_poll_init(loop_.uv(), &attempt->poll, fd); code != 0) {
            attempts_.pop_back();
            attempt->discard();
            attempt_failed(address, -code);
            continue;
        }
        attempt->watched = true;
        attempt->poll.data = attempt;
        uv_poll_start(&attempt->poll, UV_WRITABLE, [](uv_poll_t* poll, int, int) {
            auto* ready = static_cast<Attempt*>(poll->data);
            if (ready->owner == nullptr) return;
            Connector* const owner = ready->owner;
            owner->guarded([&] { owner->on_ready(ready); });
        });
        timer_.set(next_address_ < addresses_.size() ? loop_.now() + stagger : Instant::never());
        return;
    }
    timer_.set(Instant::never());
    if (!attempts_.empty()) return;
    const Ref<Error> error = edit_error(
        *make_error(last_errno_ == ENOMEM ? Status::no_memory : Status::io,
                    "cannot connect to " + endpoint_.display() + ": " + failures_, Stage::connect));
    error->host = endpoint_.display();
    error->os_errno = last_errno_;
    finish(-1, ErrorRef(error.get()));
}

void Connector::on_ready(Attempt* attempt) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    std::erase(attempts_, attempt);
    if (error != 0) {
        const Address address = attempt->address;
        attempt->discard();
        attempt_failed(address, error);
        next_attempt();
        return;
    }
    // libuv may not watch one descriptor by two handles, and the first closes a turn later.
    const int fd = ::fcntl(attempt->fd, F_DUPFD_CLOEXEC, 0);
    const int duplicate_error = errno;
    attempt->discard();
    if (fd < 0) {
        finish(-1, make_error(
                       Status::io,
                       std::string("cannot duplicate a socket: ") + std::strerror(duplicate_error),
                       Stage::connect));
        return;
    }
    finish(fd, nullptr);
}

void Connector::attempt_failed(const Address& address, int error) {
    last_errno_ = error;
    if (!failures_.empty()) failures_ += "; ";
    failures_ += address.text + ": " + std::strerror(error) + " (" + uv_err_name(-error) + ")";
}

void Connector::finish(int fd, ErrorRef error) {
    timer_.set(Instant::never());
    for (Attempt* attempt : std::exchange(attempts_, {}))
        attempt->discard();
    // The owner may destroy this from inside the call.
    const Done done = std::move(done_);
    done(fd, std::move(error));
}

}  // namespace haigha::transport
