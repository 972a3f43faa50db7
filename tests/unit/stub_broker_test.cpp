// The stub broker, driven by a raw client that can also break the rules.
#include "stub_broker/stub_broker.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/octets.h"
#include "wire/frame.h"
#include "wire/method_declarations.h"
#include "wire/method_table.h"

namespace haigha::test {
namespace {

constexpr std::chrono::seconds patience{20};

class RawClient {
  public:
    explicit RawClient(const StubBroker& broker) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(broker.port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const timeval limit{patience.count(), 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("connect");
        }
    }
    ~RawClient() { ::close(fd_); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    void write(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (size < 0) throw std::runtime_error("send");
            bytes = bytes.subspan(static_cast<std::size_t>(size));
        }
    }
    template <class Method>
    void send(std::uint16_t channel, const Method& method) {
        Octets frame(wire::method_frame_size(method));
        wire::write_method_frame(frame.data(), channel, method);
        write(frame);
    }
    void send_header(std::uint16_t channel, std::size_t body_size) {
        Octets frame(wire::content_header_frame_size(2));
        std::byte* at = wire::write_content_header(frame.data(), channel, 60, body_size, 2);
        wire::write_frame_end(at + 2);
        write(frame);
    }
    void send_body(std::uint16_t channel, std::string_view body) {
        Octets frame(wire::frame_overhead + body.size(), wire::frame_end);
        std::byte* at = wire::write_frame_header(frame.data(), wire::FrameType::body, channel,
                                                 static_cast<std::uint32_t>(body.size()));
        std::copy_n(wire::as_bytes(body).begin(), body.size(), at);
        write(frame);
    }
    void publish(std::uint16_t channel, std::string_view key, std::string_view body,
                 bool mandatory = false, std::string_view exchange = {}) {
        wire::basic::Publish method{};
        method.exchange = {exchange};
        method.routing_key = {key};
        method.mandatory = mandatory;
        send(channel, method);
        send_header(channel, body.size());
        if (!body.empty()) send_body(channel, body);
    }

    // The next frame, in words: its method's name, or "header" or "body", or "end".
    std::string next() {
        in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(used_));
        used_ = 0;
        for (;;) {
            const wire::FrameParse parsed = wire::parse_frame(in_, 0);
            if (parsed.status == wire::FrameParse::Status::complete) {
                used_ = parsed.size;
                frame_ = parsed.frame;
                return name();
            }
            if (parsed.status != wire::FrameParse::Status::need_more) return "malformed";
            if (!receive()) return "end";
        }
    }
    bool receive() {
        std::byte buffer[4096];
        const ssize_t size = ::recv(fd_, buffer, sizeof buffer, 0);
        if (size < 0 && errno == EAGAIN) throw std::runtime_error("nothing came");
        if (size <= 0) return false;
        in_.insert(in_.end(), buffer, buffer + size);
        return true;
    }
    // Of the frame that next() gave.
    template <class Method>
    Method method() const {
        Method method{};
        EXPECT_TRUE(wire::decode_method(frame_.payload.subspan(4), method)) << Method::name;
        return method;
    }
    std::string_view body() const { return wire::as_text(frame_.payload); }
    std::string_view raw() const { return wire::as_text(in_); }

