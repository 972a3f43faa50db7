// One channel: its states, its calls in order, the content that arrives on it, consumers, confirms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/slab.h"
#include "protocol/call_queue.h"
#include "protocol/channel_remains.h"
#include "protocol/confirm_ring.h"
#include "protocol/consumer_table.h"
#include "protocol/content_assembler.h"
#include "protocol/counters.h"
#include "protocol/delivery_watch.h"
#include "protocol/delivery_window.h"
#include "protocol/held_body.h"
#include "protocol/kept_publishes.h"
#include "protocol/machine_event.h"
#include "protocol/outbox.h"
#include "protocol/publish_head.h"
#include "protocol/return_matcher.h"
#include "protocol/violation.h"
#include "wire/frame.h"
#include "wire/method_declarations.h"
#include "wire/properties.h"

namespace haigha::protocol {

enum class ChannelState : std::uint8_t {
    opening,  // channel.open is on its way
    open,
    closing,  // channel.close is on its way: only its answer counts
    closed,   // the number is free again
};

// What the channels of a connection share.
struct ChannelContext {
    ChannelContext(Ref<ChunkPool> chunks, ReturnedBodies* shared)
        : returned(shared != nullptr ? *shared : own_returned), outbox(std::move(chunks)) {}

    ReturnedBodies own_returned;
    ReturnedBodies& returned;
    Outbox outbox;
    Ref<SlabPool> slabs;
    Counters counters;
    std::size_t waiting_bytes = 0;  // in all call queues
    std::uint32_t frame_max = 0;
    std::uint64_t max_message_size = 0;
    bool closing = false;    // connection.close was written: nothing else may follow it
    bool ended = false;      // channel_closed or connection_closed was told since take_ended()
    std::size_t bodies = 0;  // in pieces, whose body_done is yet to be told
    ErrorRef broken;         // why a content that is begun will not be whole
    std::size_t drains = 0;  // consumers that are being drained, on all channels
    std::string host;        // for errors
    std::vector<ChannelRemains> remains;  // of channels that were lost, see take_remains()
};

class ChannelMachine {
  public:
    // A content beyond this waits its turn, so that other channels' frames go between its own.
    static constexpr std::size_t large_content = 256 * 1024;

    ChannelMachine(std::uint16_t id, Token owner, ChannelContext& context, ChannelBases bases = {})
        : id_(id),
          owner_(owner),
          bases_(bases),
          context_(context),
          calls_(context.waiting_bytes, context.counters) {}

    std::uint16_t id() const { return id_; }
    Token owner() const { return owner_; }
    void set_owner(Token owner) { owner_ = owner; }
    ChannelState state() const { return state_; }
    // Takes no more verbs: closing, or asked to close.
    bool ending() const { return close_requested_ || state_ == ChannelState::closing; }
    CallQueue& calls() { return calls_; }

    // ---- verbs: the caller has checked that the channel takes them

