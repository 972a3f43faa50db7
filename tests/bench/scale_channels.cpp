// Many channels on one connection: what each takes in memory, and what a message costs when they
// take turns.
#include <algorithm>
#include <string>

#include "bench_peer.h"
#include "scale_link.h"
#include "scale_meter.h"
#include "scale_report.h"

namespace bench {

namespace {

constexpr std::size_t many = 2000;
constexpr std::size_t body_size = 16;
constexpr std::uint64_t publishes_per_turn = 4096;

struct Cost {
    double publish = 1e9;
    double consume = 1e9;
    double consume_ack = 1e9;

    void keep_least(const Cost& other) {
        publish = std::min(publish, other.publish);
        consume = std::min(consume, other.consume);
        consume_ack = std::min(consume_ack, other.consume_ack);
    }
};

// One message in turn on each channel.
double publish(ScaleLoop& loop, ScaleLink& link, std::uint64_t count) {
    std::string body(body_size, 'x');
    std::size_t channel = 0;
    const double before = cpu_time();
    for (std::uint64_t i = 0; i < count; ++i) {
        link.publish_surely(channel, body);
        if (++channel == link.channels()) channel = 0;
        if (i % publishes_per_turn == 0) loop.turn();
    }
    link.flush();
    loop.settle();
    return (cpu_time() - before) / static_cast<double>(count) * 1e6;
}

double consume(ScaleLoop& loop, ScaleLink& link, std::uint64_t count, bool ack) {
    const std::uint64_t each = count / link.channels();
    const std::uint64_t all = link.received() + each * link.channels();
    // A window of the same size in all.
    const auto prefetch = static_cast<std::uint16_t>(2 * many / link.channels());
    const double before = cpu_time();
    link.consume(body_size, each, ack, prefetch);
    loop.until([&] { return link.received() == all; });
    return (cpu_time() - before) / static_cast<double>(count) * 1e6;
}

template <class Work>
double on_link(std::size_t channels, std::uint64_t count, Work work) {
    LoopbackPeer peer;
    ScaleLoop loop;
    double cost = 0;
    {
        ScaleLink link(loop, peer.amqp_port());
        link.open();
        loop.settle();
        for (std::size_t i = 0; i < channels; ++i)
            link.open_channel();
        loop.settle();
        cost = work(loop, link);
        link.close();
        loop.settle();
    }
    loop.clean_up();
    const PeerCounts counts = peer.counts();
    if (counts.published + counts.delivered != count || counts.wrong != 0) {
        give_up("the peer counted otherwise");
    }
    return cost;
}

Cost measure(std::size_t channels, std::uint64_t count) {
    const auto consuming = [&](bool ack) {
        return on_link(channels, count, [&](ScaleLoop& loop, ScaleLink& link) {
            return consume(loop, link, count, ack);
        });
    };
    const double publishing = on_link(channels, count, [&](ScaleLoop& loop, ScaleLink& link) {
        return publish(loop, link, count);
    });
    return {publishing, consuming(false), consuming(true)};
}

void memory_rows(const ScaleSettings& settings) {
    LoopbackPeer peer;
    ScaleLoop loop;
    ScaleLink link(loop, peer.amqp_port());
    link.open();
    loop.settle();
    link.open_channel();
    loop.settle();
    trim_heap();
    const Memory before = memory_now();
    for (std::size_t i = 1; i < many; ++i) {
        link.open_channel();
        loop.settle();
    }
    trim_heap();
    const Memory after = memory_now();
    const auto each = [](double bytes) { return bytes / static_cast<double>(many - 1) / 1024; };
    settings.report->add({"memory", "further idle channel, resident",
                          each(after.resident - before.resident), "KiB", "<= 0.6 KiB"});
    settings.report->add(
        {"memory", "further idle channel, heap", each(after.heap - before.heap), "KiB", ""});
    link.close();
    loop.settle();
}

}  // namespace

void run_channels(const ScaleSettings& settings) {
    memory_rows(settings);
    const std::uint64_t count = settings.quick ? 200'000 : 2'000'000;
    Cost one;
    Cost all;
    for (int i = 0; i < settings.repetitions; ++i) {
        one.keep_least(measure(1, count));
        all.keep_least(measure(many, count));
    }
    const auto row = [&](const char* what, double Cost::*cost) {
        settings.report->add({"scale", std::string(what) + " 16 B, 2000 channels in turn",
                              all.*cost, "us CPU", "<= 1.2 x one", all.*cost / (one.*cost)});
    };
    row("publish", &Cost::publish);
    row("consume", &Cost::consume);
    row("consume + one ack each", &Cost::consume_ack);
}

}  // namespace bench
