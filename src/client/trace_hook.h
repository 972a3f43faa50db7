// The user's function that knows which trace a message belongs to.
#pragma once

#include <string_view>

#include "wire/traceparent.h"

namespace haigha::client {

// In the C API's own type, which only `ask` knows. Copied freely: who keeps it runs `release`.
struct TraceHook {
    using AnyFunction = void (*)();
    // Whether there is a context, which it has filled.
    using Ask = bool (*)(AnyFunction fn, std::string_view exchange, std::string_view routing_key,
                         wire::TraceContext& context, void* user_data);
    using Release = void (*)(void* user_data);
    Ask ask = nullptr;
    AnyFunction fn = nullptr;
    void* user_data = nullptr;
    Release release = nullptr;
};

}  // namespace haigha::client
