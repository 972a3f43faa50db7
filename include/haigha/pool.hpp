// haigha::ChannelPool: pool.h for C++20. What a function does is said there.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "haigha.hpp"
#include "pool.h"

namespace haigha {
inline namespace v0_1 {

enum class PoolMode : std::uint8_t {
    confirm = HAIGHA_POOL_CONFIRM,
    tx = HAIGHA_POOL_TX,
};
enum class PoolRetry : std::uint8_t {
    all = HAIGHA_POOL_RETRY_ALL,
    safe = HAIGHA_POOL_RETRY_SAFE,
    none = HAIGHA_POOL_RETRY_NONE,
};
// 0: the default that haigha_pool_args has.
struct PoolOptions {
    PoolMode mode = PoolMode::confirm;
    PoolRetry retry = PoolRetry::all;
    bool correlate_returns = false;
    std::uint32_t max_channels = 0;
    std::uint32_t max_attempts = 0;
    std::uint64_t max_in_flight = 0;
    std::uint64_t max_messages = 0;
    std::uint64_t max_bytes = 0;
};

// Publishes on channels of its own, and answers for every message; a copy is another reference.
class ChannelPool : public detail::Handle<haigha_pool, &haigha_pool_ref, &haigha_pool_unref> {
  public:
    ChannelPool() noexcept = default;
    static Result<ChannelPool> create(const Connection& connection,
                                      const PoolOptions& options = {}) {
        return create(connection, options, Nobody{});
    }
    // `events`: what hears Published, Writable and StateChanged.
    template <Hears F>
    static Result<ChannelPool> create(const Connection& connection, const PoolOptions& options,
                                      F events) {
        std::shared_ptr<detail::AwaitedOutcomes> outcomes;
        haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
        args.mode = static_cast<std::uint8_t>(options.mode);
        args.retry = static_cast<std::uint8_t>(options.retry);
        args.correlate_returns = detail::flag(options.correlate_returns);
        args.max_channels = options.max_channels;
        args.max_attempts = options.max_attempts;
        args.max_in_flight = options.max_in_flight;
        args.max_messages = options.max_messages;
        args.max_bytes = options.max_bytes;
        auto listener = detail::outcome_listener(std::move(events), true, outcomes);
        args.events = listener.then();
        haigha_pool* made = nullptr;
        const Result<void> created = detail::checked([&](haigha_error** error) {
            return listener.give(
                [&] { return haigha_pool_new(connection.get(), &args, &made, error); });
        });
        if (!created) return created.error();
        return ChannelPool(made, std::move(outcomes));
    }

    // Takes one message, or refuses it (WOULD_BLOCK: Writable follows). Its number, which Published
    // tells with what became of it.
    Result<std::uint64_t> publish(const Publish& given, Body body) const {
        return publish_with(given, body, nullptr);
    }
    Result<std::uint64_t> publish(const Publish& given, Body body,
                                  const Properties& properties) const {
        return publish_with(given, body, &properties);
    }
    // Answers with what became of the message. wait() waits for room too; the other forms are
    // refused without (WOULD_BLOCK). then(Into) is UNSUPPORTED.
    OperationOf<PublishResult> auto publish_settled(const Publish& given, Body body) const {
        return detail::publish_operation(get(), outcomes_.get(), given, body, nullptr,
                                         &haigha_pool_publish, &haigha_pool_publish_wait);
    }
    OperationOf<PublishResult> auto publish_settled(const Publish& given, Body body,
                                                    const Properties& properties) const {
        return detail::publish_operation(get(), outcomes_.get(), given, body, &properties,
                                         &haigha_pool_publish, &haigha_pool_publish_wait);
    }
    // When what was taken before has its outcome.
    OperationOf<void> auto drain() const {
        return detail::operation(
            [p = get()](const haigha_then* then, haigha_error** error) {
                return haigha_pool_drain(p, then, error);
            },
            [p = get()](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_pool_drain_wait(p, timeout_ms, error);
            });
    }
    // Publishes nothing more and closes the channels; wait() drains first, for that long.
    OperationOf<void> auto close() const {
        return detail::operation(
            [p = get()](const haigha_then* then, haigha_error** error) {
                return haigha_pool_close(p, then, error);
            },
            [p = get()](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_pool_close_wait(p, timeout_ms, error);
            });
    }
    // A number by name: see haigha_pool_info.
    Result<std::int64_t> info(std::string_view name) const noexcept {
        std::int64_t value = 0;
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_pool_info(get(), str(name), &value, error);
        });
        return {value, read.error()};
    }

  private:
    ChannelPool(haigha_pool* owned, std::shared_ptr<detail::AwaitedOutcomes> outcomes) noexcept
        : Handle(owned), outcomes_(std::move(outcomes)) {}
    Result<std::uint64_t> publish_with(const Publish& given, Body body,
                                       const Properties* properties) const {
        std::uint64_t number = 0;
        haigha_error* error = nullptr;
        const haigha_status status = detail::with_args(
            given, properties, nullptr, &error, [&](const haigha_publish_args& args) {
                return haigha_pool_publish(get(), &args, body.c(), &number, &error);
            });
        return {number, Error(status, error)};
    }

    std::shared_ptr<detail::AwaitedOutcomes> outcomes_;  // null: they go into an inbox
};

}  // namespace v0_1
}  // namespace haigha
