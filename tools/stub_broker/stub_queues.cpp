#include "stub_broker/stub_queues.h"

#include <algorithm>
#include <utility>

#include "stub_broker/stub_connection.h"
#include "stub_broker/stub_routing.h"

namespace haigha::test {

namespace {

std::string named(std::string_view kind, std::string_view name) {
    return std::string(kind) + " '" + std::string(name) + "' in vhost '/'";
}

StubRefusal not_found(std::string_view kind, std::string_view name) {
    return {404, "NOT_FOUND - no " + named(kind, name)};
}

StubRefusal in_use(std::string_view kind, std::string_view name) {
    return {406, "PRECONDITION_FAILED - " + named(kind, name) + " in use"};
}

void check_name(std::string_view kind, std::string_view name) {
    if (name.starts_with("amq.")) {
        throw StubRefusal{403, "ACCESS_REFUSED - " + std::string(kind) + " name '" +
                                   std::string(name) + "' contains reserved prefix 'amq.*'"};
    }
}

void check_default(std::string_view exchange) {
    if (exchange.empty()) {
        throw StubRefusal{403, "ACCESS_REFUSED - operation not permitted on the default exchange"};
    }
}

// A declaration of what exists has to agree with it.
void check_same(std::string_view of, std::string_view argument, const std::string& received,
                const std::string& current) {
    if (received == current) return;
    throw StubRefusal{406, "PRECONDITION_FAILED - inequivalent arg '" + std::string(argument) +
                               "' for " + std::string(of) + ": received '" + received +
                               "' but current is '" + current + "'"};
}
void check_same(std::string_view of, std::string_view argument, bool received, bool current) {
    check_same(of, argument, std::string(received ? "true" : "false"),
               std::string(current ? "true" : "false"));
}

StubRefusal locked(std::string_view name) {
    return {405,
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked " + named("queue", name) +
                ". It could be originally declared on another connection or the exclusive property "
                "value does not match that of the original declaration."};
}

}  // namespace

StubQueues::StubQueues(StubMemory& memory) : memory_(memory) {
    for (const char* type : {"direct", "fanout", "topic", "headers"})
        exchanges_["amq." + std::string(type)].kind = {type, true};
    exchanges_["amq.match"].kind = {"headers", true};
}

StubQueues::Exchange& StubQueues::exchange(std::string_view name) {
    const auto found = exchanges_.find(name);
    if (found == exchanges_.end()) throw not_found("exchange", name);
    return found->second;
}

void StubQueues::declare_exchange(const std::string& name, const StubExchangeKind& kind,
                                  bool passive) {
    check_default(name);
    const auto found = exchanges_.find(name);
    if (found == exchanges_.end()) {
        if (passive) throw not_found("exchange", name);
        if (!is_exchange_type(kind.type)) {
            throw StubRefusal{503, "COMMAND_INVALID - unknown exchange type '" + kind.type + "'",
                              true};
        }
        check_name("exchange", name);
        Exchange& made = exchanges_[name];
        made.kind = kind;
        made.charge = StubCharge(memory_, stub_record_size);
    } else if (!passive) {
        const std::string of = named("exchange", name);
        const StubExchangeKind& current = found->second.kind;
        check_same(of, "type", kind.type, current.type);
        check_same(of, "durable", kind.durable, current.durable);
        check_same(of, "auto_delete", kind.auto_delete, current.auto_delete);
        check_same(of, "internal", kind.internal, current.internal);
    }
}

void StubQueues::delete_exchange(const std::string& name, bool if_unused) {
    check_default(name);
    check_name("exchange", name);
    const auto found = exchanges_.find(name);
    if (found == exchanges_.end()) return;
    if (if_unused && !found->second.bindings.empty()) throw in_use("exchange", name);
    exchanges_.erase(found);
    drop_bindings_to(name, true);
}

void StubQueues::drop_bindings_to(const std::string& destination, bool of_exchange) {
    Names touched;
    for (auto& [source, exchange] : exchanges_) {
        const auto gone = std::erase_if(exchange.bindings, [&](const Binding& binding) {
            return binding.to_exchange == of_exchange && binding.destination == destination;
        });
        if (gone > 0) touched.insert(source);
    }
    for (const std::string& source : touched)
        drop_unused(source);
}

void StubQueues::drop_unused(const std::string& name) {
    const auto found = exchanges_.find(name);
    if (found == exchanges_.end() || !found->second.kind.auto_delete) return;
    if (!found->second.bindings.empty()) return;
    exchanges_.erase(found);
    drop_bindings_to(name, true);
}

void StubQueues::bind(const StubBinding& binding) {
    check_default(binding.source);
    Exchange& from = exchange(binding.source);
    if (binding.to_exchange) {
        check_default(binding.destination);
        (void)exchange(binding.destination);
    }
    const auto same = [&](const Binding& one) { return one.is(binding); };
    if (std::find_if(from.bindings.begin(), from.bindings.end(), same) != from.bindings.end()) {
        return;
    }
    from.bindings.push_back({binding.destination, binding.key, binding.arguments,
                             binding.to_exchange,
                             StubCharge(memory_, stub_record_size + binding.arguments.size())});
}

void StubQueues::unbind(const StubBinding& binding) {
    check_default(binding.source);
    const auto found = exchanges_.find(binding.source);
    if (found == exchanges_.end()) return;
    const auto gone =
        std::erase_if(found->second.bindings, [&](const Binding& one) { return one.is(binding); });
    if (gone > 0) drop_unused(binding.source);
}

void StubQueues::check_publish(std::string_view name) const {
    if (name.empty()) return;
    const auto found = exchanges_.find(name);
    if (found == exchanges_.end()) throw not_found("exchange", name);
    if (found->second.kind.internal) {
        throw StubRefusal{403,
                          "ACCESS_REFUSED - cannot publish to internal " + named("exchange", name)};
    }
}

StubQueue& StubQueues::declare(std::string name, bool passive, StubQueueKind kind, bool exclusive,
                               const StubConnection* by) {
    if (passive) return get(name, by);
    if (name.empty()) {
        name = "amq.gen-stub-" + std::to_string(++names_made_);
    } else if (find(name) == nullptr) {
        check_name("queue", name);
    }
    const auto [at, made] = queues_.try_emplace(name);
    StubQueue& queue = at->second;
    if (made) {
        queue.name = name;
        queue.auto_delete = kind.auto_delete;
        queue.durable = kind.durable;
        queue.owner = exclusive ? by : nullptr;
        queue.charge = StubCharge(memory_, stub_record_size);
        return queue;
    }
    const bool mine = queue.owner == nullptr || queue.owner == by;
    if (!mine || exclusive != (queue.owner != nullptr)) throw locked(name);
    const std::string of = named("queue", name);
    check_same(of, "durable", kind.durable, queue.durable);
    check_same(of, "auto_delete", kind.auto_delete, queue.auto_delete);
    return queue;
}

StubQueue* StubQueues::find(std::string_view name) {
    const auto found = queues_.find(name);
    return found == queues_.end() ? nullptr : &found->second;
}

StubQueue& StubQueues::get(std::string_view name, const StubConnection* by) {
    StubQueue* queue = find(name);
    if (queue == nullptr) throw not_found("queue", name);
    if (queue->owner != nullptr && queue->owner != by) throw locked(name);
    return *queue;
}

std::size_t StubQueues::remove(const std::string& name) {
    const auto found = queues_.find(name);
    if (found == queues_.end()) return 0;
    const StubQueue queue = std::move(found->second);
    queues_.erase(found);
    drop_bindings_to(name, false);
    for (const StubConsumerRef& consumer : queue.consumers) {
        consumer->connection->consumer_cancelled(*consumer);
    }
    return queue.ready.size();
}

void StubQueues::put(const std::string& name, std::string_view body) {
    if (find(name) == nullptr) (void)declare(name, false, {true, false}, false, nullptr);
    const wire::Bytes bytes = wire::as_bytes(body);
    const std::vector<std::byte> no_properties(2);
    (void)publish(std::make_shared<const StubMessage>(
        StubMessage{"", name, no_properties, {bytes.begin(), bytes.end()}}));
}

bool StubQueues::takes(const Exchange& from, const Binding& binding, const StubMessage& message) {
    if (from.kind.type == "fanout") return true;
    if (from.kind.type == "topic") return topic_matches(binding.key, message.routing_key);
    if (from.kind.type == "headers") return headers_match(binding.arguments, message.properties);
    return binding.key == message.routing_key;
}

void StubQueues::route(const std::string& name, const StubMessage& message, Names& exchanges,
                       Names& queues) {
    if (!exchanges.insert(name).second) return;
    const Exchange& from = exchange(name);
    for (const Binding& binding : from.bindings) {
        if (!takes(from, binding, message)) continue;
        if (binding.to_exchange) {
            route(binding.destination, message, exchanges, queues);
        } else {
            queues.insert(binding.destination);
        }
    }
}

std::size_t StubQueues::publish(const std::shared_ptr<const StubMessage>& message) {
    Names exchanges;
    Names names;
    if (message->exchange.empty()) {
        if (find(message->routing_key) != nullptr) names.insert(message->routing_key);
    } else {
        route(message->exchange, *message, exchanges, names);
    }
    for (const std::string& name : names) {
        StubQueue& queue = *find(name);
        queue.ready.push_back({message, false});
        pump(queue);
    }
    return names.size();
}

void StubQueues::requeue(const std::string& name, const StubEntry& entry) {
    StubQueue* queue = find(name);
    if (queue == nullptr) return;
    queue->ready.push_front({entry.message, true});
}

void StubQueues::pump(StubQueue& queue) {
    while (!queue.ready.empty()) {
        StubConsumerRef next;
        for (std::size_t i = 0; i < queue.consumers.size() && !next; ++i) {
            const std::size_t at = (queue.turn + i) % queue.consumers.size();
            const StubConsumer& consumer = *queue.consumers[at];
            if (!consumer.connection->takes_deliveries(consumer)) continue;
            next = queue.consumers[at];
            queue.turn = at + 1;
        }
        if (!next) return;
        const StubEntry entry = std::move(queue.ready.front());
        queue.ready.pop_front();
        next->connection->deliver(next, entry);
    }
}

void StubQueues::pump_all() {
    for (auto& [name, queue] : queues_)
        pump(queue);
}

void StubQueues::drop_consumer(StubConsumerRef consumer) {
    StubQueue* queue = find(consumer->queue);
    if (queue == nullptr) return;
    std::erase(queue->consumers, consumer);
    if (queue->consumers.empty() && queue->auto_delete) remove(std::string(queue->name));
}

void StubQueues::connection_gone(const StubConnection& connection) {
    std::vector<std::string> going;
    for (const auto& [name, queue] : queues_) {
        if (queue.owner == &connection) going.push_back(name);
    }
    for (const std::string& name : going)
        remove(name);
}

}  // namespace haigha::test
