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

// A broker that ends a channel, or the connection, over a publish would do so each time.
static bool blames_a_publish(const ErrorRef& error) {
    return error && wire::MethodId{error->class_id, error->method_id} == wire::basic::Publish::id;
}

void ChannelMachine::lose(const ErrorRef& error, std::uint64_t unsent, EventList& events) {
    if (owner_ == nullptr || state_ != ChannelState::open || close_requested_) {
        end(error, unsent, events);
        return;
    }
    cut_delivery(error, events);
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
            remains.consumers.push_back({name, from.token, from.no_ack, paused, from.in_pieces,
                                         nullptr, from.resume_frame(id_)});
        });
        consumer.token = nullptr;
    }
    insist([&] { context_.remains.push_back(std::move(remains)); });
    if (ring_ && ring_->kept() != nullptr) {
        KeptPublishes& kept = *ring_->kept();
        kept.refused |= refused;
        const bool again = kept.again() && !blames_a_publish(error);
        add_outcomes(ring_->lose(unsent + count_waiting_publishes(), again), error, events);
        ring_ = nullptr;
    }
    end(error, unsent, events);
    events.back().kind = EventKind::channel_lost;
}

// ---- going on

bool ChannelMachine::restore(ConsumerRemains& consumer, Call call) {
    std::vector<std::byte> frame = consumer.consume_frame;
    if (frame.size() > context_.frame_max) return false;
    // The channel's number may be another now.
    wire::write_frame_header(frame.data(), wire::FrameType::method, id_,
                             static_cast<std::uint32_t>(frame.size() - wire::frame_overhead));
    consumers_.add(consumer.tag, consumer.token, consumer.no_ack, frame);
    consumer.token = nullptr;
    Consumer* const added = consumers_.find(consumer.tag);
    added->restored = true;
    added->in_pieces = consumer.in_pieces;
    takes_pieces_ = takes_pieces_ || consumer.in_pieces;
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

bool ChannelMachine::resubscribe(Call call) {
    const Consumer* consumer = consumers_.find(call.name);
    if (consumer == nullptr || consumer->state != ConsumerState::starting || !consumer->restored ||
        is_being_cancelled(call.name)) {
        return false;
    }
    const std::vector<std::byte> frame = consumer->resume_frame(id_);
    if (frame.size() > context_.frame_max) return false;
    call.kind = CallKind::restore;
    call.reply = wire::basic::ConsumeOk::id;
    calls_.add(std::move(call), frame, context_.outbox);
    return true;
}

void ChannelMachine::note_kept(std::uint64_t sequence) {
    const KeptPublish& publish = ring_->kept()->at(sequence);
    if (publish.to_match) returns_.add(sequence, publish.return_key, publish.body(), *ring_);
}

void ChannelMachine::continue_publishes(Ref<ConfirmRing> ring, Instant now, EventList& events) {
    ring_ = std::move(ring);
    special_ = true;
    KeptPublishes& kept = *ring_->kept();
    kept.frame_max = context_.frame_max;
    const std::size_t ranges = ring_->restart([&](std::uint64_t sequence, bool sent) {
        const KeptPublish& publish = kept.at(sequence);
        if (kept.is_too_old(publish, now) || !write_kept(publish, sent)) return false;
        note_kept(sequence);
        ++context_.counters.republishes;
        return true;
    });
    if (ranges == 0) return;
    const ErrorRef why = insist([this] {
        return channel_error(Status::closed,
                             "the channel was lost, and back only when the message was older than "
                             "publish_max_age_ms or had no room in the new connection's frames");
    });
    add_outcomes(ranges, why, events);
}

void ConnectionMachine::continue_publishes(ChannelId channel, Ref<ConfirmRing> ring, Instant now,
                                           EventList& events) {
    ChannelMachine* machine = find(channel);
    if (machine == nullptr) return;
    KeptPublishes& kept = *ring->kept();
    machine->continue_publishes(std::move(ring), now, events);
    if (machine->calls().large_is_next()) enlist(*machine);
    if (!std::exchange(kept.refused, false)) return;
    refuse(*machine);
    gate_opened(events);
}

void ConnectionMachine::give_channel(ChannelId channel, Token owner) {
    if (ChannelMachine* machine = find(channel); machine != nullptr) machine->set_owner(owner);
}

void ConnectionMachine::keep_when_closed(ChannelId channel, bool keep) {
    if (ChannelMachine* machine = find(channel); machine != nullptr) {
        machine->keep_when_closed(keep);
    }
}

void ConnectionMachine::keep_when_cancelled(ChannelId channel, bool keep) {
    if (ChannelMachine* machine = find(channel); machine != nullptr) {
        machine->keep_when_cancelled(keep);
    }
}

Status ConnectionMachine::resubscribe(ChannelId channel, Call call) {
    ChannelMachine* machine = nullptr;
    if (const Status status = find_open(channel, &machine); status != Status::ok) return status;
    return machine->resubscribe(std::move(call)) ? Status::ok : Status::argument;
}

Status ConnectionMachine::restore_consumer(ChannelId channel, ConsumerRemains& consumer,
                                           Call call) {
    ChannelMachine* machine = nullptr;
    if (const Status status = find_open(channel, &machine); status != Status::ok) return status;
    return machine->restore(consumer, std::move(call)) ? Status::ok : Status::argument;
}

}  // namespace haigha::protocol
