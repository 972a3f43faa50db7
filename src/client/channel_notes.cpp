// The part of Channel that records what the broker has agreed to, so that it can be brought back.
#include <algorithm>
#include <string>
#include <utility>

#include "client/channel.h"

namespace haigha::client {

namespace {

TableOctets octets(wire::TableBytes table) {
    return {table.bytes.begin(), table.bytes.end()};
}

template <class Method>
BindingRecord exchange_binding(const Method& method) {
    BindingRecord record;
    record.to_exchange = true;
    record.destination = method.destination.text;
    record.source = method.source.text;
    record.routing_key = method.routing_key.text;
    record.arguments = octets(method.arguments);
    return record;
}

template <class Method>
BindingRecord queue_binding(const Method& method) {
    BindingRecord record;
    record.destination = method.queue.text;
    record.source = method.exchange.text;
    record.routing_key = method.routing_key.text;
    record.arguments = octets(method.arguments);
    return record;
}

// Runs change(reply) when the broker has agreed.
template <class Change>
OperationNote when_agreed(Change change) {
    return [change = std::move(change)](const ErrorRef& error, const Reply* reply) mutable {
        if (!error) change(*reply);
    };
}

}  // namespace

// The notes run while the operation holds its channel, so `this` is there.

OperationNote Channel::note_of(const wire::exchange::Declare& method) {
    if (method.passive) return {};
    ExchangeRecord record;
    record.name = method.exchange.text;
    record.type = method.type.text;
    record.durable = method.durable;
    record.auto_delete = method.auto_delete;
    record.internal = method.internal;
    record.arguments = octets(method.arguments);
    return when_agreed([this, record = std::move(record)](const Reply&) mutable {
        connection_->record(
            [&](TopologyRecords& records) { records.exchange_declared(std::move(record)); });
    });
}

OperationNote Channel::note_of(const wire::exchange::Delete& method) {
    return when_agreed([this, name = std::string(method.exchange.text)](const Reply&) {
        connection_->record([&](TopologyRecords& records) { records.exchange_deleted(name); });
    });
}

OperationNote Channel::note_of(const wire::exchange::Bind& method) {
    return when_agreed([this, record = exchange_binding(method)](const Reply&) mutable {
        connection_->record([&](TopologyRecords& records) { records.bound(std::move(record)); });
    });
}

OperationNote Channel::note_of(const wire::exchange::Unbind& method) {
    return when_agreed([this, record = exchange_binding(method)](const Reply&) {
        connection_->record([&](TopologyRecords& records) { records.unbound(record); });
    });
}

OperationNote Channel::note_of(const wire::queue::Declare& method) {
    QueueRecord record;
    record.durable = method.durable;
    record.exclusive = method.exclusive;
    record.auto_delete = method.auto_delete;
    record.server_named = method.queue.text.empty();
    record.arguments = octets(method.arguments);
    return when_agreed(
        [this, record = std::move(record), passive = method.passive](const Reply& reply) mutable {
            last_queue_ = reply.queue;
            if (passive) return;
            record.name = reply.queue;
            connection_->record(
                [&](TopologyRecords& records) { records.queue_declared(std::move(record)); });
        });
}

OperationNote Channel::note_of(const wire::queue::Bind& method) {
    return when_agreed([this, record = queue_binding(method)](const Reply&) mutable {
        record.destination = resolved(record.destination);
        connection_->record([&](TopologyRecords& records) { records.bound(std::move(record)); });
    });
}

OperationNote Channel::note_of(const wire::queue::Unbind& method) {
    return when_agreed([this, record = queue_binding(method)](const Reply&) mutable {
        record.destination = resolved(record.destination);
        connection_->record([&](TopologyRecords& records) { records.unbound(record); });
    });
}

OperationNote Channel::note_of(const wire::queue::Delete& method) {
    return when_agreed([this, name = std::string(method.queue.text)](const Reply&) {
        connection_->record(
            [&](TopologyRecords& records) { records.queue_deleted(resolved(name)); });
    });
}

OperationNote Channel::note_of(const wire::basic::Qos& method) {
    return when_agreed([this, method](const Reply&) {
        (method.global ? settings_.qos_all : settings_.qos_each) = method;
    });
}

OperationNote Channel::note_of(const wire::confirm::Select&) {
    return when_agreed([this](const Reply&) { settings_.confirm = true; });
}

OperationNote Channel::note_of(const wire::tx::Select&) {
    return when_agreed([this](const Reply&) { settings_.tx = true; });
}

OperationNote Channel::note_of_consume(const wire::basic::Consume& method, Consumer& consumer) {
    return when_agreed([this, &consumer, queue = std::string(method.queue.text)](const Reply&) {
        consumer.queue = resolved(queue);
        connection_->record(
            [&](TopologyRecords& records) { records.consumer_started(consumer.queue); });
    });
}

void Channel::rename_queues(const std::vector<TopologyReplay::Renamed>& renamed,
                            const std::vector<protocol::ConsumerRemains>& consumers) {
    for (const TopologyReplay::Renamed& one : renamed) {
        if (last_queue_ == one.from) last_queue_ = one.to;
        for (const protocol::ConsumerRemains& remains : consumers) {
            auto* const consumer = static_cast<Consumer*>(remains.token);
            if (consumer->queue == one.from) consumer->queue = one.to;
        }
    }
}

}  // namespace haigha::client
