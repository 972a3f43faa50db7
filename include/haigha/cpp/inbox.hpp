// haigha::Inbox and haigha::Reply. Part of haigha/haigha.hpp.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "message.hpp"

namespace haigha {
inline namespace v0_1 {

// What an operation answered; what it gives is borrowed from it, and 0 or empty where the operation
// has no such thing.
class Reply : public detail::Handle<haigha_reply, &haigha_reply_ref, &haigha_reply_unref> {
  public:
    Reply() noexcept = default;
    static Reply adopt(haigha_reply* reply) noexcept { return Reply(reply); }

  private:
    explicit Reply(haigha_reply* owned) noexcept : Handle(owned) {}
};

// A queue of events for programs that would rather fetch than be called. See haigha_inbox_new.
class Inbox : public detail::Handle<haigha_inbox, &haigha_inbox_ref, &haigha_inbox_unref> {
  public:
    Inbox() noexcept = default;
    // A reference of its own to a handle of the C API.
    static Inbox share(haigha_inbox* h) noexcept { return Inbox(haigha_inbox_ref(h)); }
    // capacity_events: 1 to 1,000,000; 0: 1024.
    static Result<Inbox> create(std::size_t capacity_events = 0) noexcept {
        haigha_inbox* made = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_inbox_new(capacity_events, &made, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return Inbox(made);
    }
    Result<void> set_capacity_bytes(std::uint64_t bytes) noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_inbox_set_capacity_bytes(get(), bytes, error);
        });
    }
    // Has `ready()` called when an event comes to where none waited, in place of making fd()
    // readable: for runtimes that wake a task themselves. On the thread of whoever fills the inbox,
    // which it must not hold up; one that throws ends the program. Errors: those of
    // haigha_inbox_set_ready(); `ready` is gone then.
    template <std::invocable F>
    Result<void> on_ready(F ready) noexcept {
        auto* const kept = new (std::nothrow) F(std::move(ready));
        if (kept == nullptr) return Error(HAIGHA_ERR_NO_MEMORY, detail::no_memory);
        Result<void> set = detail::checked([&](haigha_error** error) {
            return haigha_inbox_set_ready(
                get(), [](void* f) noexcept { (*static_cast<F*>(f))(); }, kept,
                [](void* f) noexcept { delete static_cast<F*>(f); }, error);
        });
        if (!set) delete kept;
        return set;
    }
    // Readable while events wait. Never to be read or closed.
    int fd() const noexcept { return haigha_inbox_fd(get()); }
    // Fills `events` from the front and gives those that it filled, none when the time is up; they
    // are borrowed until the next poll. Below zero: waits for ever.
    Result<std::span<const haigha_event>> poll(std::span<haigha_event> events,
                                               Timeout timeout) noexcept {
        std::size_t count = 0;
        haigha_error* error = nullptr;
        const haigha_status status =
            haigha_inbox_poll(get(), events.data(), sizeof(haigha_event), events.size(),
                              timeout.count() < 0 ? -1 : timeout.count(), &count, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return std::span<const haigha_event>(events.first(count));
    }
    // Of an inbox that only deliveries go into. Errors: TIMEOUT, or how the consumer ended. Below
    // zero: waits for ever.
    Result<Message> next_message(Timeout timeout) noexcept {
        haigha_message* message = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_inbox_next_message(
            get(), timeout.count() < 0 ? -1 : timeout.count(), &message, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return Message::adopt(message);
    }

  private:
    explicit Inbox(haigha_inbox* owned) noexcept : Handle(owned) {}
};

}  // namespace v0_1
}  // namespace haigha
