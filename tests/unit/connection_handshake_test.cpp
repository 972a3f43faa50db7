// Tests of ConnectionMachine from the protocol header to open-ok, with good peers and bad ones.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::connection_close;
using test::joined;
using test::Lines;
using test::MachinePeer;
using test::Octets;
using test::octets;
using test::start_method;
using test::tune_method;

ConnectionParameters guest() {
    ConnectionParameters parameters;
    parameters.host = "broker:5672";
    parameters.credentials = {"guest", "secret"};
    return parameters;
}

TEST(Handshake, OpensTheConnection) {
    MachinePeer peer(guest());
    EXPECT_EQ(peer.output(), (Lines{"AMQP"}));
    peer.send(0, start_method());
    EXPECT_EQ(peer.output(), (Lines{"0 connection.start-ok"}));
    peer.send(0, tune_method());
    EXPECT_EQ(peer.output(true),
              (Lines{"0 connection.tune-ok channel_max=2047 frame_max=131072 heartbeat=60",
                     "0 connection.open virtual_host=\"/\""}));
    EXPECT_TRUE(peer.told().empty());
    peer.send(0, wire::connection::OpenOk{});
    EXPECT_EQ(peer.told(), (Lines{"open"}));
    EXPECT_EQ(peer.machine.state(), ConnectionState::open);
}

struct Tuned {
    const char* name;
    std::uint32_t ours;
    std::uint32_t theirs;
    std::uint32_t agreed;
};

// rule 28: 0 leaves it to the other; else the smaller
TEST(Handshake, AgreesOnTheSmallerLimits) {
    for (const Tuned row : {Tuned{"frame_max", 131072, 0, 131072},
                            {"frame_max", 0, 65536, 65536},
                            {"frame_max", 0, 0, 131072},
                            {"frame_max", 131072, 8192, 8192},
                            {"frame_max", 8192, 131072, 8192},
                            {"frame_max", 131072, 4096, 4096},  // rules 29, 106
                            {"frame_max", 0, 0xFFFFFFFF, ConnectionMachine::largest_frame_max},
                            {"channel_max", 0, 2047, 2047},
                            {"channel_max", 0, 0, 65535},
                            {"channel_max", 10, 0, 10},
                            {"channel_max", 10, 5, 5},
                            {"channel_max", 65535, 65535, 65535},
                            {"heartbeat", 60, 0, 60},
                            {"heartbeat", 60, 10, 10},
                            {"heartbeat", 10, 60, 10},
                            {"heartbeat", 0, 60, 0},
                            {"heartbeat", 0, 0, 0}}) {
        ConnectionParameters parameters = guest();
        wire::connection::Tune tune = tune_method();
        const std::string name = row.name;
        if (name == "frame_max") {
            parameters.frame_max = row.ours;
            tune.frame_max = row.theirs;
        } else if (name == "channel_max") {
            parameters.channel_max = static_cast<std::uint16_t>(row.ours);
            tune.channel_max = static_cast<std::uint16_t>(row.theirs);
        } else {
            parameters.heartbeat_s = static_cast<std::uint16_t>(row.ours);
            tune.heartbeat = static_cast<std::uint16_t>(row.theirs);
        }
        MachinePeer peer(parameters);
        peer.send(0, start_method());
        (void)peer.output();
        peer.send(0, tune);
        const Lines said = peer.output(true);
        ASSERT_EQ(said.size(), 2U);
        EXPECT_NE((said[0] + " ").find(name + "=" + std::to_string(row.agreed) + " "),
                  std::string::npos)
            << said[0] << " for " << row.ours << ", " << row.theirs;
    }
}

// rule 106
TEST(Handshake, RefusesAFrameMaxBelowTheMinimum) {
    for (const std::uint32_t frame_max : {1U, 7U, 8U, 4095U}) {
        MachinePeer peer(guest());
        peer.send(0, start_method());
        (void)peer.output();
        peer.send(0, tune_method(0, frame_max, 0));
        EXPECT_EQ(peer.told(), (Lines{"closed: HAIGHA_ERR_PROTOCOL"}));
        EXPECT_EQ(peer.closed->stage, Stage::handshake);
        EXPECT_EQ(peer.output(), (Lines{"0 connection.close"}));
    }
}

