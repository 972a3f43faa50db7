// Tests of the choice of an authentication mechanism and of the first responses.
#include "protocol/sasl.h"

#include <gtest/gtest.h>

#include <string>

namespace haigha::protocol {
namespace {

using namespace std::string_literals;

TEST(ChooseMechanism, TakesTheFirstWantedThatIsOffered) {
    EXPECT_EQ(choose_mechanism("PLAIN", "PLAIN"), "PLAIN");
    EXPECT_EQ(choose_mechanism("PLAIN", "AMQPLAIN PLAIN"), "PLAIN");
    EXPECT_EQ(choose_mechanism("EXTERNAL PLAIN", "PLAIN AMQPLAIN EXTERNAL"), "EXTERNAL");
    EXPECT_EQ(choose_mechanism("EXTERNAL PLAIN", "AMQPLAIN PLAIN"), "PLAIN");
    EXPECT_EQ(choose_mechanism("  PLAIN  ", "  AMQPLAIN   PLAIN "), "PLAIN");
}

TEST(ChooseMechanism, ComparesWholeNames) {
    EXPECT_EQ(choose_mechanism("PLAIN", "AMQPLAIN"), std::nullopt);
    EXPECT_EQ(choose_mechanism("PLAI", "PLAIN"), std::nullopt);
    EXPECT_EQ(choose_mechanism("", "PLAIN"), std::nullopt);
    EXPECT_EQ(choose_mechanism("PLAIN", ""), std::nullopt);
}

TEST(ChooseMechanism, PassesOverWhatItDoesNotKnow) {
    EXPECT_EQ(choose_mechanism("SCRAM-SHA-256 PLAIN", "SCRAM-SHA-256 PLAIN"), "PLAIN");
    EXPECT_EQ(choose_mechanism("SCRAM-SHA-256", "SCRAM-SHA-256 PLAIN"), std::nullopt);
}

TEST(ChooseMechanism, HoldsToTheRules) {
    MechanismRules any;
    any.unknown_ones = true;
    EXPECT_EQ(choose_mechanism("SCRAM PLAIN", "PLAIN SCRAM", any), "SCRAM");
    MechanismRules secret;
    secret.secret_by_wire = false;
    EXPECT_EQ(choose_mechanism("PLAIN AMQPLAIN RABBIT-CR-DEMO EXTERNAL",
                               "PLAIN AMQPLAIN RABBIT-CR-DEMO EXTERNAL", secret),
              "EXTERNAL");
}

TEST(NextResponse, OnlyTheDemoHasOne) {
    EXPECT_EQ(next_response("RABBIT-CR-DEMO", {"u", "p"}), "My password is p");
    EXPECT_EQ(next_response("PLAIN", {"u", "p"}), std::nullopt);
}

TEST(InitialResponse, IsWhatEachMechanismSays) {
    const Credentials guest{"gu", "pw"};
    EXPECT_EQ(initial_response("PLAIN", guest), "\0gu\0pw"s);
    EXPECT_EQ(initial_response("AMQPLAIN", guest),
              "\x05LOGINS\0\0\0\x02gu\x08PASSWORDS\0\0\0\x02pw"s);
    EXPECT_EQ(initial_response("EXTERNAL", guest), "");
    EXPECT_EQ(initial_response("ANONYMOUS", guest), "");
    EXPECT_EQ(initial_response("plain", guest), std::nullopt);
}

// rule 100: nothing given is nothing said
TEST(InitialResponse, TakesEmptyCredentials) {
    EXPECT_EQ(initial_response("PLAIN", {}), "\0\0"s);
}

}  // namespace
}  // namespace haigha::protocol
