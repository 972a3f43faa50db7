// haigha bench: how fast messages go through a broker, and whether all of them arrive intact.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "bench_charts.h"
#include "bench_message.h"
#include "bench_options.h"
#include "bench_report.h"
#include "bench_run.h"
#include "command_line.h"
#include "commands.h"
#include "terminal.h"

namespace tool {

namespace {

constexpr std::uint64_t default_count = 100'000;

void refuse(const std::string& sentence) {
    throw Failure(exit_usage, sentence);
}

void complete(BenchOptions& options) {
    if (options.channels == 0 && options.consumers == 0) {
        refuse("--channels 0 and --consumers 0 leave nothing to do");
    }
    if (options.channels == 0 && options.queue.empty()) {
        refuse("--channels 0 needs the --queue with the messages to consume");
    }
    if (options.verify && options.size_bytes < sizeof(MessageHead)) {
        refuse("--verify needs a --size of at least " + std::to_string(sizeof(MessageHead)) +
               ", for the sequence number and the checksum");
    }
    if (options.verify && options.consumers == 0) {
        refuse("--verify needs consumers");
    }
    if (options.count == 0 && options.duration_seconds <= 0) options.count = default_count;
    if (options.channels == 0) {
        options.confirm = false;
        options.transaction = 0;
    }
}

std::ofstream open_file(const std::string& name, std::ios::openmode how) {
    std::ofstream file(name, how);
    if (!file) refuse("cannot write " + name + ": " + std::strerror(errno));
    return file;
}

void write_svg(const BenchResult& result) {
    const std::string& name = result.options.svg_file;
    std::ofstream file = open_file(name, std::ios::trunc);
    file << result_svg(result);
    file.close();
    if (!file) throw Failure(exit_failed, "cannot write " + name + ": " + std::strerror(errno));
}

ExitStatus bench(BenchOptions options) {
    complete(options);
    set_locale();
    // Before a long run, not behind it.
    if (!options.svg_file.empty()) open_file(options.svg_file, std::ios::app);
    BenchRun run(options);
    const BenchResult result = run.run();
    if (options.json) {
        print_json(result);
    } else {
        print_table(result);
    }
    if (!options.svg_file.empty()) write_svg(result);
    if (!result.failure.empty()) complain(result.failure);
    if (result.interrupted) return exit_interrupted;
    return result.is_ok() ? exit_ok : exit_failed;
}

void add_work_options(CLI::App& command, BenchOptions& options) {
    auto* const count = command.add_option("-n,--count", options.count, "Messages in all (100000)");
    count->option_text("N")->check(CLI::PositiveNumber);
    command.add_option("-d,--duration", options.duration_seconds, "Publish for so long instead")
        ->option_text("SECONDS")
        ->check(CLI::PositiveNumber)
        ->excludes(count);
    command.add_option("-s,--size", options.size_bytes, "Bytes of a body (1024)")
        ->option_text("BYTES")
        ->check(CLI::Range(0, 512 * 1024 * 1024));
    command
        .add_option("--rate", options.rate,
                    "Messages a second in all, for latencies without a queue\n"
                    "(as fast as it goes)")
        ->option_text("N")
        ->check(CLI::PositiveNumber);
    command.add_flag("--verify", options.verify,
                     "Look at each message's sequence number and checksum:\n"
                     "all must arrive exactly once and intact, or the exit\nstatus is 1");
    command.add_flag("--json", options.json, "Print the result as JSON");
    command
        .add_option("--svg", options.svg_file,
                    "Draw the rates over time and the latencies by percentile\ninto FILE")
        ->option_text("FILE");
    add_progress_option(command, options.progress);
}

void add_publish_options(CLI::App& command, BenchOptions& options) {
    const char* const group = "Publishing";
    command
        .add_option("-c,--channels", options.channels, "Channels that publish (1; 0: only consume)")
        ->option_text("N")
        ->check(CLI::Range(0, 65535))
        ->group(group);
    auto* const confirm = command.add_flag("--confirm", options.confirm, "With publisher confirms");
    confirm->option_text(" ")->group(group);
    auto* const transaction =
        command.add_option("--tx", options.transaction, "In transactions of N messages");
    transaction->option_text("N")->check(CLI::Range(1, 1'000'000))->excludes(confirm)->group(group);
    command
        .add_option("--window", options.window,
                    "Unconfirmed messages that a channel may have (1000)")
        ->option_text("N")
        ->check(CLI::Range(1, 10'000'000))
        ->group(group);
    command
        .add_flag("--persistent", options.persistent, "Persistent messages, and a durable queue")
        ->group(group);
    auto* const exchange =
        command.add_option("-e,--exchange", options.exchange,
                           "Publish to this exchange; our own queue is bound to it");
    exchange->option_text("NAME")->group(group);
    command
        .add_option("-r,--routing-key", options.routing_key, "The routing key (the queue's name)")
        ->option_text("KEY")
        ->needs(exchange)
        ->group(group);
}

void add_consume_options(CLI::App& command, BenchOptions& options) {
    const char* const group = "Consuming";
    command
        .add_option("--consumers", options.consumers,
                    "Consumers, each on a channel (1; 0: only publish)")
        ->option_text("N")
        ->check(CLI::Range(0, 65535))
        ->group(group);
    command.add_flag("--ack", options.ack, "Acknowledge each message")->group(group);
    command
        .add_option("--prefetch", options.prefetch,
                    "Unacknowledged messages that a consumer may have (1000;\n0: no limit)")
        ->option_text("N")
        ->group(group);
    auto* const queue =
        command.add_option("-q,--queue", options.queue,
                           "Use this queue, and leave it; it is declared durable if\n"
                           "there is none (a queue of our own, deleted afterwards)");
    queue->option_text("NAME")->group(group);
    command.add_option("--queue-type", options.queue_type, "The type of a queue that is declared")
        ->option_text("classic|quorum")
        ->check(CLI::IsMember({"classic", "quorum"}))
        ->group(group);
}

}  // namespace

void add_bench_command(CLI::App& app, Run& run) {
    CLI::App* const command = app.add_subcommand(
        "bench", "Measure how fast messages go through a broker, and verify them");
    const auto options = std::make_shared<BenchOptions>();
    add_work_options(*command, *options);
    add_publish_options(*command, *options);
    add_consume_options(*command, *options);
    add_broker_options(*command, options->broker);
    set_examples(
        *command,
        "  haigha bench --count 200000 --size 1024 --persistent --confirm --ack --verify\n"
        "  haigha bench --duration 30 --size 16 --channels 4\n"
        "  haigha bench --rate 2000 --duration 60 --confirm --ack --svg latency.svg\n"
        "  haigha bench --rate 1000 --confirm --ack --duration 10 --json\n"
        "  haigha bench -q backlog --consumers 0 && haigha bench -q backlog --channels 0 --ack\n\n"
        "Publishing and consuming have a connection each, and share one thread. Rates are from\n"
        "the beginning of the run to the last event of a kind; latencies from the call of\n"
        "publish, by this machine's clock; CPU is this process's, with verifying and measuring.\n"
        "Ctrl-C stops publishing, waits for what is under way, and prints the result.\n"
        "Exit status: 0 all is well; 1 a message was missing, doubled, corrupt or not\n"
        "confirmed, or the run failed; 130 interrupted.");
    command->callback([options, &run] { run = [options] { return bench(*options); }; });
}

}  // namespace tool