    void handshake(std::string_view password = "guest") {
        write(wire::protocol_header);
        ASSERT_EQ(next(), "connection.start");
        EXPECT_EQ(method<wire::connection::Start>().mechanisms.text, "AMQPLAIN PLAIN EXTERNAL");
        wire::connection::StartOk ok{};
        const std::string response =
            std::string(1, '\0') + "guest" + std::string(1, '\0') + std::string(password);
        // capabilities={consumer_cancel_notify=true, connection.blocked=true}
        const Octets properties = octets(
            "0c 'capabilities' 46 0000002e 16 'consumer_cancel_notify' 74 01"
            "12 'connection.blocked' 74 01");
        ok.client_properties = {properties};
        ok.mechanism = {"PLAIN"};
        ok.response = {response};
        ok.locale = {"en_US"};
        send(0, ok);
    }
    void open(std::string_view vhost = "/") {
        handshake();
        ASSERT_EQ(next(), "connection.tune");
        const auto tune = method<wire::connection::Tune>();
        send(0, wire::connection::TuneOk{tune.channel_max, tune.frame_max, 0});
        wire::connection::Open open{};
        open.virtual_host = {vhost};
        send(0, open);
    }
    void open_channel(std::uint16_t channel = 1) {
        open();
        ASSERT_EQ(next(), "connection.open-ok");
        send(channel, wire::channel::Open{});
        ASSERT_EQ(next(), "channel.open-ok");
    }
    void declare(std::string_view queue, std::uint16_t channel = 1) {
        wire::queue::Declare declare{};
        declare.queue = {queue};
        send(channel, declare);
    }

  private:
    std::string name() const {
        switch (frame_.type) {
            case wire::FrameType::header:
                return "header";
            case wire::FrameType::body:
                return "body";
            case wire::FrameType::heartbeat:
                return "heartbeat";
            case wire::FrameType::method:
                break;
        }
        return std::string(wire::find_method(*wire::read_method_id(frame_.payload))->name);
    }

