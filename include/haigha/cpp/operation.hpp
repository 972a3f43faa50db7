// haigha::Operation: something that the broker answers, in the way that the caller likes. Part of
// haigha/haigha.hpp.
#pragma once

#include <coroutine>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "events.hpp"
#include "inbox.hpp"

namespace haigha {
inline namespace v0_1 {

// In place of a callable: events go into the inbox, with the tag.
struct Into {
    Inbox inbox;
    std::uint64_t tag = 0;
};

// In place of a callable: nobody hears.
struct Nobody {};

namespace detail {

// A callable that the library keeps, as the user_data of a haigha_then. It is this object's until
// it is given, and again when the call was refused.
template <class F>
class Kept {
  public:
    explicit Kept(F callable) : callable_(new (std::nothrow) F(std::move(callable))) {}
    Kept(Kept&& other) noexcept : callable_(std::exchange(other.callable_, nullptr)) {}
    Kept& operator=(Kept&&) = delete;
    ~Kept() { delete callable_; }

    explicit operator bool() const noexcept { return callable_ != nullptr; }
    haigha_then then(haigha_event_fn fn) const noexcept {
        return {fn, callable_, &release, nullptr, 0};
    }
    // `call`: the C call that takes it. Nothing of this object is touched when it was taken: by
    // then the answer may have come, on another thread, and this be gone.
    template <class Call>
    haigha_status give(Call call) {
        F* const given = std::exchange(callable_, nullptr);
        const haigha_status status = call();
        if (status != HAIGHA_OK) callable_ = given;
        return status;
    }
    // `call`: a waiting form, which may have been accepted and fail all the same.
    template <class Call>
    haigha_status give_and_wait(haigha_error** error, Call call) {
        F* const given = std::exchange(callable_, nullptr);
        const haigha_status status = call();
        if (status != HAIGHA_OK && haigha_error_accepted(*error) == 0) callable_ = given;
        return status;
    }

  private:
    static void release(void* callable) { delete static_cast<F*>(callable); }

    F* callable_;
};

// Where events go, of whichever kind.
template <class F>
class Listener {
  public:
    explicit Listener(F callable) : kept_(std::move(callable)) {}
    haigha_then then() const noexcept { return kept_.then(&on_event); }
    template <class Call>
    haigha_status give(Call call) {
        return kept_ ? kept_.give(call) : HAIGHA_ERR_NO_MEMORY;
    }
    template <class Call>
    haigha_status give_and_wait(haigha_error** error, Call call) {
        return kept_ ? kept_.give_and_wait(error, call) : HAIGHA_ERR_NO_MEMORY;
    }

  private:
    static void on_event(const haigha_event* event, void* callable) noexcept {
        dispatch(*static_cast<F*>(callable), *event);
    }
    Kept<F> kept_;
};
// One that the library keeps nothing of.
class Unkept {
  public:
    template <class Call>
    haigha_status give(Call call) {
        return call();
    }
    template <class Call>
    haigha_status give_and_wait(haigha_error**, Call call) {
        return call();
    }
};
template <>
class Listener<Into> : public Unkept {
  public:
    explicit Listener(Into to) : to_(std::move(to)) {}
    haigha_then then() const noexcept {
        return {nullptr, nullptr, nullptr, to_.inbox.get(), to_.tag};
    }

  private:
    Into to_;
};
template <>
class Listener<Nobody> : public Unkept {
  public:
    explicit Listener(Nobody) {}
    haigha_then then() const noexcept { return {nullptr, nullptr, nullptr, nullptr, 0}; }
};

}  // namespace detail

// Something to hear events: a callable (events.hpp), Into, or Nobody.
template <class F>
concept Hears = EventCallable<F> || std::same_as<std::decay_t<F>, Into> ||
    std::same_as<std::decay_t<F>, Nobody>;

// Nothing has happened yet: one of wait(), then(), start() and co_await begins it, in the very
// expression that made it, since it borrows what it was made of.
//
// T: what it answers. Start: (const haigha_then*, haigha_error**) -> haigha_status, which touches
// nothing of its own once it was accepted. Wait: (timeout_ms, haigha_reply**, haigha_error**) ->
// haigha_status. Make: (const haigha_reply*, const haigha_event* or null) -> T, of what was
// answered.
template <class T, class Start, class Wait, class Make>
class [[nodiscard]] Operation {
  public:
    using Answer = T;

    Operation(Start start, Wait wait, Make make)
        : start_(std::move(start)), wait_(std::move(wait)), make_(std::move(make)) {}
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    // Blocks. Not on the loop's thread (WRONG_THREAD).
    Result<T> wait(Timeout timeout = default_timeout) && {
        haigha_reply* reply = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status =
            wait_(timeout.count() < 0 ? -1 : timeout.count(), &reply, &error);
        const Reply kept = Reply::adopt(reply);
        return made(make_, Error(status, error), reply, nullptr);
    }

    // Begins it and returns; refused, `callable` is never called. Otherwise it is, once, on the
    // loop's thread, with a Result<T>: unless the connection is dropped before. It must not wait,
    // nor throw.
    template <class F>
    requires std::is_invocable_v<F&, Result<T>> Result<void> then(F callable) && {
        struct Waiting {
            F callable;
            Make make;
        };
        detail::Kept<Waiting> kept(Waiting{std::move(callable), make_});
        if (!kept) return Error(HAIGHA_ERR_NO_MEMORY, detail::no_memory);
        const haigha_then then = kept.then([](const haigha_event* event, void* waiting) {
            hear(*event, *static_cast<Waiting*>(waiting));
        });
        return detail::checked(
            [&](haigha_error** error) { return kept.give([&] { return start_(&then, error); }); });
    }
    // Has the answer put into an inbox, as an event of type HAIGHA_EVENT_REPLY.
    Result<void> then(const Into& into) && {
        const haigha_then then{nullptr, nullptr, nullptr, into.inbox.get(), into.tag};
        return detail::checked([&](haigha_error** error) { return start_(&then, error); });
    }
    // Nobody hears how it ends.
    Result<void> start() && {
        return detail::checked([&](haigha_error** error) { return start_(nullptr, error); });
    }

    // co_await gives a Result<T>, and goes on on the loop's thread, where nothing may wait. The
    // connection has to live until then, and the coroutine must not be destroyed meanwhile.
    class Awaiter {
      public:
        explicit Awaiter(Operation& operation) noexcept : operation_(operation) {}
        bool await_ready() const noexcept { return false; }
        // Out of line: its variables must not be kept in the coroutine's frame, which may be gone
        // when start_ returns.
        [[gnu::noinline]] bool await_suspend(std::coroutine_handle<> coroutine) {
            coroutine_ = coroutine;
            const haigha_then then{&resume, this, nullptr, nullptr, 0};
            haigha_error* error = nullptr;
            const haigha_status status = operation_.start_(&then, &error);
            if (status == HAIGHA_OK) return true;
            result_ = Error(status, error);
            return false;
        }
        Result<T> await_resume() noexcept { return std::move(result_); }

      private:
        static void resume(const haigha_event* event, void* self) noexcept {
            auto* const awaiter = static_cast<Awaiter*>(self);
            awaiter->result_ = made(awaiter->operation_.make_, *event);
            awaiter->coroutine_.resume();
        }

        Operation& operation_;
        std::coroutine_handle<> coroutine_;
        Result<T> result_ = Error();
    };
    Awaiter operator co_await() && noexcept { return Awaiter(*this); }

  private:
    template <class Waiting>
    static void hear(const haigha_event& event, Waiting& waiting) noexcept {
        waiting.callable(made(waiting.make, event));
    }
    // The error of another event, of an outcome, is part of what was answered.
    static Result<T> made(Make& make, const haigha_event& event) {
        const bool failed = event.type == HAIGHA_EVENT_REPLY && event.error != nullptr;
        return made(make, failed ? Error::copy_of(event.error) : Error(), event.reply, &event);
    }
    // What was answered is there with an error too, where there was an answer.
    static Result<T> made(Make& make, Error error, const haigha_reply* reply,
                          const haigha_event* event) {
        if constexpr (std::is_void_v<T>) {
            (void)make, (void)reply, (void)event;
            return error;
        } else {
            if (error && reply == nullptr) return error;
            return {make(reply, event), std::move(error)};
        }
    }

    Start start_;
    Wait wait_;
    Make make_;
};

// An Operation that answers T, whatever else it is made of.
template <class O, class T>
concept OperationOf = std::same_as<typename O::Answer, T> && requires(O operation) {
    { std::move(operation).wait() } -> std::same_as<Result<T>>;
    { std::move(operation).start() } -> std::same_as<Result<void>>;
};

namespace detail {

template <class T, class Start, class Wait, class Make>
auto operation(Start start, Wait wait, Make make) {
    return Operation<T, Start, Wait, Make>(std::move(start), std::move(wait), std::move(make));
}
struct NoAnswer {};
template <class Start, class Wait>
auto operation(Start start, Wait wait) {
    return Operation<void, Start, Wait, NoAnswer>(std::move(start), std::move(wait), {});
}

}  // namespace detail

}  // namespace v0_1
}  // namespace haigha
