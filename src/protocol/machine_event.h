// What the protocol machines report: small values, handed out after the machine is consistent
// again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/insist.h"
#include "base/slab.h"
#include "protocol/confirm_ring.h"

namespace haigha::protocol {

// The owner's pointer for a channel, a call or a consumer: never looked into, only handed back.
using Token = void*;

enum class EventKind : std::uint8_t {
    connection_open,
    connection_closed,   // error, or null when it was closed as asked; the last event
    blocked,             // error holds the broker's reason
    unblocked,           //
    writable,            // owner, or null for the whole connection
    channel_open,        // owner
    channel_closed,      // owner; error, or null when it was closed as asked; its last event
    channel_lost,        // owner; error: the same, where it may be opened again: see take_remains
    call_done,           // subject is the call; error, or the reply's members
    delivery,            // subject is the consumer; message
    returned,            // owner; message, and error with the broker's code and text
    outcomes,            // owner; one settled range waits in ring; error: why it was not the broker
    consumer_cancelled,  // subject; error, or null after a cancel; its last event
    consumer_lost,       // subject; error: the broker has cancelled it, see resubscribe()
    body_room,           // subject: the writer of a body in pieces, which was refused, has room
    body_done,       // subject: its writer; error, or null when it was taken whole; its last event
    delivery_begin,  // subject; as delivery, but for the body: body_size
    delivery_piece,  // subject; number; body, and with body_size what came before it
    delivery_end,    // subject; number, body_size
    delivery_cut,    // subject; number; body_size: what came; error: why there is no more
    delivery_held,   // owner; number, name its consumer; message_count with it: see DeliveryWatch
    flow,            // owner; number is 0 or 1
    auth,            // number is an AuthQuestion; name is the mechanism, body the challenge
};

// What has to be answered before authentication goes on.
enum class AuthQuestion : std::uint8_t {
    credentials = 1,  // answer_credentials: of a mechanism that is known here
    response = 2,  // answer_response: of another, to its challenge or, without one, to begin with
};

// Flat, so that appending one is a run of stores. The views point into the bytes that were fed, or
// into `slab` when it is set; they hold until the next feed.
struct MachineEvent {
    EventKind kind = EventKind::connection_open;
    bool redelivered = false;
    bool has_message = false;  // call_done of basic.get
    bool silent = false;       // consumer_cancelled: its consume failed, nobody is to be told
    std::uint16_t channel = 0;
    std::uint32_t message_count = 0;
    std::uint32_t consumer_count = 0;
    Token owner = nullptr;
    Token subject = nullptr;
    std::uint64_t number = 0;  // delivery tag
    std::string_view exchange;
    std::string_view routing_key;
    std::string_view name;  // consumer tag; or the queue's name in a reply
    std::span<const std::byte> properties;
    std::span<const std::byte> body;
    Ref<Slab> slab;  // holds an assembled message
    ErrorRef error;
    Ref<ConfirmRing> ring;
    std::uint64_t body_size = 0;  // of what is delivered in pieces
};

// Events in their order. Their memory is used again: clear() drops what they hold, and they cost
// nothing to make once there have been as many.
class EventList {
  public:
    EventList() = default;

    MachineEvent& emplace_back() { return next() = MachineEvent(); }
    void push_back(MachineEvent event) { next() = std::move(event); }
    // Holds nothing, but its other members are those of some event before.
    MachineEvent& next() {
        if (size_ == events_.size()) [[unlikely]]
            grow();
        return events_[size_++];
    }
    void pop_back() { drop(events_[--size_]); }
    void clear() {
        for (MachineEvent& event : *this)
            drop(event);
        size_ = 0;
    }

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    MachineEvent& back() { return events_[size_ - 1]; }
    MachineEvent& operator[](std::size_t index) { return events_[index]; }
    const MachineEvent& operator[](std::size_t index) const { return events_[index]; }
    MachineEvent* begin() { return events_.data(); }
    MachineEvent* end() { return events_.data() + size_; }
    const MachineEvent* begin() const { return events_.data(); }
    const MachineEvent* end() const { return events_.data() + size_; }

  private:
    // What has happened is told, whatever it takes.
    [[gnu::noinline]] void grow() {
        insist([this] { events_.emplace_back(); });
    }
    static void drop(MachineEvent& event) {
        event.slab = nullptr;
        if (event.kind == EventKind::delivery) [[likely]]
            return;
        event.error = nullptr;
        event.ring = nullptr;
    }

    std::vector<MachineEvent> events_;
    std::size_t size_ = 0;
};

}  // namespace haigha::protocol
