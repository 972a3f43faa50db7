// What connection.start-ok tells the broker about us.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace haigha::client {

// The contents of a field table: product, version, platform, capabilities, connection_name.
std::vector<std::byte> client_properties(std::string_view connection_name);

}  // namespace haigha::client
