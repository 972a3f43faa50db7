// The connection as a state machine without I/O: bytes, times and calls in; bytes and events out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "protocol/channel_machine.h"
#include "protocol/heartbeat.h"
#include "protocol/machine_event.h"
#include "protocol/outbox.h"
#include "protocol/sasl.h"
#include "wire/frame.h"
#include "wire/method_codec.h"

namespace haigha::protocol {

struct ConnectionParameters {
    std::string host;  // "host:port", for errors
    std::string vhost = "/";
    std::string mechanisms = "PLAIN";  // in order of preference, separated by spaces
    Credentials credentials;
    std::vector<std::byte> client_properties;  // the contents of a field table
    // What is asked for; 0 leaves it to the peer (rule 28).
    std::uint16_t channel_max = 2047;
    std::uint32_t frame_max = 131072;
    std::uint16_t heartbeat_s = 60;
    // Larger messages close their channel (rule 109).
    std::uint64_t max_message_size = 64 * 1024 * 1024;
    // Publishes are refused above the first and owed an event below the second.
    std::size_t outbox_high_water = 4 * 1024 * 1024;
    std::size_t outbox_low_water = 2 * 1024 * 1024;
    // A delivery that is open for so long is told of; 0: none is.
    Duration delivery_warning{};
    // An end that nobody here has asked for leaves channels that can be opened again on another
    // connection: channel_lost in place of channel_closed.
    bool keeps_channels = false;
};

enum class ConnectionState : std::uint8_t {
    idle,
    await_start,  // the protocol header was sent
    await_tune,   // start-ok was sent
    await_open,   // connection.open was sent
    open,
    closing,  // connection.close was sent
    closed,   // nothing is parsed any more; what the outbox holds is still to be sent
};

// Names a channel: the number may have been taken over by another since, the owner tells.
struct ChannelId {
    std::uint16_t number = 0;
    Token owner = nullptr;
};

// What is not done yet: octets taken and not handed to the operating system, publishes without an
// outcome, deliveries that are not settled.
struct Unfinished {
    std::uint64_t bytes = 0;
    std::uint64_t publishes = 0;
    std::uint64_t deliveries = 0;
};

class ConnectionMachine {
  public:
    // feed() stops after about this many events, so that its caller can hold a lock for a short
    // time.
    static constexpr std::size_t events_per_feed = 256;
    // Before tune nothing larger is accepted.
    static constexpr std::uint32_t handshake_frame_max = 8192 + 64;
    // Calls and settlements are taken beyond the high-water mark, but not without end.
    static constexpr std::size_t control_slack = 64 * 1024 * 1024;
    // Of a peer that asks for larger frames when we leave it to the peer: bounds what one frame can
    // make us buffer.
    static constexpr std::uint32_t largest_frame_max = 16 * 1024 * 1024;
    static constexpr std::uint32_t default_frame_max = 131072;

    ConnectionMachine(ConnectionParameters parameters, Ref<SlabPool> slabs,
                      Ref<ChunkPool> chunks = Ref<ChunkPool>::adopt(new ChunkPool),
                      ReturnedBodies* returned = nullptr);

    // ---- input

    // The transport is connected: says the protocol header.
    void start(Instant now);
    // Takes what it can of `in` and returns how much; the rest has to be given again, together with
    // what came after it. The same events come whatever the pieces.
    std::size_t feed(std::span<const std::byte> in, Instant now, EventList& events);
    // How many bytes from the first that was not taken are needed to get further.
    std::size_t wanted() const { return wanted_; }
    // Nothing comes any more, or nothing can be sent: the end, unless it has ended already. Bytes
    // that the outbox still holds count as not sent.
    void transport_failed(const ErrorRef& error, EventList& events);
    void expire(Instant now, EventList& events);
    Instant deadline() const;
    // While its owner reads nothing on purpose, silence says nothing about the peer (rule 75).
    void set_reading(bool reading, Instant now) {
        reading_ = reading;
        heartbeat_.note_received(now);
        note_time(now);
    }

    // What begins from now on begins at `now`: by whoever has just read the clock.
    void note_time(Instant now) {
        if (now > context_.counters.now) context_.counters.now = now;
    }

    // ---- output

