// How something answers: by a callback or into an inbox, and a release hook that runs exactly once.
#pragma once

#include <cassert>
#include <cstdint>
#include <exception>
#include <utility>

#include "base/busy_mutex.h"
#include "base/counted.h"
#include "base/ref.h"
#include "client/event.h"
#include "client/inbox.h"

namespace haigha::client {

// While a call of the user's is on its way it may yet be refused, for want of memory too: what it
// has brought, and an exception drops, stays the caller's.
class Offer {
  public:
    Offer() : before_(std::exchange(level_, std::uncaught_exceptions())) {}
    ~Offer() { level_ = before_; }
    Offer(const Offer&) = delete;
    Offer& operator=(const Offer&) = delete;

    static bool withdrawn() { return level_ >= 0 && std::uncaught_exceptions() > level_; }

  private:
    static constinit thread_local int level_;  // of exceptions when it began; -1: there is none
    const int before_;
};

class Then {
  public:
    // The user's function in the C API's own type, which only `invoke` knows.
    using AnyFunction = void (*)();
    using Invoke = void (*)(AnyFunction fn, const Event& event, void* user_data);
    using Release = void (*)(void* user_data);

    Then() = default;
    Then(Invoke invoke, AnyFunction fn, void* user_data, Release release, Ref<Inbox> inbox,
         std::uint64_t tag)
        : invoke_(invoke),
          fn_(fn),
          user_data_(user_data),
          release_(release),
          inbox_(std::move(inbox)),
          tag_(tag) {}
    Then(Then&& other) noexcept
        : invoke_(other.invoke_),
          fn_(std::exchange(other.fn_, nullptr)),
          user_data_(other.user_data_),
          release_(std::exchange(other.release_, nullptr)),
          inbox_(std::move(other.inbox_)),
          tag_(other.tag_),
          inner_(other.inner_) {}
    Then& operator=(Then&& other) noexcept {
        std::swap(invoke_, other.invoke_);
        std::swap(fn_, other.fn_);
        std::swap(user_data_, other.user_data_);
        std::swap(release_, other.release_);
        std::swap(inbox_, other.inbox_);
        std::swap(tag_, other.tag_);
        std::swap(inner_, other.inner_);
        return *this;
    }
    ~Then() {
        if (release_ == nullptr || (!inner_ && Offer::withdrawn())) return;
        // A user's may drop references, which takes mutexes.
        assert(inner_ || busy_mutexes_held == 0);
        release_(user_data_);
    }

    // The call that brought it is refused: its user_data stays the caller's.
    void disarm() { release_ = nullptr; }

    // Its release hook, for who has accepted it before a call refuses, and so disarms, it.
    struct Hook {
        Release release;
        void* user_data;
        void run() const {
            if (release != nullptr) release(user_data);
        }
    };
    Hook hook() const { return {release_, user_data_}; }

    bool wanted() const { return fn_ != nullptr || inbox_; }
    Inbox* inbox() const { return inbox_.get(); }

    // With the tag and the user_data.
    void complete(Event& event) const {
        event.tag = tag_;
        if (event.type != EventType::outcome) event.user_data = user_data_;
    }
    // Completes the event and delivers it. Returns how full an inbox is that it went into.
    Inbox::Fill deliver(Event& event) const {
        complete(event);
        if (fn_ != nullptr) {
            invoke_(fn_, event, user_data_);
            return Inbox::Fill::room;
        }
        return inbox_ ? inbox_->push(event) : Inbox::Fill::room;
    }

  private:
    Invoke invoke_ = nullptr;
    AnyFunction fn_ = nullptr;
    void* user_data_ = nullptr;
    Release release_ = nullptr;
    Ref<Inbox> inbox_;
    std::uint64_t tag_ = 0;
    bool inner_ = false;

    template <class Object>
    friend Then then_to(const Object& object, Invoke invoke);
};

// Answers that an object of the library's own hears, in `invoke`, as its user_data. They have a
// share in it, which a call that is refused leaves behind: its caller gives that back. One that an
// exception drops gives it back itself.
template <class Object>
Then then_to(const Object& object, Then::Invoke invoke) {
    object.add_ref();
    Then then(
        invoke, [] {},  // `invoke` knows what to call
        const_cast<Object*>(&object),
        [](void* data) { static_cast<const Object*>(data)->release(); }, nullptr, 0);
    then.inner_ = true;
    return then;
}

}  // namespace haigha::client