TEST(Handshake, NamesWhatWasOfferedWhenNoMechanismFits) {
    MachinePeer peer(guest());
    (void)peer.output();
    peer.send(0, start_method("EXTERNAL SCRAM"));
    EXPECT_EQ(peer.told(), (Lines{"closed: HAIGHA_ERR_AUTH"}));
    EXPECT_NE(peer.closed->message.find("EXTERNAL SCRAM"), std::string::npos);
    EXPECT_TRUE(peer.output().empty());
}

TEST(Handshake, RefusesAChallenge) {
    MachinePeer peer(guest());
    peer.send(0, start_method());
    (void)peer.output();
    peer.send(0, wire::connection::Secure{});
    EXPECT_EQ(peer.told(), (Lines{"closed: HAIGHA_ERR_PROTOCOL"}));
}

// Feeds the frames that lead to each state: 0 await_start, 1 await_tune, 2 await_open, 3 open.
void advance(MachinePeer& peer, int stage) {
    if (stage >= 1) peer.send(0, start_method());
    if (stage >= 2) peer.send(0, tune_method());
    if (stage >= 3) peer.send(0, wire::connection::OpenOk{});
    (void)peer.output();
    (void)peer.told();
}

// rule 99: bad credentials, a bad vhost and anything else are told apart
TEST(Handshake, TellsWhatAConnectionCloseMeansInEachStage) {
    const std::tuple<int, int, const char*, Stage> rows[] = {
        {0, 320, "closed: HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER 320", Stage::handshake},
        {1, 403, "closed: HAIGHA_ERR_AUTH 403", Stage::handshake},
        {2, 530, "closed: HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER 530", Stage::open},
        {2, 403, "closed: HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER 403", Stage::open},
        {3, 320, "closed: HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER 320", Stage::ready},
    };
    for (const auto& [stage, code, expected, where] : rows) {
        MachinePeer peer(guest());
        advance(peer, stage);
        peer.send(0, connection_close(static_cast<std::uint16_t>(code), "so it is"));
        EXPECT_EQ(peer.told(), (Lines{expected}));
        EXPECT_EQ(peer.closed->stage, where);
        EXPECT_EQ(peer.closed->reply_text, "so it is");
        EXPECT_EQ(peer.closed->host, "broker:5672");
        EXPECT_EQ(peer.closed->message.find("secret"), std::string::npos);
        EXPECT_EQ(peer.output(), (Lines{"0 connection.close-ok"}));
    }
}

TEST(Handshake, TellsTheStageWhenTheTransportEnds) {
    const Stage stages[] = {Stage::handshake, Stage::handshake, Stage::open, Stage::ready};
    for (int stage = 0; stage < 4; ++stage) {
        MachinePeer peer(guest());
        advance(peer, stage);
        peer.transport_fails();
        EXPECT_EQ(peer.told(), (Lines{"closed: HAIGHA_ERR_IO"}));
        EXPECT_EQ(peer.closed->stage, stages[stage]);
        EXPECT_EQ(peer.closed->host, "broker:5672");
        // rule 99: silence after start-ok is how older brokers refuse credentials
        EXPECT_EQ(peer.closed->message.find("credentials") != std::string::npos, stage == 1);
        peer.transport_fails();
        EXPECT_TRUE(peer.told().empty());
        EXPECT_TRUE(peer.output().empty());
    }
}

