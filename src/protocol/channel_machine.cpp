#include "protocol/channel_machine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/reply_codes.h"
#include "wire/method_codec.h"
#include "wire/method_table.h"

namespace haigha::protocol {

namespace {

using wire::MethodId;

std::string method_name(MethodId id) {
    if (const wire::MethodInfo* info = wire::find_method(id)) return std::string(info->name);
    return "method " + std::to_string(id.class_id) + "." + std::to_string(id.method_id);
}

std::span<const std::byte> arguments_of(std::span<const std::byte> payload) {
    return payload.subspan(4);
}

Violation undecodable(MethodId id) {
    return {syntax_error, "the arguments of " + method_name(id) + " cannot be decoded"};
}

}  // namespace

MachineEvent& ChannelMachine::add_event(EventList& events, EventKind kind) {
    MachineEvent& event = events.emplace_back();
    event.kind = kind;
    event.channel = id_;
    event.owner = owner_;
    return event;
}

ErrorRef ChannelMachine::channel_error(Status status, std::string message) const {
    const ErrorRef plain = make_error(status, std::move(message), Stage::ready);
    const Ref<Error> error = edit_error(*plain);
    error->channel_id = id_;
    error->host = context_.host;
    return ErrorRef(error.get());
}

// ---- verbs

void ChannelMachine::open(Call call) {
    call.kind = CallKind::channel_open;
    call.barrier = true;
    call.reply = wire::channel::OpenOk::id;
    std::byte buffer[64];
    const wire::channel::Open method{};
    const std::byte* end = wire::write_method_frame(buffer, id_, method);
    calls_.add(std::move(call), {buffer, static_cast<std::size_t>(end - buffer)}, context_.outbox);
}

void ChannelMachine::call(Call call, std::span<const std::byte> frame) {
    if (call.kind == CallKind::confirm_select && !ring_) {
        ring_ = Ref<ConfirmRing>::adopt(new ConfirmRing);
    }
    if (call.kind == CallKind::consume) {
        consumers_.emplace(call.name, Consumer{call.consumer, false, call.no_ack});
        last_consumer_ = nullptr;
    }
    calls_.add(std::move(call), frame, context_.outbox);
}

void ChannelMachine::close(Call call) {
    call.kind = CallKind::channel_close;
    call.reply = wire::channel::CloseOk::id;
    std::byte buffer[64];
    wire::channel::Close method{};
    method.reply_code = 200;
    method.reply_text = {"closed"};
    const std::byte* end = wire::write_method_frame(buffer, id_, method);
    close_requested_ = true;
    calls_.add(std::move(call), {buffer, static_cast<std::size_t>(end - buffer)}, context_.outbox);
}

Status ChannelMachine::publish(const PublishRequest& request, std::uint64_t* sequence) {
    wire::basic::Publish method{};
    method.exchange = {request.exchange};
    method.routing_key = {request.routing_key};
    method.mandatory = request.mandatory;
    method.immediate = request.immediate;

    static constexpr wire::Properties no_properties{};
    const wire::Properties& properties =
        request.properties != nullptr ? *request.properties : no_properties;
    const std::size_t properties_size = wire::properties_size(properties);
    const std::size_t method_size = wire::method_frame_size(method);
    const std::size_t header_size = wire::frame_overhead + 12 + properties_size;
    if (header_size > context_.frame_max) [[unlikely]]
        return Status::argument;
    const std::size_t piece = context_.frame_max - wire::frame_overhead;
    const std::size_t pieces = (request.body.size() + piece - 1) / piece;
    const std::size_t total =
        method_size + header_size + request.body.size() + pieces * wire::frame_overhead;

    const bool large = total > large_content;
    // One stretch for everything, or for one frame at a time where a chunk would be too large.
    const bool direct = calls_.idle() && !large;
    const bool together = !direct || total <= Outbox::chunk_capacity;
    std::byte* at = direct ? context_.outbox.append(together ? total : method_size + header_size)
                           : calls_.hold(total, large);

    at = wire::write_method_frame(at, id_, method);
    at = wire::write_frame_header(at, wire::FrameType::header, id_,
                                  static_cast<std::uint32_t>(12 + properties_size));
    wire::Writer writer{at};
    writer(wire::basic::Publish::id.class_id);
    writer(std::uint16_t{0});  // weight
    writer(static_cast<std::uint64_t>(request.body.size()));
    at = wire::write_properties(properties, writer.position());
    *at++ = wire::frame_end;
    for (std::size_t done = 0; done < request.body.size();) {
        const std::size_t size = std::min(piece, request.body.size() - done);
        if (!together) at = context_.outbox.append(size + wire::frame_overhead);
        at = wire::write_frame_header(at, wire::FrameType::body, id_,
                                      static_cast<std::uint32_t>(size));
        std::memcpy(at, request.body.data() + done, size);
        at += size;
        *at++ = wire::frame_end;
        done += size;
    }
    *sequence = ring_ ? ring_->add(request.data, request.waiter) : 0;
    return Status::ok;
}

// ---- consumers

ChannelMachine::Consumer* ChannelMachine::find_consumer(std::string_view tag) {
    if (last_consumer_ != nullptr && tag == last_tag_) [[likely]]
        return last_consumer_;
    const auto found = consumers_.find(tag);
    if (found == consumers_.end()) return nullptr;
    last_tag_ = found->first;
    last_consumer_ = &found->second;
    return last_consumer_;
}

void ChannelMachine::remove_consumer(std::string_view tag) {
    last_consumer_ = nullptr;
    const auto found = consumers_.find(tag);
    if (found != consumers_.end()) consumers_.erase(found);
}

// ---- content

void ChannelMachine::on_delivery(const wire::basic::Deliver& method,
                                 const wire::ContentHeader& header, std::span<const std::byte> body,
                                 EventList& events) {
    deliver(find_consumer(method.consumer_tag.text), method, header.properties, body, nullptr,
            events);
}

void ChannelMachine::deliver(Consumer* consumer, const wire::basic::Deliver& method,
                             std::span<const std::byte> properties, std::span<const std::byte> body,
                             Ref<Slab> slab, EventList& events) {
    if (close_requested_) return;  // it could not be settled any more; the broker requeues it
    if (consumer == nullptr || consumer->token == nullptr) {
        // Nobody's: given back, never dropped in silence (rule 46).
        if (consumer == nullptr || !consumer->no_ack) {
            wire::basic::Reject reject{};
            reject.delivery_tag = method.delivery_tag;
            reject.requeue = true;
            answer(reject);
        }
        return;
    }
    MachineEvent& event = add_event(events, EventKind::delivery);
    event.subject = consumer->token;
    event.number = method.delivery_tag;
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
        deliver(find_consumer(method.consumer_tag.text), method, properties, body, std::move(slab),
                events);
        return std::nullopt;
    }
    if (id == wire::basic::Return::id) {
        wire::basic::Return method{};
        if (!wire::decode_method(arguments_of(payload), method)) return undecodable(id);
        const Ref<Error> error = edit_error(*channel_error(
            Status::ok, "the broker returned a message: " + std::string(method.reply_text.text) +
                            " (" + std::to_string(method.reply_code) + ")"));
        error->reply_code = method.reply_code;
        error->reply_text = std::string(method.reply_text.text);
        MachineEvent& event = add_event(events, EventKind::returned);
        event.exchange = method.exchange.text;
        event.routing_key = method.routing_key.text;
        event.properties = properties;
        event.body = body;
        event.slab = std::move(slab);
        event.error = ErrorRef(error.get());
        return std::nullopt;
    }
    // basic.get-ok
    wire::basic::GetOk method{};
    if (!wire::decode_method(arguments_of(payload), method)) return undecodable(id);
    // Our close went past the get: the broker takes the message back with the channel.
    if (close_in_flight()) return std::nullopt;
    const Call done = calls_.finish(context_.outbox);
    if (done.token == nullptr) {
        if (!done.no_ack) {
            wire::basic::Reject reject{};
            reject.delivery_tag = method.delivery_tag;
            reject.requeue = true;
            answer(reject);
        }
        return std::nullopt;
    }
    MachineEvent& event = add_event(events, EventKind::call_done);
    event.subject = done.token;
    event.has_message = true;
    event.number = method.delivery_tag;
    event.redelivered = method.redelivered;
    event.message_count = method.message_count;
    event.exchange = method.exchange.text;
    event.routing_key = method.routing_key.text;
    event.properties = properties;
    event.body = body;
    event.slab = std::move(slab);
    return std::nullopt;
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
            const Consumer* consumer = find_consumer(method.consumer_tag.text);
            if (consumer == nullptr) return std::nullopt;  // cancelled from both sides at once
            MachineEvent& event = add_event(events, EventKind::consumer_cancelled);
            event.subject = consumer->token;
            event.name = method.consumer_tag.text;
            event.error =
                channel_error(Status::closed, "the broker cancelled consumer \"" +
                                                  std::string(method.consumer_tag.text) +
                                                  "\": its queue was deleted or is not available");
            if (event.subject == nullptr) events.pop_back();
            remove_consumer(method.consumer_tag.text);
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
    if (ring_ && ring_->settle(tag, multiple, outcome)) {
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
    if (kind == CallKind::channel_open) state_ = ChannelState::open;
    if (kind == CallKind::channel_close) return on_close_ok(events);
    const Call done = calls_.finish(context_.outbox);
    reply.subject = done.token;
    if (kind == CallKind::consume) {
        Consumer* consumer = find_consumer(done.name);
        if (consumer != nullptr && done.failed) {
            cancel_unwanted(done.name);
        } else if (consumer != nullptr) {
            consumer->known = true;
        }
    }
    if (kind == CallKind::cancel) {
        if (const Consumer* consumer = find_consumer(done.name); consumer != nullptr) {
            MachineEvent& event = add_event(events, EventKind::consumer_cancelled);
            event.subject = consumer->token;
            event.name = reply.name;
            if (event.subject == nullptr) events.pop_back();
            remove_consumer(done.name);
        }
    }
    if (kind == CallKind::channel_open) add_event(events, EventKind::channel_open);
    if (reply.subject != nullptr) events.push_back(std::move(reply));
    return std::nullopt;
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

// ---- the end

std::optional<Violation> ChannelMachine::on_close(std::span<const std::byte> arguments,
                                                  EventList& events) {
    wire::channel::Close method{};
    if (!wire::decode_method(arguments, method)) return undecodable(wire::channel::Close::id);
    // Only close-ok may follow on this channel (rule 30). When both sides closed at once ours is
    // still to be answered, if it has left; the number is taken until then.
    const bool was_closing = state_ == ChannelState::closing;
    calls_.write_rest(context_.outbox);
    const bool asked = was_closing ? !close_when_opened_ : close_in_flight();
    const Outbox::Purged purged = context_.outbox.purge(id_, false);
    if (!was_closing) {
        const MethodId blamed{method.class_id, method.method_id};
        const wire::MethodInfo* info = wire::find_method(blamed);
        std::string message =
            "the broker closed the channel: " + std::string(method.reply_text.text);
        if (message.find(std::to_string(method.reply_code)) == std::string::npos) {
            message += " (" + std::to_string(method.reply_code) + ")";
        }
        const ErrorRef plain = channel_error(Status::channel_closed_by_broker, std::move(message));
        const Ref<Error> error = edit_error(*plain);
        error->reply_code = method.reply_code;
        error->reply_text = std::string(method.reply_text.text);
        error->class_id = method.class_id;
        error->method_id = method.method_id;
        // Names in the table of methods are static and end in NUL.
        error->method_name = info != nullptr ? info->name.data() : "";
        end(ErrorRef(error.get()), purged.messages, events);
    }
    if (!context_.closing) {
        const wire::channel::CloseOk ok{};
        wire::write_method_frame(context_.outbox.append(wire::method_frame_size(ok)), id_, ok);
    }
    state_ = asked && !purged.channel_close ? ChannelState::closing : ChannelState::closed;
    return std::nullopt;
}

std::optional<Violation> ChannelMachine::on_close_ok(EventList& events) {
    if (owner_ != nullptr) {
        Token closer = nullptr;
        if (close_in_flight()) {
            closer = std::exchange(calls_.current().token, nullptr);
        }
        const std::uint16_t id = id_;
        end(nullptr, 0, events);
        if (closer != nullptr) {
            MachineEvent& event = events.emplace_back();
            event.kind = EventKind::call_done;
            event.channel = id;
            event.subject = closer;
        }
    }
    state_ = ChannelState::closed;
    return std::nullopt;
}

void ChannelMachine::end(const ErrorRef& error, std::uint64_t unsent, EventList& events) {
    const ErrorRef closed = error ? error : channel_error(Status::closed, "the channel was closed");
    for (const CallQueue::Waiting& item : calls_.waiting()) {
        // Publishes that never reached the outbox are not sent either.
        if (item.is_call) continue;
        std::span<const std::byte> frames = item.frames;
        while (!frames.empty()) {
            const auto parsed = wire::parse_frame(frames, 0);
            if (parsed.frame.type == wire::FrameType::method &&
                wire::read_method_id(parsed.frame.payload) == wire::basic::Publish::id) {
                ++unsent;
            }
            frames = frames.subspan(parsed.size);
        }
    }
    if (ring_) {
        for (std::size_t ranges = ring_->end(unsent); ranges > 0; --ranges) {
            add_event(events, EventKind::outcomes).ring = ring_;
        }
        ring_ = nullptr;
    }
    const auto fail_call = [&](Call& call) {
        if (call.token == nullptr) return;
        MachineEvent& event = add_event(events, EventKind::call_done);
        event.subject = call.token;
        event.error = call.kind == CallKind::channel_close ? ErrorRef() : closed;
    };
    if (calls_.in_flight()) fail_call(calls_.current());
    for (CallQueue::Waiting& item : calls_.waiting()) {
        if (item.is_call) fail_call(item.call);
    }
    calls_.clear();
    for (auto& [tag, consumer] : consumers_) {
        if (consumer.token == nullptr) continue;
        MachineEvent& event = add_event(events, EventKind::consumer_cancelled);
        event.subject = consumer.token;
        event.silent = !consumer.known;
        event.error = error;
    }
    consumers_.clear();
    last_consumer_ = nullptr;
    assembler_.reset();
    if (owner_ != nullptr) {
        add_event(events, EventKind::channel_closed).error = error;
        context_.ended = true;
    }
    owner_ = nullptr;
    refused = false;
    state_ = ChannelState::closing;
}

void ChannelMachine::write_close(std::uint16_t reply_code, std::string_view text) {
    if (context_.closing) return;
    wire::channel::Close method{};
    method.reply_code = reply_code;
    method.reply_text = {text.substr(0, wire::max_short_string)};
    wire::write_method_frame(context_.outbox.append(wire::method_frame_size(method)), id_, method);
}

void ChannelMachine::fail(std::uint16_t reply_code, const ErrorRef& error, EventList& events) {
    if (state_ == ChannelState::opening) {
        end(error, 0, events);
        close_when_opened_ = true;
        return;
    }
    // A message of which a part has left is completed first: a close in the middle of it would end
    // the connection.
    calls_.write_rest(context_.outbox);
    const bool asked = close_in_flight();
    const Outbox::Purged purged = context_.outbox.purge(id_, true);
    end(error, purged.messages, events);
    if (!asked || purged.channel_close) write_close(reply_code, error->message);
}

// ---- time

Instant ChannelMachine::deadline() const {
    Instant first = Instant::never();
    if (calls_.in_flight() && !calls_.current().failed) first = calls_.current().deadline;
    for (const CallQueue::Waiting& item : calls_.waiting()) {
        if (item.is_call && !item.call.failed) first = std::min(first, item.call.deadline);
    }
    return first;
}

void ChannelMachine::expire(Instant now, EventList& events) {
    const auto late = [now](const Call& call) { return !call.failed && call.deadline <= now; };
    const auto expire_call = [&](Call& call, bool written) {
        call.failed = true;
        if (const Token token = std::exchange(call.token, nullptr); token != nullptr) {
            MachineEvent& event = add_event(events, EventKind::call_done);
            event.subject = token;
            event.error = channel_error(
                Status::timeout, "no " + method_name(call.reply) + " from the broker in time" +
                                     (written ? ""
                                              : " (the method was not written: it waited for "
                                                "the answer to an earlier one)"));
        }
        if (call.kind != CallKind::consume) return;
        if (Consumer* consumer = find_consumer(call.name); consumer != nullptr) {
            // Known without an owner until the late answer; not at all if there will be none.
            MachineEvent& event = add_event(events, EventKind::consumer_cancelled);
            event.subject = std::exchange(consumer->token, nullptr);
            event.silent = true;
            if (!written) remove_consumer(call.name);
        }
    };
    if (calls_.in_flight() && late(calls_.current())) {
        const CallKind kind = calls_.current().kind;
        expire_call(calls_.current(), true);
        // A channel that does not open, or close, in time ends now; its number is taken until the
        // answer comes after all, and one that opens then is closed.
        if (kind == CallKind::channel_open || kind == CallKind::channel_close) {
            const bool opening = kind == CallKind::channel_open;
            end(channel_error(Status::timeout, std::string("no channel.") +
                                                   (opening ? "open-ok" : "close-ok") +
                                                   " from the broker in time"),
                0, events);
            close_when_opened_ = opening;
            return;
        }
    }
    for (CallQueue::Waiting& item : calls_.waiting()) {
        if (!item.is_call || !late(item.call)) continue;
        const CallKind kind = item.call.kind;
        if (kind == CallKind::confirm_select) {
            // Publishes that follow it are numbered already: it is still said in its turn.
            expire_call(item.call, false);
            item.call.failed = false;
            item.call.deadline = Instant::never();
            continue;
        }
        expire_call(item.call, false);
        if (kind == CallKind::channel_close) {
            // What it waited for is given up, so that closing always ends (rule 14).
            fail(200, channel_error(Status::timeout, "the channel could not be closed in time"),
                 events);
            return;
        }
    }
    calls_.advance(context_.outbox);
}

}  // namespace haigha::protocol
