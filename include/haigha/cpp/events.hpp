// What callables are called with: a view for each kind of event. Part of haigha/haigha.hpp.
//
// A callable gets the events whose views it takes, and no others: one lambda, or several as
// haigha::overloaded{[](const Delivery&) {}, [](const ConsumerEnded&) {}}. One that takes `const
// haigha_event&` gets all the others as they are. Views, and what they give, are borrowed until the
// callable returns. Callables run on the loop's thread; they must not wait, and one that throws
// ends the program.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "message.hpp"

namespace haigha {
inline namespace v0_1 {

// Of connections and channels: the same numbers as HAIGHA_STATE_*.
enum class State : std::int32_t {
    fresh = HAIGHA_STATE_NEW,
    opening = HAIGHA_STATE_OPENING,
    open = HAIGHA_STATE_OPEN,
    closing = HAIGHA_STATE_CLOSING,
    closed = HAIGHA_STATE_CLOSED,
    recovering = HAIGHA_STATE_RECOVERING,
};

// What became of a publish: the same numbers as HAIGHA_OUTCOME_*.
enum class Outcome : std::int32_t {
    none = 0,  // it was published without confirms
    confirmed = HAIGHA_OUTCOME_CONFIRMED,
    nacked = HAIGHA_OUTCOME_NACKED,
    returned = HAIGHA_OUTCOME_RETURNED,
    not_sent = HAIGHA_OUTCOME_NOT_SENT,
    unknown = HAIGHA_OUTCOME_UNKNOWN,
    refused = HAIGHA_OUTCOME_REFUSED,
};

namespace detail {
class EventView {
  public:
    explicit EventView(const haigha_event& raw) noexcept : raw_(&raw) {}
    const haigha_event& raw() const noexcept { return *raw_; }
    // Why, where there is something to say.
    Error error() const noexcept { return Error::copy_of(raw_->error); }

  private:
    const haigha_event* raw_;
};
}  // namespace detail

// A message for a consumer.
class Delivery : public detail::EventView {
  public:
    using EventView::EventView;
    std::uint64_t tag() const noexcept { return raw().number; }
    bool redelivered() const noexcept { return (raw().flags & HAIGHA_FLAG_REDELIVERED) != 0; }
    std::string_view consumer_tag() const noexcept { return view(raw().consumer_tag); }
    std::string_view exchange() const noexcept { return view(raw().exchange); }
    std::string_view routing_key() const noexcept { return view(raw().routing_key); }
    Bytes body() const noexcept { return detail::bytes(raw().body); }
    std::string_view text() const noexcept { return view(raw().body); }
    Result<Properties> properties() const noexcept {
        return detail::read_properties(raw().message);
    }
    Fields headers() const noexcept { return detail::read_headers(raw().message); }
    // To keep it when the callable has returned; it is settled by Channel::ack and the like.
    Message message() const noexcept { return Message::share(raw().message); }

    // Errors: as haigha_ack.
    Result<void> ack() const noexcept { return settle(&haigha_ack, 0); }
    // With every earlier one of its channel that is open.
    Result<void> ack_so_far() const noexcept { return settle(&haigha_ack, HAIGHA_MULTIPLE); }
    Result<void> nack(bool requeue = true) const noexcept {
        return settle(&haigha_nack, requeue ? HAIGHA_REQUEUE : 0);
    }
    Result<void> reject(bool requeue = true) const noexcept {
        return settle(&haigha_reject, requeue ? HAIGHA_REQUEUE : 0);
    }

  private:
    template <class Settle>
    Result<void> settle(Settle function, std::uint32_t flags) const noexcept {
        return detail::checked([&](haigha_error** error) {
            return function(raw().channel, raw().number, flags, error);
        });
    }
};

// The last event of a consumer. error(): why, when its channel ended or the broker cancelled it.
class ConsumerEnded : public detail::EventView {
  public:
    using EventView::EventView;
    std::string_view consumer_tag() const noexcept { return view(raw().consumer_tag); }
};

// Of a connection, a channel, or a pool.
class StateChanged : public detail::EventView {
  public:
    using EventView::EventView;
    State now() const noexcept { return static_cast<State>(raw().state); }
    State before() const noexcept { return static_cast<State>(raw().previous_state); }
};

// What became of the publish with that number. error(): the broker's reason for a return.
class Published : public detail::EventView {
  public:
    using EventView::EventView;
    std::uint64_t number() const noexcept { return raw().number; }
    Outcome outcome() const noexcept { return static_cast<Outcome>(raw().outcome); }
};

// A message that no queue took. number(): its publish's, or 0. error(): the broker's reason.
class Returned : public detail::EventView {
  public:
    using EventView::EventView;
    std::uint64_t number() const noexcept { return raw().number; }
    std::string_view exchange() const noexcept { return view(raw().exchange); }
    std::string_view routing_key() const noexcept { return view(raw().routing_key); }
    Bytes body() const noexcept { return detail::bytes(raw().body); }
    std::string_view text() const noexcept { return view(raw().body); }
    Message message() const noexcept { return Message::share(raw().message); }
};

// Publishes that were refused with would_block may go.
class Writable : public detail::EventView {
  public:
    using EventView::EventView;
};

// connection.blocked, with the broker's reason, and connection.unblocked.
class Blocked : public detail::EventView {
  public:
    using EventView::EventView;
    std::string_view reason() const noexcept { return view(haigha_error_reply_text(raw().error)); }
};
class Unblocked : public detail::EventView {
  public:
    using EventView::EventView;
};

// channel.flow from the broker.
class FlowChanged : public detail::EventView {
  public:
    using EventView::EventView;
    bool active() const noexcept { return raw().state != 0; }
};

// A delivery that was not settled for long.
class DeliveryHeld : public detail::EventView {
  public:
    using EventView::EventView;
    std::uint64_t tag() const noexcept { return raw().number; }
    std::string_view consumer_tag() const noexcept { return view(raw().consumer_tag); }
    std::int32_t count() const noexcept { return raw().state; }
    std::chrono::milliseconds age() const noexcept {
        return std::chrono::milliseconds(raw().delay_ms);
    }
};

// What recovery does. The members of HAIGHA_RECOVERY_* in haigha.h say what each step gives.
class RecoveryStep : public detail::EventView {
  public:
    using EventView::EventView;
    std::int32_t step() const noexcept { return raw().state; }  // HAIGHA_RECOVERY_*
    std::uint64_t number() const noexcept { return raw().number; }
    std::string_view name() const noexcept { return view(raw().name); }
    std::chrono::milliseconds delay() const noexcept {
        return std::chrono::milliseconds(raw().delay_ms);
    }
};

// The broker chose another name for a queue that it had named.
class QueueRenamed : public detail::EventView {
  public:
    using EventView::EventView;
    std::string_view name() const noexcept { return view(raw().name); }
    std::string_view name_before() const noexcept { return view(raw().routing_key); }
};

// Credentials are wanted; one of the three answers is due, now or later: see
// haigha_connection_set_auth.
class AuthQuestion : public detail::EventView {
  public:
    using EventView::EventView;
    std::uint64_t number() const noexcept { return raw().number; }
    std::int32_t kind() const noexcept { return raw().state; }  // HAIGHA_AUTH_*
    std::string_view mechanism() const noexcept {
        return view(haigha_reply_mechanism(raw().reply));
    }
    std::string_view challenge() const noexcept {
        return view(haigha_reply_challenge(raw().reply));
    }

    Result<void> answer(std::string_view user, std::string_view password,
                        std::chrono::milliseconds lifetime = {}) const noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_connection_answer_credentials(raw().connection, number(), str(user),
                                                        str(password), lifetime.count(), error);
        });
    }
    Result<void> respond(Body response) const noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_connection_answer_response(raw().connection, number(), response.c(),
                                                     error);
        });
    }
    Result<void> refuse(std::string_view why) const noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_connection_refuse_auth(raw().connection, number(), str(why), error);
        });
    }
};

