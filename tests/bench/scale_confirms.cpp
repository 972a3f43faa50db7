// A million publishes that the broker has not confirmed yet, against a window of a thousand.
#include <algorithm>
#include <string>

#include "bench_peer.h"
#include "scale_link.h"
#include "scale_meter.h"
#include "scale_report.h"

namespace bench {

namespace {

constexpr std::uint64_t small_window = 1000;
constexpr std::size_t body_size = 16;
constexpr std::uint64_t publishes_per_turn = 4096;

struct Cost {
    double publish = 1e9;      // us CPU per message
    double settle = 1e9;       // us CPU per tag
    double outstanding = 1e9;  // bytes of heap per publish that is outstanding

    void keep_least(const Cost& other) {
        publish = std::min(publish, other.publish);
        settle = std::min(settle, other.settle);
        outstanding = std::min(outstanding, other.outstanding);
    }
};

// Publishes `window` messages, then has the peer confirm them in the manner that `how` names; so
// often that it makes `count`.
Cost measure(std::uint64_t count, std::uint64_t window, const char* how) {
    LoopbackPeer peer;
    ScaleLoop loop;
    Cost cost{0, 0, 0};
    {
        ScaleLink link(loop, peer.amqp_port());
        link.open();
        loop.settle();
        link.open_channel(true);
        link.declare(0, "confirms:hold");
        loop.settle();
        std::string body(body_size, 'x');
        trim_heap();
        const double empty = memory_now().heap;
        for (std::uint64_t done = 0; done < count; done += window) {
            double before = cpu_time();
            for (std::uint64_t i = 0; i < window; ++i) {
                link.publish_surely(0, body);
                if (i % publishes_per_turn == 0) loop.turn();
            }
            link.flush();
            loop.settle();
            cost.publish += cpu_time() - before;
            cost.outstanding = (memory_now().heap - empty) / static_cast<double>(window);
            before = cpu_time();
            link.declare(0, how);
            loop.until([&] { return link.settled() == done + window; });
            cost.settle += cpu_time() - before;
            loop.settle();
        }
        link.close();
        loop.settle();
    }
    loop.clean_up();
    const PeerCounts counts = peer.counts();
    if (counts.published != count || counts.wrong != 0) give_up("the peer counted otherwise");
    cost.publish *= 1e6 / static_cast<double>(count);
    cost.settle *= 1e6 / static_cast<double>(count);
    return cost;
}

}  // namespace

void run_confirms(const ScaleSettings& settings) {
    const std::uint64_t count = settings.quick ? 100'000 : 1'000'000;
    const std::string all = std::to_string(count) + " outstanding";
    struct Manner {
        const char* queue;
        const char* name;
    };
    for (const Manner manner :
         {Manner{"confirms:multiple", "one ack for all"}, Manner{"confirms:single", "an ack each"},
          Manner{"confirms:backwards", "an ack each, the last first"}}) {
        Cost small;
        Cost large;
        for (int i = 0; i < settings.repetitions; ++i) {
            small.keep_least(measure(count, small_window, manner.queue));
            large.keep_least(measure(count, count, manner.queue));
        }
        settings.report->add({"scale", "settle a publish of " + all + ", " + manner.name,
                              large.settle, "us CPU", "<= 1.2 x 1000",
                              large.settle / small.settle});
        settings.report->add({"scale", "publish 16 B and settle it, " + all + ", " + manner.name,
                              large.publish + large.settle, "us CPU", "<= 1.2 x 1000",
                              (large.publish + large.settle) / (small.publish + small.settle)});
        if (manner.queue == std::string("confirms:multiple")) {
            settings.report->add(
                {"memory", "publish that is outstanding, of " + std::to_string(count) + ", heap",
                 large.outstanding, "bytes", ""});
        }
    }
}

}  // namespace bench
