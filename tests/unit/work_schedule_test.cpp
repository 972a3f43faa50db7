// Tests of which delivery a worker handles next.
#include "workers/work_schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace haigha::workers {
namespace {

struct Piece final : Work {
    Piece(const void* from, LaneKey in, std::string is) : name(std::move(is)) {
        source = from;
        lane = in;
    }
    std::string name;
};

class WorkScheduleTest : public testing::Test {
  protected:
    void add(WorkSchedule& schedule, const int& source, std::uint64_t lane, std::string name) {
        schedule.add(std::make_unique<Piece>(&source, LaneKey{&source, lane}, std::move(name)));
    }
    static std::string name_of(const std::unique_ptr<Work>& work) {
        return work ? static_cast<const Piece&>(*work).name : "";
    }
    // Does everything, by one worker.
    static std::string run(WorkSchedule& schedule) {
        std::string done;
        for (auto turn = schedule.take(); turn.work; turn = schedule.take()) {
            while (turn.work) {
                done += name_of(turn.work) + " ";
                turn.work = schedule.next(*turn.lane);
            }
        }
        return done;
    }

    const int a_ = 0;
    const int b_ = 0;
    const int c_ = 0;
};

TEST_F(WorkScheduleTest, OneLaneKeepsItsOrder) {
    WorkSchedule schedule(16, 4);
    for (const char* name : {"1", "2", "3"})
        add(schedule, a_, 0, name);
    EXPECT_EQ(schedule.waiting(), 3U);
    EXPECT_EQ(run(schedule), "1 2 3 ");
    EXPECT_EQ(schedule.waiting(), 0U);
    EXPECT_EQ(schedule.running(), 0U);
}

TEST_F(WorkScheduleTest, OneLaneIsOfOneWorkerAtATime) {
    WorkSchedule schedule(16, 4);
    add(schedule, a_, 0, "1");
    add(schedule, a_, 0, "2");
    auto turn = schedule.take();
    EXPECT_EQ(name_of(turn.work), "1");
    EXPECT_FALSE(schedule.ready());
    EXPECT_FALSE(schedule.take().work);
    // What comes meanwhile goes behind.
    add(schedule, a_, 0, "3");
    EXPECT_FALSE(schedule.take().work);
    EXPECT_EQ(name_of(schedule.next(*turn.lane)), "2");
    EXPECT_EQ(name_of(schedule.next(*turn.lane)), "3");
    EXPECT_FALSE(schedule.next(*turn.lane));
    add(schedule, a_, 0, "4");
    EXPECT_EQ(name_of(schedule.take().work), "4");
}

TEST_F(WorkScheduleTest, WhoHasMuchLetsOthersInAfterSoMany) {
    WorkSchedule schedule(2, 4);
    for (const char* name : {"a1", "a2", "a3", "a4", "a5"})
        add(schedule, a_, 0, name);
    for (const char* name : {"b1", "b2", "b3"})
        add(schedule, b_, 0, name);
    add(schedule, c_, 0, "c1");
    EXPECT_EQ(run(schedule), "a1 a2 b1 b2 c1 a3 a4 b3 a5 ");
}

TEST_F(WorkScheduleTest, ATurnGoesOnWhileNobodyElseWaits) {
    WorkSchedule schedule(2, 4);
    for (const char* name : {"1", "2", "3", "4"})
        add(schedule, a_, 0, name);
    auto turn = schedule.take();
    for (const char* name : {"2", "3", "4"})
        EXPECT_EQ(name_of(schedule.next(*turn.lane)), name);
    EXPECT_FALSE(schedule.next(*turn.lane));
}

TEST_F(WorkScheduleTest, ASourceWithManyLanesHasOneTurnAsAnyOther) {
    WorkSchedule schedule(1, 4);
    for (std::uint64_t lane = 0; lane < 4; ++lane)
        add(schedule, a_, lane, "a" + std::to_string(lane));
    add(schedule, b_, 0, "b0");
    add(schedule, b_, 0, "b1");
    EXPECT_EQ(run(schedule), "a0 b0 a1 b1 a2 a3 ");
}

TEST_F(WorkScheduleTest, ASourceHasNoMoreWorkersThanItMay) {
    WorkSchedule schedule(16, 2);
    for (std::uint64_t lane = 0; lane < 3; ++lane)
        add(schedule, a_, lane, "a" + std::to_string(lane));
    add(schedule, b_, 0, "b");
    auto first = schedule.take();
    auto second = schedule.take();
    auto third = schedule.take();
    EXPECT_EQ(name_of(first.work), "a0");
    EXPECT_EQ(name_of(second.work), "b");
    EXPECT_EQ(name_of(third.work), "a1");
    EXPECT_FALSE(schedule.take().work) << "a third worker on one source";
    EXPECT_FALSE(schedule.next(*first.lane));
    EXPECT_EQ(name_of(schedule.take().work), "a2");
}

TEST_F(WorkScheduleTest, ALostChannelIsForgottenWithItsLastWork) {
    WorkSchedule schedule(16, 4);
    add(schedule, a_, 0, "1");
    EXPECT_EQ(run(schedule), "1 ");
    // The same address may be another channel's now.
    add(schedule, a_, 0, "2");
    add(schedule, a_, 1, "3");
    EXPECT_EQ(run(schedule), "2 3 ");
}

TEST_F(WorkScheduleTest, TakesAllThatWaitsAndLetsTurnsEnd) {
    WorkSchedule schedule(16, 4);
    for (const char* name : {"a1", "a2", "a3"})
        add(schedule, a_, 0, name);
    add(schedule, b_, 0, "b1");
    auto turn = schedule.take();
    std::string rest;
    for (const auto& work : schedule.take_all())
        rest += name_of(work) + " ";
    EXPECT_TRUE(rest == "a2 a3 b1 " || rest == "b1 a2 a3 ") << rest;
    EXPECT_EQ(schedule.waiting(), 0U);
    EXPECT_EQ(schedule.running(), 1U);
    EXPECT_FALSE(schedule.take().work);
    EXPECT_FALSE(schedule.next(*turn.lane));
    EXPECT_EQ(schedule.running(), 0U);
    add(schedule, a_, 0, "a4");
    add(schedule, b_, 0, "b2");
    EXPECT_EQ(run(schedule), "a4 b2 ");
}

// Whatever the order of events: each lane in order and by one worker, nothing lost or twice, nobody
// left waiting while there is a worker for it.
TEST_F(WorkScheduleTest, AnyOrderOfEventsKeepsThePromises) {
    constexpr std::size_t workers = 3;
    constexpr std::size_t at_once = 2;
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        WorkSchedule schedule(1 + random() % 4, at_once);
        const int sources[3] = {};
        std::map<std::pair<const void*, std::uint64_t>, std::uint64_t> last;
        std::vector<WorkSchedule::Turn> turns;
        std::size_t added = 0;
        std::size_t done = 0;
        const auto begun = [&](const Work& work) {
            std::uint64_t& before = last[{work.lane.owner, work.lane.number}];
            ASSERT_LT(before, work.number) << "seed " << seed;
            before = work.number;
        };
        while (added < 200 || done < added) {
            if (added < 200 && random() % 2 == 0) {
                const int& source = sources[random() % 3];
                add(schedule, source, random() % 4, "");
                ++added;
            } else if (turns.size() < workers && random() % 2 == 0) {
                if (auto turn = schedule.take(); turn.work) {
                    for (const auto& other : turns)
                        ASSERT_NE(other.lane, turn.lane) << "seed " << seed;
                    begun(*turn.work);
                    turns.push_back(std::move(turn));
                } else {
                    // Nobody waits, or whoever does has as many workers as it may.
                    std::map<const void*, std::size_t> busy;
                    std::size_t in_hand = 0;
                    for (const auto& other : turns)
                        ++busy[other.work->source], ++in_hand;
                    ASSERT_EQ(schedule.running(), in_hand);
                    ASSERT_TRUE(schedule.waiting() == 0 || in_hand > 0) << "seed " << seed;
                }
            } else if (!turns.empty()) {
                const std::size_t at = random() % turns.size();
                ++done;
                turns[at].work = schedule.next(*turns[at].lane);
                if (turns[at].work) {
                    begun(*turns[at].work);
                } else {
                    turns.erase(turns.begin() + static_cast<std::ptrdiff_t>(at));
                }
            }
        }
        EXPECT_EQ(schedule.waiting(), 0U);
        EXPECT_TRUE(turns.empty() || schedule.running() == turns.size());
    }
}

}  // namespace
}  // namespace haigha::workers
