// Many connections on one loop: what each takes in memory, and what a message costs when they take
// turns.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench_peer.h"
#include "scale_link.h"
#include "scale_meter.h"
#include "scale_report.h"

namespace bench {

namespace {

constexpr std::size_t body_size = 16;
// Each connection publishes so many in its turn, and gets so many: the same for one and for all, so
// that a message's share of a system call is the same.
constexpr std::uint64_t publishes_per_turn = 256;
constexpr std::uint64_t deliveries_each = 2000;
constexpr std::uint64_t least_messages = 1'000'000;
// That are being opened at a time.
constexpr std::size_t opening_at_once = 200;

class Crowd {
  public:
    Crowd(std::size_t count, bool tls) : peer_(tls) {
        for (std::size_t i = 0; i < count; ++i)
            links_.push_back(std::make_unique<ScaleLink>(loop_, peer_.amqp_port()));
        tls_ = tls;
    }
    ~Crowd() {
        // The peer's counts are read in between, or it would wait for a full pipe.
        for (std::size_t at = 0; at < links_.size();) {
            const std::size_t part = std::min(opening_at_once, links_.size() - at);
            for (std::size_t i = 0; i < part; ++i)
                links_[at + i]->close();
            loop_.settle();
            for (std::size_t i = 0; i < part; ++i)
                links_[at + i] = nullptr;
            loop_.clean_up();
            for (std::size_t i = 0; i < part; ++i)
                total(peer_.counts());
            at += part;
        }
        if (published_ != seen_.published || received_ != seen_.delivered || seen_.wrong != 0) {
            give_up("the peer counted otherwise");
        }
    }

    void open() {
        LinkOptions options;
        options.tls = tls_;
        for (const auto& link : links_) {
            link->open(options);
            loop_.settle(opening_at_once);
        }
        loop_.settle();
        for (const auto& link : links_)
            link->open_channel();
        loop_.settle();
    }

    // CPU per message, in microseconds. Each connection's turn is one of the loop's, as when it
    // answers what has come on it; or all wait for the loop together.
    double publish(std::uint64_t rounds, bool together) {
        std::string body(body_size, 'x');
        const double before = cpu_time();
        for (std::uint64_t round = 0; round < rounds; ++round) {
            for (const auto& link : links_) {
                for (std::uint64_t i = 0; i < publishes_per_turn; ++i)
                    link->publish_surely(0, body);
                if (!together) loop_.turn();
            }
            if (together) loop_.turn();
        }
        for (const auto& link : links_)
            link->flush();
        loop_.settle();
        const double used = cpu_time() - before;
        const std::uint64_t messages = rounds * publishes_per_turn * links_.size();
        published_ += messages;
        return used / static_cast<double>(messages) * 1e6;
    }

    double consume(std::uint64_t count_each) {
        const double before = cpu_time();
        for (const auto& link : links_)
            link->consume(body_size, count_each, false);
        loop_.settle();
        for (const auto& link : links_) {
            const std::uint64_t all = expected_each_ + count_each;
            loop_.until([&] { return link->received() == all; });
        }
        const double used = cpu_time() - before;
        expected_each_ += count_each;
        const std::uint64_t messages = count_each * links_.size();
        received_ += messages;
        return used / static_cast<double>(messages) * 1e6;
    }

  private:
    void total(const PeerCounts& counts) {
        seen_.published += counts.published;
        seen_.delivered += counts.delivered;
        seen_.wrong += counts.wrong;
    }

