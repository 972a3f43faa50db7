// Tests of the strategy: hosts, delays and limits on a virtual clock, with chance that is seeded.
#include "client/connection_strategy.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace haigha::client {
namespace {

constexpr Instant start{1'000'000'000'000};

StrategySettings settings() {
    StrategySettings some;
    some.base_delay = milliseconds(100);
    some.largest_delay = milliseconds(5000);
    some.stable_after = milliseconds(10000);
    return some;
}

// The hosts of `count` attempts that all fail at once.
std::vector<std::size_t> hosts_tried(ConnectionStrategy& strategy, int count, Instant now = start) {
    std::vector<std::size_t> tried;
    for (int i = 0; i < count; ++i) {
        const auto next = strategy.next(now);
        if (next.give_up != ConnectionStrategy::Why::none) break;
        tried.push_back(next.host);
        now = next.at;
        strategy.failed(false);
    }
    return tried;
}

TEST(ConnectionStrategy, GoesThroughTheListInOrderBehindTheHostThatWasLost) {
    ConnectionStrategy strategy(3, settings(), 1);
    strategy.connected(1, start);
    strategy.lost(start);
    EXPECT_EQ(hosts_tried(strategy, 7), (std::vector<std::size_t>{2, 0, 1, 2, 0, 1, 2}));
}

TEST(ConnectionStrategy, ShufflesEachPassWithItsSeed) {
    StrategySettings shuffled = settings();
    shuffled.order = HostOrder::shuffled;
    std::set<std::vector<std::size_t>> first_passes;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        ConnectionStrategy strategy(4, shuffled, seed);
        strategy.connected(2, start);
        strategy.lost(start);
        const auto tried = hosts_tried(strategy, 8);
        ASSERT_EQ(tried.size(), 8U);
        for (int pass = 0; pass < 2; ++pass) {
            const auto begin = tried.begin() + pass * 4;
            EXPECT_EQ(std::set<std::size_t>(begin, begin + 4), (std::set<std::size_t>{0, 1, 2, 3}));
        }
        EXPECT_EQ(tried[3], 2U) << "the host that was lost comes last";
        first_passes.emplace(tried.begin(), tried.begin() + 4);
        // The same seed, the same order.
        ConnectionStrategy again(4, shuffled, seed);
        again.connected(2, start);
        again.lost(start);
        EXPECT_EQ(hosts_tried(again, 8), tried);
    }
    EXPECT_EQ(first_passes.size(), 6U);  // 3! orders of the others
}

TEST(ConnectionStrategy, AsksTheProgramAndFallsBackToTheOrder) {
    StrategySettings chosen = settings();
    chosen.order = HostOrder::chosen;
    std::size_t wanted = 2;
    std::vector<std::uint32_t> failures_seen;
    ConnectionStrategy strategy(3, chosen, 1, [&](std::span<const HostState> hosts) {
        failures_seen.push_back(hosts[2].failures);
        return wanted;
    });
    strategy.connected(0, start);
    strategy.lost(start);
    EXPECT_EQ(hosts_tried(strategy, 3), (std::vector<std::size_t>{2, 2, 2}));
    EXPECT_EQ(failures_seen, (std::vector<std::uint32_t>{0, 1, 2}));
    wanted = 7;  // there is no such host
    EXPECT_EQ(hosts_tried(strategy, 3), (std::vector<std::size_t>{0, 1, 2}));
}

// rule 60: full jitter, the cap holds after it, and there is a delay between hosts too.
TEST(ConnectionStrategy, WaitsLongerEachTimeAndNeverLongerThanTheCap) {
    StrategySettings some = settings();
    std::vector<std::int64_t> longest(12, 0);
    std::vector<std::int64_t> shortest(12, INT64_MAX);
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        ConnectionStrategy strategy(1, some, seed);
        strategy.connected(0, start);
        strategy.lost(start + some.stable_after);
        Instant now = start + some.stable_after;
        for (std::size_t attempt = 0; attempt < longest.size(); ++attempt) {
            const auto next = strategy.next(now);
            const std::int64_t delay = (next.at - now).nanoseconds / 1'000'000;
            longest[attempt] = std::max(longest[attempt], delay);
            shortest[attempt] = std::min(shortest[attempt], delay);
            now = next.at;
            strategy.failed(false);
        }
    }
    std::int64_t window = 100;
    for (std::size_t attempt = 0; attempt < longest.size(); ++attempt) {
        EXPECT_LE(longest[attempt], window) << attempt;
        EXPECT_GE(longest[attempt], window * 9 / 10) << attempt;
        EXPECT_LE(shortest[attempt], window / 10) << attempt;
        window = std::min<std::int64_t>(window * 2, 5000);
    }
}

TEST(ConnectionStrategy, DelaysEachHostByItsOwnFailures) {
    StrategySettings some = settings();
    bool between_hosts = false;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        ConnectionStrategy strategy(2, some, seed);
        strategy.connected(0, start);
        strategy.lost(start + some.stable_after);
        Instant now = start + some.stable_after;
        for (int i = 0; i < 8; ++i) {
            const auto next = strategy.next(now);
            const auto failures = strategy.hosts()[next.host].failures;
            EXPECT_EQ(failures, static_cast<std::uint32_t>(i / 2));
            EXPECT_LE((next.at - now).nanoseconds, milliseconds(100 << failures).nanoseconds);
            EXPECT_EQ(strategy.hosts()[next.host].not_before, next.at);
            between_hosts |= i == 1 && next.at > now;
            now = next.at;
            strategy.failed(false);
        }
    }
    EXPECT_TRUE(between_hosts);
}

