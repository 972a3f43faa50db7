// The one error type: what went wrong, where, and what the broker said, as an immutable value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/counted.h"
#include "base/ref.h"

namespace haigha {

// The numbers of the C API, written once more here so that no room below capi needs its header;
// capi asserts that they agree.
enum class Status : std::int32_t {
    ok = 0,
    argument = -1,
    would_block = -2,
    wrong_thread = -3,
    closed = -4,
    stale = -5,
    no_memory = -6,
    struct_version = -7,
    channel_limit = -8,
    forked = -9,
    unsupported = -10,
    malformed = -11,
    recovering = -12,
    timeout = -100,
    io = -101,
    tls = -102,
    protocol = -103,
    auth = -104,
    channel_closed_by_broker = -105,
    connection_closed_by_broker = -106,
    resolve = -107,
    heartbeat = -108,
    returned = -109,
    internal = -900,
};

const char* status_name(Status status) noexcept;

enum class Stage : std::int32_t {
    none = 0,
    resolve = 1,
    connect = 2,
    tls = 3,
    handshake = 4,
    open = 5,
    ready = 6,
};

const char* stage_name(Stage stage) noexcept;

// Built once, where the fact is known, and never overwritten on the way up.
struct Error : Counted<Error> {
    Status status = Status::internal;
    Stage stage = Stage::none;
    std::string message;           // one sentence for people
    std::uint16_t reply_code = 0;  // the broker's, or 0
    std::string reply_text;        // word for word
    std::uint16_t class_id = 0;    // the method the broker blames
    std::uint16_t method_id = 0;   //
    const char* method_name = "";  // static
    std::uint16_t channel_id = 0;  // 0: not about one channel
    std::string host;              // "host:port" as configured
    std::int32_t os_errno = 0;
    bool accepted = false;  // a waiting form's: the call was taken, and failed
};

using ErrorRef = Ref<const Error>;

// The members that most errors need; anything else is set on the copy that edit_error() gives.
ErrorRef make_error(Status status, std::string message, Stage stage = Stage::none);
// "cannot bind: " style context is not added around errors; a new error that has a cause copies it.
Ref<Error> edit_error(const Error& original);

}  // namespace haigha
