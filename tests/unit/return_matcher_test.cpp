// Tests of ReturnMatcher: which publish a return is about, from its place and its content alone.
#include "protocol/return_matcher.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "wire/cursor.h"

namespace haigha::protocol {
namespace {

class ReturnMatcherTest : public testing::Test {
  protected:
    void publish(const std::string& key, const std::string& body) {
        (void)ring_->add(nullptr, false);
        matcher_.add(return_key("e", key, nullptr), wire::as_bytes(body), *ring_);
    }
    std::uint64_t match(const std::string& key, const std::string& body) {
        return matcher_.match(return_key("e", key, nullptr), wire::as_bytes(body), *ring_)
            .value_or(0);
    }
    void settle(std::uint64_t tag, bool multiple = false) {
        ASSERT_TRUE(ring_->settle(tag, multiple, Outcome::confirmed));
    }
    void take() {
        std::array<Settled, 64> settled;
        OutcomeCounts counts;
        for (bool done = false; !done;)
            (void)ring_->take(settled, &done, counts);
    }

    Ref<ConfirmRing> ring_ = Ref<ConfirmRing>::adopt(new ConfirmRing);
    ReturnMatcher matcher_;
};

// rule 67
TEST_F(ReturnMatcherTest, TellsByWhereItGoesAndWhatItIs) {
    publish("a", "1");
    publish("b", "1");
    publish("b", "2");
    publish("b", std::string(5000, 'x') + "1");
    publish("b", std::string(5000, 'x') + "2");
    EXPECT_EQ(match("c", "1"), 0U);
    EXPECT_EQ(match("b", "2"), 3U);
    EXPECT_EQ(match("b", std::string(5000, 'x') + "2"), 5U);
    EXPECT_EQ(match("b", std::string(5000, 'x') + "2"), 0U);
    EXPECT_EQ(matcher_.size(), 0U);  // those before it were routed
}

TEST_F(ReturnMatcherTest, TellsByWhatNamesIt) {
    wire::Properties first;
    first.present = wire::property_message_id;
    first.message_id = "one";
    wire::Properties second;
    second.present = wire::property_correlation_id;
    second.correlation_id = "one";
    EXPECT_NE(return_key("e", "k", &first), return_key("e", "k", nullptr));
    EXPECT_EQ(return_key("e", "k", &first), return_key("e", "k", &first));
    second.message_id = "is not there";
    EXPECT_EQ(return_key("e", "k", &second), [] {
        wire::Properties same;
        same.present = wire::property_correlation_id;
        same.correlation_id = "one";
        return return_key("e", "k", &same);
    }());
    EXPECT_NE(return_key("e", "k", nullptr), return_key("k", "e", nullptr));
    EXPECT_NE(return_key("ek", "", nullptr), return_key("e", "k", nullptr));
}

TEST_F(ReturnMatcherTest, TakesThoseThatAreAlikeInTheirOrder) {
    for (int i = 0; i < 3; ++i)
        publish("k", "same");
    EXPECT_EQ(match("k", "same"), 1U);
    EXPECT_EQ(match("k", "same"), 2U);
    publish("k", "same");
    EXPECT_EQ(match("k", "same"), 3U);
    EXPECT_EQ(match("k", "same"), 4U);
    EXPECT_EQ(match("k", "same"), 0U);
}

// A return comes before its confirm: what is confirmed was not returned.
TEST_F(ReturnMatcherTest, PassesOverWhatIsSettled) {
    for (int i = 0; i < 4; ++i)
        publish("k", "same");
    settle(2);
    EXPECT_EQ(match("k", "same"), 1U);
    EXPECT_EQ(match("k", "same"), 3U);
    take();
    settle(4, true);
    EXPECT_EQ(match("k", "same"), 0U);
}

TEST_F(ReturnMatcherTest, KeepsNothingOfWhatIsSettled) {
    for (int i = 1; i <= 1000; ++i) {
        publish("k", std::to_string(i));
        settle(static_cast<std::uint64_t>(i));
        take();
        ASSERT_LE(matcher_.size(), 1U);
    }
}

// A broker that routes by the key, returns what has none, and confirms in any order.
TEST_F(ReturnMatcherTest, AgreesWithABrokerThatRoutes) {
    std::mt19937 random(17);
    struct Message {
        std::string key;
        std::string body;
        bool routed;
    };
    std::vector<Message> messages{{}};  // by their numbers
    std::vector<std::uint64_t> unconfirmed;
    std::uint64_t handled = 0;
    for (int step = 0; step < 20'000; ++step) {
        const unsigned what = random() % 3;
        if (what == 0) {
            const bool routed = random() % 2 == 0;
            const std::string key = (routed ? "queue" : "nowhere") + std::to_string(random() % 2);
            messages.push_back({key, std::to_string(random() % 2), routed});
            publish(key, messages.back().body);
        } else if (what == 1 && handled + 1 < messages.size()) {
            ++handled;
            const Message& message = messages[handled];
            if (!message.routed) {
                ASSERT_EQ(match(message.key, message.body), handled);
            }
            unconfirmed.push_back(handled);
        } else if (!unconfirmed.empty()) {
            const std::size_t one = random() % unconfirmed.size();
            settle(unconfirmed[one]);
            unconfirmed.erase(unconfirmed.begin() + static_cast<std::ptrdiff_t>(one));
            if (random() % 2 == 0) take();
        }
    }
}

}  // namespace
}  // namespace haigha::protocol
