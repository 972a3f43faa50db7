// The headers of a message that a call is given.
#pragma once

#include "boundary.h"
#include "handles.h"
#include "wire/properties.h"

namespace haigha::capi {

// read(headers), and what it says: false when they cannot be decoded.
template <class Read>
haigha_status read_headers(Arguments& arguments, const haigha_message* message,
                           haigha_error** error, Read read) {
    arguments.required(message, "message");
    if (arguments.bad()) return arguments.refuse(error);
    wire::Properties properties;
    if (!wire::parse_properties(core(message)->properties, properties)) {
        return refuse(Status::malformed, "the message's properties cannot be decoded", error);
    }
    if (read(properties.headers.bytes)) return HAIGHA_OK;
    return refuse(Status::malformed, "the message's headers cannot be decoded", error);
}

}  // namespace haigha::capi
