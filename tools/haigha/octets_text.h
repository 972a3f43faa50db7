// Octets as text that JSON can hold: UTF-8 as it is, and base64.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tool {

bool is_utf8(std::string_view text);

// With padding (RFC 4648, section 4).
std::string base64(std::string_view octets);
// Nothing when it is no base64; padding and digits are looked at strictly.
std::optional<std::string> octets_of_base64(std::string_view text);

}  // namespace tool
