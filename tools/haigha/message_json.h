// A received message as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "owned_handles.h"

namespace tool {

// {"exchange", "routing_key", "redelivered", "properties", "headers", "body"}; text that is not
// UTF-8, and octets, become {"base64": "..."}.
nlohmann::ordered_json to_json(const haigha_message* message);

// The fields of a table or the elements of an array.
nlohmann::ordered_json to_json(haigha_cursor cursor, bool is_array);

}  // namespace tool