    int fd_ = -1;
    Octets in_;
    std::size_t used_ = 0;
    wire::Frame frame_;
};

TEST(StubBroker, ShakesHandsAndCloses) {
    StubBroker broker;
    RawClient client(broker);
    client.open();
    ASSERT_EQ(client.next(), "connection.open-ok");
    client.send(0, wire::connection::Close{});
    EXPECT_EQ(client.next(), "connection.close-ok");
    EXPECT_EQ(client.next(), "end");
    EXPECT_EQ(broker.violations(), std::vector<std::string>());
    EXPECT_EQ(broker.count("connection.start-ok"), 1U);
    EXPECT_EQ(broker.count("connection.close"), 1U);
}

TEST(StubBroker, RefusesAPasswordAndAVirtualHost) {
    StubBroker broker;
    RawClient wrong(broker);
    wrong.handshake("rabbit");
    ASSERT_EQ(wrong.next(), "connection.close");
    EXPECT_EQ(wrong.method<wire::connection::Close>().reply_code, 403);
    EXPECT_TRUE(
        wrong.method<wire::connection::Close>().reply_text.text.starts_with("ACCESS_REFUSED"));
    RawClient elsewhere(broker);
    elsewhere.open("nowhere");
    ASSERT_EQ(elsewhere.next(), "connection.close");
    EXPECT_EQ(elsewhere.method<wire::connection::Close>().reply_code, 530);
}

TEST(StubBroker, RoutesAndDelivers) {
    StubBroker broker;
    RawClient client(broker);
    client.open_channel();
    client.declare("orders");
    ASSERT_EQ(client.next(), "queue.declare-ok");
    EXPECT_EQ(client.method<wire::queue::DeclareOk>().queue.text, "orders");
    wire::queue::Bind bind{};
    bind.queue = {"orders"};
    bind.exchange = {"amq.topic"};
    bind.routing_key = {"a.*.#"};
    client.send(1, bind);
    ASSERT_EQ(client.next(), "queue.bind-ok");
    client.publish(1, "orders", "one");
    client.publish(1, "a.b.c", "two", false, "amq.topic");
    client.publish(1, "b.b", "lost", false, "amq.topic");
    wire::basic::Qos qos{};
    qos.prefetch_count = 1;
    client.send(1, qos);
    ASSERT_EQ(client.next(), "basic.qos-ok");
    EXPECT_EQ(broker.queue_size("orders"), 2U);
    wire::basic::Consume consume{};
    consume.queue = {"orders"};
    consume.consumer_tag = {"c"};
    client.send(1, consume);
    ASSERT_EQ(client.next(), "basic.consume-ok");
    ASSERT_EQ(client.next(), "basic.deliver");
    EXPECT_EQ(client.method<wire::basic::Deliver>().delivery_tag, 1U);
    ASSERT_EQ(client.next(), "header");
    ASSERT_EQ(client.next(), "body");
    EXPECT_EQ(client.body(), "one");
    // The prefetch count holds the second back until the first comes back itself.
    client.send(1, wire::basic::Reject{1, true});
    ASSERT_EQ(client.next(), "basic.deliver");
    EXPECT_TRUE(client.method<wire::basic::Deliver>().redelivered);
    ASSERT_EQ(client.next(), "header");
    ASSERT_EQ(client.next(), "body");
    client.send(1, wire::basic::Ack{2, false});
    ASSERT_EQ(client.next(), "basic.deliver");
    ASSERT_EQ(client.next(), "header");
    ASSERT_EQ(client.next(), "body");
    EXPECT_EQ(client.body(), "two");
    wire::queue::Delete remove{};
    remove.queue = {"orders"};
    client.send(1, remove);
    ASSERT_EQ(client.next(), "basic.cancel");
    ASSERT_EQ(client.next(), "queue.delete-ok");
    EXPECT_EQ(broker.violations(), std::vector<std::string>());
    EXPECT_EQ(broker.count("basic.publish"), 3U);
}

TEST(StubBroker, ReturnsBeforeItConfirms) {
    for (const bool multiple : {false, true}) {
        StubOptions options;
        options.multiple_acks = multiple;
        StubBroker broker(options);
        RawClient client(broker);
        client.open_channel();
        client.send(1, wire::confirm::Select{});
        ASSERT_EQ(client.next(), "confirm.select-ok");
        client.publish(1, "nowhere", "", true);
        ASSERT_EQ(client.next(), "basic.return");
        EXPECT_EQ(client.method<wire::basic::Return>().reply_code, 312);
        EXPECT_EQ(client.method<wire::basic::Return>().reply_text.text, "NO_ROUTE");
        ASSERT_EQ(client.next(), "header");
        ASSERT_EQ(client.next(), "basic.ack");
        EXPECT_EQ(client.method<wire::basic::Ack>().delivery_tag, 1U);
        for (int i = 0; i < 10; ++i)
            client.publish(1, "nowhere", "x");
        std::uint64_t settled = 1;
        while (settled < 11) {
            ASSERT_EQ(client.next(), "basic.ack");
            const auto ack = client.method<wire::basic::Ack>();
            EXPECT_GT(ack.delivery_tag, settled);
            EXPECT_TRUE(ack.multiple || ack.delivery_tag == settled + 1);
            settled = ack.delivery_tag;
        }
        EXPECT_EQ(broker.violations(), std::vector<std::string>());
    }
}

TEST(StubBroker, GetsWhatIsThere) {
    StubBroker broker;
    RawClient client(broker);
    client.open_channel();
    client.declare("q");
    ASSERT_EQ(client.next(), "queue.declare-ok");
    wire::basic::Get get{};
    get.queue = {"q"};
    client.send(1, get);
    ASSERT_EQ(client.next(), "basic.get-empty");
    client.publish(1, "q", "body");
    client.send(1, get);
    ASSERT_EQ(client.next(), "basic.get-ok");
    ASSERT_EQ(client.next(), "header");
    ASSERT_EQ(client.next(), "body");
    // Unacknowledged, so it comes back when the channel goes.
    client.send(1, wire::channel::Close{});
    ASSERT_EQ(client.next(), "channel.close-ok");
    EXPECT_EQ(broker.queue_size("q"), 1U);
}

TEST(StubBroker, AnswersAMissingQueueWith404) {
    StubBroker broker;
    RawClient client(broker);
    client.open_channel();
    wire::queue::Declare declare{};
    declare.queue = {"missing"};
    declare.passive = true;
    client.send(1, declare);
    ASSERT_EQ(client.next(), "channel.close");
    const auto close = client.method<wire::channel::Close>();
    EXPECT_EQ(close.reply_code, 404);
    EXPECT_EQ(close.class_id, 50);
    client.publish(1, "late", "ignored, as sent before it was known");
    client.send(1, wire::channel::CloseOk{});
    client.send(1, wire::channel::Open{});
    EXPECT_EQ(client.next(), "channel.open-ok");
    EXPECT_EQ(broker.violations(), std::vector<std::string>());
    const auto received = broker.received();
    EXPECT_TRUE(received.at(received.size() - 3).ignored);
}

// Each of these breaks one rule.
void expect_violation(const char* text, void (*act)(RawClient&)) {
    StubBroker broker;
    RawClient client(broker);
    client.open_channel();
    broker.command("on channel.close hold");
    act(client);
    ASSERT_EQ(client.next(), "connection.close");
    const auto violations = broker.violations();
    ASSERT_EQ(violations.size(), 1U) << text;
    EXPECT_NE(violations[0].find(text), std::string::npos) << violations[0];
}

TEST(StubBroker, RecordsViolations) {
    expect_violation("second 'channel.open' seen",
                     [](RawClient& client) { client.send(1, wire::channel::Open{}); });
    expect_violation("expected 'channel.open', got basic.ack", [](RawClient& client) {
        client.send(2, wire::basic::Ack{1, false});
    });
    expect_violation("expected content, got basic.ack", [](RawClient& client) {
        client.send(1, wire::basic::Publish{});
        client.send(1, wire::basic::Ack{1, false});
    });
    expect_violation("a content body", [](RawClient& client) { client.send_body(1, "x"); });
    expect_violation("more body than announced", [](RawClient& client) {
        client.send(1, wire::basic::Publish{});
        client.send_header(1, 1);
        client.send_body(1, "xy");
    });
    expect_violation("malformed frame", [](RawClient& client) {
        client.send(1, wire::basic::Publish{});
        client.send_header(1, 200'000);
        Octets header(wire::frame_header_size);
        wire::write_frame_header(header.data(), wire::FrameType::body, 1, 131072 - 7);
        client.write(header);
    });
    expect_violation("heartbeat not on channel 0",
                     [](RawClient& client) { client.write(octets("08 0001 00000000 ce")); });
    expect_violation("basic.ack after channel.close", [](RawClient& client) {
        client.send(1, wire::channel::Close{});
        client.send(1, wire::basic::Ack{1, false});
    });
}

TEST(StubBroker, RecordsASecondSynchronousMethod) {
    StubBroker broker;
    RawClient client(broker);
    client.open_channel();
    broker.command("on queue.declare hold");
    client.declare("a");
    client.declare("b");
    ASSERT_TRUE(broker.wait_for_method("queue.declare", 2, patience));
    broker.command("release");
    ASSERT_EQ(client.next(), "queue.declare-ok");
    EXPECT_EQ(client.method<wire::queue::DeclareOk>().queue.text, "a");
    ASSERT_EQ(broker.violations().size(), 1U);
    EXPECT_NE(
        broker.violations()[0].find("queue.declare before the reply to queue.declare on channel 1"),
        std::string::npos);
}

TEST(StubBroker, ClosesByScript) {
    StubBroker broker;
    broker.command("on queue.declare#2 close-channel 406 PRECONDITION_FAILED - so it is written");
    broker.command("on basic.qos close-connection 541 INTERNAL_ERROR");
    RawClient client(broker);
    client.open_channel();
    client.declare("a");
    ASSERT_EQ(client.next(), "queue.declare-ok");
    client.declare("b");
    ASSERT_EQ(client.next(), "channel.close");
    EXPECT_EQ(client.method<wire::channel::Close>().reply_text.text,
              "PRECONDITION_FAILED - so it is written");
    client.send(1, wire::channel::CloseOk{});
    client.send(1, wire::channel::Open{});
    ASSERT_EQ(client.next(), "channel.open-ok");
    client.send(1, wire::basic::Qos{});
    ASSERT_EQ(client.next(), "connection.close");
    EXPECT_EQ(client.method<wire::connection::Close>().reply_code, 541);
    client.send(0, wire::connection::CloseOk{});
    EXPECT_EQ(client.next(), "end");
    EXPECT_EQ(broker.violations(), std::vector<std::string>());
}

// Who has seen that a rule was followed may say `go`, although the message is not whole.
TEST(StubBroker, LetsAMessageGoThatIsStillComing) {
    StubBroker broker;
    broker.command("on basic.publish#1 hold");
    RawClient client(broker);
    client.open_channel();
    client.send(1, wire::confirm::Select{});
    ASSERT_EQ(client.next(), "confirm.select-ok");
    wire::basic::Publish method{};
    method.routing_key = {"nowhere"};
    client.send(1, method);
    ASSERT_TRUE(broker.wait_for_method("fired", 1, patience));
    broker.command("go");
    client.send_header(1, 4);
    client.send_body(1, "body");
    EXPECT_EQ(client.next(), "basic.ack");
    EXPECT_EQ(broker.violations(), std::vector<std::string>());
}

TEST(StubBroker, SendsWhatIsInjected) {
    StubBroker broker;
    RawClient client(broker);
    client.open_channel();
    broker.command("on queue.declare raw 08 0000 00000000 ce");
    client.declare("a");
    EXPECT_EQ(client.next(), "heartbeat");
    broker.command("one-byte");
    broker.command("inject 08 0000 00000000 ce");
    EXPECT_EQ(client.next(), "heartbeat");
    broker.command("block low on memory");
    ASSERT_EQ(client.next(), "connection.blocked");
    EXPECT_EQ(client.method<wire::connection::Blocked>().reason.text, "low on memory");
    broker.command("unblock");
    EXPECT_EQ(client.next(), "connection.unblocked");
    broker.command("flow 1 off");
    EXPECT_EQ(client.next(), "channel.flow");
    broker.command("half-close");
    EXPECT_EQ(client.next(), "end");
}

TEST(StubBroker, ResetsAndStalls) {
    StubBroker broker;
    broker.command("reset-after 8");
    {
        RawClient client(broker);
        client.write(wire::protocol_header);
        EXPECT_FALSE(client.receive());
        EXPECT_EQ(errno, ECONNRESET);
    }
    broker.command("reset-after 0");
    broker.command("stall tune");
    {
        RawClient client(broker);
        client.handshake();
        ASSERT_TRUE(broker.wait_for_method("connection.start-ok", 1, patience));
        broker.command("reset");
        EXPECT_EQ(client.next(), "end");
    }
    broker.command("stall none");
    broker.command(R"(banner HTTP/1.1 400\r\n\x21)");
    RawClient client(broker);
    client.write(wire::protocol_header);
    while (client.receive()) {
    }
    EXPECT_EQ(client.raw(), "HTTP/1.1 400\r\n!");
}

TEST(StubBroker, RefusesWhatItDoesNotUnderstand) {
    StubBroker broker;
    for (const char* line :
         {"dance", "on", "on queue.declare", "on queue.dance hold", "on queue.declare#x hold",
          "on queue.declare dance", "stall", "stall everything", "inject 0", "close-channel 1 x y",
          "flow 1 maybe", "hold", "reset-after -1", "resume now", "banner \\q"}) {
        EXPECT_THROW(broker.command(line), std::invalid_argument) << line;
    }
    EXPECT_NO_THROW(broker.command("# nothing"));
    EXPECT_NO_THROW(broker.command(""));
}

}  // namespace
}  // namespace haigha::test
