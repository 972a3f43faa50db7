#include <cstdio>

#include "storm/storm.h"

namespace haigha::storm {

namespace {

long long number(std::int64_t value) {
    return static_cast<long long>(value);
}

std::int64_t percentile(const std::vector<std::int64_t>& sorted, int percent) {
    if (sorted.empty()) return 0;
    return sorted[(sorted.size() - 1) * static_cast<std::size_t>(percent) / 100];
}

void line(const char* what, std::int64_t value) {
    std::printf("  %-38s %10lld\n", what, number(value));
}

void times(const char* what, const std::vector<std::int64_t>& sorted) {
    std::printf("  %-38s p50 %lld, p90 %lld, p99 %lld, max %lld ms (of %zu)\n", what,
                number(percentile(sorted, 50)), number(percentile(sorted, 90)),
                number(percentile(sorted, 99)), number(percentile(sorted, 100)), sorted.size());
}

void change(const char* what, const StormResult& result, std::int64_t Holdings::*held) {
    std::printf("  %-38s %10lld %10lld %10lld\n", what, number(result.before.*held),
                number(result.first.*held), number(result.after.*held));
}

}  // namespace

void print_report(const StormResult& result) {
    std::printf("\nfaults (seed %llu, %lld s, %u node%s)\n",
                static_cast<unsigned long long>(result.setting.seed),
                number(result.setting.duration_ms / 1000), result.setting.nodes,
                result.setting.nodes == 1 ? "" : "s");
    for (int kind = 0; kind < fault_kinds; ++kind) {
        if (result.faults[kind] == 0) continue;
        std::printf("  %-38s %10llu\n", std::string(name_of(static_cast<FaultKind>(kind))).c_str(),
                    static_cast<unsigned long long>(result.faults[kind]));
    }
    line(("late by at most, ms, after " + std::string(name_of(result.latest_after))).c_str(),
         result.latest_ms);

    const Account::Totals& totals = result.totals;
    std::printf("\nmessages\n");
    line("published, each with a number", static_cast<std::int64_t>(totals.messages));
    line("attempts", static_cast<std::int64_t>(totals.attempts));
    const char* const outcomes[] = {"",           "  confirmed", "  nacked",
                                    "  returned", "  not sent",  "  unknown"};
    for (int outcome = 1; outcome <= 5; ++outcome)
        line(outcomes[outcome], static_cast<std::int64_t>(totals.outcomes[outcome]));
    line("refused for the time being", static_cast<std::int64_t>(result.refusals));
    line("deliveries", static_cast<std::int64_t>(totals.deliveries));
    line("  repeats", static_cast<std::int64_t>(totals.repeats));
    line("  marked as redelivered", static_cast<std::int64_t>(result.redelivered));
    line("  marked as sent again", static_cast<std::int64_t>(result.republished));
    line("settled too late (stale)", static_cast<std::int64_t>(result.stale_acks));
    line("lost", static_cast<std::int64_t>(result.findings.count("lost")));
    line("invented", static_cast<std::int64_t>(result.findings.count("invented")));
    line("corrupted", static_cast<std::int64_t>(result.findings.count("corrupted")));
    line("out of order", static_cast<std::int64_t>(result.findings.count("out of order")));

    std::printf("\nconnections\n");
    line("lost", result.links.losses);
    line("attempts", result.links.attempts);
    line("blocked by the broker", result.links.blocked);
    line("entities refused at recovery", result.links.refused_entities);
    line("channels lost", static_cast<std::int64_t>(result.channel_losses));
    line("consumers ended and started again", static_cast<std::int64_t>(result.consumer_restarts));
    line("operations completed", static_cast<std::int64_t>(result.operations));
    times("outage, lost to usable", result.links.outages_ms);
    times("recovery, from when it was possible", result.links.recoveries_ms);
    line("longest a publisher had no confirm, ms", result.longest_silence_ms);
    if (result.fewest_without_a_node >= 0) {
        line("confirmed without a node, fewest", result.fewest_without_a_node);
    }
    line("calm after the storm within, ms", result.drained_in_ms);

    std::printf("\nheld                                       before   round one        end\n");
    change("heap, bytes", result, &Holdings::heap_bytes);
    change("resident, bytes", result, &Holdings::resident_bytes);
    change("descriptors", result, &Holdings::descriptors);

    std::printf("\n");
    for (const std::string& finding : result.findings.lines())
        std::printf("FAILED  %s\n", finding.c_str());
    std::printf("%s\n", result.findings.none() ? "Everything holds." : "Not everything holds.");
    std::fflush(stdout);
}

}  // namespace haigha::storm
