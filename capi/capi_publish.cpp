// The basic class, publishing.
#include <atomic>
#include <memory>
#include <optional>

#include "boundary.h"
#include "channel_calls.h"
#include "handles.h"
#include "publish_request.h"
#include "traced_request.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::capi::read_body;
using haigha::capi::read_request;
using haigha::capi::TracedRequest;
using haigha::capi::usable;
using haigha::capi::with_trace;
using haigha::client::Reply;
using haigha::protocol::PublishRequest;
using haigha::wire::Properties;

namespace {

// A body that is lent is written from where it is when that is worth it. Otherwise it is copied,
// and its owner told at once.
void lend(Arguments& arguments, haigha_release_fn release, void* release_data,
          PublishRequest& request) {
    arguments.required(reinterpret_cast<const void*>(release), "release");
    if (request.body.size() < haigha::protocol::least_held_body) return;
    request.release = release;
    request.release_data = release_data;
}

// What a publish that was tried is answered with.
haigha_status answer_publish(haigha::client::Channel& channel, Status status,
                             std::uint64_t number_given, uint64_t* sequence, haigha_error** error) {
    if (status != Status::ok) [[unlikely]] {
        // WOULD_BLOCK is no failure, and comes often: details only for who asks.
        if (error == nullptr) return haigha::capi::number(status);
        return haigha::capi::refuse(channel.refusal(status), error);
    }
    if (sequence != nullptr) *sequence = number_given;
    return HAIGHA_OK;
}

}  // namespace

// A handle of the C API's own.
struct haigha_publisher {
    haigha_publisher(haigha_channel* of, const PublishRequest& request)
        : channel(haigha_channel_ref(of)), head(request) {}
    ~haigha_publisher() { haigha_channel_unref(channel); }
    haigha_publisher(const haigha_publisher&) = delete;
    haigha_publisher& operator=(const haigha_publisher&) = delete;

    haigha_channel* const channel;
    const haigha::protocol::PreparedHead head;
    std::atomic<std::uint32_t> references{1};
};

namespace {

// `complete`: completes the request, once it was read.
template <class Complete>
haigha_status publish(haigha_channel* channel, const haigha_publish_args* args, haigha_str body,
                      uint64_t* sequence, haigha_error** error, Complete complete) {
    Arguments arguments;
    auto* const object = usable(arguments, channel);
    std::optional<Properties> properties;
    PublishRequest request;
    read_request(arguments, args, properties, request);
    read_body(arguments, body, request);
    complete(arguments, request);
    if (arguments.bad()) [[unlikely]]
        return arguments.refuse(error);
    std::uint64_t number = 0;
    const Status status =
        with_trace(object->connection(), request,
                   [&](const PublishRequest& traced) { return object->publish(traced, &number); });
    return answer_publish(*object, status, number, sequence, error);
}

// One that has a context of its own is not as it was prepared.
Status publish_prepared(haigha::client::Channel& channel,
                        const haigha::protocol::PreparedHead& head, const PublishRequest& rest,
                        std::uint64_t* number) {
    const haigha::client::TraceHook* const hook = channel.connection().trace_hook();
    if (hook == nullptr) [[likely]]
        return channel.publish(head, rest, number);
    Properties properties;
    const TracedRequest traced(*hook, head.request(&properties, rest));
    return channel.publish(traced.request(), number);
}

template <class Complete>
haigha_status publish(haigha_publisher* publisher, haigha_str body, void* user_data,
                      uint64_t* sequence, haigha_error** error, Complete complete) {
    Arguments arguments;
    arguments.required(publisher, "publisher");
    if (arguments.bad()) return arguments.refuse(error);
    auto* const object = usable(arguments, publisher->channel);
    PublishRequest request;
    request.data = user_data;
    read_body(arguments, body, request);
    complete(arguments, request);
    if (arguments.bad()) [[unlikely]]
        return arguments.refuse(error);
    std::uint64_t number = 0;
    const Status status = publish_prepared(*object, publisher->head, request, &number);
    return answer_publish(*object, status, number, sequence, error);
}

// `publish(complete)`: one of the two.
template <class Publish>
haigha_status publish_lent(haigha_release_fn release, void* release_data, Publish publish) {
    bool held = false;
    const haigha_status status = publish([&](Arguments& arguments, PublishRequest& request) {
        lend(arguments, release, release_data, request);
        held = request.release != nullptr;
    });
    if (status == HAIGHA_OK && !held) release(release_data);
    return status;
}

constexpr auto as_it_is = [](Arguments&, PublishRequest&) {};

}  // namespace

