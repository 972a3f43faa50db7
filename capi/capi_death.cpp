// What a message's headers say of its deaths, and of how often it was delivered.
#include "haigha/death.h"

#include "boundary.h"
#include "message_headers.h"
#include "topology/deaths.h"

using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::capi::str;
using haigha::topology::Death;
using haigha::topology::DeathCursor;
using haigha::wire::FieldStatus;

namespace {

haigha_death told(const Death& death) {
    haigha_death to{};
    to.queue = str(death.queue);
    to.reason = str(death.reason);
    to.exchange = str(death.exchange);
    to.original_expiration = str(death.original_expiration);
    to.routing_key = str(death.routing_key);
    to.routing_keys = haigha_cursor{death.routing_keys.data(), death.routing_keys.size(),
                                    static_cast<std::uint32_t>(haigha::wire::TableKind::array),
                                    haigha::topology::routing_keys_depth};
    to.count = death.count;
    to.time_s = death.time;
    return to;
}

}  // namespace

haigha_status haigha_message_deaths(const haigha_message* message, haigha_death* deaths,
                                    size_t capacity, size_t* count, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        if (capacity > 0) arguments.required(deaths, "deaths");
        arguments.required(count, "count");
        return haigha::capi::read_headers(
            arguments, message, error, [&](haigha::wire::Bytes headers) {
                DeathCursor cursor(headers);
                Death death;
                std::size_t found = 0;
                FieldStatus status = FieldStatus::end;
                while ((status = cursor.next(death)) == FieldStatus::field) {
                    if (found < capacity) deaths[found] = told(death);
                    ++found;
                }
                if (status == FieldStatus::end) *count = found;
                return status == FieldStatus::end;
            });
    });
}

haigha_status haigha_message_death_count(const haigha_message* message, haigha_str queue,
                                         haigha_str reason, uint64_t* count, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        const std::string_view in = arguments.name(queue, "queue");
        const std::string_view why = arguments.name(reason, "reason");
        arguments.required(count, "count");
        return haigha::capi::read_headers(
            arguments, message, error, [&](haigha::wire::Bytes headers) {
                return haigha::topology::count_deaths(headers, in, why, count);
            });
    });
}

haigha_status haigha_message_delivery_count(const haigha_message* message, uint64_t* count,
                                            haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(count, "count");
        return haigha::capi::read_headers(
            arguments, message, error, [&](haigha::wire::Bytes headers) {
                return haigha::topology::count_deliveries(headers, count);
            });
    });
}
