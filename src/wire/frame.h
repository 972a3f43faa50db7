// Finds frames in a run of octets and writes them: parse_frame, method frames, content headers.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "wire/cursor.h"
#include "wire/method_codec.h"

namespace haigha::wire {

enum class FrameType : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

// type, channel, payload size; and with the end octet behind the payload.
inline constexpr std::size_t frame_header_size = 7;
inline constexpr std::size_t frame_overhead = 8;
// The smallest frame_max that a peer may ask for, end octet included.
inline constexpr std::size_t min_frame_max = 4096;
inline constexpr std::byte frame_end{0xCE};
// The largest frame when no frame_max holds ("unlimited"), end octet included: keeps every size and
// position within a 32-bit size_t, and bounds what one frame can make a reader buffer.
inline constexpr std::uint32_t frame_size_limit = std::uint32_t{1} << 31;

// The least payload that each type can have (rule 104): the two ids of a method; class, weight,
// body size and property flags of a content header.
inline constexpr std::uint32_t min_method_payload = 4;
inline constexpr std::uint32_t min_header_payload = 14;

// What a client sends first, and what a broker of another version answers.
inline constexpr std::array<std::byte, 8> protocol_header{
    std::byte{'A'}, std::byte{'M'}, std::byte{'Q'}, std::byte{'P'},
    std::byte{0},   std::byte{0},   std::byte{9},   std::byte{1}};

inline constexpr std::array<std::byte, 8> heartbeat_frame{std::byte{8}, std::byte{0}, std::byte{0},
                                                          std::byte{0}, std::byte{0}, std::byte{0},
                                                          std::byte{0}, frame_end};

struct Frame {
    FrameType type{};
    std::uint16_t channel = 0;
    Bytes payload{};
};

struct FrameParse {
    enum class Status : std::uint8_t {
        complete,
        need_more,
        unknown_type,
        too_large,  // also a heartbeat that carries anything
        too_small,
        bad_end,
    };

    Status status{};
    // The payload is set when complete. Type and channel are set as soon as they are known, also
    // beside an error, so that it can be described.
    Frame frame{};
    // complete: octets consumed. need_more: octets needed in all, from the start of `in`, to get
    // further. too_large, too_small: the announced size of the payload.
    std::size_t size = 0;
};

// Looks at the frame at the start of `in`, and keeps no state: call it again with more octets when
// it needs more. Everything is refused as early as it shows: a type with its first octet, a size
// with the seventh, before anything is added to it (rule 103), so nobody waits or allocates for a
// payload that will be refused. frame_max counts the whole frame, as tuned; 0 means no limit but
// frame_size_limit.
inline FrameParse parse_frame(Bytes in, std::uint32_t frame_max) noexcept {
    FrameParse result;
    if (in.empty()) {
        result.status = FrameParse::Status::need_more;
        result.size = frame_header_size;
        return result;
    }
    constexpr unsigned known_types = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 8;
    const unsigned type = std::to_integer<unsigned>(in[0]);
    result.frame.type = static_cast<FrameType>(type);
    if (type > 8 || ((known_types >> type) & 1U) == 0) [[unlikely]] {
        result.status = FrameParse::Status::unknown_type;
        return result;
    }
    if (in.size() < frame_header_size) {
        result.status = FrameParse::Status::need_more;
        result.size = frame_header_size;
        return result;
    }
    result.frame.channel = load_big<std::uint16_t>(in.data() + 1);
    const std::uint32_t payload_size = load_big<std::uint32_t>(in.data() + 3);
    result.size = payload_size;

    std::uint32_t most = frame_max == 0 ? frame_size_limit : std::min(frame_max, frame_size_limit);
    most = most > frame_overhead ? most - static_cast<std::uint32_t>(frame_overhead) : 0;
    std::uint32_t least = 0;
    switch (result.frame.type) {
        case FrameType::method:
            least = min_method_payload;
            break;
        case FrameType::header:
            least = min_header_payload;
            break;
        case FrameType::body:
            break;
        case FrameType::heartbeat:
            most = 0;
            break;
    }
    if (payload_size > most) [[unlikely]] {
        result.status = FrameParse::Status::too_large;
        return result;
    }
    if (payload_size < least) [[unlikely]] {
        result.status = FrameParse::Status::too_small;
        return result;
    }
    // Cannot wrap: the payload is no larger than frame_size_limit - frame_overhead.
    result.size = frame_overhead + payload_size;
    if (in.size() < result.size) {
        result.status = FrameParse::Status::need_more;
        return result;
    }
    if (in[result.size - 1] != frame_end) [[unlikely]] {
        result.status = FrameParse::Status::bad_end;
        return result;
    }
    result.frame.payload = in.subspan(frame_header_size, payload_size);
    result.status = FrameParse::Status::complete;
    return result;
}

// The writers below return the position after what they wrote; the caller has reserved the size.

inline std::byte* write_frame_header(std::byte* out, FrameType type, std::uint16_t channel,
                                     std::uint32_t payload_size) noexcept {
    *out++ = static_cast<std::byte>(type);
    out = store_big(out, channel);
    return store_big(out, payload_size);
}

inline std::byte* write_frame_end(std::byte* out) noexcept {
    *out++ = frame_end;
    return out;
}

template <class Method>
inline std::size_t method_frame_size(const Method& method) noexcept {
    return frame_overhead + method_size(method);
}

template <class Method>
inline std::byte* write_method_frame(std::byte* out, std::uint16_t channel,
                                     const Method& method) noexcept {
    // The size is patched in afterwards: the strings are measured once, not twice.
    std::byte* const payload = out + frame_header_size;
    std::byte* const end = encode_method(method, payload);
    write_frame_header(out, FrameType::method, channel, static_cast<std::uint32_t>(end - payload));
    return write_frame_end(end);
}

// The content header that follows a method with content, before its body.
struct ContentHeader {
    std::uint16_t class_id = 0;
    std::uint64_t body_size = 0;
    Bytes properties{};  // flags and list as they came: see parse_properties
};

// Of the payload, the part before the properties: class, weight and body size.
inline constexpr std::size_t content_header_prefix = 12;

// False when the payload is too short. body_size is only what the peer announces: it may be
// anything up to 2^64-1, and nothing may be allocated on its word (rule 109).
inline bool parse_content_header(Bytes payload, ContentHeader& out) noexcept {
    Reader in(payload);
    out.class_id = in.u16();
    in.u16();  // weight: must be zero, but means nothing, so nobody checks it
    out.body_size = in.u64();
    out.properties = in.rest();
    return in.ok() && out.properties.size() >= 2;
}

inline std::size_t content_header_frame_size(std::size_t properties_size) noexcept {
    return frame_overhead + content_header_prefix + properties_size;
}

// Everything up to the properties, which write_properties or a copy of encoded ones then follow,
// and write_frame_end after them.
inline std::byte* write_content_header(std::byte* out, std::uint16_t channel,
                                       std::uint16_t class_id, std::uint64_t body_size,
                                       std::size_t properties_size) noexcept {
    out = write_frame_header(out, FrameType::header, channel,
                             static_cast<std::uint32_t>(content_header_prefix + properties_size));
    out = store_big(out, class_id);
    out = store_big(out, std::uint16_t{0});
    return store_big(out, body_size);
}

}  // namespace haigha::wire
