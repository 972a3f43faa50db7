// The event record and how it reaches the user's function.
#include <cstddef>

#include "boundary.h"
#include "handles.h"

namespace haigha::capi {

// client::Event is handed to callbacks as it is.
#define SAME_PLACE(ours, theirs) \
    static_assert(offsetof(client::Event, ours) == offsetof(haigha_event, theirs))
static_assert(sizeof(client::Event) == sizeof(haigha_event));
static_assert(sizeof(client::Str) == sizeof(haigha_str));
static_assert(offsetof(client::Str, size) == offsetof(haigha_str, size));
SAME_PLACE(type, type);
SAME_PLACE(flags, flags);
SAME_PLACE(tag, tag);
SAME_PLACE(number, number);
SAME_PLACE(user_data, user_data);
SAME_PLACE(error, error);
SAME_PLACE(reply, reply);
SAME_PLACE(message, message);
SAME_PLACE(connection, connection);
SAME_PLACE(channel, channel);
SAME_PLACE(exchange, exchange);
SAME_PLACE(routing_key, routing_key);
SAME_PLACE(consumer_tag, consumer_tag);
SAME_PLACE(body, body);
SAME_PLACE(channel_id, channel_id);
SAME_PLACE(outcome, outcome);
SAME_PLACE(state, state);
SAME_PLACE(previous_state, previous_state);
SAME_PLACE(delay_ms, delay_ms);
SAME_PLACE(name, name);
#undef SAME_PLACE

#define SAME_NUMBER(ours, theirs) static_assert(static_cast<int>(ours) == (theirs))
SAME_NUMBER(client::EventType::reply, HAIGHA_EVENT_REPLY);
SAME_NUMBER(client::EventType::delivery, HAIGHA_EVENT_DELIVERY);
SAME_NUMBER(client::EventType::outcome, HAIGHA_EVENT_OUTCOME);
SAME_NUMBER(client::EventType::returned, HAIGHA_EVENT_RETURN);
SAME_NUMBER(client::EventType::connection_state, HAIGHA_EVENT_CONNECTION_STATE);
SAME_NUMBER(client::EventType::channel_state, HAIGHA_EVENT_CHANNEL_STATE);
SAME_NUMBER(client::EventType::consumer_cancelled, HAIGHA_EVENT_CONSUMER_CANCELLED);
SAME_NUMBER(client::EventType::writable, HAIGHA_EVENT_WRITABLE);
SAME_NUMBER(client::EventType::blocked, HAIGHA_EVENT_BLOCKED);
SAME_NUMBER(client::EventType::unblocked, HAIGHA_EVENT_UNBLOCKED);
SAME_NUMBER(client::EventType::flow, HAIGHA_EVENT_FLOW);
SAME_NUMBER(client::EventType::auth, HAIGHA_EVENT_AUTH);
SAME_NUMBER(client::EventType::recovery, HAIGHA_EVENT_RECOVERY);
SAME_NUMBER(client::EventType::queue_renamed, HAIGHA_EVENT_QUEUE_RENAMED);
SAME_NUMBER(client::RecoveryStep::attempt, HAIGHA_RECOVERY_ATTEMPT);
SAME_NUMBER(client::RecoveryStep::transport_up, HAIGHA_RECOVERY_TRANSPORT_UP);
SAME_NUMBER(client::RecoveryStep::recovered, HAIGHA_RECOVERY_RECOVERED);
SAME_NUMBER(client::RecoveryStep::failed, HAIGHA_RECOVERY_FAILED);
SAME_NUMBER(client::RecoveryStep::entity, HAIGHA_RECOVERY_ENTITY);
SAME_NUMBER(client::ChannelPolicy::report, HAIGHA_CHANNEL_REPORT);
SAME_NUMBER(client::ChannelPolicy::reopen, HAIGHA_CHANNEL_REOPEN);
SAME_NUMBER(client::ChannelPolicy::resubscribe, HAIGHA_CHANNEL_RESUBSCRIBE);
SAME_NUMBER(client::PublishPolicy::fail, HAIGHA_PUBLISH_FAIL);
SAME_NUMBER(client::PublishPolicy::keep_unsent, HAIGHA_PUBLISH_KEEP_UNSENT);
SAME_NUMBER(client::PublishPolicy::resend, HAIGHA_PUBLISH_RESEND);
SAME_NUMBER(client::AuthQuestion::credentials, HAIGHA_AUTH_CREDENTIALS);
SAME_NUMBER(client::AuthQuestion::response, HAIGHA_AUTH_RESPONSE);
SAME_NUMBER(client::AuthQuestion::renewal, HAIGHA_AUTH_RENEWAL);
SAME_NUMBER(client::flag_redelivered, HAIGHA_FLAG_REDELIVERED);
SAME_NUMBER(client::flag_properties, HAIGHA_FLAG_PROPERTIES);
SAME_NUMBER(client::State::fresh, HAIGHA_STATE_NEW);
SAME_NUMBER(client::State::opening, HAIGHA_STATE_OPENING);
SAME_NUMBER(client::State::open, HAIGHA_STATE_OPEN);
SAME_NUMBER(client::State::closing, HAIGHA_STATE_CLOSING);
SAME_NUMBER(client::State::closed, HAIGHA_STATE_CLOSED);
SAME_NUMBER(client::State::recovering, HAIGHA_STATE_RECOVERING);
SAME_NUMBER(protocol::Outcome::confirmed, HAIGHA_OUTCOME_CONFIRMED);
SAME_NUMBER(protocol::Outcome::nacked, HAIGHA_OUTCOME_NACKED);
SAME_NUMBER(protocol::Outcome::returned, HAIGHA_OUTCOME_RETURNED);
SAME_NUMBER(protocol::Outcome::not_sent, HAIGHA_OUTCOME_NOT_SENT);
SAME_NUMBER(protocol::Outcome::unknown, HAIGHA_OUTCOME_UNKNOWN);
#undef SAME_NUMBER

namespace {
void invoke(client::Then::AnyFunction fn, const client::Event& event, void* user_data) {
    reinterpret_cast<haigha_event_fn>(fn)(reinterpret_cast<const haigha_event*>(&event), user_data);
}
}  // namespace

client::Then then_from(const haigha_then* then) {
    if (then == nullptr) return {};
    return client::Then(&invoke, reinterpret_cast<client::Then::AnyFunction>(then->fn),
                        then->user_data, then->release, Ref<client::Inbox>(core(then->inbox)),
                        then->tag);
}

}  // namespace haigha::capi
