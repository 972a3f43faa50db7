// A short storm, on a broker of its own.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "storm/storm.h"
#include "support/sanitizers.h"

namespace haigha::storm {
namespace {

// rules 5, 44, 47: whatever strikes, and whenever.
TEST(Storm, NothingConfirmedIsLostInAShortOne) {
    if (!test::BrokerNodes::available()) {
        GTEST_SKIP() << "HAIGHA_BROKER_TOOL does not name tools/broker: run this by meson test";
    }
    StormSetting setting;
    setting.duration_ms = 25'000;
    setting.per_second = test::thread_sanitizer || test::address_sanitizer ? 20 : 50;
    const char* const release = std::getenv("HAIGHA_BROKER_RELEASE");
    setting.quorum_limits = release != nullptr && std::string_view(release).starts_with('4');
    StormResult result;
    run_storm(setting, &result);
    print_report(result);
    for (const std::string& finding : result.findings.lines())
        ADD_FAILURE() << finding;
    // It was one.
    EXPECT_GT(result.links.losses, 4);
    EXPECT_GT(result.faults[static_cast<int>(FaultKind::kill_node)], 0U);
}

}  // namespace
}  // namespace haigha::storm
