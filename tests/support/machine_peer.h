// The other side of a ConnectionMachine in a test: says a broker's frames, reads what the machine
// says, and turns both that and the events into lines of text.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/connection_machine.h"
#include "support/octets.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"
#include "wire/method_table.h"

namespace haigha::test {

using Lines = std::vector<std::string>;

// ---- a broker's frames

inline Octets raw_frame(unsigned type, std::uint16_t channel, std::span<const std::byte> payload) {
    Octets out(wire::frame_overhead + payload.size());
    std::byte* at = wire::write_frame_header(out.data(), static_cast<wire::FrameType>(type),
                                             channel, static_cast<std::uint32_t>(payload.size()));
    for (const std::byte octet : payload)
        *at++ = octet;
    *at = wire::frame_end;
    return out;
}

template <class Method>
Octets method_frame(std::uint16_t channel, const Method& method) {
    Octets out(wire::method_frame_size(method));
    wire::write_method_frame(out.data(), channel, method);
    return out;
}

inline Octets header_frame(std::uint16_t channel, std::uint64_t body_size,
                           std::uint16_t class_id = 60) {
    Octets out(wire::content_header_frame_size(2));
    std::byte* at = wire::write_content_header(out.data(), channel, class_id, body_size, 2);
    *at++ = std::byte{0};
    *at++ = std::byte{0};
    *at = wire::frame_end;
    return out;
}

inline Octets body_frame(std::uint16_t channel, std::string_view body) {
    return raw_frame(3, channel, std::as_bytes(std::span(body)));
}

// A whole content in body frames of at most `piece` bytes.
template <class Method>
Octets content(std::uint16_t channel, const Method& method, std::string_view body,
               std::size_t piece = 4088) {
    Octets out = joined(method_frame(channel, method), header_frame(channel, body.size()));
    for (; !body.empty(); body.remove_prefix(std::min(piece, body.size())))
        out = joined(out, body_frame(channel, body.substr(0, piece)));
    return out;
}

inline wire::basic::Deliver deliver_method(std::string_view consumer_tag, std::uint64_t tag) {
    wire::basic::Deliver method{};
    method.consumer_tag = {consumer_tag};
    method.delivery_tag = tag;
    method.exchange = {"x"};
    method.routing_key = {"k"};
    return method;
}

inline wire::channel::Close channel_close(std::uint16_t code, std::string_view text) {
    wire::channel::Close method{};
    method.reply_code = code;
    method.reply_text = {text};
    return method;
}

inline wire::connection::Close connection_close(std::uint16_t code, std::string_view text) {
    wire::connection::Close method{};
    method.reply_code = code;
    method.reply_text = {text};
    return method;
}

inline wire::connection::Start start_method(std::string_view mechanisms = "PLAIN AMQPLAIN") {
    wire::connection::Start method{};
    method.version_minor = 9;
    method.mechanisms = {mechanisms};
    method.locales = {"en_US"};
    return method;
}

inline wire::connection::Tune tune_method(std::uint16_t channel_max = 2047,
                                          std::uint32_t frame_max = 131072,
                                          std::uint16_t heartbeat = 60) {
    return {channel_max, frame_max, heartbeat};
}

inline protocol::ConnectionParameters without_heartbeats() {
    protocol::ConnectionParameters parameters;
    parameters.heartbeat_s = 0;
    return parameters;
}

// ---- the machine's owner: tokens are small numbers, "#7" in the text

inline protocol::Token token(std::uintptr_t number) {
    return reinterpret_cast<protocol::Token>(number);
}

inline std::string named(protocol::Token token) {
    return "#" + std::to_string(reinterpret_cast<std::uintptr_t>(token));
}

inline std::string error_text(const ErrorRef& error) {
    if (!error) return "";
    std::string text = std::string(": ") + status_name(error->status);
    if (error->reply_code != 0) text += " " + std::to_string(error->reply_code);
    return text;
}

// Frames as "1 basic.publish", "1 header 5", "1 body 5", "heartbeat"; methods with their fields if
// `detail`. Takes whole frames off the front of `bytes`.
inline Lines frame_lines(Octets& bytes, bool detail = false) {
    Lines lines;
    std::size_t at = 0;
    while (at < bytes.size()) {
        const std::span<const std::byte> rest = std::span(bytes).subspan(at);
        if (rest[0] == std::byte{'A'}) {
            if (rest.size() < wire::protocol_header.size()) break;
            lines.emplace_back("AMQP");
            at += wire::protocol_header.size();
            continue;
        }
        const auto parsed = wire::parse_frame(rest, 0);
        if (parsed.status == wire::FrameParse::Status::need_more) break;
        if (parsed.status != wire::FrameParse::Status::complete) {
            lines.emplace_back("NOT A FRAME");
            at = bytes.size();
            break;
        }
        at += parsed.size;
        std::string line = std::to_string(parsed.frame.channel) + " ";
        switch (parsed.frame.type) {
            case wire::FrameType::method: {
                std::string text;
                wire::describe_payload(parsed.frame.payload, text);
                line += detail ? text : text.substr(0, text.find(' '));
                break;
            }
            case wire::FrameType::header: {
                wire::ContentHeader header;
                wire::parse_content_header(parsed.frame.payload, header);
                line += "header " + std::to_string(header.body_size);
                break;
            }
            case wire::FrameType::body:
                line += "body " + std::to_string(parsed.frame.payload.size());
                break;
            case wire::FrameType::heartbeat:
                line = "heartbeat";
                break;
        }
        lines.push_back(std::move(line));
    }
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    return lines;
}

class MachinePeer {
  public:
    explicit MachinePeer(protocol::ConnectionParameters parameters = {},
                         Ref<SlabPool> slabs = Ref<SlabPool>::adopt(new SlabPool))
        : machine(std::move(parameters), std::move(slabs)) {
        machine.start(now);
    }

