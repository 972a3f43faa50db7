// What haigha_channel is: a channel as its user holds it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "client/completion.h"
#include "client/connection.h"
#include "client/event.h"
#include "client/handle_count.h"
#include "client/then.h"
#include "protocol/connection_machine.h"
#include "wire/method_table.h"

namespace haigha::client {

// An operation on its way: what the machine calls a call's token.
struct Operation {
    Completion completion;
    Ref<Channel> channel;
    OperationNote note;
};

// Hears of a consumer's deliveries before its user does, on the loop's thread.
class DeliveryObserver {
  public:
    virtual void delivered(const Message& message) = 0;
    virtual void add_ref() const = 0;
    virtual void release() const = 0;

  protected:
    ~DeliveryObserver() = default;
};

// What a consumer is made with besides its basic.consume.
struct ConsumeOptions {
    bool pause_when_full = false;  // its inbox
    bool in_pieces = false;        // it hears PieceEvents of bodies that do not come in one frame
    DeliveryObserver* observer = nullptr;  // of which it takes a share
    std::string* tag = nullptr;            // where its tag is written to
};

// A consumer: what the machine calls a consumer's token. Of the loop's thread once it is
// registered.
struct Consumer {
    Then then;
    std::string tag;
    std::string queue;              // that it consumes from, where that is recorded
    std::uint32_t made = 0;         // its place among its channel's consumers
    bool is_limited = false;        // the broker holds it back at a prefetch
    bool pauses_when_full = false;  // its inbox
    Ref<DeliveryObserver> observer;
};

class Channel : public Counted<Channel> {
  public:
    Channel(Ref<Connection> connection, Then events, ChannelModes modes)
        : connection_(std::move(connection)), policy_(modes.policy), events_(std::move(events)) {
        settings_.confirm = modes.confirm;
        settings_.tx = modes.tx;
        settings_.correlate_returns = modes.correlate_returns;
        settings_.in_flight = modes.in_flight;
    }

    Connection& connection() const { return *connection_; }
    std::uint16_t number() const { return number_.load(std::memory_order_relaxed); }
    State state() const { return state_.load(std::memory_order_acquire); }
    HandleCount& handles() { return handles_; }

    // The user has dropped the last handle.
    void abandon();
    ErrorRef last_error() const;
    bool set_events(Then events);
    void disarm_events() { events_.disarm(); }

    // ---- operations. Ok: the completion will be answered. Otherwise nothing was taken.

    template <class Method>
    ErrorRef call(const Method& method, Completion completion, std::int64_t timeout_ms,
                  protocol::CallKind kind = protocol::CallKind::plain) {
        protocol::Call call;
        call.kind = kind;
        return start(method, std::move(call), std::move(completion), timeout_ms);
    }
    ErrorRef consume(wire::basic::Consume method, const ConsumeOptions& options, Then deliveries,
                     Completion completion, std::int64_t timeout_ms);
    // By basic.cancel: for good (CallKind::cancel), until its deliveries are settled (drain), or
    // for a while (pause).
    ErrorRef stop_consumer(protocol::CallKind kind, std::string_view consumer_tag,
                           Completion completion, std::int64_t timeout_ms);
    ErrorRef resume_consumer(std::string_view consumer_tag, Completion completion,
                             std::int64_t timeout_ms);
    // Has a consumer paused that more is delivered to than can be kept; to be called while it is
    // told of a delivery. Gives what lets it go on, for any thread to call, once; or nothing where
    // it is being stopped or held back already.
    std::function<void()> hold_back(const std::string& consumer_tag) {
        return connection_->hold_back(*this, consumer_tag);
    }
    ErrorRef confirm_select(Completion completion, std::int64_t timeout_ms);
    ErrorRef qos(const wire::basic::Qos& method, Completion completion, std::int64_t timeout_ms);
    ErrorRef close(Completion completion, std::int64_t timeout_ms);

    // would_block gives no error object: it costs nothing.
    Status publish(const protocol::PublishRequest& request, std::uint64_t* sequence) {
        return connection_->publish(*this, sequence, request);
    }
    Status publish(const protocol::PreparedHead& head, const protocol::PublishRequest& rest,
                   std::uint64_t* sequence) {
        return connection_->publish(*this, sequence, head, rest);
    }
    // Waits for room, and for the outcome when there are confirms.
    ErrorRef publish_wait(protocol::PublishRequest request, std::int64_t timeout_ms,
                          Ref<Reply>* reply);
    template <class Method>
    Status settle(const Method& method) {
        return connection_->settle(*this, method);
    }

    // Whether a delivery of that tag can still be settled, as far as the channel goes.
    bool is_current(std::uint64_t delivery_tag) const;

