// What a connection's channels have declared and bound, as a value: to be declared again when the
// connection is recovered.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace haigha::client {

// The contents of a field table.
using TableOctets = std::vector<std::byte>;

struct ExchangeRecord {
    std::string name;
    std::string type;
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
    TableOctets arguments{};
};

struct QueueRecord {
    std::string name;
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
    bool server_named = false;  // the broker chose the name, and chooses another the next time
    TableOctets arguments{};
    std::size_t consumers = 0;  // that this connection has on it
};

struct BindingRecord {
    bool to_exchange = false;
    std::string destination;  // a queue, or an exchange
    std::string source;       // an exchange
    std::string routing_key;
    TableOctets arguments{};
    // By destination first.
    auto operator<=>(const BindingRecord&) const = default;
};

// Written when the broker has agreed, not when it was asked. Keyed by value, so that nothing
// depends on the channel by which something was declared, and nothing is kept that the broker
// deletes by itself (rule 53): a queue takes its bindings with it, a binding that was the last one
// of an auto-delete exchange takes the exchange, the last consumer an auto-delete queue.
class TopologyRecords {
  public:
    void exchange_declared(ExchangeRecord exchange);
    void exchange_deleted(std::string_view name);
    void queue_declared(QueueRecord queue);
    void queue_deleted(std::string_view name);
    void bound(BindingRecord binding);
    void unbound(const BindingRecord& binding);
    void consumer_started(std::string_view queue);
    void consumer_ended(std::string_view queue);
    // The broker has chosen another name for it. False when there is no such queue.
    bool queue_renamed(std::string_view from, std::string_view to);
    void clear();

    const QueueRecord* find_queue(std::string_view name) const;
    const std::map<std::string, ExchangeRecord, std::less<>>& exchanges() const {
        return exchanges_;
    }
    const std::map<std::string, QueueRecord, std::less<>>& queues() const { return queues_; }
    const std::set<BindingRecord>& bindings() const { return bindings_; }
    // Of all kinds.
    std::size_t size() const { return exchanges_.size() + queues_.size() + bindings_.size(); }

  private:
    using Binding = std::set<BindingRecord>::iterator;
    Binding drop_binding(Binding binding, std::set<std::string>& bereft);
    void drop_bindings_to(bool to_exchange, std::string_view destination,
                          std::set<std::string>& bereft);
    void drop_exchange(const std::string& name, std::set<std::string>& bereft);
    // Exchanges that a binding was taken from: deletes those that go with their last one.
    void settle(std::set<std::string> bereft);

    std::map<std::string, ExchangeRecord, std::less<>> exchanges_;
    std::map<std::string, QueueRecord, std::less<>> queues_;
    std::set<BindingRecord> bindings_;
    std::map<std::string, std::size_t, std::less<>> bindings_from_;  // by source
};

}  // namespace haigha::client
