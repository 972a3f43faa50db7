#include "traced_request.h"

#include "wire/field_table.h"
#include "wire/traceparent.h"

namespace haigha::capi {

namespace {

// Copies what there is. False when it has a context, or cannot be copied: it goes as it is.
bool copy_untraced(wire::Bytes headers, wire::FieldTable& to) {
    wire::TableCursor fields(headers);
    wire::Field field;
    wire::FieldStatus status = wire::FieldStatus::end;
    while ((status = fields.next(field)) == wire::FieldStatus::field) {
        if (field.name == wire::traceparent_name || field.name == wire::tracestate_name ||
            to.add(field) != wire::FieldError::none) {
            return false;
        }
    }
    return status == wire::FieldStatus::end;
}

}  // namespace

TracedRequest::TracedRequest(const client::TraceHook& hook, const protocol::PublishRequest& request)
    : request_(request) {
    if (request.properties != nullptr) properties_ = *request.properties;
    if (properties_.has(wire::property_headers) &&
        !copy_untraced(properties_.headers.bytes, headers_)) {
        return;
    }
    wire::TraceContext context;
    if (!hook.ask(hook.fn, request.exchange, request.routing_key, context, hook.user_data) ||
        !context.valid()) {
        return;
    }
    if (!wire::is_tracestate(context.tracestate)) context.tracestate = {};
    if (wire::add_trace_context(headers_, context) != wire::FieldError::none) return;
    properties_.present |= wire::property_headers;
    properties_.headers = {headers_.contents()};
    request_.properties = &properties_;
}

}  // namespace haigha::capi
