// A queue of events that a program fetches in batches, with a descriptor to wait for.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/counted.h"
#include "base/ref.h"
#include "client/event.h"
#include "client/handle_count.h"
#include "client/kept_event.h"
#include "client/ready_hook.h"
#include "transport/fork_guard.h"

namespace haigha::client {

class Inbox : public Counted<Inbox> {
  public:
    static constexpr std::size_t default_capacity = 1024;
    static constexpr std::size_t max_capacity = 1'000'000;
    static constexpr std::size_t default_capacity_bytes = 64 * 1024 * 1024;
    // What a delivery takes besides its body, about.
    static constexpr std::size_t delivery_overhead = 256;

    // Null with *error set when there is no descriptor to be had.
    static Ref<Inbox> create(std::size_t capacity, ErrorRef* error);

    int fd() const { return fd_; }
    // Has it called when events come to where none were, and at once when some are there. The
    // descriptor is not made readable then. Null: it is again.
    void set_ready(std::shared_ptr<const ReadyHook> hook);
    bool has_ready_hook() const;
    // Whether this is another process than that of who fills it.
    bool forked() const { return fork_guard_.forked(); }
    void set_capacity_bytes(std::size_t bytes);

    // The user's references. With the last one the events that wait are dropped, and later ones
    // too.
    void add_handle() { handles_.add(); }
    void drop_handle();
    // Whether the calling thread is a loop's, or one that puts events in: waiting there could be
    // for ever.
    bool on_a_filling_thread() const;

    // How full it is: of more deliveries, or of more bytes of them, than its capacity.
    enum class Fill : std::uint8_t { room, too_many, too_heavy };
    // Keeps what the event refers to. Whoever fills it beyond its capacity should hold back until
    // it is half empty.
    Fill push(const Event& event);
    // Takes all of them, of which all are deliveries, and leaves memory for others.
    void push(std::vector<KeptEvent>& deliveries);
    // How full it is with so many deliveries more, of that weight together.
    Fill fill_with(std::size_t deliveries, std::size_t bytes) const;
    // What a delivery counts for, of capacity_bytes.
    static std::size_t weight(const Event& event) { return event.body.size + delivery_overhead; }
    // Calls `resume` once, from a poll, when the inbox is half empty; at once if it is already.
    void when_half_empty(std::function<void()> resume);

    // Moves up to events.size() events out; returns how many. They borrow from this inbox until the
    // next call. Waits up to timeout_ms (-1: for ever) for the first.
    std::size_t poll(std::span<Event> events, std::int64_t timeout_ms);

  private:
    friend class Counted<Inbox>;
    explicit Inbox(std::size_t capacity, int fd) : capacity_(capacity), fd_(fd) {}
    ~Inbox();

    bool half_empty() const {
        return waiting_deliveries_ <= capacity_ / 2 && waiting_bytes_ <= capacity_bytes_ / 2;
    }
    // With the mutex held. What it returns is to be called without it.
    std::shared_ptr<const ReadyHook> wake_for(std::size_t events);
    void make_readable() const;
    void make_unreadable() const;
    void let_go_of_last();
    std::size_t take(std::span<Event> events);
    void wait(std::int64_t timeout_ms) const;

    const std::size_t capacity_;
    const int fd_;
    const transport::ForkGuard fork_guard_;
    HandleCount handles_;
    mutable std::mutex mutex_;
    bool dropped_ = false;
    std::thread::id filler_;  // of the last event
    std::vector<KeptEvent> filled_;
    std::size_t waiting_ = 0;  // there and in the fetched ones
    // Changed with the mutex held.
    std::atomic<std::size_t> waiting_deliveries_ = 0;
    std::atomic<std::size_t> waiting_bytes_ = 0;  // of deliveries
    std::atomic<std::size_t> capacity_bytes_ = default_capacity_bytes;
    std::vector<std::function<void()>> resume_;
    std::shared_ptr<const ReadyHook> ready_;

    // Of the poller, who takes all that is there and hands it out in as many polls as that takes.
    std::vector<KeptEvent> fetched_;
    std::size_t handed_out_ = 0;  // of them
    std::size_t let_go_ = 0;      // of those
};

}  // namespace haigha::client
