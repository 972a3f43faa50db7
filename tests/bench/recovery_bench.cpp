// How long recovery takes: a topology brought back beside the same declared the first time, and
// another host after a reset. Against the broker HAIGHA_URI, which `tools/dev bench --recovery`
// makes, with its name in HAIGHA_BENCH_BROKER and tools/broker in HAIGHA_BROKER_TOOL.
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

// Everything is called at once; the library says one after the other.
double declare(haigha_channel* channel, int count) {
    Countdown countdown;
    countdown.left = static_cast<std::size_t>(count) * 3;
    const haigha_then then{&Countdown::answer, &countdown, nullptr, nullptr, 0};
    const Clock::time_point begin = Clock::now();
    Err error;
    for (int i = 0; i < count; ++i) {
        const std::string name = "recovery-bench-" + std::to_string(i);
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
    countdown.wait();
    return milliseconds(Clock::now() - begin);
}

void measure_topology(haigha_loop* loop, const std::string& uri, int count) {
    Steps steps;
    const ConnectionHandle connection = connect(loop, uri, 10, steps);
    Err error;
    ChannelHandle channel;
    check(haigha_channel_open_wait(connection.get(), nullptr, -1, out(channel), error), error);
    const std::string name = variable("HAIGHA_BENCH_BROKER");
    const double first = declare(channel.get(), count);
    std::printf("%d queues, bindings and consumers on one connection\n", count);
    std::printf("  declared the first time                 %8.0f ms\n", first);
    int seen = 0;
    const auto pass = [&](const char* what) {
        steps.wait(++seen);
        const double taken = milliseconds(steps.recovered - steps.transport);
        std::printf("  %-38s  %8.0f ms, %.2f times that\n", what, taken, taken / first);
        std::fflush(stdout);
    };
    for (int round = 0; round < 3; ++round) {
        broker("ctl " + name + " -- -q close_all_connections bench");
        pass("brought back on a broker that has them");
    }
    broker("kill " + name);
    broker("start " + name);
    pass("brought back after the broker's restart");
    broker("ctl " + name + " -- -q close_all_connections bench");
    pass("after that, the broker being warm");
    check(haigha_connection_close_wait(connection.get(), -1, error), error);
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
    return 0;
}
