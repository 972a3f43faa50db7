#include "protocol/channel_machine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/insist.h"
#include "protocol/return_stamp.h"
#include "wire/method_codec.h"
#include "wire/method_table.h"

namespace haigha::protocol {

using wire::MethodId;

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
        ring_ = Ref<ConfirmRing>::adopt(new ConfirmRing(bases_.publishes));
    }
    switch (call.kind) {
        case CallKind::consume:
            consumers_.add(call.name, call.consumer, call.no_ack, frame);
            if (call.in_pieces) {
                consumers_.find(call.name)->in_pieces = true;
                takes_pieces_ = true;
            }
            break;
        case CallKind::pause:
            if (Consumer* consumer = consumers_.find(call.name); consumer != nullptr) {
                consumer->state = ConsumerState::pausing;
            }
            break;
        case CallKind::drain:
            if (const Consumer* consumer = consumers_.find(call.name); consumer != nullptr) {
                call.holder = consumer->holder;
            }
            break;
        case CallKind::recover:
            // Whatever is open, or comes before the answer, is taken back.
            ++recovering_;
            deliveries_.settle_all([this](DeliveryWindow::Holder holder) { settled(holder); });
            break;
        case CallKind::tx_select:
            deliveries_.stop_tracking();
            break;
        default:
            break;
    }
    calls_.add(std::move(call), frame, context_.outbox);
}

