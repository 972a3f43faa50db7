// The judges of a storm find what they are there to find.
#include <gtest/gtest.h>

#include <algorithm>

#include "storm/fault_plan.h"
#include "storm/operation_book.h"
#include "storm/storm_body.h"
#include "storm/storm_ledger.h"

namespace haigha::storm {
namespace {

TEST(StormBody, IsReadAsItWasMade) {
    for (const std::size_t size :
         {std::size_t{0}, least_body, std::size_t{41}, std::size_t{5000}}) {
        const BodyLabel label{3, 2, 77};
        const std::string body = make_body(label, size);
        EXPECT_EQ(body.size(), std::max(size, least_body));
        BodyLabel read;
        ASSERT_TRUE(read_body(body, &read));
        EXPECT_EQ(read, label);
    }
}

TEST(StormBody, AnyOctetThatIsWrongIsFound) {
    const std::string body = make_body({1, 1, 9}, 100);
    BodyLabel label;
    for (std::size_t at = 0; at < body.size(); ++at) {
        std::string wrong = body;
        wrong[at] = static_cast<char>(wrong[at] ^ 1);
        EXPECT_FALSE(read_body(wrong, &label)) << at;
    }
    EXPECT_FALSE(read_body(body.substr(1), &label));
    EXPECT_FALSE(read_body(body.substr(0, 99), &label));
    EXPECT_FALSE(read_body("", &label));
}

class StormLedger : public testing::Test {
  protected:
    Findings findings_;
    Account account_{2, 1, 10, findings_};