    // Why a call is refused with `status`.
    ErrorRef refusal(Status status) const;
    ErrorRef settle_refusal(Status status, std::uint64_t delivery_tag) const;

    // Runs start(completion) and waits for its answer.
    template <class Start>
    ErrorRef wait(Start start, std::int64_t timeout_ms, Ref<Reply>* reply) {
        return connection_->wait(std::move(start), timeout_ms, reply);
    }

  private:
    friend class Counted<Channel>;
    friend class Connection;
    friend class BodyWriter;
    ~Channel() = default;

    template <class Method>
    ErrorRef start(const Method& method, protocol::Call call, Completion completion,
                   std::int64_t timeout_ms) {
        const wire::MethodInfo* info = wire::find_method(Method::id);
        call.reply = info->replies[0];
        call.other_reply = info->replies[1];
        OperationNote note;
        if (records()) note = note_of(method);
        return connection_->call(*this, method, std::move(call), std::move(completion), timeout_ms,
                                 std::move(note));
    }
    // Whether there is something to be brought back one day.
    bool records() const { return connection_->recovers() || policy_ != ChannelPolicy::report; }
    // channel_notes.cpp: what is recorded when the broker has agreed to a method.
    template <class Method>
    OperationNote note_of(const Method&) {
        return {};
    }
    OperationNote note_of(const wire::exchange::Declare& method);
    OperationNote note_of(const wire::exchange::Delete& method);
    OperationNote note_of(const wire::exchange::Bind& method);
    OperationNote note_of(const wire::exchange::Unbind& method);
    OperationNote note_of(const wire::queue::Declare& method);
    OperationNote note_of(const wire::queue::Bind& method);
    OperationNote note_of(const wire::queue::Unbind& method);
    OperationNote note_of(const wire::queue::Delete& method);
    OperationNote note_of(const wire::basic::Qos& method);
    OperationNote note_of(const wire::confirm::Select& method);
    OperationNote note_of(const wire::tx::Select& method);
    OperationNote note_of_consume(const wire::basic::Consume& method, Consumer& consumer);
    const std::string& resolved(const std::string& queue) const {
        return queue.empty() ? last_queue_ : queue;
    }
    void rename_queues(const std::vector<TopologyReplay::Renamed>& renamed,
                       const std::vector<protocol::ConsumerRemains>& consumers);
    // What a status of the machine's is to the caller: closed is not the end while it recovers.
    Status told(Status status) const {
        const bool recovering = status == Status::closed && state() == State::recovering;
        return recovering ? Status::recovering : status;
    }

    ErrorRef recovering_error() const;
    ErrorRef consumer_refusal(const ErrorRef& error, protocol::CallKind kind,
                              std::string_view consumer_tag) const;

    // A consumer that is paused until its inbox is half empty.
    struct HeldBack {
        std::string tag;
        bool is_due = false;  // it is, while the consumer could not yet go on
    };
    std::vector<HeldBack>::iterator find_held_back(std::string_view tag) {
        return std::find_if(held_back_.begin(), held_back_.end(),
                            [tag](const HeldBack& held) { return held.tag == tag; });
    }

    Ref<Connection> connection_;
    const ChannelPolicy policy_;
    std::atomic<std::uint16_t> number_{0};
    std::atomic<State> state_{State::opening};
    std::atomic<bool> muted_{false};
    std::atomic<std::uint32_t> next_consumer_{0};
    HandleCount handles_;
    Ref<protocol::ConfirmRing> kept_;  // null, or that of all its incarnations
    // ---- guarded by the connection's mutex
    ErrorRef last_error_;
    bool prefetch_each_ = false;     // new consumers have a finite one by basic.qos
    bool prefetch_all_ = false;      // all together have
    std::uint64_t stale_up_to_ = 0;  // delivery tags of earlier incarnations
    // ---- of the loop's thread
    Then events_;
    State state_before_end_ = State::closed;
    ChannelSettings settings_;
    std::string last_queue_;  // that was declared on it, where that is recorded
    std::vector<HeldBack> held_back_;
    std::size_t restoring_ = 0;     // consumers whose consume-ok has not come
    std::string refused_consumer_;  // for which the broker is closing it
    std::uint32_t lost_in_a_row_ = 0;
    // Consumers that recoveries of this outage had no answer about: each the one that its channel
    // waited for.
    struct Unanswered {
        std::string tag;
        std::uint64_t generation;  // of the connection
        std::uint32_t times;
        ErrorRef error;
    };
    std::vector<Unanswered> unanswered_;
    // Consumers that there was no memory to bring back, until the connection has ended over that.
    std::vector<protocol::ConsumerRemains> left_behind_;
};

}  // namespace haigha::client

#include "client/connection_calls.h"