    void open(Call call);
    void call(Call call, std::span<const std::byte> frame);
    void close(Call call);
    // *sequence is the publish's number, or 0 when there are no confirms. Refused,
    // Status::argument, when the properties do not fit a frame; Status::unsupported, where
    // publishes are kept.
    Status publish(const PublishRequest& request, std::uint64_t* sequence);
    // The same of a message whose head was encoded before; only body and data count of `rest`.
    Status publish(const PreparedHead& head, const PublishRequest& rest, std::uint64_t* sequence);
    // Where they are. `what`: of KeptPublishes::take, before the time.
    template <class... What>
    Status publish_kept(Instant now, std::uint64_t* sequence, const What&... what) {
        if (!ring_ || ring_->kept() == nullptr) return Status::unsupported;
        const Status status = ring_->kept()->take(
            what..., now,
            [this](const KeptPublish& publish) {
                if (publish.to_match) returns_.reserve();
                write_kept(publish, false);
            },
            sequence);
        if (status == Status::ok) {
            note_kept(*sequence);
            ++context_.counters.numbered;
        }
        return status;
    }
    // channel_pieces.cpp. A content whose body comes by write_body(); its writer hears of it by
    // body_room and body_done. unsupported: where publishes are kept, and of a mandatory one where
    // returns are matched by what they hold.
    Status begin_body(const PreparedHead& head, std::uint64_t size, Token writer, void* data,
                      std::uint64_t* sequence);
    // Takes what there is room for. would_block: nothing, and body_room follows. closed: it is not
    // there, or whole. argument: more than is to come.
    Status write_body(Token writer, std::span<const std::byte> octets, std::size_t* taken);
    void tell_bodies(EventList& events);
    // Goes on with the publishes of the channel's earlier incarnations: those that have no outcome
    // are written, in order. Before the first publish.
    void continue_publishes(Ref<ConfirmRing> ring, Instant now, EventList& events);
    // Makes room for one frame without an answer, in its turn.
    std::byte* frame(std::size_t size) {
        ++context_.counters.frames_written;
        if (calls_.idle()) [[likely]]
            return context_.outbox.append(size);
        return calls_.hold(size);
    }
    bool has_consumer(std::string_view tag) const { return consumers_.contains(tag); }
    std::size_t consumer_count() const { return consumers_.size(); }
    // channel_stopping.cpp: what its end has to wait for.
    std::size_t wanted_consumers() const;
    std::vector<std::string> consumers_to_cancel() const;
    std::size_t open_deliveries() const { return deliveries_.count_open(); }
    std::size_t outstanding() const { return ring_ ? ring_->outstanding() : 0; }
    std::size_t unanswered_calls() const;
    // When the oldest of them came, or was published; or `otherwise`.
    Instant oldest_delivery(Instant otherwise) const { return deliveries_.oldest_at(otherwise); }
    Instant oldest_publish(Instant otherwise) const {
        return ring_ ? ring_->oldest_at(otherwise) : otherwise;
    }
    ConsumerState consumer_state(std::string_view tag) {
        const Consumer* consumer = consumers_.find(tag);
        return consumer != nullptr ? consumer->state : ConsumerState::none;
    }
    // A paused consumer goes on where it was. False when its arguments do not fit into a frame.
    bool resume(Call call);
    // One of an earlier incarnation consumes again, or is known to be paused; its token is this
    // channel's from then on. False, and nothing is changed, when that does not fit into a frame.
    bool restore(ConsumerRemains& consumer, Call call);
    // The caller settles a delivery, or all up to it: what to write, which may be nothing.
    DeliveryWindow::Settlement settle_deliveries(std::uint64_t tag, bool multiple) {
        return deliveries_.settle(tag, multiple,
                                  [this](DeliveryWindow::Holder holder) { settled(holder); });
    }
    const DeliveryWindow& deliveries() const { return deliveries_; }
    // Delivery tags up to this one are of earlier incarnations; the broker's begin with 1 behind
    // it.
    std::uint64_t delivery_base() const { return bases_.deliveries; }
    // When the broker closes it, it may be opened again: channel_lost in place of channel_closed.
    void keep_when_closed(bool keep) { keeps_ = keep; }
    // A consumer that the broker cancels may consume again: consumer_lost in place of
    // consumer_cancelled.
    void keep_when_cancelled(bool keep) { resubscribes_ = keep; }
    // It does so. False when it was cancelled by the caller meanwhile, or does not fit into a
    // frame.
    bool resubscribe(Call call);
    // Acks that follow one another before they have left become one for several, where everything
    // before them is settled; none waits for another.
    void write_ack(wire::basic::Ack ack);

    // A DeliveryWatch's tick.
    void watch_deliveries(EventList& events);
    // Tells of the consumers whose deliveries are all settled, with what settled them sent.
    void finish_drains(EventList& events);
    // Mandatory publishes are stamped, so that a return is known to be theirs (rule 67) also where
    // another like it was routed.
    void correlate_returns() { special_ = correlates_returns_ = true; }
    void limit_in_flight(const InFlightLimit& limit) { in_flight_limit_ = limit; }
    // Nothing more is taken before outcomes come (rule 73), or, once something was refused, before
    // a quarter has got one.
    bool in_flight_is_full() const { return ring_ && ring_->is_full(in_flight_limit_, refused); }
    void set_qos_known() { qos_known_ = true; }
    bool qos_known() const { return qos_known_; }

