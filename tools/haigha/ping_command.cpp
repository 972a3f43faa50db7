// haigha ping: how long each stage of connecting takes, and a round trip to the broker.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <thread>

#include "command_line.h"
#include "commands.h"
#include "interruption.h"
#include "message_output.h"
#include "session.h"
#include "terminal.h"

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

// What a table of strings says.
std::string fact(const TableHandle& table, std::string_view name) {
    haigha_cursor cursor;
    haigha_field field;
    if (haigha_table_cursor(table.get(), &cursor) != HAIGHA_OK) return {};
    while (haigha_cursor_next(&cursor, &field) == 1) {
        if (field.type == HAIGHA_FIELD_STRING && to_view(field.name) == name) {
            return std::string(to_view(field.bytes));
        }
    }
    return {};
}

// The stages of opening a connection: what they are for people, and where their times are.
struct OpeningStage {
    std::int32_t stage;
    const char* name;
    const char* info;
};
constexpr OpeningStage opening_stages[] = {
    {HAIGHA_STAGE_RESOLVE, "resolve", "resolve_us"},
    {HAIGHA_STAGE_CONNECT, "connect", "connect_us"},
    {HAIGHA_STAGE_TLS, "TLS", "tls_us"},
    {HAIGHA_STAGE_HANDSHAKE, "handshake", "handshake_us"},
    {HAIGHA_STAGE_OPEN, "open", "open_us"},
};

// A line each; what failed has one as well.
class StageReport {
  public:
    StageReport(const haigha_connection* connection, Clock::time_point start)
        : connection_(connection), start_(start) {
        // Without a transport there is none.
        haigha_connection_peer_info(connection, out(peer_), nullptr);
    }

    void print(std::int32_t failed) const {
        double before_ms = 0;
        for (const OpeningStage& each : opening_stages) {
            std::int64_t us = -1;
            haigha_connection_info(connection_, to_str(each.info), &us, nullptr);
            if (us >= 0) {
                const double ms = static_cast<double>(us) / 1000;
                before_ms += ms;
                line(each.name, ms, detail(each.stage));
            } else if (each.stage == failed) {
                line(each.name, std::max(0.0, ms_since(start_) - before_ms), "FAILED");
                return;
            }
        }
    }

    static void line(const char* name, double ms, const std::string& rest) {
        std::printf("  %-14s%9.3f ms%s%s\n", name, ms, rest.empty() ? "" : "   ", rest.c_str());
    }

  private:
    std::string detail(std::int32_t stage) const {
        switch (stage) {
            case HAIGHA_STAGE_CONNECT:
                return fact(peer_, "peer_address");
            case HAIGHA_STAGE_TLS:
                return fact(peer_, "tls_version") + ", " + fact(peer_, "tls_cipher") +
                       ", verified: " + fact(peer_, "tls_verified");
            case HAIGHA_STAGE_HANDSHAKE:
                return fact(peer_, "auth_mechanism");
            default:
                return {};
        }
    }

    const haigha_connection* connection_;
    Clock::time_point start_;
    TableHandle peer_;
};

// Each answer, and what they come to.
class RoundTrips {
  public:
    void add(double took_ms) {
        least_ = count_ == 0 ? took_ms : std::min(least_, took_ms);
        most_ = std::max(most_, took_ms);
        sum_ += took_ms;
        squares_ += took_ms * took_ms;
        ++count_;
        std::printf("channel.flow %llu: %.3f ms\n", static_cast<unsigned long long>(count_),
                    took_ms);
        flush_output();
    }

    std::uint64_t count() const noexcept { return count_; }

    void conclude() const {
        if (count_ == 0) return;
        const auto of = static_cast<double>(count_);
        const double mean = sum_ / of;
        std::printf("round trip min/avg/max/stddev = %.3f/%.3f/%.3f/%.3f ms\n", least_, mean, most_,
                    std::sqrt(std::max(0.0, squares_ / of - mean * mean)));
        flush_output();
    }

  private:
    double least_ = 0;
    double most_ = 0;
    double sum_ = 0;
    double squares_ = 0;
    std::uint64_t count_ = 0;
};

// Opens the connection, and says how that went either way.
std::unique_ptr<Session> open_in_stages(const Loop& loop, const BrokerOptions& broker) {
    const Clock::time_point start = Clock::now();
    ConnectionHandle connection = new_connection(loop, broker, "haigha ping");
    // A handle of our own, to look at when it has failed.
    const ConnectionHandle watched(haigha_connection_ref(connection.get()));
    const std::string address = broker.address();
    try {
        auto session = std::make_unique<Session>(std::move(connection), broker);
        std::printf("%s at %s\n", broker_name(*session).c_str(), address.c_str());
        StageReport(watched.get(), start).print(HAIGHA_STAGE_NONE);
        return session;
    } catch (const Failure&) {
        haigha_error* const error = haigha_connection_last_error(watched.get());
        std::printf("%s\n", address.c_str());
        StageReport(watched.get(), start).print(haigha_error_stage(error));
        haigha_error_free(error);
        flush_output();
        throw;
    }
}

ExitStatus ping(const PingOptions& options) {
    const Loop loop(options.broker);
    const Clock::time_point start = Clock::now();
    const std::unique_ptr<Session> session = open_in_stages(loop, options.broker);
    const Clock::time_point before_channel = Clock::now();
    const ChannelHandle channel = session->open_channel();
    StageReport::line("open channel", ms_since(before_channel), "");
    std::printf("connected, logged in and open in %.1f ms\n", ms_since(start));
    flush_output();
    RoundTrips trips;
    try {
        while (trips.count() < options.count && !interrupted()) {
            if (trips.count() > 0) pause(options.interval_seconds);
            if (interrupted()) break;
            // The broker answers at once, and nothing is changed.
            ErrorSlot error;
            const Clock::time_point asked = Clock::now();
            require(
                haigha_channel_flow_wait(channel.get(), 1, session->timeout_ms(), nullptr, error),
                error);
            trips.add(ms_since(asked));
        }
    } catch (const ApiFailure&) {
        trips.conclude();
        throw;
    }
    trips.conclude();
    session->close();
    return interrupted() ? exit_interrupted : exit_ok;
}

}  // namespace

void add_ping_command(CLI::App& app, Run& run) {
    CLI::App* const command =
        app.add_subcommand("ping", "Time each stage of connecting, and round trips to the broker");
    const auto options = std::make_shared<PingOptions>();
    command->add_option("-n,--count", options->count, "Round trips (3)")->option_text("N");
    command->add_option("-i,--interval", options->interval_seconds, "Between them (1)")
        ->option_text("SECONDS")
        ->check(CLI::NonNegativeNumber);
    add_broker_options(*command, options->broker);
    set_examples(
        *command,
        "  haigha ping\n"
        "  haigha ping -n 100 -i 0 | tail -1\n"
        "  haigha ping -n 0 -u amqps://user@broker.example/\n\n"
        "The stages: finding the host's addresses, the transport connection, TLS, the\n"
        "protocol's handshake with the login, the virtual host, a channel. Of several hosts\n"
        "or addresses the times are those of the one that was tried last.\n"
        "Exit status: 0 it answers; 1 it stopped answering; 3 no connection: the stage that\n"
        "failed is the last line.");
    command->callback([options, &run] { run = [options] { return ping(*options); }; });
}

}  // namespace tool
