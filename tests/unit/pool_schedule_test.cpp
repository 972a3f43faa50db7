// Tests of a pool's schedule: which channel takes which message, and what becomes of each.
#include "pool/pool_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace haigha::pool {
namespace {

using Lane = PoolSchedule::Lane;

PoolSettings settings(std::uint32_t channels, std::uint32_t in_flight) {
    PoolSettings given;
    given.channels = channels;
    given.in_flight = in_flight;
    return given;
}

ErrorRef error(Status status, bool over_a_publish) {
    const Ref<Error> made = edit_error(*make_error(status, "lost"));
    if (over_a_publish) {
        made->class_id = 60;
        made->method_id = 40;
    }
    return ErrorRef(made.get());
}
const ErrorRef lost = error(Status::io, false);
const ErrorRef no_exchange = error(Status::channel_closed_by_broker, true);
const ErrorRef not_implemented = error(Status::connection_closed_by_broker, true);

// A schedule with a broker that does what it is told to.
class Pool {
  public:
    explicit Pool(const PoolSettings& given) : schedule(given) {}

    void publish(int count, std::string_view exchange = {}, bool mandatory = false) {
        for (int i = 0; i < count; ++i) {
            protocol::PublishRequest request;
            request.exchange = exchange;
            request.mandatory = mandatory;
            schedule.add(Ref<PooledMessage>::adopt(new PooledMessage(request)));
        }
    }
    Lane open() {
        const Lane lane = schedule.add_lane();
        schedule.lane_open(lane);
        return lane;
    }
    // What each lane was given, as "lane:number": in the order in which it was taken.
    std::string pump() {
        std::string text;
        std::uint64_t last = 0;
        while (const auto next = schedule.next()) {
            EXPECT_LT(std::exchange(last, next->message->number), next->message->number);
            schedule.taken(*next);
            at[next->lane].push_back(next->message);
            text += (text.empty() ? "" : " ") + std::to_string(next->lane) + ":" +
                    std::to_string(next->message->number);
        }
        return text;
    }
    void settle_all(Lane lane, PoolOutcome outcome, const ErrorRef& why = nullptr) {
        for (const Ref<PooledMessage>& message : std::exchange(at[lane], {}))
            schedule.settle(*message, outcome, why);
    }
    void settle(Lane lane, std::size_t which, PoolOutcome outcome, const ErrorRef& why = nullptr) {
        const Ref<PooledMessage> message = at[lane].at(which);
        at[lane].erase(at[lane].begin() + static_cast<std::ptrdiff_t>(which));
        schedule.settle(*message, outcome, why);
    }
    // The channel dies with all that it has; it comes back.
    void die(Lane lane, const ErrorRef& why) {
        settle_all(lane, PoolOutcome::unknown, why);
        schedule.lane_lost(lane, why);
        at[lane].clear();
    }
    std::vector<PoolSchedule::Settled> settled() {
        std::vector<PoolSchedule::Settled> taken;
        schedule.take_settled(taken);
        return taken;
    }
    // As "number=outcome".
    std::string told() {
        static constexpr const char* names[] = {"",         "confirmed", "nacked", "returned",
                                                "not_sent", "unknown",   "refused"};
        std::string text;
        for (const PoolSchedule::Settled& one : settled()) {
            text += (text.empty() ? "" : " ") + std::to_string(one.message->number) + "=" +
                    names[static_cast<int>(one.outcome)];
        }
        return text;
    }

