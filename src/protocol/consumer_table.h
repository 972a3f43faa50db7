// The consumers of a channel, by tag, and how far each one is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/delivery_window.h"
#include "protocol/machine_event.h"
#include "wire/cursor.h"

namespace haigha::protocol {

enum class ConsumerState : std::uint8_t {
    none,      // there is no such consumer
    starting,  // consume-ok has not come
    running,
    pausing,   // basic.cancel is on its way: deliveries still come
    paused,    // the broker knows nothing of it
    resuming,  // basic.consume is on its way again
};

struct Consumer {
    Token token = nullptr;  // null: its consume failed, nobody is to be told
    ConsumerState state = ConsumerState::starting;
    bool no_ack = false;
    bool in_pieces = false;        // its deliveries are not assembled
    bool restored = false;         // it was on an earlier incarnation of the channel
    bool on_stream = false;        // its deliveries have the offset of a stream
    bool stream_is_known = false;  // the first delivery has told
    std::int64_t stream_offset = 0;
    DeliveryWindow::Holder holder = DeliveryWindow::nobody;
    std::vector<std::byte> consume_frame;  // its basic.consume, to be said again

    // Notes what place in a stream a delivery has, so that the consumer can go on behind it. Free
    // for a consumer of another queue.
    void note_position(wire::Bytes properties) {
        if (!stream_is_known || on_stream) read_position(properties);
    }
    // The basic.consume that goes on where it was.
    std::vector<std::byte> resume_frame(std::uint16_t channel) const;

  private:
    void read_position(wire::Bytes properties);
};

class ConsumerTable {
  public:
    // `frame`: its basic.consume.
    void add(std::string_view tag, Token token, bool no_ack, std::span<const std::byte> frame);
    Consumer* find(std::string_view tag) {
        if (last_ != nullptr && tag == last_tag_) [[likely]]
            return last_;
        return look_up(tag);
    }
    void remove(std::string_view tag);
    bool contains(std::string_view tag) const { return by_tag_.contains(tag); }
    std::size_t size() const { return by_tag_.size(); }
    void clear();

    auto begin() { return by_tag_.begin(); }
    auto end() { return by_tag_.end(); }
    auto begin() const { return by_tag_.begin(); }
    auto end() const { return by_tag_.end(); }

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    Consumer* look_up(std::string_view tag);

    std::unordered_map<std::string, Consumer, Hash, std::equal_to<>> by_tag_;
    DeliveryWindow::Holder next_holder_ = DeliveryWindow::first_consumer;
    // That of the last delivery: mostly that of the next one too.
    std::string_view last_tag_;
    Consumer* last_ = nullptr;
};

}  // namespace haigha::protocol
