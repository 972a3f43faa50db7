// What the trace hook of a connection gives a message on its way.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "handles.h"

namespace haigha::capi {

// A request with the context behind its headers, if the hook gives one.
class TracedRequest {
  public:
    TracedRequest(const client::TraceHook& hook, const protocol::PublishRequest& request);
    TracedRequest(const TracedRequest&) = delete;
    TracedRequest& operator=(const TracedRequest&) = delete;
    const protocol::PublishRequest& request() const { return request_; }

  private:
    protocol::PublishRequest request_;
    wire::Properties properties_;
    wire::FieldTable headers_;
};

template <class Publish>
[[gnu::cold, gnu::noinline]] auto publish_traced(const client::TraceHook& hook,
                                                 const protocol::PublishRequest& request,
                                                 Publish publish) {
    const TracedRequest traced(hook, request);
    return publish(traced.request());
}

// publish(request): as it is, or with its context. Costs a message nothing without a hook.
template <class Publish>
auto with_trace(const client::Connection& connection, const protocol::PublishRequest& request,
                Publish publish) {
    const client::TraceHook* const hook = connection.trace_hook();
    if (hook != nullptr) [[unlikely]]
        return publish_traced(*hook, request, std::move(publish));
    return publish(request);
}

}  // namespace haigha::capi
