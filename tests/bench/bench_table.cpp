#include "bench_table.h"

#include <algorithm>
#include <cstdio>

#include "bench_peer.h"
#include "haigha/haigha.h"

namespace bench {

const Figures& Series::least() const {
    return *std::min_element(runs.begin(), runs.end(), [](const Figures& a, const Figures& b) {
        return a.cpu_us < b.cpu_us;
    });
}

double Series::median_cpu_us() const {
    std::vector<double> all;
    for (const Figures& run : runs)
        all.push_back(run.cpu_us);
    std::sort(all.begin(), all.end());
    const std::size_t half = all.size() / 2;
    return all.size() % 2 == 1 ? all[half] : (all[half - 1] + all[half]) / 2;
}

double Series::most_rate() const {
    double most = 0;
    for (const Figures& run : runs)
        most = std::max(most, run.rate);
    return most;
}

void print_heading(const std::string& peer, int repetitions) {
    std::printf(
        "libhaigha %s against %s, %d repetitions.\n"
        "CPU: of the client, user and system, in microseconds per message; ratio: least to the\n"
        "floor's least; rate: the most; system calls: of the run with the least CPU.\n\n"
        "%6s  %-15s  %-26s  %9s  %9s  %9s  %7s  %11s  %10s  %9s\n",
        haigha_version_string(), peer.c_str(), repetitions, "bytes", "work", "client", "messages",
        "CPU least", "median", "ratio", "messages/s", "writes/msg", "reads/msg");
    std::fflush(stdout);
}

void print_row(const Series& series, const Series* floor) {
    const Figures& best = series.least();
    std::printf("%6zu  %-15s  %-26s  %9llu  %9.4f  %9.4f", series.size, series.work.c_str(),
                series.client.c_str(), static_cast<unsigned long long>(series.count), best.cpu_us,
                series.median_cpu_us());
    if (floor != nullptr) {
        std::printf("  %7.2f", best.cpu_us / floor->least().cpu_us);
    } else {
        std::printf("  %7s", "");
    }
    std::printf("  %11.0f", series.most_rate());
    if (best.knows_calls) std::printf("  %10.5f  %9.5f", best.writes, best.reads);
    std::printf("\n");
    std::fflush(stdout);
}

void JsonReport::add(const Series& series, const Series* floor) {
    const Figures& best = series.least();
    char row[512];
    std::snprintf(row, sizeof row,
                  "%s\n  {\"table\": \"%s\", \"bytes\": %zu, \"work\": \"%s\", \"client\": \"%s\", "
                  "\"messages\": %llu, \"cpu_us_least\": %.5f, \"cpu_us_median\": %.5f, "
                  "\"messages_per_s\": %.0f",
                  rows_.empty() ? "" : ",", table_.c_str(), series.size, series.work.c_str(),
                  series.client.c_str(), static_cast<unsigned long long>(series.count), best.cpu_us,
                  series.median_cpu_us(), series.most_rate());
    rows_ += row;
    if (floor != nullptr) {
        std::snprintf(row, sizeof row, ", \"ratio_to_floor\": %.3f",
                      best.cpu_us / floor->least().cpu_us);
        rows_ += row;
    }
    if (best.knows_calls) {
        std::snprintf(row, sizeof row,
                      ", \"writes_per_message\": %.6f, \"reads_per_message\": %.6f", best.writes,
                      best.reads);
        rows_ += row;
    }
    rows_ += "}";
}

void JsonReport::write(const std::string& file) const {
    std::FILE* out = std::fopen(file.c_str(), "w");
    if (out == nullptr) give_up("cannot write " + file);
    std::fprintf(out, "[%s\n]\n", rows_.c_str());
    if (std::fclose(out) != 0) give_up("cannot write " + file);
}

}  // namespace bench
