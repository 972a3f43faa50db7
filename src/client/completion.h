// The exactly-once answer to an operation: to a Then, or to a thread that waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "client/reply.h"
#include "client/then.h"

namespace haigha::client {

// Where a blocking form waits. Whoever loses interest just drops it.
class Waiter : public Counted<Waiter> {
  public:
    void finish(ErrorRef error, Ref<Reply> reply) {
        const std::lock_guard lock(mutex_);
        if (done_) return;
        done_ = true;
        error_ = std::move(error);
        reply_ = std::move(reply);
        condition_.notify_all();
    }
    // False when the time was up first.
    bool wait_for(Duration limit) {
        std::unique_lock lock(mutex_);
        return condition_.wait_for(lock, std::chrono::nanoseconds(limit.nanoseconds),
                                   [this] { return done_; });
    }
    // After a wait that was answered.
    const ErrorRef& error() const { return error_; }
    const Ref<Reply>& reply() const { return reply_; }

  private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool done_ = false;
    ErrorRef error_;
    Ref<Reply> reply_;
};

class Completion {
  public:
    Completion() = default;
    explicit Completion(Then then) : then_(std::move(then)) {}
    explicit Completion(Ref<Waiter> waiter) : waiter_(std::move(waiter)) {}

    void disarm() { then_.disarm(); }
    // Answers and forgets. `event` holds the connection and channel; muted: only the release hook
    // runs.
    void complete(Event& event, const ErrorRef& error, const Ref<Reply>& reply, bool muted) {
        const Ref<Waiter> waiter = std::move(waiter_);
        const Then then = std::exchange(then_, Then());
        if (waiter) waiter->finish(error, reply);
        if (muted || !then.wanted()) return;
        event.type = EventType::reply;
        event.error = error.get();
        event.reply = reply.get();
        if (reply && reply->message) {
            event.message = reply->message.get();
            event.number = reply->message->delivery_tag;
            event.flags = reply->message->flags();
            event.exchange = reply->message->exchange;
            event.routing_key = reply->message->routing_key;
            event.body = reply->message->body;
        }
        then.deliver(event);
    }

  private:
    Then then_;
    Ref<Waiter> waiter_;
};

}  // namespace haigha::client
