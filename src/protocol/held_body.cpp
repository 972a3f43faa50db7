#include "protocol/held_body.h"

#include <cstring>

namespace haigha::protocol {

ReturnedBodies::~ReturnedBodies() {
    while (first_ != nullptr) {
        const std::unique_ptr<HeldBody> body(first_);
        first_ = body->next_;
        if (body->release_ != nullptr) body->release_(body->data_);
    }
}

Ref<HeldBody> HeldBody::copy(std::span<const std::byte> octets, ReturnedBodies& returned) {
    BulkMemory own = make_bulk(octets.size());
    std::memcpy(own.get(), octets.data(), octets.size());
    const std::span<const std::byte> copied(own.get(), octets.size());
    return Ref<HeldBody>::adopt(new HeldBody(copied, std::move(own), nullptr, nullptr, returned));
}

// Header, then for each frame its end and, if there is one, the next one's header: on the wire too
// they are neighbours.
void HeldFrames::write_edges(std::byte* edges) const {
    for (std::size_t number = 0; number < count(); ++number) {
        edges = wire::write_frame_header(edges, wire::FrameType::body, channel_,
                                         static_cast<std::uint32_t>(payload_of(number).size()));
        edges = wire::write_frame_end(edges);
    }
}

std::span<const std::byte> HeldFrames::stretch_at(std::size_t at, const std::byte* edges) const {
    const std::size_t number = at / (piece_ + wire::frame_overhead);
    const std::size_t into = at % (piece_ + wire::frame_overhead);
    const std::span<const std::byte> payload = payload_of(number);
    const std::byte* const own = edges + number * wire::frame_overhead;
    if (into < wire::frame_header_size) return {own + into, wire::frame_header_size - into};
    const std::size_t done = into - wire::frame_header_size;
    if (done < payload.size()) return payload.subspan(done);
    // The end, and the header behind it.
    const bool last = number + 1 == count();
    return {own + wire::frame_header_size, last ? 1 : wire::frame_overhead};
}

}  // namespace haigha::protocol
