#include "protocol/kept_publishes.h"

#include <cstring>
#include <utility>

#include "protocol/return_matcher.h"
#include "protocol/return_stamp.h"
#include "wire/field_table.h"

namespace haigha::protocol {

namespace {

std::vector<std::byte> marked_headers(wire::Bytes headers) {
    wire::TableCursor fields(headers);
    wire::Field field;
    while (fields.next(field) == wire::FieldStatus::field) {
        if (field.name == republished_name) return {headers.begin(), headers.end()};
    }
    constexpr char boolean = 't';
    std::vector<std::byte> marked(headers.size() + 1 + republished_name.size() + 2);
    if (!headers.empty()) std::memcpy(marked.data(), headers.data(), headers.size());
    wire::Writer writer{marked.data() + headers.size()};
    writer(wire::ShortString{republished_name});
    writer(static_cast<std::uint8_t>(boolean));
    writer(std::uint8_t{1});
    return marked;
}

}  // namespace

MarkedHead::MarkedHead(const EncodedHead& head) : request(head.request(&properties)) {
    headers = marked_headers(properties.has(wire::property_headers) ? properties.headers.bytes
                                                                    : wire::Bytes());
    properties.present |= wire::property_headers;
    properties.headers = {headers};
}

template <class Head>
Status KeptPublishes::add(const Head& head, std::uint64_t return_key, bool to_match,
                          const PublishRequest& rest, Instant now, const Write& write,
                          std::uint64_t* sequence) {
    if (head.header_frame_size() > frame_max) return Status::argument;
    if (publishes_.empty()) first_ = ring_.last() + 1;
    KeptPublish& publish = publishes_.emplace_back();
    try {
        publish.head_size = head.size();
        publish.method_size = head.size() - head.header_frame_size();
        publish.to_match = to_match;
        publish.return_key = return_key;
        publish.taken = now;
        const bool hold = rest.release != nullptr || rest.body.size() >= least_held_body;
        publish.octets.resize(head.size() + (hold ? 0 : rest.body.size()));
        std::byte* const at = head.write(publish.octets.data(), 0, rest.body.size());
        if (!hold) {
            if (!rest.body.empty()) std::memcpy(at, rest.body.data(), rest.body.size());
        } else if (rest.release != nullptr) {
            publish.held = HeldBody::lend(rest.body, rest.release, rest.release_data, returned_);
        } else {
            publish.held = HeldBody::copy(rest.body, returned_);
        }
        ring_.reserve();
        write(publish);
    } catch (...) {
        if (publish.held) publish.held->disarm();
        publishes_.pop_back();
        throw;
    }
    *sequence = ring_.add(rest.data, rest.waiter, rest.body.size(), now);
    return Status::ok;
}

Status KeptPublishes::take(const PublishRequest& request, Instant now, const Write& write,
                           std::uint64_t* sequence) {
    static constexpr wire::Properties no_properties{};
    const wire::Properties& given =
        request.properties != nullptr ? *request.properties : no_properties;
    if (request.mandatory && settings_.stamps) {
        const Stamped stamped = stamp(given, ring_.last() + 1);
        return add(PublishHead(request, stamped.properties), 0, false, request, now, write,
                   sequence);
    }
    const std::uint64_t key =
        request.mandatory ? return_key(request.exchange, request.routing_key, request.properties)
                          : 0;
    return add(PublishHead(request, given), key, request.mandatory, request, now, write, sequence);
}

Status KeptPublishes::take(const PreparedHead& head, const PublishRequest& rest, Instant now,
                           const Write& write, std::uint64_t* sequence) {
    if (!head.mandatory() || !settings_.stamps) {
        return add(head, head.return_key(), head.mandatory(), rest, now, write, sequence);
    }
    wire::Properties properties;
    return take(head.request(&properties, rest), now, write, sequence);
}

void KeptPublishes::drop(std::span<const Settled> settled) {
    for (const Settled& one : settled)
        publishes_[one.sequence - first_] = KeptPublish();
    while (!publishes_.empty() && publishes_.front().octets.empty()) {
        publishes_.pop_front();
        ++first_;
    }
}

}  // namespace haigha::protocol
