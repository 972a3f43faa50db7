// Authentication mechanisms: which to use, and what to say first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/wipe.h"

namespace haigha::protocol {

struct Credentials {
    Credentials() = default;
    Credentials(std::string user_name, std::string secret)
        : user(std::move(user_name)), password(std::move(secret)) {}
    Credentials(const Credentials&) = default;
    Credentials(Credentials&&) = default;
    Credentials& operator=(const Credentials&) = default;
    Credentials& operator=(Credentials&&) = default;
    ~Credentials() { wipe(password); }

    std::string user;
    std::string password;
};

// Of what is wanted, which may be chosen.
struct MechanismRules {
    bool unknown_ones = false;   // also those not known here: somebody else will answer for them
    bool secret_by_wire = true;  // also those that send the password as it is
};

// The first of `wanted` (names separated by spaces) that is known here and also in `offered`, or
// nothing.
std::optional<std::string> choose_mechanism(std::string_view wanted, std::string_view offered,
                                            MechanismRules rules = {});

bool is_known_mechanism(std::string_view mechanism);
// Whether whoever listens on the wire learns the password.
bool sends_password(std::string_view mechanism);

// The response that connection.start-ok carries, or nothing for a mechanism that is not known here.
// PLAIN: RFC 4616. AMQPLAIN: a field table without its length. EXTERNAL, ANONYMOUS: empty.
// RABBIT-CR-DEMO: the user's name.
std::optional<std::string> initial_response(std::string_view mechanism,
                                            const Credentials& credentials);
// The answer to connection.secure, or nothing when the mechanism has no second step known here.
std::optional<std::string> next_response(std::string_view mechanism,
                                         const Credentials& credentials);

}  // namespace haigha::protocol