bool ChannelMachine::resume(Call call) {
    Consumer* consumer = consumers_.find(call.name);
    if (consumer == nullptr) return false;
    const std::vector<std::byte> frame = consumer->resume_frame(id_);
    if (frame.size() > context_.frame_max) return false;
    call.kind = CallKind::resume;
    call.reply = wire::basic::ConsumeOk::id;
    consumer->state = ConsumerState::resuming;
    calls_.add(std::move(call), frame, context_.outbox);
    return true;
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

// A large message waits its turn, even when nothing else does, and is copied once; one that is lent
// is not copied.
template <class Head>
[[gnu::cold]] void ChannelMachine::hold_body(const Head& head, const Ref<HeldBody>& held,
                                             std::size_t piece, bool large) {
    const std::size_t size = held->octets().size();
    context_.counters.frames_written += (size + piece - 1) / piece - 1;
    ++context_.counters.contents;
    std::byte* const at =
        large || !calls_.idle()
            ? calls_.hold(head.size(), {held, piece, id_}, large)
            : context_.outbox.append_held(head.size(), HeldFrames(held, 0, size, piece, id_));
    (void)head.write(at, id_, size);
}

template <class Head>
[[gnu::cold, gnu::noinline]] void ChannelMachine::hold_message(const Head& head,
                                                               const PublishRequest& rest,
                                                               std::size_t piece, bool large) {
    const Ref<HeldBody> held =
        rest.release != nullptr
            ? HeldBody::lend(rest.body, rest.release, rest.release_data, context_.returned)
            : HeldBody::copy(rest.body, context_.returned);
    try {
        hold_body(head, held, piece, large);
    } catch (...) {
        held->disarm();
        throw;
    }
}

template <class Head>
[[gnu::always_inline]] inline void ChannelMachine::copy_body(const Head& head,
                                                             std::span<const std::byte> body,
                                                             std::size_t piece) {
    std::size_t pieces = 1;
    if (body.size() - 1 >= piece) [[unlikely]] {  // or it is empty
        pieces = (body.size() + piece - 1) / piece;
        context_.counters.frames_written += pieces - 1;
    }
    const std::size_t total = head.size() + body.size() + pieces * wire::frame_overhead;
    ++context_.counters.contents;
    // One stretch for everything, or for one frame at a time where a chunk would be too large.
    const bool direct = calls_.idle();
    const bool together = !direct || total <= Outbox::chunk_capacity;
    std::byte* at =
        direct ? context_.outbox.append(together ? total : head.size()) : calls_.hold(total);
    at = head.write(at, id_, body.size());
    for (std::size_t done = 0; done < body.size();) {
        const std::size_t size = std::min(piece, body.size() - done);
        if (!together) at = context_.outbox.append(size + wire::frame_overhead);
        at = wire::write_frame_header(at, wire::FrameType::body, id_,
                                      static_cast<std::uint32_t>(size));
        std::memcpy(at, body.data() + done, size);
        at = wire::write_frame_end(at + size);
        done += size;
    }
}

template <class Head>
[[gnu::always_inline]] inline Status ChannelMachine::write_message(const Head& head,
                                                                   const PublishRequest& rest,
                                                                   std::uint64_t* sequence) {
    if (head.header_frame_size() > context_.frame_max) [[unlikely]]
        return Status::argument;
    const std::span<const std::byte> body = rest.body;
    const std::size_t piece = context_.frame_max - wire::frame_overhead;
    const bool large = body.size() > large_content;
    // Before it is written: when there is no memory for that, the number is forgotten.
    *sequence = number_publish(rest.data, rest.waiter, body.size());
    if (large || rest.release != nullptr) [[unlikely]] {
        hold_message(head, rest, piece, large);
    } else {
        copy_body(head, body, piece);
    }
    return Status::ok;
}

bool ChannelMachine::write_kept(const KeptPublish& publish, bool marked) {
    const std::span<const std::byte> body = publish.body();
    const std::size_t piece = context_.frame_max - wire::frame_overhead;
    const auto write = [&](const auto& head) {
        if (head.header_frame_size() > context_.frame_max) return false;
        if (publish.held) {
            hold_body(head, publish.held, piece, body.size() > large_content);
        } else {
            copy_body(head, body, piece);
        }
        return true;
    };
    if (!marked) return write(publish.head());
    const MarkedHead head(publish.head());
    return write(PublishHead(head.request, head.properties));
}

template <class Head>
[[gnu::cold, gnu::noinline]] Status ChannelMachine::write_matched(const Head& head,
                                                                  const PublishRequest& rest,
                                                                  std::uint64_t key,
                                                                  std::uint64_t* sequence) {
    returns_.reserve();  // before it is written: then it is taken
    const Status status = write_message(head, rest, sequence);
    if (status == Status::ok) returns_.add(key, rest.body, *ring_);
    return status;
}

Status ChannelMachine::publish(const PublishRequest& request, std::uint64_t* sequence) {
    static constexpr wire::Properties no_properties{};
    const wire::Properties& given =
        request.properties != nullptr ? *request.properties : no_properties;
    if (special_) [[unlikely]] {
        if (ring_ && ring_->kept() != nullptr) return Status::unsupported;
        if (stamps(request.mandatory)) {
            const Stamped stamped = stamp(given, ring_->last() + 1);
            return write_message(PublishHead(request, stamped.properties), request, sequence);
        }
    }
    if (request.mandatory && ring_) [[unlikely]] {
        return write_matched(PublishHead(request, given), request,
                             return_key(request.exchange, request.routing_key, request.properties),
                             sequence);
    }
    return write_message(PublishHead(request, given), request, sequence);
}

Status ChannelMachine::publish(const PreparedHead& head, const PublishRequest& rest,
                               std::uint64_t* sequence) {
    if (special_) [[unlikely]] {
        if (ring_ && ring_->kept() != nullptr) return Status::unsupported;
        if (stamps(head.mandatory())) {
            wire::Properties properties;
            return publish(head.request(&properties, rest), sequence);
        }
    }
    if (head.mandatory() && ring_) [[unlikely]]
        return write_matched(head, rest, head.return_key(), sequence);
    return write_message(head, rest, sequence);
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
    const bool cut = calls_.body_is_begun();
    // The rest of a content of which a part has left too: RabbitMQ ends a connection for a close-ok
    // in the middle of one (505).
    const Outbox::Purged purged = context_.outbox.purge(id_, !cut);
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
        const ErrorRef cause(error.get());
        ++context_.counters.channels_lost;
        if (keeps_ && !context_.closing) {
            lose(cause, purged.messages, events);
        } else {
            end(cause, purged.messages, events);
        }
        if (cut) note_broken(cause);
    }
    if (!context_.closing && !cut) {
        const wire::channel::CloseOk ok{};
        ++context_.counters.frames_written;
        wire::write_method_frame(context_.outbox.append(wire::method_frame_size(ok)), id_, ok);
    }
    state_ = asked && !purged.channel_close ? ChannelState::closing : ChannelState::closed;
    return std::nullopt;
}

