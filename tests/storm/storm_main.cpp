// A storm of any length: tools/dev storm.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "storm/storm.h"

namespace {

int usage() {
    std::fprintf(stderr,
                 "usage: storm [--minutes N | --seconds N] [--seed S] [--nodes 1|3] [--rate N] "
                 "[--quiet] [--plan]\n");
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace haigha::storm;
    StormSetting setting;
    setting.tells = true;
    bool only_plan = false;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (option == "--quiet") {
            setting.tells = false;
            continue;
        }
        if (option == "--plan") {
            only_plan = true;
            continue;
        }
        char* end = nullptr;
        const long long value = i + 1 < argc ? std::strtoll(argv[++i], &end, 10) : -1;
        if (end == nullptr || *end != '\0' || value < 0) return usage();
        if (option == "--minutes") {
            setting.duration_ms = value * 60'000;
        } else if (option == "--seconds") {
            setting.duration_ms = value * 1000;
        } else if (option == "--seed") {
            setting.seed = static_cast<std::uint64_t>(value);
        } else if (option == "--nodes" && (value == 1 || value == 3)) {
            setting.nodes = static_cast<unsigned>(value);
        } else if (option == "--rate" && value >= 1 && value <= 1000) {
            setting.per_second = static_cast<int>(value);
        } else {
            return usage();
        }
    }
    if (only_plan) {
        for (unsigned round = 0; round < rounds_of(setting); ++round) {
            std::printf("round %u\n", round + 1);
            for (const auto& lane : plan_faults(plan_setting(setting, round)).lane) {
                for (const Fault& fault : lane)
                    std::printf("%s\n", describe(fault).c_str());
            }
        }
        return 0;
    }
    if (!haigha::test::BrokerNodes::available()) {
        std::fprintf(stderr, "storm: HAIGHA_BROKER_TOOL does not name tools/broker\n");
        return 2;
    }
    const char* const release = std::getenv("HAIGHA_BROKER_RELEASE");
    setting.quorum_limits = release != nullptr && std::strncmp(release, "4", 1) == 0;
    StormResult result;
    run_storm(setting, &result);
    print_report(result);
    return result.findings.none() ? 0 : 1;
}
