// Tests of who authenticates, and how: mechanisms of several steps, answers from outside, renewal.
#include <gtest/gtest.h>

#include <string>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::Lines;
using test::MachinePeer;
using test::start_method;
using test::tune_method;

ConnectionParameters wanting(const std::string& mechanisms) {
    ConnectionParameters parameters;
    parameters.host = "broker:5672";
    parameters.credentials = {"guest", "secret"};
    parameters.mechanisms = mechanisms;
    return parameters;
}

wire::connection::Secure secure(std::string_view challenge) {
    wire::connection::Secure method{};
    method.challenge = {challenge};
    return method;
}

TEST(Auth, AMechanismOfTwoSteps) {
    MachinePeer peer(wanting("RABBIT-CR-DEMO"));
    (void)peer.output();
    peer.send(0, start_method("PLAIN RABBIT-CR-DEMO"));
    EXPECT_EQ(peer.output(), (Lines{"0 connection.start-ok"}));
    EXPECT_EQ(peer.machine.mechanism(), "RABBIT-CR-DEMO");
    peer.send(0, secure("Please tell me your password"));
    EXPECT_EQ(peer.output(), (Lines{"0 connection.secure-ok"}));
    peer.send(0, tune_method());
    peer.send(0, wire::connection::OpenOk{});
    EXPECT_EQ(peer.told(), (Lines{"open"}));
}

TEST(Auth, CredentialsAreAskedForWhenTheyAreNeeded) {
    MachinePeer peer(wanting("PLAIN"));
    peer.machine.ask_for_credentials();
    (void)peer.output();
    peer.machine.answer_credentials({"too", "early"});
    EXPECT_TRUE(peer.output().empty());
    peer.send(0, start_method("PLAIN"));
    EXPECT_EQ(peer.told(), (Lines{"auth 1 PLAIN ''"}));
    EXPECT_TRUE(peer.output().empty());
    peer.machine.answer_response("not what was asked for, but an answer");
    EXPECT_EQ(peer.output(), (Lines{"0 connection.start-ok"}));
    peer.machine.answer_credentials({"too", "late"});
    EXPECT_TRUE(peer.output().empty());
}

TEST(Auth, AMechanismOfSomebodyElses) {
    MachinePeer peer(wanting("X-OWN PLAIN"));
    peer.machine.ask_for_credentials();
    (void)peer.output();
    peer.send(0, start_method("PLAIN X-OWN"));
    EXPECT_EQ(peer.told(), (Lines{"auth 2 X-OWN ''"}));
    // It takes no credentials; they are ignored.
    peer.machine.answer_credentials({"a", "b"});
    EXPECT_TRUE(peer.output().empty());
    peer.machine.answer_response("first");
    EXPECT_EQ(peer.output(), (Lines{"0 connection.start-ok"}));
    peer.send(0, secure("one"));
    peer.send(0, wire::connection::OpenOk{});  // out of place, as an answer of ours is awaited
    EXPECT_EQ(peer.told(), (Lines{"auth 2 X-OWN 'one'", "closed: HAIGHA_ERR_PROTOCOL"}));
}

TEST(Auth, NoTuneBeforeTheAnswer) {
    MachinePeer peer(wanting("X-OWN"));
    peer.machine.ask_for_credentials();
    peer.send(0, start_method("X-OWN"));
    peer.send(0, tune_method());
    EXPECT_EQ(peer.told(), (Lines{"auth 2 X-OWN ''", "closed: HAIGHA_ERR_PROTOCOL"}));
    peer.machine.answer_response("too late");
    EXPECT_EQ(peer.machine.state(), ConnectionState::closed);
}

TEST(Auth, APasswordIsKeptOffTheWire) {
    MachinePeer peer(wanting("PLAIN RABBIT-CR-DEMO AMQPLAIN"));
    peer.machine.keep_password_off_the_wire();
    (void)peer.output();
    peer.send(0, start_method("PLAIN AMQPLAIN RABBIT-CR-DEMO"));
    EXPECT_EQ(peer.told(), (Lines{"closed: HAIGHA_ERR_AUTH"}));
    EXPECT_NE(peer.closed->message.find("clear_text_password"), std::string::npos);
    EXPECT_TRUE(peer.output().empty());
    MachinePeer external(wanting("PLAIN EXTERNAL"));
    external.machine.keep_password_off_the_wire();
    external.send(0, start_method("PLAIN EXTERNAL"));
    EXPECT_EQ(external.machine.mechanism(), "EXTERNAL");
}

// Rule 101.
TEST(Auth, SecretsAreUpdatedInOrder) {
    MachinePeer peer;
    peer.handshake();
    int calls[3] = {};
    for (int& call : calls) {
        Call update;
        update.token = &call;
        update.deadline = Instant{} + seconds(&call - calls + 1);
        ASSERT_EQ(peer.machine.update_secret("token", "why", std::move(update)), Status::ok);
    }
    EXPECT_EQ(peer.output(), (Lines{"0 connection.update-secret", "0 connection.update-secret",
                                    "0 connection.update-secret"}));
    EXPECT_EQ(peer.machine.deadline(), Instant{} + seconds(1));
    EventList events;
    peer.machine.expire(Instant{} + seconds(1), events);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].subject, &calls[0]);
    EXPECT_EQ(events[0].error->status, Status::timeout);
    events.clear();
    // The late answer of the first is not the second's.
    peer.send(0, wire::connection::UpdateSecretOk{});
    EXPECT_TRUE(peer.told().empty());
    peer.send(0, wire::connection::UpdateSecretOk{});
    EXPECT_EQ(peer.told().size(), 1U);
    peer.machine.transport_failed(make_error(Status::io, "gone"), events);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].subject, &calls[2]);
    EXPECT_EQ(events[0].error->status, Status::io);
}

TEST(Auth, AnAnswerThatWasNotAskedForIsAViolation) {
    MachinePeer peer;
    peer.handshake();
    peer.send(0, wire::connection::UpdateSecretOk{});
    EXPECT_EQ(peer.told(), (Lines{"closed: HAIGHA_ERR_PROTOCOL"}));
}

}  // namespace
}  // namespace haigha::protocol
