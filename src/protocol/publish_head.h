// What a message is published with, and the frames of it that come before its body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/held_body.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"
#include "wire/properties.h"

namespace haigha::protocol {

struct PublishRequest {
    std::string_view exchange;
    std::string_view routing_key;
    bool mandatory = false;
    bool immediate = false;
    const wire::Properties* properties = nullptr;  // null: none
    std::span<const std::byte> body;
    void* data = nullptr;  // comes back with the outcome
    bool waiter = false;
    // The body is lent: of what is taken it runs once, when nothing of it is needed any more.
    HeldBody::Release release = nullptr;
    void* release_data = nullptr;
};

// basic.publish and the content header of one message, to be written once. Two kinds of head have
// the same three functions.
class PublishHead {
  public:
    PublishHead(const PublishRequest& request, const wire::Properties& properties)
        : method_(method_of(request)),
          properties_(properties),
          properties_size_(wire::properties_size(properties)),
          method_size_(wire::method_frame_size(method_)) {}
    std::size_t size() const { return method_size_ + header_frame_size(); }
    std::size_t header_frame_size() const {
        return wire::content_header_frame_size(properties_size_);
    }
    // Writes size() octets; returns the position behind them.
    std::byte* write(std::byte* at, std::uint16_t channel, std::uint64_t body_size) const {
        at = wire::write_method_frame(at, channel, method_);
        at = wire::write_content_header(at, channel, wire::basic::Publish::id.class_id, body_size,
                                        properties_size_);
        return wire::write_frame_end(wire::write_properties(properties_, at));
    }

  private:
    static wire::basic::Publish method_of(const PublishRequest& request) {
        wire::basic::Publish method{};
        method.exchange = {request.exchange};
        method.routing_key = {request.routing_key};
        method.mandatory = request.mandatory;
        method.immediate = request.immediate;
        return method;
    }

    wire::basic::Publish method_;
    const wire::Properties& properties_;
    std::size_t properties_size_;
    std::size_t method_size_;
};

// The two frames as octets of somebody's, of channel 0.
struct EncodedHead {
    wire::Bytes octets;
    std::size_t method_size;  // of the first of them

    std::size_t size() const { return octets.size(); }
    std::size_t header_frame_size() const { return octets.size() - method_size; }
    std::byte* write(std::byte* at, std::uint16_t channel, std::uint64_t body_size) const;
    // What it was made of; views into the octets and into *properties.
    PublishRequest request(wire::Properties* properties) const;
};

// The same of many messages that are alike in all but their bodies, encoded beforehand. Immutable.
class PreparedHead {
  public:
    // Of everything in a request but its body, data and waiter.
    explicit PreparedHead(const PublishRequest& request);

    std::size_t size() const { return octets_.size(); }
    std::size_t header_frame_size() const { return octets_.size() - method_size_; }
    std::byte* write(std::byte* at, std::uint16_t channel, std::uint64_t body_size) const;

    bool mandatory() const { return mandatory_; }
    // Of return_matcher.h.
    std::uint64_t return_key() const { return return_key_; }
    PublishRequest request(wire::Properties* properties) const {
        return encoded().request(properties);
    }
    // The same with what is not part of it.
    PublishRequest request(wire::Properties* properties, const PublishRequest& rest) const;
    EncodedHead encoded() const { return {octets_, method_size_}; }

  private:
    std::vector<std::byte> octets_;
    std::size_t method_size_;  // of the first of the two frames
    bool mandatory_;
    std::uint64_t return_key_;
};

}  // namespace haigha::protocol
