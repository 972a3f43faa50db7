// A content that is there whole, method, header and one body frame, as a broker's small messages
// are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "wire/cursor.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_id.h"

namespace haigha::wire {

struct WholeContent {
    std::uint16_t channel = 0;
    Bytes arguments;  // of the method, behind its ids
    ContentHeader header;
    Bytes body;
    std::size_t size = 0;  // of all its frames
};

// Looks at what `in` begins with in one go. False when that is anything else than a whole content
// of that method: unfinished, in more frames, or wrong; parse_frame tells what. What is true of
// three frames that parse_frame takes one after the other, the limits included, is true of these.
inline bool parse_whole_content(Bytes in, MethodId method, std::uint32_t frame_max,
                                WholeContent& out) noexcept {
    constexpr std::size_t least = 3 * frame_overhead + min_method_payload + min_header_payload;
    if (in.size() < least) return false;
    const std::size_t limit =
        std::min(frame_max == 0 ? frame_size_limit : frame_max, frame_size_limit);
    const std::byte* at = in.data();
    const std::byte* const end = at + in.size();
    // type, channel and size of a frame, whose payload and end are there
    const auto frame = [&](FrameType type, std::size_t least_payload, std::size_t* payload) {
        if (static_cast<std::size_t>(end - at) < frame_header_size) return false;
        *payload = load_big<std::uint32_t>(at + 3);
        const std::size_t size = *payload + frame_overhead;
        return at[0] == static_cast<std::byte>(type) && *payload >= least_payload &&
               size <= limit && size <= static_cast<std::size_t>(end - at) &&
               at[size - 1] == frame_end;
    };
    std::size_t payload = 0;
    if (!frame(FrameType::method, min_method_payload, &payload)) return false;
    if (load_big<std::uint32_t>(at + frame_header_size) != method.key()) return false;
    out.channel = load_big<std::uint16_t>(at + 1);
    out.arguments = {at + frame_header_size + method_id_size, payload - method_id_size};
    at += payload + frame_overhead;

    if (!frame(FrameType::header, min_header_payload, &payload)) return false;
    if (load_big<std::uint16_t>(at + 1) != out.channel) return false;
    const std::byte* const header = at + frame_header_size;
    out.header.class_id = load_big<std::uint16_t>(header);
    out.header.body_size = load_big<std::uint64_t>(header + 4);
    out.header.properties = {header + content_header_prefix, payload - content_header_prefix};
    if (out.header.class_id != method.class_id) return false;
    at += payload + frame_overhead;

    out.body = {};
    if (out.header.body_size > 0) {
        if (!frame(FrameType::body, 0, &payload)) return false;
        if (load_big<std::uint16_t>(at + 1) != out.channel) return false;
        if (payload != out.header.body_size) return false;
        out.body = {at + frame_header_size, payload};
        at += payload + frame_overhead;
    }
    out.size = static_cast<std::size_t>(at - in.data());
    return true;
}

}  // namespace haigha::wire
