// What the end of a connection has to wait for: consumers, open deliveries, publishes.
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
