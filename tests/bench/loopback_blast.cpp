#include "loopback_blast.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "bench_stamp.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"

namespace bench {

namespace wire = haigha::wire;

namespace {
constexpr std::size_t blast_size = 256 * 1024;  // sent again and again
}  // namespace

std::shared_ptr<Blast> Blast::of(std::uint16_t channel, const std::string& tag, std::size_t size) {
    static std::map<std::tuple<std::uint16_t, std::string, std::size_t>, std::weak_ptr<Blast>>
        known;
    std::weak_ptr<Blast>& place = known[{channel, tag, size}];
    std::shared_ptr<Blast> blast = place.lock();
    if (!blast) place = blast = std::make_shared<Blast>(channel, tag, size);
    return blast;
}

Blast::Blast(std::uint16_t channel, const std::string& tag, std::size_t size) : body_size_(size) {
    wire::basic::Deliver method{};
    method.consumer_tag = {tag};
    method.routing_key = {"bench"};
    one_.resize(wire::method_frame_size(method));
    wire::write_method_frame(one_.data(), channel, method);
    // The delivery tag follows the consumer tag.
    tag_at_ = wire::frame_header_size + wire::method_id_size + 1 + tag.size();
    std::vector<std::byte> header(wire::content_header_frame_size(2));
    std::byte* const properties = wire::write_content_header(
        header.data(), channel, wire::basic::Deliver::id.class_id, size, 2);
    wire::write_frame_end(properties + 2);
    one_.insert(one_.end(), header.begin(), header.end());
    body_at_ = one_.size() + wire::frame_header_size;
    for (std::size_t done = 0; done < size;) {
        const std::size_t part =
            std::min<std::size_t>(peer_frame_max - wire::frame_overhead, size - done);
        std::vector<std::byte> body(part + wire::frame_overhead, std::byte{BENCH_STAMP_FILLER});
        wire::write_frame_header(body.data(), wire::FrameType::body, channel,
                                 static_cast<std::uint32_t>(part));
        body.back() = wire::frame_end;
        one_.insert(one_.end(), body.begin(), body.end());
        done += part;
    }
    count_ = std::max<std::size_t>(1, blast_size / one_.size());
}

void Blast::number(std::byte* one, std::uint64_t tag) const {
    wire::store_big(one + tag_at_, tag);
    if (body_size_ < BENCH_STAMP_SIZE) return;
    // In several frames too: sizes whose last one has no room for a stamp's end are not used.
    const std::uint64_t complement = ~tag;
    std::memcpy(one + body_at_, &tag, sizeof tag);
    std::memcpy(one + one_.size() - 1 - sizeof complement, &complement, sizeof complement);
}

bool Blast::send(Wire& to, std::uint64_t first_tag, std::size_t count) {
    if (all_.empty()) {
        all_.reserve(count_ * one_.size());
        for (std::size_t i = 0; i < count_; ++i)
            all_.insert(all_.end(), one_.begin(), one_.end());
    }
    for (std::size_t i = 0; i < count; ++i)
        number(all_.data() + i * one_.size(), first_tag + i);
    return to.send_all(all_.data(), count * one_.size());
}

void Blast::append_to(std::vector<std::byte>& out, std::uint64_t tag) const {
    const std::size_t at = out.size();
    out.insert(out.end(), one_.begin(), one_.end());
    number(out.data() + at, tag);
}

void Blast::append_to(std::vector<std::byte>& out, std::uint64_t tag, wire::Bytes body) const {
    const std::size_t at = out.size();
    out.insert(out.end(), one_.begin(), one_.end());
    wire::store_big(out.data() + at + tag_at_, tag);
    std::copy(body.begin(), body.end(), out.data() + at + body_at_);
}

}  // namespace bench
