// A content header's payload from a peer: read, described, and its properties written again.
#include <string>
#include <vector>

#include "fuzz_target.h"
#include "wire/frame.h"
#include "wire/properties.h"

namespace haigha::fuzz {
namespace {

using wire::Properties;

std::vector<std::byte> written(const Properties& properties) {
    std::vector<std::byte> out(wire::properties_size(properties));
    require(wire::write_properties(properties, out.data()) == out.data() + out.size(),
            "properties_size is what write_properties writes");
    return out;
}

void require_equal(const Properties& a, const Properties& b) {
    require(a.present == b.present && a.content_type == b.content_type &&
                a.content_encoding == b.content_encoding && a.headers == b.headers &&
                a.delivery_mode == b.delivery_mode && a.priority == b.priority &&
                a.correlation_id == b.correlation_id && a.reply_to == b.reply_to &&
                a.expiration == b.expiration && a.message_id == b.message_id &&
                a.timestamp == b.timestamp && a.type == b.type && a.user_id == b.user_id &&
                a.app_id == b.app_id && a.cluster_id == b.cluster_id,
            "properties that are written and read are the same");
}

void exercise_properties(Bytes raw) {
    Properties properties;
    if (!wire::parse_properties(raw, properties)) return;
    require((properties.present & ~wire::known_properties) == 0, "only known flags are read");
    require(wire::oversized_property(properties) == nullptr, "what was read fits to be written");
    const std::vector<std::byte> again = written(properties);
    require(wire::as_text(again) == wire::as_text(raw), "properties are written as they came");
    Properties back;
    require(wire::parse_properties(again, back), "what was written can be read");
    require_equal(properties, back);
    std::string text;
    wire::describe_properties(properties, text);
    require(text.empty() == (properties.present == 0), "a description names what is present");
    // Each of the ten strings is cut, and so is the table.
    require(text.size() < 32 * 1024, "a description is bounded");

    // Fewer of them, and bits that mean nothing: what is not present is neither written nor read.
    Properties fewer = properties;
    fewer.present = static_cast<std::uint16_t>((properties.present & 0x5555U) | 2U);
    require(wire::parse_properties(written(fewer), back), "a part of them can be read");
    require(back.present == (fewer.present & wire::known_properties),
            "a part of them is that part");
}

void exercise_header(Bytes payload) {
    wire::ContentHeader header;
    if (!wire::parse_content_header(payload, header)) return;
    require(header.properties.size() + wire::content_header_prefix == payload.size(),
            "a content header is its prefix and its properties");
    std::vector<std::byte> frame(wire::content_header_frame_size(header.properties.size()));
    std::byte* at = wire::write_content_header(frame.data(), 7, header.class_id, header.body_size,
                                               header.properties.size());
    wire::Writer writer(at);
    writer.raw(header.properties);
    require(wire::write_frame_end(writer.position()) == frame.data() + frame.size(),
            "a content header's size is what is written");
    const wire::FrameParse parsed = wire::parse_frame(frame, 0);
    require(parsed.status == wire::FrameParse::Status::complete &&
                parsed.frame.type == wire::FrameType::header && parsed.frame.channel == 7,
            "a content header that is written is a frame");
    wire::ContentHeader back;
    require(wire::parse_content_header(parsed.frame.payload, back) &&
                back.class_id == header.class_id && back.body_size == header.body_size &&
                wire::as_text(back.properties) == wire::as_text(header.properties),
            "a content header that is written and read is the same");
    exercise_properties(header.properties);
}

}  // namespace
}  // namespace haigha::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    haigha::fuzz::exercise_header(haigha::fuzz::Input(data, size).rest());
    return 0;
}