    Outbox& outbox() { return context_.outbox; }
    // Lent bodies of which nothing is needed any more, to be given back without a lock held. To be
    // asked for after whatever may have written or dropped what was to be written.
    ReturnedBodies take_returned() { return std::move(context_.returned); }
    // Moves what waits its turn to the outbox, as long as that holds less than `limit` bytes.
    void pump(std::size_t limit);
    // `size` bytes at the head of the outbox were handed to the operating system.
    void sent(std::size_t size, Instant now, EventList& events);
    // Everything that was taken is in the outbox, none waits for a reply or its turn.
    bool drained() const { return context_.waiting_bytes == 0; }
    const Outbox& outbox() const { return context_.outbox; }
    // There is something to write, if pump() is called before.
    bool has_output() const { return !context_.outbox.empty() || !large_.empty(); }
    std::size_t bytes_waiting() const { return context_.outbox.size() + context_.waiting_bytes; }

    // ---- state

    ConnectionState state() const { return state_; }
    bool blocked() const { return blocked_; }
    std::uint32_t frame_max() const { return context_.frame_max; }
    std::uint16_t channel_max() const { return channel_max_; }
    std::uint16_t heartbeat_s() const { return heartbeat_s_; }
    std::size_t channel_count() const { return channel_count_; }
    // Whether a channel_closed or connection_closed was reported since this was last asked.
    bool take_ended() { return std::exchange(context_.ended, false); }
    // Of the channels of which channel_lost was told since this was last asked.
    std::vector<ChannelRemains> take_remains() { return std::exchange(context_.remains, {}); }
    const std::vector<std::byte>& server_properties() const { return server_properties_; }
    // The one that was chosen; empty before connection.start.
    const std::string& mechanism() const { return mechanism_; }

    // ---- verbs. They never report through events what they return.

