// What was handed to a ConnectionMachine and has to end: calls, consumers, channels and publishes,
// each exactly once. Holds every event to it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fuzz_target.h"
#include "protocol/machine_event.h"

namespace haigha::fuzz {

class MachineLedger {
  public:
    enum class Kind : std::uint8_t { call, consumer, channel, publish, body };

    struct Entry {
        Kind kind;
        bool live = true;
        protocol::Token channel = nullptr;  // what it is on
        std::size_t size = 0;               // of a publish's body
        bool numbered = false;              // of a publish that has an outcome
        bool left_whole = false;            // of a publish: all of it was sent
        bool not_sent = false;              // of a publish: it was said to be safe to send again
        std::uint64_t publishes = 0;        // of a channel: those that were numbered
        bool opened = false;                // of a channel
        bool in_piece = false;              // of a consumer: a delivery has begun, and not ended
    };

    // The next token. It has to end, unless it is struck out because the verb was refused.
    protocol::Token add(Kind kind, protocol::Token channel = nullptr) {
        entries_.push_back(Entry{.kind = kind, .channel = channel});
        return reinterpret_cast<protocol::Token>(entries_.size());
    }
    void strike_out(protocol::Token token) { at(token).live = false; }

    Entry& at(protocol::Token token) {
        const auto number = reinterpret_cast<std::uintptr_t>(token);
        require(number > 0 && number <= entries_.size(), "an event names what was handed in");
        return entries_[number - 1];
    }
    std::size_t size() const { return entries_.size(); }
    // What the events since clear_outcomes() have settled.
    const std::vector<protocol::Settled>& outcomes() const { return outcomes_; }
    void clear_outcomes() { outcomes_.clear(); }
    bool closed() const { return closed_; }

    void published(protocol::Token token, protocol::Token channel, std::uint64_t sequence) {
        Entry& publish = at(token);
        publish.numbered = sequence != 0;
        publish.live = publish.numbered;
        if (!publish.numbered) return;
        require(sequence == ++at(channel).publishes, "publishes are numbered from 1, without gaps");
    }

    void on_event(const protocol::MachineEvent& event) {
        using protocol::EventKind;
        require(!closed_, "connection_closed is the last event");
        if (event.owner != nullptr) {
            const Entry& channel = at(event.owner);
            require(channel.kind == Kind::channel && channel.live,
                    "channel_closed is the last event of a channel");
        }
        switch (event.kind) {
            case EventKind::connection_open:
                require(!opened_, "a connection opens once");
                opened_ = true;
                return;
            case EventKind::connection_closed:
                closed_ = true;
                return;
            case EventKind::channel_open:
                require(event.owner != nullptr && !at(event.owner).opened, "a channel opens once");
                at(event.owner).opened = true;
                return;
            case EventKind::channel_closed:
            case EventKind::channel_lost:
                end(event.owner, Kind::channel);
                return;
            case EventKind::call_done:
                end(event.subject, Kind::call);
                return;
            case EventKind::consumer_cancelled:
                end(event.subject, Kind::consumer);
                return;
            case EventKind::delivery: {
                const Entry& consumer = at(event.subject);
                require(consumer.kind == Kind::consumer && consumer.live,
                        "a delivery is for a consumer that has not ended");
                require(consumer.channel == event.owner, "a delivery is on its consumer's channel");
                return;
            }
            case EventKind::delivery_begin:
            case EventKind::delivery_piece:
            case EventKind::delivery_end:
            case EventKind::delivery_cut:
                on_piece(event);
                return;
            case EventKind::body_room:
                require(at(event.subject).kind == Kind::body && at(event.subject).live,
                        "a body that has room has not ended");
                return;
            case EventKind::body_done:
                end(event.subject, Kind::body);
                return;
            case EventKind::outcomes:
                take_outcomes(*event.ring);
                return;
            case EventKind::returned:
                require(event.error && event.owner != nullptr, "a return says why");
                return;
            case EventKind::blocked:
                require(static_cast<bool>(event.error), "a broker that blocks says why");
                return;
            case EventKind::consumer_lost:
                require(at(event.subject).kind == Kind::consumer && at(event.subject).live,
                        "a consumer that is lost has not ended");
                return;
            case EventKind::delivery_held:
                require(event.number > 0 && event.message_count > 0, "a held delivery has a tag");
                return;
            case EventKind::unblocked:
            case EventKind::writable:
            case EventKind::flow:
            case EventKind::auth:
                return;
        }
        require(false, "an event is of a kind that is known");
    }

    // To be asked after the connection has ended.
    void require_all_ended() const {
        require(closed_, "a transport that fails ends the connection");
        for (const Entry& entry : entries_)
            require(!entry.live, "whatever was accepted has ended");
    }

  private:
    void on_piece(const protocol::MachineEvent& event) {
        using protocol::EventKind;
        Entry& consumer = at(event.subject);
        require(consumer.kind == Kind::consumer && consumer.live && consumer.channel == event.owner,
                "a piece is for a consumer of its channel that has not ended");
        require(consumer.in_piece == (event.kind != EventKind::delivery_begin),
                "a delivery in pieces has one beginning and one end");
        consumer.in_piece =
            event.kind == EventKind::delivery_begin || event.kind == EventKind::delivery_piece;
    }

    void end(protocol::Token token, Kind kind) {
        Entry& entry = at(token);
        require(entry.kind == kind, "an end is of the kind of what ends");
        require(entry.live, "what was accepted ends once, and what was refused never");
        entry.live = false;
    }

    void take_outcomes(protocol::ConfirmRing& ring) {
        std::array<protocol::Settled, 3> settled;
        protocol::OutcomeCounts counts;
        for (bool done = false; !done;) {
            const std::size_t count = ring.take(settled, &done, counts);
            for (std::size_t i = 0; i < count; ++i) {
                end(settled[i].data, Kind::publish);
                outcomes_.push_back(settled[i]);
                Entry& publish = at(settled[i].data);
                publish.not_sent = settled[i].outcome == protocol::Outcome::not_sent;
                require(!publish.not_sent || !publish.left_whole,
                        "NOT_SENT is said only of what never left whole");
            }
        }
    }

    std::vector<Entry> entries_;
    std::vector<protocol::Settled> outcomes_;
    bool opened_ = false;
    bool closed_ = false;
};

}  // namespace haigha::fuzz
