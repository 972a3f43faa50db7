// What a message costs through the C API against the loopback peer, beside the floor of the same
// run (the same octets by bare system calls) and other clients that do the same work. Each run
// checks that every message arrived, once, in order and whole.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench_client.h"
#include "bench_peer.h"
#include "bench_table.h"

namespace {

using bench::Figures;
using bench::give_up;
using bench::LoopbackPeer;
using bench::Series;

constexpr char usage[] =
    R"(usage: loopback_bench [--quick] [--repetitions N] [--json FILE] [--only TEXT]
                      [--high-water BYTES] [--tls]

  --quick             a tenth of the messages, one repetition
  --repetitions N     of each measurement (5)
  --json FILE         writes the table there as well
  --only TEXT         what has TEXT in "BYTES WORK CLIENT", such as "16 publish haigha, attached"
  --high-water BYTES  the option outbox_high_water_bytes of haigha's connections
  --tls               over TLS; the floor is then bare SSL_write and SSL_read
)";

enum class Work : std::uint8_t { publish, publish_confirm, consume, consume_ack };
constexpr Work all_work[] = {Work::publish, Work::publish_confirm, Work::consume,
                             Work::consume_ack};

const char* name_of(Work work) {
    switch (work) {
        case Work::publish:
            return "publish";
        case Work::publish_confirm:
            return "publish+confirm";
        case Work::consume:
            return "consume";
        case Work::consume_ack:
            return "consume+ack";
    }
    return "";
}

bool publishes(Work work) {
    return work == Work::publish || work == Work::publish_confirm;
}

struct Arguments {
    bool quick = false;
    int repetitions = 5;
    std::string json_file;
    std::string only;
    std::int64_t high_water = 0;
    bool tls = false;
};

Figures measure(std::uint64_t count, const std::function<void()>& work) {
    const double cpu = bench::cpu_seconds();
    const double wall = bench::wall_seconds();
    work();
    const auto messages = static_cast<double>(count);
    Figures figures;
    figures.cpu_us = (bench::cpu_seconds() - cpu) / messages * 1e6;
    figures.rate = messages / (bench::wall_seconds() - wall);
    return figures;
}

// What the peer saw of the run that has just ended must be what was asked for.
void verify(LoopbackPeer& peer, const std::string& who, Work work, std::size_t size,
            std::uint64_t count) {
    const bench::PeerCounts counts = peer.counts();
    const bool right =
        counts.wrong == 0 &&
        (publishes(work)
             ? counts.published == count && counts.body_bytes == count * size
             : counts.delivered == count && counts.acked == (work == Work::consume ? 0 : count));
    if (right) return;
    give_up(who + ", " + name_of(work) +
            ": the peer counted otherwise: " + std::to_string(counts.published) + " published, " +
            std::to_string(counts.body_bytes) + " bytes, " + std::to_string(counts.wrong) +
            " wrong, " + std::to_string(counts.delivered) + " delivered, " +
            std::to_string(counts.acked) + " acked");
}

Figures run_floor(LoopbackPeer& peer, Work work, std::size_t size, std::uint64_t count) {
    if (!publishes(work)) {
        std::uint64_t bytes = 0;
        const Figures figures = measure(count, [&] { bytes = peer.read_floor(size, count); });
        if (bytes < count * size) give_up("the floor read too little");
        return figures;
    }
    const Figures figures = measure(count, [&] { peer.write_floor(size, count); });
    verify(peer, "the floor", Work::publish, size, count);
    return figures;
}

Figures run_haigha(LoopbackPeer& peer, const bench::ClientOptions& options, Work work,
                   std::size_t size, std::uint64_t count) {
    Figures figures;
    {
        bench::Client client(peer.amqp_port(), options);
        const std::int64_t writes = client.info("writes");
        const std::int64_t reads = client.info("reads");
        figures = measure(count, [&] {
            if (publishes(work)) {
                client.publish(count, size);
            } else {
                client.consume(count, size, work == Work::consume_ack);
            }
        });
        const auto messages = static_cast<double>(count);
        figures.writes = static_cast<double>(client.info("writes") - writes) / messages;
        figures.reads = static_cast<double>(client.info("reads") - reads) / messages;
        figures.knows_calls = true;
    }
    verify(peer, "haigha", work, size, count);
    return figures;
}

// A program that does the work itself and prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND".
Figures run_program(LoopbackPeer& peer, const std::string& program, Work work, std::size_t size,
                    std::uint64_t count) {
    const std::string command = "'" + program + "' " + std::to_string(peer.amqp_port()) + " " +
                                name_of(work) + " " + std::to_string(size) + " " +
                                std::to_string(count) + " " + std::to_string(bench::window) + " " +
                                std::to_string(bench::prefetch);
    std::FILE* out = popen(command.c_str(), "r");
    if (out == nullptr) give_up("cannot start " + program);
    Figures figures;
    const int read = std::fscanf(out, "%lf %lf", &figures.cpu_us, &figures.rate);
    if (pclose(out) != 0 || read != 2) give_up(program + " failed");
    verify(peer, program, work, size, count);
    return figures;
}