namespace detail {

template <class View, class F>
void give(F& callable, const haigha_event& event) {
    if constexpr (std::is_invocable_v<F&, const View&>) {
        callable(View(event));
    } else if constexpr (std::is_invocable_v<F&, const haigha_event&>) {
        callable(event);
    }
}

// Calls it with the view of the event that it takes, if it takes one.
template <class F>
void dispatch(F& callable, const haigha_event& event) {
    switch (event.type) {
        case HAIGHA_EVENT_DELIVERY:
            return give<Delivery>(callable, event);
        case HAIGHA_EVENT_CONSUMER_CANCELLED:
            return give<ConsumerEnded>(callable, event);
        case HAIGHA_EVENT_CONNECTION_STATE:
        case HAIGHA_EVENT_CHANNEL_STATE:
        case HAIGHA_EVENT_POOL_STATE:
            return give<StateChanged>(callable, event);
        case HAIGHA_EVENT_OUTCOME:
            return give<Published>(callable, event);
        case HAIGHA_EVENT_RETURN:
            return give<Returned>(callable, event);
        case HAIGHA_EVENT_WRITABLE:
            return give<Writable>(callable, event);
        case HAIGHA_EVENT_BLOCKED:
            return give<Blocked>(callable, event);
        case HAIGHA_EVENT_UNBLOCKED:
            return give<Unblocked>(callable, event);
        case HAIGHA_EVENT_FLOW:
            return give<FlowChanged>(callable, event);
        case HAIGHA_EVENT_DELIVERY_HELD:
            return give<DeliveryHeld>(callable, event);
        case HAIGHA_EVENT_RECOVERY:
            return give<RecoveryStep>(callable, event);
        case HAIGHA_EVENT_QUEUE_RENAMED:
            return give<QueueRenamed>(callable, event);
        case HAIGHA_EVENT_AUTH:
            return give<AuthQuestion>(callable, event);
        default:
            if constexpr (std::is_invocable_v<F&, const haigha_event&>) callable(event);
    }
}

template <class F, class... Views>
inline constexpr bool takes_any_of = (std::is_invocable_v<F&, const Views&> || ...);

}  // namespace detail

// A callable that some kind of event can be given to: one that takes none is a mistake.
template <class F>
concept EventCallable =
    detail::takes_any_of<std::decay_t<F>, haigha_event, Delivery, ConsumerEnded, StateChanged,
                         Published, Returned, Writable, Blocked, Unblocked, FlowChanged,
                         DeliveryHeld, RecoveryStep, QueueRenamed, AuthQuestion>;

}  // namespace v0_1
}  // namespace haigha
