// A channel's calls (methods that have a reply), and what must be written after them, in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/queue.h"
#include "base/ref.h"
#include "protocol/body_pieces.h"
#include "protocol/counters.h"
#include "protocol/delivery_window.h"
#include "protocol/held_body.h"
#include "protocol/machine_event.h"
#include "protocol/outbox.h"
#include "wire/method_declarations.h"

namespace haigha::protocol {

// What a reply means to the channel, beyond answering the caller.
enum class CallKind : std::uint8_t {
    plain,
    channel_open,
    channel_close,
    confirm_select,
    consume,
    cancel,
    drain,    // basic.cancel, answered when the consumer's deliveries are settled
    pause,    // basic.cancel, and the consumer stays
    resume,   // basic.consume of a paused consumer
    restore,  // basic.consume of one that was on the channel's earlier incarnation
    recover,
    tx_select,
};

struct Call {
    Token token = nullptr;  // null: nobody waits for the answer (any more)
    CallKind kind = CallKind::plain;
    bool opens = false;   // it is a part of opening its channel, and so is not refused for room
    bool failed = false;  // timed out: keeps its place until the late reply (rule 16)
    // Nothing follows it on the wire before its reply: channel.open and confirm.select (rule 69).
    bool barrier = false;
    wire::MethodId reply{};
    wire::MethodId other_reply{};  // basic.get has two
    Instant deadline = Instant::never();
    Instant written{};         // when it had its turn
    Token consumer = nullptr;  // consume
    bool no_ack = false;       // consume, get
    bool in_pieces = false;    // consume: bodies are not assembled
    std::string name;          // the consumer tag, of what is about a consumer
    DeliveryWindow::Holder holder = DeliveryWindow::nobody;  // drain
};

// At most one call is in flight (rule 18); later ones, and publishes and acks made after a call
// that is not yet written, wait here, so that a channel's operations reach the broker in the order
// of the calls.
class CallQueue {
  public:
    // Body frames that are yet to be made of a body that is written from where it is.
    struct Body {
        Ref<HeldBody> held;
        std::size_t piece = 0;  // of each frame but the last
        std::uint16_t channel = 0;
        std::size_t written = 0;

        std::size_t left() const { return held ? held->octets().size() - written : 0; }
    };
    struct Waiting {
        std::vector<std::byte> frames;
        Body body;  // behind them
        bool is_call = false;
        bool large = false;       // content that shares the wire with other channels, by the frame
        std::size_t written = 0;  // of the frames of a large one
        // A large one whose body comes piece by piece: it stays in front until it is whole.
        std::unique_ptr<BodyPieces> pieces;
        Call call;

        std::size_t left() const { return frames.size() - written + body.left(); }
        bool begun() const { return written > 0 || (pieces && pieces->started); }
    };

    // `total` counts the bytes that wait in all of a connection's queues.
    CallQueue(std::size_t& total, Counters& counters) : total_(total), counters_(counters) {}
    ~CallQueue() { clear(); }
    CallQueue(const CallQueue&) = delete;
    CallQueue& operator=(const CallQueue&) = delete;

    // True when frames may go straight to the wire.
    bool idle() const { return waiting_.empty() && !(in_flight_ && call_.barrier); }
    bool in_flight() const { return in_flight_; }
    Call& current() { return call_; }
    const Call& current() const { return call_; }

    void write(Call call, std::span<const std::byte> frames, Outbox& outbox);
    // A call, in its turn: now, or after what waits.
    void add(Call call, std::span<const std::byte> frames, Outbox& outbox);
    // Frames that go after all that was added before them. Returns where to put `size` bytes.
    std::byte* hold(std::size_t size);
    // The same of a content whose body follows them.
    std::byte* hold(std::size_t size, Body body, bool large);
    std::byte* hold(std::size_t size, std::unique_ptr<BodyPieces> pieces);
    // The reply has come: gives the call, and goes on with what waits.
    Call finish(Outbox& outbox);
    // Moves what may go to the outbox.
    void advance(Outbox& outbox);
    // A large content is at the front: moves one frame of it. True while there is more of it.
    bool write_large_frame(Outbox& outbox);
    // The rest of a large content of which a part is in the outbox, all at once.
    void write_rest(Outbox& outbox);
    bool large_is_next() const {
        return !waiting_.empty() && waiting_.front().large && !body_is_begun() &&
               !(in_flight_ && call_.barrier);
    }
    // A body that comes piece by piece has its turn.
    bool body_is_begun() const {
        return !waiting_.empty() && waiting_.front().pieces && waiting_.front().pieces->started;
    }
    // What waits of that writer's; null: nothing.
    BodyPieces* find_body(Token writer);
    // As much of it as there is room for, as frames. `done`: it is whole, and what waited for that
    // may be large.
    std::size_t write_piece(std::span<const std::byte> octets, std::uint32_t frame_max,
                            Outbox& outbox, bool* done);

    Queue<Waiting>& waiting() { return waiting_; }
    const Queue<Waiting>& waiting() const { return waiting_; }
    void clear();

  private:
    // Whether it may be on the wire before the answer to the call in flight.
    bool may_go(bool is_call, CallKind kind) const {
        if (!in_flight_) return true;
        // A close does not wait for an answer that nobody expects any more.
        if (is_call && kind == CallKind::channel_close && call_.failed) return true;
        return !is_call && !call_.barrier;
    }

    bool in_flight_ = false;
    Call call_;
    Queue<Waiting> waiting_;
    std::size_t& total_;
    Counters& counters_;
};

}  // namespace haigha::protocol