    // ---- input

    std::optional<Violation> on_method(wire::MethodId id, std::span<const std::byte> payload,
                                       EventList& events);
    std::optional<Violation> on_header(std::span<const std::byte> payload, EventList& events);
    std::optional<Violation> on_body(std::span<const std::byte> payload, EventList& events);
    // A whole delivery, whose memory is `slab` or, when that is null, what was fed.
    void deliver(const wire::basic::Deliver& method, const std::span<const std::byte>& properties,
                 const std::span<const std::byte>& body, Ref<Slab> slab, EventList& events);
    bool takes_whole_delivery() const {
        return state_ == ChannelState::open && assembler_.expects() == ContentAssembler::Part::none;
    }

    // ---- time

    Instant deadline() const;
    void expire(Instant now, EventList& events);

    // Ends everything on it: waiting frames go, calls and consumers fail with `error` (null: closed
    // as asked), open publishes become unknown or not_sent. `unsent`: publishes among the last ones
    // that will not be sent although they were in the outbox.
    void end(const ErrorRef& error, std::uint64_t unsent, EventList& events);
    // The same, but what it can be opened again with is kept for take_remains(), if it was open.
    void lose(const ErrorRef& error, std::uint64_t unsent, EventList& events);

    // Of a call that is refused although half of it was done: nobody is told of that token, or
    // publish, any more.
    void forget(Token token);
    void forget_publish(std::uint64_t sequence);

    // Publishing was refused: an event is owed when it may go on.
    bool refused = false;
    bool flow_active = true;
    bool enlisted = false;  // among the channels with a large content to write

  private:
    // A consumer that is cancelled and has deliveries open.
    struct Drain {
        Token token;
        DeliveryWindow::Holder holder;
        std::size_t open;
        Instant deadline;
        std::optional<std::uint64_t> mark = std::nullopt;  // in the outbox, once none is open
    };

    // 0: there are no confirms.
    std::uint64_t number_publish(void* data, bool waiter, std::size_t size) {
        if (!ring_) return 0;
        const std::uint64_t number = ring_->add(data, waiter, size, context_.counters.now);
        ++context_.counters.numbered;
        return number;
    }
    template <class Head>
    void hold_message(const Head& head, const PublishRequest& rest, std::size_t piece, bool large);
    template <class Head>
    void hold_body(const Head& head, const Ref<HeldBody>& held, std::size_t piece, bool large);
    template <class Head>
    void copy_body(const Head& head, std::span<const std::byte> body, std::size_t piece);
    // marked: says that it is sent again. False when it does not fit.
    bool write_kept(const KeptPublish& publish, bool marked);
    void note_kept(std::uint64_t sequence);
    std::uint64_t count_waiting_publishes() const;
    void note_broken(const ErrorRef& error);
    // One event for each range of publishes that has ended without the broker.
    void add_outcomes(std::size_t ranges, const ErrorRef& why, EventList& events);
    template <class Head>
    Status hold_head(const Head& head, std::uint64_t size, Token writer, void* data,
                     std::uint64_t* sequence);
    Call finish_call();
    void note_answered(const Call& call) {
        context_.counters.round_trips.add(context_.counters.now - call.written);
    }
    void tell_body_done(Token writer, const ErrorRef& error, EventList& events);
    void end_bodies(const ErrorRef& error, EventList& events);
    // A delivery that is handed on in pieces; false: its consumer wants it whole.
    bool begin_delivery(const wire::ContentHeader& header, EventList& events);
    void pass_on(std::span<const std::byte> payload, EventList& events);
    void end_delivery(EventList& events);
    void cut_delivery(const ErrorRef& error, EventList& events);
    MachineEvent* add_piece_event(EventKind kind, EventList& events);
    template <class Head>
    Status write_message(const Head& head, const PublishRequest& rest, std::uint64_t* sequence);
    // The same of a mandatory one, which a return is found to be of by `key`.
    template <class Head>
    Status write_matched(const Head& head, const PublishRequest& rest, std::uint64_t key,
                         std::uint64_t* sequence);
    bool is_being_cancelled(std::string_view tag) const;
    bool stamps(bool mandatory) const { return correlates_returns_ && mandatory && ring_; }

