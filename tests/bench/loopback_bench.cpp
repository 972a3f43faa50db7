// What a message costs through the C API against the loopback peer, beside the floor of the same
// run (the same octets by bare system calls) and other clients that do the same work. Each run
// checks that every message arrived, once, in order and whole.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench_arguments.h"
#include "bench_contender.h"
#include "bench_peer.h"
#include "bench_table.h"
#include "bench_work.h"

namespace {

using bench::Arguments;
using bench::Contender;
using bench::Figures;
using bench::give_up;
using bench::LoopbackPeer;
using bench::Series;
using bench::Task;
using bench::Work;

constexpr char usage[] =
    R"(usage: loopback_bench [OPTIONS]

  --quick             a tenth of the messages, one repetition
  --repetitions N     of each measurement (3)
  --json FILE         writes the table there as well
  --only TEXT         what has TEXT in "BYTES WORK CLIENT", such as "16 publish haigha, attached"
  --high-water BYTES  the option outbox_high_water_bytes of haigha's connections
  --tls               over TLS; the floor is then bare SSL_write and SSL_read, and there are no peers
  --peer NAME DIVISOR COMMAND
                      measures that program too, with 1/DIVISOR of the messages; may be repeated
)";

struct Measured {
    std::size_t size;
    std::uint64_t count;
};
constexpr Measured sizes[] = {{16, 2'000'000}, {1024, 500'000}, {16384, 60'000}};

class Bench {
  public:
    explicit Bench(const Arguments& arguments) : arguments_(arguments) {
        restart_peer();
        Contender floor;
        floor.name = "floor";
        floor.run = [this](const Task& task) { return run_floor(task, false); };
        all_.push_back(floor);
        floor.name = "floor, copied";
        floor.run = [this](const Task& task) { return run_floor(task, true); };
        floor.only_publishes = true;
        all_.push_back(floor);
        bench::ClientOptions options;
        options.outbox_high_water = arguments.high_water;
        options.tls = arguments.tls;
        for (const Contender& contender : bench::haigha_contenders(options, true))
            all_.push_back(contender);
        if (arguments.tls) return;  // the others' programs speak without
        for (const bench::PeerProgram& program : arguments.peers)
            all_.push_back(bench::peer_contender(program));
    }

    void run() {
        bench::JsonReport json(arguments_.tls ? "tls" : "loopback");
        bench::print_heading("the loopback peer", arguments_.repetitions);
        for (const Measured& measured : sizes) {
            for (const Work work : bench::all_work) {
                Task task;
                task.work = work;
                task.size = measured.size;
                task.count = measured.count / (arguments_.quick ? 10 : 1);
                run_task(task, json);
            }
        }
        if (!arguments_.json_file.empty()) json.write(arguments_.json_file);
    }

  private:
    void restart_peer() {
        peer_ = nullptr;
        peer_ = std::make_unique<LoopbackPeer>(arguments_.tls);
        uri_ =
            (arguments_.tls ? "amqps://guest:guest@127.0.0.1:" : "amqp://guest:guest@127.0.0.1:") +
            std::to_string(peer_->amqp_port()) + "/%2f" +
            (arguments_.tls ? "?verify=verify_none" : "");
    }

    // What the peer saw of the run that has just ended must be what was asked for.
    bool is_right(const Contender& contender, const Task& task) {
        const bench::PeerCounts counts = peer_->counts();
        const bool right =
            counts.wrong == 0 &&
            (bench::publishes(task.work)
                 ? counts.published == task.total() && counts.body_bytes == task.total() * task.size
                 : counts.delivered == task.total() &&
                       counts.acked == (task.work == Work::consume ? 0 : task.total()));
        if (right) return true;
        const std::string why =
            contender.name + ", " + bench::name_of(task.work) +
            ": the peer counted otherwise: " + std::to_string(counts.published) + " published, " +
            std::to_string(counts.body_bytes) + " bytes, " + std::to_string(counts.wrong) +
            " wrong, " + std::to_string(counts.delivered) + " delivered, " +
            std::to_string(counts.acked) + " acked";
        if (!contender.is_peer) give_up(why);
        std::printf("%s; it is left out\n", why.c_str());
        return false;
    }

    std::optional<Figures> run_floor(const Task& task, bool copied) {
        if (bench::publishes(task.work)) {
            return bench::measure(task.count,
                                  [&] { peer_->write_floor(task.size, task.count, copied); });
        }
        std::uint64_t bytes = 0;
        const Figures figures =
            bench::measure(task.count, [&] { bytes = peer_->read_floor(task.size, task.count); });
        if (bytes < task.count * task.size) give_up("the floor read too little");
        return figures;
    }

    // Whoever fails is not tried again.
    void run_once(Contender& contender, const Task& whole, Series& into) {
        Task task = contender.share_of(whole);
        task.uri = uri_;
        task.queue = bench::publishes(task.work) ? "bench"
                                                 : "consume:" + std::to_string(task.size) + ":" +
                                                       std::to_string(task.total());
        const std::optional<Figures> figures = contender.run(task);
        if (!figures) {
            restart_peer();  // which may have something to tell of it
            contender.run = nullptr;
            return;
        }
        const bool is_counted = &contender != &all_.front() || bench::publishes(task.work);
        if (is_counted && !is_right(contender, task)) {
            contender.run = nullptr;
            return;
        }
        into.runs.push_back(*figures);
        into.count = task.count;
    }

    void run_task(const Task& task, bench::JsonReport& json) {
        std::vector<Series> table;
        std::vector<Contender*> runners;
        for (Contender& contender : all_) {
            const bool is_floor = table.empty();
            table.push_back({task.size, bench::name_of(task.work), contender.name});
            if (is_floor || bench::is_wanted(arguments_.only, contender, task))
                runners.push_back(&contender);
        }
        if (runners.size() == 1) return;
        // In turns, so that what else the machine does falls on all alike.
        for (int repetition = 0; repetition < arguments_.repetitions; ++repetition) {
            for (Contender* const runner : runners) {
                if (runner->run)
                    run_once(*runner, task, table[static_cast<std::size_t>(runner - all_.data())]);
            }
        }
        for (const Series& series : table) {
            if (series.runs.empty()) continue;
            bench::print_row(series, &table.front());
            json.add(series, &table.front());
        }
    }

    const Arguments& arguments_;
    std::vector<Contender> all_;
    std::unique_ptr<LoopbackPeer> peer_;
    std::string uri_;
};

}  // namespace

int main(int argc, char** argv) {
    const std::optional<Arguments> arguments = bench::parse_arguments(argc, argv, usage);
    if (!arguments) {
        const bool asked = argc > 1 && std::strcmp(argv[1], "--help") == 0;
        std::fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    Bench(*arguments).run();
    return 0;
}
