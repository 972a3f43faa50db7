// haigha::StreamReader: streams.h for C++20. What a function does is said there.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "haigha.hpp"
#include "streams.h"

namespace haigha {
inline namespace v0_1 {

// Where in its stream a message is: haigha_message_stream_offset.
inline Result<std::uint64_t> stream_offset(const haigha_message* message) noexcept {
    std::uint64_t offset = 0;
    const Result<void> read = detail::checked([&](haigha_error** error) {
        return haigha_message_stream_offset(message, &offset, error);
    });
    return {offset, read.error()};
}
inline Result<std::uint64_t> stream_offset(const Message& message) noexcept {
    return stream_offset(message.get());
}
inline Result<std::uint64_t> stream_offset(const Delivery& delivery) noexcept {
    return stream_offset(delivery.raw().message);
}

// 0, or empty: the default that haigha_stream_reader_args has.
struct StreamReaderOptions {
    std::string_view stream{};
    std::string_view name{};
    std::string_view offset_queue{};
    std::uint64_t save_every = 0;
    std::chrono::duration<std::uint32_t, std::milli> save_interval{0};
    bool quorum = false;
};

// A consumer of a stream that goes on where it was: haigha_stream_reader. A copy is another
// reference.
class StreamReader : public detail::Handle<haigha_stream_reader, &haigha_stream_reader_ref,
                                           &haigha_stream_reader_unref> {
  public:
    StreamReader() noexcept = default;
    // haigha_stream_reader_new.
    static Result<StreamReader> create(const Channel& channel,
                                       const StreamReaderOptions& options) noexcept {
        haigha_stream_reader_args args = HAIGHA_STREAM_READER_ARGS_INIT;
        args.stream = str(options.stream);
        args.name = str(options.name);
        args.offset_queue = str(options.offset_queue);
        args.save_every = options.save_every;
        args.save_interval_ms = options.save_interval.count();
        args.quorum = detail::flag(options.quorum);
        haigha_stream_reader* made = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_stream_reader_new(channel.get(), &args, &made, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return StreamReader(made, channel);
    }

    // haigha_stream_reader_consume, with neither queue nor no_ack: `hears` gets each Delivery, and
    // ConsumerEnded last; or Into an inbox.
    template <Hears F>
    OperationOf<Consumer> auto consume(const Consume& given, F hears) const {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(given.queue);
        args.consumer_tag = str(given.consumer_tag);
        args.no_local = detail::flag(given.no_local);
        args.no_ack = detail::flag(given.no_ack);
        args.exclusive = detail::flag(given.exclusive);
        args.pause_when_full = detail::flag(given.pause_when_full);
        args.arguments = given.arguments.get();
        auto listener = std::make_shared<detail::Listener<F>>(std::move(hears));
        args.deliveries = listener->then();
        return detail::operation<Consumer>(
            [r = get(), args, &given, listener](const haigha_then* then, haigha_error** error) {
                return detail::with(given.arguments, error, [&] {
                    return listener->give(
                        [&] { return haigha_stream_reader_consume(r, &args, then, error); });
                });
            },
            [r = get(), args, &given, listener](std::int64_t timeout_ms, haigha_reply** reply,
                                                haigha_error** error) {
                return detail::with(given.arguments, error, [&] {
                    return listener->give_and_wait(error, [&] {
                        return haigha_stream_reader_consume_wait(r, &args, timeout_ms, reply,
                                                                 error);
                    });
                });
            },
            [channel = channel_](const haigha_reply* reply, const haigha_event*) {
                return Consumer(channel, std::string(view(haigha_reply_consumer_tag(reply))));
            });
    }
    // It is done with, and settled by this: haigha_stream_reader_handled.
    Result<void> handled(const Message& message) const noexcept { return handle(message.get()); }
    Result<void> handled(const Delivery& delivery) const noexcept {
        return handle(delivery.raw().message);
    }
    // Keeps the place now: haigha_stream_reader_save.
    OperationOf<void> auto save() const {
        return detail::operation(
            [r = get()](const haigha_then* then, haigha_error** error) {
                return haigha_stream_reader_save(r, then, error);
            },
            [r = get()](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_stream_reader_save_wait(r, timeout_ms, error);
            });
    }
    // A number by name: see haigha_stream_reader_info.
    Result<std::int64_t> info(std::string_view name) const noexcept {
        std::int64_t value = 0;
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_stream_reader_info(get(), str(name), &value, error);
        });
        return {value, read.error()};
    }

  private:
    StreamReader(haigha_stream_reader* owned, Channel channel) noexcept
        : Handle(owned), channel_(std::move(channel)) {}
    Result<void> handle(const haigha_message* message) const noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_stream_reader_handled(get(), message, error);
        });
    }

    Channel channel_;
};

}  // namespace v0_1
}  // namespace haigha