    protocol::ConnectionMachine machine;
    Instant now{1'000'000'000};
    Lines log;        // events told so far
    ErrorRef closed;  // the error of connection_closed
    std::vector<ErrorRef> errors;

    // Gives bytes to the machine as its owner does: what it does not take is given again.
    void feed(std::span<const std::byte> bytes) {
        input_.insert(input_.end(), bytes.begin(), bytes.end());
        while (!input_.empty()) {
            // A block of its own size, for the address sanitizer.
            const Octets block = input_;
            const std::size_t taken = machine.feed(block, now, events_);
            tell();
            if (taken == 0) return;
            input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(taken));
        }
    }
    template <class Method>
    void send(std::uint16_t channel, const Method& method) {
        feed(method_frame(channel, method));
    }
    void expire_at(Instant at) {
        now = at;
        machine.expire(now, events_);
        tell();
    }
    void transport_fails(Status status = Status::io) {
        machine.transport_failed(make_error(status, "gone"), events_);
        tell();
    }

    // `size` bytes leave the outbox.
    void take(std::size_t size) {
        while (size > 0) {
            std::array<protocol::Outbox::Segment, 4> segments;
            const std::size_t count = machine.outbox().gather(segments, size);
            if (count == 0) return;
            const std::size_t taken = std::min(size, segments[0].size);
            wire.insert(wire.end(), segments[0].data, segments[0].data + taken);
            machine.sent(taken, now, events_);
            size -= taken;
        }
        tell();
    }
    // What the machine has said since the last time, all of it.
    Lines output(bool detail = false) {
        while (true) {
            machine.pump(256 * 1024);
            if (machine.outbox().empty()) break;
            take(machine.outbox().size());
        }
        return frame_lines(wire, detail);
    }
    Octets wire;  // bytes that left the outbox and were not yet read by output()

    // What was told since the last time.
    Lines told() { return std::exchange(log, {}); }

    // ---- the usual beginnings

    void handshake(wire::connection::Tune tune = tune_method()) {
        send(0, start_method());
        send(0, tune);
        send(0, wire::connection::OpenOk{});
        (void)output();
        (void)told();
    }
    // Asks for a channel whose owner is #100 + its number.
    std::uint16_t ask_channel(Instant deadline = Instant::never()) {
        protocol::Call open;
        open.deadline = deadline;
        std::uint16_t number = 0;
        // The number is not known before; the owner counts on the machine's giving 1, 2, 3...
        const protocol::Token owner = token(101 + opened_++);
        if (machine.open_channel(owner, std::move(open), &number) != Status::ok) return 0;
        owners_.resize(std::max<std::size_t>(owners_.size(), number + 1u));
        owners_[number] = owner;
        return number;
    }
    std::uint16_t open_channel() {
        const std::uint16_t number = ask_channel();
        send(number, wire::channel::OpenOk{});
        (void)output();
        (void)told();
        return number;
    }
    protocol::ChannelId id(std::uint16_t number) const {
        return {number, number < owners_.size() ? owners_[number] : nullptr};
    }

