#include "bench_client.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "bench_calls.h"
#include "bench_peer.h"
#include "bench_stamp.h"

namespace bench {

namespace {

// What is published before the attached loop has its turn, as in a program of that kind.
constexpr std::uint64_t messages_per_turn = 4096;
constexpr std::uint64_t bytes_per_turn = 512 * 1024;
// One report for many settled publishes: their producer waits for a part of its window, not for
// each of them.
constexpr std::uint64_t settled_per_report = window / 4;
// Fetched from an inbox by one call.
constexpr std::size_t events_per_fetch = 256;

}  // namespace

Client::Client(std::uint16_t port, const ClientOptions& options) : options_(options) {
    haigha_error* error = nullptr;
    if (options_.attached) {
        uv_loop_init(&uv_);
        check(haigha_loop_attach(&uv_, &loop_, &error), error, "attach");
    } else {
        check(haigha_loop_start(&loop_, &error), error, "start");
    }
    haigha_options* values = nullptr;
    check(haigha_options_new(&values, &error), error, "options");
    std::string uri = options_.uri;
    if (uri.empty()) {
        uri = (options_.tls ? "amqps://127.0.0.1:" : "amqp://127.0.0.1:") + std::to_string(port) +
              "/%2F?verify=" + (options_.tls ? "verify_none" : "verify_peer");
    }
    check(haigha_options_set_uri(values, str(uri), &error), error, "uri");
    if (options_.outbox_high_water > 0) {
        const std::string name = "outbox_high_water_bytes";
        check(haigha_options_set_int(values, str(name), options_.outbox_high_water, &error), error,
              "outbox_high_water_bytes");
    }
    check(haigha_connection_new(loop_, values, nullptr, &connection_, &error), error, "new");
    haigha_options_free(values);
    haigha_then opened = done();
    check(haigha_connection_open(connection_, &opened, &error), error, "open");
    wait_done();
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.confirm = options_.confirm ? 1 : 0;
    args.events.fn = &Client::on_channel;
    args.events.user_data = this;
    opened = done();
    check(haigha_channel_open(connection_, &args, &opened, &channel_, &error), error, "channel");
    wait_done();
}

Client::~Client() {
    haigha_error* error = nullptr;
    const haigha_then closed = done();
    check(haigha_connection_close(connection_, &closed, &error), error, "close");
    wait_done();
    haigha_publisher_unref(publisher_);
    haigha_inbox_unref(inbox_);
    haigha_channel_unref(channel_);
    haigha_connection_unref(connection_);
    haigha_loop_unref(loop_);
    if (options_.attached) {
        uv_run(&uv_, UV_RUN_DEFAULT);
        uv_loop_close(&uv_);
    }
}

std::int64_t Client::info(const char* name) const {
    std::int64_t value = 0;
    haigha_connection_info(connection_, {name, std::strlen(name)}, &value, nullptr);
    return value;
}

void Client::measure(Meter meter, std::uint64_t first, std::uint64_t last) {
    meter_ = meter;
    next_reading_ = first;
    last_at_ = last;
}

void Client::take_reading(std::uint64_t number) {
    if (number < last_at_) {
        first_reading_ = meter_();
        next_reading_ = last_at_;
    } else {
        last_reading_ = meter_();
        next_reading_ = std::numeric_limits<std::uint64_t>::max();
    }
}

// ---- publishing

void Client::prepare(const haigha_publish_args& args) {
    haigha_publisher_unref(publisher_);
    haigha_error* error = nullptr;
    check(haigha_publisher_new(channel_, &args, &publisher_, &error), error, "publisher");
}

void Client::publish(std::uint64_t count, std::size_t size) {
    std::string body(size, BENCH_STAMP_FILLER);
    const std::string key = options_.queue.empty() ? "bench" : options_.queue;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(key);
    const std::uint64_t end = published_ + count;
    last_publish_ = end;
    if (options_.prepared) prepare(args);
    const std::uint64_t per_turn =
        std::clamp<std::uint64_t>(bytes_per_turn / size, 1, messages_per_turn);
    while (published_ < end) {
        std::uint64_t batch = std::min(end - published_, per_turn);
        if (options_.confirm) {
            std::uint64_t room = 0;
            wait_until([&] {
                room = window - (published_ - settled_);
                return room > 0;
            });
            batch = std::min(batch, room);
        }
        bool refused = false;
        for (; batch > 0 && !refused; --batch) {
            haigha_status status = HAIGHA_OK;
            if (options_.lent) {
                status = publish_lent(published_ + 1, size);
            } else {
                bench_stamp(body.data(), size, published_ + 1);
                status =
                    publisher_ != nullptr
                        ? haigha_publisher_publish(publisher_, str(body), nullptr, nullptr, nullptr)
                        : haigha_publish(channel_, &args, str(body), nullptr, nullptr);
            }
            if (status == HAIGHA_ERR_WOULD_BLOCK) {
                refused = true;
            } else if (status != HAIGHA_OK) {
                give_up(std::string("a publish was refused: ") + haigha_status_name(status));
            } else {
                ++published_;
                if (!options_.confirm) passed(published_);
            }
        }
        if (refused) {
            wait_until([&] { return std::exchange(writable_, false); });
        } else if (options_.attached) {
            uv_run(&uv_, UV_RUN_NOWAIT);
        }
    }
    if (options_.confirm) {
        wait_until([&] { return settled_ == end; });
    } else {
        round_trip();
    }
}

Client::Body* Client::spare_body(std::size_t size) {
    {
        const std::lock_guard lock(spare_mutex_);
        if (!spare_bodies_.empty()) {
            Body* const body = spare_bodies_.back();
            spare_bodies_.pop_back();
            return body;
        }
    }
    bodies_.push_back(std::make_unique<Body>(this, std::string(size, BENCH_STAMP_FILLER)));
    return bodies_.back().get();
}

void Client::give_back(void* body) {
    auto* const back = static_cast<Body*>(body);
    const std::lock_guard lock(back->client->spare_mutex_);
    back->client->spare_bodies_.push_back(back);
}

haigha_status Client::publish_lent(std::uint64_t number, std::size_t size) {
    Body* const body = spare_body(size);
    bench_stamp(body->octets.data(), size, number);
    const haigha_status status = haigha_publisher_publish_lent(
        publisher_, str(body->octets), &Client::give_back, body, nullptr, nullptr, nullptr);
    if (status != HAIGHA_OK) give_back(body);
    return status;
}

// What was called before it is then written, and read by the other end.
void Client::round_trip() {
    haigha_error* error = nullptr;
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = prefetch;
    const haigha_then answered = done();
    check(haigha_qos(channel_, &qos, &answered, &error), error, "qos");
    wait_done();
}

void Client::on_channel(const haigha_event* event, void* user_data) {
    auto* self = static_cast<Client*>(user_data);
    if (event->type == HAIGHA_EVENT_OUTCOME) {
        if (event->outcome != HAIGHA_OUTCOME_CONFIRMED) give_up("a publish was not confirmed");
        self->passed(event->number);
        if (++self->unreported_ >= settled_per_report || event->number == self->last_publish_) {
            self->change([&] { self->settled_ += std::exchange(self->unreported_, 0); });
        }
    } else if (event->type == HAIGHA_EVENT_WRITABLE) {
        self->change([&] { self->writable_ = true; });
    }
}

// ---- consuming

void Client::consume(std::uint64_t count, std::size_t size, bool ack) {
    ack_ = ack;
    size_ = size;
    expected_ = count;
    haigha_error* error = nullptr;
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = prefetch;
    check(haigha_qos(channel_, &qos, nullptr, &error), error, "qos");
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    const std::string queue = !options_.queue.empty()
                                  ? options_.queue
                                  : "consume:" + std::to_string(size) + ":" + std::to_string(count);
    args.queue = str(queue);
    args.no_ack = ack ? 0 : 1;
    args.deliveries.user_data = this;
    if (options_.inbox) {
        check(haigha_inbox_new(0, &inbox_, &error), error, "inbox");
        args.deliveries.inbox = inbox_;
    } else {
        args.deliveries.fn = &Client::on_delivery;
    }
    check(haigha_consume(channel_, &args, nullptr, &error), error, "consume");
    if (options_.inbox) fetch_deliveries();
    wait_until([&] { return all_received_; });
    if (ack) round_trip();
    if (wrong_ > 0) give_up(std::to_string(wrong_) + " deliveries are not what was sent");
}

void Client::fetch_deliveries() {
    std::vector<haigha_event> events(events_per_fetch);
    while (received_ < expected_) {
        haigha_error* error = nullptr;
        std::size_t count = 0;
        check(haigha_inbox_poll(inbox_, events.data(), sizeof(haigha_event), events.size(), -1,
                                &count, &error),
              error, "poll");
        for (std::size_t i = 0; i < count; ++i)
            on_delivery(&events[i], events[i].user_data);
    }
}

void Client::on_delivery(const haigha_event* event, void* user_data) {
    auto* self = static_cast<Client*>(user_data);
    if (event->type != HAIGHA_EVENT_DELIVERY) return;
    const std::uint64_t number = ++self->received_;
    if (event->number != number || event->body.size != self->size_ ||
        bench_stamped(event->body.data, event->body.size, number) == 0) {
        ++self->wrong_;
    }
    if (self->ack_ && haigha_ack(event->channel, event->number, 0, nullptr) != HAIGHA_OK) {
        give_up("an ack was refused");
    }
    self->passed(number);
    if (number == self->expected_) self->change([&] { self->all_received_ = true; });
}

// ---- waiting

template <class Condition>
void Client::wait_until(Condition condition) {
    if (options_.attached) {
        while (!condition())
            uv_run(&uv_, UV_RUN_ONCE);
        return;
    }
    std::unique_lock lock(mutex_);
    wake_.wait(lock, condition);
}

template <class Change>
void Client::change(Change what) {
    if (options_.attached) {
        what();
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        what();
    }
    wake_.notify_one();
}

haigha_then Client::done() {
    return {&Client::on_done, this, nullptr, nullptr, 0};
}

void Client::on_done(const haigha_event* event, void* user_data) {
    if (event->error != nullptr) give_up(haigha_error_message(event->error));
    auto* self = static_cast<Client*>(user_data);
    self->change([&] { self->done_ = true; });
}

void Client::wait_done() {
    wait_until([&] { return std::exchange(done_, false); });
}

}  // namespace bench