    void send(std::uint64_t number, int outcome) {
        account_.ended(number, account_.begin(number, true), outcome);
    }
};

TEST_F(StormLedger, HasNothingToSayWhenAllIsWell) {
    send(0, HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(account_.undelivered(), 1U);
    EXPECT_TRUE(account_.delivered({2, 1, 0}, 1));
    EXPECT_FALSE(account_.delivered({2, 1, 0}, 1));  // again
    EXPECT_TRUE(account_.ended(1, account_.begin(1, true), HAIGHA_OUTCOME_UNKNOWN));
    EXPECT_EQ(account_.unsettled(), 1U);
    EXPECT_TRUE(account_.delivered({2, 1, 1}, 1));  // it had arrived
    send(1, HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_TRUE(!account_.ended(2, account_.begin(2, false), HAIGHA_OUTCOME_RETURNED));
    EXPECT_EQ(account_.begin(3, true), 1U);
    account_.refused(3);
    account_.judge();
    EXPECT_TRUE(findings_.none()) << findings_.lines().front();
    EXPECT_EQ(account_.unsettled(), 0U);
    EXPECT_EQ(account_.undelivered(), 0U);
    EXPECT_EQ(account_.totals().repeats, 1U);
    EXPECT_EQ(account_.totals().messages, 3U);
    EXPECT_EQ(account_.totals().attempts, 4U);
}

TEST_F(StormLedger, FindsWhatWasConfirmedAndIsLost) {
    send(0, HAIGHA_OUTCOME_CONFIRMED);
    send(1, HAIGHA_OUTCOME_CONFIRMED);
    account_.delivered({2, 1, 1}, 1);
    account_.judge();
    EXPECT_EQ(findings_.count("lost"), 1U);
}

TEST_F(StormLedger, FindsWhatNobodyHasPublished) {
    send(0, HAIGHA_OUTCOME_CONFIRMED);
    account_.delivered({2, 1, 5}, 1);  // this number
    account_.delivered({2, 2, 0}, 1);  // at this attempt
    account_.delivered({2, 1, 0}, 0);  // to this queue
    EXPECT_EQ(findings_.count("invented"), 3U);
}

TEST_F(StormLedger, FindsOutcomesThatAreMissingTwiceOrWrong) {
    account_.begin(0, true);
    send(1, HAIGHA_OUTCOME_CONFIRMED);
    account_.ended(1, 1, HAIGHA_OUTCOME_CONFIRMED);
    account_.ended(9, 1, HAIGHA_OUTCOME_CONFIRMED);
    send(2, HAIGHA_OUTCOME_RETURNED);
    account_.ended(3, account_.begin(3, false), HAIGHA_OUTCOME_CONFIRMED);
    account_.judge();
    EXPECT_EQ(findings_.count("without an outcome"), 1U);
    EXPECT_EQ(findings_.count("outcomes beyond one"), 1U);
    EXPECT_EQ(findings_.count("invented outcomes"), 1U);
    EXPECT_EQ(findings_.count("wrong outcomes"), 2U);
    EXPECT_EQ(findings_.count("unsettled"), 1U);
}

TEST_F(StormLedger, FindsWhatIsOutOfOrder) {
    OrderWatch watch(4);
    EXPECT_TRUE(watch.in_order({1, 1, 3}, 0));
    EXPECT_TRUE(watch.in_order({2, 1, 1}, 0));
    EXPECT_TRUE(watch.in_order({1, 1, 5}, 0));
    EXPECT_FALSE(watch.in_order({1, 1, 4}, 0));
    EXPECT_TRUE(watch.in_order({1, 1, 4}, 1));
    EXPECT_FALSE(watch.in_order({1, 1, 3}, 1));
}

TEST(StormBook, FindsOperationsThatCompleteNeverOrTwice) {
    Findings findings;
    OperationBook book(findings);
    haigha_then taken{};
    const auto take = [&](const haigha_then* then) {
        taken = *then;
        return haigha_status{HAIGHA_OK};
    };
    haigha_event reply{};
    reply.type = HAIGHA_EVENT_REPLY;
    int seen = 0;
    book.start("one", take, [&](const haigha_event&) { ++seen; });
    taken.fn(&reply, taken.user_data);
    taken.release(taken.user_data);
    EXPECT_EQ(book.start("refused", [](const haigha_then*) { return HAIGHA_ERR_CLOSED; }),
              HAIGHA_ERR_CLOSED);
    book.judge();
    EXPECT_TRUE(findings.none());
    EXPECT_EQ(seen, 1);

    book.start("twice", take);
    taken.fn(&reply, taken.user_data);
    taken.fn(&reply, taken.user_data);
    taken.release(taken.user_data);
    book.start("never", take);
    taken.release(taken.user_data);
    EXPECT_EQ(findings.count("completed twice"), 1U);
    EXPECT_EQ(findings.count("released without completion"), 2U);
    const haigha_then kept = book.listen("kept", {});
    book.judge();
    EXPECT_EQ(findings.count("never released"), 1U);
    kept.release(kept.user_data);
}

TEST(StormPlan, FollowsFromTheSeedAlone) {
    PlanSetting setting;
    setting.duration_ms = 120'000;
    setting.channels = 14;
    setting.consumers = 8;
    const FaultPlan plan = plan_faults(setting);
    const FaultPlan same = plan_faults(setting);
    setting.seed = 2;
    const FaultPlan other = plan_faults(setting);
    bool differs = false;
    for (unsigned lane = 0; lane < lanes; ++lane) {
        EXPECT_EQ(plan.lane[lane], same.lane[lane]);
        differs = differs || plan.lane[lane] != other.lane[lane];
        std::int64_t end = 0;
        for (const Fault& fault : plan.lane[lane]) {
            EXPECT_GE(fault.at_ms, end) << describe(fault);  // one after the other
            end = fault.at_ms + fault.lasts_ms;
            EXPECT_LE(end, setting.duration_ms);
        }
    }
    EXPECT_TRUE(differs);
    // The beginning, as it has to be on every machine.
    ASSERT_FALSE(plan.lane[0].empty());
    EXPECT_EQ(describe(plan.lane[0].front()), "at 441 ms: delay 18 on 0 for 807 ms");
}

TEST(StormPlan, HasEveryKindOfItsBroker) {
    for (const unsigned nodes : {1U, 3U}) {
        PlanSetting setting;
        setting.duration_ms = 300'000;
        setting.nodes = nodes;
        setting.channels = setting.consumers = 2;
        int counts[fault_kinds] = {};
        for (const auto& lane : plan_faults(setting).lane) {
            for (const Fault& fault : lane)
                ++counts[static_cast<int>(fault.kind)];
        }
        for (int kind = 0; kind < fault_kinds; ++kind) {
            const auto what = static_cast<FaultKind>(kind);
            const bool of_one = what == FaultKind::close_all_connections;
            const bool of_three = what == FaultKind::stop_node;
            if ((of_one && nodes != 1) || (of_three && nodes == 1)) continue;
            EXPECT_GT(counts[kind], 0) << name_of(what) << " on " << nodes;
        }
    }
}

}  // namespace
}  // namespace haigha::storm
