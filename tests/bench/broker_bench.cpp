// What a message costs the client, and how many pass in a second, against a real broker: through
// the C API, and by other clients that do the same work on the same queue. Each run checks that
// every message arrived, once, in order and whole.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "bench_arguments.h"
#include "bench_contender.h"
#include "bench_peer.h"
#include "bench_table.h"
#include "bench_work.h"
#include "broker_queue.h"

namespace {

using bench::Arguments;
using bench::Contender;
using bench::Figures;
using bench::Series;
using bench::Task;
using bench::Work;

constexpr char usage[] =
    R"(usage: broker_bench --uri URI [OPTIONS]

  --uri URI           the broker; a queue is made there, and deleted
  --quick             a tenth of the messages, one repetition
  --repetitions N     of each measurement (2)
  --count N           messages (100000)
  --json FILE         writes the table there as well
  --only TEXT         what has TEXT in "BYTES WORK CLIENT", such as "1024 publish haigha, owned"
  --peer NAME DIVISOR COMMAND
                      measures that program too, with 1/DIVISOR of the messages; may be repeated
)";

constexpr std::size_t size = 1024;
constexpr std::uint64_t default_count = 100'000;
// The broker holds all back: only who is slower than it by far gets fewer messages.
constexpr std::uint64_t slower_than_broker = 20;
constexpr std::uint64_t warm_divisor = 10;

std::vector<Contender> contenders(const Arguments& arguments) {
    std::vector<Contender> all = bench::haigha_contenders({}, false);
    for (bench::PeerProgram program : arguments.peers) {
        program.divisor =
            program.divisor < slower_than_broker ? 1 : program.divisor / slower_than_broker;
        Contender contender = bench::peer_contender(program);
        contender.warm_divisor = warm_divisor;
        contender.least_warm = 0;
        all.push_back(contender);
    }
    return all;
}

std::optional<Figures> run_once(const Contender& contender, bench::BrokerQueue& queue,
                                const Task& whole) {
    const Task task = contender.share_of(whole);
    const bool publishes = bench::publishes(task.work);
    if (!publishes) queue.fill(task.size, task.total());
    std::optional<Figures> figures = contender.run(task);
    if (!figures) {
        queue.purge();
    } else if (!queue.holds(task.size, publishes ? task.total() : 0)) {
        const std::string why = contender.name + ", " + bench::name_of(task.work) +
                                ": the queue does not hold what it should";
        if (!contender.is_peer) bench::give_up(why);
        std::printf("%s; it is left out\n", why.c_str());
        queue.purge();
        figures.reset();
    }
    return figures;
}

void run(const Arguments& arguments) {
    std::vector<Contender> all = contenders(arguments);
    bench::BrokerQueue queue(arguments.uri);
    bench::JsonReport json("broker");
    bench::print_heading("a broker", arguments.repetitions);
    for (const Work work : bench::all_work) {
        Task task;
        task.work = work;
        task.size = size;
        task.count =
            (arguments.count == 0 ? default_count : arguments.count) / (arguments.quick ? 10 : 1);
        task.uri = arguments.uri;
        task.queue = queue.name();
        std::vector<Series> table;
        for (const Contender& contender : all)
            table.push_back({size, bench::name_of(work), contender.name});
        // In turns, so that what else the machine does falls on all alike.
        for (int repetition = 0; repetition < arguments.repetitions; ++repetition) {
            for (std::size_t at = 0; at < all.size(); ++at) {
                Contender& contender = all[at];
                if (!contender.run || !bench::is_wanted(arguments.only, contender, task)) continue;
                if (const auto figures = run_once(contender, queue, task)) {
                    table[at].runs.push_back(*figures);
                    table[at].count = contender.share_of(task).count;
                } else {
                    contender.run = nullptr;  // whoever fails is not tried again
                }
            }
        }
        for (const Series& series : table) {
            if (series.runs.empty()) continue;
            bench::print_row(series, nullptr);
            json.add(series, nullptr);
        }
    }
    if (!arguments.json_file.empty()) json.write(arguments.json_file);
}

}  // namespace

int main(int argc, char** argv) {
    Arguments defaults;
    defaults.repetitions = 2;
    const std::optional<Arguments> arguments = bench::parse_arguments(argc, argv, usage, defaults);
    if (!arguments || arguments->uri.empty()) {
        const bool asked = argc > 1 && std::strcmp(argv[1], "--help") == 0;
        std::fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    run(*arguments);
    return 0;
}
