// Looks methods up by their ids: names, replies and descriptions for code that has no type at hand.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "wire/cursor.h"
#include "wire/method_id.h"

namespace haigha::wire {

struct MethodInfo {
    MethodId id{};
    std::string_view name{};   // "queue.declare"
    bool synchronous = false;  // expects a reply, unless its no_wait is set
    bool has_content = false;
    Replies replies{};  // {0, 0} stands for none
};

// nullptr when the method is unknown.
const MethodInfo* find_method(MethodId id) noexcept;

// All methods in the order of their ids.
std::span<const MethodInfo> all_methods() noexcept;

// Appends the description of a method frame's payload, ids and arguments, for the tracer. False
// when the method is unknown or malformed, which the text then says; it never shows raw arguments.
bool describe_payload(Bytes method_payload, std::string& out);

}  // namespace haigha::wire
