#include "workers/work_consumer.h"

#include <limits>
#include <string_view>
#include <utility>

#include "base/insist.h"
#include "wire/methods_basic.h"
#include "workers/worker_pool.h"

namespace haigha::workers {

namespace {

// FNV-1a. std::hash is free to be anything; that two keys share a lane costs nothing but time.
std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char octet : text) {
        hash ^= static_cast<unsigned char>(octet);
        hash *= 0x100000001b3U;
    }
    return hash;
}

}  // namespace

WorkConsumer::WorkConsumer(Ref<WorkerPool> pool, Ref<client::Channel> channel, Handler handler,
                           Order order, bool no_ack)
    : pool_(std::move(pool)),
      channel_(std::move(channel)),
      handler_(handler),
      order_(order),
      no_ack_(no_ack) {}

WorkConsumer::~WorkConsumer() {
    if (handler_.release != nullptr && !client::Offer::withdrawn()) {
        handler_.release(handler_.user_data);
    }
}

LaneKey WorkConsumer::lane_of(const client::Event& event) const {
    switch (order_) {
        case Order::channel:
            return {channel_.get(), 0};
        case Order::consumer:
            return {this, 0};
        case Order::key:
            return {this, handler_.key_fn != nullptr
                              ? handler_.key(handler_.key_fn, event, handler_.user_data)
                              : hash_of(event.routing_key)};
        case Order::none:
            return {this, event.number};
    }
    return {this, 0};
}

LaneKey WorkConsumer::last_lane() const {
    if (order_ == Order::channel) return {channel_.get(), 0};
    return {this, std::numeric_limits<std::uint64_t>::max()};
}

bool WorkConsumer::handle(const client::Event& event) const {
    // Its message is the broker's again, and comes again.
    if (!no_ack_ && !channel_->is_current(event.number)) return false;
    client::Event told = event;
    told.user_data = handler_.user_data;
    const std::int32_t verdict = handler_.invoke(handler_.fn, told, handler_.user_data);
    const bool known = verdict >= 0 && verdict <= static_cast<std::int32_t>(Verdict::later);
    settle(event.number, known ? static_cast<Verdict>(verdict) : Verdict::requeue);
    return true;
}

void WorkConsumer::tell_end(const client::Event& event) const {
    client::Event told = event;
    told.user_data = handler_.user_data;
    (void)handler_.invoke(handler_.fn, told, handler_.user_data);
}

void WorkConsumer::requeue(const client::Event& event) const {
    if (channel_->is_current(event.number)) settle(event.number, Verdict::requeue);
}

// Refused it is nobody's loss: the handler has settled it, or the channel has gone, and then the
// message comes again.
void WorkConsumer::settle(std::uint64_t delivery_tag, Verdict verdict) const {
    if (no_ack_ || verdict == Verdict::later) return;
    insist([&] {
        if (verdict == Verdict::ack) {
            wire::basic::Ack method{};
            method.delivery_tag = delivery_tag;
            return channel_->settle(method);
        }
        wire::basic::Nack method{};
        method.delivery_tag = delivery_tag;
        method.requeue = verdict == Verdict::requeue;
        return channel_->settle(method);
    });
}

}  // namespace haigha::workers
