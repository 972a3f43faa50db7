#include "protocol/connection_machine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/insist.h"
#include "protocol/reply_codes.h"
#include "wire/method_table.h"
#include "wire/whole_content.h"

namespace haigha::protocol {

namespace {

using wire::MethodId;

}  // namespace

ConnectionMachine::ConnectionMachine(ConnectionParameters parameters, Ref<SlabPool> slabs,
                                     Ref<ChunkPool> chunks, ReturnedBodies* returned)
    : parameters_(std::move(parameters)), context_(std::move(chunks), returned) {
    context_.slabs = std::move(slabs);
    context_.host = parameters_.host;
    context_.max_message_size = parameters_.max_message_size;
    channels_.resize(1);
}

Stage ConnectionMachine::stage() const {
    switch (state_) {
        case ConnectionState::idle:
        case ConnectionState::await_start:
        case ConnectionState::await_tune:
            return Stage::handshake;
        case ConnectionState::await_open:
            return Stage::open;
        case ConnectionState::open:
        case ConnectionState::closing:
        case ConnectionState::closed:
            return Stage::ready;
    }
    return Stage::none;
}

Ref<Error> ConnectionMachine::connection_error(Status status, std::string message) const {
    Ref<Error> error = edit_error(*make_error(status, std::move(message), stage()));
    error->host = parameters_.host;
    return error;
}

// ---- input

void ConnectionMachine::start(Instant now) {
    std::memcpy(context_.outbox.append(wire::protocol_header.size()), wire::protocol_header.data(),
                wire::protocol_header.size());
    state_ = ConnectionState::await_start;
    heartbeat_.start(0, now);
}

std::uint32_t ConnectionMachine::frame_limit() const {
    return context_.frame_max != 0 ? context_.frame_max : handshake_frame_max;
}

std::size_t ConnectionMachine::feed(std::span<const std::byte> in, Instant now, EventList& events) {
    if (state_ == ConnectionState::closed) return in.size();
    wanted_ = 0;
    if (in.empty()) return 0;
    heartbeat_.note_received(now);
    if (!greeted_ && !check_greeting(in, events)) {
        return state_ == ConnectionState::closed ? in.size() : 0;
    }
    std::size_t at = 0;
    const std::size_t enough = events.size() + events_per_feed;
    while (at < in.size() && events.size() < enough) {
        const std::span<const std::byte> rest = in.subspan(at);
        if (const std::size_t taken = feed_delivery(rest, events); taken > 0) [[likely]] {
            at += taken;
            continue;
        }
        const wire::FrameParse parsed = wire::parse_frame(rest, frame_limit());
        if (parsed.status != wire::FrameParse::Status::complete) {
            if (parsed.status == wire::FrameParse::Status::need_more) {
                wanted_ = parsed.size;
                break;
            }
            bad_frame(parsed.status, rest, events);
            return in.size();
        }
        wanted_ = missing_delivery(parsed.frame, rest.subspan(parsed.size));
        if (wanted_ > 0) {
            wanted_ += parsed.size;
            break;
        }
        on_frame(parsed.frame, now, events);
        if (state_ == ConnectionState::closed) return in.size();
        at += parsed.size;
    }
    check_room(events);
    check_drains(events);
    write_close_when_drained();
    return at;
}

// A delivery that is there whole is taken in one step, in place. Returns how much that was; 0 when
// there is none, or when it is not to be taken like that.
std::size_t ConnectionMachine::feed_delivery(std::span<const std::byte> in, EventList& events) {
    if (state_ != ConnectionState::open) return 0;
    wire::WholeContent content;
    if (!wire::parse_whole_content(in, wire::basic::Deliver::id, context_.frame_max, content) ||
        content.header.body_size > context_.max_message_size) {
        return 0;
    }
    const std::uint16_t number = content.channel;
    if (number >= channels_.size() || channels_[number] == nullptr) return 0;
    ChannelMachine& channel = *channels_[number];
    wire::basic::Deliver method{};
    if (!channel.takes_whole_delivery() || !wire::decode_method(content.arguments, method)) {
        return 0;
    }
    channel.deliver(method, content.header.properties, content.body, nullptr, events);
    return content.size;
}

// What follows the method of a delivery is waited for, when all of it fits one frame, so that the
// message need not be assembled: how many octets of it that takes. 0 when it is not like that.
std::size_t ConnectionMachine::missing_delivery(const wire::Frame& frame,
                                                std::span<const std::byte> after) const {
    if (state_ != ConnectionState::open || frame.type != wire::FrameType::method ||
        wire::read_method_id(frame.payload) != wire::basic::Deliver::id ||
        frame.channel >= channels_.size() || channels_[frame.channel] == nullptr ||
        !channels_[frame.channel]->takes_whole_delivery()) {
        return 0;
    }
    using Status = wire::FrameParse::Status;
    const wire::FrameParse second = wire::parse_frame(after, context_.frame_max);
    if (second.status == Status::need_more) return second.size;
    wire::ContentHeader header;
    if (second.status != Status::complete || second.frame.type != wire::FrameType::header ||
        second.frame.channel != frame.channel ||
        !wire::parse_content_header(second.frame.payload, header) ||
        header.class_id != wire::basic::Deliver::id.class_id || header.body_size == 0 ||
        header.body_size > context_.frame_max - wire::frame_overhead ||
        header.body_size > context_.max_message_size) {
        return 0;
    }
    const wire::FrameParse third =
        wire::parse_frame(after.subspan(second.size), context_.frame_max);
    return third.status == Status::need_more ? second.size + third.size : 0;
}

void ConnectionMachine::bad_frame(wire::FrameParse::Status status, std::span<const std::byte> at,
                                  EventList& events) {
    switch (status) {
        case wire::FrameParse::Status::complete:
        case wire::FrameParse::Status::need_more:
            return;
        case wire::FrameParse::Status::unknown_type:
            violated(frame_error,
                     "a frame of unknown type " + std::to_string(static_cast<unsigned>(at[0])),
                     events);
            return;
        case wire::FrameParse::Status::too_large:
            violated(frame_error,
                     static_cast<wire::FrameType>(at[0]) == wire::FrameType::heartbeat
                         ? std::string("a heartbeat that carries something")
                         : "a frame over the limit of " + std::to_string(frame_limit()) + " bytes",
                     events);
            return;
        case wire::FrameParse::Status::too_small:
            violated(frame_error, "a frame whose size does not fit its type", events);
            return;
        case wire::FrameParse::Status::bad_end:
            violated(frame_error, "a frame that does not end in 0xCE", events);
            return;
    }
}

void ConnectionMachine::on_frame(const wire::Frame& frame, Instant now, EventList& events) {
    if (frame.type == wire::FrameType::heartbeat) {
        if (frame.channel != 0) {
            violated(frame_error, "a heartbeat on channel " + std::to_string(frame.channel),
                     events);
        }
        return;
    }
    if (frame.channel != 0) {
        on_channel_frame(frame, events);
        return;
    }
    if (frame.type != wire::FrameType::method) {
        violated(channel_error, "content on channel 0", events);
        return;
    }
    on_connection_method(*wire::read_method_id(frame.payload), frame.payload.subspan(4), now,
                         events);
}

void ConnectionMachine::on_connection_method(MethodId id, std::span<const std::byte> arguments,
                                             Instant now, EventList& events) {
    if (id == wire::connection::Close::id) {
        on_close(arguments, events);
        return;
    }
    switch (state_) {
        case ConnectionState::idle:
        case ConnectionState::closed:
            return;
        case ConnectionState::await_start:
        case ConnectionState::await_tune:
        case ConnectionState::await_open:
            on_handshake_method(id, arguments, now, events);
            return;
        case ConnectionState::closing:
            if (id == wire::connection::CloseOk::id) end(nullptr, true, events);
            return;
        case ConnectionState::open:
            break;
    }
    if (id == wire::connection::Blocked::id) {
        wire::connection::Blocked method{};
        if (!wire::decode_method(arguments, method)) {
            violated(syntax_error, "connection.blocked cannot be decoded", events);
            return;
        }
        blocked_ = true;
        const Ref<Error> reason =
            connection_error(Status::would_block,
                             "the broker takes no publishes: " + std::string(method.reason.text));
        reason->reply_text = std::string(method.reason.text);
        MachineEvent& event = events.emplace_back();
        event.kind = EventKind::blocked;
        event.error = ErrorRef(reason.get());
    } else if (id == wire::connection::Unblocked::id) {
        blocked_ = false;
        events.emplace_back().kind = EventKind::unblocked;
        gate_opened(events);
    } else if (id == wire::connection::UpdateSecretOk::id && !secrets_.empty()) {
        on_secret_updated(events);
    } else {
        const wire::MethodInfo* info = wire::find_method(id);
        violated(command_invalid,
                 (info != nullptr ? std::string(info->name) : std::string("an unknown method")) +
                     " on an open connection",
                 events);
    }
}

void ConnectionMachine::on_close(std::span<const std::byte> arguments, EventList& events) {
    wire::connection::Close method{};
    if (!wire::decode_method(arguments, method)) {
        violated(syntax_error, "connection.close cannot be decoded", events);
        return;
    }
    const bool auth =
        method.reply_code == access_refused &&
        (state_ == ConnectionState::await_tune || state_ == ConnectionState::await_start);
    std::string message =
        auth ? "the broker refused the credentials: " : "the broker closed the connection: ";
    message += method.reply_text.text;
    if (message.find(std::to_string(method.reply_code)) == std::string::npos) {
        message += " (" + std::to_string(method.reply_code) + ")";
    }
    const Ref<Error> error = connection_error(
        auth ? Status::auth : Status::connection_closed_by_broker, std::move(message));
    error->reply_code = method.reply_code;
    error->reply_text = std::string(method.reply_text.text);
    error->class_id = method.class_id;
    error->method_id = method.method_id;
    if (const auto* info = wire::find_method({method.class_id, method.method_id})) {
        error->method_name = info->name.data();
    }
    const bool was_closing = state_ == ConnectionState::closing;
    end(was_closing ? ErrorRef() : ErrorRef(error.get()), true, events);
    write(wire::connection::CloseOk{});
}

void ConnectionMachine::on_channel_frame(const wire::Frame& frame, EventList& events) {
    if (state_ != ConnectionState::open && state_ != ConnectionState::closing) {
        violated(channel_error, "a frame on a channel before the connection is open", events);
        return;
    }
    const std::uint16_t number = frame.channel;
    const bool closing = state_ == ConnectionState::closing;
    if (number >= channels_.size() || channels_[number] == nullptr) {  // rule 107
        if (closing) return;
        violated(channel_error,
                 "a frame on channel " + std::to_string(number) + ", which is not open", events);
        return;
    }
    ChannelMachine& channel = *channels_[number];
    std::optional<Violation> violation;
    switch (frame.type) {
        case wire::FrameType::method:
            violation =
                channel.on_method(*wire::read_method_id(frame.payload), frame.payload, events);
            break;
        case wire::FrameType::header:
            violation = channel.on_header(frame.payload, events);
            break;
        case wire::FrameType::body:
            violation = channel.on_body(frame.payload, events);
            break;
        case wire::FrameType::heartbeat:
            break;
    }
    if (violation && closing) return;  // of no interest any more
    if (violation) {
        violated(violation->reply_code,
                 violation->text + " (channel " + std::to_string(number) + ")", events);
        return;
    }
    if (context_.broken) [[unlikely]] {
        end_broken(std::exchange(context_.broken, ErrorRef()), events);
        return;
    }
    if (channel.flow_active && channel.refused) gate_opened(events);
    settle_channel(channel);
}

// After anything that may have let go what waits on a channel, or ended it.
void ConnectionMachine::settle_channel(ChannelMachine& channel) {
    if (channel.calls().large_is_next()) enlist(channel);
    if (channel.state() != ChannelState::closed) return;
    std::erase(large_, channel.id());
    channels_[channel.id()].reset();
    --channel_count_;
}

// ---- the end

void ConnectionMachine::violated(std::uint16_t reply_code, const std::string& text,
                                 EventList& events) {
    const Ref<Error> error =
        connection_error(Status::protocol, "the broker broke the protocol: it sent " + text);
    // While closing, what was asked for has happened, if not with the last courtesy.
    const bool closing = state_ == ConnectionState::closing;
    const bool can_close = state_ == ConnectionState::open ||
                           state_ == ConnectionState::await_open ||
                           state_ == ConnectionState::await_tune;
    end(closing ? ErrorRef() : ErrorRef(error.get()), true, events);
    if (can_close) {
        wire::connection::Close close{};
        close.reply_code = reply_code;
        close.reply_text = {std::string_view(text).substr(0, wire::max_short_string)};
        write(close);
    }
}

void ConnectionMachine::transport_failed(const ErrorRef& error, EventList& events) {
    if (state_ == ConnectionState::closed) return;
    end(insist([&] { return placed(error); }), false, events);
}

// With what is known of where and when.
ErrorRef ConnectionMachine::placed(const ErrorRef& error) const {
    ErrorRef cause = error;
    if (state_ == ConnectionState::await_tune && error && error->status == Status::io) {  // rule 99
        const Ref<Error> better = edit_error(*error);
        better->message += "; it had just been given the credentials, so it probably refused them";
        cause = ErrorRef(better.get());
    }
    if (cause && (cause->stage == Stage::none || cause->host.empty())) {
        const Ref<Error> placed = edit_error(*cause);
        if (placed->stage == Stage::none) placed->stage = stage();
        placed->host = parameters_.host;
        cause = ErrorRef(placed.get());
    }
    return cause;
}

void ConnectionMachine::end(const ErrorRef& error, bool output, EventList& events) {
    if (state_ == ConnectionState::closed) return;
    state_ = ConnectionState::closed;
    ErrorRef cause = error;
    if (!cause) {
        cause = insist([this] {
            return ErrorRef(connection_error(Status::closed, "the connection was closed").get());
        });
    }
    for (const auto& channel : channels_) {
        if (channel != nullptr) channel->calls().write_rest(context_.outbox);
    }
    auto unsent = insist([this] { return std::vector<std::uint64_t>(channels_.size()); });
    if (output) {
        // Its one allocation comes before anything is purged.
        insist([&] { context_.outbox.purge_channels(unsent); });
    } else {
        insist([&] {
            std::fill(unsent.begin(), unsent.end(), 0);
            context_.outbox.count_unsent(unsent);
        });
        context_.outbox.clear();
    }
    const bool keep = parameters_.keeps_channels && error && !close_requested_;
    for (std::size_t number = 1; number < channels_.size(); ++number) {
        if (channels_[number] == nullptr || channels_[number]->owner() == nullptr) continue;
        if (keep) {
            channels_[number]->lose(cause, unsent[number], events);
        } else {
            channels_[number]->end(cause, unsent[number], events);
        }
    }
    channels_.clear();
    insist([this] { channels_.resize(1); });
    channel_count_ = 0;
    for (const Call& call : secrets_) {
        if (call.token == nullptr) continue;
        MachineEvent& event = events.emplace_back();
        event.kind = EventKind::call_done;
        event.subject = call.token;
        event.error = cause;
    }
    secrets_.clear();
    awaited_ = Awaited::nothing;
    large_.clear();
    any_refused_ = false;  // room is nobody's any more: nothing is told after the last event
    MachineEvent& event = events.emplace_back();
    event.kind = EventKind::connection_closed;
    event.error = error;
    context_.ended = true;
}

// ---- time

Instant ConnectionMachine::deadline() const {
    if (state_ == ConnectionState::closed) return Instant::never();
    Instant first = std::min(heartbeat_.deadline(), watch_at_);
    for (const Call& call : secrets_) {
        if (call.token != nullptr) first = std::min(first, call.deadline);
    }
    for (const auto& channel : channels_) {
        if (channel != nullptr) first = std::min(first, channel->deadline());
    }
    return first;
}

void ConnectionMachine::expire(Instant now, EventList& events) {
    if (state_ == ConnectionState::closed) return;
    if (!reading_) heartbeat_.note_received(now);
    if (heartbeat_.peer_is_dead(now)) {
        const Ref<Error> error =
            connection_error(Status::heartbeat,
                             "nothing was heard from the broker for two heartbeat intervals (2 x " +
                                 std::to_string(heartbeat_s_) + " s)");
        end(ErrorRef(error.get()), false, events);
        return;
    }
    // Only when nothing else waits: bytes that cannot go out would not be helped by a heartbeat.
    if (heartbeat_.must_send(now)) {
        if (context_.outbox.empty()) {
            std::byte* at = context_.outbox.append(wire::frame_overhead);
            at = wire::write_frame_header(at, wire::FrameType::heartbeat, 0, 0);
            *at = wire::frame_end;
        }
        heartbeat_.note_sent(now);
    }
    expire_secrets(now, events);
    if (watch_at_ <= now) watch_deliveries(now, events);
    for (const auto& channel : channels_) {
        if (channel == nullptr) continue;
        channel->expire(now, events);
        settle_channel(*channel);
    }
    if (context_.broken) {
        end_broken(std::exchange(context_.broken, ErrorRef()), events);
        return;
    }
    check_room(events);
    check_drains(events);
    write_close_when_drained();
}

void ConnectionMachine::start_watch(Instant now) {
    const std::int64_t limit = parameters_.delivery_warning.nanoseconds;
    if (limit <= 0) return;
    constexpr auto ticks = static_cast<std::int64_t>(DeliveryWatch::ticks);
    watch_at_ = now + Duration{std::max<std::int64_t>(limit / ticks, 1)};
}

void ConnectionMachine::watch_deliveries(Instant now, EventList& events) {
    start_watch(now);
    for (const auto& channel : channels_) {
        if (channel != nullptr) channel->watch_deliveries(events);
    }
}

// ---- output

void ConnectionMachine::enlist(ChannelMachine& channel) {
    if (channel.enlisted) return;
    channel.enlisted = true;
    large_.push_back(channel.id());  // each channel has room
}

void ConnectionMachine::pump(std::size_t limit) {
    while (!large_.empty() && context_.outbox.size() < limit) {
        const std::uint16_t number = large_.front();
        large_.erase(large_.begin());
        ChannelMachine& channel = *channels_[number];
        channel.enlisted = false;
        if (channel.calls().large_is_next() && channel.calls().write_large_frame(context_.outbox)) {
            enlist(channel);
        }
    }
    write_close_when_drained();
}

void ConnectionMachine::sent(std::size_t size, Instant now, EventList& events) {
    context_.outbox.consume(size);
    heartbeat_.note_sent(now);
    check_room(events);
    check_drains(events);
    if (context_.bodies > 0) [[unlikely]]
        tell_bodies(events);
}

void ConnectionMachine::finish_drains(EventList& events) {
    for (const auto& channel : channels_) {
        if (channel != nullptr) channel->finish_drains(events);
    }
}

void ConnectionMachine::check_room(EventList& events) {
    if (outbox_full_ && !publishes_stopped_ && bytes_waiting() <= parameters_.outbox_low_water) {
        outbox_full_ = false;
        gate_opened(events);
    }
}

void ConnectionMachine::gate_opened(EventList& events) {
    if (!any_refused_ || blocked_ || outbox_full_) return;
    any_refused_ = false;
    bool told = false;
    for (const auto& channel : channels_) {
        if (channel == nullptr || !channel->refused) continue;
        if (!channel->flow_active || channel->in_flight_is_full()) {
            any_refused_ = true;
            continue;
        }
        channel->refused = false;
        told = true;
        MachineEvent& event = events.emplace_back();
        event.kind = EventKind::writable;
        event.channel = channel->id();
        event.owner = channel->owner();
    }
    // Also when the channel that was refused has ended meanwhile, but not for one that the broker
    // still holds back.
    if (told || !any_refused_) events.emplace_back().kind = EventKind::writable;
}

// ---- verbs

void ConnectionMachine::close(std::uint16_t reply_code, std::string_view text) {
    if (close_requested_ || state_ != ConnectionState::open) return;
    close_requested_ = true;
    close_code_ = reply_code;
    close_text_ = text.substr(0, wire::max_short_string);
    write_close_when_drained();
}

void ConnectionMachine::write_close_when_drained() {
    if (!close_requested_ || state_ != ConnectionState::open) return;
    if (!drained() && (context_.bodies == 0 || context_.waiting_bytes > stuck_bytes())) return;
    wire::connection::Close method{};
    method.reply_code = close_code_;
    method.reply_text = {close_text_};
    insist([&] { write(method); });
    context_.closing = true;
    state_ = ConnectionState::closing;
}

ChannelMachine* ConnectionMachine::find(ChannelId channel) const {
    if (channel.number >= channels_.size()) return nullptr;
    ChannelMachine* machine = channels_[channel.number].get();
    return machine != nullptr && machine->owner() == channel.owner ? machine : nullptr;
}

Status ConnectionMachine::find_open(ChannelId channel, ChannelMachine** machine) const {
    *machine = find(channel);
    if (*machine == nullptr || (*machine)->ending() || close_requested_) return Status::closed;
    return Status::ok;
}

Status ConnectionMachine::find_for_call(ChannelId channel, const Call& call,
                                        ChannelMachine** machine) {
    if (const Status status = find_open(channel, machine); status != Status::ok) return status;
    if (!call.opens && bytes_waiting() > parameters_.outbox_high_water + control_slack) {
        outbox_full_ = true;
        refuse(**machine);
        return Status::would_block;
    }
    if (call.kind == CallKind::consume && (*machine)->has_consumer(call.name)) {
        return Status::unsupported;
    }
    const ConsumerState consumer = call.kind == CallKind::drain || call.kind == CallKind::pause
                                       ? (*machine)->consumer_state(call.name)
                                       : ConsumerState::none;
    const bool refused = (call.kind == CallKind::drain && (consumer == ConsumerState::none ||
                                                           !(*machine)->deliveries().tracks())) ||
                         (call.kind == CallKind::pause && consumer != ConsumerState::running);
    return refused ? Status::unsupported : Status::ok;
}

Status ConnectionMachine::resume(ChannelId channel, Call call) {
    ChannelMachine* machine = nullptr;
    if (const Status status = find_for_call(channel, call, &machine); status != Status::ok) {
        return status;
    }
    if (machine->consumer_state(call.name) != ConsumerState::paused) return Status::unsupported;
    return machine->resume(std::move(call)) ? Status::ok : Status::argument;
}

ConsumerState ConnectionMachine::consumer_state(ChannelId channel, std::string_view tag) const {
    ChannelMachine* machine = find(channel);
    return machine != nullptr ? machine->consumer_state(tag) : ConsumerState::none;
}

const DeliveryWindow* ConnectionMachine::deliveries(ChannelId channel) const {
    const ChannelMachine* machine = find(channel);
    return machine != nullptr ? &machine->deliveries() : nullptr;
}

bool ConnectionMachine::has_come(ChannelId channel, std::uint64_t delivery_tag) const {
    const ChannelMachine* machine = find(channel);
    return machine != nullptr && delivery_tag > machine->delivery_base() &&
           machine->deliveries().has_come(delivery_tag - machine->delivery_base());
}

Status ConnectionMachine::open_channel(Token owner, Call open, std::uint16_t* number,
                                       ChannelBases bases, std::uint16_t preferred) {
    if (state_ != ConnectionState::open || close_requested_) return Status::closed;
    if (channel_count_ >= channel_max_) return Status::channel_limit;
    // So that what was taken is not refused afterwards.
    if (large_.capacity() <= channel_count_) large_.reserve(2 * std::size_t{channel_count_} + 2);
    // The least recently used number, so that a late frame of an old channel does not meet a new
    // one.
    std::uint32_t candidate = next_channel_;
    if (preferred > 0 && preferred <= channel_max_) {
        if (preferred >= channels_.size()) channels_.resize(std::size_t{preferred} + 1);
        if (channels_[preferred] == nullptr) candidate = preferred;
    }
    while (candidate < channels_.size() && channels_[candidate] != nullptr) {
        candidate = candidate >= channel_max_ ? 1 : candidate + 1;
    }
    if (candidate >= channels_.size() || candidate > channel_max_) {
        // Rather an old number than a longer table.
        const bool none = channel_count_ + 1 == channels_.size();
        const auto free =
            none ? channels_.end() : std::find(channels_.begin() + 1, channels_.end(), nullptr);
        candidate = static_cast<std::uint32_t>(free - channels_.begin());
        if (free == channels_.end()) channels_.emplace_back();
    }
    next_channel_ = static_cast<std::uint16_t>(candidate >= channel_max_ ? 1 : candidate + 1);
    *number = static_cast<std::uint16_t>(candidate);
    channels_[candidate] = std::make_unique<ChannelMachine>(*number, owner, context_, bases);
    ++channel_count_;
    channels_[candidate]->open(std::move(open));
    return Status::ok;
}

Status ConnectionMachine::close_channel(ChannelId channel, Call call) {
    ChannelMachine* machine = find(channel);
    if (machine == nullptr || machine->ending() || close_requested_) return Status::closed;
    machine->close(std::move(call));
    return Status::ok;
}

template <class Publish>
Status ConnectionMachine::publish_on(ChannelId channel, Publish publish) {
    ChannelMachine* machine = nullptr;
    if (const Status status = find_open(channel, &machine); status != Status::ok) return status;
    if (bytes_waiting() >= parameters_.outbox_high_water) outbox_full_ = true;
    if (blocked_ || outbox_full_ || !machine->flow_active || machine->in_flight_is_full())
        [[unlikely]] {
        if (publishes_stopped_) return Status::closed;
        refuse(*machine);
        return Status::would_block;
    }
    if (const Status status = publish(*machine); status != Status::ok) return status;
    if (machine->calls().large_is_next()) enlist(*machine);
    return Status::ok;
}

Status ConnectionMachine::publish(ChannelId channel, const PublishRequest& request,
                                  std::uint64_t* sequence) {
    return publish_on(channel,
                      [&](ChannelMachine& machine) { return machine.publish(request, sequence); });
}

Status ConnectionMachine::publish(ChannelId channel, const PreparedHead& head,
                                  const PublishRequest& rest, std::uint64_t* sequence) {
    return publish_on(
        channel, [&](ChannelMachine& machine) { return machine.publish(head, rest, sequence); });
}

Status ConnectionMachine::publish_kept(ChannelId channel, Instant now, std::uint64_t* sequence,
                                       const PublishRequest& request) {
    return publish_on(channel, [&](ChannelMachine& machine) {
        return machine.publish_kept(now, sequence, request);
    });
}

Status ConnectionMachine::publish_kept(ChannelId channel, Instant now, std::uint64_t* sequence,
                                       const PreparedHead& head, const PublishRequest& rest) {
    return publish_on(channel, [&](ChannelMachine& machine) {
        return machine.publish_kept(now, sequence, head, rest);
    });
}

Status ConnectionMachine::begin_body(ChannelId channel, const PreparedHead& head,
                                     std::uint64_t size, Token writer, void* data,
                                     std::uint64_t* sequence) {
    return publish_on(channel, [&](ChannelMachine& machine) {
        return machine.begin_body(head, size, writer, data, sequence);
    });
}

void ConnectionMachine::outcomes_taken(ChannelId channel, EventList& events) {
    const ChannelMachine* machine = find(channel);
    if (machine != nullptr && machine->refused && !machine->in_flight_is_full()) {
        gate_opened(events);
    }
}

void ConnectionMachine::refuse(ChannelMachine& channel) {
    channel.refused = true;
    any_refused_ = true;
}

bool ConnectionMachine::mark_qos(ChannelId channel) {
    ChannelMachine* machine = find(channel);
    if (machine == nullptr) return true;
    const bool known = machine->qos_known();
    machine->set_qos_known();
    return known;
}

std::size_t ConnectionMachine::consumer_count(ChannelId channel) const {
    const ChannelMachine* machine = find(channel);
    return machine != nullptr ? machine->consumer_count() : 0;
}

}  // namespace haigha::protocol
