// What the broker sends on a channel: content, methods of its own, replies.
#include <algorithm>
#include <utility>

#include "protocol/channel_machine.h"
#include "protocol/reply_codes.h"
#include "protocol/return_stamp.h"
#include "wire/method_codec.h"
#include "wire/method_table.h"

namespace haigha::protocol {

namespace {

using wire::MethodId;

std::span<const std::byte> arguments_of(std::span<const std::byte> payload) {
    return payload.subspan(wire::method_id_size);
}

}  // namespace

ErrorRef ChannelMachine::cancelled_by_broker(std::string_view consumer_tag) const {
    const Ref<Error> error = edit_error(*channel_error(
        Status::closed, "the broker cancelled consumer \"" + std::string(consumer_tag) +
                            "\": its queue was deleted or is not available"));
    // By which it is told from one that ends with its channel.
    error->class_id = wire::basic::Cancel::id.class_id;
    error->method_id = wire::basic::Cancel::id.method_id;
    error->method_name = wire::find_method(wire::basic::Cancel::id)->name.data();
    return ErrorRef(error.get());
}

// ---- deliveries that are held

void ChannelMachine::watch_deliveries(EventList& events) {
    const DeliveryWatch::Held held = watch_.tick(deliveries_);
    if (held.oldest == 0 || state_ != ChannelState::open) return;
    MachineEvent& event = add_event(events, EventKind::delivery_held);
    event.number = bases_.deliveries + held.oldest;
    event.message_count = held.count;
    const DeliveryWindow::Holder holder = deliveries_.holder(held.oldest);
    for (const auto& [tag, consumer] : consumers_) {
        if (consumer.holder == holder) event.name = tag;
    }
}

Call ChannelMachine::finish_call() {
    Call done = calls_.finish(context_.outbox);
    note_answered(done);
    return done;
}

// ---- content

void ChannelMachine::deliver(const wire::basic::Deliver& method,
                             const std::span<const std::byte>& properties,
                             const std::span<const std::byte>& body, Ref<Slab> slab,
                             EventList& events) {
    last_delivery_ = std::max(last_delivery_, method.delivery_tag);
    if (close_requested_) return;  // it could not be settled any more; the broker requeues it
    Consumer* const consumer = consumers_.find(method.consumer_tag.text);
    const bool wanted = consumer != nullptr && consumer->token != nullptr;
    const bool to_settle = wanted && !consumer->no_ack && recovering_ == 0;
    deliveries_.add(method.delivery_tag, to_settle ? consumer->holder : DeliveryWindow::nobody,
                    context_.counters.now);
    if (!wanted) {
        // Nobody's: given back, never dropped in silence (rule 46).
        if (consumer == nullptr || !consumer->no_ack) {
            wire::basic::Reject reject{};
            reject.delivery_tag = method.delivery_tag;
            reject.requeue = true;
            answer(reject);
        }
        return;
    }
    consumer->note_position(properties);
    ++context_.counters.deliveries;
    if (method.redelivered) [[unlikely]]
        ++context_.counters.redeliveries;
    MachineEvent& event = events.next();
    event.kind = EventKind::delivery;
    event.channel = id_;
    event.owner = owner_;
    event.subject = consumer->token;
    event.number = bases_.deliveries + method.delivery_tag;
    event.redelivered = method.redelivered;
    event.exchange = method.exchange.text;
    event.routing_key = method.routing_key.text;
    event.name = method.consumer_tag.text;
    event.properties = properties;
    event.body = body;
    event.slab = std::move(slab);
}

std::optional<Violation> ChannelMachine::on_header(std::span<const std::byte> payload,
                                                   EventList& events) {
    if (state_ == ChannelState::closing) return std::nullopt;
    if (assembler_.expects() != ContentAssembler::Part::header) {
        return Violation{unexpected_frame, "a content header that follows no method with content"};
    }
    wire::ContentHeader header;
    if (!wire::parse_content_header(payload, header)) {
        return Violation{frame_error, "a content header that cannot be decoded"};
    }
    if (header.class_id != wire::basic::Publish::id.class_id) {
        return Violation{frame_error, "a content header of class " +
                                          std::to_string(header.class_id) +
                                          " after a method of class basic"};
    }
    if (takes_pieces_ && begin_delivery(header, events)) return std::nullopt;
    if (header.body_size > context_.max_message_size) {
        const ErrorRef error =
            channel_error(Status::protocol, "a message of " + std::to_string(header.body_size) +
                                                " bytes is over the option max_message_size (" +
                                                std::to_string(context_.max_message_size) +
                                                "): the channel was closed");
        fail(content_too_large, error, events);
        return std::nullopt;
    }
    if (assembler_.header(header, *context_.slabs)) return content_complete(events);
    return std::nullopt;
}

std::optional<Violation> ChannelMachine::on_body(std::span<const std::byte> payload,
                                                 EventList& events) {
    if (state_ == ChannelState::closing) return std::nullopt;
    if (assembler_.expects() != ContentAssembler::Part::body) {
        return Violation{unexpected_frame, "a body frame that follows no content header"};
    }
    if (payload.size() > assembler_.left()) {
        return Violation{frame_error, "body frames that hold more than the header announced"};
    }
    if (assembler_.passes()) {
        pass_on(payload, events);
        return std::nullopt;
    }
    if (assembler_.body(payload, *context_.slabs)) return content_complete(events);
    return std::nullopt;
}

std::optional<Violation> ChannelMachine::content_complete(EventList& events) {
    const std::span<const std::byte> payload = assembler_.method_payload();
    const std::span<const std::byte> properties = assembler_.properties();
    const std::span<const std::byte> body = assembler_.body();
    Ref<Slab> slab = assembler_.finish();
    const MethodId id = *wire::read_method_id(payload);
    if (id == wire::basic::Deliver::id) {
        wire::basic::Deliver method{};
        if (!wire::decode_method(arguments_of(payload), method)) return undecodable(id);
        deliver(method, properties, body, std::move(slab), events);
        return std::nullopt;
    }
    if (id == wire::basic::Return::id) {
        wire::basic::Return method{};
        if (!wire::decode_method(arguments_of(payload), method)) return undecodable(id);
        // The assembler's memory is this message's alone, and so may be changed.
        const std::span<std::byte> own(slab->data() + payload.size(), properties.size());
        returned(method, own, body, std::move(slab), events);
        return std::nullopt;
    }
    // basic.get-ok
    wire::basic::GetOk method{};
    if (!wire::decode_method(arguments_of(payload), method)) return undecodable(id);
    // Our close went past the get: the broker takes the message back with the channel.
    if (close_in_flight()) return std::nullopt;
    last_delivery_ = std::max(last_delivery_, method.delivery_tag);
    const Call done = finish_call();
    const bool to_settle = done.token != nullptr && !done.no_ack && recovering_ == 0;
    deliveries_.add(method.delivery_tag,
                    to_settle ? DeliveryWindow::getter : DeliveryWindow::nobody,
                    context_.counters.now);
    if (done.token == nullptr) {
        if (!done.no_ack) {
            wire::basic::Reject reject{};
            reject.delivery_tag = method.delivery_tag;
            reject.requeue = true;
            answer(reject);
        }
        return std::nullopt;
    }
    ++context_.counters.gets;
    context_.counters.redeliveries += method.redelivered ? 1 : 0;
    MachineEvent& event = add_event(events, EventKind::call_done);
    event.subject = done.token;
    event.has_message = true;
    event.number = bases_.deliveries + method.delivery_tag;
    event.redelivered = method.redelivered;
    event.message_count = method.message_count;
    event.exchange = method.exchange.text;
    event.routing_key = method.routing_key.text;
    event.properties = properties;
    event.body = body;
    event.slab = std::move(slab);
    return std::nullopt;
}

void ChannelMachine::returned(const wire::basic::Return& method, std::span<std::byte> properties,
                              std::span<const std::byte> body, Ref<Slab> slab, EventList& events) {
    const Ref<Error> edited = edit_error(*channel_error(
        Status::ok, "the broker returned a message: " + std::string(method.reply_text.text) + " (" +
                        std::to_string(method.reply_code) + ")"));
    edited->reply_code = method.reply_code;
    edited->reply_text = std::string(method.reply_text.text);
    const ErrorRef error(edited.get());
    ++context_.counters.returns;
    std::uint64_t sequence = 0;
    if (ring_) {
        std::optional<std::uint64_t> found;
        if (correlates_returns_) {
            if (const auto stamp = take_stamp(properties); stamp) {
                properties = properties.first(stamp->size);
                found = stamp->sequence;
            }
        } else {
            wire::Properties decoded;
            const bool known = wire::parse_properties(properties, decoded);
            const std::uint64_t key = return_key(method.exchange.text, method.routing_key.text,
                                                 known ? &decoded : nullptr);
            found = returns_.match(key, body, *ring_);
        }
        if (found && ring_->mark_returned(*found, error)) sequence = *found;
    }
    MachineEvent& event = add_event(events, EventKind::returned);
    event.number = sequence;
    event.exchange = method.exchange.text;
    event.routing_key = method.routing_key.text;
    event.properties = properties;
    event.body = body;
    event.slab = std::move(slab);
    event.error = error;
}

// ---- methods

std::optional<Violation> ChannelMachine::on_method(MethodId id, std::span<const std::byte> payload,
                                                   EventList& events) {
    if (id == wire::channel::Close::id) return on_close(arguments_of(payload), events);
    switch (state_) {
        case ChannelState::opening:
        case ChannelState::open:
            if (id.class_id == wire::connection::Close::id.class_id) {
                return Violation{command_invalid, method_name(id) + " on a channel"};
            }
            if (state_ == ChannelState::opening) return on_reply(id, payload, events);
            if (assembler_.expects() != ContentAssembler::Part::none) {
                return Violation{unexpected_frame,
                                 method_name(id) + " in the middle of a message's content"};
            }
            return on_method_open(id, payload, events);
        case ChannelState::closing:
            // Where our close was not said yet, an answer to it means nothing.
            if (id == wire::channel::CloseOk::id && !close_when_opened_) return on_close_ok(events);
            if (id == wire::channel::OpenOk::id && close_when_opened_) {
                close_when_opened_ = false;
                write_close(200, "the open came too late");
            }
            return std::nullopt;
        case ChannelState::closed:
            return std::nullopt;
    }
    return std::nullopt;
}

std::optional<Violation> ChannelMachine::on_method_open(MethodId id,
                                                        std::span<const std::byte> payload,
                                                        EventList& events) {
    const std::span<const std::byte> arguments = arguments_of(payload);
    switch (id.key()) {
        case wire::basic::Deliver::id.key():
        case wire::basic::Return::id.key():
            assembler_.begin(payload);
            return std::nullopt;
        case wire::basic::GetOk::id.key():
            if (!close_in_flight() && (!calls_.in_flight() || calls_.current().reply != id)) break;
            assembler_.begin(payload);
            return std::nullopt;
        case wire::basic::Ack::id.key(): {
            wire::basic::Ack method{};
            if (!wire::decode_method(arguments, method)) return undecodable(id);
            return settle(method.delivery_tag, method.multiple, Outcome::confirmed, events);
        }
        case wire::basic::Nack::id.key(): {
            wire::basic::Nack method{};
            if (!wire::decode_method(arguments, method)) return undecodable(id);
            return settle(method.delivery_tag, method.multiple, Outcome::nacked, events);
        }
        case wire::basic::Cancel::id.key(): {
            wire::basic::Cancel method{};
            if (!wire::decode_method(arguments, method)) return undecodable(id);
            Consumer* consumer = consumers_.find(method.consumer_tag.text);
            if (consumer == nullptr) return std::nullopt;  // cancelled from both sides at once
            const bool stays = resubscribes_ && consumer->state == ConsumerState::running &&
                               !is_being_cancelled(method.consumer_tag.text);
            MachineEvent& event =
                add_event(events, stays ? EventKind::consumer_lost : EventKind::consumer_cancelled);
            event.subject = consumer->token;
            event.name = method.consumer_tag.text;
            event.error = cancelled_by_broker(method.consumer_tag.text);
            if (stays) {
                // As one of an earlier incarnation until it is back: it has to come back with the
                // channel if the broker refuses it by closing that.
                consumer->state = ConsumerState::starting;
                consumer->restored = true;
                return std::nullopt;
            }
            if (event.subject == nullptr) events.pop_back();
            consumers_.remove(method.consumer_tag.text);
            return std::nullopt;
        }
        case wire::channel::Flow::id.key(): {
            wire::channel::Flow method{};
            if (!wire::decode_method(arguments, method)) return undecodable(id);
            flow_active = method.active;
            add_event(events, EventKind::flow).number = method.active ? 1 : 0;
            wire::channel::FlowOk ok{};
            ok.active = method.active;
            answer(ok);
            return std::nullopt;
        }
        default:
            return on_reply(id, payload, events);
    }
    return on_reply(id, payload, events);
}

std::optional<Violation> ChannelMachine::settle(std::uint64_t tag, bool multiple, Outcome outcome,
                                                EventList& events) {
    // A tag that nothing was published with is the peer's mistake, and harmless (rule 64).
    if (ring_ && ring_->settle(tag, multiple, outcome, context_.counters.now)) {
        add_event(events, EventKind::outcomes).ring = ring_;
    }
    return std::nullopt;
}

std::optional<Violation> ChannelMachine::on_reply(MethodId id, std::span<const std::byte> payload,
                                                  EventList& events) {
    if (!calls_.in_flight() ||
        (calls_.current().reply != id && calls_.current().other_reply != id)) {
        const wire::MethodInfo* info = wire::find_method(id);
        if (info == nullptr) {
            return Violation{command_invalid, method_name(id) + " is not a method of AMQP 0-9-1"};
        }
        // Of no interest between our close and its answer: it may belong to a call that the close
        // did not wait for.
        if (close_in_flight()) return std::nullopt;
        std::string expected = calls_.in_flight()
                                   ? " where " + method_name(calls_.current().reply) + " was due"
                                   : " without having been asked";
        fail(command_invalid,
             channel_error(Status::protocol, "the broker sent " + method_name(id) + expected +
                                                 ": the channel was closed"),
             events);
        return std::nullopt;
    }
    const std::span<const std::byte> arguments = arguments_of(payload);
    MachineEvent reply;
    reply.kind = EventKind::call_done;
    reply.channel = id_;
    reply.owner = owner_;
    bool decoded = true;
    const auto decode = [&](auto& method) { decoded = wire::decode_method(arguments, method); };
    switch (id.key()) {
        case wire::queue::DeclareOk::id.key(): {
            wire::queue::DeclareOk method{};
            decode(method);
            reply.name = method.queue.text;
            reply.message_count = method.message_count;
            reply.consumer_count = method.consumer_count;
            break;
        }
        case wire::queue::PurgeOk::id.key(): {
            wire::queue::PurgeOk method{};
            decode(method);
            reply.message_count = method.message_count;
            break;
        }
        case wire::queue::DeleteOk::id.key(): {
            wire::queue::DeleteOk method{};
            decode(method);
            reply.message_count = method.message_count;
            break;
        }
        case wire::basic::ConsumeOk::id.key(): {
            wire::basic::ConsumeOk method{};
            decode(method);
            reply.name = method.consumer_tag.text;
            break;
        }
        case wire::basic::CancelOk::id.key(): {
            wire::basic::CancelOk method{};
            decode(method);
            reply.name = method.consumer_tag.text;
            break;
        }
        default:
            break;  // the other replies say nothing, or nothing that is used
    }
    if (!decoded) return undecodable(id);

    const CallKind kind = calls_.current().kind;
    if (kind == CallKind::channel_open) {
        state_ = ChannelState::open;
        ++context_.counters.channels_opened;
    }
    if (kind == CallKind::channel_close) return on_close_ok(events);
    const Call done = finish_call();
    reply.subject = done.token;
    switch (kind) {
        case CallKind::channel_open:
            add_event(events, EventKind::channel_open);
            break;
        case CallKind::consume:
        case CallKind::resume:
        case CallKind::restore:
            if (Consumer* consumer = consumers_.find(done.name); consumer == nullptr) {
                break;
            } else if (consumer->token == nullptr) {
                cancel_unwanted(done.name);
            } else {
                consumer->state = ConsumerState::running;
            }
            break;
        case CallKind::cancel:
        case CallKind::pause:
        case CallKind::drain:
            on_cancelled(done, reply, events);
            break;
        case CallKind::recover:
            --recovering_;
            break;
        default:
            break;
    }
    if (reply.subject != nullptr) events.push_back(std::move(reply));
    return std::nullopt;
}

void ChannelMachine::on_cancelled(const Call& done, MachineEvent& reply, EventList& events) {
    Consumer* consumer = consumers_.find(done.name);
    if (done.kind == CallKind::pause) {
        if (consumer != nullptr) consumer->state = ConsumerState::paused;
        return;
    }
    if (consumer != nullptr) {
        MachineEvent& event = add_event(events, EventKind::consumer_cancelled);
        event.subject = consumer->token;
        event.name = reply.name;
        if (event.subject == nullptr) events.pop_back();
        consumers_.remove(done.name);
    }
    if (done.kind != CallKind::drain || reply.subject == nullptr) return;
    drains_.push_back({std::exchange(reply.subject, nullptr), done.holder,
                       deliveries_.count(done.holder), done.deadline});
    ++context_.drains;
}

// The caller was told that the consume failed: undoes it. The consumer stays known, without an
// owner, until the answer: what is delivered before that is given back (rule 46).
void ChannelMachine::cancel_unwanted(const std::string& tag) {
    if (ending() || context_.closing) return;
    Call undo;
    undo.kind = CallKind::cancel;
    undo.reply = wire::basic::CancelOk::id;
    undo.name = tag;
    wire::basic::Cancel cancel{};
    cancel.consumer_tag = {tag};
    std::byte buffer[wire::frame_overhead + 16 + wire::max_short_string];
    const std::byte* end = wire::write_method_frame(buffer, id_, cancel);
    calls_.add(std::move(undo), {buffer, static_cast<std::size_t>(end - buffer)}, context_.outbox);
}

}  // namespace haigha::protocol
