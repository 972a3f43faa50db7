// How long recovery takes: a topology brought back beside the same declared the first time, the
// same by another client whose command is in HAIGHA_BENCH_RECOVERY_PEER, and another host after a
// reset. Against the broker HAIGHA_URI, which `tools/dev bench --recovery` makes, with its name in
// HAIGHA_BENCH_BROKER and tools/broker in HAIGHA_BROKER_TOOL.
#include <haigha/haigha.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "support/api_handles.h"
#include "support/fault_proxy.h"

namespace {

using haigha::test::ChannelHandle;
using haigha::test::ConnectionHandle;
using haigha::test::Err;
using haigha::test::FaultProxy;
using haigha::test::LoopHandle;
using haigha::test::OptionsHandle;
using haigha::test::out;
using haigha::test::str;

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "recovery_bench: %s\n", why.c_str());
    std::exit(1);
}

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    if (value == nullptr || *value == '\0') fail(std::string(name) + " is not set");
    return value;
}

void broker(const std::string& words) {
    if (std::system((variable("HAIGHA_BROKER_TOOL") + " " + words + " >/dev/null").c_str()) != 0) {
        fail("tools/broker " + words + " has failed");
    }
}

// What a connection has told of its outages, and when.
struct Steps {
    std::mutex mutex;
    std::condition_variable changed;
    int recoveries = 0;
    Clock::time_point lost;
    Clock::time_point transport;
    Clock::time_point recovered;
    std::int64_t delay_ms = 0;

    static void hear(const haigha_event* event, void* user_data) {
        auto& steps = *static_cast<Steps*>(user_data);
        const std::lock_guard lock(steps.mutex);
        if (event->type == HAIGHA_EVENT_CONNECTION_STATE) {
            if (event->state == HAIGHA_STATE_RECOVERING) steps.lost = Clock::now();
            if (event->state == HAIGHA_STATE_CLOSED && event->error != nullptr)
                fail(haigha_error_message(event->error));
        }
        if (event->type != HAIGHA_EVENT_RECOVERY) return;
        if (event->state == HAIGHA_RECOVERY_ATTEMPT) steps.delay_ms = event->delay_ms;
        if (event->state == HAIGHA_RECOVERY_TRANSPORT_UP) {
            steps.transport = Clock::now();
        }
        if (event->state == HAIGHA_RECOVERY_RECOVERED) {
            steps.recovered = Clock::now();
            ++steps.recoveries;
        }
        if (event->state == HAIGHA_RECOVERY_ENTITY) fail(haigha_error_message(event->error));
        steps.changed.notify_all();
    }
    void wait(int count) {
        std::unique_lock lock(mutex);
        if (!changed.wait_for(lock, std::chrono::seconds(120), [&] { return recoveries >= count; }))
            fail("the connection did not come back");
    }
};

struct Countdown {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t left = 0;

    static void answer(const haigha_event* event, void* user_data) {
        if (event->error != nullptr) fail(haigha_error_message(event->error));
        auto& countdown = *static_cast<Countdown*>(user_data);
        const std::lock_guard lock(countdown.mutex);
        if (--countdown.left == 0) countdown.changed.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return left == 0; });
    }
};

void check(haigha_status status, const Err& error) {
    if (status != HAIGHA_OK) fail(error.message());
}

ConnectionHandle connect(haigha_loop* loop, const std::string& uri, std::int64_t delay_ms,
                         Steps& steps) {
    Err error;
    OptionsHandle options;
    ConnectionHandle connection;
    check(haigha_options_new(out(options), error), error);
    check(haigha_options_set_uri(options.get(), str(uri), error), error);
    const std::pair<const char*, std::int64_t> numbers[] = {
        {"recovery", 1},
        {"recovery_delay_ms", delay_ms},
        {"recovery_max_delay_ms", 100},
        {"recovery_stable_ms", 0},
    };
    for (const auto& [name, value] : numbers)
        check(haigha_options_set_int(options.get(), str(name), value, error), error);
    const haigha_then events{&Steps::hear, &steps, nullptr, nullptr, 0};
    check(haigha_connection_new(loop, options.get(), &events, out(connection), error), error);
    check(haigha_connection_open_wait(connection.get(), -1, error), error);
    return connection;
}

void ignore(const haigha_event*, void*) {}

// Queue i, its binding and its consumer. Channels have a call on the wire each, so that one channel
// declares one after the other, and many of them pipeline.
void declare_one(haigha_channel* channel, const std::string& prefix, int i, Countdown& countdown) {
    const haigha_then then{&Countdown::answer, &countdown, nullptr, nullptr, 0};
    const std::string name = prefix + std::to_string(i);
    Err error;
    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    declare.queue = str(name);
    declare.durable = 1;
    check(haigha_queue_declare(channel, &declare, &then, error), error);
    haigha_queue_bind_args bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
    bind.queue = bind.routing_key = str(name);
    bind.exchange = str("amq.topic");
    check(haigha_queue_bind(channel, &bind, &then, error), error);
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    consume.queue = str(name);
    consume.deliveries = {&ignore, nullptr, nullptr, nullptr, 0};
    check(haigha_consume(channel, &consume, &then, error), error);
}

double declare(const std::vector<ChannelHandle>& channels, const std::string& prefix, int count) {
    Countdown countdown;
    countdown.left = static_cast<std::size_t>(count) * 3;
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < count; ++i) {
        const std::size_t channel = static_cast<std::size_t>(i) % channels.size();
        declare_one(channels[channel].get(), prefix, i, countdown);
    }
    countdown.wait();
    return milliseconds(Clock::now() - begin);
}

