// haigha::Task: a small coroutine type for programs that have none. Any other does as well: what
// haigha.hpp gives can be awaited in every coroutine.
#pragma once

#include <condition_variable>
#include <coroutine>
#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace haigha {
inline namespace v0_1 {

template <class T = void>
class Task;

namespace detail {

struct TaskPromiseBase {
    std::coroutine_handle<> awaiting = std::noop_coroutine();
    std::exception_ptr failure;

    std::suspend_always initial_suspend() const noexcept { return {}; }
    struct Final {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
            return ended.promise().awaiting;
        }
        void await_resume() const noexcept {}
    };
    Final final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { failure = std::current_exception(); }
};

template <class T>
struct TaskPromise : TaskPromiseBase {
    std::optional<T> value;
    Task<T> get_return_object() noexcept;
    template <class Value>
    void return_value(Value&& given) {
        value.emplace(std::forward<Value>(given));
    }
    T take() {
        if (failure) std::rethrow_exception(failure);
        return std::move(*value);
    }
};
template <>
struct TaskPromise<void> : TaskPromiseBase {
    Task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void take() const {
        if (failure) std::rethrow_exception(failure);
    }
};

// A coroutine that runs by itself and is gone at its end.
struct Detached {
    struct promise_type {
        Detached get_return_object() const noexcept { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept { std::terminate(); }
    };
};

}  // namespace detail

// Begins when it is awaited, waited for, or detached; gives what it returned, or throws what it
// threw.
template <class T>
class [[nodiscard]] Task {
  public:
    using promise_type = detail::TaskPromise<T>;

    explicit Task(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}
    Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
    Task& operator=(Task&& other) noexcept {
        std::swap(coroutine_, other.coroutine_);
        return *this;
    }
    ~Task() {
        if (coroutine_) coroutine_.destroy();
    }

    class Awaiter {
      public:
        explicit Awaiter(std::coroutine_handle<promise_type> coroutine) noexcept
            : coroutine_(coroutine) {}
        bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
            coroutine_.promise().awaiting = awaiting;
            return coroutine_;
        }
        T await_resume() const { return coroutine_.promise().take(); }

      private:
        std::coroutine_handle<promise_type> coroutine_;
    };
    Awaiter operator co_await() && noexcept { return Awaiter(coroutine_); }

    // Begins it on this thread, and blocks until it has ended, wherever that is. Not on a loop's
    // thread, which would have to answer.
    T wait() && {
        Gate gate;
        open_after(std::move(*this), gate);
        std::unique_lock lock(gate.mutex);
        gate.opened.wait(lock, [&] { return gate.open; });
        if (gate.failure) std::rethrow_exception(gate.failure);
        if constexpr (!std::is_void_v<T>) return std::move(*gate.value);
    }
    // Begins it; nobody hears of its end. What it throws ends the program.
    void detach() && { run(std::move(*this)); }

  private:
    struct Nothing {};
    struct Gate {
        std::mutex mutex;
        std::condition_variable opened;
        bool open = false;
        std::exception_ptr failure;
        std::optional<std::conditional_t<std::is_void_v<T>, Nothing, T>> value;
    };
    static detail::Detached open_after(Task task, Gate& gate) {
        std::exception_ptr failure;
        try {
            if constexpr (std::is_void_v<T>) {
                co_await std::move(task);
            } else {
                gate.value.emplace(co_await std::move(task));
            }
        } catch (...) {
            failure = std::current_exception();
        }
        const std::lock_guard lock(gate.mutex);
        gate.failure = failure;
        gate.open = true;
        gate.opened.notify_all();
    }
    static detail::Detached run(Task task) { co_await std::move(task); }

    std::coroutine_handle<promise_type> coroutine_;
};

namespace detail {
template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
    return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
    return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}
}  // namespace detail

}  // namespace v0_1
}  // namespace haigha
