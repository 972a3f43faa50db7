#include "topology/description.h"

#include <algorithm>
#include <utility>

namespace haigha::topology {

namespace {

constexpr std::size_t longest_name = 255;

std::string quoted(std::string_view name) {
    return "\"" + std::string(name) + "\"";
}

std::string too_long(const char* what, std::string_view name) {
    if (name.size() <= longest_name) return {};
    return std::string(what) + " has " + std::to_string(name.size()) + " bytes, over 255";
}

// Adds it unless it is there; says so when that has the same name and is otherwise.
template <class Entity>
std::string add_named(std::vector<Entity>& to, Entity entity, const char* what) {
    if (entity.name.empty()) return std::string("the ") + what + " has no name";
    if (std::string why = too_long("a name", entity.name); !why.empty()) return why;
    const auto found = std::find_if(to.begin(), to.end(),
                                    [&](const Entity& other) { return other.name == entity.name; });
    if (found == to.end()) {
        to.push_back(std::move(entity));
    } else if (!(*found == entity)) {
        return std::string("the ") + what + " " + quoted(entity.name) +
               " is described already, in another way";
    }
    return {};
}

}  // namespace

wire::exchange::Declare ExchangeDescription::declare(bool passive) const {
    wire::exchange::Declare method{};
    method.exchange = {name};
    method.type = {type};
    method.passive = passive;
    method.durable = durable;
    method.auto_delete = auto_delete;
    method.internal = internal;
    method.arguments = {arguments};
    return method;
}

wire::queue::Declare QueueDescription::declare(bool passive) const {
    wire::queue::Declare method{};
    method.queue = {name};
    method.passive = passive;
    method.durable = durable;
    method.exclusive = exclusive;
    method.auto_delete = auto_delete;
    method.arguments = {arguments};
    return method;
}

wire::queue::Bind BindingDescription::queue_bind() const {
    wire::queue::Bind method{};
    method.queue = {destination};
    method.exchange = {source};
    method.routing_key = {routing_key};
    method.arguments = {arguments};
    return method;
}

wire::exchange::Bind BindingDescription::exchange_bind() const {
    wire::exchange::Bind method{};
    method.destination = {destination};
    method.source = {source};
    method.routing_key = {routing_key};
    method.arguments = {arguments};
    return method;
}

std::string Description::add(ExchangeDescription exchange) {
    if (exchange.type.empty()) return "the exchange " + quoted(exchange.name) + " has no type";
    if (std::string why = too_long("a type", exchange.type); !why.empty()) return why;
    return add_named(exchanges_, std::move(exchange), "exchange");
}

std::string Description::add(QueueDescription queue) {
    return add_named(queues_, std::move(queue), "queue");
}

std::string Description::add(BindingDescription binding) {
    if (binding.destination.empty()) return "a binding names no queue or exchange that it is of";
    if (binding.source.empty()) {
        return "a binding of " + quoted(binding.destination) +
               " names no exchange: to the default exchange every queue is bound already";
    }
    for (const std::string* text : {&binding.destination, &binding.source, &binding.routing_key}) {
        if (std::string why = too_long("a name or routing key", *text); !why.empty()) return why;
    }
    if (std::find(bindings_.begin(), bindings_.end(), binding) == bindings_.end()) {
        bindings_.push_back(std::move(binding));
    }
    return {};
}

}  // namespace haigha::topology
