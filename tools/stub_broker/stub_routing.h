// Whether a binding takes a message: keys of topics, and headers.
#pragma once

#include <string_view>

#include "wire/cursor.h"

namespace haigha::test {

bool is_exchange_type(std::string_view type);
// Words between dots; * is one of them, # any number.
bool topic_matches(std::string_view pattern, std::string_view key);
// Whether a message with these properties, as they were encoded, has what the binding's arguments
// ask for: all of them or, with x-match any, one.
bool headers_match(wire::Bytes arguments, wire::Bytes properties);

}  // namespace haigha::test