    PoolSchedule schedule;
    std::map<Lane, std::vector<Ref<PooledMessage>>> at;
};

TEST(PoolSchedule, AsksForChannelsOnlyWhenMessagesWait) {
    Pool pool(settings(2, 2));
    EXPECT_FALSE(pool.schedule.wants_lane());
    pool.publish(1);
    ASSERT_TRUE(pool.schedule.wants_lane());
    const Lane first = pool.schedule.add_lane();
    EXPECT_FALSE(pool.schedule.wants_lane()) << "one is coming, with room for it";
    EXPECT_EQ(pool.pump(), "") << "it is not open yet";
    pool.publish(2);
    EXPECT_TRUE(pool.schedule.wants_lane());
    pool.schedule.lane_open(first);
    EXPECT_EQ(pool.pump(), "0:1 0:2");
    EXPECT_TRUE(pool.schedule.wants_lane());
    pool.open();
    EXPECT_EQ(pool.pump(), "1:3");
    pool.publish(9);
    EXPECT_EQ(pool.pump(), "1:4");
    EXPECT_FALSE(pool.schedule.wants_lane()) << "there are two";
}

TEST(PoolSchedule, TheLeastLoadedChannelTakesTheNextAndAllTheirTurn) {
    Pool pool(settings(3, 3));
    for (int i = 0; i < 3; ++i)
        pool.open();
    pool.publish(4);
    EXPECT_EQ(pool.pump(), "0:1 1:2 2:3 0:4");
    pool.settle_all(0, PoolOutcome::confirmed);
    pool.publish(3);
    EXPECT_EQ(pool.pump(), "0:5 1:6 2:7");
    EXPECT_EQ(pool.told(), "1=confirmed 4=confirmed");
}

TEST(PoolSchedule, AvoidsChannelsThatAreStoppedFullOrLost) {
    Pool pool(settings(4, 9));
    for (int i = 0; i < 4; ++i)
        pool.open();
    pool.schedule.lane_flow(0, false);
    pool.schedule.lane_full(1, true);
    pool.schedule.lane_lost(2, lost);
    pool.publish(2);
    EXPECT_EQ(pool.pump(), "3:1 3:2");
    pool.schedule.lane_flow(3, false);
    pool.publish(4);
    EXPECT_EQ(pool.pump(), "");
    EXPECT_EQ(pool.schedule.waiting(), 4U);
    pool.schedule.lane_full(1, false);
    EXPECT_EQ(pool.pump(), "1:3 1:4 1:5 1:6");
    pool.publish(1);
    pool.schedule.lane_flow(1, false);
    pool.schedule.lane_flow(0, true);
    EXPECT_EQ(pool.pump(), "0:7");
}

TEST(PoolSchedule, WhatADeadChannelHadGoesAgainInOrderAheadOfTheRest) {
    Pool pool(settings(2, 3));
    pool.open();
    pool.open();
    pool.publish(8);
    EXPECT_EQ(pool.pump(), "0:1 1:2 0:3 1:4 0:5 1:6");
    pool.settle(0, 0, PoolOutcome::confirmed);
    pool.settle(0, 1, PoolOutcome::not_sent, lost);
    pool.settle(0, 0, PoolOutcome::unknown, lost);
    pool.schedule.lane_lost(0, lost);
    pool.settle(1, 1, PoolOutcome::confirmed);
    EXPECT_EQ(pool.pump(), "1:3");
    EXPECT_TRUE(pool.at[1].back()->unsure);
    pool.settle_all(1, PoolOutcome::confirmed);
    EXPECT_EQ(pool.pump(), "1:5 1:7 1:8");
    EXPECT_FALSE(pool.at[1].front()->unsure) << "5 never left";
    EXPECT_EQ(pool.told(), "1=confirmed 4=confirmed 2=confirmed 6=confirmed 3=confirmed");
    EXPECT_EQ(pool.schedule.counts().retried, 2U);
}

TEST(PoolSchedule, RetriesWhatItIsToldTo) {
    PoolSettings given = settings(1, 9);
    for (const Retry retry : {Retry::all, Retry::safe, Retry::none}) {
        given.retry = retry;
        Pool pool(given);
        const Lane lane = pool.open();
        pool.publish(2);
        pool.pump();
        pool.settle(lane, 1, PoolOutcome::not_sent, lost);
        pool.settle(lane, 0, PoolOutcome::unknown, lost);
        EXPECT_EQ(pool.told(), retry == Retry::all    ? ""
                               : retry == Retry::safe ? "1=unknown"
                                                      : "2=not_sent 1=unknown");
        EXPECT_EQ(pool.schedule.waiting(), retry == Retry::all    ? 2U
                                           : retry == Retry::safe ? 1U
                                                                  : 0U);
    }
}

TEST(PoolSchedule, AttemptsThatMayHaveArrivedAreCounted) {
    PoolSettings given = settings(1, 9);
    given.attempts = 2;
    Pool pool(given);
    const Lane lane = pool.open();
    pool.publish(1);
    for (const PoolOutcome outcome :
         {PoolOutcome::not_sent, PoolOutcome::not_sent, PoolOutcome::unknown}) {
        EXPECT_EQ(pool.pump(), "0:1");
        pool.settle_all(lane, outcome, lost);
        EXPECT_EQ(pool.told(), "");
    }
    EXPECT_EQ(pool.pump(), "0:1");
    pool.settle_all(lane, PoolOutcome::unknown, lost);
    EXPECT_EQ(pool.told(), "1=unknown");
    EXPECT_EQ(pool.schedule.unsettled(), 0U);
}

// One message that the broker ends channels over does not take others with it.
TEST(PoolSchedule, FindsTheMessageThatChannelsDieOf) {
    Pool pool(settings(2, 9));
    const Lane first = pool.open();
    pool.schedule.lane_flow(pool.open(), false);
    pool.publish(3);
    EXPECT_EQ(pool.pump(), "0:1 0:2 0:3");
    pool.die(first, no_exchange);
    pool.schedule.lane_flow(1, true);
    pool.publish(1);
    // Alone, on each channel, and those that follow wait.
    EXPECT_EQ(pool.pump(), "1:1");
    pool.schedule.lane_open(first);
    EXPECT_EQ(pool.pump(), "0:2");
    pool.die(first, no_exchange);
    EXPECT_EQ(pool.told(), "2=refused");
    pool.settle_all(1, PoolOutcome::confirmed);
    EXPECT_EQ(pool.pump(), "1:3");
    pool.settle_all(1, PoolOutcome::confirmed);
    EXPECT_EQ(pool.pump(), "1:4");
    EXPECT_EQ(pool.told(), "1=confirmed 3=confirmed");
}

TEST(PoolSchedule, FindsTheMessageThatConnectionsDieOf) {
    Pool pool(settings(2, 9));
    pool.open();
    pool.open();
    pool.publish(3);
    EXPECT_EQ(pool.pump(), "0:1 1:2 0:3");
    for (int round = 0; round < 2; ++round) {
        pool.die(0, not_implemented);
        pool.die(1, not_implemented);
        pool.schedule.lane_open(0);
        pool.schedule.lane_open(1);
        if (round > 0) break;
        // Of all channels one has one message.
        EXPECT_EQ(pool.pump(), "1:1");
        pool.settle_all(1, PoolOutcome::confirmed);
        EXPECT_EQ(pool.pump(), "0:2");
    }
    EXPECT_EQ(pool.told(), "1=confirmed 2=refused");
    EXPECT_EQ(pool.pump(), "1:3");
}

TEST(PoolSchedule, LimitsWhatHasNoOutcome) {
    PoolSettings given = settings(1, 9);
    given.messages = 4;
    given.bytes = 100;
    Pool pool(given);
    EXPECT_TRUE(pool.schedule.has_room(1'000'000)) << "a large one goes alone";
    pool.publish(3);
    EXPECT_TRUE(pool.schedule.has_room(100));
    EXPECT_FALSE(pool.schedule.has_room(101));
    EXPECT_TRUE(pool.schedule.is_roomy());
    pool.publish(1);
    EXPECT_FALSE(pool.schedule.has_room(0));
    EXPECT_FALSE(pool.schedule.is_roomy());
    const Lane lane = pool.open();
    pool.pump();
    pool.settle(lane, 2, PoolOutcome::nacked);
    EXPECT_TRUE(pool.schedule.has_room(0));
    EXPECT_TRUE(pool.schedule.is_roomy());
    EXPECT_EQ(pool.told(), "3=nacked");
}

PoolSettings transactions(std::uint32_t channels, std::uint32_t in_flight) {
    PoolSettings given = settings(channels, in_flight);
    given.transactions = true;
    return given;
}

TEST(PoolSchedule, CommitsWhatWaitedTogether) {
    Pool pool(transactions(1, 3));
    const Lane lane = pool.open();
    pool.publish(4);
    EXPECT_EQ(pool.pump(), "0:1 0:2 0:3");
    EXPECT_EQ(pool.schedule.due_commits(), std::vector<Lane>{lane});
    pool.schedule.committing(lane);
    EXPECT_TRUE(pool.schedule.due_commits().empty());
    EXPECT_EQ(pool.pump(), "") << "nothing is published behind a commit";
    pool.schedule.committed(lane);
    EXPECT_EQ(pool.told(), "1=confirmed 2=confirmed 3=confirmed");
    EXPECT_EQ(pool.pump(), "0:4");
}

TEST(PoolSchedule, AReturnInATransactionIsOfTheFirstThatIsLikeIt) {
    Pool pool(transactions(1, 9));
    const Lane lane = pool.open();
    pool.publish(1, "a", false);
    pool.publish(2, "a", true);
    pool.publish(1, "b", true);
    pool.pump();
    pool.schedule.committing(lane);
    wire::Properties none;
    protocol::PublishRequest like;
    like.properties = &none;
    like.exchange = "a";
    pool.schedule.returned(lane, like, lost);
    like.exchange = "c";
    pool.schedule.returned(lane, like, lost);
    pool.schedule.committed(lane);
    EXPECT_EQ(pool.told(), "1=confirmed 2=returned 3=confirmed 4=confirmed");
}

TEST(PoolSchedule, ALostTransactionHasArrivedOnlyIfItsCommitWasOnItsWay) {
    Pool pool(transactions(1, 9));
    const Lane lane = pool.open();
    pool.publish(1);
    pool.pump();
    pool.schedule.lane_lost(lane, lost);
    pool.schedule.lane_open(lane);
    EXPECT_EQ(pool.pump(), "0:1");
    EXPECT_FALSE(pool.at[lane].back()->unsure);
    pool.schedule.committing(lane);
    pool.schedule.lane_lost(lane, lost);
    pool.schedule.lane_lost(lane, lost);  // told twice: by its commit, by its state
    pool.schedule.lane_open(lane);
    EXPECT_EQ(pool.pump(), "0:1");
    EXPECT_TRUE(pool.at[lane].back()->unsure);
    // Over a publish: before the commit, and so of none of them.
    pool.publish(1);
    pool.schedule.committing(lane);
    pool.schedule.lane_lost(lane, no_exchange);
    pool.schedule.lane_open(lane);
    EXPECT_EQ(pool.pump(), "0:1");
    EXPECT_EQ(pool.schedule.due_commits(), std::vector<Lane>{lane});
    pool.schedule.committing(lane);
    pool.schedule.lane_lost(lane, no_exchange);
    EXPECT_EQ(pool.told(), "1=refused");
}

// RabbitMQ ends the channel when a queue has rejected a message of a transaction.
TEST(PoolSchedule, FindsTheMessageThatCommitsFailOver) {
    Pool pool(transactions(1, 9));
    const Lane lane = pool.open();
    const Ref<Error> failed = edit_error(*make_error(Status::channel_closed_by_broker, "partial"));
    failed->class_id = 90;
    failed->method_id = 20;
    pool.publish(2);
    EXPECT_EQ(pool.pump(), "0:1 0:2");
    pool.schedule.committing(lane);
    pool.schedule.lane_lost(lane, ErrorRef(failed.get()));
    pool.schedule.lane_open(lane);
    EXPECT_EQ(pool.pump(), "0:1") << "alone";
    EXPECT_TRUE(pool.at[lane].back()->unsure) << "it may have been taken";
    pool.schedule.committing(lane);
    pool.schedule.committed(lane);
    EXPECT_EQ(pool.pump(), "0:2");
    pool.schedule.committing(lane);
    pool.schedule.lane_lost(lane, ErrorRef(failed.get()));
    EXPECT_EQ(pool.told(), "1=confirmed 2=nacked");
}

// One that the broker does not confirm does not keep the memory of all that come after it.
TEST(PoolSchedule, ForgetsWhatIsSettledBehindOneThatIsNot) {
    Pool pool(settings(1, 9));
    const Lane lane = pool.open();
    pool.publish(1);
    pool.pump();
    int gone = 0;
    for (int i = 0; i < 1000; ++i) {
        pool.publish(1);
        pool.pump();
        // Its release hook runs when nobody holds the message any more.
        pool.at[lane].back()->completion = client::Completion(client::Then(
            nullptr, nullptr, &gone, [](void* of) { ++*static_cast<int*>(of); }, nullptr, 0));
        pool.settle(lane, 1, PoolOutcome::confirmed);
        (void)pool.settled();
    }
    EXPECT_GT(gone, 900);
    pool.settle(lane, 0, PoolOutcome::confirmed);
    EXPECT_EQ(pool.told(), "1=confirmed");
}

TEST(PoolSchedule, ASuspectIsGivenAChannelOfItsOwn) {
    Pool pool(settings(3, 9));
    const Lane lane = pool.open();
    pool.publish(2);
    pool.pump();
    pool.die(lane, no_exchange);
    pool.schedule.lane_open(lane);
    EXPECT_EQ(pool.pump(), "0:1");
    ASSERT_TRUE(pool.schedule.wants_lane()) << "2 would wait for 1";
    pool.schedule.add_lane();
    EXPECT_FALSE(pool.schedule.wants_lane()) << "one is coming";
    pool.schedule.lane_open(1);
    EXPECT_EQ(pool.pump(), "1:2");
}

TEST(PoolSchedule, StoppedItRetriesNothing) {
    Pool pool(settings(1, 1));
    const Lane lane = pool.open();
    pool.publish(3);
    EXPECT_EQ(pool.pump(), "0:1");
    pool.schedule.stop(lost);
    EXPECT_EQ(pool.told(), "2=not_sent 3=not_sent");
    pool.die(lane, nullptr);
    EXPECT_EQ(pool.told(), "1=unknown");
    EXPECT_EQ(pool.schedule.unsettled(), 0U);
}

TEST(PoolSchedule, TheEndSettlesEverything) {
    Pool pool(settings(1, 2));
    pool.open();
    pool.publish(3);
    pool.pump();
    pool.schedule.end(lost);
    EXPECT_EQ(pool.told(), "3=not_sent 1=unknown 2=unknown");
    EXPECT_EQ(pool.schedule.unsettled(), 0U);
    EXPECT_EQ(pool.schedule.lanes(), 0U);
}

// Whatever happens, in whatever order: each message is settled once, no channel has more than it
// may, and what is sent again keeps its place.
TEST(PoolSchedule, AnyOrderOfAnythingSettlesEachMessageOnce) {
    for (std::uint32_t seed = 1; seed <= 400; ++seed) {
        std::mt19937 random(seed);
        const auto pick = [&](std::uint32_t below) { return random() % below; };
        PoolSettings given = settings(1 + pick(4), 1 + pick(5));
        given.transactions = pick(3) == 0;
        given.retry = static_cast<Retry>(pick(3));
        given.attempts = pick(3);
        Pool pool(given);
        std::map<std::uint64_t, int> settled;
        std::vector<bool> open(8);
        int published = 0;
        const auto take = [&] {
            for (const PoolSchedule::Settled& one : pool.settled())
                ++settled[one.message->number];
        };
        for (int step = 0; step < 300; ++step) {
            const Lane lane = pick(given.channels);
            const bool known = lane < pool.schedule.lanes();
            switch (pick(8)) {
                case 0:
                    pool.publish(1 + static_cast<int>(pick(3)));
                    break;
                case 1:
                    if (pool.schedule.wants_lane()) open[pool.schedule.add_lane()] = false;
                    break;
                case 2:
                    if (known) pool.schedule.lane_open(lane), open[lane] = true;
                    break;
                case 3:
                    if (known) {
                        const ErrorRef& why = pick(2) == 0   ? lost
                                              : pick(2) == 0 ? no_exchange
                                                             : not_implemented;
                        if (given.transactions) pool.at[lane].clear();
                        pool.die(lane, why);
                        open[lane] = false;
                    }
                    break;
                case 4:
                    if (known) pool.schedule.lane_flow(lane, pick(2) == 0);
                    break;
                case 5:
                    if (!given.transactions && known && !pool.at[lane].empty()) {
                        pool.settle(lane, pick(static_cast<std::uint32_t>(pool.at[lane].size())),
                                    static_cast<PoolOutcome>(1 + pick(5)), lost);
                    }
                    break;
                case 6:
                    for (const Lane due : pool.schedule.due_commits())
                        pool.schedule.committing(due);
                    break;
                default:
                    if (given.transactions && known && open[lane]) {
                        pool.schedule.committed(lane);
                        pool.at[lane].clear();
                    }
                    break;
            }
            pool.pump();
            for (const auto& [of, messages] : pool.at)
                EXPECT_LE(messages.size(), given.in_flight) << "seed " << seed;
            take();
            published = static_cast<int>(pool.schedule.last());
            EXPECT_EQ(settled.size() + pool.schedule.unsettled(),
                      static_cast<std::size_t>(published));
        }
        pool.schedule.end(lost);
        take();
        EXPECT_EQ(pool.schedule.unsettled(), 0U) << "seed " << seed;
        EXPECT_EQ(settled.size(), static_cast<std::size_t>(published)) << "seed " << seed;
        for (const auto& [number, times] : settled)
            EXPECT_EQ(times, 1) << "seed " << seed << ", message " << number;
    }
}

}  // namespace
}  // namespace haigha::pool
