// What is left of a channel when it is lost, and how its next incarnation goes on with it: the
// parts of the machines that only recovery needs.
#include "protocol/channel_remains.h"

#include <algorithm>
#include <utility>

#include "base/insist.h"
#include "protocol/channel_machine.h"
#include "protocol/connection_machine.h"
#include "wire/frame.h"

namespace haigha::protocol {

// ---- leaving

bool ChannelMachine::is_being_cancelled(std::string_view tag) const {
    const auto cancels = [tag](const Call& call) {
        return (call.kind == CallKind::cancel || call.kind == CallKind::drain) && call.name == tag;
    };
    if (calls_.in_flight() && cancels(calls_.current())) return true;
    return std::any_of(calls_.waiting().begin(), calls_.waiting().end(),
                       [&](const auto& item) { return item.is_call && cancels(item.call); });
}

void ChannelMachine::lose(const ErrorRef& error, std::uint64_t unsent, EventList& events) {
    if (owner_ == nullptr || state_ != ChannelState::open || close_requested_) {
        end(error, unsent, events);
        return;
    }
    ChannelRemains remains;
    remains.number = id_;
    remains.owner = owner_;
    remains.bases.deliveries = bases_.deliveries + last_delivery_;
    remains.bases.publishes = ring_ ? ring_->last() : bases_.publishes;
    for (auto& [tag, consumer] : consumers_) {
        const bool began = consumer.state != ConsumerState::starting || consumer.restored;
        if (consumer.token == nullptr || !began || is_being_cancelled(tag)) continue;
        const bool paused =
            consumer.state == ConsumerState::paused || consumer.state == ConsumerState::resuming;
        insist([&, &name = tag, &from = consumer] {
            remains.consumers.push_back(
                {name, from.token, from.no_ack, paused, from.resume_frame(id_)});
        });
        consumer.token = nullptr;
    }
    insist([&] { context_.remains.push_back(std::move(remains)); });
    end(error, unsent, events);
    events.back().kind = EventKind::channel_lost;
}

// ---- going on

bool ChannelMachine::restore(const ConsumerRemains& consumer, Call call) {
    std::vector<std::byte> frame = consumer.consume_frame;
    if (frame.size() > context_.frame_max) return false;
    // The channel's number may be another now.
    wire::write_frame_header(frame.data(), wire::FrameType::method, id_,
                             static_cast<std::uint32_t>(frame.size() - wire::frame_overhead));
    consumers_.add(consumer.tag, consumer.token, consumer.no_ack, frame);
    Consumer* const added = consumers_.find(consumer.tag);
    added->restored = true;
    if (consumer.paused) {
        added->state = ConsumerState::paused;
        return true;
    }
    call.kind = CallKind::restore;
    call.reply = wire::basic::ConsumeOk::id;
    call.name = consumer.tag;
    calls_.add(std::move(call), frame, context_.outbox);
    return true;
}

void ConnectionMachine::give_channel(ChannelId channel, Token owner) {
    if (ChannelMachine* machine = find(channel); machine != nullptr) machine->set_owner(owner);
}

void ConnectionMachine::keep_when_closed(ChannelId channel, bool keep) {
    if (ChannelMachine* machine = find(channel); machine != nullptr) {
        machine->keep_when_closed(keep);
    }
}

Status ConnectionMachine::restore_consumer(ChannelId channel, const ConsumerRemains& consumer,
                                           Call call) {
    ChannelMachine* machine = nullptr;
    if (const Status status = find_open(channel, &machine); status != Status::ok) return status;
    return machine->restore(consumer, std::move(call)) ? Status::ok : Status::argument;
}

}  // namespace haigha::protocol
