// haigha_error: accessors, and the numbers of the statuses and stages.
#include "boundary.h"
#include "handles.h"

using haigha::Status;
using haigha::capi::core;

#define SAME_STATUS(ours, theirs) static_assert(static_cast<int>(Status::ours) == (theirs))
SAME_STATUS(ok, HAIGHA_OK);
SAME_STATUS(argument, HAIGHA_ERR_ARGUMENT);
SAME_STATUS(would_block, HAIGHA_ERR_WOULD_BLOCK);
SAME_STATUS(wrong_thread, HAIGHA_ERR_WRONG_THREAD);
SAME_STATUS(closed, HAIGHA_ERR_CLOSED);
SAME_STATUS(stale, HAIGHA_ERR_STALE);
SAME_STATUS(no_memory, HAIGHA_ERR_NO_MEMORY);
SAME_STATUS(struct_version, HAIGHA_ERR_STRUCT_VERSION);
SAME_STATUS(channel_limit, HAIGHA_ERR_CHANNEL_LIMIT);
SAME_STATUS(forked, HAIGHA_ERR_FORKED);
SAME_STATUS(unsupported, HAIGHA_ERR_UNSUPPORTED);
SAME_STATUS(malformed, HAIGHA_ERR_MALFORMED);
SAME_STATUS(recovering, HAIGHA_ERR_RECOVERING);
SAME_STATUS(timeout, HAIGHA_ERR_TIMEOUT);
SAME_STATUS(io, HAIGHA_ERR_IO);
SAME_STATUS(tls, HAIGHA_ERR_TLS);
SAME_STATUS(protocol, HAIGHA_ERR_PROTOCOL);
SAME_STATUS(auth, HAIGHA_ERR_AUTH);
SAME_STATUS(channel_closed_by_broker, HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER);
SAME_STATUS(connection_closed_by_broker, HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER);
SAME_STATUS(resolve, HAIGHA_ERR_RESOLVE);
SAME_STATUS(heartbeat, HAIGHA_ERR_HEARTBEAT);
SAME_STATUS(returned, HAIGHA_ERR_RETURNED);
SAME_STATUS(internal, HAIGHA_ERR_INTERNAL);
#undef SAME_STATUS

#define SAME_STAGE(ours, theirs) static_assert(static_cast<int>(haigha::Stage::ours) == (theirs))
SAME_STAGE(none, HAIGHA_STAGE_NONE);
SAME_STAGE(resolve, HAIGHA_STAGE_RESOLVE);
SAME_STAGE(connect, HAIGHA_STAGE_CONNECT);
SAME_STAGE(tls, HAIGHA_STAGE_TLS);
SAME_STAGE(handshake, HAIGHA_STAGE_HANDSHAKE);
SAME_STAGE(open, HAIGHA_STAGE_OPEN);
SAME_STAGE(ready, HAIGHA_STAGE_READY);
#undef SAME_STAGE

namespace haigha::capi {

void Arguments::missing(const char* name) {
    fault(Status::argument, std::string(name) + " is NULL");
}

void Arguments::forked(const char* name) {
    fault(Status::forked, std::string("the process was forked after the ") + name +
                              " was made: it belongs to the parent");
}

void Arguments::bad_text(haigha_str value, const char* name, std::size_t limit) {
    const std::string size = std::to_string(value.size);
    fault(Status::argument,
          value.data == nullptr
              ? std::string(name) + " has a size of " + size + " and no data"
              : std::string(name) + " has " + size + " bytes, more than " + std::to_string(limit));
}

haigha_status refuse_without_memory(haigha_error** out) noexcept {
    // *out stays as it is: there is no memory for an error, and the status says it.
    (void)out;
    return HAIGHA_ERR_NO_MEMORY;
}

haigha_status refuse_exception(const char* what, haigha_error** out) noexcept {
    try {
        return refuse(Status::internal, std::string("a bug in libhaigha: ") + what, out);
    } catch (...) {
        return HAIGHA_ERR_INTERNAL;
    }
}

}  // namespace haigha::capi

haigha_status haigha_error_status(const haigha_error* error) {
    return error != nullptr ? haigha::capi::number(core(error)->status) : HAIGHA_OK;
}
const char* haigha_error_message(const haigha_error* error) {
    return error != nullptr ? core(error)->message.c_str() : "";
}
uint16_t haigha_error_reply_code(const haigha_error* error) {
    return error != nullptr ? core(error)->reply_code : uint16_t{0};
}
haigha_str haigha_error_reply_text(const haigha_error* error) {
    return error != nullptr ? haigha::capi::str(core(error)->reply_text) : haigha_str{nullptr, 0};
}
uint16_t haigha_error_class_id(const haigha_error* error) {
    return error != nullptr ? core(error)->class_id : uint16_t{0};
}
uint16_t haigha_error_method_id(const haigha_error* error) {
    return error != nullptr ? core(error)->method_id : uint16_t{0};
}
const char* haigha_error_method_name(const haigha_error* error) {
    return error != nullptr ? core(error)->method_name : "";
}
int32_t haigha_error_stage(const haigha_error* error) {
    return error != nullptr ? static_cast<int32_t>(core(error)->stage) : HAIGHA_STAGE_NONE;
}
const char* haigha_error_stage_name(const haigha_error* error) {
    return error != nullptr ? haigha::stage_name(core(error)->stage) : "";
}
uint16_t haigha_error_channel_id(const haigha_error* error) {
    return error != nullptr ? core(error)->channel_id : uint16_t{0};
}
haigha_str haigha_error_host(const haigha_error* error) {
    return error != nullptr ? haigha::capi::str(core(error)->host) : haigha_str{nullptr, 0};
}
int32_t haigha_error_accepted(const haigha_error* error) {
    return error != nullptr && core(error)->accepted ? 1 : 0;
}
int32_t haigha_error_os_errno(const haigha_error* error) {
    return error != nullptr ? core(error)->os_errno : 0;
}
haigha_error* haigha_error_copy(const haigha_error* error) {
    if (error != nullptr) core(error)->add_ref();
    return const_cast<haigha_error*>(error);
}
void haigha_error_free(haigha_error* error) {
    if (error != nullptr) core(error)->release();
}
const char* haigha_status_name(haigha_status status) {
    return haigha::status_name(static_cast<Status>(status));
}
