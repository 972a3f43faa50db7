#include "bench_consumer.h"

#include "failure.h"

namespace tool {

BenchConsumer::BenchConsumer(BenchState& state, const Session& session, const std::string& queue)
    : state_(state), ack_(state.options.ack), channel_(session.open_channel()) {
    ErrorSlot error;
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = state.options.prefetch;
    require(haigha_qos_wait(channel_.get(), &qos, session.timeout_ms(), nullptr, error), error);

    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = to_str(queue);
    args.no_ack = ack_ ? 0 : 1;
    args.deliveries.fn = on_event;
    args.deliveries.user_data = this;
    require(haigha_consume_wait(channel_.get(), &args, session.timeout_ms(), nullptr, error),
            error);
}

void BenchConsumer::on_event(const haigha_event* event, void* self) {
    auto& consumer = *static_cast<BenchConsumer*>(self);
    if (event->type == HAIGHA_EVENT_DELIVERY) {
        if (consumer.ack_) haigha_ack(event->channel, event->number, 0, nullptr);
        consumer.state_.on_delivery(to_view(event->body), now_ns());
    } else if (event->type == HAIGHA_EVENT_CONSUMER_CANCELLED) {
        consumer.state_.fail(event->error == nullptr
                                 ? "the broker cancelled the consumer"
                                 : describe(haigha_error_status(event->error), event->error));
    }
}

void BenchConsumer::close(std::int64_t timeout_ms) {
    haigha_channel_close_wait(channel_.get(), timeout_ms, nullptr);
}

}  // namespace tool
