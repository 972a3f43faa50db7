#include "bench_contender.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace bench {

namespace {

// Of large messages there are few: a hundred thousand go first, by the divisor.
constexpr std::uint64_t warm_divisor = 2;
constexpr std::uint64_t least_warm = 100'000;
// Below it a body that is lent is copied all the same.
constexpr std::size_t least_lent_size = 16 * 1024;
// What hangs must not hang the benchmark.
constexpr int longest_run_s = 120;

std::optional<Figures> run_haigha(ClientOptions options, const Task& task) {
    options.confirm = task.work == Work::publish_confirm;
    options.uri = task.uri;
    options.queue = task.queue;
    Client client(0, options);
    const std::int64_t writes = client.info("writes");
    const std::int64_t reads = client.info("reads");
    Figures figures = measure(task.count, [&] {
        if (publishes(task.work)) {
            client.publish(task.count, task.size);
        } else {
            client.consume(task.count, task.size, task.work == Work::consume_ack);
        }
    });
    const auto messages = static_cast<double>(task.count);
    figures.writes = static_cast<double>(client.info("writes") - writes) / messages;
    figures.reads = static_cast<double>(client.info("reads") - reads) / messages;
    figures.knows_calls = true;
    return figures;
}

// Its contract is in docs/performance.md.
std::optional<Figures> run_program(const PeerProgram& program, const Task& task) {
    const std::string command =
        "timeout -k 5 " + std::to_string(longest_run_s) + " " + program.command + " '" + task.uri +
        "' " + name_of(task.work) + " " + std::to_string(task.size) + " " +
        std::to_string(task.total()) + " " + std::to_string(task.warm) + " " +
        std::to_string(window) + " " + std::to_string(prefetch) + " '" + task.queue + "'";
    std::FILE* out = popen(command.c_str(), "r");
    Figures figures;
    const int read =
        out == nullptr ? 0 : std::fscanf(out, "%lf %lf", &figures.cpu_us, &figures.rate);
    if (out == nullptr || pclose(out) != 0 || read != 2) {
        std::printf("%s failed and is left out: %s, %s of %zu octets\n", program.name.c_str(),
                    program.command.c_str(), name_of(task.work), task.size);
        return std::nullopt;
    }
    return figures;
}

}  // namespace

Task Contender::share_of(Task whole) const {
    whole.count /= divisor;
    if (warm_divisor > 0) whole.warm = std::max(whole.count / warm_divisor, least_warm);
    return whole;
}

std::vector<Contender> haigha_contenders(const ClientOptions& common, bool attached_too) {
    std::vector<Contender> all;
    for (const bool attached : {true, false}) {
        if (attached && !attached_too) continue;
        for (const char* const way : {"", ", prepared", ", prepared, lent"}) {
            ClientOptions options = common;
            options.attached = attached;
            options.prepared = *way != '\0';
            options.lent = std::string_view(way).ends_with("lent");
            Contender contender;
            contender.name = std::string("haigha, ") + (attached ? "attached" : "owned") + way;
            contender.run = [options](const Task& task) { return run_haigha(options, task); };
            contender.only_publishes = options.prepared;
            if (options.lent) contender.least_size = least_lent_size;
            all.push_back(contender);
        }
    }
    ClientOptions options = common;
    options.inbox = true;
    Contender contender;
    contender.name = "haigha, owned, inbox";
    contender.run = [options](const Task& task) { return run_haigha(options, task); };
    contender.only_consumes = true;
    all.push_back(contender);
    return all;
}

Contender peer_contender(const PeerProgram& program) {
    Contender contender;
    contender.name = program.name;
    contender.divisor = program.divisor;
    contender.is_peer = true;
    contender.run = [program](const Task& task) { return run_program(program, task); };
    contender.warm_divisor = warm_divisor;
    contender.least_warm = least_warm / program.divisor;
    return contender;
}

bool is_wanted(const std::string& only, const Contender& contender, const Task& task) {
    if (contender.only_publishes && !publishes(task.work)) return false;
    if (contender.only_consumes && publishes(task.work)) return false;
    if (task.size < contender.least_size) return false;
    const std::string row =
        std::to_string(task.size) + " " + name_of(task.work) + " " + contender.name;
    return row.find(only) != std::string::npos;
}

}  // namespace bench