    LoopbackPeer peer_;
    ScaleLoop loop_;
    bool tls_ = false;
    std::vector<std::unique_ptr<ScaleLink>> links_;
    std::uint64_t expected_each_ = 0;
    std::uint64_t published_ = 0;
    std::uint64_t received_ = 0;
    PeerCounts seen_;
};

// The same writes by bare system calls, over so many sockets in turn.
double publish_bare(std::size_t count, std::uint64_t rounds) {
    LoopbackPeer peer;
    const std::string one = encoded_publish(body_size);
    std::string turn;
    for (std::uint64_t i = 0; i < publishes_per_turn; ++i)
        turn += one;
    std::vector<std::unique_ptr<Wire>> wires;
    for (std::size_t i = 0; i < count; ++i)
        wires.push_back(peer.connect_raw("publish\n"));
    const double before = cpu_time();
    for (std::uint64_t round = 0; round < rounds; ++round) {
        for (const auto& wire : wires) {
            if (!wire->send_all(turn.data(), turn.size())) give_up("the peer went away");
        }
    }
    const double used = cpu_time() - before;
    const auto messages = static_cast<double>(rounds * publishes_per_turn * count);
    for (auto& wire : wires) {
        wire = nullptr;
        if (peer.counts().published != rounds * publishes_per_turn) {
            give_up("the peer counted otherwise");
        }
    }
    return used / messages * 1e6;
}

struct Cost {
    double bare = 1e9;
    double publish = 1e9;
    double publish_together = 1e9;
    double consume = 1e9;
};

std::string named(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " connection" : " connections");
}

// Opened one by one beforehand, so that what a loop has once is not counted with them.
void memory_rows(const ScaleSettings& settings, const char* kind, std::size_t count,
                 const Memory& before, const Memory& after, const char* goal) {
    const auto each = [&](double bytes) { return bytes / static_cast<double>(count) / 1024; };
    const std::string who = std::string(kind) + ", of " + std::to_string(count);
    settings.report->add(
        {"memory", who + ", resident", each(after.resident - before.resident), "KiB", goal});
    settings.report->add({"memory", who + ", heap", each(after.heap - before.heap), "KiB", ""});
}

Cost run_crowd(const ScaleSettings& settings, std::size_t count) {
    const std::uint64_t rounds =
        std::max<std::uint64_t>(1, least_messages / publishes_per_turn / count);
    Cost least;
    // Before the others: there are not descriptors for both.
    for (int i = 0; i < settings.repetitions; ++i)
        least.bare = std::min(least.bare, publish_bare(count, rounds));
    trim_heap();
    Crowd crowd(count, false);
    const Memory before = memory_now();
    const double wall = wall_seconds();
    const double cpu = cpu_time();
    crowd.open();
    const double opening = cpu_time() - cpu;
    if (count > 1) {
        trim_heap();
        memory_rows(settings, "idle connection with one channel", count, before, memory_now(),
                    "<= 12 KiB");
        settings.report->add({"scale",
                              "opening a connection and a channel, of " + std::to_string(count),
                              opening / static_cast<double>(count) * 1e6, "us CPU", ""});
        std::printf("          (%s opened in %.1f s)\n", named(count).c_str(),
                    wall_seconds() - wall);
    }
    const std::uint64_t deliveries =
        std::max<std::uint64_t>(deliveries_each, least_messages / count);
    (void)crowd.publish(1, true);  // what is kept for re-use has its size then
    for (int i = 0; i < settings.repetitions; ++i) {
        least.publish = std::min(least.publish, crowd.publish(rounds, false));
        least.publish_together = std::min(least.publish_together, crowd.publish(rounds, true));
        least.consume = std::min(least.consume, crowd.consume(deliveries));
    }
    if (count > 1) {
        trim_heap();
        memory_rows(settings, "connection that was busy and is idle again", count, before,
                    memory_now(), "");
    }
    return least;
}

void run_tls(const ScaleSettings& settings) {
    const std::size_t count = settings.quick ? 50 : 500;
    Crowd crowd(count, true);
    trim_heap();
    const Memory before = memory_now();
    crowd.open();
    trim_heap();
    memory_rows(settings, "idle TLS connection with one channel", count, before, memory_now(), "");
}

}  // namespace

void run_connections(const ScaleSettings& settings) {
    std::vector<std::size_t> counts{1000};
    if (!settings.quick) counts.push_back(10'000);
    // Both ends have descriptors of their own; a few are other things'.
    const std::size_t most = descriptor_limit() - 100;
    if (counts.back() > most) {
        std::printf("          (no more than %zu descriptors are allowed)\n", most);
        counts.back() = most;
    }
    const Cost one = run_crowd(settings, 1);
    for (const std::size_t count : counts) {
        const Cost cost = run_crowd(settings, count);
        settings.report->add({"scale", "bare writes of the same, " + named(count), cost.bare,
                              "us CPU", "", cost.bare / one.bare});
        settings.report->add({"scale", "publish 16 B, " + named(count), cost.publish, "us CPU",
                              "<= 1.2 x one", cost.publish / one.publish});
        settings.report->add(
            {"scale", "publish 16 B, " + named(count) + ", all before the loop's turn",
             cost.publish_together, "us CPU", "", cost.publish_together / one.publish_together});
        settings.report->add({"scale", "consume 16 B, " + named(count), cost.consume, "us CPU",
                              "<= 1.2 x one", cost.consume / one.consume});
    }
    run_tls(settings);
}

}  // namespace bench
