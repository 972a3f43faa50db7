#include "scale_link.h"

#include <cstring>

#include "bench_calls.h"
#include "bench_peer.h"
#include "bench_stamp.h"

namespace bench {

// ---- the loop

ScaleLoop::ScaleLoop() {
    uv_loop_init(&uv_);
    haigha_error* error = nullptr;
    check(haigha_loop_attach(&uv_, &loop_, &error), error, "attach");
}

ScaleLoop::~ScaleLoop() {
    haigha_loop_unref(loop_);
    uv_run(&uv_, UV_RUN_DEFAULT);
    uv_loop_close(&uv_);
}

haigha_then ScaleLoop::then() {
    ++pending_;
    return {&ScaleLoop::on_done, this, nullptr, nullptr, 0};
}

void ScaleLoop::on_done(const haigha_event* event, void* user_data) {
    if (event->error != nullptr) give_up(haigha_error_message(event->error));
    --static_cast<ScaleLoop*>(user_data)->pending_;
}

// ---- the link

ScaleLink::~ScaleLink() {
    for (const Channel& channel : channels_) {
        haigha_publisher_unref(channel.publisher);
        haigha_channel_unref(channel.handle);
    }
    haigha_connection_unref(connection_);
}

haigha_options* ScaleLink::make_options(const LinkOptions& options) const {
    haigha_error* error = nullptr;
    haigha_options* values = nullptr;
    check(haigha_options_new(&values, &error), error, "options");
    std::string uri =
        std::string(options.tls ? "amqps" : "amqp") + "://127.0.0.1:" + std::to_string(port_) +
        "/%2F?connection_timeout=60000&verify=" + (options.tls ? "verify_none" : "verify_peer");
    if (options.max_message_size > 0) {
        uri += "&max_message_size=" + std::to_string(options.max_message_size);
    }
    if (options.outbox_high_water > 0) {
        uri += "&outbox_high_water_bytes=" + std::to_string(options.outbox_high_water);
    }
    check(haigha_options_set_uri(values, str(uri), &error), error, "uri");
    return values;
}

void ScaleLink::open(const LinkOptions& options) {
    haigha_error* error = nullptr;
    haigha_options* const values = make_options(options);
    check(haigha_connection_new(loop_.handle(), values, nullptr, &connection_, &error), error,
          "new");
    haigha_options_free(values);
    const haigha_then opened = loop_.then();
    check(haigha_connection_open(connection_, &opened, &error), error, "open");
}

void ScaleLink::open_fd(int fd) {
    haigha_error* error = nullptr;
    haigha_options* const values = make_options({});
    check(haigha_connection_new(loop_.handle(), values, nullptr, &connection_, &error), error,
          "new");
    haigha_options_free(values);
    const haigha_then opened = loop_.then();
    check(haigha_connection_open_fd(connection_, fd, &opened, &error), error, "open");
}

void ScaleLink::open_channel(bool confirm) {
    haigha_error* error = nullptr;
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.confirm = confirm ? 1 : 0;
    args.events.fn = &ScaleLink::on_channel;
    args.events.user_data = this;
    const haigha_then opened = loop_.then();
    haigha_channel* handle = nullptr;
    check(haigha_channel_open(connection_, &args, &opened, &handle, &error), error, "channel");
    channels_.emplace_back().handle = handle;
}

void ScaleLink::flush() {
    haigha_error* error = nullptr;
    const haigha_then flushed = loop_.then();
    check(haigha_connection_flush(connection_, &flushed, &error), error, "flush");
}

void ScaleLink::close() {
    haigha_error* error = nullptr;
    const haigha_then closed = loop_.then();
    check(haigha_connection_close(connection_, &closed, &error), error, "close");
}

void ScaleLink::declare(std::size_t channel, std::string_view queue) {
    haigha_error* error = nullptr;
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str(queue);
    const haigha_then declared = loop_.then();
    check(haigha_queue_declare(channels_[channel].handle, &args, &declared, &error), error,
          "declare");
}

std::int64_t ScaleLink::info(const char* name) const {
    std::int64_t value = 0;
    haigha_connection_info(connection_, str(name), &value, nullptr);
    return value;
}

// ---- publishing

bool ScaleLink::publish(std::size_t channel, std::string& body) {
    Channel& on = channels_[channel];
    bench_stamp(body.data(), body.size(), on.published + 1);
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("bench");
    const haigha_status status =
        on.publisher != nullptr
            ? haigha_publisher_publish(on.publisher, str(body), nullptr, nullptr, nullptr)
            : haigha_publish(on.handle, &args, str(body), nullptr, nullptr);
    if (status == HAIGHA_ERR_WOULD_BLOCK) return false;
    check(status, nullptr, "a publish");
    ++on.published;
    ++published_;
    return true;
}

void ScaleLink::publish_surely(std::size_t channel, std::string& body) {
    loop_.until([&] { return publish(channel, body); });
}

void ScaleLink::publish_lent(std::size_t channel, std::string& body) {
    Channel& on = channels_[channel];
    bench_stamp(body.data(), body.size(), on.published + 1);
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("bench");
    bool back = false;
    const auto release = [](void* given) { *static_cast<bool*>(given) = true; };
    check(haigha_publish_lent(on.handle, &args, str(body), release, &back, nullptr, nullptr),
          nullptr, "a publish");
    ++on.published;
    ++published_;
    // It is given back once it is written, which by itself need not end the loop's waiting.
    flush();
    loop_.settle();
    while (!back)
        loop_.turn();
}

void ScaleLink::prepare(std::size_t channel) {
    haigha_error* error = nullptr;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("bench");
    Channel& on = channels_[channel];
    check(haigha_publisher_new(on.handle, &args, &on.publisher, &error), error, "publisher");
}

void ScaleLink::ack(std::size_t channel, std::uint64_t delivery_tag) {
    check(haigha_ack(channels_[channel].handle, delivery_tag, 0, nullptr), nullptr, "an ack");
}

void ScaleLink::on_channel(const haigha_event* event, void* user_data) {
    if (event->type != HAIGHA_EVENT_OUTCOME) return;
    if (event->outcome != HAIGHA_OUTCOME_CONFIRMED) give_up("a publish was not confirmed");
    ++static_cast<ScaleLink*>(user_data)->settled_;
}

// ---- consuming

void ScaleLink::consume(std::size_t size, std::uint64_t count_each, bool ack,
                        std::uint16_t prefetch) {
    expected_size_ = size;
    ack_ = ack;
    haigha_error* error = nullptr;
    const std::string queue = "consume:" + std::to_string(size) + ":" + std::to_string(count_each);
    // A consumer of the channel's own each time: they do not end.
    const std::string tag = "scale-" + std::to_string(received_);
    for (const Channel& channel : channels_) {
        haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
        qos.prefetch_count = prefetch;
        check(haigha_qos(channel.handle, &qos, nullptr, &error), error, "qos");
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue);
        args.consumer_tag = str(tag);
        args.no_ack = ack ? 0 : 1;
        args.deliveries.fn = &ScaleLink::on_delivery;
        args.deliveries.user_data = this;
        const haigha_then consuming = loop_.then();
        check(haigha_consume(channel.handle, &args, &consuming, &error), error, "consume");
    }
}

void ScaleLink::consume_echo(bool no_ack) {
    haigha_error* error = nullptr;
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str("echo");
    args.no_ack = no_ack ? 1 : 0;
    args.deliveries.fn = &ScaleLink::on_delivery;
    args.deliveries.user_data = this;
    const haigha_then consuming = loop_.then();
    check(haigha_consume(channels_.front().handle, &args, &consuming, &error), error, "consume");
}

void ScaleLink::on_delivery(const haigha_event* event, void* user_data) {
    if (event->type != HAIGHA_EVENT_DELIVERY) return;
    auto* self = static_cast<ScaleLink*>(user_data);
    // Channels are numbered in the order in which they are opened.
    Channel& on = self->channels_[event->channel_id - 1];
    if (event->number != ++on.received ||
        (self->expected_size_ != 0 && event->body.size != self->expected_size_) ||
        bench_stamped(event->body.data, event->body.size, event->number) == 0) {
        give_up("a delivery is not what was sent");
    }
    if (self->ack_) {
        check(haigha_ack(event->channel, event->number, 0, nullptr), nullptr, "an ack");
    }
    ++self->received_;
}

}  // namespace bench
