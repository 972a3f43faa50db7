// Where a broker may be: one host or several, each with a port of its own or the common one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace haigha::client {

struct HostAndPort {
    std::string host;
    std::uint16_t port = 0;  // 0: none was given
};

// "a", "a:5673,b", "[::1]:5672,10.0.0.1", or a single IPv6 address without brackets. Null, or a
// sentence that says what is wrong and does not repeat the text, which may hold a misplaced
// password.
ErrorRef parse_hosts(std::string_view text, std::vector<HostAndPort>* hosts);

}  // namespace haigha::client