// rule 112, all at once and octet by octet, with the same words
TEST(Handshake, RecognisesPeersThatSpeakSomethingElse) {
    const std::tuple<Octets, const char*> rows[] = {
        {octets("'HTTP/1.1 400 Bad Request' 0d0a"), "HTTP"},
        {octets("'SSH-2.0-OpenSSH_9.2' 0d0a"), "SSH"},
        {octets("15 0301 0002 02 46"), "TLS"},
        {octets("16 0303 0030 02 00002c"), "TLS"},
        {octets("'AMQP' 00 01 00 00"), "AMQP 1-0-0 (protocol id 0)"},
        {octets("'AMQP' 03 01 00 00"), "AMQP 1-0-0 (protocol id 3)"},
        {octets("'AMQP' 00 00 09 01"), "AMQP 0-9-1"},
        {octets("'220 mail ESMTP' 0d0a"), "50"},
        {octets("'SSL-1234'"), "83"},
        {octets("00"), "0"},
    };
    for (const auto& [bytes, hint] : rows) {
        MachinePeer whole(guest());
        whole.feed(bytes);
        EXPECT_EQ(whole.told(), (Lines{"closed: HAIGHA_ERR_PROTOCOL"})) << hint;
        ASSERT_TRUE(whole.closed);
        EXPECT_NE(whole.closed->message.find(hint), std::string::npos) << whole.closed->message;
        EXPECT_EQ(whole.closed->stage, Stage::handshake);
        EXPECT_TRUE(whole.output().empty());
        MachinePeer slow(guest());
        for (const std::byte octet : bytes)
            slow.feed({&octet, 1});
        ASSERT_TRUE(slow.closed) << hint;
        EXPECT_EQ(slow.closed->message, whole.closed->message);
    }
}

struct BadFrame {
    const char* spelled;
    const char* why;
};

// rules 103, 104, 107, 108: before tune and after it; rule 113: nothing is parsed after one
TEST(Handshake, EndsWithTheFirstBadFrame) {
    for (const BadFrame row : {BadFrame{"02 0000 0000000d", "14 octets are the least"},
                               {"01 0000 00000003 00000a ce", "4 octets are the least"},
                               {"01 0000 fffffff8", "too large"},
                               {"01 0000 ffffffff", "too large"},
                               {"03 0001 0001fff9", "frame_max + 1"},
                               {"08 0000 00000001 00 ce", "a heartbeat is empty"},
                               {"08 0001 00000000 ce", "a heartbeat is the connection's"},
                               {"04 0000 00000000 ce", "no such type"},
                               {"41 0000 00000000 ce", "no such type"},
                               {"03 0000 00000000 ce", "content on channel 0"},
                               {"08 0000 00000000 cd", "no end"}}) {
        for (const int stage : {1, 2, 3}) {
            MachinePeer peer(guest());
            advance(peer, stage);
            peer.feed(octets(row.spelled));
            EXPECT_EQ(peer.told(), (Lines{"closed: HAIGHA_ERR_PROTOCOL"})) << row.why << stage;
            EXPECT_EQ(peer.output(), (Lines{"0 connection.close"})) << row.why;
            EXPECT_EQ(peer.machine.state(), ConnectionState::closed);
            peer.send(0, connection_close(320, ""));
            peer.feed(octets("ff ff"));
            EXPECT_TRUE(peer.told().empty());
            EXPECT_TRUE(peer.output().empty());
            EXPECT_EQ(peer.machine.deadline(), Instant::never());
        }
    }
}

// rule 29: larger than the smallest brokers' 4096, because RabbitMQ's start can be
TEST(Handshake, AcceptsAStartOfEightThousandOctets) {
    wire::connection::Start start = start_method();
    const Octets table(8000);
    start.server_properties = {table};
    MachinePeer peer(guest());
    peer.send(0, start);
    EXPECT_EQ(peer.machine.state(), ConnectionState::await_tune);
    MachinePeer other(guest());
    const Octets larger(9000);
    start.server_properties = {larger};
    other.send(0, start);
    EXPECT_EQ(other.machine.state(), ConnectionState::closed);
}

TEST(Handshake, TakesHeartbeatsAnyTime) {
    MachinePeer peer(guest());
    peer.send(0, start_method());
    peer.feed(wire::heartbeat_frame);
    peer.send(0, tune_method());
    peer.feed(wire::heartbeat_frame);
    peer.send(0, wire::connection::OpenOk{});
    EXPECT_EQ(peer.told(), (Lines{"open"}));
}

}  // namespace
}  // namespace haigha::protocol
