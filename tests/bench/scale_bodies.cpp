// Bodies of many frames: what an octet costs, and how much memory they take on their way.
#include <algorithm>
#include <string>

#include "bench_peer.h"
#include "scale_link.h"
#include "scale_meter.h"
#include "scale_report.h"

namespace bench {

namespace {

constexpr std::size_t mib = 1024 * 1024;
constexpr std::int64_t max_message_size = 256 * mib;

struct Cost {
    double ns_per_kib = 1e9;
    double peak = 1e18;  // resident beyond what there was before, in bytes

    void keep_least(const Cost& other) {
        ns_per_kib = std::min(ns_per_kib, other.ns_per_kib);
        peak = std::min(peak, other.peak);
    }
};

double ns_per_kib(double seconds, std::size_t size, std::uint64_t count) {
    return seconds * 1e9 * 1024 / (static_cast<double>(size) * static_cast<double>(count));
}

template <class Work>
Cost cost_of(std::size_t size, std::uint64_t count, Work work) {
    trim_heap();
    reset_peak();
    const double resident = memory_now().resident;
    const double before = cpu_time();
    work();
    const double used = cpu_time() - before;
    return {ns_per_kib(used, size, count), peak_resident() - resident};
}

template <class Work>
Cost with_link(std::size_t size, std::uint64_t count, Work work) {
    LoopbackPeer peer;
    ScaleLoop loop;
    Cost cost;
    bool published = false;
    {
        ScaleLink link(loop, peer.amqp_port());
        LinkOptions options;
        options.max_message_size = max_message_size;
        link.open(options);
        loop.settle();
        link.open_channel();
        loop.settle();
        cost = work(loop, link);
        published = link.published() > 0;
        link.close();
        loop.settle();
    }
    loop.clean_up();
    const PeerCounts counts = peer.counts();
    if (counts.wrong != 0 || (published ? counts.published : counts.delivered) != count ||
        (published && counts.body_bytes != size * count)) {
        give_up("the peer counted otherwise");
    }
    return cost;
}

Cost publish(std::size_t size, std::uint64_t count) {
    return with_link(size, count, [&](ScaleLoop& loop, ScaleLink& link) {
        std::string body(size, 'x');
        return cost_of(size, count, [&] {
            for (std::uint64_t i = 0; i < count; ++i) {
                link.publish_surely(0, body);
                loop.turn();
            }
            link.flush();
            loop.settle();
        });
    });
}

Cost publish_lent(std::size_t size, std::uint64_t count) {
    return with_link(size, count, [&](ScaleLoop&, ScaleLink& link) {
        std::string body(size, 'x');
        return cost_of(size, count, [&] {
            for (std::uint64_t i = 0; i < count; ++i)
                link.publish_lent(0, body);
        });
    });
}

Cost consume(std::size_t size, std::uint64_t count) {
    return with_link(size, count, [&](ScaleLoop& loop, ScaleLink& link) {
        return cost_of(size, count, [&] {
            link.consume(size, count, false);
            loop.until([&] { return link.received() == count; });
        });
    });
}

Cost write_floor(std::size_t size, std::uint64_t count) {
    LoopbackPeer peer;
    const Cost cost = cost_of(size, count, [&] { peer.write_floor(size, count); });
    (void)peer.counts();
    return cost;
}

Cost read_floor(std::size_t size, std::uint64_t count) {
    LoopbackPeer peer;
    return cost_of(size, count, [&] { (void)peer.read_floor(size, count); });
}

using Direction = Cost (*)(std::size_t, std::uint64_t);

void run(const ScaleSettings& settings, const char* name, Direction direction, Direction floor) {
    constexpr std::size_t sizes[] = {1, 16, 128};
    const std::uint64_t total = settings.quick ? 128 : 512;
    Cost costs[3];
    Cost floors[3];
    for (int i = 0; i < settings.repetitions; ++i) {
        for (std::size_t at = 0; at < 3; ++at) {
            costs[at].keep_least(direction(sizes[at] * mib, total / sizes[at]));
            floors[at].keep_least(floor(mib, total));
        }
    }
    for (std::size_t at = 0; at < 3; ++at) {
        const std::string what =
            std::string(name) + " " + std::to_string(sizes[at]) + " MiB bodies";
        settings.report->add({"scale", what + ", against the floor", costs[at].ns_per_kib, "ns/KiB",
                              "", costs[at].ns_per_kib / floors[at].ns_per_kib});
        if (at > 0) {
            settings.report->add({"scale", what + ", against 1 MiB", costs[at].ns_per_kib, "ns/KiB",
                                  "<= 1.2 x 1 MiB", costs[at].ns_per_kib / costs[0].ns_per_kib});
        }
        settings.report->add({"memory", what + ", peak beyond the program's own",
                              costs[at].peak / mib, "MiB", "",
                              costs[at].peak / static_cast<double>(sizes[at] * mib)});
    }
}

}  // namespace

void run_bodies(const ScaleSettings& settings) {
    run(settings, "publish", publish, write_floor);
    run(settings, "publish lent", publish_lent, write_floor);
    run(settings, "consume", consume, read_floor);
}

}  // namespace bench
