// What is not done yet, which the end of a connection has to wait for: consumers, open deliveries,
// publishes.
#include <algorithm>

#include "protocol/channel_machine.h"
#include "protocol/connection_machine.h"

namespace haigha::protocol {

std::size_t ChannelMachine::wanted_consumers() const {
    std::size_t count = 0;
    for (const auto& [tag, consumer] : consumers_)
        count += consumer.token != nullptr ? 1 : 0;
    return count;
}

std::vector<std::string> ChannelMachine::consumers_to_cancel() const {
    std::vector<std::string> tags;
    if (ending()) return tags;
    for (const auto& [tag, consumer] : consumers_) {
        if (consumer.token != nullptr && !is_being_cancelled(tag)) tags.push_back(tag);
    }
    return tags;
}

Unfinished ConnectionMachine::unfinished() const {
    Unfinished left;
    left.bytes = bytes_waiting();
    for (const auto& channel : channels_) {
        if (channel == nullptr) continue;
        left.publishes += channel->outstanding();
        left.deliveries += channel->open_deliveries();
    }
    return left;
}

Counters ConnectionMachine::counters(Instant now) const {
    Counters counters = context_.counters.total();
    if (blocked_since_ < now) {
        counters.blocked_ns += static_cast<std::uint64_t>((now - blocked_since_).nanoseconds);
    }
    return counters;
}

std::size_t ConnectionMachine::unanswered_calls() const {
    std::size_t count = 0;
    for (const auto& channel : channels_) {
        if (channel != nullptr) count += channel->unanswered_calls();
    }
    return count;
}

Instant ConnectionMachine::oldest_delivery(Instant now) const {
    for (const auto& channel : channels_) {
        if (channel != nullptr) now = std::min(now, channel->oldest_delivery(now));
    }
    return now;
}

Instant ConnectionMachine::oldest_publish(Instant now) const {
    for (const auto& channel : channels_) {
        if (channel != nullptr) now = std::min(now, channel->oldest_publish(now));
    }
    return now;
}

std::size_t ConnectionMachine::consumers() const {
    std::size_t count = 0;
    for (const auto& channel : channels_) {
        if (channel != nullptr) count += channel->wanted_consumers();
    }
    return count;
}

std::vector<std::pair<ChannelId, std::string>> ConnectionMachine::consumers_to_cancel() const {
    std::vector<std::pair<ChannelId, std::string>> all;
    for (const auto& channel : channels_) {
        if (channel == nullptr || channel->owner() == nullptr) continue;
        for (std::string& tag : channel->consumers_to_cancel())
            all.emplace_back(ChannelId{channel->id(), channel->owner()}, std::move(tag));
    }
    return all;
}

}  // namespace haigha::protocol