    // Before start(): "host:port", for errors.
    void set_host(std::string host) { parameters_.host = context_.host = std::move(host); }
    // Before start(): who is to authenticate is asked by events, not told by the parameters.
    void ask_for_credentials() { asks_ = true; }
    // Before start(): no mechanism that sends the password as it is.
    void keep_password_off_the_wire() { may_send_password_ = false; }
    // The answers to an auth event. Others are ignored.
    void answer_credentials(const Credentials& credentials);
    void answer_response(std::string_view response);
    // connection.update-secret; answered by call_done.
    Status update_secret(std::string_view secret, std::string_view reason, Call call);
    // connection.close, after all that was taken before it; answered by connection_closed.
    void close(std::uint16_t reply_code, std::string_view text);
    // No publish is taken any more, Status::closed; everything else is.
    void stop_publishing() { publishes_stopped_ = outbox_full_ = true; }
    Unfinished unfinished() const;
    // Since it was made; times that have not ended yet included.
    Counters counters(Instant now) const;
    std::size_t unanswered_calls() const;
    // When the oldest delivery that is not settled came, and when the oldest publish without an
    // outcome was taken; `now` if there is none.
    Instant oldest_delivery(Instant now) const;
    Instant oldest_publish(Instant now) const;
    // Those that somebody has; with their channels, those that nobody is cancelling.
    std::size_t consumers() const;
    std::vector<std::pair<ChannelId, std::string>> consumers_to_cancel() const;
    // preferred: the number it had, to be had again if it is free; 0: any.
    Status open_channel(Token owner, Call open, std::uint16_t* number, ChannelBases bases = {},
                        std::uint16_t preferred = 0);
    // Hands a channel over to another owner, and its events from now on.
    void give_channel(ChannelId channel, Token owner);
    // See ChannelMachine.
    void keep_when_closed(ChannelId channel, bool keep);
    void keep_when_cancelled(ChannelId channel, bool keep);
    Status resubscribe(ChannelId channel, Call call);
    // ok: the consumer's token is the machine's again.
    Status restore_consumer(ChannelId channel, ConsumerRemains& consumer, Call call);
    Status close_channel(ChannelId channel, Call call);
    // argument: the method does not fit into a frame. unsupported: the consumer tag is in use, or
    // there is none to pause or drain in the state that this needs.
    template <class Method>
    Status call(ChannelId channel, Call call, const Method& method) {
        ChannelMachine* machine = nullptr;
        if (const Status status = find_for_call(channel, call, &machine); status != Status::ok) {
            return status;
        }
        if (wire::method_frame_size(method) > context_.frame_max) return Status::argument;
        if constexpr (requires { method.no_ack; }) call.no_ack = method.no_ack;
        scratch_.resize(wire::method_frame_size(method));
        wire::write_method_frame(scratch_.data(), channel.number, method);
        machine->call(std::move(call), scratch_);
        return Status::ok;
    }
    // A method that the broker was asked not to answer, in its turn.
    template <class Method>
    Status say(ChannelId channel, const Method& method) {
        ChannelMachine* machine = nullptr;
        if (const Status status = find_open(channel, &machine); status != Status::ok) return status;
        const std::size_t size = wire::method_frame_size(method);
        if (size > context_.frame_max) return Status::argument;
        wire::write_method_frame(machine->frame(size), channel.number, method);
        return Status::ok;
    }
    // basic.ack, nack, reject. argument: no such delivery is open; stale: it is of an earlier
    // incarnation of the channel.
    template <class Method>
    Status settle(ChannelId channel, Method method) {
        ChannelMachine* machine = nullptr;
        if (const Status status = find_open(channel, &machine); status != Status::ok) return status;
        if (const std::uint64_t base = machine->delivery_base(); base > 0) [[unlikely]] {
            if (method.delivery_tag != 0 && method.delivery_tag <= base) return Status::stale;
            if (method.delivery_tag != 0) method.delivery_tag -= base;
        }
        bool multiple = false;
        if constexpr (requires { method.multiple; }) multiple = method.multiple;
        const std::size_t before = machine->open_deliveries();
        const auto settlement = machine->settle_deliveries(method.delivery_tag, multiple);
        using Kind = DeliveryWindow::Settlement::Kind;
        if (settlement.kind != Kind::as_given) [[unlikely]] {
            return settlement.kind == Kind::none_open ? Status::ok : Status::argument;
        }
        method.delivery_tag = settlement.tag;
        counter_of(method) += before - machine->open_deliveries();
        // Where it is not known which are open, it counts as one.
        if (before == 0) [[unlikely]]
            ++counter_of(method);
        if constexpr (std::is_same_v<Method, wire::basic::Ack>) {
            machine->write_ack(method);
        } else {
            wire::write_method_frame(machine->frame(wire::method_frame_size(method)),
                                     channel.number, method);
        }
        return Status::ok;
    }
    // A paused consumer goes on: as call().
    Status resume(ChannelId channel, Call call);
    ConsumerState consumer_state(ChannelId channel, std::string_view tag) const;
    // Null when there is no such channel.
    const DeliveryWindow* deliveries(ChannelId channel) const;
    // Whether a delivery has ever come with that tag, on this incarnation of the channel.
    bool has_come(ChannelId channel, std::uint64_t delivery_tag) const;
    Status publish(ChannelId channel, const PublishRequest& request, std::uint64_t* sequence);
    Status publish(ChannelId channel, const PreparedHead& head, const PublishRequest& rest,
                   std::uint64_t* sequence);
    // Where publishes are kept, in place of publish(). `what`: of KeptPublishes::take, before the
    // time.
    Status publish_kept(ChannelId channel, Instant now, std::uint64_t* sequence,
                        const PublishRequest& request);
    Status publish_kept(ChannelId channel, Instant now, std::uint64_t* sequence,
                        const PreparedHead& head, const PublishRequest& rest);
    // See ChannelMachine. begin_body() is refused as publish() is.
    Status begin_body(ChannelId channel, const PreparedHead& head, std::uint64_t size, Token writer,
                      void* data, std::uint64_t* sequence);
    Status write_body(ChannelId channel, Token writer, std::span<const std::byte> octets,
                      std::size_t* taken);
    // The rest of it will not come: ends the connection, unless it is whole or gone.
    void abandon_body(ChannelId channel, Token writer, EventList& events);
    // See ChannelMachine.
    void continue_publishes(ChannelId channel, Ref<ConfirmRing> ring, Instant now,
                            EventList& events);
    // Before its first publish.
    void correlate_returns(ChannelId channel) {
        if (ChannelMachine* machine = find(channel); machine != nullptr) {
            machine->correlate_returns();
        }
    }
    // Before its first publish.
    void limit_in_flight(ChannelId channel, const InFlightLimit& limit) {
        if (ChannelMachine* machine = find(channel); machine != nullptr) {
            machine->limit_in_flight(limit);
        }
    }
    // After outcomes were taken out of its ring: whoever was refused may go on.
    void outcomes_taken(ChannelId channel, EventList& events);
    // Of a verb that threw: nobody is told of that token, or publish, any more. The connection is
    // to be ended.
    void forget(Token token);
    void forget_publish(ChannelId channel, std::uint64_t sequence);
    // Whether basic.qos has been called on it; marks it.
    bool mark_qos(ChannelId channel);
    std::size_t consumer_count(ChannelId channel) const;

  private:
    ChannelMachine* find(ChannelId channel) const;
    Status find_open(ChannelId channel, ChannelMachine** machine) const;
    Status find_for_call(ChannelId channel, const Call& call, ChannelMachine** machine);
    std::uint32_t frame_limit() const;

