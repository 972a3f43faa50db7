// Threads that publish on one connection, each on a channel of its own, to a loop that the library
// runs.
#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench_peer.h"
#include "bench_stamp.h"
#include "haigha/haigha.h"
#include "scale_meter.h"
#include "scale_report.h"

namespace bench {

namespace {

constexpr std::size_t body_size = 16;

class Producer {
  public:
    explicit Producer(haigha_connection* connection) {
        haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
        args.events.fn = &Producer::on_event;
        args.events.user_data = this;
        if (haigha_channel_open_wait(connection, &args, -1, &channel_, nullptr) != HAIGHA_OK) {
            give_up("a channel was not opened");
        }
    }
    ~Producer() { haigha_channel_unref(channel_); }
    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;

    void publish(std::uint64_t count) {
        std::string body(body_size, 'x');
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = {"bench", 5};
        for (std::uint64_t i = 0; i < count;) {
            bench_stamp(body.data(), body.size(), i + 1);
            const haigha_status status =
                haigha_publish(channel_, &args, {body.data(), body.size()}, nullptr, nullptr);
            if (status == HAIGHA_OK) {
                ++i;
            } else if (status == HAIGHA_ERR_WOULD_BLOCK) {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [this] { return writable_; });
                writable_ = false;
            } else {
                give_up("a publish was refused");
            }
        }
    }

  private:
    static void on_event(const haigha_event* event, void* user_data) {
        if (event->type != HAIGHA_EVENT_WRITABLE) return;
        auto* self = static_cast<Producer*>(user_data);
        {
            const std::lock_guard lock(self->mutex_);
            self->writable_ = true;
        }
        self->wake_.notify_one();
    }

    haigha_channel* channel_ = nullptr;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool writable_ = false;
};

struct Result {
    double cpu_us = 1e9;
    double rate = 0;
};

Result measure(std::size_t threads, std::uint64_t count) {
    LoopbackPeer peer;
    haigha_loop* loop = nullptr;
    haigha_options* options = nullptr;
    haigha_connection* connection = nullptr;
    const std::string uri = "amqp://127.0.0.1:" + std::to_string(peer.amqp_port());
    if (haigha_loop_start(&loop, nullptr) != HAIGHA_OK ||
        haigha_options_new(&options, nullptr) != HAIGHA_OK ||
        haigha_options_set_uri(options, {uri.data(), uri.size()}, nullptr) != HAIGHA_OK ||
        haigha_connection_new(loop, options, nullptr, &connection, nullptr) != HAIGHA_OK ||
        haigha_connection_open_wait(connection, -1, nullptr) != HAIGHA_OK) {
        give_up("no connection to the loopback peer");
    }
    haigha_options_free(options);
    Result result;
    {
        std::vector<std::unique_ptr<Producer>> producers;
        for (std::size_t i = 0; i < threads; ++i)
            producers.push_back(std::make_unique<Producer>(connection));
        const double cpu = cpu_time();
        const double wall = wall_seconds();
        std::vector<std::thread> running;
        for (const auto& producer : producers) {
            running.emplace_back([&producer, each = count / threads] { producer->publish(each); });
        }
        for (std::thread& thread : running)
            thread.join();
        if (haigha_connection_flush_wait(connection, 60'000, nullptr) != HAIGHA_OK) {
            give_up("not everything was written");
        }
        result.cpu_us = (cpu_time() - cpu) / static_cast<double>(count) * 1e6;
        result.rate = static_cast<double>(count) / (wall_seconds() - wall);
        // Their events end before they do.
        haigha_connection_close_wait(connection, -1, nullptr);
    }
    haigha_connection_unref(connection);
    haigha_loop_unref(loop);
    const PeerCounts counts = peer.counts();
    if (counts.published != count || counts.wrong != 0) give_up("the peer counted otherwise");
    return result;
}

}  // namespace

void run_producers(const ScaleSettings& settings) {
    constexpr std::size_t threads = 4;
    const std::uint64_t count = settings.quick ? 400'000 : 4'000'000;
    Result one;
    Result all;
    for (int i = 0; i < std::max(settings.repetitions, 3); ++i) {
        for (const std::size_t many : {std::size_t{1}, threads}) {
            const Result result = measure(many, count);
            Result& best = many == 1 ? one : all;
            best.cpu_us = std::min(best.cpu_us, result.cpu_us);
            best.rate = std::max(best.rate, result.rate);
        }
    }
    settings.report->add({"scale", "publish 16 B, 4 threads on a connection, rate of all", all.rate,
                          "/s", ">= 1 x one thread", all.rate / one.rate});
    settings.report->add({"scale", "publish 16 B, 4 threads on a connection", all.cpu_us, "us CPU",
                          "<= 1.2 x one thread", all.cpu_us / one.cpu_us});
}

}  // namespace bench