std::optional<Violation> ChannelMachine::on_close_ok(EventList& events) {
    if (owner_ != nullptr) {
        Token closer = nullptr;
        if (close_in_flight()) {
            note_answered(calls_.current());
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

std::uint64_t ChannelMachine::count_waiting_publishes() const {
    std::uint64_t count = 0;
    for (const CallQueue::Waiting& item : calls_.waiting()) {
        if (item.is_call) continue;
        std::span<const std::byte> frames = item.frames;
        while (!frames.empty()) {
            const auto parsed = wire::parse_frame(frames, 0);
            if (parsed.frame.type == wire::FrameType::method &&
                wire::read_method_id(parsed.frame.payload) == wire::basic::Publish::id) {
                ++count;
            }
            frames = frames.subspan(parsed.size);
        }
    }
    return count;
}

void ChannelMachine::add_outcomes(std::size_t ranges, const ErrorRef& why, EventList& events) {
    for (; ranges > 0; --ranges) {
        MachineEvent& event = add_event(events, EventKind::outcomes);
        event.ring = ring_;
        event.error = why;
    }
}

void ChannelMachine::end(const ErrorRef& error, std::uint64_t unsent, EventList& events) {
    const ErrorRef closed =
        error ? error
              : insist([this] { return channel_error(Status::closed, "the channel was closed"); });
    // Publishes that never reached the outbox are not sent either.
    unsent += count_waiting_publishes();
    if (ring_) {
        add_outcomes(ring_->end(unsent), closed, events);
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
    end_bodies(closed, events);
    cut_delivery(closed, events);
    calls_.clear();
    for (const Drain& drain : drains_) {
        MachineEvent& event = add_event(events, EventKind::call_done);
        event.subject = drain.token;
        event.error = closed;
    }
    context_.drains -= drains_.size();
    drains_.clear();
    for (auto& [tag, consumer] : consumers_) {
        if (consumer.token == nullptr) continue;
        MachineEvent& event = add_event(events, EventKind::consumer_cancelled);
        event.subject = consumer.token;
        event.silent = consumer.state == ConsumerState::starting && !consumer.restored;
        event.error = error;
    }
    consumers_.clear();
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
    ++context_.counters.frames_written;
    wire::write_method_frame(context_.outbox.append(wire::method_frame_size(method)), id_, method);
}

// A connection that is closing already ends by that.
void ChannelMachine::note_broken(const ErrorRef& error) {
    if (!context_.closing) context_.broken = error;
}

void ChannelMachine::fail(std::uint16_t reply_code, const ErrorRef& error, EventList& events) {
    ++context_.counters.channels_lost;
    if (state_ == ChannelState::opening) {
        end(error, 0, events);
        close_when_opened_ = true;
        return;
    }
    // A message of which a part has left is completed first: a close in the middle of it would end
    // the connection, as one does whose rest nobody here has.
    calls_.write_rest(context_.outbox);
    const bool asked = close_in_flight();
    const bool cut = calls_.body_is_begun();
    const Outbox::Purged purged = context_.outbox.purge(id_, !cut);
    end(error, purged.messages, events);
    if (cut) {
        note_broken(error);
        return;
    }
    if (!asked || purged.channel_close) write_close(reply_code, error->message);
}

// ---- time

Instant ChannelMachine::deadline() const {
    Instant first = Instant::never();
    if (calls_.in_flight() && !calls_.current().failed) first = calls_.current().deadline;
    for (const CallQueue::Waiting& item : calls_.waiting()) {
        if (item.is_call && !item.call.failed) first = std::min(first, item.call.deadline);
    }
    for (const Drain& drain : drains_)
        first = std::min(first, drain.deadline);
    return first;
}

void ChannelMachine::expire(Instant now, EventList& events) {
    const auto late = [now](const Call& call) { return !call.failed && call.deadline <= now; };
    const auto expire_call = [&](Call& call, bool written) {
        call.failed = true;
        if (const Token token = std::exchange(call.token, nullptr); token != nullptr) {
            MachineEvent& event = add_event(events, EventKind::call_done);
            event.subject = token;
            event.error = insist([&] {
                return channel_error(Status::timeout,
                                     "no " + method_name(call.reply) + " from the broker in time" +
                                         (written ? ""
                                                  : " (the method was not written: it waited for "
                                                    "the answer to an earlier one)"));
            });
        }
        Consumer* consumer = consumers_.find(call.name);
        if (consumer == nullptr) return;
        if (call.kind == CallKind::consume) {
            // Known without an owner until the late answer; not at all if there will be none.
            MachineEvent& event = add_event(events, EventKind::consumer_cancelled);
            event.subject = std::exchange(consumer->token, nullptr);
            event.silent = true;
            if (!written) consumers_.remove(call.name);
        } else if (!written && call.kind == CallKind::pause) {
            consumer->state = ConsumerState::running;
        } else if (!written && call.kind == CallKind::resume) {
            consumer->state = ConsumerState::paused;
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
    const auto first_late = std::stable_partition(
        drains_.begin(), drains_.end(), [now](const Drain& drain) { return drain.deadline > now; });
    for (auto drain = first_late; drain != drains_.end(); ++drain)
        tell_drained(*drain, events);
    drains_.erase(first_late, drains_.end());
    calls_.advance(context_.outbox);
}

std::size_t ChannelMachine::unanswered_calls() const {
    std::size_t count = calls_.in_flight() ? 1 : 0;
    for (const CallQueue::Waiting& item : calls_.waiting())
        count += item.is_call ? 1 : 0;
    return count;
}

// ---- settling

void ChannelMachine::write_ack(wire::basic::Ack ack) {
    // What waits for its turn is not in the outbox yet, and comes before this.
    const bool direct = calls_.idle();
    std::byte* const last = direct ? context_.outbox.last_frame(id_) : nullptr;
    if (last != nullptr && !ack.multiple) {
        const std::uint64_t latest = std::max(last_ack_tag_, ack.delivery_tag);
        if (deliveries_.settled_up_to(latest)) {
            constexpr std::size_t arguments = wire::frame_header_size + wire::method_id_size;
            constexpr std::byte multiple{1};
            last_ack_tag_ = latest;
            *wire::store_big(last + arguments, latest) = multiple;
            return;
        }
    }
    std::byte* const at = frame(wire::method_frame_size(ack));
    wire::write_method_frame(at, id_, ack);
    if (!direct) return;
    context_.outbox.keep_last(at, id_);
    last_ack_tag_ = ack.delivery_tag;
}

// ---- draining

void ChannelMachine::tell_drained(const Drain& drain, EventList& events) {
    MachineEvent& event = add_event(events, EventKind::call_done);
    event.subject = drain.token;
    event.message_count = static_cast<std::uint32_t>(drain.open);
    --context_.drains;
}

void ChannelMachine::finish_drains(EventList& events) {
    for (std::size_t i = 0; i < drains_.size();) {
        Drain& drain = drains_[i];
        // What settled the last one may still wait behind a call.
        if (drain.open == 0 && !drain.mark && calls_.waiting().empty()) {
            drain.mark = context_.outbox.mark();
        }
        if (!drain.mark || !context_.outbox.has_left(*drain.mark)) {
            ++i;
            continue;
        }
        tell_drained(drain, events);
        drains_.erase(drains_.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

}  // namespace haigha::protocol
