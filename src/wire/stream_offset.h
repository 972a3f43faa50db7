// RabbitMQ's x-stream-offset: in a stream's messages their place, and in the arguments of
// basic.consume where to begin.
#pragma once

#include <cstdint>
#include <optional>

#include "wire/cursor.h"
#include "wire/field_table.h"

namespace haigha::wire {

// Of a message, by its raw properties; nothing when it is not of a stream.
std::optional<std::int64_t> find_stream_offset(Bytes properties);

// Copies `arguments` into `changed`, with `offset` in place of what they name. False when they
// cannot be copied.
bool set_stream_offset(Bytes arguments, std::int64_t offset, FieldTable& changed);

}  // namespace haigha::wire
