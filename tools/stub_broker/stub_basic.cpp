// What the methods of class basic do: messages in, out and settled.
#include <algorithm>
#include <set>
#include <utility>

#include "stub_broker/stub_connection.h"
#include "wire/properties.h"

namespace haigha::test {

using wire::MethodId;

void StubConnection::execute_basic(StubChannel& channel, const StubCommand& command, MethodId id) {
    const std::uint16_t number = command.channel;
    const wire::Bytes payload = command.method;
    switch (id.key()) {
        case wire::basic::Publish::id.key():
            return publish(channel, command);
        case wire::basic::Qos::id.key():
            return qos(channel, command);
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
                if (consumer->queue == stub_reply_queue) {
                    world_.replies.remove(std::exchange(channel.reply_name, {}));
                }
                world_.queues.drop_consumer(consumer);
            }
            if (!method.no_wait) reply(number, wire::basic::CancelOk{method.consumer_tag});
            return;
        }
        case wire::basic::CancelOk::id.key():
            return;
        case wire::basic::Ack::id.key():
        case wire::basic::Nack::id.key():
        case wire::basic::Reject::id.key():
            if (!channel.tx) return execute_settlement(channel, command, id);
            return keep_for_commit(channel, command);
        case wire::basic::Recover::id.key(): {
            if (!decoded<wire::basic::Recover>(payload).requeue) {
                throw StubRefusal{540, "NOT_IMPLEMENTED - requeue=false", true};
            }
            reply(number, wire::basic::RecoverOk{});
            if (!channel.unacked.empty()) settle(channel, 0, true, true);
            return;
        }
        case wire::basic::RecoverAsync::id.key():
            if (!decoded<wire::basic::RecoverAsync>(payload).requeue) {
                throw StubRefusal{540, "NOT_IMPLEMENTED - requeue=false", true};
            }
            if (!channel.unacked.empty()) settle(channel, 0, true, true);
            return;
        default:
            violated(503, "COMMAND_INVALID - a method that no client sends");
    }
}

void StubConnection::qos(StubChannel& channel, const StubCommand& command) {
    const auto method = decoded<wire::basic::Qos>(command.method);
    if (method.prefetch_size != 0) {
        throw StubRefusal{
            540,
            "NOT_IMPLEMENTED - prefetch_size!=0 (" + std::to_string(method.prefetch_size) + ")",
            true};
    }
    (method.global ? channel.prefetch_all : channel.prefetch) = method.prefetch_count;
    reply(command.channel, wire::basic::QosOk{});
    if (method.global) world_.queues.pump_all();
}

void StubConnection::keep_for_commit(StubChannel& channel, const StubCommand& command) {
    check_memory();
    channel.in_transaction.push_back(command);
    channel.in_transaction.back().charge =
        StubCharge(world_.memory, stub_record_size + command.body.size());
}

void StubConnection::publish(StubChannel& channel, const StubCommand& command) {
    if (channel.stopped) violated(0, "basic.publish after flow-ok said stop");
    const auto method = decoded<wire::basic::Publish>(command.method);
    if (method.immediate) throw StubRefusal{540, "NOT_IMPLEMENTED - immediate=true", true};
    world_.queues.check_publish(method.exchange.text);
    StubCommand rewritten = command;
    rewrite_reply_to(channel, rewritten.properties);
    if (channel.tx) {
        keep_for_commit(channel, rewritten);
    } else {
        route(rewritten);
    }
    if (command.sequence != 0) channel.confirms_due.push_back(command.sequence);
}

void StubConnection::route(const StubCommand& command) {
    const auto method = decoded<wire::basic::Publish>(command.method);
    const auto message = std::make_shared<const StubMessage>(StubMessage{
        std::string(method.exchange.text), std::string(method.routing_key.text), command.properties,
        command.body,
        StubCharge(world_.memory,
                   stub_record_size + command.properties.size() + command.body.size())});
    std::size_t takers = 0;
    if (method.exchange.text.empty() && method.routing_key.text.starts_with(stub_reply_queue)) {
        if (const StubConsumerRef consumer = world_.replies.find(method.routing_key.text)) {
            consumer->connection->deliver(consumer, {message, false});
            takers = 1;
        }
    } else {
        takers = world_.queues.publish(message);
    }
    if (takers == 0 && method.mandatory) send_return(command, 312, "NO_ROUTE", *message);
}

void StubConnection::send_return(const StubCommand& command, std::uint16_t code,
                                 std::string_view text, const StubMessage& message) {
    wire::basic::Return returned{};
    returned.reply_code = code;
    returned.reply_text = {text.substr(0, wire::max_short_string)};
    returned.exchange = {message.exchange};
    returned.routing_key = {message.routing_key};
    send(command.channel, returned);
    send_content(command.channel, message);
}

