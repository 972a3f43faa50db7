// How a peer breaks the protocol, in words.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/reply_codes.h"
#include "wire/method_id.h"
#include "wire/method_table.h"

namespace haigha::protocol {

// The peer broke the protocol: the connection has to end with this.
struct Violation {
    std::uint16_t reply_code;
    std::string text;
};

inline std::string method_name(wire::MethodId id) {
    if (const wire::MethodInfo* info = wire::find_method(id)) return std::string(info->name);
    return "method " + std::to_string(id.class_id) + "." + std::to_string(id.method_id);
}

inline Violation undecodable(wire::MethodId id) {
    return {syntax_error, "the arguments of " + method_name(id) + " cannot be decoded"};
}

}  // namespace haigha::protocol