    bool check_greeting(std::span<const std::byte> in, EventList& events);
    std::size_t feed_delivery(std::span<const std::byte> in, EventList& events);
    std::size_t missing_delivery(const wire::Frame& frame, std::span<const std::byte> after) const;
    void on_frame(const wire::Frame& frame, Instant now, EventList& events);
    void on_connection_method(wire::MethodId id, std::span<const std::byte> arguments, Instant now,
                              EventList& events);
    void on_handshake_method(wire::MethodId id, std::span<const std::byte> arguments, Instant now,
                             EventList& events);
    void on_start(std::span<const std::byte> arguments, EventList& events);
    void on_secure(std::span<const std::byte> arguments, EventList& events);
    void ask(AuthQuestion question, std::string_view challenge, EventList& events);
    void say_start_ok(std::string_view response);
    void say_secure_ok(std::string_view response);
    void on_secret_updated(EventList& events);
    void expire_secrets(Instant now, EventList& events);
    void on_tune(std::span<const std::byte> arguments, Instant now, EventList& events);
    void on_close(std::span<const std::byte> arguments, EventList& events);
    void on_channel_frame(const wire::Frame& frame, EventList& events);
    void bad_frame(wire::FrameParse::Status status, std::span<const std::byte> at,
                   EventList& events);

    // The peer broke the protocol: says connection.close and ends.
    void violated(std::uint16_t reply_code, const std::string& text, EventList& events);
    ErrorRef placed(const ErrorRef& error) const;
    // Everything ends here, once. Without output, what the outbox holds goes too.
    void end(const ErrorRef& error, bool output, EventList& events);
    void settle_channel(ChannelMachine& channel);
    template <class Publish>
    Status publish_on(ChannelId channel, Publish publish);
    void refuse(ChannelMachine& channel);
    void check_room(EventList& events);
    void check_drains(EventList& events) {
        if (context_.drains > 0) [[unlikely]]
            finish_drains(events);
    }
    void finish_drains(EventList& events);
    void tell_bodies(EventList& events);
    // What waits behind bodies in pieces that are begun: a close does not wait for it, since nobody
    // knows whether they go on.
    std::size_t stuck_bytes() const;
    void end_broken(const ErrorRef& error, EventList& events);
    void start_watch(Instant now);
    void watch_deliveries(Instant now, EventList& events);
    void enlist(ChannelMachine& channel);
    void gate_opened(EventList& events);
    void write_close_when_drained();
    void end_blocked();
    Ref<Error> connection_error(Status status, std::string message) const;
    Stage stage() const;

    std::uint64_t& counter_of(const wire::basic::Ack&) { return context_.counters.acks; }
    std::uint64_t& counter_of(const wire::basic::Nack&) { return context_.counters.nacks; }
    std::uint64_t& counter_of(const wire::basic::Reject&) { return context_.counters.rejects; }

    template <class Method>
    void write(const Method& method) {
        ++context_.counters.frames_written;
        wire::write_method_frame(context_.outbox.append(wire::method_frame_size(method)), 0,
                                 method);
    }

    ConnectionParameters parameters_;
    ChannelContext context_;
    ConnectionState state_ = ConnectionState::idle;
    bool greeted_ = false;  // the first bytes looked like AMQP
    bool reading_ = true;
    bool blocked_ = false;
    Instant blocked_since_ = Instant::never();  // while it is
    bool outbox_full_ = false;
    bool publishes_stopped_ = false;
    bool any_refused_ = false;
    bool close_requested_ = false;
    std::uint16_t close_code_ = 0;
    std::string close_text_;
    std::uint16_t channel_max_ = 0;
    std::uint16_t heartbeat_s_ = 0;
    Heartbeat heartbeat_;
    Instant watch_at_ = Instant::never();  // the next tick of the channels' DeliveryWatch
    std::size_t wanted_ = 0;
    std::vector<std::byte> server_properties_;
    enum class Awaited : std::uint8_t { nothing, for_start, for_secure };
    Awaited awaited_ = Awaited::nothing;  // an answer of ours, before the handshake can go on
    bool asks_ = false;
    bool may_send_password_ = true;
    std::string mechanism_;
    std::deque<Call> secrets_;  // update-secrets on the wire, in order
    std::vector<std::byte> scratch_;
    std::vector<std::unique_ptr<ChannelMachine>> channels_;  // by number; [0] is not used
    std::size_t channel_count_ = 0;
    std::uint16_t next_channel_ = 1;
    std::vector<std::uint16_t> large_;  // channels with a large content to write, in turn
};

}  // namespace haigha::protocol
