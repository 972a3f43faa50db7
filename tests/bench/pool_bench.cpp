// What a pool of channels brings, on a broker: transactions on one channel, on several, and of
// several messages, beside publisher confirms. `tools/dev bench --pool`; the broker is HAIGHA_URI.
#include <haigha/haigha.h>
#include <haigha/pool.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bench_peer.h"
#include "support/api_handles.h"

namespace {

using bench::give_up;
using haigha::test::ChannelHandle;
using haigha::test::ConnectionHandle;
using haigha::test::Err;
using haigha::test::LoopHandle;
using haigha::test::OptionsHandle;
using haigha::test::out;
using haigha::test::PoolHandle;
using haigha::test::ReplyHandle;
using haigha::test::str;

using Clock = std::chrono::steady_clock;

constexpr std::size_t body_size = 1024;
constexpr int repetitions = 3;
constexpr std::string_view queue = "haigha-pool-bench";

struct Way {
    const char* name;
    std::uint8_t mode;
    std::uint32_t channels;
    std::uint64_t in_flight;
    int messages;
};

constexpr std::array<Way, 7> ways = {{
    {"tx, 1 channel, a message each", HAIGHA_POOL_TX, 1, 1, 2000},
    {"tx, 4 channels, a message each", HAIGHA_POOL_TX, 4, 1, 4000},
    {"tx, 16 channels, a message each", HAIGHA_POOL_TX, 16, 1, 8000},
    {"tx, 1 channel, what waits (up to 1024)", HAIGHA_POOL_TX, 1, 1024, 50'000},
    {"tx, 4 channels, what waits", HAIGHA_POOL_TX, 4, 1024, 50'000},
    {"confirms, 1 channel", HAIGHA_POOL_CONFIRM, 1, 1024, 100'000},
    {"confirms, 4 channels", HAIGHA_POOL_CONFIRM, 4, 1024, 100'000},
}};

void check(haigha_status status, const Err& error, const char* what) {
    if (status != HAIGHA_OK) give_up(std::string(what) + ": " + error.message());
}

class Bench {
  public:
    explicit Bench(const std::string& uri) {
        check(haigha_loop_start(out(loop_), error_), error_, "the loop");
        OptionsHandle options;
        check(haigha_options_new(out(options), error_), error_, "options");
        check(haigha_options_set_uri(options.get(), str(uri), error_), error_, "HAIGHA_URI");
        check(haigha_connection_new(loop_.get(), options.get(), nullptr, out(connection_), error_),
              error_, "a connection");
        check(haigha_connection_open_wait(connection_.get(), -1, error_), error_, "connecting");
        check(haigha_channel_open_wait(connection_.get(), nullptr, -1, out(channel_), error_),
              error_, "a channel");
        haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        declare.queue = str(queue);
        declare.exclusive = 1;
        check(haigha_queue_declare_wait(channel_.get(), &declare, -1, nullptr, error_), error_,
              "queue.declare");
    }

    // Messages that are safe, a second.
    double rate(const Way& way) {
        haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
        args.mode = way.mode;
        args.max_channels = way.channels;
        args.max_in_flight = way.in_flight;
        args.max_messages = static_cast<std::uint64_t>(way.messages);
        args.max_bytes = args.max_messages * body_size;
        PoolHandle pool;
        check(haigha_pool_new(connection_.get(), &args, out(pool), error_), error_, "a pool");
        const std::string body(body_size, 'x');
        haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
        message.routing_key = str(queue);
        // Its channels are opened by what comes first.
        publish(pool.get(), message, body, static_cast<int>(way.channels) * 4);
        const auto begun = Clock::now();
        publish(pool.get(), message, body, way.messages - static_cast<int>(way.channels) * 4);
        const std::chrono::duration<double> time = Clock::now() - begun;
        std::int64_t confirmed = 0;
        check(haigha_pool_info(pool.get(), str("confirmed"), &confirmed, error_), error_, "info");
        if (confirmed != way.messages) give_up("not every message is confirmed");
        check(haigha_pool_close_wait(pool.get(), -1, error_), error_, "closing");
        check(haigha_queue_purge_wait(channel_.get(), str(queue), -1, nullptr, error_), error_,
              "queue.purge");
        return (way.messages - static_cast<int>(way.channels) * 4) / time.count();
    }

  private:
    void publish(haigha_pool* pool, const haigha_publish_args& message, const std::string& body,
                 int count) {
        for (int i = 0; i < count; ++i) {
            check(haigha_pool_publish(pool, &message, str(body), nullptr, error_), error_,
                  "publishing");
        }
        check(haigha_pool_drain_wait(pool, 600'000, error_), error_, "draining");
    }

    Err error_;
    LoopHandle loop_;
    ConnectionHandle connection_;
    ChannelHandle channel_;
};

}  // namespace

int main() {
    const char* const uri = std::getenv("HAIGHA_URI");
    if (uri == nullptr || *uri == '\0') give_up("HAIGHA_URI is not set");
    Bench bench(uri);
    // The ways take turns, so that what else the machine does meets all of them.
    std::array<std::vector<double>, ways.size()> rates;
    for (int i = 0; i < repetitions; ++i) {
        for (std::size_t way = 0; way < ways.size(); ++way)
            rates[way].push_back(bench.rate(ways[way]));
    }
    std::printf("%zu-byte messages to one queue, transient, median of %d\n", body_size,
                repetitions);
    std::printf("%-42s %12s %8s\n", "", "safe, msg/s", "ratio");
    double first = 0;
    for (std::size_t way = 0; way < ways.size(); ++way) {
        std::sort(rates[way].begin(), rates[way].end());
        const double median = rates[way][repetitions / 2];
        if (way == 0) first = median;
        std::printf("%-42s %12.0f %8.1f\n", ways[way].name, median, median / first);
    }
    return 0;
}
