// haigha ping: how long connecting takes, and a round trip to the broker.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <thread>

#include "command_line.h"
#include "commands.h"
#include "interruption.h"
#include "session.h"

namespace tool {

namespace {

using Clock = std::chrono::steady_clock;

struct PingOptions {
    BrokerOptions broker;
    std::uint64_t count = 3;
    double interval_seconds = 1;
};

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Sleeps until the next round, or until the tool is interrupted.
void pause(double seconds) {
    const auto until = Clock::now() + std::chrono::duration<double>(seconds);
    while (!interrupted() && Clock::now() < until)
        std::this_thread::sleep_for(std::min(std::chrono::duration<double>(0.05),
                                             std::chrono::duration<double>(until - Clock::now())));
}

ExitStatus ping(const PingOptions& options) {
    const Loop loop(options.broker);
    const Clock::time_point start = Clock::now();
    Session session(loop, options.broker, "haigha ping");
    std::printf("%s at %s: connected, logged in and open in %.1f ms\n",
                broker_name(session).c_str(), options.broker.address().c_str(), ms_since(start));
    const ChannelHandle channel = session.open_channel();
    double least = 0;
    double most = 0;
    double sum = 0;
    double squares = 0;
    std::uint64_t done = 0;
    while (done < options.count && !interrupted()) {
        if (done > 0) pause(options.interval_seconds);
        if (interrupted()) break;
        // The broker answers at once, and nothing is changed.
        ErrorSlot error;
        const Clock::time_point asked = Clock::now();
        require(haigha_channel_flow_wait(channel.get(), 1, session.timeout_ms(), nullptr, error),
                error);
        const double took = ms_since(asked);
        least = done == 0 ? took : std::min(least, took);
        most = std::max(most, took);
        sum += took;
        squares += took * took;
        ++done;
        std::printf("channel.flow %llu: %.3f ms\n", static_cast<unsigned long long>(done), took);
        std::fflush(stdout);
    }
    if (done > 0) {
        const auto of = static_cast<double>(done);
        const double mean = sum / of;
        std::printf("round trip min/avg/max/stddev = %.3f/%.3f/%.3f/%.3f ms\n", least, mean, most,
                    std::sqrt(std::max(0.0, squares / of - mean * mean)));
    }
    session.close();
    return interrupted() ? exit_interrupted : exit_ok;
}

}  // namespace

void add_ping_command(CLI::App& app, Run& run) {
    CLI::App* const command =
        app.add_subcommand("ping", "Time connecting, and round trips to the broker");
    const auto options = std::make_shared<PingOptions>();
    command->add_option("-n,--count", options->count, "Round trips (3)")->option_text("N");
    command->add_option("-i,--interval", options->interval_seconds, "Between them (1)")
        ->option_text("SECONDS")
        ->check(CLI::NonNegativeNumber);
    add_broker_options(*command, options->broker);
    set_examples(*command,
                 "  haigha ping\n"
                 "  haigha ping -n 100 -i 0 | tail -1\n\n"
                 "Exit status: 0 it answers; 1 it stopped answering; 3 no connection.");
    command->callback([options, &run] { run = [options] { return ping(*options); }; });
}

}  // namespace tool