    Status declare(std::uint16_t channel, std::uintptr_t subject,
                   Instant deadline = Instant::never()) {
        protocol::Call call;
        call.token = token(subject);
        call.deadline = deadline;
        call.reply = wire::queue::DeclareOk::id;
        wire::queue::Declare method{};
        const std::string name = "q" + std::to_string(subject);
        method.queue = {name};
        return taken(machine.call(id(channel), std::move(call), method), subject);
    }
    void declare_ok(std::uint16_t channel, std::string_view name) {
        wire::queue::DeclareOk method{};
        method.queue = {name};
        send(channel, method);
    }
    // The consumer is `subject` + 1.
    Status consume(std::uint16_t channel, std::uintptr_t subject, std::string_view tag,
                   Instant deadline = Instant::never(), bool no_ack = false) {
        protocol::Call call;
        call.kind = protocol::CallKind::consume;
        call.token = token(subject);
        call.consumer = token(subject + 1);
        call.name = tag;
        call.deadline = deadline;
        call.reply = wire::basic::ConsumeOk::id;
        wire::basic::Consume method{};
        method.consumer_tag = {tag};
        method.no_ack = no_ack;
        return taken(machine.call(id(channel), std::move(call), method), subject);
    }
    void consuming(std::uint16_t channel, std::uintptr_t subject, std::string_view tag) {
        must(consume(channel, subject, tag));
        send(channel, wire::basic::ConsumeOk{{tag}});
        (void)output();
        (void)told();
    }
    // A consumer #900 that was given `count` deliveries, with the tags from 1.
    void deliveries_open(std::uint16_t channel, std::uint64_t count = 1) {
        consuming(channel, 899, "open");
        for (std::uint64_t tag = 1; tag <= count; ++tag)
            feed(content(channel, deliver_method("open", tag), "m"));
        (void)told();
    }
    Status cancel(std::uint16_t channel, std::uintptr_t subject, std::string_view tag,
                  protocol::CallKind kind = protocol::CallKind::cancel,
                  Instant deadline = Instant::never()) {
        protocol::Call call;
        call.kind = kind;
        call.token = token(subject);
        call.name = tag;
        call.deadline = deadline;
        call.reply = wire::basic::CancelOk::id;
        wire::basic::Cancel method{};
        method.consumer_tag = {tag};
        return taken(machine.call(id(channel), std::move(call), method), subject);
    }
    Status resume(std::uint16_t channel, std::uintptr_t subject, std::string_view tag,
                  Instant deadline = Instant::never()) {
        protocol::Call call;
        call.token = token(subject);
        call.name = tag;
        call.deadline = deadline;
        return machine.resume(id(channel), std::move(call));
    }
    Status resubscribe(std::uint16_t channel, std::uintptr_t subject, std::string_view tag) {
        protocol::Call call;
        call.token = token(subject);
        call.name = tag;
        return machine.resubscribe(id(channel), std::move(call));
    }
    Status get(std::uint16_t channel, std::uintptr_t subject, Instant deadline = Instant::never(),
               bool no_ack = false) {
        protocol::Call call;
        call.token = token(subject);
        call.deadline = deadline;
        call.reply = wire::basic::GetOk::id;
        call.other_reply = wire::basic::GetEmpty::id;
        wire::basic::Get method{};
        method.no_ack = no_ack;
        return taken(machine.call(id(channel), std::move(call), method), subject);
    }
    Status select(std::uint16_t channel, std::uintptr_t subject,
                  Instant deadline = Instant::never()) {
        protocol::Call call;
        call.kind = protocol::CallKind::confirm_select;
        call.barrier = true;
        call.token = token(subject);
        call.deadline = deadline;
        call.reply = wire::confirm::SelectOk::id;
        return taken(machine.call(id(channel), std::move(call), wire::confirm::Select{}), subject);
    }
    void confirming(std::uint16_t channel) {
        must(select(channel, 0));
        send(channel, wire::confirm::SelectOk{});
        (void)output();
        (void)told();
    }
    Status close_channel(std::uint16_t channel, std::uintptr_t subject,
                         Instant deadline = Instant::never()) {
        protocol::Call call;
        call.token = token(subject);
        call.deadline = deadline;
        return machine.close_channel(id(channel), std::move(call));
    }
    Status publish(std::uint16_t channel, std::string_view body = "m") {
        protocol::PublishRequest request;
        request.routing_key = "k";
        request.body = std::as_bytes(std::span(body));
        const Status status = machine.publish(id(channel), request, &sequence);
        if (status == Status::ok) ++taken_publishes;
        return status;
    }
    // The publishes of the channel's earlier incarnations.
    void continue_publishes(std::uint16_t channel, const Ref<protocol::ConfirmRing>& ring) {
        machine.continue_publishes(id(channel), ring, now, events_);
        tell();
    }
    Status ack(std::uint16_t channel, std::uint64_t tag, bool multiple = false) {
        wire::basic::Ack method{};
        method.delivery_tag = tag;
        method.multiple = multiple;
        return machine.settle(id(channel), method);
    }
    std::uint64_t sequence = 0;
    std::vector<std::uintptr_t> taken_calls;  // the subjects of those that were not refused
    std::size_t taken_publishes = 0;

