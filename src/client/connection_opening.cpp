// The part of Connection from its opening to the protocol's first octets: which host, the socket,
// TLS.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "client/connection.h"
#include "transport/socket_stream.h"
#include "transport/tls_stream.h"

namespace haigha::client {

using transport::Loop;

void Connection::begin() {
    const Ref<Connection> self(this);
    guarded([this] { begin_opening(); });
}

void Connection::begin_opening() {
    if (ended_ || timer_ != nullptr) return;
    if (loop_->transport().closing()) {
        fail(failure(Status::closed, "the loop was closed"));
        return;
    }
    loop_->add(this);
    timer_ = std::make_unique<transport::Timer>(loop_->transport(), [this] { on_timer(); });
    {
        const std::lock_guard lock(mutex_);
        timer_due_ = std::min(timer_due_, open_deadline_);
    }
    arm_timer();
    tell_state(State::opening, nullptr);
    int given = -1;
    {
        const std::lock_guard lock(mutex_);
        given = std::exchange(given_fd_, -1);
    }
    by_given_fd_ = given >= 0;
    if (given >= 0) {
        transport::set_options(given, socket_options());
        on_connected(given, nullptr);
    } else {
        connect();
    }
}

transport::SocketOptions Connection::socket_options() const {
    transport::SocketOptions wanted;
    wanted.no_delay = options_.tcp_nodelay != 0;
    wanted.keep_alive = options_.tcp_keepalive != 0;
    wanted.send_buffer_bytes = static_cast<int>(options_.send_buffer_bytes);
    wanted.receive_buffer_bytes = static_cast<int>(options_.receive_buffer_bytes);
    wanted.user_timeout_ms = static_cast<int>(options_.tcp_user_timeout_ms);
    return wanted;
}

void Connection::connect() {
    // An attempt at recovery is one at one host.
    const std::size_t left = state() == State::recovering ? 1 : endpoints_.size() - endpoint_at_;
    if (left > 1) {
        const Instant now = loop_time();
        const std::lock_guard lock(mutex_);
        const Duration time = open_deadline_ - now;
        endpoint_deadline_ = now + Duration{time.nanoseconds / static_cast<std::int64_t>(left)};
        timer_due_ = std::min(timer_due_, endpoint_deadline_);
        machine_->set_host(endpoint().display());
    } else {
        endpoint_deadline_ = Instant::never();
        const std::lock_guard lock(mutex_);
        machine_->set_host(endpoint().display());
    }
    arm_timer();
    connector_ = std::make_unique<transport::Connector>(
        loop_->transport(), endpoint(), socket_options(),
        [this](int fd, const ErrorRef& error) { on_connected(fd, error); });
}

// False when there is none, and the connection has failed.
bool Connection::connect_to_next(const ErrorRef& error) {
    if (state() == State::recovering) {
        fail(error);
        return false;
    }
    const bool several = endpoints_.size() > 1;
    if (several) {
        unreachable_ += (unreachable_.empty() ? "" : "; ") + error->message;
        loop_->log(LogLevel::warn, id_, "connection", error->message);
    }
    if (endpoint_at_ + 1 < endpoints_.size()) {
        ++endpoint_at_;
        connect();
        return true;
    }
    if (several) {
        const Ref<Error> all = edit_error(*error);
        all->message = "none of " + std::to_string(endpoints_.size()) +
                       " hosts can be reached: " + unreachable_;
        fail(ErrorRef(all.get()));
    } else {
        fail(error);
    }
    return false;
}

void Connection::on_connected(int fd, const ErrorRef& error) {
    guarded([&] { go_on(fd, error); });
}

void Connection::go_on(int fd, const ErrorRef& error) {
    if (error) {
        (void)connect_to_next(error);
        return;
    }
    endpoint_deadline_ = Instant::never();
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0) {
        if (local.ss_family == AF_INET) {
            local_port_ = ntohs(reinterpret_cast<const sockaddr_in&>(local).sin_port);
        } else if (local.ss_family == AF_INET6) {
            local_port_ = ntohs(reinterpret_cast<const sockaddr_in6&>(local).sin6_port);
        }
    }
    auto ready = [this](bool readable, bool writable) { on_ready(readable, writable); };
    if (tls()) {
        stream_ = std::make_unique<transport::TlsStream>(loop_->transport(), fd, tls_context_,
                                                         peer_name(), endpoint().display(),
                                                         loop_->tls_sessions(), std::move(ready));
    } else {
        stream_ =
            std::make_unique<transport::SocketStream>(loop_->transport(), fd, std::move(ready));
    }
    secure();
}

void Connection::secure() {
    const int error = stream_->handshake();
    securing_ = error != 0;
    if (error == EAGAIN) {
        stream_->watch(true, false);
    } else if (error != 0) {
        io_failed("the TLS handshake failed", error);
    } else {
        begin_protocol();
    }
}

void Connection::begin_protocol() {
    const bool in_the_open =
        !tls() && options_.unix_path.empty() && !transport::is_loopback(stream_->fd());
    if (in_the_open && options_.clear_text_password != 0) {
        loop_->log(LogLevel::warn, id_, "connection",
                   "a password would go to " + endpoint().display() +
                       " in clear text: use TLS, or forbid it by the option clear_text_password");
    }
    std::vector<transport::StreamFact> facts = stream_->facts();
    facts.insert(facts.begin(), {{"transport", options_.unix_path.empty() ? "tcp" : "unix"},
                                 {"security", tls() ? "tls" : "none"},
                                 {"peer_address", transport::peer_address(stream_->fd())}});
    {
        const std::lock_guard lock(mutex_);
        peer_facts_ = std::move(facts);
        if (in_the_open && options_.clear_text_password == 0)
            machine_->keep_password_off_the_wire();
        machine_->start(loop_time());
    }
    watch();
    write();
}

}  // namespace haigha::client
