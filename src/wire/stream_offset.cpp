#include "wire/stream_offset.h"

#include <string_view>

#include "wire/properties.h"

namespace haigha::wire {

namespace {

constexpr std::string_view stream_offset_name = "x-stream-offset";

}  // namespace

std::optional<std::int64_t> find_stream_offset(Bytes properties) {
    Properties parsed;
    if (!parse_properties(properties, parsed) || !parsed.has(property_headers)) return std::nullopt;
    TableCursor fields(parsed.headers.bytes);
    Field field;
    while (fields.next(field) == FieldStatus::field) {
        if (field.name == stream_offset_name && field.tag == 'l') return field.integer;
    }
    return std::nullopt;
}

bool set_stream_offset(Bytes arguments, std::int64_t offset, FieldTable& changed) {
    TableCursor fields(arguments);
    Field field;
    while (fields.next(field) == FieldStatus::field) {
        if (field.name == stream_offset_name) continue;
        if (changed.add(field) != FieldError::none) return false;
    }
    Field place;
    place.name = stream_offset_name;
    place.tag = 'l';
    place.integer = offset;
    return changed.add(place) == FieldError::none;
}

}  // namespace haigha::wire
