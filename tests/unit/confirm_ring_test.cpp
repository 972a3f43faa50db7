// Tests of ConfirmRing: whatever legal order the broker settles in, each publish ends once.
#include "protocol/confirm_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace haigha::protocol {
namespace {

struct Ended {
    std::uint64_t sequence;
    Outcome outcome;
    bool operator==(const Ended&) const = default;
};

// Everything that is noted, taken in pieces of `piece`.
std::vector<Ended> take_range(ConfirmRing& ring, std::size_t piece = 4,
                              OutcomeCounts* counted = nullptr) {
    OutcomeCounts counts;
    std::vector<Ended> ended;
    std::vector<Settled> settled(piece);
    for (bool done = false; !done;) {
        const std::size_t count = ring.take(settled, &done, counted != nullptr ? *counted : counts);
        for (const Settled& one : std::span(settled).first(count)) {
            EXPECT_EQ(one.data, reinterpret_cast<void*>(one.sequence * 8));
            EXPECT_EQ(one.waiter, one.sequence % 3 == 0);
            ended.push_back({one.sequence, one.outcome});
        }
    }
    return ended;
}

void publish(ConfirmRing& ring, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t next = ring.last() + 1;
        ASSERT_EQ(ring.add(reinterpret_cast<void*>(next * 8), next % 3 == 0), next);
    }
}

struct RingDeleter {
    void operator()(ConfirmRing* ring) const { ring->release(); }
};
std::unique_ptr<ConfirmRing, RingDeleter> make_ring(std::uint64_t publishes) {
    std::unique_ptr<ConfirmRing, RingDeleter> ring(new ConfirmRing);
    publish(*ring, publishes);
    return ring;
}

// rule 65: as they arrive, not in their order
TEST(ConfirmRing, ReportsSettlementsInTheOrderOfTheirArrival) {
    const auto ring = make_ring(3);
    EXPECT_TRUE(ring->settle(2, false, Outcome::confirmed));
    EXPECT_TRUE(ring->settle(1, false, Outcome::nacked));
    EXPECT_EQ(take_range(*ring), (std::vector<Ended>{{2, Outcome::confirmed}}));
    EXPECT_EQ(take_range(*ring), (std::vector<Ended>{{1, Outcome::nacked}}));
    EXPECT_EQ(ring->outstanding(), 1U);
}

// rule 64
TEST(ConfirmRing, KeepsTheFirstOutcomeOfATagThatIsCoveredAgain) {
    const auto ring = make_ring(10);
    EXPECT_TRUE(ring->settle(5, false, Outcome::nacked));
    EXPECT_TRUE(ring->settle(9, true, Outcome::confirmed));
    EXPECT_EQ(take_range(*ring), (std::vector<Ended>{{5, Outcome::nacked}}));
    std::vector<Ended> rest;
    for (const std::uint64_t sequence : {1, 2, 3, 4, 6, 7, 8, 9})
        rest.push_back({sequence, Outcome::confirmed});
    EXPECT_EQ(take_range(*ring), rest);
    EXPECT_EQ(ring->outstanding(), 1U);
}

TEST(ConfirmRing, RefusesTagsThatWereNotPublished) {
    const auto ring = make_ring(2);
    EXPECT_FALSE(ring->settle(3, false, Outcome::confirmed));
    EXPECT_FALSE(ring->settle(3, true, Outcome::confirmed));
    EXPECT_FALSE(ring->settle(0, false, Outcome::confirmed));
    EXPECT_FALSE(ring->settle(UINT64_MAX, true, Outcome::confirmed));
    EXPECT_EQ(ring->outstanding(), 2U);
}

TEST(ConfirmRing, SettlesEverythingWithTagZeroAndMultiple) {
    const auto ring = make_ring(5);
    EXPECT_TRUE(ring->settle(0, true, Outcome::confirmed));
    EXPECT_EQ(take_range(*ring).size(), 5U);
    EXPECT_EQ(ring->outstanding(), 0U);
}

TEST(ConfirmRing, GivesNothingForATagThatIsSettledTwice) {
    const auto ring = make_ring(3);
    for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(ring->settle(1, false, Outcome::confirmed));
        EXPECT_EQ(take_range(*ring).size(), i == 0 ? 1U : 0U);
        EXPECT_TRUE(ring->settle(2, true, Outcome::nacked));
        EXPECT_EQ(take_range(*ring).size(), i == 0 ? 1U : 0U);
    }
}

// rule 63, against a model; settlements pile up before they are taken, in pieces of every size
TEST(ConfirmRing, EndsEachPublishOnceWhateverTheOrder) {
    std::mt19937 random(20240607);
    for (int round = 0; round < 400; ++round) {
        const auto ring = make_ring(0);
        std::map<std::uint64_t, Outcome> model;  // open ones are not in it
        std::map<std::uint64_t, Outcome> seen;
        std::size_t noted = 0;
        std::uint64_t open_from = 1;
        const auto note = [&](std::uint64_t tag, bool multiple, Outcome outcome) {
            ASSERT_TRUE(ring->settle(tag, multiple, outcome));
            ++noted;
            for (std::uint64_t at = multiple ? open_from : tag; at <= tag; ++at)
                model.emplace(at, outcome);
        };
        const auto take_some = [&] {
            for (; noted > 0; --noted) {
                for (const Ended& one : take_range(*ring, 1 + random() % 5)) {
                    EXPECT_TRUE(seen.emplace(one.sequence, one.outcome).second) << one.sequence;
                }
            }
        };
        for (int step = 0; step < 60; ++step) {
            if (random() % 2 == 0) publish(*ring, random() % 9);
            if (ring->last() == 0) continue;
            const std::uint64_t tag = 1 + random() % ring->last();
            note(tag, random() % 3 == 0, random() % 4 == 0 ? Outcome::nacked : Outcome::confirmed);
            if (random() % 3 == 0) take_some();
        }
        take_some();
        EXPECT_EQ(seen, model);
        EXPECT_EQ(ring->outstanding(), ring->last() - model.size());
        const std::uint64_t unsent = random() % 7;
        for (noted = ring->end(unsent); noted > 0; --noted) {
            for (const Ended& one : take_range(*ring, 3)) {
                EXPECT_TRUE(seen.emplace(one.sequence, one.outcome).second);
                const bool late = one.sequence + unsent > ring->last();
                EXPECT_EQ(one.outcome, late ? Outcome::not_sent : Outcome::unknown);
            }
        }
        EXPECT_EQ(seen.size(), ring->last());
        EXPECT_EQ(ring->outstanding(), 0U);
    }
}

