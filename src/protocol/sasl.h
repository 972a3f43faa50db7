// Authentication mechanisms: which to use, and what to say first.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace haigha::protocol {

struct Credentials {
    std::string user;
    std::string password;
};

// The first of `wanted` (names separated by spaces) that is known here and also in `offered`, or
// nothing.
std::optional<std::string> choose_mechanism(std::string_view wanted, std::string_view offered);

// The response that connection.start-ok carries, or nothing for a mechanism that is not known here.
// PLAIN: RFC 4616. AMQPLAIN: a field table without its length. EXTERNAL, ANONYMOUS: empty.
std::optional<std::string> initial_response(std::string_view mechanism,
                                            const Credentials& credentials);

}  // namespace haigha::protocol
