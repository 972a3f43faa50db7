// A TCP proxy on the loopback that does to what it passes on what a script says: the network's
// faults between a client and a real broker.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace haigha::test {

class FaultProxy {
  public:
    // Listens on an IPv4 address of this machine.
    explicit FaultProxy(std::uint16_t target_port, const std::string& address = "127.0.0.1");
    ~FaultProxy();
    FaultProxy(const FaultProxy&) = delete;
    FaultProxy& operator=(const FaultProxy&) = delete;

    std::uint16_t port() const { return port_; }
    // How many connections it has accepted.
    std::size_t accepted() const;

    // Returns when it is done. Throws std::invalid_argument. From now on, for every connection, 0
    // or off ending it:
    //   delay MS           passes bytes on so much later
    //   throttle BYTES     passes on at most so many a second, in each direction
    //   split BYTES        passes on at most so many at once
    //   black-hole on|off  passes nothing on, and keeps the connections
    //   refuse on|off      does not listen
    // For connections that come, of what goes to the client:
    //   truncate-after BYTES   ends the connection in good order behind them
    //   reset-after BYTES      ends it with RST
    //   corrupt-at BYTES       inverts the octet behind so many
    // At once, for every connection:
    //   reset, half-close (towards the client)
    void command(std::string_view line);

  private:
    using Clock = std::chrono::steady_clock;
    struct Faults {
        std::int64_t delay_ms = 0;
        std::size_t throttle = 0;
        std::size_t split = 0;
        bool black_hole = false;
        std::size_t truncate_after = 0;
        std::size_t reset_after = 0;
        std::size_t corrupt_at = 0;
    };
    // One direction of a connection.
    struct Way {
        int from = -1;
        int to = -1;
        std::string held;         // read, and not yet passed on
        Clock::time_point due{};  // when the next of it may go
        std::size_t passed = 0;
        bool ended = false;  // nothing more will be read
        bool shut = false;   // and that was passed on
    };
    struct Link {
        Way to_client;
        Way to_server;
        Faults faults;  // those that are fixed when it comes
        bool dead = false;
    };

    void listen();
    void serve();
    void accept_one();
    bool connect_to_target(int* fd) const;
    void read_some(Link& link, Way& way);
    void pass_on(Link& link, Way& way, Clock::time_point now);
    static void reset(Link& link);
    static void close(Link& link);
    void execute(const std::string& line);
    void run(std::function<void()> work);

    const std::uint16_t target_;
    const std::uint32_t address_;  // in the network's order
    std::uint16_t port_ = 0;
    int listener_ = -1;
    int wake_[2] = {-1, -1};
    Faults faults_;
    std::list<Link> links_;
    bool stopping_ = false;
    mutable std::mutex mutex_;
    std::vector<std::packaged_task<void()>> tasks_;
    std::size_t accepted_ = 0;
    std::thread thread_;
};

}  // namespace haigha::test