std::vector<ChannelHandle> open_channels(haigha_connection* connection, int count) {
    Err error;
    std::vector<ChannelHandle> channels(static_cast<std::size_t>(count));
    for (ChannelHandle& channel : channels)
        check(haigha_channel_open_wait(connection, nullptr, -1, out(channel), error), error);
    return channels;
}

void close_connections() {
    broker("ctl " + variable("HAIGHA_BENCH_BROKER") + " -- -q close_all_connections bench");
}

void restart() {
    broker("kill " + variable("HAIGHA_BENCH_BROKER"));
    broker("start " + variable("HAIGHA_BENCH_BROKER"));
}

// Takes all queues and connections away.
void empty() {
    for (const char* const step : {"stop_app", "reset", "start_app"})
        broker("ctl " + variable("HAIGHA_BENCH_BROKER") + " -- -q " + step);
}

void print(const char* what, double taken, double first) {
    std::printf("  %-46s  %8.0f ms", what, taken);
    if (first > 0) std::printf(", %.2f times that", taken / first);
    std::printf("\n");
    std::fflush(stdout);
}

constexpr int recoveries = 6;

// What has been declared is lost and brought back in each way, `recoveries` times; `next` waits for
// the next recovery and says how long it took, from the transport's connection.
template <class Next>
void measure_recoveries(double first, Next next) {
    for (int round = 0; round < 3; ++round) {
        close_connections();
        print("brought back, the broker having it all", next(), first);
    }
    restart();
    print("brought back after the broker's restart", next(), first);
    close_connections();
    print("after that, the broker being warm", next(), first);
    empty();
    print("brought back on a broker that has nothing", next(), first);
}

void measure_topology(haigha_loop* loop, const std::string& uri, int count) {
    Err error;
    std::printf("%d queues, bindings and consumers on one connection\n", count);
    double first = 0;
    for (const int width : {1, 100}) {
        // Brought back are those of the second round.
        empty();
        Steps steps;
        const ConnectionHandle connection = connect(loop, uri, 10, steps);
        const auto channels = open_channels(connection.get(), width);
        first = declare(channels, "recovery-bench-", count);
        print(width == 1 ? "declared one after the other, on a channel"
                         : "declared pipelined, by 100 channels",
              first, 0);
        if (width > 1) {
            int seen = 0;
            measure_recoveries(first, [&] {
                steps.wait(++seen);
                return milliseconds(steps.recovered - steps.transport);
            });
        }
        check(haigha_connection_close_wait(connection.get(), -1, error), error);
    }
}

// Another client's program prints how many milliseconds declaring has taken, and then each
// recovery.
void measure_peer(const std::string& command, const std::string& uri, int count) {
    empty();
    std::FILE* const pipe = ::popen(
        (command + " '" + uri + "' " + std::to_string(count) + ' ' + std::to_string(recoveries))
            .c_str(),
        "re");
    if (pipe == nullptr) fail("the peer could not be started");
    const auto next = [pipe] {
        char line[64];
        if (std::fgets(line, sizeof line, pipe) == nullptr) fail("the peer has ended");
        return std::atof(line);
    };
    std::printf("the same by RabbitMQ's Java client\n");
    const double first = next();
    print("declared one after the other, on a channel", first, 0);
    measure_recoveries(first, next);
    ::pclose(pipe);
}

void measure_hosts(haigha_loop* loop, std::uint16_t port, int rounds) {
    FaultProxy one(port);
    FaultProxy two(port);
    Steps steps;
    const ConnectionHandle connection =
        connect(loop,
                "amqp://guest:guest@127.0.0.1:" + std::to_string(one.port()) +
                    ",127.0.0.1:" + std::to_string(two.port()),
                1, steps);
    Err error;
    ChannelHandle channel;
    check(haigha_channel_open_wait(connection.get(), nullptr, -1, out(channel), error), error);
    std::vector<double> times;
    for (int round = 1; round <= rounds; ++round) {
        one.command("reset");
        two.command("reset");
        steps.wait(round);
        times.push_back(milliseconds(steps.recovered - steps.lost) -
                        static_cast<double>(steps.delay_ms));
    }
    std::sort(times.begin(), times.end());
    std::printf("another host after a reset, %d times, beyond the wait before the attempt\n",
                rounds);
    std::printf("  median %.1f ms, 99 %% %.1f ms, longest %.1f ms\n", times[times.size() / 2],
                times[times.size() * 99 / 100], times.back());
    check(haigha_connection_close_wait(connection.get(), -1, error), error);
}

}  // namespace

int main(int argc, char** argv) {
    const int count = argc > 1 ? std::atoi(argv[1]) : 1000;
    if (count < 1) fail("usage: recovery_bench [QUEUES]");
    const std::string uri = variable("HAIGHA_URI");
    const std::size_t colon = uri.rfind(':');
    Err error;
    LoopHandle loop;
    check(haigha_loop_start(out(loop), error), error);
    measure_hosts(loop.get(), static_cast<std::uint16_t>(std::stoi(uri.substr(colon + 1))), 100);
    measure_topology(loop.get(), uri, count);
    const char* const peer = std::getenv("HAIGHA_BENCH_RECOVERY_PEER");
    if (peer != nullptr && *peer != '\0') measure_peer(peer, uri, count);
    return 0;
}
