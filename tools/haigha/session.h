// One connection for a command: where to, with which credentials, and its orderly end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "owned_handles.h"

namespace tool {

// What every command takes to reach a broker.
struct BrokerOptions {
    std::string uri;            // empty: AMQP_URL, or the default broker
    std::string password_file;  // empty: the URI's password
    double timeout_seconds = 10;
    int verbosity = 0;  // 1: the library's log, 2: with every frame

    std::int64_t timeout_ms() const { return static_cast<std::int64_t>(timeout_seconds * 1000); }
    // The URI that is used.
    std::string effective_uri() const;
    // The user that it names, percent-decoded.
    std::string user() const;
    // Its host and port, for people.
    std::string address() const;
};

// A loop of its own thread. Its end waits until the library has let go of everything in it.
class Loop {
  public:
    explicit Loop(const BrokerOptions& options);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    haigha_loop* get() const noexcept { return handle_.get(); }

  private:
    LoopHandle handle_;
};

// A connection that is not open yet. `purpose` is what the broker's tools show: "haigha bench".
// `events` may be NULL.
ConnectionHandle new_connection(const Loop& loop, const BrokerOptions& options,
                                std::string_view purpose, const haigha_then* events = nullptr);

// An open connection.
class Session {
  public:
    // Opens a new connection.
    Session(const Loop& loop, const BrokerOptions& options, std::string_view purpose,
            const haigha_then* events = nullptr);
    // Opens this one.
    Session(ConnectionHandle connection, const BrokerOptions& options);
    // Closes it, but waits for the broker only shortly, and tells no error.
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    haigha_connection* connection() const noexcept { return connection_.get(); }
    std::int64_t timeout_ms() const noexcept { return timeout_ms_; }
    // A number of haigha_connection_info; -1 if there is none.
    std::int64_t info(std::string_view name) const;
    bool is_open() const noexcept;

    // Waits for a new channel. `args` may be NULL.
    ChannelHandle open_channel(const haigha_channel_args* args = nullptr) const;
    // Gracefully: what was taken is written first.
    void close();

  private:
    ConnectionHandle connection_;
    std::int64_t timeout_ms_;
};

// "RabbitMQ 3.10.8" as the broker says it, or "a broker".
std::string broker_name(const Session& session);

}  // namespace tool
