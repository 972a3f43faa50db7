// What each method on a channel does: the half of StubConnection that is an honest broker.
#include <algorithm>
#include <utility>

#include "support/stub_connection.h"

namespace haigha::test {

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
            const auto method = decoded<wire::exchange::Declare>(payload);
            queues.declare_exchange(text(method.exchange), text(method.type), method.passive);
            return answer(method.no_wait, wire::exchange::DeclareOk{});
        }
        case wire::exchange::Delete::id.key(): {
            const auto method = decoded<wire::exchange::Delete>(payload);
            queues.delete_exchange(text(method.exchange));
            return answer(method.no_wait, wire::exchange::DeleteOk{});
        }
        case wire::exchange::Bind::id.key(): {
            const auto method = decoded<wire::exchange::Bind>(payload);
            queues.bind(text(method.source), text(method.destination), text(method.routing_key),
                        true);
            return answer(method.no_wait, wire::exchange::BindOk{});
        }
        case wire::exchange::Unbind::id.key(): {
            const auto method = decoded<wire::exchange::Unbind>(payload);
            queues.unbind(text(method.source), text(method.destination), text(method.routing_key),
                          true);
            return answer(method.no_wait, wire::exchange::UnbindOk{});
        }
        case wire::queue::Declare::id.key(): {
            const auto method = decoded<wire::queue::Declare>(payload);
            StubQueue& queue =
                queues.declare(text(method.queue), method.passive, method.auto_delete,
                               method.exclusive ? this : nullptr);
            channel.last_queue = queue.name;
            wire::queue::DeclareOk ok{};
            ok.queue = {queue.name};
            ok.message_count = static_cast<std::uint32_t>(queue.ready.size());
            ok.consumer_count = static_cast<std::uint32_t>(queue.consumers.size());
            return answer(method.no_wait, ok);
        }
        case wire::queue::Bind::id.key(): {
            const auto method = decoded<wire::queue::Bind>(payload);
            queues.bind(text(method.exchange), queue_name(channel, method.queue.text),
                        text(method.routing_key), false);
            return answer(method.no_wait, wire::queue::BindOk{});
        }
        case wire::queue::Unbind::id.key(): {
            const auto method = decoded<wire::queue::Unbind>(payload);
            queues.unbind(text(method.exchange), queue_name(channel, method.queue.text),
                          text(method.routing_key), false);
            return reply(number, wire::queue::UnbindOk{});
        }
        case wire::queue::Purge::id.key(): {
            const auto method = decoded<wire::queue::Purge>(payload);
            StubQueue& queue = queues.get(queue_name(channel, method.queue.text));
            wire::queue::PurgeOk ok{static_cast<std::uint32_t>(queue.ready.size())};
            queue.ready.clear();
            return answer(method.no_wait, ok);
        }
        case wire::queue::Delete::id.key(): {
            const auto method = decoded<wire::queue::Delete>(payload);
            const std::string name = queue_name(channel, method.queue.text);
            if (const StubQueue* queue = queues.find(name); queue != nullptr) {
                if ((method.if_unused && !queue->consumers.empty()) ||
                    (method.if_empty && !queue->ready.empty())) {
                    throw StubRefusal{406, "PRECONDITION_FAILED - queue '" + name +
                                               "' in vhost '/' is in use or not empty"};
                }
            }
            const wire::queue::DeleteOk ok{static_cast<std::uint32_t>(queues.remove(name))};
            return answer(method.no_wait, ok);
        }
        case wire::confirm::Select::id.key():
            channel.confirm = true;
            return answer(decoded<wire::confirm::Select>(payload).no_wait,
                          wire::confirm::SelectOk{});
        case wire::tx::Select::id.key():
            channel.tx = true;
            return reply(number, wire::tx::SelectOk{});
        case wire::tx::Commit::id.key():
            for (const StubCommand& publish : std::exchange(channel.in_transaction, {}))
                route(publish);
            return reply(number, wire::tx::CommitOk{});
        case wire::tx::Rollback::id.key():
            channel.in_transaction.clear();
            return reply(number, wire::tx::RollbackOk{});
        default:
            return execute_basic(channel, command, id);
    }
}

