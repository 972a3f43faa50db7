// A scripted AMQP 0-9-1 peer for tests: an honest small broker that strictly checks its clients,
// and that misbehaves where a script says so. What it can be told is in stub_script.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace haigha::test {

struct StubOptions {
    std::uint16_t port = 0;  // 0: any
    std::string user = "guest";
    std::string password = "guest";
    std::string vhost = "/";
    // Also RABBIT-CR-DEMO, and X-ECHO: two challenges, each of which is its own answer.
    std::string mechanisms = "AMQPLAIN PLAIN EXTERNAL";
    std::uint16_t channel_max = 2047;
    std::uint32_t frame_max = 131072;
    std::uint16_t heartbeat = 60;
    // Confirms of what came in one read are one basic.ack with multiple set.
    bool multiple_acks = false;
    // SO_RCVBUF and SO_SNDBUF; 0: the system's. Small ones make back-pressure come soon.
    int socket_buffer = 0;
    // Octets of messages that it keeps, with something for each queue, binding and consumer. A
    // client that would have it keep more is closed with 506, RESOURCE_ERROR.
    std::size_t most_memory = std::size_t{1} << 30;
    // A larger body ends the channel, as in RabbitMQ.
    std::uint64_t most_body = std::uint64_t{128} << 20;
    // Connections at once; more of them wait to be accepted.
    std::size_t most_connections = 1000;
    // Hears, on the broker's thread, each rule of the script that is followed, as `fired()` has it.
    std::function<void(const std::string&)> on_fired;
};

// Besides methods: "connect", "protocol-header", "heartbeat" and "disconnect".
struct StubReceived {
    int connection = 0;  // counts from 1
    std::uint16_t channel = 0;
    std::string_view method{};
    // It came where the protocol has it dropped: after the broker's own close, before the answer.
    bool ignored = false;
};

// All calls may be made from any thread; the broker lives on a thread of its own.
class StubBroker {
  public:
    explicit StubBroker(StubOptions options = {});
    ~StubBroker();
    StubBroker(const StubBroker&) = delete;
    StubBroker& operator=(const StubBroker&) = delete;

    std::uint16_t port() const;

    // Executes a line of the script and returns when it is done. Throws std::invalid_argument.
    void command(std::string_view line);
    // As `inject`, without the detour through hexadecimal.
    void inject(std::span<const std::byte> bytes);

    // Waiting is on a condition variable. False when the deadline has passed.
    bool wait_for_method(std::string_view method, std::size_t count,
                         std::chrono::milliseconds deadline) const;
    std::size_t count(std::string_view method) const;
    std::vector<StubReceived> received() const;
    // What the clients did against the protocol, in words. Empty is what a test wants.
    std::vector<std::string> violations() const;
    // What connection.update-secret has brought, in order.
    std::vector<std::string> secrets() const;
    // The rules of the script that were followed, each time: "CONNECTION CHANNEL RULE". How many
    // they are can be waited for, as the method "fired".
    std::vector<std::string> fired() const;
    // Messages ready in a queue; 0 when there is none of that name.
    std::size_t queue_size(std::string_view queue) const;

  private:
    class Server;
    const std::unique_ptr<Server> server_;
};

}  // namespace haigha::test
