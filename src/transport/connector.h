// From a host's name to a connected socket: every address, each a little after the one before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "transport/loop.h"

namespace haigha::transport {

struct Endpoint {
    std::string host;
    std::uint16_t port = 5672;
    std::string unix_path;   // in place of host and port
    int address_family = 0;  // 0: any, 4 or 6

    std::string display() const;
};

struct SocketOptions {
    bool no_delay = true;
    bool keep_alive = true;
    int send_buffer_bytes = 0;  // of these, 0: the system's
    int receive_buffer_bytes = 0;
    int user_timeout_ms = 0;
};

// What the socket's family does not have is passed over.
void set_options(int fd, const SocketOptions& options);
// Null, or why a descriptor of the user's is no connected stream socket; it is then made
// non-blocking.
ErrorRef adopt_socket(int fd);

// "127.0.0.1:5672", "[::1]:5672"; empty for a Unix socket.
std::string peer_address(int fd);
bool is_loopback(int fd);

// One attempt to connect. Of the loop's thread; destroying it gives up. `done` is called once, from
// a turn of the loop, with a connected non-blocking socket or an error that names each address
// tried.
class Connector {
  public:
    // Before the next address is tried while an earlier one is still pending (RFC 8305's default).
    static constexpr Duration stagger = milliseconds(250);
    using Done = std::function<void(int fd, ErrorRef error)>;

    // `resolved`: the host's name has addresses, which are tried now.
    Connector(Loop& loop, Endpoint endpoint, SocketOptions options, std::function<void()> resolved,
              Done done);
    ~Connector();
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;

    // Where it is now: resolve or connect.
    Stage stage() const { return stage_; }
    // What was tried so far, for the error of a deadline; empty if nothing failed yet.
    const std::string& failures() const { return failures_; }

  private:
    struct Lookup;
    struct Attempt;
    struct Address;
    struct Discard;

    template <class Work>
    void guarded(Work work);

    void resolve();
    void on_resolved(int status, const addrinfo* list);
    void take_addresses(const addrinfo* list);
    void next_attempt();
    void on_ready(Attempt* attempt);
    void attempt_failed(const Address& address, int error);
    void finish(int fd, ErrorRef error);

    Loop& loop_;
    Endpoint endpoint_;
    SocketOptions options_;
    std::function<void()> resolved_;
    Done done_;
    Stage stage_ = Stage::resolve;
    Lookup* lookup_ = nullptr;
    std::vector<Address> addresses_;
    std::size_t next_address_ = 0;
    std::vector<Attempt*> attempts_;
    std::string failures_;
    int last_errno_ = 0;
    Timer timer_;
};

}  // namespace haigha::transport