// rule 51
TEST(ConfirmRing, TellsTheUnsentFromTheUnknownAtTheEnd) {
    struct Row {
        std::uint64_t published;
        std::uint64_t unsent;
        std::size_t ranges;
        std::size_t unknown;
    };
    for (const Row row : {Row{0, 0, 0, 0}, Row{5, 0, 1, 5}, Row{5, 2, 2, 3}, Row{5, 5, 1, 0},
                          Row{5, 9, 1, 0}, Row{40, 39, 2, 1}}) {
        const auto ring = make_ring(row.published);
        const std::size_t ranges = ring->end(row.unsent);
        EXPECT_EQ(ranges, row.ranges);
        std::size_t unknown = 0;
        std::size_t all = 0;
        for (std::size_t i = 0; i < ranges; ++i) {
            for (const Ended& one : take_range(*ring, 2)) {
                ++all;
                if (one.outcome == Outcome::unknown) ++unknown;
            }
        }
        EXPECT_EQ(unknown, row.unknown);
        EXPECT_EQ(all, row.published);
    }
}

// rule 72: many outstanding, settled one by one from the far end and by one multiple ack
TEST(ConfirmRing, SettlesManyWithoutSearching) {
    constexpr std::uint64_t count = 200'000;
    const auto ring = make_ring(count);
    for (std::uint64_t tag = count; tag > count / 2; --tag) {
        ASSERT_TRUE(ring->settle(tag, false, Outcome::confirmed));
        ASSERT_EQ(take_range(*ring, 1).size(), 1U);
    }
    ASSERT_TRUE(ring->settle(count, true, Outcome::confirmed));
    EXPECT_EQ(take_range(*ring, 256).size(), count / 2);
    EXPECT_EQ(ring->outstanding(), 0U);
}

TEST(ConfirmRing, GoesOnWithNothingWhenNothingIsNoted) {
    const auto ring = make_ring(3);
    Settled one{};
    bool done = false;
    OutcomeCounts counts;
    EXPECT_EQ(ring->take({&one, 1}, &done, counts), 0U);
    EXPECT_EQ(counts.total(), 0U);
    EXPECT_TRUE(done);
}

// ---- what is counted

constexpr Instant at_ms(std::int64_t n) {
    return Instant{} + milliseconds(n);
}

TEST(ConfirmRing, CountsEachOutcomeAndHowLongTheBrokerTookForIt) {
    const Ref<ConfirmRing> ring = Ref<ConfirmRing>::adopt(new ConfirmRing);
    const auto add = [&](int count, Instant now) {
        for (int i = 0; i < count; ++i) {
            const std::uint64_t next = ring->last() + 1;
            (void)ring->add(reinterpret_cast<void*>(next * 8), next % 3 == 0, 0, now);
        }
    };
    add(3, at_ms(0));   // 1 to 3
    add(4, at_ms(10));  // 4 to 7
    add(2, at_ms(30));  // 8, 9
    EXPECT_EQ(ring->oldest_at(at_ms(99)), at_ms(0));
    OutcomeCounts counts;
    ASSERT_TRUE(ring->settle(6, false, Outcome::nacked, at_ms(11)));
    (void)take_range(*ring, 4, &counts);
    ASSERT_TRUE(ring->mark_returned(5, make_error(Status::ok, "no route")));
    ASSERT_TRUE(ring->settle(8, true, Outcome::confirmed, at_ms(32)));
    (void)take_range(*ring, 2, &counts);
    (void)ring->take_return(5);
    EXPECT_EQ(ring->oldest_at(at_ms(99)), at_ms(30));
    add(1, at_ms(40));  // 10, of which not a byte has left
    EXPECT_EQ(ring->end(1), 2U);
    (void)take_range(*ring, 4, &counts);
    (void)take_range(*ring, 4, &counts);
    EXPECT_EQ(ring->oldest_at(at_ms(99)), at_ms(99));

    const auto ended = [&](Outcome outcome) {
        return counts.ended[static_cast<std::size_t>(outcome)];
    };
    EXPECT_EQ(ended(Outcome::confirmed), 6U);
    EXPECT_EQ(ended(Outcome::nacked), 1U);
    EXPECT_EQ(ended(Outcome::returned), 1U);
    EXPECT_EQ(ended(Outcome::unknown), 1U);
    EXPECT_EQ(ended(Outcome::not_sent), 1U);
    EXPECT_EQ(counts.total(), 10U);
    // 1 to 3 took 32 ms, 4, 5 and 7 took 22, 8 took 2, 6 took 1. Of the others nothing is known.
    EXPECT_EQ(counts.latency.count(), 8U);
    EXPECT_EQ(counts.latency.sum_ns, std::uint64_t{3 * 32 + 3 * 22 + 2 + 1} * 1'000'000);
}

}  // namespace
}  // namespace haigha::protocol
