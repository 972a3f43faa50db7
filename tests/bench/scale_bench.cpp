// What a message costs and takes in memory when there are many: connections, channels, outstanding
// confirms, large bodies, producers; and how long one takes alone.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench_peer.h"
#include "scale_report.h"

namespace {

constexpr char usage[] =
    R"(usage: scale_bench [--quick] [--repetitions N] [--json FILE] [--only TEXT]

  --quick          less of everything, one repetition
  --repetitions N  of each measurement (3)
  --json FILE      writes the rows there as well
  --only TEXT      the parts whose name has TEXT: connections, channels, confirms, bodies,
                   producers, latency

CPU is that of this process, user and system; the least of the repetitions. A ratio is that of two
figures of the same run.
)";

struct Part {
    const char* name;
    void (*run)(const bench::ScaleSettings& settings);
};

constexpr Part parts[] = {
    {"connections", bench::run_connections}, {"channels", bench::run_channels},
    {"confirms", bench::run_confirms},       {"bodies", bench::run_bodies},
    {"producers", bench::run_producers},     {"latency", bench::run_latency},
};

int misused() {
    std::fputs(usage, stderr);
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    bench::ScaleReport report;
    bench::ScaleSettings settings;
    settings.report = &report;
    std::string json_file;
    std::string only;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--help") {
            std::fputs(usage, stdout);
            return 0;
        }
        if (argument == "--quick") {
            settings.quick = true;
            settings.repetitions = 1;
            continue;
        }
        if (i + 1 == argc) return misused();
        const char* const value = argv[++i];
        if (argument == "--repetitions") {
            settings.repetitions = std::atoi(value);
        } else if (argument == "--json") {
            json_file = value;
        } else if (argument == "--only") {
            only = value;
        } else {
            return misused();
        }
    }
    if (settings.repetitions < 1) return misused();
    report.print_heading();
    for (const Part& part : parts) {
        if (std::strstr(part.name, only.c_str()) != nullptr) part.run(settings);
    }
    if (!json_file.empty() && !report.write(json_file)) {
        bench::give_up("cannot write " + json_file);
    }
    return 0;
}