void StubConnection::execute_basic(StubChannel& channel, const StubCommand& command, MethodId id) {
    const std::uint16_t number = command.channel;
    const wire::Bytes payload = command.method;
    switch (id.key()) {
        case wire::basic::Publish::id.key():
            return publish(channel, command);
        case wire::basic::Qos::id.key():
            channel.prefetch = decoded<wire::basic::Qos>(payload).prefetch_count;
            return reply(number, wire::basic::QosOk{});
        case wire::basic::Consume::id.key():
            return consume(channel, command);
        case wire::basic::Get::id.key():
            return get(channel, command);
        case wire::basic::Cancel::id.key(): {
            const auto method = decoded<wire::basic::Cancel>(payload);
            const auto found = channel.consumers.find(method.consumer_tag.text);
            if (found != channel.consumers.end()) {
                const StubConsumerRef consumer = found->second;
                channel.consumers.erase(found);
                world_.queues.drop_consumer(consumer);
            }
            if (!method.no_wait) reply(number, wire::basic::CancelOk{method.consumer_tag});
            return;
        }
        case wire::basic::CancelOk::id.key():
            return;
        case wire::basic::Ack::id.key(): {
            const auto method = decoded<wire::basic::Ack>(payload);
            return settle(channel, method.delivery_tag, method.multiple, false);
        }
        case wire::basic::Nack::id.key(): {
            const auto method = decoded<wire::basic::Nack>(payload);
            return settle(channel, method.delivery_tag, method.multiple, method.requeue);
        }
        case wire::basic::Reject::id.key(): {
            const auto method = decoded<wire::basic::Reject>(payload);
            return settle(channel, method.delivery_tag, false, method.requeue);
        }
        case wire::basic::Recover::id.key(): {
            if (!decoded<wire::basic::Recover>(payload).requeue) {
                throw StubRefusal{540, "NOT_IMPLEMENTED - requeue=false", true};
            }
            reply(number, wire::basic::RecoverOk{});
            if (!channel.unacked.empty()) settle(channel, 0, true, true);
            return;
        }
        default:
            violated(503, "COMMAND_INVALID - a method that no client sends");
    }
}

void StubConnection::publish(StubChannel& channel, const StubCommand& command) {
    if (channel.stopped) violated(0, "basic.publish after flow-ok said stop");
    const auto method = decoded<wire::basic::Publish>(command.method);
    if (method.immediate) throw StubRefusal{540, "NOT_IMPLEMENTED - immediate=true", true};
    if (channel.tx) {
        channel.in_transaction.push_back(command);
    } else {
        route(command);
    }
    if (command.sequence != 0) channel.confirms_due.push_back(command.sequence);
}

void StubConnection::route(const StubCommand& command) {
    const auto method = decoded<wire::basic::Publish>(command.method);
    const auto message = std::make_shared<const StubMessage>(
        StubMessage{std::string(method.exchange.text), std::string(method.routing_key.text),
                    command.properties, command.body});
    if (world_.queues.publish(message) > 0 || !method.mandatory) return;
    wire::basic::Return returned{};
    returned.reply_code = 312;
    returned.reply_text = {"NO_ROUTE"};
    returned.exchange = method.exchange;
    returned.routing_key = method.routing_key;
    send(command.channel, returned);
    send_content(command.channel, *message);
}

// After all that one read has brought: returns come before the confirms.
void StubConnection::send_confirms() {
    for (auto& [number, channel] : channels_) {
        std::vector<std::uint64_t> due = std::exchange(channel.confirms_due, {});
        if (channel.closing) continue;
        std::sort(due.begin(), due.end());
        std::size_t at = 0;
        if (world_.options.multiple_acks) {
            while (at < due.size() && due[at] == channel.confirmed + 1) {
                ++channel.confirmed;
                ++at;
            }
            if (at > 0) send(number, wire::basic::Ack{channel.confirmed, at > 1});
        }
        for (; at < due.size(); ++at)
            send(number, wire::basic::Ack{due[at], false});
    }
}

void StubConnection::consume(StubChannel& channel, const StubCommand& command) {
    const auto method = decoded<wire::basic::Consume>(command.method);
    StubQueue& queue = world_.queues.get(queue_name(channel, method.queue.text));
    std::string tag(method.consumer_tag.text);
    if (tag.empty()) {
        tag = "amq.ctag-" + std::to_string(number_) + "-" + std::to_string(channel.next_tag) + "-" +
              std::to_string(channel.consumers.size());
    }
    if (channel.consumers.contains(tag)) {
        throw StubRefusal{530, "NOT_ALLOWED - attempt to reuse consumer tag '" + tag + "'", true};
    }
    const auto consumer = std::make_shared<StubConsumer>(
        StubConsumer{tag, queue.name, this, command.channel, method.no_ack, channel.prefetch});
    channel.consumers.emplace(tag, consumer);
    queue.consumers.push_back(consumer);
    if (!method.no_wait) reply(command.channel, wire::basic::ConsumeOk{{tag}});
    world_.queues.pump(queue);
}