    std::optional<Violation> on_method_open(wire::MethodId id, std::span<const std::byte> payload,
                                            EventList& events);
    std::optional<Violation> on_reply(wire::MethodId id, std::span<const std::byte> payload,
                                      EventList& events);
    std::optional<Violation> on_close(std::span<const std::byte> arguments, EventList& events);
    std::optional<Violation> on_close_ok(EventList& events);
    std::optional<Violation> content_complete(EventList& events);
    void returned(const wire::basic::Return& method, std::span<std::byte> properties,
                  std::span<const std::byte> body, Ref<Slab> slab, EventList& events);
    std::optional<Violation> settle(std::uint64_t tag, bool multiple, Outcome outcome,
                                    EventList& events);
    void settled(DeliveryWindow::Holder holder) {
        for (Drain& drain : drains_)
            drain.open -= drain.holder == holder ? 1 : 0;
    }
    // The reply to basic.cancel has come: for good, for a pause, or to drain.
    void on_cancelled(const Call& done, MachineEvent& reply, EventList& events);
    void tell_drained(const Drain& drain, EventList& events);
    // We close it, because of what the peer sent.
    void fail(std::uint16_t reply_code, const ErrorRef& error, EventList& events);
    void write_close(std::uint16_t reply_code, std::string_view text);
    // What the peer's own frame calls for, in its turn; nothing once a close is due.
    template <class Method>
    void answer(const Method& method) {
        if (ending() || context_.closing) return;
        wire::write_method_frame(frame(wire::method_frame_size(method)), id_, method);
    }
    bool close_in_flight() const {
        return calls_.in_flight() && calls_.current().kind == CallKind::channel_close;
    }
    void cancel_unwanted(const std::string& tag);
    ErrorRef channel_error(Status status, std::string message) const;
    ErrorRef cancelled_by_broker(std::string_view consumer_tag) const;
    MachineEvent& add_event(EventList& events, EventKind kind);

    std::uint16_t id_;
    ChannelState state_ = ChannelState::opening;
    bool close_requested_ = false;
    bool close_when_opened_ = false;  // it ended before it was open: close when the answer comes
    bool qos_known_ = false;
    bool correlates_returns_ = false;
    bool special_ = false;  // correlates_returns_, or what is published is kept
    bool keeps_ = false;
    bool resubscribes_ = false;
    Token owner_;
    const ChannelBases bases_;
    DeliveryWatch watch_;
    std::uint64_t last_delivery_ = 0;  // the broker's tag
    ChannelContext& context_;
    CallQueue calls_;
    ContentAssembler assembler_;
    Ref<ConfirmRing> ring_;
    ReturnMatcher returns_;
    InFlightLimit in_flight_limit_;
    ConsumerTable consumers_;
    std::uint64_t last_ack_tag_ = 0;  // of the frame that the outbox has kept for this channel
    DeliveryWindow deliveries_;
    std::size_t recovering_ = 0;  // basic.recovers on their way: what comes before is taken back
    std::vector<Drain> drains_;
    std::vector<Token> whole_bodies_;  // writers whose last octet was taken
    bool takes_pieces_ = false;        // a consumer does, or did
    bool passes_on_ = false;           // the delivery that comes in pieces is somebody's
    std::uint64_t incoming_ = 0;       // its tag
    std::string incoming_tag_;         // its consumer's
};

}  // namespace haigha::protocol
