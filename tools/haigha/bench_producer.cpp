#include "bench_producer.h"

#include "failure.h"

namespace tool {

BenchProducer::BenchProducer(BenchState& state, const Session& session, const std::string& exchange,
                             const std::string& routing_key)
    : state_(state) {
    const BenchOptions& options = state.options;
    if (options.confirm) flights_.resize(options.window);
    if (options.transaction > 0) flights_.resize(options.transaction);
    for (Flight& flight : flights_) {
        flight.next_free = free_;
        free_ = &flight;
    }
    transaction_.reserve(options.transaction);

    properties_.present = HAIGHA_PROPERTY_DELIVERY_MODE;
    properties_.delivery_mode = options.persistent ? 2 : 1;
    args_.exchange = to_str(exchange);
    args_.routing_key = to_str(routing_key);
    args_.properties = &properties_;

    haigha_channel_args channel_args = HAIGHA_CHANNEL_ARGS_INIT;
    channel_args.events.fn = on_event;
    channel_args.events.user_data = this;
    channel_args.confirm = options.confirm ? 1 : 0;
    channel_ = session.open_channel(&channel_args);
    if (options.transaction > 0) {
        ErrorSlot error;
        require(haigha_tx_select_wait(channel_.get(), session.timeout_ms(), nullptr, error), error);
    }
}

void BenchProducer::pump() {
    while (!held_back_ && !committing_ && state_.may_publish()) {
        Flight* const flight = free_;
        if (!flights_.empty() && flight == nullptr) break;

        const std::uint64_t sequence = state_.next_sequence();
        const std::uint64_t at_ns = now_ns();
        args_.user_data = flight;
        const haigha_status status =
            haigha_publish(channel_.get(), &args_, to_str(state_.messages.make(sequence, at_ns)),
                           nullptr, nullptr);
        if (status == HAIGHA_ERR_WOULD_BLOCK) {
            held_back_ = true;
            break;
        }
        if (status != HAIGHA_OK) {
            // Of a channel that has ended the event tells the cause.
            if (status != HAIGHA_ERR_CLOSED) state_.fail(haigha_status_name(status));
            break;
        }
        if (flight != nullptr) {
            free_ = flight->next_free;
            flight->sequence = sequence;
            flight->published_ns = at_ns;
        }
        state_.on_published(at_ns);
        if (state_.options.transaction > 0) transaction_.push_back(flight);
        if (commit_if_due()) break;
    }
    // The last one may be smaller than asked for.
    if (!committing_ && state_.production_ended()) commit_if_due();
}

bool BenchProducer::commit_if_due() {
    if (transaction_.empty()) return false;
    if (transaction_.size() < state_.options.transaction && !state_.production_ended()) {
        return false;
    }
    haigha_then then = {};
    then.fn = on_commit;
    then.user_data = this;
    ErrorSlot error;
    const haigha_status status = haigha_tx_commit(channel_.get(), &then, error);
    if (status != HAIGHA_OK) {
        state_.fail(describe(status, error.get()));
        return true;
    }
    committing_ = true;
    return true;
}

void BenchProducer::on_commit(const haigha_event* event, void* self) {
    auto& producer = *static_cast<BenchProducer*>(self);
    const std::int32_t outcome =
        event->error == nullptr ? HAIGHA_OUTCOME_CONFIRMED : HAIGHA_OUTCOME_UNKNOWN;
    const std::uint64_t at_ns = now_ns();
    for (Flight* const flight : producer.transaction_)
        producer.settle(flight, at_ns, outcome);
    producer.transaction_.clear();
    producer.committing_ = false;
    producer.pump();
}

void BenchProducer::on_event(const haigha_event* event, void* self) {
    auto& producer = *static_cast<BenchProducer*>(self);
    switch (event->type) {
        case HAIGHA_EVENT_OUTCOME:
            producer.settle(static_cast<Flight*>(event->user_data), now_ns(), event->outcome);
            producer.pump();
            break;
        case HAIGHA_EVENT_WRITABLE:
            producer.held_back_ = false;
            producer.pump();
            break;
        case HAIGHA_EVENT_CHANNEL_STATE:
            if (event->state == HAIGHA_STATE_CLOSED && event->error != nullptr) {
                producer.state_.fail(describe(haigha_error_status(event->error), event->error));
            }
            break;
        default:
            break;
    }
}

void BenchProducer::settle(Flight* flight, std::uint64_t at_ns, std::int32_t outcome) {
    state_.on_settled(flight->sequence, flight->published_ns, at_ns, outcome);
    flight->next_free = free_;
    free_ = flight;
}

void BenchProducer::close(std::int64_t timeout_ms) {
    haigha_channel_close_wait(channel_.get(), timeout_ms, nullptr);
}

}  // namespace tool