haigha_status haigha_publish(haigha_channel* channel, const haigha_publish_args* args,
                             haigha_str body, uint64_t* sequence, haigha_error** error) {
    return guard(error, [&] { return publish(channel, args, body, sequence, error, as_it_is); });
}

haigha_status haigha_publish_lent(haigha_channel* channel, const haigha_publish_args* args,
                                  haigha_str body, haigha_release_fn release, void* release_data,
                                  uint64_t* sequence, haigha_error** error) {
    return guard(error, [&] {
        return publish_lent(release, release_data, [&](auto complete) {
            return publish(channel, args, body, sequence, error, complete);
        });
    });
}

haigha_status haigha_publish_wait(haigha_channel* channel, const haigha_publish_args* args,
                                  haigha_str body, int64_t timeout_ms, haigha_reply** reply,
                                  haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = usable(arguments, channel);
        std::optional<Properties> properties;
        PublishRequest request;
        if (timeout_ms < -1) arguments.fault(Status::argument, "timeout_ms is below -1");
        read_request(arguments, args, properties, request);
        read_body(arguments, body, request);
        if (arguments.bad()) return arguments.refuse(error);
        Ref<Reply> answered;
        ErrorRef failed =
            with_trace(object->connection(), request, [&](const PublishRequest& traced) {
                return object->publish_wait(traced, timeout_ms, &answered);
            });
        if (failed) return haigha::capi::refuse(std::move(failed), error);
        if (reply != nullptr) *reply = haigha::capi::give(std::move(answered));
        return HAIGHA_OK;
    });
}

haigha_status haigha_publisher_new(haigha_channel* channel, const haigha_publish_args* args,
                                   haigha_publisher** publisher, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        (void)usable(arguments, channel);
        std::optional<Properties> properties;
        PublishRequest request;
        read_request(arguments, args, properties, request);
        arguments.required(publisher, "publisher");
        if (arguments.bad()) return arguments.refuse(error);
        *publisher = std::make_unique<haigha_publisher>(channel, request).release();
        return HAIGHA_OK;
    });
}

haigha_status haigha_publisher_publish(haigha_publisher* publisher, haigha_str body,
                                       void* user_data, uint64_t* sequence, haigha_error** error) {
    return guard(error,
                 [&] { return publish(publisher, body, user_data, sequence, error, as_it_is); });
}

haigha_status haigha_publisher_publish_lent(haigha_publisher* publisher, haigha_str body,
                                            haigha_release_fn release, void* release_data,
                                            void* user_data, uint64_t* sequence,
                                            haigha_error** error) {
    return guard(error, [&] {
        return publish_lent(release, release_data, [&](auto complete) {
            return publish(publisher, body, user_data, sequence, error, complete);
        });
    });
}

haigha_channel* haigha_publisher_channel(const haigha_publisher* publisher) {
    return publisher != nullptr ? publisher->channel : nullptr;
}

haigha_publisher* haigha_publisher_ref(haigha_publisher* publisher) {
    if (publisher != nullptr) publisher->references.fetch_add(1, std::memory_order_relaxed);
    return publisher;
}

void haigha_publisher_unref(haigha_publisher* publisher) {
    if (publisher == nullptr) return;
    if (publisher->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete publisher;
}
