#include "client/frame_tracer.h"

#include <algorithm>

#include "wire/method_table.h"
#include "wire/properties.h"
#include "wire/trace_text.h"

namespace haigha::client {

namespace {

using FrameStatus = wire::FrameParse::Status;

constexpr std::string_view to_peer = "-> ";
constexpr std::string_view from_peer = "<- ";

}  // namespace

std::size_t FrameTracer::received(wire::Bytes in) {
    std::size_t at = 0;
    while (at < in.size()) {
        const wire::FrameParse parsed = wire::parse_frame(in.subspan(at), 0);
        // What is wrong with the rest the machine has said, or will.
        if (parsed.status != FrameStatus::complete) break;
        write(from_peer, parsed.frame, parsed.frame.payload.size());
        at += parsed.size;
    }
    return at;
}

void FrameTracer::sent(std::span<const iovec> pieces, std::size_t size) {
    for (const iovec& piece : pieces) {
        wire::Bytes in(static_cast<const std::byte*>(piece.iov_base),
                       std::min(piece.iov_len, size));
        size -= in.size();
        while (!in.empty() && in_step_)
            in = in.subspan(take_sent(in));
    }
}

// Takes the part of `in` that belongs to one frame, at least one octet, and returns its size.
std::size_t FrameTracer::take_sent(wire::Bytes in) {
    if (skipped_ > 0) {
        const std::size_t taken = std::min(skipped_, in.size());
        skipped_ -= taken;
        return taken;
    }
    const bool greeting = (partial_.empty() ? in[0] : partial_[0]) == wire::protocol_header[0];
    std::size_t taken = 0;
    while (true) {
        const wire::FrameParse parsed = wire::parse_frame(partial_, 0);
        const bool body = parsed.frame.type == wire::FrameType::body &&
                          partial_.size() == wire::frame_header_size;
        if (greeting ? partial_.size() == wire::protocol_header.size()
                     : body || parsed.status == FrameStatus::complete) {
            if (greeting) {
                log_("-> protocol header AMQP 0-9-1");
            } else {
                // The octets of a body are of no interest, and may be many.
                skipped_ = parsed.size - partial_.size();
                write(to_peer, parsed.frame, parsed.size - wire::frame_overhead);
            }
            partial_.clear();
            return taken;
        }
        if (!greeting && parsed.status != FrameStatus::need_more) {
            sent_unseen();
            return in.size();
        }
        if (taken == in.size()) return taken;
        const std::size_t needed = greeting ? wire::protocol_header.size() : parsed.size;
        const std::size_t more = std::min(needed - partial_.size(), in.size() - taken);
        const auto from = in.begin() + static_cast<std::ptrdiff_t>(taken);
        partial_.insert(partial_.end(), from, from + static_cast<std::ptrdiff_t>(more));
        taken += more;
    }
}

void FrameTracer::write(std::string_view direction, const wire::Frame& frame,
                        std::size_t payload_size) {
    line_ = direction;
    line_ += "channel ";
    wire::append_number(std::uint64_t{frame.channel}, line_);
    line_ += ' ';
    switch (frame.type) {
        case wire::FrameType::method:
            wire::describe_payload(frame.payload, line_);
            break;
        case wire::FrameType::header: {
            wire::ContentHeader header;
            wire::Properties properties;
            if (!wire::parse_content_header(frame.payload, header) ||
                !wire::parse_properties(header.properties, properties)) {
                line_ += "malformed content header";
                break;
            }
            line_ += "content header body_size=";
            wire::append_number(header.body_size, line_);
            line_ += ' ';
            wire::describe_properties(properties, line_);
            break;
        }
        case wire::FrameType::body:
            line_ += "body ";
            wire::append_number(std::uint64_t{payload_size}, line_);
            line_ += " bytes";
            break;
        case wire::FrameType::heartbeat:
            line_ += "heartbeat";
            break;
    }
    log_(line_);
}

}  // namespace haigha::client
