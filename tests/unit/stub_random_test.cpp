// What no client would send: whatever comes, the stub broker ends that connection and serves the
// next.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "stub_broker/stub_broker.h"
#include "support/loopback.h"
#include "support/octets.h"
#include "wire/frame.h"
#include "wire/method_declarations.h"
#include "wire/method_table.h"

namespace haigha::test {
namespace {

template <class Method>
Octets method(std::uint16_t channel, const Method& method) {
    Octets frame(wire::method_frame_size(method));
    wire::write_method_frame(frame.data(), channel, method);
    return frame;
}

Octets header(std::uint16_t channel, std::uint64_t body_size, std::string_view properties) {
    Octets frame(wire::content_header_frame_size(properties.size()));
    std::byte* at =
        wire::write_content_header(frame.data(), channel, 60, body_size, properties.size());
    const wire::Bytes bytes = wire::as_bytes(properties);
    wire::write_frame_end(std::copy(bytes.begin(), bytes.end(), at));
    return frame;
}

Octets body(std::uint16_t channel, std::string_view text) {
    Octets frame(wire::frame_overhead + text.size());
    std::byte* at = wire::write_frame_header(frame.data(), wire::FrameType::body, channel,
                                             static_cast<std::uint32_t>(text.size()));
    const wire::Bytes bytes = wire::as_bytes(text);
    wire::write_frame_end(std::copy(bytes.begin(), bytes.end(), at));
    return frame;
}

wire::queue::Declare declare(std::string_view queue) {
    wire::queue::Declare method{};
    method.queue = {queue};
    return method;
}

wire::basic::Publish publish(std::string_view key, bool mandatory = false) {
    wire::basic::Publish method{};
    method.routing_key = {key};
    method.mandatory = mandatory;
    return method;
}

// All that a client can ask for, each thing at least once, as the frames of one session.
std::vector<Octets> session() {
    static const std::string plain("\0guest\0guest", 12);
    wire::connection::StartOk start{};
    start.mechanism = {"PLAIN"};
    start.response = {plain};
    start.locale = {"en_US"};
    wire::connection::Open open{};
    open.virtual_host = {"/"};
    wire::exchange::Declare exchange{};
    exchange.exchange = {"x"};
    exchange.type = {"headers"};
    wire::queue::Bind bind{};
    bind.queue = {"q"};
    bind.exchange = {"x"};
    const Octets arguments = octets("07 'x-match' 53 00000003 'any' 01 'n' 49 00000005");
    bind.arguments = {arguments};
    wire::basic::Consume consume{};
    consume.queue = {"q"};
    consume.consumer_tag = {"c"};
    wire::basic::Consume replies{};
    replies.queue = {"amq.rabbitmq.reply-to"};
    replies.no_ack = true;
    wire::basic::Get get{};
    get.queue = {"p"};
    wire::basic::Recover recover{};
    recover.requeue = true;
    wire::basic::Cancel cancel{};
    cancel.consumer_tag = {"c"};
    const std::string nothing(2, '\0');
    // reply_to
    const std::string asks = std::string("\x02\x00", 2) +
                             "\x15"
                             "amq.rabbitmq.reply-to";
    std::vector<Octets> frames = {
        Octets(wire::protocol_header.begin(), wire::protocol_header.end()),
        method(0, start),
        method(0, wire::connection::TuneOk{2047, 131072, 0}),
        method(0, open),
        method(1, wire::channel::Open{}),
        method(2, wire::channel::Open{}),
        method(3, wire::channel::Open{}),
        method(1, exchange),
        method(1, declare("q")),
        method(1, declare("p")),
        method(1, bind),
        method(1, wire::confirm::Select{}),
        method(1, publish("q")),
        header(1, 4, nothing),
        body(1, "bo"),
        body(1, "dy"),
        method(1, publish("nowhere", true)),
        header(1, 1, nothing),
        body(1, "x"),
        method(1, publish("p")),
        header(1, 0, nothing),
        method(1, wire::basic::Qos{0, 3, false}),
        method(1, consume),
        method(1, wire::basic::Ack{1, false}),
        method(1, get),
        method(1, wire::basic::Nack{2, false, true}),
        method(1, recover),
        method(2, replies),
        method(2, publish("q")),
        header(2, 1, asks),
        body(2, "r"),
        method(3, wire::tx::Select{}),
        method(3, publish("q")),
        header(3, 0, nothing),
        method(3, wire::tx::Commit{}),
        method(3, wire::tx::Rollback{}),
        method(1, cancel),
        Octets(wire::heartbeat_frame.begin(), wire::heartbeat_frame.end()),
        method(2, wire::channel::Close{}),
        method(0, wire::connection::Close{}),
    };
    return frames;
}

// Sends it, ends, and reads until the broker has ended too. Gives what was read.
Octets say(const StubBroker& broker, std::span<const std::byte> bytes, std::size_t at_once) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{60, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect_to_loopback(fd, broker.port()) != 0) throw std::runtime_error("connect");
    while (!bytes.empty()) {
        const ssize_t size =
            ::send(fd, bytes.data(), std::min(bytes.size(), at_once), MSG_NOSIGNAL);
        if (size <= 0) break;  // the broker has gone: that is its right
        bytes = bytes.subspan(static_cast<std::size_t>(size));
    }
    ::shutdown(fd, SHUT_WR);
    Octets answer;
    std::byte buffer[65536];
    for (;;) {
        const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
        EXPECT_FALSE(size < 0 && errno == EAGAIN) << "the broker does not end";
        if (size <= 0) break;
        answer.insert(answer.end(), buffer, buffer + size);
    }
    ::close(fd);
    return answer;
}

std::size_t count(std::string_view name, std::span<const std::byte> answer) {
    std::size_t found = 0;
    while (true) {
        const wire::FrameParse parsed = wire::parse_frame(answer, 0);
        if (parsed.status != wire::FrameParse::Status::complete) return found;
        if (parsed.frame.type == wire::FrameType::method) {
            const auto* info = wire::find_method(*wire::read_method_id(parsed.frame.payload));
            if (info != nullptr && info->name == name) ++found;
        }
        answer = answer.subspan(parsed.size);
    }
}

Octets whole(const std::vector<Octets>& frames) {
    Octets all;
    for (const Octets& frame : frames)
        all.insert(all.end(), frame.begin(), frame.end());
    return all;
}

void expect_honest(const StubBroker& broker) {
    const Octets answer = say(broker, whole(session()), 1 << 20);
    EXPECT_EQ(count("connection.close-ok", answer), 1U);
    EXPECT_EQ(count("basic.return", answer), 1U);
    EXPECT_GE(count("basic.deliver", answer), 1U);
    EXPECT_EQ(count("tx.commit-ok", answer), 1U);
}

class StubRandom : public testing::Test {
  protected:
    std::size_t below(std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
    }
    std::mt19937 random_{20'261'127};
    StubBroker broker_;
};

TEST_F(StubRandom, AnHonestSessionIsAnswered) {
    expect_honest(broker_);
}

TEST_F(StubRandom, EveryBeginningOfASession) {
    const Octets all = whole(session());
    for (std::size_t size = 0; size <= all.size(); size += 1 + size / 200) {
        (void)say(broker_, std::span(all).first(size), size % 3 == 0 ? 7 : 1 << 20);
    }
    expect_honest(broker_);
}

TEST_F(StubRandom, OctetsAtRandom) {
    for (int round = 0; round < 300; ++round) {
        Octets noise(below(2000));
        for (std::byte& octet : noise)
            octet = static_cast<std::byte>(below(256));
        // Behind a good beginning, or it would be refused at its first octet.
        Octets bytes = round % 3 == 0 ? Octets() : whole(session());
        bytes.resize(bytes.empty() ? 0 : 8 + below(bytes.size() - 8));
        bytes.insert(bytes.end(), noise.begin(), noise.end());
        (void)say(broker_, bytes, 1 << 20);
    }
    expect_honest(broker_);
}

TEST_F(StubRandom, FramesThatAreChangedLeftOutRepeatedAndMixed) {
    const std::vector<Octets> good = session();
    for (int round = 0; round < 1500; ++round) {
        std::vector<Octets> frames = good;
        for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
            // Behind the handshake more often than in it.
            const std::size_t at = below(10) == 0 ? below(4) : 4 + below(frames.size() - 4);
            switch (below(4)) {
                case 0:
                    frames[at][below(frames[at].size())] = static_cast<std::byte>(below(256));
                    break;
                case 1:
                    frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(at));
                    break;
                case 2:
                    frames.insert(frames.begin() + static_cast<std::ptrdiff_t>(at),
                                  good[below(good.size())]);
                    break;
                default:
                    std::swap(frames[at], frames[below(frames.size())]);
            }
        }
        (void)say(broker_, whole(frames), 1 << 20);
    }
    EXPECT_FALSE(broker_.violations().empty());
    expect_honest(broker_);
}

TEST_F(StubRandom, LinesThatAreNoScript) {
    for (const char* line : {"on",
                             "on basic.publish",
                             "on basic.publish nothing",
                             "on basic.publish#0 nack",
                             "on basic.publish#x nack",
                             "on no.method hold",
                             "on queue.declare nack",
                             "on queue.declare return 312 NO_ROUTE",
                             "on basic.publish return",
                             "on connect drop",
                             "on connection.open close-channel 404 x",
                             "on queue.declare refuse-login",
                             "on basic.publish connection nack",
                             "on basic.publish channel 70000 nack",
                             "on basic.publish close-channel 70000 x",
                             "on basic.publish raw 0",
                             "on basic.publish raw 'open",
                             "on basic.publish raw zz",
                             "on basic.publish hold on",
                             "stall there",
                             "banner \\x1",
                             "banner \\q",
                             "reset-after many",
                             "flow 1 perhaps",
                             "flow",
                             "close-channel",
                             "hold",
                             "nack",
                             "tell",
                             "go 1 2",
                             "resume now",
                             "put",
                             "dance"}) {
        EXPECT_THROW(broker_.command(line), std::invalid_argument) << line;
    }
    expect_honest(broker_);
}

}  // namespace
}  // namespace haigha::test
