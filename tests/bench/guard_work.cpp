// Fixed work for valgrind to count the instructions of: publishes, deliveries, confirms and acks,
// on one thread, to a peer in the same process. What the peer says is read whole, in one piece, so
// that each run does the same whatever else the machine does.
//
// usage: valgrind --tool=callgrind --collect-atstart=no guard_work
//
// Prints what the figures depend on beside this project's code. Each kind of work makes a dump of
// its own, with the description "KIND OPERATIONS".
#include <gnu/libc-version.h>
#include <poll.h>
#include <sys/socket.h>
#include <valgrind/callgrind.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "bench_peer.h"
#include "guard_callers.h"
#include "loopback_connection.h"
#include "scale_link.h"

namespace {

constexpr std::size_t body_size = 16;
// One batch is one write and one read: it fits into the socket's memory, and into what is read at
// once.
constexpr std::uint64_t batch = 500;
// What is kept for re-use has its size then.
constexpr int warm_up_batches = 3;
constexpr int counted_batches = 10;

// A connection of the library's and its peer, at the two ends of a pair of sockets.
class Pair {
  public:
    Pair() {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
            bench::give_up("no pair of sockets");
        }
        peer_fd_ = ends[0];
        peer_ = std::make_unique<bench::LoopbackConnection>(
            std::make_unique<bench::Wire>(ends[0]), bench::LoopbackConnection::Kind::amqp, memory_);
        link_ = std::make_unique<bench::ScaleLink>(loop_, 1);
        link_->open_fd(ends[1]);
        answered();
    }
    ~Pair() {
        link_->close();
        answered();
        link_ = nullptr;
        loop_.clean_up();
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    bench::ScaleLink& link() { return *link_; }
    bench::ScaleLoop& loop() { return loop_; }
    const std::string& body() const { return body_; }
    // A turn of the library's loop.
    void turn() { loop_.turn(); }
    // The peer reads what there is and answers it.
    void serve() {
        pollfd ready{peer_fd_, POLLIN, 0};
        while (::poll(&ready, 1, 0) > 0) {
            if (!peer_->on_readable()) bench::give_up("the connection ended");
        }
    }
    // Until all that was begun is done.
    void answered() {
        while (!loop_.settled()) {
            turn();
            serve();
        }
    }
    void publish() {
        for (std::uint64_t i = 0; i < batch; ++i) {
            if (!link_->publish(0, body_)) bench::give_up("a publish was refused");
        }
    }

  private:
    bench::ScaleLoop loop_;
    bench::ReadMemory memory_;
    int peer_fd_ = -1;
    std::unique_ptr<bench::LoopbackConnection> peer_;
    std::unique_ptr<bench::ScaleLink> link_;
    std::string body_ = std::string(body_size, 'x');
};

// `before` and `after` are not counted.
template <class Before, class Counted, class After>
void count(const char* kind, Before before, Counted counted, After after) {
    for (int i = 0; i < warm_up_batches + counted_batches; ++i) {
        before();
        if (i >= warm_up_batches) CALLGRIND_TOGGLE_COLLECT;
        counted();
        if (i >= warm_up_batches) CALLGRIND_TOGGLE_COLLECT;
        after();
    }
    const std::string description =
        std::string(kind) + " " + std::to_string(batch * counted_batches);
    CALLGRIND_DUMP_STATS_AT(description.c_str());
}

void require(bool condition, const char* what) {
    if (!condition) bench::give_up(what);
}

// Publishes and the write that takes them.
void count_publishes(const char* kind, bool prepared, bool confirm) {
    Pair pair;
    pair.link().open_channel(confirm);
    pair.answered();
    if (prepared) pair.link().prepare(0);
    count(
        kind, [] {},
        [&] {
            pair.publish();
            pair.turn();
        },
        [&] {
            pair.serve();
            pair.turn();  // the confirms
            require(pair.link().info("outbox_bytes") == 0, "a batch was not written at once");
        });
}

// A read, and the deliveries in it; or their acks, and the write that takes them.
void count_deliveries(const char* kind, bool acks) {
    Pair pair;
    bench::ScaleLink& link = pair.link();
    link.open_channel();
    link.consume_echo(!acks);
    pair.answered();
    std::uint64_t acked = 0;
    const auto receive = [&] {
        pair.turn();
        require(link.received() == link.published(), "a batch was not read at once");
    };
    const auto echo = [&] {
        pair.publish();
        pair.turn();
        pair.serve();
        if (acks) receive();
    };
    count(
        kind, echo,
        [&] {
            if (!acks) return receive();
            for (; acked < link.received(); ++acked)
                link.ack(0, acked + 1);
            pair.turn();
        },
        [&] { pair.serve(); });
}

// A read, and the outcomes that its acks give.
void count_confirms(const char* kind, const char* manner) {
    Pair pair;
    bench::ScaleLink& link = pair.link();
    link.open_channel(true);
    if (manner != nullptr) link.declare(0, "confirms:hold");
    pair.answered();
    count(
        kind,
        [&] {
            pair.publish();
            pair.turn();
            pair.serve();
            if (manner == nullptr) return;
            link.declare(0, manner);
            pair.turn();
            pair.serve();
        },
        [&] { pair.turn(); },
        [&] { require(link.settled() == link.published(), "a batch was not settled at once"); });
}

// The same calls, in C and by haigha.hpp: what counts is the program's own part.
void count_publishing_callers(const char* kind, bench::Language language) {
    Pair pair;
    pair.link().open_channel();
    pair.answered();
    count(
        kind, [] {},
        [&] { bench::publish_in(language, pair.link().handle(0), pair.body(), batch); },
        [&] {
            pair.turn();
            pair.serve();
        });
}

void count_consuming_callers(const char* kind, bench::Language language) {
    Pair pair;
    std::uint64_t bytes = 0;
    std::uint64_t expected = 0;
    pair.link().open_channel();
    pair.answered();
    bench::consume_in(language, pair.link().handle(0), pair.loop().then(), &bytes);
    pair.answered();
    count(
        kind,
        [&] {
            bench::publish_in(bench::Language::c, pair.link().handle(0), pair.body(), batch);
            pair.turn();
            pair.serve();
        },
        [&] { pair.turn(); },
        [&] {
            expected += batch * body_size;
            require(bytes == expected, "a batch was not read at once");
            pair.turn();
            pair.serve();
        });
}

}  // namespace

int main() {
#if defined(__clang__)
    std::printf("clang %d", __clang_major__);
#else
    std::printf("gcc %d", __GNUC__);
#endif
#if defined(__x86_64__)
    const char* const machine = "x86_64";
#elif defined(__aarch64__)
    const char* const machine = "aarch64";
#else
    const char* const machine = "another machine";
#endif
    std::printf(", glibc %s, libuv %s, %s\n", gnu_get_libc_version(), uv_version_string(), machine);
    std::fflush(stdout);
    count_publishes("publish", false, false);
    count_publishes("publish, prepared", true, false);
    count_publishes("publish, confirm channel", false, true);
    count_confirms("confirm, multiple", nullptr);
    count_confirms("confirm, one each", "confirms:single");
    count_deliveries("delivery", false);
    count_deliveries("ack", true);
    count_publishing_callers("caller of publish, C", bench::Language::c);
    count_publishing_callers("caller of publish, C++", bench::Language::cpp);
    count_consuming_callers("handler that acks, C", bench::Language::c);
    count_consuming_callers("handler that acks, C++", bench::Language::cpp);
    return 0;
}
