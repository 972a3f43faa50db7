// What a call leaves behind that found no memory when half of it was done: it is refused, so nobody
// is to be told of it. The connection is about to end.
#include <algorithm>

#include "protocol/channel_machine.h"
#include "protocol/connection_machine.h"

namespace haigha::protocol {

void ChannelMachine::forget(Token token) {
    const auto forget_call = [token](Call& call) {
        if (call.token == token) call.token = nullptr;
    };
    if (calls_.in_flight()) forget_call(calls_.current());
    for (CallQueue::Waiting& item : calls_.waiting()) {
        if (item.is_call) forget_call(item.call);
    }
    for (auto& [tag, consumer] : consumers_) {
        if (consumer.token == token) consumer.token = nullptr;
    }
    if (owner_ == token) owner_ = nullptr;
}

void ChannelMachine::forget_publish(std::uint64_t sequence) {
    if (!ring_) return;
    ring_->forget(sequence);
    --context_.counters.numbered;
}

void ConnectionMachine::forget(Token token) {
    for (const auto& channel : channels_) {
        if (channel != nullptr) channel->forget(token);
    }
    for (Call& call : secrets_) {
        if (call.token == token) call.token = nullptr;
    }
}

void ConnectionMachine::forget_publish(ChannelId channel, std::uint64_t sequence) {
    ChannelMachine* machine = find(channel);
    if (machine != nullptr && sequence != 0) machine->forget_publish(sequence);
}

}  // namespace haigha::protocol
