#include "protocol/consumer_table.h"

#include <optional>
#include <utility>

#include "wire/field_table.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"
#include "wire/properties.h"

namespace haigha::protocol {

namespace {

// RabbitMQ's name for it, in a stream's messages and in the arguments of basic.consume.
constexpr std::string_view stream_offset_name = "x-stream-offset";

std::optional<std::int64_t> find_stream_offset(wire::Bytes raw) {
    wire::Properties properties;
    if (!wire::parse_properties(raw, properties) || !properties.has(wire::property_headers)) {
        return std::nullopt;
    }
    wire::TableCursor fields(properties.headers.bytes);
    wire::Field field;
    while (fields.next(field) == wire::FieldStatus::field) {
        if (field.name == stream_offset_name && field.tag == 'l') return field.integer;
    }
    return std::nullopt;
}

}  // namespace

void Consumer::read_position(wire::Bytes properties) {
    const std::optional<std::int64_t> offset = find_stream_offset(properties);
    on_stream = offset.has_value();
    stream_is_known = true;
    if (offset) stream_offset = *offset;
}

std::vector<std::byte> Consumer::resume_frame(std::uint16_t channel) const {
    wire::basic::Consume method{};
    const auto parsed = wire::parse_frame(consume_frame, 0);
    if (!on_stream || parsed.status != wire::FrameParse::Status::complete ||
        !wire::decode_method(parsed.frame.payload.subspan(wire::method_id_size), method)) {
        return consume_frame;
    }
    // Its first offset, if it named one, would have it begin again (rule 81: in order, none twice).
    wire::FieldTable arguments;
    wire::TableCursor fields(method.arguments.bytes);
    wire::Field field;
    bool whole = true;
    while (fields.next(field) == wire::FieldStatus::field) {
        if (field.name == stream_offset_name) continue;
        whole = whole && arguments.add(field) == wire::FieldError::none;
    }
    wire::Field offset;
    offset.name = stream_offset_name;
    offset.tag = 'l';
    offset.integer = stream_offset + 1;
    whole = whole && arguments.add(offset) == wire::FieldError::none;
    if (!whole) return consume_frame;
    method.arguments = {arguments.contents()};
    std::vector<std::byte> frame(wire::method_frame_size(method));
    wire::write_method_frame(frame.data(), channel, method);
    return frame;
}

void ConsumerTable::add(std::string_view tag, Token token, bool no_ack,
                        std::span<const std::byte> frame) {
    Consumer consumer;
    consumer.token = token;
    consumer.no_ack = no_ack;
    consumer.holder = next_holder_++;
    consumer.consume_frame.assign(frame.begin(), frame.end());
    by_tag_.emplace(tag, std::move(consumer));
    last_ = nullptr;
}

Consumer* ConsumerTable::look_up(std::string_view tag) {
    const auto found = by_tag_.find(tag);
    if (found == by_tag_.end()) return nullptr;
    last_tag_ = found->first;
    last_ = &found->second;
    return last_;
}

void ConsumerTable::remove(std::string_view tag) {
    last_ = nullptr;
    const auto found = by_tag_.find(tag);
    if (found != by_tag_.end()) by_tag_.erase(found);
}

void ConsumerTable::clear() {
    last_ = nullptr;
    by_tag_.clear();
}

}  // namespace haigha::protocol
