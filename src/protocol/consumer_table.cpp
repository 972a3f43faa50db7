#include "protocol/consumer_table.h"

#include <optional>
#include <utility>

#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"
#include "wire/stream_offset.h"

namespace haigha::protocol {

void Consumer::read_position(wire::Bytes properties) {
    const std::optional<std::int64_t> offset = wire::find_stream_offset(properties);
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
    if (!wire::set_stream_offset(method.arguments.bytes, stream_offset + 1, arguments)) {
        return consume_frame;
    }
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
