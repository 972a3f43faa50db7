// The stub broker's exchanges, queues and routing: everything in memory, shared by connections.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "stub_broker/stub_memory.h"

namespace haigha::test {

class StubConnection;

// What the protocol answers a mistake of the client with: the channel's end, or the connection's.
struct StubRefusal {
    std::uint16_t code;
    std::string text;
    bool whole_connection = false;
};

struct StubMessage {
    std::string exchange;
    std::string routing_key;
    std::vector<std::byte> properties;
    std::vector<std::byte> body;
    StubCharge charge{};
};

struct StubEntry {
    std::shared_ptr<const StubMessage> message;
    bool redelivered = false;
};

struct StubConsumer {
    std::string tag;
    std::string queue;
    StubConnection* connection;
    std::uint16_t channel;
    bool no_ack;
    std::size_t prefetch;  // 0: no limit
    std::size_t unacked = 0;
    bool exclusive = false;
    StubCharge charge{};
};
using StubConsumerRef = std::shared_ptr<StubConsumer>;

struct StubQueue {
    std::string name;
    bool auto_delete = false;
    const StubConnection* owner = nullptr;  // exclusive
    std::deque<StubEntry> ready{};
    std::vector<StubConsumerRef> consumers{};
    std::size_t turn = 0;
    bool durable = false;
    StubCharge charge{};
};

// What a declaration says of it; a second one has to say the same.
struct StubExchangeKind {
    std::string type;
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
};
struct StubQueueKind {
    bool durable = false;
    bool auto_delete = false;
};

struct StubBinding {
    std::string source;
    std::string destination;
    std::string key;
    std::vector<std::byte> arguments;
    bool to_exchange = false;
};

class StubQueues {
  public:
    explicit StubQueues(StubMemory& memory);

    void declare_exchange(const std::string& name, const StubExchangeKind& kind, bool passive);
    void delete_exchange(const std::string& name, bool if_unused);
    void bind(const StubBinding& binding);
    void unbind(const StubBinding& binding);
    // Throws what a publish to that exchange is answered with, if not by silence.
    void check_publish(std::string_view exchange) const;

    // Throws when a queue is declared passively and does not exist.
    StubQueue& declare(std::string name, bool passive, StubQueueKind kind, bool exclusive,
                       const StubConnection* by);
    StubQueue* find(std::string_view name);
    // Or throws 404; 405 when it is another connection's.
    StubQueue& get(std::string_view name, const StubConnection* by);
    std::size_t remove(const std::string& name);  // tells its consumers; gives the messages' number
    void put(const std::string& queue, std::string_view body);

    // How many queues took it.
    std::size_t publish(const std::shared_ptr<const StubMessage>& message);
    // Back to the front, where it came from.
    void requeue(const std::string& queue, const StubEntry& entry);
    // Delivers what the queue's consumers have room for.
    void pump(StubQueue& queue);
    void pump_all();
    void drop_consumer(StubConsumerRef consumer);
    // Its exclusive queues go.
    void connection_gone(const StubConnection& connection);

  private:
    struct Binding {
        std::string destination;
        std::string key;
        std::vector<std::byte> arguments;
        bool to_exchange = false;
        StubCharge charge{};
        bool is(const StubBinding& other) const {
            return destination == other.destination && key == other.key &&
                   to_exchange == other.to_exchange && arguments == other.arguments;
        }
    };
    struct Exchange {
        StubExchangeKind kind;
        std::vector<Binding> bindings{};
        StubCharge charge{};
    };
    using Names = std::set<std::string>;

    Exchange& exchange(std::string_view name);
    void drop_bindings_to(const std::string& destination, bool of_exchange);
    // What was bound last has gone.
    void drop_unused(const std::string& exchange);
    void route(const std::string& name, const StubMessage& message, Names& exchanges,
               Names& queues);
    static bool takes(const Exchange& from, const Binding& binding, const StubMessage& message);

    StubMemory& memory_;
    std::map<std::string, Exchange, std::less<>> exchanges_;
    std::map<std::string, StubQueue, std::less<>> queues_;
    std::size_t names_made_ = 0;
};

}  // namespace haigha::test
