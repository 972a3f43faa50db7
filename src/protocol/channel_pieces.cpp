// Bodies in pieces, both ways: the parts of the machines that publish a content whose body comes
// bit by bit, and that hand one on without assembling it.
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "base/insist.h"
#include "protocol/body_pieces.h"
#include "protocol/channel_machine.h"
#include "protocol/connection_machine.h"
#include "protocol/reply_codes.h"
#include "protocol/return_stamp.h"
#include "wire/frame.h"

namespace haigha::protocol {

std::size_t BodyPieces::write(std::span<const std::byte> octets, std::uint32_t frame_max,
                              Outbox& outbox) {
    const std::size_t most = most_octets(frame_max);
    const std::size_t room = std::min(octets.size(), window.room(outbox));
    std::size_t written = 0;
    while (written < room) {
        const std::size_t size = std::min(most, room - written);
        std::byte* at = nullptr;
        try {
            at = outbox.append(size + wire::frame_overhead);
        } catch (const std::bad_alloc&) {
            if (written == 0) throw;
            break;
        }
        at = wire::write_frame_header(at, wire::FrameType::body, channel,
                                      static_cast<std::uint32_t>(size));
        std::memcpy(at, octets.data() + written, size);
        wire::write_frame_end(at + size);
        written += size;
    }
    window.add(written);
    to_come -= written;
    return written;
}

void BodyPieces::stand_for_rest(Outbox& outbox) const {
    std::byte* const at = insist([&] { return outbox.append(wire::frame_overhead); });
    wire::write_frame_end(wire::write_frame_header(at, wire::FrameType::body, channel, 0));
}

// ---- publishing

template <class Head>
Status ChannelMachine::hold_head(const Head& head, std::uint64_t size, Token writer, void* data,
                                 std::uint64_t* sequence) {
    if (head.header_frame_size() > context_.frame_max) return Status::argument;
    auto pieces = std::make_unique<BodyPieces>(BodyPieces{writer, size, id_});
    whole_bodies_.reserve(whole_bodies_.size() + calls_.waiting().size() + 1);
    *sequence = number_publish(data, false, static_cast<std::size_t>(size));
    (void)head.write(calls_.hold(head.size(), std::move(pieces)), id_, size);
    ++context_.bodies;
    ++context_.counters.contents;
    --context_.counters.frames_written;  // two, and those of the body as they come
    // Nothing else waits: it has its turn.
    if (calls_.waiting().size() == 1 && calls_.large_is_next()) {
        calls_.write_large_frame(context_.outbox);
    }
    return Status::ok;
}

Status ChannelMachine::begin_body(const PreparedHead& head, std::uint64_t size, Token writer,
                                  void* data, std::uint64_t* sequence) {
    // It cannot be written once more.
    if (ring_ && ring_->kept() != nullptr) return Status::unsupported;
    // Nor be compared with what is returned.
    if (ring_ && head.mandatory() && !correlates_returns_) return Status::unsupported;
    if (size == 0) {
        whole_bodies_.reserve(whole_bodies_.size() + 1);
        PublishRequest rest;
        rest.data = data;
        const Status status = publish(head, rest, sequence);
        if (status != Status::ok) return status;
        whole_bodies_.push_back(writer);
        ++context_.bodies;
        return Status::ok;
    }
    if (!stamps(head.mandatory())) return hold_head(head, size, writer, data, sequence);
    wire::Properties properties;
    const PublishRequest request = head.request(&properties, PublishRequest());
    const Stamped stamped = stamp(properties, ring_->last() + 1);
    return hold_head(PublishHead(request, stamped.properties), size, writer, data, sequence);
}

Status ChannelMachine::write_body(Token writer, std::span<const std::byte> octets,
                                  std::size_t* taken) {
    BodyPieces* const pieces = calls_.find_body(writer);
    if (pieces == nullptr) return Status::closed;
    if (octets.size() > pieces->to_come) return Status::argument;
    bool done = false;
    if (pieces->started) {
        try {
            *taken = calls_.write_piece(octets, context_.frame_max, context_.outbox, &done);
        } catch (const std::bad_alloc&) {
            // Nothing was taken. What is there leaves first, and may make room for it.
            if (context_.outbox.empty()) throw;
        }
    }
    const std::size_t piece = BodyPieces::most_octets(context_.frame_max);
    context_.counters.frames_written += (*taken + piece - 1) / piece;
    if (done) {
        whole_bodies_.push_back(writer);
        return Status::ok;
    }
    if (*taken == octets.size()) return Status::ok;
    pieces->refused = true;
    return *taken > 0 ? Status::ok : Status::would_block;
}

void ChannelMachine::tell_bodies(EventList& events) {
    for (const Token writer : whole_bodies_)
        tell_body_done(writer, nullptr, events);
    whole_bodies_.clear();
    if (!calls_.body_is_begun()) return;
    BodyPieces& pieces = *calls_.waiting().front().pieces;
    if (!pieces.refused || pieces.window.room(context_.outbox) == 0) return;
    pieces.refused = false;
    add_event(events, EventKind::body_room).subject = pieces.writer;
}

void ChannelMachine::tell_body_done(Token writer, const ErrorRef& error, EventList& events) {
    MachineEvent& event = add_event(events, EventKind::body_done);
    event.subject = writer;
    event.error = error;
    --context_.bodies;
}

void ChannelMachine::end_bodies(const ErrorRef& error, EventList& events) {
    for (const Token writer : whole_bodies_)
        tell_body_done(writer, nullptr, events);
    whole_bodies_.clear();
    for (const CallQueue::Waiting& item : calls_.waiting()) {
        if (item.pieces) tell_body_done(item.pieces->writer, error, events);
    }
}

Status ConnectionMachine::write_body(ChannelId channel, Token writer,
                                     std::span<const std::byte> octets, std::size_t* taken) {
    ChannelMachine* const machine = find(channel);
    if (machine == nullptr || close_requested_) return Status::closed;
    const Status status = machine->write_body(writer, octets, taken);
    if (machine->calls().large_is_next()) enlist(*machine);
    return status;
}

void ConnectionMachine::tell_bodies(EventList& events) {
    for (const auto& channel : channels_) {
        if (channel != nullptr) channel->tell_bodies(events);
    }
}

std::size_t ConnectionMachine::stuck_bytes() const {
    std::size_t stuck = 0;
    for (const auto& channel : channels_) {
        if (channel == nullptr || !channel->calls().body_is_begun()) continue;
        for (const CallQueue::Waiting& item : channel->calls().waiting())
            stuck += item.left();
    }
    return stuck;
}

void ConnectionMachine::abandon_body(ChannelId channel, Token writer, EventList& events) {
    ChannelMachine* const machine = find(channel);
    const BodyPieces* const pieces =
        machine != nullptr ? machine->calls().find_body(writer) : nullptr;
    if (pieces == nullptr || state_ != ConnectionState::open) return;
    const Ref<Error> error = connection_error(
        Status::io, "the body of a message was abandoned on channel " +
                        std::to_string(channel.number) + " with " +
                        std::to_string(pieces->to_come) +
                        " octets to come: AMQP has no way to take back what was begun but to end "
                        "the connection");
    error->channel_id = channel.number;
    end_broken(ErrorRef(error.get()), events);
}

// A content that is begun and will not be whole: nothing else of its channel may follow, so the
// connection ends.
void ConnectionMachine::end_broken(const ErrorRef& error, EventList& events) {
    end(error, true, events);
    wire::connection::Close close{};
    close.reply_code = internal_error;
    close.reply_text = {"a content was abandoned"};
    write(close);
}

// ---- delivering

bool ChannelMachine::begin_delivery(const wire::ContentHeader& header, EventList& events) {
    wire::basic::Deliver method{};
    const std::span<const std::byte> payload = assembler_.pending_method();
    if (wire::read_method_id(payload) != wire::basic::Deliver::id ||
        !wire::decode_method(payload.subspan(wire::method_id_size), method)) {
        return false;
    }
    Consumer* const consumer = consumers_.find(method.consumer_tag.text);
    if (consumer == nullptr || !consumer->in_pieces) return false;
    incoming_tag_ = method.consumer_tag.text;
    incoming_ = method.delivery_tag;
    last_delivery_ = std::max(last_delivery_, method.delivery_tag);
    const bool wanted = consumer->token != nullptr && !close_requested_;
    const bool to_settle = wanted && !consumer->no_ack && recovering_ == 0;
    if (!close_requested_) {
        deliveries_.add(method.delivery_tag, to_settle ? consumer->holder : DeliveryWindow::nobody,
                        context_.counters.now);
    }
    const bool whole = assembler_.pass(header, *context_.slabs);
    const wire::Bytes properties = assembler_.properties();
    passes_on_ = wanted;
    if (wanted) {
        consumer->note_position(properties);
        ++context_.counters.deliveries;
        context_.counters.redeliveries += method.redelivered ? 1 : 0;
        (void)wire::decode_method(assembler_.method_payload().subspan(wire::method_id_size),
                                  method);
        MachineEvent& event = add_event(events, EventKind::delivery_begin);
        event.subject = consumer->token;
        event.number = bases_.deliveries + method.delivery_tag;
        event.redelivered = method.redelivered;
        event.exchange = method.exchange.text;
        event.routing_key = method.routing_key.text;
        event.name = method.consumer_tag.text;
        event.properties = properties;
        event.body_size = header.body_size;
        event.slab = assembler_.slab();
    }
    if (whole) end_delivery(events);
    return true;
}

MachineEvent* ChannelMachine::add_piece_event(EventKind kind, EventList& events) {
    // Its consume may have failed meanwhile.
    const Consumer* const consumer = passes_on_ ? consumers_.find(incoming_tag_) : nullptr;
    if (consumer == nullptr || consumer->token == nullptr) {
        passes_on_ = false;
        return nullptr;
    }
    MachineEvent& event = add_event(events, kind);
    event.subject = consumer->token;
    event.number = bases_.deliveries + incoming_;
    event.body_size = assembler_.received();
    return &event;
}

void ChannelMachine::pass_on(std::span<const std::byte> payload, EventList& events) {
    if (!payload.empty()) {
        MachineEvent* const event = add_piece_event(EventKind::delivery_piece, events);
        if (event != nullptr) event->body = payload;
    }
    if (assembler_.note_passed(payload.size())) end_delivery(events);
}

void ChannelMachine::end_delivery(EventList& events) {
    (void)add_piece_event(EventKind::delivery_end, events);
    assembler_.reset();
    if (passes_on_) return;
    // Nobody has it: given back, never dropped in silence (rule 46).
    const Consumer* const consumer = consumers_.find(incoming_tag_);
    if (close_requested_ || (consumer != nullptr && consumer->no_ack)) return;
    (void)deliveries_.settle(incoming_, false, [](DeliveryWindow::Holder) {});
    wire::basic::Reject reject{};
    reject.delivery_tag = incoming_;
    reject.requeue = true;
    answer(reject);
}

void ChannelMachine::cut_delivery(const ErrorRef& error, EventList& events) {
    if (!assembler_.passes()) return;
    MachineEvent* const event = add_piece_event(EventKind::delivery_cut, events);
    if (event != nullptr) event->error = error;
    assembler_.reset();
}

}  // namespace haigha::protocol