// A request names the queue that stands for its channel; what the server sees is the channel's own.
void StubConnection::rewrite_reply_to(const StubChannel& channel,
                                      std::vector<std::byte>& properties) const {
    wire::Properties read;
    if (!wire::parse_properties(properties, read) || read.reply_to != stub_reply_queue) return;
    if (channel.reply_name.empty()) {
        throw StubRefusal{406, "PRECONDITION_FAILED - fast reply consumer does not exist"};
    }
    read.reply_to = channel.reply_name;
    std::vector<std::byte> rewritten(wire::properties_size(read));
    wire::write_properties(read, rewritten.data());
    properties = std::move(rewritten);
}

// After all that one read has brought: returns come before the confirms.
void StubConnection::send_confirms() {
    for (auto& [number, channel] : channels_) {
        std::vector<std::uint64_t> due = std::exchange(channel.confirms_due, {});
        const std::vector<std::uint64_t> nacks = std::exchange(channel.nacks_due, {});
        if (channel.closing) continue;
        for (const std::uint64_t sequence : nacks)
            send(number, wire::basic::Nack{sequence, false, false});
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
    check_memory();
    const auto method = decoded<wire::basic::Consume>(command.method);
    std::string tag(method.consumer_tag.text);
    if (tag.empty()) tag = "amq.ctag-stub-" + std::to_string(++tags_made_);
    if (channel.consumers.contains(tag)) {
        throw StubRefusal{530, "NOT_ALLOWED - attempt to reuse consumer tag '" + tag + "'", true};
    }
    const bool of_replies = method.queue.text == stub_reply_queue;
    const auto consumer = std::make_shared<StubConsumer>(StubConsumer{
        tag, std::string(method.queue.text), this, command.channel, method.no_ack, channel.prefetch,
        0, method.exclusive, StubCharge(world_.memory, stub_record_size)});
    if (of_replies) {
        if (!method.no_ack) {
            throw StubRefusal{406, "PRECONDITION_FAILED - reply consumer cannot acknowledge"};
        }
        if (!channel.reply_name.empty()) {
            throw StubRefusal{406, "PRECONDITION_FAILED - reply consumer already set"};
        }
        channel.reply_name = world_.replies.add(consumer);
        channel.consumers.emplace(tag, consumer);
        if (!method.no_wait) reply(command.channel, wire::basic::ConsumeOk{{tag}});
        return;
    }
    StubQueue& queue = world_.queues.get(queue_name(channel, method.queue.text), this);
    const auto is_exclusive = [](const StubConsumerRef& one) { return one->exclusive; };
    if (std::any_of(queue.consumers.begin(), queue.consumers.end(), is_exclusive) ||
        (method.exclusive && !queue.consumers.empty())) {
        throw StubRefusal{
            403, "ACCESS_REFUSED - queue '" + queue.name + "' in vhost '/' in exclusive use"};
    }
    consumer->queue = queue.name;
    channel.consumers.emplace(tag, consumer);
    queue.consumers.push_back(consumer);
    if (!method.no_wait) reply(command.channel, wire::basic::ConsumeOk{{tag}});
    world_.queues.pump(queue);
}

void StubConnection::get(StubChannel& channel, const StubCommand& command) {
    const auto method = decoded<wire::basic::Get>(command.method);
    StubQueue& queue = world_.queues.get(queue_name(channel, method.queue.text), this);
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

bool StubConnection::takes_deliveries(const StubConsumer& consumer) const {
    const auto found = channels_.find(consumer.channel);
    if (!has_room() || found == channels_.end() || found->second.closing) return false;
    const StubChannel& channel = found->second;
    if (consumer.no_ack) return true;
    return (consumer.prefetch == 0 || consumer.unacked < consumer.prefetch) &&
           (channel.prefetch_all == 0 || channel.unacked.size() < channel.prefetch_all);
}

void StubConnection::deliver(const StubConsumerRef& consumer, const StubEntry& entry) {
    const auto found = channels_.find(consumer->channel);
    if (dead_ || found == channels_.end() || found->second.closing) return;
    StubChannel& channel = found->second;
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
    if (!channel.reply_name.empty()) {
        world_.replies.remove(std::exchange(channel.reply_name, {}));
    }
    for (const auto& [tag, consumer] : std::exchange(channel.consumers, {}))
        world_.queues.drop_consumer(consumer);
    channel.in_transaction.clear();
    if (!channel.unacked.empty()) settle(channel, 0, true, true);
}

void StubConnection::consumer_cancelled(const StubConsumer& consumer) {
    const auto found = channels_.find(consumer.channel);
    if (found == channels_.end()) return;
    if (consumer.queue == stub_reply_queue) {
        world_.replies.remove(std::exchange(found->second.reply_name, {}));
    }
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
