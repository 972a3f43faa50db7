#include "base/error.h"

#include <utility>

namespace haigha {

const char* status_name(Status status) noexcept {
    switch (status) {
        case Status::ok:
            return "HAIGHA_OK";
        case Status::argument:
            return "HAIGHA_ERR_ARGUMENT";
        case Status::would_block:
            return "HAIGHA_ERR_WOULD_BLOCK";
        case Status::wrong_thread:
            return "HAIGHA_ERR_WRONG_THREAD";
        case Status::closed:
            return "HAIGHA_ERR_CLOSED";
        case Status::stale:
            return "HAIGHA_ERR_STALE";
        case Status::no_memory:
            return "HAIGHA_ERR_NO_MEMORY";
        case Status::struct_version:
            return "HAIGHA_ERR_STRUCT_VERSION";
        case Status::channel_limit:
            return "HAIGHA_ERR_CHANNEL_LIMIT";
        case Status::forked:
            return "HAIGHA_ERR_FORKED";
        case Status::unsupported:
            return "HAIGHA_ERR_UNSUPPORTED";
        case Status::malformed:
            return "HAIGHA_ERR_MALFORMED";
        case Status::recovering:
            return "HAIGHA_ERR_RECOVERING";
        case Status::timeout:
            return "HAIGHA_ERR_TIMEOUT";
        case Status::io:
            return "HAIGHA_ERR_IO";
        case Status::tls:
            return "HAIGHA_ERR_TLS";
        case Status::protocol:
            return "HAIGHA_ERR_PROTOCOL";
        case Status::auth:
            return "HAIGHA_ERR_AUTH";
        case Status::channel_closed_by_broker:
            return "HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER";
        case Status::connection_closed_by_broker:
            return "HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER";
        case Status::resolve:
            return "HAIGHA_ERR_RESOLVE";
        case Status::heartbeat:
            return "HAIGHA_ERR_HEARTBEAT";
        case Status::returned:
            return "HAIGHA_ERR_RETURNED";
        case Status::internal:
            return "HAIGHA_ERR_INTERNAL";
    }
    return "HAIGHA_ERR_UNKNOWN";
}

const char* stage_name(Stage stage) noexcept {
    switch (stage) {
        case Stage::none:
            return "";
        case Stage::resolve:
            return "resolve";
        case Stage::connect:
            return "connect";
        case Stage::tls:
            return "tls";
        case Stage::handshake:
            return "handshake";
        case Stage::open:
            return "open";
        case Stage::ready:
            return "ready";
    }
    return "";
}

ErrorRef make_error(Status status, std::string message, Stage stage) {
    Ref<Error> error = Ref<Error>::adopt(new Error);
    error->status = status;
    error->stage = stage;
    error->message = std::move(message);
    return ErrorRef(error.get());
}

Ref<Error> edit_error(const Error& original) {
    Ref<Error> copy = Ref<Error>::adopt(new Error);
    copy->status = original.status;
    copy->stage = original.stage;
    copy->message = original.message;
    copy->reply_code = original.reply_code;
    copy->reply_text = original.reply_text;
    copy->class_id = original.class_id;
    copy->method_id = original.method_id;
    copy->method_name = original.method_name;
    copy->channel_id = original.channel_id;
    copy->host = original.host;
    copy->os_errno = original.os_errno;
    return copy;
}

}  // namespace haigha