void StubConnection::get(StubChannel& channel, const StubCommand& command) {
    const auto method = decoded<wire::basic::Get>(command.method);
    StubQueue& queue = world_.queues.get(queue_name(channel, method.queue.text));
    if (queue.ready.empty()) {
        reply(command.channel, wire::basic::GetEmpty{});
        return;
    }
    StubEntry entry = std::move(queue.ready.front());
    queue.ready.pop_front();
    wire::basic::GetOk ok{};
    ok.delivery_tag = channel.next_tag++;
    ok.redelivered = entry.redelivered;
    ok.exchange = {entry.message->exchange};
    ok.routing_key = {entry.message->routing_key};
    ok.message_count = static_cast<std::uint32_t>(queue.ready.size());
    reply(command.channel, ok);
    send_content(command.channel, *entry.message);
    if (!method.no_ack) {
        channel.unacked.emplace(ok.delivery_tag,
                                StubUnacked{queue.name, std::move(entry), nullptr});
    }
}

void StubConnection::deliver(const StubConsumerRef& consumer, const StubEntry& entry) {
    StubChannel& channel = channels_.at(consumer->channel);
    wire::basic::Deliver deliver{};
    deliver.consumer_tag = {consumer->tag};
    deliver.delivery_tag = channel.next_tag++;
    deliver.redelivered = entry.redelivered;
    deliver.exchange = {entry.message->exchange};
    deliver.routing_key = {entry.message->routing_key};
    send(consumer->channel, deliver);
    send_content(consumer->channel, *entry.message);
    if (consumer->no_ack) return;
    ++consumer->unacked;
    channel.unacked.emplace(deliver.delivery_tag, StubUnacked{consumer->queue, entry, consumer});
}

void StubConnection::send_content(std::uint16_t channel, const StubMessage& message) {
    if (finishing_) return;
    const auto grow = [&](std::size_t size) {
        out_.resize(out_.size() + size);
        return out_.data() + out_.size() - size;
    };
    const std::size_t properties = message.properties.size();
    std::byte* at = grow(wire::content_header_frame_size(properties));
    at = wire::write_content_header(at, channel, wire::basic::Publish::id.class_id,
                                    message.body.size(), properties);
    at = std::copy(message.properties.begin(), message.properties.end(), at);
    wire::write_frame_end(at);
    const std::size_t most = (frame_max_ != 0 ? frame_max_ : 131072) - wire::frame_overhead;
    for (std::size_t from = 0; from < message.body.size(); from += most) {
        const auto piece =
            wire::Bytes(message.body).subspan(from, std::min(most, message.body.size() - from));
        at = grow(wire::frame_overhead + piece.size());
        at = wire::write_frame_header(at, wire::FrameType::body, channel,
                                      static_cast<std::uint32_t>(piece.size()));
        wire::write_frame_end(std::copy(piece.begin(), piece.end(), at));
    }
}

void StubConnection::settle(StubChannel& channel, std::uint64_t tag, bool multiple, bool requeue) {
    auto& unacked = channel.unacked;
    if ((tag != 0 || !multiple) && !unacked.contains(tag)) {
        throw StubRefusal{406, "PRECONDITION_FAILED - unknown delivery tag " + std::to_string(tag)};
    }
    const auto first = multiple ? unacked.begin() : unacked.find(tag);
    const auto last = tag == 0 ? unacked.end() : unacked.upper_bound(tag);
    std::vector<StubUnacked> settled;
    for (auto at = first; at != last; ++at)
        settled.push_back(std::move(at->second));
    unacked.erase(first, last);
    std::set<std::string> touched;
    // The last first, so that they end up in their order at the queue's front.
    for (auto entry = settled.rbegin(); entry != settled.rend(); ++entry) {
        touched.insert(entry->queue);
        if (entry->consumer) --entry->consumer->unacked;
        if (requeue) world_.queues.requeue(entry->queue, entry->entry);
    }
    for (const std::string& name : touched) {
        if (StubQueue* queue = world_.queues.find(name); queue != nullptr) {
            world_.queues.pump(*queue);
        }
    }
}

// The channel has ended: its consumers go, and what they have not acknowledged goes back.
void StubConnection::give_back(StubChannel& channel) {
    for (const auto& [tag, consumer] : std::exchange(channel.consumers, {}))
        world_.queues.drop_consumer(consumer);
    if (!channel.unacked.empty()) settle(channel, 0, true, true);
}

void StubConnection::consumer_cancelled(const StubConsumer& consumer) {
    const auto found = channels_.find(consumer.channel);
    if (found == channels_.end()) return;
    found->second.consumers.erase(consumer.tag);
    if (!takes_cancel_ || dead_) return;
    wire::basic::Cancel cancel{};
    cancel.consumer_tag = {consumer.tag};
    cancel.no_wait = true;
    send(consumer.channel, cancel);
}

void StubConnection::clean_up() {
    if (std::exchange(cleaned_, true)) return;
    log("disconnect");
    for (auto& [number, channel] : channels_)
        give_back(channel);
    channels_.clear();
    world_.queues.connection_gone(*this);
}

}  // namespace haigha::test
