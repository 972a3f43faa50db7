// Reads what a ConnectionMachine says, as a broker would that takes nothing amiss silently: whole
// frames within the limit, contents unmixed, nothing after a close but its answer.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "fuzz_target.h"
#include "machine_ledger.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"

namespace haigha::fuzz {

class WireWatch {
  public:
    explicit WireWatch(MachineLedger& ledger) : ledger_(ledger) {}

    // `frame_max`: what was agreed; 0 before.
    void read(Bytes bytes, std::uint32_t frame_max) {
        octets_ += bytes.size();
        unread_.insert(unread_.end(), bytes.begin(), bytes.end());
        std::size_t at = 0;
        if (!greeted_) {
            if (unread_.size() < wire::protocol_header.size()) return;
            greeted_ = true;
            at = wire::protocol_header.size();
        }
        for (;;) {
            const auto parsed = wire::parse_frame(Bytes(unread_).subspan(at), frame_max);
            if (parsed.status == wire::FrameParse::Status::need_more) break;
            require(parsed.status == wire::FrameParse::Status::complete, "frames are said");
            on_frame(parsed.frame);
            at += parsed.size;
        }
        unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    std::uint64_t octets() const { return octets_; }

    // The machine tells that a channel is open. A peer that answers before it was asked may see the
    // question taken back, and then a close alone.
    void channel_is_open(std::uint16_t number) {
        Channel& channel = channels_[number];
        channel.answered_early = !channel.open;
    }

  private:
    struct Channel {
        bool open = false;  // channel.open was said, and no close and no close-ok after it
        bool answered_early = false;
        bool in_content = false;
        bool header_due = false;
        std::uint64_t left = 0;
        protocol::Token publish = nullptr;
        protocol::Token last = nullptr;
    };

    void on_frame(const wire::Frame& frame) {
        require(!answered_, "nothing follows connection.close-ok");
        if (frame.type == wire::FrameType::heartbeat) return;
        if (frame.channel == 0) {
            require(frame.type == wire::FrameType::method, "only methods are on channel 0");
            const auto id = *wire::read_method_id(frame.payload);
            answered_ = id == wire::connection::CloseOk::id;
            require(answered_ || !closed_, "only close-ok follows connection.close");
            closed_ = closed_ || id == wire::connection::Close::id;
            return;
        }
        require(!closed_, "nothing on a channel follows connection.close");
        Channel& channel = channels_[frame.channel];
        switch (frame.type) {
            case wire::FrameType::method:
                on_method(channel, frame.payload);
                return;
            case wire::FrameType::header:
                on_header(channel, frame.payload);
                return;
            case wire::FrameType::body:
                require(channel.in_content && !channel.header_due &&
                            frame.payload.size() <= channel.left,
                        "a body follows its header");
                channel.left -= frame.payload.size();
                finish_if_whole(channel);
                return;
            case wire::FrameType::heartbeat:
                return;
        }
    }

    void on_method(Channel& channel, Bytes payload) {
        const auto id = *wire::read_method_id(payload);
        if (id == wire::channel::CloseOk::id) {
            // Legal wherever it comes: the broker reads nothing else of this channel any more.
            channel = Channel{.last = channel.last};
            return;
        }
        require(!channel.in_content, "a content is not interrupted on its channel");
        if (id == wire::channel::Open::id) {
            require(!channel.open, "a channel is opened after it was closed");
            channel.open = true;
            channel.answered_early = false;
            return;
        }
        require(channel.open || channel.answered_early,
                "only close-ok is said on a channel that is not open");
        if (id == wire::channel::Close::id) channel.open = channel.answered_early = false;
        if (id != wire::basic::Publish::id) return;
        wire::basic::Publish publish{};
        require(wire::decode_method(payload.subspan(wire::method_id_size), publish),
                "what is said can be decoded");
        std::uintptr_t number = 0;
        const std::string_view key = publish.routing_key.text;
        std::from_chars(key.data(), key.data() + key.size(), number);
        channel.publish = reinterpret_cast<protocol::Token>(number);
        require(ledger_.at(channel.publish).kind == MachineLedger::Kind::publish,
                "what is published was handed in");
        require(number > reinterpret_cast<std::uintptr_t>(channel.last),
                "publishes are said in the order of the calls");
        channel.last = channel.publish;
        channel.in_content = channel.header_due = true;
    }

    void on_header(Channel& channel, Bytes payload) {
        wire::ContentHeader header;
        require(channel.in_content && channel.header_due, "a header follows its method");
        require(wire::parse_content_header(payload, header), "a header can be read");
        require(header.body_size == ledger_.at(channel.publish).size,
                "a message is as long as it was");
        channel.header_due = false;
        channel.left = header.body_size;
        finish_if_whole(channel);
    }

    void finish_if_whole(Channel& channel) {
        if (channel.left > 0) return;
        channel.in_content = false;
        MachineLedger::Entry& publish = ledger_.at(channel.publish);
        require(!publish.left_whole, "a message is said once");
        require(!publish.not_sent, "what is safe to send again does not leave later");
        publish.left_whole = true;
    }

    MachineLedger& ledger_;
    std::vector<std::byte> unread_;
    std::map<std::uint16_t, Channel> channels_;
    std::uint64_t octets_ = 0;
    bool greeted_ = false;
    bool closed_ = false;    // connection.close was said
    bool answered_ = false;  // connection.close-ok was said
};

}  // namespace haigha::fuzz
