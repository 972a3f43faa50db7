#include "client/topology_records.h"

#include <utility>

namespace haigha::client {

namespace {

// The smallest binding to a destination, to search from.
BindingRecord first_to(bool to_exchange, std::string_view destination) {
    BindingRecord first;
    first.to_exchange = to_exchange;
    first.destination = destination;
    return first;
}

}  // namespace

void TopologyRecords::exchange_declared(ExchangeRecord exchange) {
    if (exchange.name.empty()) return;  // the default exchange
    std::string name = exchange.name;
    exchanges_.insert_or_assign(std::move(name), std::move(exchange));
}

void TopologyRecords::exchange_deleted(std::string_view name) {
    std::set<std::string> bereft;
    drop_exchange(std::string(name), bereft);
    settle(std::move(bereft));
}

void TopologyRecords::queue_declared(QueueRecord queue) {
    const auto known = queues_.find(queue.name);
    if (known != queues_.end()) {
        // Declared once more: by its name, although the broker had chosen it.
        queue.server_named |= known->second.server_named;
        queue.consumers = known->second.consumers;
    }
    std::string name = queue.name;
    queues_.insert_or_assign(std::move(name), std::move(queue));
}

void TopologyRecords::queue_deleted(std::string_view name) {
    const auto found = queues_.find(name);
    std::set<std::string> bereft;
    // Its bindings also when somebody else has declared it.
    drop_bindings_to(false, name, bereft);
    if (found != queues_.end()) queues_.erase(found);
    settle(std::move(bereft));
}

void TopologyRecords::bound(BindingRecord binding) {
    if (binding.source.empty()) return;  // every queue is bound to the default exchange
    std::string source = binding.source;
    if (bindings_.insert(std::move(binding)).second) ++bindings_from_[std::move(source)];
}

void TopologyRecords::unbound(const BindingRecord& binding) {
    const auto found = bindings_.find(binding);
    if (found == bindings_.end()) return;
    std::set<std::string> bereft;
    drop_binding(found, bereft);
    settle(std::move(bereft));
}

void TopologyRecords::consumer_started(std::string_view queue) {
    if (const auto found = queues_.find(queue); found != queues_.end()) ++found->second.consumers;
}

void TopologyRecords::consumer_ended(std::string_view queue) {
    const auto found = queues_.find(queue);
    if (found == queues_.end() || found->second.consumers == 0) return;
    if (--found->second.consumers > 0 || !found->second.auto_delete) return;
    queue_deleted(std::string(queue));
}

bool TopologyRecords::queue_renamed(std::string_view from, std::string_view to) {
    auto node = queues_.extract(std::string(from));
    if (node.empty()) return false;
    node.key() = to;
    node.mapped().name = to;
    queues_.erase(std::string(to));
    queues_.insert(std::move(node));
    for (auto at = bindings_.lower_bound(first_to(false, from));
         at != bindings_.end() && !at->to_exchange && at->destination == from;) {
        auto moved = bindings_.extract(at++);
        moved.value().destination = to;
        bindings_.insert(std::move(moved));
    }
    return true;
}

void TopologyRecords::clear() {
    exchanges_.clear();
    queues_.clear();
    bindings_.clear();
    bindings_from_.clear();
}

const QueueRecord* TopologyRecords::find_queue(std::string_view name) const {
    const auto found = queues_.find(name);
    return found != queues_.end() ? &found->second : nullptr;
}

TopologyRecords::Binding TopologyRecords::drop_binding(Binding binding,
                                                       std::set<std::string>& bereft) {
    const auto count = bindings_from_.find(binding->source);
    if (--count->second == 0) {
        bereft.insert(binding->source);
        bindings_from_.erase(count);
    }
    return bindings_.erase(binding);
}

void TopologyRecords::drop_bindings_to(bool to_exchange, std::string_view destination,
                                       std::set<std::string>& bereft) {
    auto at = bindings_.lower_bound(first_to(to_exchange, destination));
    while (at != bindings_.end() && at->to_exchange == to_exchange &&
           at->destination == destination) {
        at = drop_binding(at, bereft);
    }
}

void TopologyRecords::drop_exchange(const std::string& name, std::set<std::string>& bereft) {
    exchanges_.erase(name);
    drop_bindings_to(true, name, bereft);
    if (!bindings_from_.contains(name)) return;
    for (auto at = bindings_.begin(); at != bindings_.end();)
        at = at->source == name ? drop_binding(at, bereft) : std::next(at);
    bereft.erase(name);
}

void TopologyRecords::settle(std::set<std::string> bereft) {
    while (!bereft.empty()) {
        const std::string name = std::move(bereft.extract(bereft.begin()).value());
        const auto found = exchanges_.find(name);
        if (found != exchanges_.end() && found->second.auto_delete) drop_exchange(name, bereft);
    }
}

}  // namespace haigha::client
