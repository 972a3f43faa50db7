// haigha::Workers: workers.h for C++20. What a function does is said there.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "haigha.hpp"
#include "workers.h"

namespace haigha {
inline namespace v0_1 {

// What becomes of a delivery when its handler has returned.
enum class Work : std::int32_t {
    ack = HAIGHA_WORK_ACK,
    requeue = HAIGHA_WORK_REQUEUE,
    drop = HAIGHA_WORK_DROP,
    later = HAIGHA_WORK_LATER,
};
// Among which deliveries the order is kept.
enum class Order : std::uint8_t {
    channel = HAIGHA_ORDER_CHANNEL,
    consumer = HAIGHA_ORDER_CONSUMER,
    key = HAIGHA_ORDER_KEY,
    none = HAIGHA_ORDER_NONE,
};
// 0: the default that haigha_workers_args has.
struct WorkersOptions {
    std::uint32_t threads = 0;
    std::uint32_t most_in_a_row = 0;
    std::uint32_t max_threads_per_channel = 0;
    std::uint64_t max_queued = 0;
    std::uint64_t max_queued_bytes = 0;
};
struct WorkConsume {
    std::string_view queue{};
    std::string_view consumer_tag{};  // empty: the library makes one
    Order order = Order::channel;
    bool no_ack = false;
    bool exclusive = false;
    Table arguments{};
};

// Handles a Delivery on a thread of the pool's, and may wait there; returns Work, or nothing, which
// is Work::ack. It may take ConsumerEnded too, which is last. It must not throw.
template <class F>
concept HandlesWork = std::is_same_v<std::invoke_result_t<F&, const Delivery&>, Work> ||
    std::is_void_v<std::invoke_result_t<F&, const Delivery&>>;
// The key of a delivery, for Order::key. Called on the loop's thread: must not wait, nor throw.
template <class K>
concept KeysWork = std::is_invocable_r_v<std::uint64_t, K&, const Delivery&>;

namespace detail {

// A handler and its key, as the user_data of a haigha_work_args. K: Nobody for none.
template <class F, class K>
struct Worker {
    F handler;
    K key;

    static std::int32_t handle(const haigha_event* event, void* self) noexcept {
        auto& handler = static_cast<Worker*>(self)->handler;
        if (event->type != HAIGHA_EVENT_DELIVERY) {
            give<ConsumerEnded>(handler, *event);
            return HAIGHA_WORK_ACK;
        }
        if constexpr (std::is_void_v<std::invoke_result_t<F&, const Delivery&>>) {
            handler(Delivery(*event));
            return HAIGHA_WORK_ACK;
        } else {
            return static_cast<std::int32_t>(handler(Delivery(*event)));
        }
    }
    static std::uint64_t key_of(const haigha_event* event, void* self) noexcept {
        return static_cast<Worker*>(self)->key(Delivery(*event));
    }
};

}  // namespace detail

// Threads that handle deliveries, in order: haigha_workers. A copy is another reference.
class Workers : public detail::Handle<haigha_workers, &haigha_workers_ref, &haigha_workers_unref> {
  public:
    Workers() noexcept = default;
    // haigha_workers_new.
    static Result<Workers> create(const Loop& loop, const WorkersOptions& options = {}) noexcept {
        haigha_workers_args args = HAIGHA_WORKERS_ARGS_INIT;
        args.threads = options.threads;
        args.most_in_a_row = options.most_in_a_row;
        args.max_threads_per_channel = options.max_threads_per_channel;
        args.max_queued = options.max_queued;
        args.max_queued_bytes = options.max_queued_bytes;
        haigha_workers* made = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_workers_new(loop.get(), &args, &made, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return Workers(made);
    }

    // haigha_workers_consume. Without a key, Order::key is by the routing key.
    template <HandlesWork F>
    OperationOf<Consumer> auto consume(const Channel& channel, const WorkConsume& given,
                                       F handler) const {
        return start(channel, given, std::move(handler), Nobody{}, nullptr);
    }
    template <HandlesWork F, KeysWork K>
    OperationOf<Consumer> auto consume(const Channel& channel, const WorkConsume& given, F handler,
                                       K key) const {
        return start(channel, given, std::move(handler), std::move(key),
                     &detail::Worker<F, K>::key_of);
    }
    // When what had come before is handled: haigha_workers_drain. wait(): however long it takes.
    OperationOf<void> auto drain() const {
        return detail::operation(
            [w = get()](const haigha_then* then, haigha_error** error) {
                return haigha_workers_drain(w, then, error);
            },
            [w = get()](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_workers_drain_wait(w, timeout_ms, error);
            });
    }
    // haigha_workers_close: gives back what waits; wait() has it handled first, for that long.
    OperationOf<void> auto close() const {
        return detail::operation(
            [w = get()](const haigha_then* then, haigha_error** error) {
                return haigha_workers_close(w, then, error);
            },
            [w = get()](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_workers_close_wait(w, timeout_ms, error);
            });
    }
    // A number by name: see haigha_workers_info.
    Result<std::int64_t> info(std::string_view name) const noexcept {
        std::int64_t value = 0;
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_workers_info(get(), str(name), &value, error);
        });
        return {value, read.error()};
    }

  private:
    explicit Workers(haigha_workers* owned) noexcept : Handle(owned) {}

    template <class F, class K>
    auto start(const Channel& channel, const WorkConsume& given, F handler, K key,
               haigha_order_key_fn key_of) const {
        using Worker = detail::Worker<F, K>;
        const auto kept =
            std::make_shared<detail::Kept<Worker>>(Worker{std::move(handler), std::move(key)});
        const haigha_then then = kept->then(nullptr);
        haigha_work_args args = HAIGHA_WORK_ARGS_INIT;
        args.queue = str(given.queue);
        args.consumer_tag = str(given.consumer_tag);
        args.handle = &Worker::handle;
        args.key = key_of;
        args.user_data = then.user_data;
        args.release = then.release;
        args.arguments = given.arguments.get();
        args.order = static_cast<std::uint8_t>(given.order);
        args.no_ack = detail::flag(given.no_ack);
        args.exclusive = detail::flag(given.exclusive);
        return detail::operation<Consumer>(
            [w = get(), c = channel.get(), args, &given, kept](const haigha_then* answer,
                                                               haigha_error** error) {
                if (!*kept) return haigha_status{HAIGHA_ERR_NO_MEMORY};
                return detail::with(given.arguments, error, [&] {
                    return kept->give(
                        [&] { return haigha_workers_consume(w, c, &args, answer, error); });
                });
            },
            [w = get(), c = channel.get(), args, &given, kept](
                std::int64_t timeout_ms, haigha_reply** reply, haigha_error** error) {
                if (!*kept) return haigha_status{HAIGHA_ERR_NO_MEMORY};
                return detail::with(given.arguments, error, [&] {
                    return kept->give_and_wait(error, [&] {
                        return haigha_workers_consume_wait(w, c, &args, timeout_ms, reply, error);
                    });
                });
            },
            [channel](const haigha_reply* reply, const haigha_event*) {
                return Consumer(channel, std::string(view(haigha_reply_consumer_tag(reply))));
            });
    }
};

}  // namespace v0_1
}  // namespace haigha
