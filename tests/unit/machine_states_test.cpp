// Every (state, input) pair of the connection and channel machines, against a table of what it
// does.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/connection_machine.h"
#include "support/machine_peer.h"

namespace haigha::protocol {
namespace {

using test::Lines;
using test::MachinePeer;
using test::Octets;

struct Input {
    std::string name;
    std::uint16_t class_id;
    Octets frame;
};

template <class... Methods>
std::vector<Input> methods_on(std::uint16_t channel, wire::MethodList<Methods...>) {
    // Zeroed but valid arguments. A start without mechanisms would be refused for that.
    const auto one = [&]<class Method>(Method method) {
        if constexpr (std::is_same_v<Method, wire::connection::Start>) {
            method = test::start_method();
        }
        return Input{std::string(Method::name), Method::id.class_id,
                     test::method_frame(channel, method)};
    };
    return {one(Methods{})...};
}

// Every method there is, one that is not, and every other frame.
std::vector<Input> inputs_on(std::uint16_t channel) {
    std::vector<Input> inputs = methods_on(channel, wire::AllMethods{});
    EXPECT_EQ(inputs.size(), wire::all_methods().size());
    inputs.push_back({"unknown", 0, test::raw_frame(1, channel, test::octets("0999 0001"))});
    inputs.push_back({"header", 0, test::header_frame(channel, 3)});
    inputs.push_back({"body", 0, test::body_frame(channel, "abc")});
    inputs.push_back({"heartbeat", 0, test::raw_frame(8, channel, {})});
    return inputs;
}

// What an input did: "quiet", "told" (events or frames), "channel closed", or "closed" with the
// code that was given to the peer and whether it was told as an error.
std::string effect(MachinePeer& peer) {
    const Lines told = peer.told();
    const Lines said = peer.output(true);
    const auto has = [](const Lines& lines, std::string_view text) {
        for (const std::string& line : lines) {
            if (line.starts_with(text)) return true;
        }
        return false;
    };
    if (has(told, "closed")) {
        std::string text = has(told, "closed: HAIGHA_ERR_PROTOCOL") ? "violated" : "closed";
        for (const std::string& line : said) {
            const std::string_view close = "0 connection.close reply_code=";
            if (line.starts_with(close)) text += " " + line.substr(close.size(), 3);
        }
        return text;
    }
    if (has(told, "1 closed: HAIGHA_ERR_PROTOCOL")) return "channel closed";
    return told.empty() && said.empty() ? "quiet" : "told";
}

// ---- the connection

struct ConnectionRow {
    ConnectionState state;
    std::string_view name;
    std::set<std::string_view> told;  // these are handled
    std::string_view otherwise;       // for every other method
    std::string_view content;         // for header and body
    std::string_view on_a_channel;    // for whatever comes on channel 1
};

const std::vector<ConnectionRow>& connection_rows() {
    static const std::vector<ConnectionRow> rows{
        {ConnectionState::await_start,
         "await_start",
         {"connection.start"},
         "violated",
         "violated",
         "violated"},
        {ConnectionState::await_tune,
         "await_tune",
         {"connection.tune"},
         "violated 503",
         "violated 504",
         "violated 504"},
        {ConnectionState::await_open,
         "await_open",
         {"connection.open-ok"},
         "violated 503",
         "violated 504",
         "violated 504"},
        {ConnectionState::open,
         "open",
         {"connection.blocked", "connection.unblocked"},
         "violated 503",
         "violated 504",
         "violated 504"},
        {ConnectionState::closing, "closing", {}, "quiet", "closed", "quiet"},
        {ConnectionState::closed, "closed", {}, "quiet", "quiet", "quiet"},
    };
    return rows;
}

void bring(MachinePeer& peer, ConnectionState state) {
    if (state > ConnectionState::await_start) peer.send(0, test::start_method());
    if (state > ConnectionState::await_tune) peer.send(0, test::tune_method());
    if (state > ConnectionState::await_open) peer.send(0, wire::connection::OpenOk{});
    if (state > ConnectionState::open) peer.machine.close(200, "bye");
    if (state > ConnectionState::closing) peer.send(0, wire::connection::CloseOk{});
    (void)peer.output();
    (void)peer.told();
    ASSERT_EQ(peer.machine.state(), state);
}

TEST(MachineStates, ConnectionDoesWhatTheTableSays) {
    for (const ConnectionRow& row : connection_rows()) {
        for (const Input& input : inputs_on(0)) {
            MachinePeer peer;
            bring(peer, row.state);
            peer.feed(input.frame);
            std::string_view expected = row.otherwise;
            if (input.name == "header" || input.name == "body") expected = row.content;
            if (input.name == "heartbeat") expected = "quiet";
            if (row.told.contains(input.name)) expected = "told";
            if (input.name == "connection.close" && row.state != ConnectionState::closed) {
                expected = "closed";
            }
            if (input.name == "connection.close-ok" && row.state == ConnectionState::closing) {
                expected = "closed";
            }
            // The first octet of all must be a method's, or it is not AMQP.
            if (row.state == ConnectionState::await_start && input.frame[0] != std::byte{1}) {
                expected = "violated";
            }
            EXPECT_EQ(effect(peer), expected) << row.name << ", " << input.name;
            // Whatever it was, the end comes once and nothing is owed after it.
            peer.transport_fails();
            EXPECT_EQ(peer.machine.state(), ConnectionState::closed);
            EXPECT_EQ(peer.machine.deadline(), Instant::never());
        }
    }
}

// rule 107
TEST(MachineStates, ConnectionTakesNothingOnAChannelThatIsNotOpen) {
    for (const ConnectionRow& row : connection_rows()) {
        for (const Input& input : inputs_on(1)) {
            MachinePeer peer;
            bring(peer, row.state);
            peer.feed(input.frame);
            std::string_view expected = row.on_a_channel;
            if (input.name == "heartbeat") {
                expected = row.content == "quiet" ? "quiet" : row.content;
            }
            EXPECT_EQ(effect(peer), expected) << row.name << ", " << input.name;
        }
    }
}

// ---- a channel

enum class Moment {
    opening,
    open,
    call_in_flight,  // queue.declare
    close_in_flight,
    failed,        // closed by us over a violation
    late_opening,  // the open timed out
};

struct ChannelRow {
    Moment moment;
    std::string_view name;
    std::set<std::string_view> told;
    std::set<std::string_view> quiet;
    std::string_view otherwise;  // for the other methods
    std::string_view content;    // for header and body
};

const std::vector<ChannelRow>& channel_rows() {
    static const std::vector<ChannelRow> rows{
        {Moment::opening, "opening", {"channel.open-ok"}, {}, "channel closed", "violated 505"},
        {Moment::open,
         "open",
         {"channel.flow"},
         {"basic.deliver", "basic.return", "basic.ack", "basic.nack", "basic.cancel"},
         "channel closed",
         "violated 505"},
        {Moment::call_in_flight,
         "call in flight",
         {"channel.flow", "queue.declare-ok"},
         {"basic.deliver", "basic.return", "basic.ack", "basic.nack", "basic.cancel"},
         "channel closed",
         "violated 505"},
        {Moment::close_in_flight,
         "close in flight",
         {"channel.flow", "channel.close-ok"},
         {},
         "quiet",
         "violated 505"},
        {Moment::failed, "failed", {}, {}, "quiet", "quiet"},
        {Moment::late_opening, "late opening", {"channel.open-ok"}, {}, "quiet", "quiet"},
    };
    return rows;
}

void bring(MachinePeer& peer, Moment moment) {
    peer.handshake();
    ASSERT_EQ(peer.ask_channel(peer.now + seconds(1)), 1);
    if (moment == Moment::late_opening) peer.expire_at(peer.now + seconds(1));
    if (moment != Moment::opening && moment != Moment::late_opening) {
        peer.send(1, wire::channel::OpenOk{});
    }
    if (moment == Moment::call_in_flight) (void)peer.declare(1, 1);
    if (moment == Moment::close_in_flight) (void)peer.close_channel(1, 1);
    if (moment == Moment::failed) peer.send(1, wire::queue::PurgeOk{});
    (void)peer.output();
    (void)peer.told();
}

TEST(MachineStates, ChannelDoesWhatTheTableSays) {
    for (const ChannelRow& row : channel_rows()) {
        const bool ended = row.moment == Moment::failed || row.moment == Moment::late_opening;
        for (const Input& input : inputs_on(1)) {
            MachinePeer peer;
            bring(peer, row.moment);
            peer.feed(input.frame);
            std::string_view expected = row.otherwise;
            if (input.name == "header" || input.name == "body") expected = row.content;
            if (input.class_id == 10 && !ended) expected = "violated 503";
            if (input.name == "unknown" && !ended) expected = "violated 503";
            if (input.name == "heartbeat") expected = "violated 501";
            if (input.name == "channel.close") expected = "told";
            if (row.told.contains(input.name)) expected = "told";
            if (row.quiet.contains(input.name)) expected = "quiet";
            EXPECT_EQ(effect(peer), expected) << row.name << ", " << input.name;
            // The number is free exactly when both sides are done with it (rules 25, 26).
            const bool answered =
                input.name == "channel.close-ok" &&
                (row.moment == Moment::close_in_flight || row.moment == Moment::failed);
            const bool closed_by_broker = input.name == "channel.close" &&
                                          row.moment != Moment::close_in_flight &&
                                          row.moment != Moment::failed;
            const bool alive = peer.machine.state() == ConnectionState::open;
            EXPECT_EQ(peer.machine.channel_count(),
                      alive && !answered && !closed_by_broker ? 1U : 0U)
                << row.name << ", " << input.name;
            // A content may follow a method that has one; it must do no harm.
            if (alive && (input.name == "basic.deliver" || input.name == "basic.return" ||
                          input.name == "basic.get-ok")) {
                peer.feed(test::header_frame(1, 0));
                EXPECT_EQ(peer.machine.state(), ConnectionState::open) << row.name << input.name;
            }
            peer.transport_fails();
            EXPECT_EQ(peer.machine.channel_count(), 0U);
        }
    }
}

// Malformed arguments of everything: one octet too few where there are any.
TEST(MachineStates, ChannelSurvivesTruncatedArguments) {
    for (const ChannelRow& row : channel_rows()) {
        for (const Input& input : inputs_on(1)) {
            if (input.frame[0] != std::byte{1} || input.frame.size() <= 12) continue;
            const std::span<const std::byte> payload = std::span(input.frame).subspan(7);
            MachinePeer peer;
            bring(peer, row.moment);
            peer.feed(test::raw_frame(1, 1, payload.first(payload.size() - 2)));
            if (peer.machine.state() == ConnectionState::open) {
                peer.feed(test::header_frame(1, 0));
            }
            peer.transport_fails();
            EXPECT_EQ(peer.machine.channel_count(), 0U);
        }
    }
}

}  // namespace
}  // namespace haigha::protocol
