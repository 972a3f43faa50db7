// The basic class, settling deliveries: ack, nack, reject.
#include "boundary.h"
#include "channel_calls.h"
#include "handles.h"

using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::capi::usable;

namespace {

template <class Method>
haigha_status settle(haigha_channel* channel, std::uint64_t delivery_tag, std::uint32_t flags,
                     std::uint32_t allowed, const Method& method, haigha_error** error) noexcept {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = usable(arguments, channel);
        if ((flags & ~allowed) != 0) {
            arguments.fault(Status::argument, "flags has bits that this call does not know: " +
                                                  std::to_string(flags));
        }
        if (delivery_tag == 0 && (flags & HAIGHA_MULTIPLE) == 0) {
            arguments.fault(Status::argument,
                            "delivery_tag is 0, which means \"all\" and needs "
                            "HAIGHA_MULTIPLE");
        }
        if (arguments.bad()) return arguments.refuse(error);
        const Status status = object->settle(method);
        return status == Status::ok
                   ? HAIGHA_OK
                   : haigha::capi::refuse(object->settle_refusal(status, delivery_tag), error);
    });
}

}  // namespace

haigha_status haigha_ack(haigha_channel* channel, uint64_t delivery_tag, uint32_t flags,
                         haigha_error** error) {
    haigha::wire::basic::Ack method{};
    method.delivery_tag = delivery_tag;
    method.multiple = (flags & HAIGHA_MULTIPLE) != 0;
    return settle(channel, delivery_tag, flags, HAIGHA_MULTIPLE, method, error);
}

haigha_status haigha_nack(haigha_channel* channel, uint64_t delivery_tag, uint32_t flags,
                          haigha_error** error) {
    haigha::wire::basic::Nack method{};
    method.delivery_tag = delivery_tag;
    method.multiple = (flags & HAIGHA_MULTIPLE) != 0;
    method.requeue = (flags & HAIGHA_REQUEUE) != 0;
    return settle(channel, delivery_tag, flags, HAIGHA_MULTIPLE | HAIGHA_REQUEUE, method, error);
}

haigha_status haigha_reject(haigha_channel* channel, uint64_t delivery_tag, uint32_t flags,
                            haigha_error** error) {
    haigha::wire::basic::Reject method{};
    method.delivery_tag = delivery_tag;
    method.requeue = (flags & HAIGHA_REQUEUE) != 0;
    return settle(channel, delivery_tag, flags, HAIGHA_REQUEUE, method, error);
}
