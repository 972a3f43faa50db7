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
};
using StubConsumerRef = std::shared_ptr<StubConsumer>;

struct StubQueue {
    std::string name;
    bool auto_delete = false;
    const StubConnection* owner = nullptr;  // exclusive
    std::deque<StubEntry> ready{};
    std::vector<StubConsumerRef> consumers{};
    std::size_t turn = 0;
};

class StubQueues {
  public:
    StubQueues();

    void declare_exchange(const std::string& name, const std::string& type, bool passive);
    void delete_exchange(const std::string& name);
    // `source` sends to a queue or to an exchange.
    void bind(const std::string& source, const std::string& destination, const std::string& key,
              bool to_exchange);
    void unbind(const std::string& source, const std::string& destination, const std::string& key,
                bool to_exchange);

    // Throws when a queue is declared passively and does not exist.
    StubQueue& declare(std::string name, bool passive, bool auto_delete,
                       const StubConnection* exclusive_to);
    StubQueue* find(std::string_view name);
    StubQueue& get(std::string_view name);        // or throws 404
    std::size_t remove(const std::string& name);  // tells its consumers; gives the messages' number

    // How many queues took it.
    std::size_t publish(const std::shared_ptr<const StubMessage>& message);
    // Back to the front, where it came from.
    void requeue(const std::string& queue, const StubEntry& entry);
    // Delivers what the queue's consumers have room for.
    void pump(StubQueue& queue);
    void drop_consumer(StubConsumerRef consumer);
    // Its exclusive queues go.
    void connection_gone(const StubConnection& connection);

  private:
    struct Binding {
        std::string destination;
        std::string key;
        bool to_exchange;
        bool operator==(const Binding&) const = default;
    };
    struct Exchange {
        std::string type;
        std::vector<Binding> bindings{};
    };

    Exchange& exchange(const std::string& name);
    void route(const std::string& name, const std::string& key, std::set<std::string>& exchanges,
               std::set<std::string>& queues);

    std::map<std::string, Exchange> exchanges_;
    std::map<std::string, StubQueue, std::less<>> queues_;
    std::size_t names_made_ = 0;
};

}  // namespace haigha::test
