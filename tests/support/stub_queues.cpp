#include "support/stub_queues.h"

#include <algorithm>
#include <utility>

#include "support/stub_connection.h"

namespace haigha::test {

namespace {

// Words between dots; * is one of them, # any number.
bool topic_matches(std::string_view pattern, std::string_view key) {
    const auto split = [](std::string_view text) {
        const auto dot = std::min(text.find('.'), text.size());
        return std::pair(text.substr(0, dot), dot < text.size()
                                                  ? std::optional(text.substr(dot + 1))
                                                  : std::optional<std::string_view>());
    };
    const auto [word, more] = split(pattern);
    if (word == "#") {
        if (!more || topic_matches(*more, key)) return true;
        const auto key_more = split(key).second;
        return key_more && topic_matches(pattern, *key_more);
    }
    const auto [key_word, key_more] = split(key);
    if (word != "*" && word != key_word) return false;
    if (!more || !key_more) return (!more || *more == "#") && !key_more;
    return topic_matches(*more, *key_more);
}

StubRefusal not_found(std::string_view kind, std::string_view name) {
    return {404,
            "NOT_FOUND - no " + std::string(kind) + " '" + std::string(name) + "' in vhost '/'"};
}

}  // namespace

StubQueues::StubQueues() {
    exchanges_["amq.direct"].type = "direct";
    exchanges_["amq.fanout"].type = "fanout";
    exchanges_["amq.topic"].type = "topic";
}

StubQueues::Exchange& StubQueues::exchange(const std::string& name) {
    const auto found = exchanges_.find(name);
    if (found == exchanges_.end()) throw not_found("exchange", name);
    return found->second;
}

void StubQueues::declare_exchange(const std::string& name, const std::string& type, bool passive) {
    const auto found = exchanges_.find(name);
    if (found == exchanges_.end()) {
        if (passive) throw not_found("exchange", name);
        if (type != "direct" && type != "fanout" && type != "topic") {
            throw StubRefusal{503, "COMMAND_INVALID - unknown exchange type '" + type + "'", true};
        }
        exchanges_[name].type = type;
    } else if (!passive && found->second.type != type) {
        throw StubRefusal{406, "PRECONDITION_FAILED - inequivalent arg 'type' for exchange '" +
                                   name + "' in vhost '/'"};
    }
}

void StubQueues::delete_exchange(const std::string& name) {
    exchanges_.erase(name);
    for (auto& [source, exchange] : exchanges_) {
        std::erase_if(exchange.bindings,
                      [&](const Binding& b) { return b.to_exchange && b.destination == name; });
    }
}

void StubQueues::bind(const std::string& source, const std::string& destination,
                      const std::string& key, bool to_exchange) {
    Exchange& from = exchange(source);
    if (to_exchange) {
        exchange(destination);
    } else {
        get(destination);
    }
    const Binding binding{destination, key, to_exchange};
    if (std::find(from.bindings.begin(), from.bindings.end(), binding) == from.bindings.end()) {
        from.bindings.push_back(binding);
    }
}

void StubQueues::unbind(const std::string& source, const std::string& destination,
                        const std::string& key, bool to_exchange) {
    std::erase(exchange(source).bindings, Binding{destination, key, to_exchange});
}

StubQueue& StubQueues::declare(std::string name, bool passive, bool auto_delete,
                               const StubConnection* exclusive_to) {
    if (passive) return get(name);
    if (name.empty()) name = "amq.gen-" + std::to_string(++names_made_);
    const auto [at, made] = queues_.try_emplace(name);
    StubQueue& queue = at->second;
    if (made) {
        queue.name = name;
        queue.auto_delete = auto_delete;
        queue.owner = exclusive_to;
    } else if (queue.owner != nullptr && queue.owner != exclusive_to) {
        throw StubRefusal{
            405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '" + name +
                     "' in vhost '/'"};
    }
    return queue;
}

StubQueue* StubQueues::find(std::string_view name) {
    const auto found = queues_.find(name);
    return found == queues_.end() ? nullptr : &found->second;
}

StubQueue& StubQueues::get(std::string_view name) {
    StubQueue* queue = find(name);
    if (queue == nullptr) throw not_found("queue", name);
    return *queue;
}

std::size_t StubQueues::remove(const std::string& name) {
    const auto found = queues_.find(name);
    if (found == queues_.end()) return 0;
    const StubQueue queue = std::move(found->second);
    queues_.erase(found);
    for (auto& [source, exchange] : exchanges_) {
        std::erase_if(exchange.bindings,
                      [&](const Binding& b) { return !b.to_exchange && b.destination == name; });
    }
    for (const StubConsumerRef& consumer : queue.consumers) {
        consumer->connection->consumer_cancelled(*consumer);
    }
    return queue.ready.size();
}

void StubQueues::route(const std::string& name, const std::string& key,
                       std::set<std::string>& exchanges, std::set<std::string>& queues) {
    if (!exchanges.insert(name).second) return;
    const Exchange& from = exchange(name);
    for (const Binding& binding : from.bindings) {
        const bool takes =
            from.type == "fanout" ||
            (from.type == "topic" ? topic_matches(binding.key, key) : binding.key == key);
        if (!takes) continue;
        if (binding.to_exchange) {
            route(binding.destination, key, exchanges, queues);
        } else {
            queues.insert(binding.destination);
        }
    }
}

std::size_t StubQueues::publish(const std::shared_ptr<const StubMessage>& message) {
    std::set<std::string> exchanges;
    std::set<std::string> names;
    if (message->exchange.empty()) {
        if (find(message->routing_key) != nullptr) names.insert(message->routing_key);
    } else {
        route(message->exchange, message->routing_key, exchanges, names);
    }
    for (const std::string& name : names) {
        StubQueue& queue = get(name);
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
    const auto has_room = [](const StubConsumer& consumer) {
        return !consumer.connection->dead() &&
               (consumer.no_ack || consumer.prefetch == 0 || consumer.unacked < consumer.prefetch);
    };
    while (!queue.ready.empty()) {
        StubConsumerRef next;
        for (std::size_t i = 0; i < queue.consumers.size() && !next; ++i) {
            const std::size_t at = (queue.turn + i) % queue.consumers.size();
            if (!has_room(*queue.consumers[at])) continue;
            next = queue.consumers[at];
            queue.turn = at + 1;
        }
        if (!next) return;
        const StubEntry entry = std::move(queue.ready.front());
        queue.ready.pop_front();
        next->connection->deliver(next, entry);
    }
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