  private:
    Status taken(Status status, std::uintptr_t subject) {
        if (status == Status::ok) taken_calls.push_back(subject);
        return status;
    }
    static void must(Status status) {
        if (status != Status::ok) throw std::logic_error("a verb was refused");
    }

    void tell() {
        protocol::EventList writable;
        for (protocol::MachineEvent& event : events_) {
            log.push_back(line(event));
            if (event.kind == protocol::EventKind::outcomes) {
                machine.outcomes_taken({event.channel, event.owner}, writable);
            }
        }
        events_.clear();
        for (protocol::MachineEvent& event : writable)
            log.push_back(line(event));
    }
    std::string line(protocol::MachineEvent& event) {
        using protocol::EventKind;
        if (event.error) errors.push_back(event.error);
        const std::string channel = std::to_string(event.channel) + " ";
        const std::string body(reinterpret_cast<const char*>(event.body.data()), event.body.size());
        switch (event.kind) {
            case EventKind::connection_open:
                return "open";
            case EventKind::connection_closed:
                closed = event.error;
                return "closed" + error_text(event.error);
            case EventKind::blocked:
                return "blocked " + event.error->reply_text;
            case EventKind::unblocked:
                return "unblocked";
            case EventKind::writable:
                return event.owner == nullptr ? "writable" : channel + "writable";
            case EventKind::channel_open:
                return channel + "open " + named(event.owner);
            case EventKind::channel_closed:
                return channel + "closed" + error_text(event.error);
            case EventKind::channel_lost:
                return channel + "lost" + error_text(event.error);
            case EventKind::call_done: {
                std::string text = channel + "done " + named(event.subject);
                if (!event.name.empty()) text += " " + std::string(event.name);
                if (event.message_count > 0) {
                    text += " count=" + std::to_string(event.message_count);
                }
                if (event.has_message) {
                    text += " tag=" + std::to_string(event.number) + " '" + body + "'";
                }
                return text + error_text(event.error);
            }
            case EventKind::delivery:
                return channel + "delivery " + named(event.subject) +
                       " tag=" + std::to_string(event.number) + " " + std::string(event.exchange) +
                       "/" + std::string(event.routing_key) + " '" + body + "'";
            case EventKind::returned:
                return channel + "returned '" + body + "'" + error_text(event.error);
            case EventKind::outcomes:
                return channel + outcomes(*event.ring);
            case EventKind::consumer_cancelled:
                return channel + (event.silent ? "silently " : "") + "cancelled " +
                       named(event.subject) + error_text(event.error);
            case EventKind::consumer_lost:
                return channel + "lost " + named(event.subject) + error_text(event.error);
            case EventKind::body_room:
                return channel + "room " + named(event.subject);
            case EventKind::body_done:
                return channel + "body " + named(event.subject) + error_text(event.error);
            case EventKind::delivery_begin:
                return channel + "begin " + named(event.subject) +
                       " tag=" + std::to_string(event.number) + " " + std::string(event.exchange) +
                       "/" + std::string(event.routing_key) + " " + std::to_string(event.body_size);
            case EventKind::delivery_piece:
                return channel + "piece " + named(event.subject) + " " +
                       std::to_string(event.number) + "@" + std::to_string(event.body_size) + " '" +
                       body + "'";
            case EventKind::delivery_end:
                return channel + "end " + named(event.subject) + " " +
                       std::to_string(event.number) + " " + std::to_string(event.body_size);
            case EventKind::delivery_cut:
                return channel + "cut " + named(event.subject) + " " +
                       std::to_string(event.number) + " " + std::to_string(event.body_size) +
                       error_text(event.error);
            case EventKind::delivery_held:
                return channel + "held " + std::to_string(event.number) + " of " +
                       std::to_string(event.message_count) + " " + std::string(event.name);
            case EventKind::flow:
                return channel + "flow " + std::to_string(event.number);
            case EventKind::auth:
                return "auth " + std::to_string(event.number) + " " + std::string(event.name) +
                       " '" + body + "'";
        }
        return "?";
    }
    static std::string outcomes(protocol::ConfirmRing& ring) {
        static constexpr std::array names = {"?",        "confirmed", "nacked",
                                             "returned", "not_sent",  "unknown"};
        std::string text = "outcomes";
        std::array<protocol::Settled, 3> settled;
        protocol::OutcomeCounts counts;
        for (bool done = false; !done;) {
            const std::size_t count = ring.take(settled, &done, counts);
            for (const protocol::Settled& one : std::span(settled).first(count)) {
                text += " " + std::to_string(one.sequence) + "=" +
                        names[static_cast<std::size_t>(one.outcome)];
            }
        }
        return text;
    }

    protocol::EventList events_;
    Octets input_;
    std::vector<protocol::Token> owners_;
    std::uintptr_t opened_ = 0;
};

}  // namespace haigha::test
