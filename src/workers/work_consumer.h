// A consumer whose deliveries a worker pool handles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/counted.h"
#include "base/ref.h"
#include "client/channel.h"
#include "client/event.h"
#include "client/kept_event.h"
#include "workers/work_schedule.h"

namespace haigha::workers {

class WorkerPool;

// Among which deliveries the order is kept.
enum class Order : std::uint8_t {
    channel,   // those of one channel
    consumer,  // those of one consumer
    key,       // those of one consumer that have one key
    none,
};

// What becomes of a delivery when its handler has returned.
enum class Verdict : std::int32_t { ack = 0, requeue = 1, drop = 2, later = 3 };

// The user's functions in the C API's own types, which only `invoke` and `key` know.
struct Handler {
    using AnyFunction = void (*)();
    using Invoke = std::int32_t (*)(AnyFunction fn, const client::Event& event, void* user_data);
    using Key = std::uint64_t (*)(AnyFunction fn, const client::Event& event, void* user_data);
    using Release = void (*)(void* user_data);
    Invoke invoke = nullptr;
    AnyFunction fn = nullptr;
    Key key = nullptr;
    AnyFunction key_fn = nullptr;  // null: the routing key
    void* user_data = nullptr;
    Release release = nullptr;
};

class WorkConsumer : public Counted<WorkConsumer> {
  public:
    WorkConsumer(Ref<WorkerPool> pool, Ref<client::Channel> channel, Handler handler, Order order,
                 bool no_ack);

    const Ref<WorkerPool>& pool() const { return pool_; }
    client::Channel& channel() const { return *channel_; }
    // The call that brought it is refused: what the handler has stays the caller's.
    void disarm() { handler_.release = nullptr; }

    // A delivery that was told, on the loop's thread: which lane it goes into.
    LaneKey lane_of(const client::Event& event) const;
    // And its end, behind all of them.
    LaneKey last_lane() const;
    // On a worker's thread; false: it was not handled, since it can no longer be settled.
    bool handle(const client::Event& event) const;
    void tell_end(const client::Event& event) const;
    // Given back to the broker, not handled.
    void requeue(const client::Event& event) const;

    // ---- guarded by the pool's mutex
    std::string tag;  // once it is known
    std::size_t waiting = 0;
    std::size_t waiting_bytes = 0;
    std::size_t unfinished = 0;             // waiting, or being handled
    std::function<void()> go_on;            // it is held back
    std::optional<client::KeptEvent> last;  // CONSUMER_CANCELLED, until all else is finished

  private:
    friend class Counted<WorkConsumer>;
    ~WorkConsumer();
    void settle(std::uint64_t delivery_tag, Verdict verdict) const;

    const Ref<WorkerPool> pool_;
    const Ref<client::Channel> channel_;
    Handler handler_;
    const Order order_;
    const bool no_ack_;
};

}  // namespace haigha::workers
