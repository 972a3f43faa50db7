// Who awaits what becomes of one publish. Part of haigha/haigha.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

#include "arguments.hpp"
#include "operation.hpp"

namespace haigha {
inline namespace v0_1 {
namespace detail {

// Who waits for the outcome of a publish: it is the publish's user_data.
struct Awaited {
    haigha_then then;
    Awaited* next = nullptr;
    Awaited* previous = nullptr;
};

// Those of a channel, or a pool. What has no outcome when that goes in silence is let go with it.
class AwaitedOutcomes {
  public:
    AwaitedOutcomes() = default;
    AwaitedOutcomes(const AwaitedOutcomes&) = delete;
    AwaitedOutcomes& operator=(const AwaitedOutcomes&) = delete;
    ~AwaitedOutcomes() {
        while (first_ != nullptr)
            end(*first_);
    }

    Awaited* add(const haigha_then& then) noexcept {
        auto* const made = new (std::nothrow) Awaited{then};
        if (made == nullptr) return nullptr;
        const std::lock_guard lock(mutex_);
        made->next = first_;
        if (first_ != nullptr) first_->previous = made;
        first_ = made;
        return made;
    }
    // It was refused: what it holds is still its caller's.
    void forget(Awaited& one) noexcept {
        one.then.release = nullptr;
        end(one);
    }
    void tell(const haigha_event& event) noexcept {
        auto* const one = static_cast<Awaited*>(event.user_data);
        one->then.fn(&event, one->then.user_data);
        end(*one);
    }

  private:
    void end(Awaited& one) noexcept {
        {
            const std::lock_guard lock(mutex_);
            if (one.next != nullptr) one.next->previous = one.previous;
            (one.previous != nullptr ? one.previous->next : first_) = one.next;
        }
        if (one.then.release != nullptr) one.then.release(one.then.user_data);
        delete &one;
    }

    std::mutex mutex_;
    Awaited* first_ = nullptr;
};

// Hears a channel's events, or a pool's: outcomes that are awaited go to who awaits them.
template <class F>
struct OutcomeFilter {
    std::shared_ptr<AwaitedOutcomes> outcomes;
    F callable;
    void operator()(const haigha_event& event) {
        if (event.type == HAIGHA_EVENT_OUTCOME && event.user_data != nullptr) {
            outcomes->tell(event);
        } else if constexpr (!std::is_same_v<F, Nobody>) {
            dispatch(callable, event);
        }
    }
};

// What hears the events of a channel or a pool. awaits: outcomes can be awaited one by one, unless
// they go into an inbox.
template <class F>
auto outcome_listener(F events, bool awaits, std::shared_ptr<AwaitedOutcomes>& outcomes) {
    if constexpr (std::is_same_v<F, Into>) {
        return Listener<Into>(std::move(events));
    } else {
        if (awaits) outcomes = std::make_shared<AwaitedOutcomes>();
        return Listener<OutcomeFilter<F>>(OutcomeFilter<F>{outcomes, std::move(events)});
    }
}

inline PublishResult publish_result(const haigha_reply* reply, const haigha_event* event) noexcept {
    if (event != nullptr && event->type == HAIGHA_EVENT_OUTCOME) {
        return {static_cast<Outcome>(event->outcome), Error::copy_of(event->error)};
    }
    return {static_cast<Outcome>(haigha_reply_outcome(reply)),
            Error::copy_of(haigha_reply_return_reason(reply))};
}

// Of a channel or a pool: a C function that publishes, and its waiting form. outcomes: null where
// nobody can await one.
template <class Object, class Start, class Wait>
auto publish_operation(Object* object, AwaitedOutcomes* outcomes, const Publish& given, Body body,
                       const Properties* properties, Start start, Wait wait) {
    return operation<PublishResult>(
        [=, &given](const haigha_then* then, haigha_error** error) -> haigha_status {
            const auto publish = [&](void* user_data) {
                return with_args(given, properties, user_data, error,
                                 [&](const haigha_publish_args& args) {
                                     return start(object, &args, body.c(), nullptr, error);
                                 });
            };
            if (then == nullptr) return publish(nullptr);
            if (outcomes == nullptr || then->fn == nullptr) return HAIGHA_ERR_UNSUPPORTED;
            Awaited* const awaited = outcomes->add(*then);
            if (awaited == nullptr) return HAIGHA_ERR_NO_MEMORY;
            AwaitedOutcomes* const kept_by = outcomes;
            const haigha_status status = publish(awaited);
            if (status != HAIGHA_OK) kept_by->forget(*awaited);
            return status;
        },
        [=, &given](std::int64_t timeout_ms, haigha_reply** reply, haigha_error** error) {
            return with_args(given, properties, nullptr, error,
                             [&](const haigha_publish_args& args) {
                                 return wait(object, &args, body.c(), timeout_ms, reply, error);
                             });
        },
        &publish_result);
}

}  // namespace detail
}  // namespace v0_1
}  // namespace haigha
