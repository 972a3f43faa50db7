// What the methods of channels, exchanges, queues and modes do: StubConnection as an honest broker.
#include <utility>

#include "stub_broker/stub_connection.h"

namespace haigha::test {

namespace {

std::vector<std::byte> octets_of(wire::TableBytes table) {
    return {table.bytes.begin(), table.bytes.end()};
}

}  // namespace

using wire::MethodId;

std::string StubConnection::queue_name(const StubChannel& channel, std::string_view given) const {
    if (!given.empty()) return std::string(given);
    if (channel.last_queue.empty())
        throw StubRefusal{404, "NOT_FOUND - no previously declared queue"};
    return channel.last_queue;
}

void StubConnection::execute_method(StubChannel& channel, const StubCommand& command) {
    const std::uint16_t number = command.channel;
    const MethodId id = *wire::read_method_id(command.method);
    const wire::Bytes payload = command.method;
    StubQueues& queues = world_.queues;
    const auto answer = [&](bool no_wait, const auto& method) {
        if (!no_wait) reply(number, method);
    };
    const auto text = [](wire::ShortString value) { return std::string(value.text); };
    switch (id.key()) {
        case wire::channel::Open::id.key():
            return reply(number, wire::channel::OpenOk{});
        case wire::channel::Close::id.key():
            send(number, wire::channel::CloseOk{});
            return forget_channel(number);
        case wire::channel::Flow::id.key():
            if (!decoded<wire::channel::Flow>(payload).active) {
                throw StubRefusal{540, "NOT_IMPLEMENTED - active=false", true};
            }
            return reply(number, wire::channel::FlowOk{true});
        case wire::channel::FlowOk::id.key():
            channel.stopped = !decoded<wire::channel::FlowOk>(payload).active;
            return;
        case wire::exchange::Declare::id.key(): {
            check_memory();
            const auto method = decoded<wire::exchange::Declare>(payload);
            queues.declare_exchange(
                text(method.exchange),
                {text(method.type), method.durable, method.auto_delete, method.internal},
                method.passive);
            return answer(method.no_wait, wire::exchange::DeclareOk{});
        }
        case wire::exchange::Delete::id.key(): {
            const auto method = decoded<wire::exchange::Delete>(payload);
            queues.delete_exchange(text(method.exchange), method.if_unused);
            return answer(method.no_wait, wire::exchange::DeleteOk{});
        }
        case wire::exchange::Bind::id.key(): {
            check_memory();
            const auto method = decoded<wire::exchange::Bind>(payload);
            queues.bind({text(method.source), text(method.destination), text(method.routing_key),
                         octets_of(method.arguments), true});
            return answer(method.no_wait, wire::exchange::BindOk{});
        }
        case wire::exchange::Unbind::id.key(): {
            const auto method = decoded<wire::exchange::Unbind>(payload);
            queues.unbind({text(method.source), text(method.destination), text(method.routing_key),
                           octets_of(method.arguments), true});
            return answer(method.no_wait, wire::exchange::UnbindOk{});
        }
        case wire::queue::Declare::id.key():
            return declare_queue(channel, command);
        case wire::queue::Bind::id.key(): {
            check_memory();
            const auto method = decoded<wire::queue::Bind>(payload);
            const StubQueue& queue = queues.get(queue_name(channel, method.queue.text), this);
            queues.bind({text(method.exchange), queue.name, text(method.routing_key),
                         octets_of(method.arguments), false});
            return answer(method.no_wait, wire::queue::BindOk{});
        }
        case wire::queue::Unbind::id.key(): {
            const auto method = decoded<wire::queue::Unbind>(payload);
            queues.unbind({text(method.exchange), queue_name(channel, method.queue.text),
                           text(method.routing_key), octets_of(method.arguments), false});
            return reply(number, wire::queue::UnbindOk{});
        }
        case wire::queue::Purge::id.key(): {
            const auto method = decoded<wire::queue::Purge>(payload);
            StubQueue& queue = queues.get(queue_name(channel, method.queue.text), this);
            wire::queue::PurgeOk ok{static_cast<std::uint32_t>(queue.ready.size())};
            queue.ready.clear();
            return answer(method.no_wait, ok);
        }
        case wire::queue::Delete::id.key():
            return delete_queue(channel, command);
        case wire::confirm::Select::id.key():
            if (channel.tx) {
                throw StubRefusal{406,
                                  "PRECONDITION_FAILED - cannot switch from tx to confirm mode"};
            }
            channel.confirm = true;
            return answer(decoded<wire::confirm::Select>(payload).no_wait,
                          wire::confirm::SelectOk{});
        case wire::tx::Select::id.key():
        case wire::tx::Commit::id.key():
        case wire::tx::Rollback::id.key():
            return execute_transaction(channel, command, id);
        default:
            return execute_basic(channel, command, id);
    }
}

void StubConnection::check_memory() const {
    if (world_.memory.octets > world_.options.most_memory) {
        throw StubRefusal{506, stub_memory_text, true};
    }
}

void StubConnection::declare_queue(StubChannel& channel, const StubCommand& command) {
    check_memory();
    const auto method = decoded<wire::queue::Declare>(command.method);
    wire::queue::DeclareOk ok{};
    ok.queue = method.queue;
    if (method.queue.text.starts_with(stub_reply_queue)) {
        const bool any = method.queue.text == stub_reply_queue;
        if (!any && world_.replies.find(method.queue.text) == nullptr) {
            throw StubRefusal{
                404, "NOT_FOUND - no queue '" + std::string(method.queue.text) + "' in vhost '/'"};
        }
        ok.consumer_count = 1;
    } else {
        const StubQueue& queue =
            world_.queues.declare(std::string(method.queue.text), method.passive,
                                  {method.durable, method.auto_delete}, method.exclusive, this);
        channel.last_queue = queue.name;
        ok.queue = {queue.name};
        ok.message_count = static_cast<std::uint32_t>(queue.ready.size());
        ok.consumer_count = static_cast<std::uint32_t>(queue.consumers.size());
    }
    if (!method.no_wait) reply(command.channel, ok);
}

void StubConnection::delete_queue(StubChannel& channel, const StubCommand& command) {
    const auto method = decoded<wire::queue::Delete>(command.method);
    const std::string name = queue_name(channel, method.queue.text);
    if (world_.queues.find(name) != nullptr) {
        const StubQueue& queue = world_.queues.get(name, this);
        const bool used = method.if_unused && !queue.consumers.empty();
        if (used || (method.if_empty && !queue.ready.empty())) {
            throw StubRefusal{406, "PRECONDITION_FAILED - queue '" + name + "' in vhost '/' " +
                                       (used ? "in use" : "not empty")};
        }
    }
    const wire::queue::DeleteOk ok{static_cast<std::uint32_t>(world_.queues.remove(name))};
    if (!method.no_wait) reply(command.channel, ok);
}

void StubConnection::execute_transaction(StubChannel& channel, const StubCommand& command,
                                         MethodId id) {
    if (id == wire::tx::Select::id) {
        if (channel.confirm) {
            throw StubRefusal{406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode"};
        }
        channel.tx = true;
        return reply(command.channel, wire::tx::SelectOk{});
    }
    if (!channel.tx) {
        throw StubRefusal{406, "PRECONDITION_FAILED - channel is not transactional"};
    }
    const std::vector<StubCommand> said = std::exchange(channel.in_transaction, {});
    if (id == wire::tx::Rollback::id) return reply(command.channel, wire::tx::RollbackOk{});
    for (const StubCommand& one : said) {
        const MethodId what = *wire::read_method_id(one.method);
        if (what == wire::basic::Publish::id) {
            route(one);
        } else {
            execute_settlement(channel, one, what);
        }
    }
    reply(command.channel, wire::tx::CommitOk{});
}

// A tag is looked at when it comes; in a transaction it is settled at the commit.
void StubConnection::execute_settlement(StubChannel& channel, const StubCommand& command,
                                        MethodId id) {
    const wire::Bytes payload = command.method;
    if (id == wire::basic::Ack::id) {
        const auto method = decoded<wire::basic::Ack>(payload);
        settle(channel, method.delivery_tag, method.multiple, false);
    } else if (id == wire::basic::Nack::id) {
        const auto method = decoded<wire::basic::Nack>(payload);
        settle(channel, method.delivery_tag, method.multiple, method.requeue);
    } else {
        const auto method = decoded<wire::basic::Reject>(payload);
        settle(channel, method.delivery_tag, false, method.requeue);
    }
}

}  // namespace haigha::test