struct Contender {
    std::string name;
    // Slow ones get fewer messages.
    std::uint64_t divisor = 1;
    std::function<Figures(LoopbackPeer&, Work, std::size_t, std::uint64_t)> run;
    bool only_publishes = false;  // it has no way of its own to consume
};

std::vector<Contender> contenders(const Arguments& arguments) {
    std::vector<Contender> all;
    all.push_back({"floor", 1, run_floor});
    for (const bool attached : {false, true}) {
        for (const bool prepared : {false, true}) {
            const auto run = [=](LoopbackPeer& peer, Work work, std::size_t size,
                                 std::uint64_t count) {
                bench::ClientOptions options;
                options.attached = attached;
                options.prepared = prepared;
                options.confirm = work == Work::publish_confirm;
                options.outbox_high_water = arguments.high_water;
                options.tls = arguments.tls;
                return run_haigha(peer, options, work, size, count);
            };
            all.push_back({std::string("haigha, ") + (attached ? "attached" : "owned") +
                               (prepared ? ", prepared" : ""),
                           1, run, prepared});
        }
    }
    if (arguments.tls) return all;  // the others' programs speak without
    const std::string rabbitmq_c = bench::beside("rabbitmq_c_client");
    if (rabbitmq_c.empty()) {
        std::printf(
            "rabbitmq-c is missing: its client was not built, for want of librabbitmq-dev\n\n");
    } else {
        const auto run = [=](LoopbackPeer& peer, Work work, std::size_t size, std::uint64_t count) {
            return run_program(peer, rabbitmq_c, work, size, count);
        };
        all.push_back({"rabbitmq-c", 10, run});
    }
    return all;
}

void run_table(const Arguments& arguments) {
    LoopbackPeer peer(arguments.tls);
    const std::vector<Contender> all = contenders(arguments);
    bench::JsonReport json;
    bench::print_heading(arguments.repetitions);
    for (const std::size_t size : {std::size_t{16}, std::size_t{1024}, std::size_t{16384}}) {
        const std::uint64_t count = (size == 16     ? 2'000'000
                                     : size == 1024 ? 500'000
                                                    : 60'000) /
                                    (arguments.quick ? 10 : 1);
        for (const Work work : all_work) {
            std::vector<Series> table;
            for (const Contender& contender : all)
                table.push_back({size, name_of(work), contender.name, {}});
            const auto wanted = [&](std::size_t at) {
                const bool publishes = work == Work::publish || work == Work::publish_confirm;
                if (all[at].only_publishes && !publishes) return false;
                const std::string row =
                    std::to_string(size) + " " + name_of(work) + " " + all[at].name;
                return row.find(arguments.only) != std::string::npos;
            };
            bool any = false;
            for (std::size_t at = 1; at < all.size(); ++at)
                any |= wanted(at);
            if (!any) continue;
            // In turns, so that what else the machine does falls on all alike.
            for (int repetition = 0; repetition < arguments.repetitions; ++repetition) {
                for (std::size_t at = 0; at < all.size(); ++at) {
                    if (at > 0 && !wanted(at)) continue;
                    table[at].runs.push_back(
                        all[at].run(peer, work, size, count / all[at].divisor));
                }
            }
            for (const Series& series : table) {
                if (series.runs.empty()) continue;
                bench::print_row(series, table.front());
                json.add(series, table.front());
            }
        }
    }
    if (!arguments.json_file.empty()) json.write(arguments.json_file);
}

std::optional<Arguments> parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--quick") {
            arguments.quick = true;
            arguments.repetitions = 1;
            continue;
        }
        if (argument == "--tls") {
            arguments.tls = true;
            continue;
        }
        if (i + 1 == argc) return std::nullopt;
        const char* const value = argv[++i];
        if (argument == "--repetitions") {
            arguments.repetitions = std::atoi(value);
        } else if (argument == "--json") {
            arguments.json_file = value;
        } else if (argument == "--only") {
            arguments.only = value;
        } else if (argument == "--high-water") {
            arguments.high_water = std::atoll(value);
        } else {
            return std::nullopt;
        }
    }
    if (arguments.repetitions < 1) return std::nullopt;
    return arguments;
}

}  // namespace

int main(int argc, char** argv) {
    const std::optional<Arguments> arguments = parse(argc, argv);
    if (!arguments) {
        const bool asked = argc > 1 && std::strcmp(argv[1], "--help") == 0;
        std::fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    run_table(*arguments);
    return 0;
}
