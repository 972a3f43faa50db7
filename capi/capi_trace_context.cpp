// Trace contexts: read, written, taken from messages and given to them.
#include "haigha/trace_context.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "boundary.h"
#include "handles.h"
#include "message_headers.h"
#include "usable.h"
#include "wire/traceparent.h"

using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::capi::usable;
using haigha::client::TraceHook;
using haigha::wire::FieldError;
using haigha::wire::TraceContext;

static_assert(HAIGHA_TRACEPARENT_SIZE == haigha::wire::traceparent_size);

namespace {

// Longer ones are none, but no reason to refuse the call.
constexpr std::size_t longest_text = std::size_t{1} << 30;

haigha_trace_context told(const TraceContext& from) {
    haigha_trace_context to{};
    std::copy(from.trace_id.begin(), from.trace_id.end(), to.trace_id);
    std::copy(from.parent_id.begin(), from.parent_id.end(), to.parent_id);
    to.flags = from.flags;
    to.tracestate = haigha::capi::str(from.tracestate);
    return to;
}

TraceContext read(const haigha_trace_context& from) {
    TraceContext to;
    std::copy(std::begin(from.trace_id), std::end(from.trace_id), to.trace_id.begin());
    std::copy(std::begin(from.parent_id), std::end(from.parent_id), to.parent_id.begin());
    to.flags = from.flags;
    if (from.tracestate.data != nullptr) to.tracestate = haigha::capi::view(from.tracestate);
    return to;
}

TraceContext read_valid(Arguments& arguments, const haigha_trace_context* context) {
    arguments.required(context, "context");
    if (arguments.bad()) return {};
    const TraceContext given = read(*context);
    if (!given.valid()) {
        arguments.fault(Status::argument,
                        "context->trace_id or context->parent_id is all zeros, which is none");
    }
    return given;
}

bool ask(TraceHook::AnyFunction fn, std::string_view exchange, std::string_view routing_key,
         TraceContext& context, void* user_data) {
    haigha_trace_context given{};
    const bool has_one =
        reinterpret_cast<haigha_trace_fn>(fn)(
            haigha::capi::str(exchange), haigha::capi::str(routing_key), &given, user_data) == 1;
    if (has_one) context = read(given);
    return has_one;
}

// Whether the table has one of the two headers, or both.
bool has_context(const haigha::wire::FieldTable& table) {
    haigha::wire::TableCursor fields(table.contents());
    haigha::wire::Field field;
    while (fields.next(field) == haigha::wire::FieldStatus::field) {
        if (field.name == haigha::wire::traceparent_name ||
            field.name == haigha::wire::tracestate_name) {
            return true;
        }
    }
    return false;
}

}  // namespace

haigha_status haigha_trace_context_parse(haigha_str traceparent, haigha_str tracestate,
                                         haigha_trace_context* context, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(context, "context");
        const std::string_view parent = arguments.text(traceparent, "traceparent", longest_text);
        const std::string_view state = arguments.text(tracestate, "tracestate", longest_text);
        if (arguments.bad()) return arguments.refuse(error);
        TraceContext read;
        if (const char* const wrong = haigha::wire::parse_traceparent(parent, &read)) {
            return haigha::capi::refuse(
                Status::malformed, std::string("the traceparent is not valid: ") + wrong, error);
        }
        if (haigha::wire::is_tracestate(state)) read.tracestate = state;
        *context = told(read);
        return HAIGHA_OK;
    });
}

haigha_status haigha_trace_context_format(const haigha_trace_context* context,
                                          char text[HAIGHA_TRACEPARENT_SIZE],
                                          haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        const TraceContext given = read_valid(arguments, context);
        arguments.required(text, "text");
        if (arguments.bad()) return arguments.refuse(error);
        haigha::wire::format_traceparent(given, text);
        return HAIGHA_OK;
    });
}

haigha_status haigha_message_trace_context(const haigha_message* message,
                                           haigha_trace_context* context, int32_t* found,
                                           haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(context, "context");
        arguments.required(found, "found");
        return haigha::capi::read_headers(
            arguments, message, error, [&](haigha::wire::Bytes headers) {
                bool readable = false;
                const auto read = haigha::wire::trace_context_of(headers, &readable);
                if (!readable) return false;
                *found = read ? 1 : 0;
                *context = read ? told(*read) : haigha_trace_context{};
                return true;
            });
    });
}

haigha_status haigha_table_add_trace_context(haigha_table* table,
                                             const haigha_trace_context* context,
                                             haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(table, "table");
        const TraceContext given = read_valid(arguments, context);
        if (arguments.bad()) return arguments.refuse(error);
        if (!given.tracestate.empty() && !haigha::wire::is_tracestate(given.tracestate)) {
            arguments.fault(Status::argument, "context->tracestate is not valid");
        } else if (table->table.kind() != haigha::wire::TableKind::table) {
            arguments.fault(Status::argument, "table is an array, not a table");
        } else if (has_context(table->table)) {
            arguments.fault(Status::argument, "table has a traceparent or a tracestate already");
        }
        if (arguments.bad()) return arguments.refuse(error);
        // Both, or neither.
        haigha::wire::FieldTable whole = table->table;
        const FieldError wrong = haigha::wire::add_trace_context(whole, given);
        if (wrong != FieldError::none) {
            return haigha::capi::refuse(Status::argument, haigha::wire::field_error_text(wrong),
                                        error);
        }
        table->table = std::move(whole);
        return HAIGHA_OK;
    });
}

haigha_status haigha_connection_set_trace_fn(haigha_connection* connection, haigha_trace_fn fn,
                                             void* user_data, haigha_release_fn release,
                                             haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = usable(arguments, connection);
        arguments.required(reinterpret_cast<const void*>(fn), "fn");
        if (arguments.bad()) return arguments.refuse(error);
        const TraceHook hook{&ask, reinterpret_cast<TraceHook::AnyFunction>(fn), user_data,
                             release};
        if (object->set_trace_hook(hook)) return HAIGHA_OK;
        return haigha::capi::refuse(Status::closed,
                                    "a connection's trace function is set once, before it is "
                                    "opened",
                                    error);
    });
}
