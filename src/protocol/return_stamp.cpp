#include "protocol/return_stamp.h"

#include <cstring>

#include "wire/field_table.h"
#include "wire/properties.h"

namespace haigha::protocol {

namespace {
constexpr char stamp_tag = 'l';
constexpr std::size_t length_size = 4;
}  // namespace

std::vector<std::byte> stamped_headers(wire::Bytes headers, std::uint64_t sequence) {
    std::vector<std::byte> stamped(headers.size() + 1 + return_stamp_name.size() + 1 + 8);
    if (!headers.empty()) std::memcpy(stamped.data(), headers.data(), headers.size());
    wire::Writer writer{stamped.data() + headers.size()};
    writer(wire::ShortString{return_stamp_name});
    writer(static_cast<std::uint8_t>(stamp_tag));
    writer(sequence);
    return stamped;
}

Stamped stamp(const wire::Properties& given, std::uint64_t sequence) {
    Stamped stamped;
    stamped.properties = given;
    stamped.headers = stamped_headers(
        given.has(wire::property_headers) ? given.headers.bytes : wire::Bytes(), sequence);
    stamped.properties.present |= wire::property_headers;
    stamped.properties.headers = {stamped.headers};
    return stamped;
}

std::optional<Unstamped> take_stamp(std::span<std::byte> properties) {
    wire::Properties parsed;
    if (!wire::parse_properties(properties, parsed) || !parsed.has(wire::property_headers)) {
        return std::nullopt;
    }
    const wire::Bytes headers = parsed.headers.bytes;
    wire::TableCursor fields(headers);
    wire::Field field;
    wire::Bytes before = fields.rest();
    while (fields.next(field) == wire::FieldStatus::field) {
        if (field.name != return_stamp_name || field.tag != stamp_tag || field.integer <= 0) {
            before = fields.rest();
            continue;
        }
        const auto sequence = static_cast<std::uint64_t>(field.integer);
        const auto offset = [&](const std::byte* at) {
            return static_cast<std::size_t>(at - properties.data());
        };
        std::size_t from = offset(before.data());
        const std::size_t to = offset(fields.rest().data());
        const std::size_t left = headers.size() - (to - from);
        if (left == 0) {
            from -= length_size;
            const std::uint16_t flags = parsed.present & ~wire::property_headers;
            wire::store_big(properties.data(), flags);
        } else {
            wire::store_big(properties.data() + offset(headers.data()) - length_size,
                            static_cast<std::uint32_t>(left));
        }
        std::memmove(properties.data() + from, properties.data() + to, properties.size() - to);
        return Unstamped{sequence, properties.size() - (to - from)};
    }
    return std::nullopt;
}

}  // namespace haigha::protocol
