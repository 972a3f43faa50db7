// haigha::Loop, haigha::Options and haigha::Connection. Part of haigha/haigha.hpp.
//
// What a function does, which errors it gives and where it comes from in the specification is said
// in haigha.h, at the C function of the same name.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "channel.hpp"
#include "options.hpp"

namespace haigha {
inline namespace v0_1 {

// What a loop logs. Borrowed.
using LogRecord = haigha_log_record;

// What connections run on: a thread of the library's, or a libuv loop of the program's.
class Loop : public detail::Handle<haigha_loop, &haigha_loop_ref, &haigha_loop_unref> {
  public:
    Loop() noexcept = default;
    // A reference of its own to a handle of the C API.
    static Loop share(haigha_loop* h) noexcept { return Loop(haigha_loop_ref(h)); }
    // On a thread of its own.
    static Result<Loop> start() noexcept {
        haigha_loop* made = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_loop_start(&made, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return Loop(made);
    }
    // In a libuv loop that the caller runs: Loop::attach(uv_default_loop(), uv_run).
    template <class Uv, class Run>
    static Result<Loop> attach(Uv* uv, Run* callers_uv_run) noexcept {
        haigha_loop* made = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_loop_attach_checked(
            uv, reinterpret_cast<void (*)()>(callers_uv_run), &made, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return Loop(made);
    }
    // Ends every connection of it, and leaves the libuv loop. No waiting form: of a loop that the
    // program runs nobody else would answer.
    template <class F>
    requires std::is_invocable_v<F&, Result<void>> Result<void> close(F callable)
    const {
        return detail::operation(
                   [l = get()](const haigha_then* then, haigha_error** error) {
                       return haigha_loop_close(l, then, error);
                   },
                   [](std::int64_t, haigha_reply**, haigha_error**) {
                       return HAIGHA_ERR_UNSUPPORTED;
                   })
            .then(std::move(callable));
    }
    // Records up to `level` (HAIGHA_LOG_*) are given to `callable`, on the loop's thread.
    template <std::invocable<const LogRecord&> F>
    Result<void> set_log(std::int32_t level, F callable) const {
        auto* const kept = new (std::nothrow) F(std::move(callable));
        if (kept == nullptr) return Error(HAIGHA_ERR_NO_MEMORY, detail::no_memory);
        Result<void> set = detail::checked([&](haigha_error** error) {
            return haigha_loop_set_log(
                get(), level,
                [](const haigha_log_record* record, void* data) {
                    (*static_cast<F*>(data))(*record);
                },
                kept, [](void* data) { delete static_cast<F*>(data); }, error);
        });
        if (!set) delete kept;
        return set;
    }

  private:
    explicit Loop(haigha_loop* owned) noexcept : Handle(owned) {}
};

enum class ChannelPolicy : std::uint8_t {
    report = HAIGHA_CHANNEL_REPORT,
    reopen = HAIGHA_CHANNEL_REOPEN,
    resubscribe = HAIGHA_CHANNEL_RESUBSCRIBE,
};
enum class PublishPolicy : std::uint8_t {
    fail = HAIGHA_PUBLISH_FAIL,
    keep_unsent = HAIGHA_PUBLISH_KEEP_UNSENT,
    resend = HAIGHA_PUBLISH_RESEND,
};
struct ChannelOptions {
    bool confirm = false;
    bool correlate_returns = false;
    ChannelPolicy recovery_policy = ChannelPolicy::report;
    PublishPolicy publish_policy = PublishPolicy::fail;
    std::uint64_t max_in_flight = 0;        // 0: see haigha_channel_args
    std::uint64_t max_in_flight_bytes = 0;  // likewise
    std::chrono::milliseconds publish_max_age{};
};

// How long each part of Connection::stop may take; 0: the options' times.
struct StopTimes {
    std::chrono::milliseconds settle{};
    std::chrono::milliseconds publish{};
    std::chrono::milliseconds close{};
};
// What was left then.
struct Leftovers {
    std::uint64_t unwritten_bytes = 0;
    std::uint64_t unconfirmed = 0;
    std::uint64_t unsettled = 0;
};

// A connection; a copy is another reference to it. When the last one goes it ends abortively, and
// nothing more is told.
class Connection
    : public detail::Handle<haigha_connection, &haigha_connection_ref, &haigha_connection_unref> {
  public:
    Connection() noexcept = default;
    // A reference of its own to a handle of the C API.
    static Connection share(haigha_connection* h) noexcept {
        return Connection(haigha_connection_ref(h));
    }

    // One that is not open yet. `events`: what hears StateChanged, Blocked, Unblocked, Writable,
    // RecoveryStep and QueueRenamed.
    static Result<Connection> create(const Loop& loop, const Options& options) {
        return create(loop, options, Nobody{});
    }
    template <Hears F>
    static Result<Connection> create(const Loop& loop, const Options& options, F events) {
        if (options.error()) return options.error();
        detail::Listener<F> listener(std::move(events));
        const haigha_then then = listener.then();
        haigha_connection* made = nullptr;
        const Result<void> created = detail::checked([&](haigha_error** error) {
            return listener.give([&] {
                return haigha_connection_new(loop.get(), options.get(), &then, &made, error);
            });
        });
        if (!created) return created.error();
        return Connection(made);
    }
    // Before it is opened: `callable` is asked for credentials by AuthQuestion.
    template <Hears F>
    Result<void> set_auth(F callable) const {
        detail::Listener<F> listener(std::move(callable));
        const haigha_then then = listener.then();
        return detail::checked([&](haigha_error** error) {
            return listener.give([&] { return haigha_connection_set_auth(get(), &then, error); });
        });
    }

    OperationOf<void> auto open() const {
        return detail::operation(
            [c = get()](const haigha_then* then, haigha_error** error) {
                return haigha_connection_open(c, then, error);
            },
            [c = get()](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_connection_open_wait(c, timeout_ms, error);
            });
    }
    // For programs that know no event loop: a connection on a loop of its own, open. Blocks.
    static Result<Connection> connect(const Options& options, Timeout timeout = default_timeout) {
        return connect(options, Nobody{}, timeout);
    }
    template <Hears F>
    static Result<Connection> connect(const Options& options, F events,
                                      Timeout timeout = default_timeout) {
        Result<Loop> loop = Loop::start();
        if (!loop) return loop.error();
        Result<Connection> made = create(*loop, options, std::move(events));
        if (!made) return made;
        if (const Result<void> opened = made->open().wait(timeout); !opened) return opened.error();
        return made;
    }
    // Over a socket that is connected, which is the library's once this is accepted.
    OperationOf<void> auto open_fd(int fd) const {
        return detail::operation(
            [c = get(), fd](const haigha_then* then, haigha_error** error) {
                return haigha_connection_open_fd(c, fd, then, error);
            },
            [c = get(), fd](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_connection_open_fd_wait(c, fd, timeout_ms, error);
            });
    }
    OperationOf<void> auto close() const {
        return detail::operation(
            [c = get()](const haigha_then* then, haigha_error** error) {
                return haigha_connection_close(c, then, error);
            },
            [c = get()](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_connection_close_wait(c, timeout_ms, error);
            });
    }
    // Ends it so that nothing is left; what was left all the same is there with the error TIMEOUT
    // too. wait()'s own timeout does not count here.
    OperationOf<Leftovers> auto stop(const StopTimes& times = {}) const {
        haigha_stop_args args = HAIGHA_STOP_ARGS_INIT;
        args.settle_timeout_ms = static_cast<std::uint32_t>(times.settle.count());
        args.publish_timeout_ms = static_cast<std::uint32_t>(times.publish.count());
        args.close_timeout_ms = static_cast<std::uint32_t>(times.close.count());
        return detail::operation<Leftovers>(
            [c = get(), args](const haigha_then* then, haigha_error** error) {
                return haigha_connection_stop(c, &args, then, error);
            },
            [c = get(), args](std::int64_t, haigha_reply** reply, haigha_error** error) {
                return haigha_connection_stop_wait(c, &args, reply, error);
            },
            [](const haigha_reply* reply, const haigha_event*) {
                return Leftovers{haigha_reply_unwritten_bytes(reply),
                                 haigha_reply_unconfirmed(reply), haigha_reply_unsettled(reply)};
            });
    }
    OperationOf<void> auto flush() const {
        return detail::operation(
            [c = get()](const haigha_then* then, haigha_error** error) {
                return haigha_connection_flush(c, then, error);
            },
            [c = get()](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_connection_flush_wait(c, timeout_ms, error);
            });
    }
    OperationOf<void> auto update_secret(std::string_view secret, std::string_view reason) const {
        return detail::operation(
            [c = get(), secret, reason](const haigha_then* then, haigha_error** error) {
                return haigha_connection_update_secret(c, str(secret), str(reason), then, error);
            },
            [c = get(), secret, reason](std::int64_t timeout_ms, haigha_reply**,
                                        haigha_error** error) {
                return haigha_connection_update_secret_wait(c, str(secret), str(reason), timeout_ms,
                                                            error);
            });
    }
    // `events`: what hears StateChanged, Published, Returned, FlowChanged, Writable and
    // DeliveryHeld.
    template <Hears F>
    OperationOf<Channel> auto open_channel(const ChannelOptions& options, F events) const;
    OperationOf<Channel> auto open_channel(const ChannelOptions& options = {}) const;

    State state() const noexcept { return static_cast<State>(haigha_connection_state(get())); }
    // Why it ended, or is recovering.
    Error last_error() const noexcept {
        haigha_error* const error = haigha_connection_last_error(get());
        return Error(haigha_error_status(error), error);
    }
    // A number by name: see haigha_connection_info.
    Result<std::int64_t> info(std::string_view name) const noexcept {
        std::int64_t value = 0;
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_connection_info(get(), str(name), &value, error);
        });
        return {value, read.error()};
    }
    Result<Table> server_properties() const noexcept {
        return table(&haigha_connection_server_properties);
    }
    Result<Table> peer_info() const noexcept { return table(&haigha_connection_peer_info); }

  private:
    explicit Connection(haigha_connection* owned) noexcept : Handle(owned) {}
    template <class Read>
    Result<Table> table(Read read) const noexcept {
        haigha_table* made = nullptr;
        const Result<void> given =
            detail::checked([&](haigha_error** error) { return read(get(), &made, error); });
        if (!given) return given.error();
        return Table(made);
    }
};

namespace detail {

// A channel that is being opened: its handle comes from the call, its answer perhaps before that,
// on another thread. Whoever is last lets this go.
struct Opened {
    std::atomic<haigha_channel*> channel{nullptr};
    ~Opened() {
        if (haigha_channel* const left = channel.load()) haigha_channel_unref(left);
    }
};

}  // namespace detail

template <Hears F>
OperationOf<Channel> auto Connection::open_channel(const ChannelOptions& options, F events) const {
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.confirm = detail::flag(options.confirm);
    args.correlate_returns = detail::flag(options.correlate_returns);
    args.recovery_policy = static_cast<std::uint8_t>(options.recovery_policy);
    args.publish_policy = static_cast<std::uint8_t>(options.publish_policy);
    args.max_in_flight = options.max_in_flight;
    args.max_in_flight_bytes = options.max_in_flight_bytes;
    args.publish_max_age_ms = static_cast<std::uint64_t>(options.publish_max_age.count());
    std::shared_ptr<detail::AwaitedOutcomes> outcomes;
    auto given = detail::outcome_listener(std::move(events), options.confirm, outcomes);
    auto listener = std::make_shared<decltype(given)>(std::move(given));
    args.events = listener->then();
    auto opened = std::make_shared<detail::Opened>();
    return detail::operation<Channel>(
        [c = get(), args, listener, opened](const haigha_then* then, haigha_error** error) {
            const std::shared_ptr<detail::Opened> here = opened;
            return listener->give([&] {
                haigha_channel* channel = nullptr;
                const haigha_status status = haigha_channel_open(c, &args, then, &channel, error);
                here->channel.store(channel);
                return status;
            });
        },
        [c = get(), args, listener, opened](std::int64_t timeout_ms, haigha_reply**,
                                            haigha_error** error) {
            return listener->give_and_wait(error, [&] {
                haigha_channel* channel = nullptr;
                const haigha_status status =
                    haigha_channel_open_wait(c, &args, timeout_ms, &channel, error);
                opened->channel.store(channel);
                return status;
            });
        },
        [opened, outcomes](const haigha_reply*, const haigha_event* event) {
            return Channel(event != nullptr ? haigha_channel_ref(event->channel)
                                            : opened->channel.exchange(nullptr),
                           outcomes);
        });
}

inline OperationOf<Channel> auto Connection::open_channel(const ChannelOptions& options) const {
    return open_channel(options, Nobody{});
}

}  // namespace v0_1
}  // namespace haigha
