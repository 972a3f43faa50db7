#include "protocol/publish_head.h"

#include <cstring>

#include "protocol/return_matcher.h"

namespace haigha::protocol {

namespace {
constexpr wire::Properties no_properties{};

inline std::byte* write_encoded(wire::Bytes octets, std::size_t method_size, std::byte* at,
                                std::uint16_t channel, std::uint64_t body_size) {
    constexpr std::size_t channel_at = 1;
    constexpr std::size_t body_size_at = wire::frame_header_size + 4;  // behind class and weight
    std::memcpy(at, octets.data(), octets.size());
    wire::store_big(at + channel_at, channel);
    std::byte* const header = at + method_size;
    wire::store_big(header + channel_at, channel);
    wire::store_big(header + body_size_at, body_size);
    return at + octets.size();
}

}  // namespace

PreparedHead::PreparedHead(const PublishRequest& request)
    : mandatory_(request.mandatory),
      return_key_(protocol::return_key(request.exchange, request.routing_key, request.properties)) {
    const PublishHead head(request,
                           request.properties != nullptr ? *request.properties : no_properties);
    octets_.resize(head.size());
    method_size_ = head.size() - head.header_frame_size();
    (void)head.write(octets_.data(), 0, 0);
}

PublishRequest PreparedHead::request(wire::Properties* properties,
                                     const PublishRequest& rest) const {
    PublishRequest whole = request(properties);
    whole.body = rest.body;
    whole.data = rest.data;
    whole.waiter = rest.waiter;
    whole.release = rest.release;
    whole.release_data = rest.release_data;
    return whole;
}

std::byte* PreparedHead::write(std::byte* at, std::uint16_t channel,
                               std::uint64_t body_size) const {
    return write_encoded(octets_, method_size_, at, channel, body_size);
}

std::byte* EncodedHead::write(std::byte* at, std::uint16_t channel, std::uint64_t body_size) const {
    return write_encoded(octets, method_size, at, channel, body_size);
}

PublishRequest EncodedHead::request(wire::Properties* properties) const {
    PublishRequest request;
    wire::basic::Publish method{};
    const auto first = wire::parse_frame(octets, 0);
    (void)wire::decode_method(first.frame.payload.subspan(wire::method_id_size), method);
    request.exchange = method.exchange.text;
    request.routing_key = method.routing_key.text;
    request.mandatory = method.mandatory;
    request.immediate = method.immediate;
    const auto second = wire::parse_frame(octets.subspan(first.size), 0);
    wire::ContentHeader header;
    (void)wire::parse_content_header(second.frame.payload, header);
    (void)wire::parse_properties(header.properties, *properties);
    request.properties = properties;
    return request;
}

}  // namespace haigha::protocol
