// Tests of DeliveryWindow: what is open, whatever the order of settling, against a plain model.
#include "protocol/delivery_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace haigha::protocol {
namespace {

using Holder = DeliveryWindow::Holder;
using Kind = DeliveryWindow::Settlement::Kind;

constexpr Holder first = DeliveryWindow::first_consumer;
constexpr Holder second = first + 1;

struct Settling {
    Kind kind;
    std::uint64_t tag;
    std::vector<Holder> settled;
    bool operator==(const Settling&) const = default;
};

Settling settle(DeliveryWindow& window, std::uint64_t tag, bool multiple = false) {
    Settling result{};
    const auto settlement =
        window.settle(tag, multiple, [&](Holder holder) { result.settled.push_back(holder); });
    result.kind = settlement.kind;
    result.tag = settlement.tag;
    return result;
}

void add(DeliveryWindow& window, std::uint64_t from, std::uint64_t to, Holder holder) {
    for (std::uint64_t tag = from; tag <= to; ++tag)
        window.add(tag, holder);
}

TEST(DeliveryWindow, SettlesEachOnce) {
    DeliveryWindow window;
    EXPECT_EQ(settle(window, 1), (Settling{Kind::refused, 1, {}}));
    add(window, 1, 3, first);
    EXPECT_EQ(settle(window, 2), (Settling{Kind::as_given, 2, {first}}));
    EXPECT_EQ(settle(window, 2), (Settling{Kind::refused, 2, {}}));
    EXPECT_EQ(settle(window, 4), (Settling{Kind::refused, 4, {}}));
    EXPECT_EQ(window.count(first), 2U);
    EXPECT_TRUE(window.has_come(3));
    EXPECT_FALSE(window.has_come(4));
    EXPECT_FALSE(window.has_come(0));
}

// Brokers close the channel for a tag that is not open, also with multiple: it is written as the
// last open one.
TEST(DeliveryWindow, MultipleNamesAnOpenDelivery) {
    DeliveryWindow window;
    add(window, 1, 3, first);
    add(window, 4, 6, second);
    (void)settle(window, 5);
    EXPECT_EQ(settle(window, 5, true),
              (Settling{Kind::as_given, 4, {first, first, first, second}}));
    EXPECT_EQ(settle(window, 5, true), (Settling{Kind::refused, 5, {}}));
    EXPECT_EQ(settle(window, 7, true), (Settling{Kind::refused, 7, {}}));
    EXPECT_EQ(window.count(second), 1U);
}

// Tag 0 on the wire would settle what the broker has sent since, and nobody has seen.
TEST(DeliveryWindow, AllIsAllThatHasCome) {
    DeliveryWindow window;
    EXPECT_EQ(settle(window, 0, true), (Settling{Kind::none_open, 0, {}}));
    add(window, 1, 2, first);
    window.add(3, DeliveryWindow::nobody);
    EXPECT_EQ(settle(window, 0, true), (Settling{Kind::as_given, 2, {first, first}}));
    EXPECT_EQ(settle(window, 0, true), (Settling{Kind::none_open, 0, {}}));
}

TEST(DeliveryWindow, NobodysNeedNoSettling) {
    DeliveryWindow window;
    window.add(1, DeliveryWindow::nobody);
    window.add(2, first);
    window.add(3, DeliveryWindow::nobody);
    EXPECT_EQ(settle(window, 1).kind, Kind::refused);
    EXPECT_EQ(settle(window, 3).kind, Kind::refused);
    EXPECT_TRUE(window.has_come(3));
    EXPECT_EQ(settle(window, 2).kind, Kind::as_given);
}

// A broker whose tags do not count up gets what it is given, unchecked, and makes nothing grow.
TEST(DeliveryWindow, GivesUpOnABrokerThatDoesNotCount) {
    for (const std::uint64_t odd : {std::uint64_t{1}, std::uint64_t{4}, ~std::uint64_t{0}}) {
        DeliveryWindow window;
        add(window, 1, 2, first);
        window.add(odd, first);
        EXPECT_FALSE(window.tracks());
        EXPECT_EQ(settle(window, 77), (Settling{Kind::as_given, 77, {}}));
        EXPECT_EQ(settle(window, 0, true), (Settling{Kind::as_given, 0, {}}));
        add(window, 1, 3, first);
        EXPECT_FALSE(window.tracks());
        EXPECT_EQ(window.count(first), 0U);
    }
}

TEST(DeliveryWindow, AgreesWithAModel) {
    std::mt19937_64 random(81);
    DeliveryWindow window;
    std::map<std::uint64_t, Holder> open;
    std::uint64_t next = 1;
    for (int step = 0; step < 200'000; ++step) {
        const std::uint64_t roll = random() % 16;
        if (roll < 9) {
            const auto holder = static_cast<Holder>(random() % 4);
            if (holder != DeliveryWindow::nobody) open[next] = holder;
            window.add(next++, holder);
            continue;
        }
        const bool multiple = roll == 15;
        const std::uint64_t back = random() % 24;
        const std::uint64_t tag = next > back ? next - back : 0;
        if (tag == 0 && !multiple) continue;
        std::vector<Holder> expected;
        const auto first_kept = multiple ? open.upper_bound(tag == 0 ? next : tag) : open.end();
        if (tag < next && multiple) {
            for (auto at = open.begin(); at != first_kept; ++at)
                expected.push_back(at->second);
            open.erase(open.begin(), first_kept);
        } else if (const auto at = open.find(tag); !multiple && at != open.end()) {
            expected.push_back(at->second);
            open.erase(at);
        }
        const Settling got = settle(window, tag, multiple);
        ASSERT_EQ(got.settled, expected);
        ASSERT_EQ(got.kind == Kind::as_given, !expected.empty());
    }
    for (Holder holder = 1; holder < 4; ++holder) {
        EXPECT_EQ(
            window.count(holder),
            static_cast<std::size_t>(std::count_if(
                open.begin(), open.end(), [&](const auto& one) { return one.second == holder; })));
    }
}

TEST(DeliveryWindow, KnowsHowManyAreOpenAndSinceWhen) {
    const Instant first_came = Instant{} + seconds(1);
    const Instant others_came = Instant{} + seconds(2);
    const Instant never = Instant::never();
    DeliveryWindow window;
    EXPECT_EQ(window.oldest_at(never), never);
    window.add(1, DeliveryWindow::nobody, Instant{});
    EXPECT_EQ(window.oldest_at(never), never);
    window.add(2, first, first_came);
    window.add(3, first, first_came);
    window.add(4, DeliveryWindow::nobody, others_came);
    window.add(5, second, others_came);
    EXPECT_EQ(window.count_open(), 3U);
    EXPECT_EQ(window.oldest_at(never), first_came);
    (void)settle(window, 2);
    EXPECT_EQ(window.oldest_at(never), first_came);
    (void)settle(window, 3);
    EXPECT_EQ(window.count_open(), 1U);
    EXPECT_EQ(window.oldest_at(never), others_came);
    (void)settle(window, 0, true);
    EXPECT_EQ(window.count_open(), 0U);
    EXPECT_EQ(window.oldest_at(never), never);
    window.add(6, first, others_came);
    window.stop_tracking();
    EXPECT_EQ(window.count_open(), 0U);
    EXPECT_EQ(window.oldest_at(never), never);
}

}  // namespace
}  // namespace haigha::protocol