TEST(ConnectionStrategy, DoesNotOverflowAfterManyFailures) {
    StrategySettings some = settings();
    some.base_delay = seconds(3600);
    some.largest_delay = seconds(std::int64_t{3600} * 24 * 365);
    ConnectionStrategy strategy(1, some, 7);
    strategy.connected(0, start);
    strategy.lost(start);
    for (int i = 0; i < 1000; ++i) {
        const auto next = strategy.next(start);
        ASSERT_GE(next.at, start);
        ASSERT_LE(next.at, start + some.largest_delay);
        strategy.failed(false);
    }
}

TEST(ConnectionStrategy, ForgetsFailuresOnlyAfterAStablePeriod) {
    StrategySettings some = settings();
    ConnectionStrategy strategy(1, some, 3);
    strategy.connected(0, start);
    strategy.lost(start + some.stable_after);
    hosts_tried(strategy, 4);
    EXPECT_EQ(strategy.hosts()[0].failures, 4U);
    // Up for less than that: the outage goes on.
    Instant now = start + seconds(100);
    strategy.connected(0, now);
    now = now + milliseconds(9999);
    strategy.lost(now);
    EXPECT_EQ(strategy.hosts()[0].failures, 5U);
    EXPECT_EQ(strategy.next(now).attempt, 5U);
    // Up for as long: the next outage begins afresh.
    now = now + seconds(1);
    strategy.connected(0, now);
    now = now + some.stable_after;
    strategy.lost(now);
    EXPECT_EQ(strategy.hosts()[0].failures, 0U);
    EXPECT_EQ(strategy.next(now).attempt, 1U);
}

// rule 58
TEST(ConnectionStrategy, GivesUpAfterItsAttempts) {
    StrategySettings some = settings();
    some.attempts = 3;
    ConnectionStrategy strategy(2, some, 3);
    strategy.connected(0, start);
    strategy.lost(start);
    EXPECT_EQ(hosts_tried(strategy, 10).size(), 3U);
    EXPECT_EQ(strategy.next(start).give_up, ConnectionStrategy::Why::attempts);
}

TEST(ConnectionStrategy, GivesUpRatherThanTryAfterItsDeadline) {
    StrategySettings some = settings();
    some.deadline = seconds(20);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        ConnectionStrategy strategy(1, some, seed);
        strategy.connected(0, start);
        strategy.lost(start);
        Instant now = start;
        int attempts = 0;
        while (true) {
            const auto next = strategy.next(now);
            if (next.give_up != ConnectionStrategy::Why::none) {
                EXPECT_EQ(next.give_up, ConnectionStrategy::Why::deadline);
                break;
            }
            ++attempts;
            EXPECT_LE(next.at, start + some.deadline);
            now = next.at;
            strategy.failed(false);
        }
        EXPECT_GT(attempts, 5);
    }
}

// rule 56
TEST(ConnectionStrategy, StopsAtAPermanentRefusalUnlessToldOtherwise) {
    for (const auto policy :
         {PermanentPolicy::stop, PermanentPolicy::skip, PermanentPolicy::retry}) {
        StrategySettings some = settings();
        some.permanent = policy;
        ConnectionStrategy strategy(2, some, 3);
        strategy.connected(0, start);
        strategy.lost(start);
        EXPECT_EQ(strategy.next(start).host, 1U);
        strategy.failed(true);
        const auto second = strategy.next(start);
        if (policy == PermanentPolicy::stop) {
            EXPECT_EQ(second.give_up, ConnectionStrategy::Why::permanent);
            continue;
        }
        EXPECT_EQ(second.give_up, ConnectionStrategy::Why::none);
        EXPECT_EQ(second.host, 0U);
        strategy.failed(false);
        const auto third = strategy.next(start);
        EXPECT_EQ(third.host, policy == PermanentPolicy::skip ? 0U : 1U);
        strategy.failed(true);
        const auto fourth = strategy.next(start);
        EXPECT_EQ(fourth.give_up, policy == PermanentPolicy::skip
                                      ? ConnectionStrategy::Why::permanent
                                      : ConnectionStrategy::Why::none);
    }
}

bool permanent(Status status, Stage stage, std::uint16_t code = 0) {
    const Ref<Error> error = edit_error(*make_error(status, "", stage));
    error->reply_code = code;
    return is_permanent(*error);
}

// rule 56: a table
TEST(ConnectionStrategy, KnowsWhatIsPermanent) {
    EXPECT_TRUE(permanent(Status::auth, Stage::handshake, 403));
    EXPECT_TRUE(permanent(Status::tls, Stage::tls));
    EXPECT_TRUE(permanent(Status::connection_closed_by_broker, Stage::open, 530));
    EXPECT_FALSE(permanent(Status::connection_closed_by_broker, Stage::ready, 320));
    EXPECT_FALSE(permanent(Status::connection_closed_by_broker, Stage::ready, 530));
    EXPECT_FALSE(permanent(Status::connection_closed_by_broker, Stage::open, 541));
    EXPECT_FALSE(permanent(Status::heartbeat, Stage::ready));
    EXPECT_FALSE(permanent(Status::io, Stage::tls));
    EXPECT_FALSE(permanent(Status::timeout, Stage::connect));
    EXPECT_FALSE(permanent(Status::resolve, Stage::resolve));
    EXPECT_FALSE(permanent(Status::protocol, Stage::ready));
}

}  // namespace
}  // namespace haigha::client
