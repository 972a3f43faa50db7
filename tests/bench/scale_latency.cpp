// A round trip: a publish of 64 octets that comes back as a delivery, against the same octets
// between two sockets that wait with epoll.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bench_peer.h"
#include "scale_link.h"
#include "scale_report.h"

namespace bench {

namespace {

constexpr std::size_t body_size = 64;

double median(std::vector<double>& all) {
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end());
    return *middle;
}

template <class Round>
double median_us(std::uint64_t rounds, Round round) {
    std::vector<double> all;
    all.reserve(rounds);
    for (std::uint64_t i = 0; i < rounds; ++i) {
        const double before = wall_seconds();
        round();
        all.push_back((wall_seconds() - before) * 1e6);
    }
    return median(all);
}

class PingPong {
  public:
    PingPong(const LoopbackPeer& peer, std::size_t size)
        : wire_(peer.connect_raw("echo\n")), octets_(size, 'x'), epoll_(epoll_create1(0)) {
        epoll_event event{};
        event.events = EPOLLIN;
        epoll_ctl(epoll_, EPOLL_CTL_ADD, wire_->fd(), &event);
    }
    ~PingPong() { ::close(epoll_); }
    PingPong(const PingPong&) = delete;
    PingPong& operator=(const PingPong&) = delete;

    void round() {
        if (!wire_->send_all(octets_.data(), octets_.size())) give_up("the peer went away");
        for (std::size_t got = 0; got < octets_.size();) {
            epoll_event event{};
            if (epoll_wait(epoll_, &event, 1, -1) <= 0) continue;
            const ssize_t size = wire_->receive(octets_.data(), octets_.size());
            if (size <= 0) give_up("the peer went away");
            got += static_cast<std::size_t>(size);
        }
    }

  private:
    std::unique_ptr<Wire> wire_;
    std::string octets_;
    int epoll_;
};

}  // namespace

void run_latency(const ScaleSettings& settings) {
    const std::uint64_t rounds = settings.quick ? 2000 : 20'000;
    const int repetitions = std::max(settings.repetitions, 5);
    LoopbackPeer peer;
    ScaleLoop loop;
    double best = 1e9;
    double floor = 1e9;
    {
        ScaleLink link(loop, peer.amqp_port());
        link.open();
        loop.settle();
        link.open_channel();
        loop.settle();
        link.consume_echo();
        loop.settle();
        std::string body(body_size, 'x');
        const auto round = [&] {
            link.publish_surely(0, body);
            loop.until([&] { return link.received() == link.published(); });
        };
        const std::int64_t before = link.info("bytes_sent");
        round();
        PingPong bare(peer, static_cast<std::size_t>(link.info("bytes_sent") - before));
        for (int i = 0; i < repetitions; ++i) {
            floor = std::min(floor, median_us(rounds, [&] { bare.round(); }));
            best = std::min(best, median_us(rounds, round));
        }
        link.close();
        loop.settle();
    }
    loop.clean_up();
    if (const PeerCounts counts = peer.counts(); counts.wrong != 0) {
        give_up("the peer counted otherwise");
    }
    settings.report->add(
        {"latency", "round trip between bare sockets with epoll, median", floor, "us", ""});
    settings.report->add({"latency", "round trip of a 64 B publish that comes back, median", best,
                          "us", "<= 1.05 x bare", best / floor});
}

}  // namespace bench
