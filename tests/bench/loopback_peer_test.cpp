// The benchmark's other end counts what it was sent: nothing that a figure rests on is taken on
// trust.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench_peer.h"
#include "bench_stamp.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"
#include "wire/method_table.h"

namespace {

namespace wire = haigha::wire;
using bench::LoopbackPeer;
using bench::PeerCounts;

constexpr std::size_t properties_size = 2;  // flags, and nothing after them
constexpr std::size_t largest_body_frame = 131072 - wire::frame_overhead;

// An AMQP client of the simplest kind: writes at once, reads frame by frame.
class RawConnection {
  public:
    explicit RawConnection(const LoopbackPeer& peer)
        : fd_(bench::connect_loopback(peer.amqp_port())) {
        write(wire::protocol_header);
        EXPECT_EQ(next(), "connection.start");
        send(0, wire::connection::StartOk{});
        EXPECT_EQ(next(), "connection.tune");
        send(0, wire::connection::TuneOk{2047, 131072, 0});
        send(0, wire::connection::Open{});
        EXPECT_EQ(next(), "connection.open-ok");
        send(1, wire::channel::Open{});
        EXPECT_EQ(next(), "channel.open-ok");
    }
    ~RawConnection() { close(); }
    RawConnection(const RawConnection&) = delete;
    RawConnection& operator=(const RawConnection&) = delete;

    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    void write(wire::Bytes bytes) {
        while (!bytes.empty()) {
            const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (size <= 0) FAIL() << "send";
            bytes = bytes.subspan(static_cast<std::size_t>(size));
        }
    }
    template <class Method>
    void send(std::uint16_t channel, const Method& method) {
        std::vector<std::byte> frame(wire::method_frame_size(method));
        wire::write_method_frame(frame.data(), channel, method);
        write(frame);
    }
    void send_content(const std::vector<std::byte>& body, std::size_t announced,
                      std::uint16_t channel = 1) {
        send(channel, wire::basic::Publish{});
        std::vector<std::byte> header(wire::content_header_frame_size(properties_size));
        std::byte* const properties =
            wire::write_content_header(header.data(), channel, 60, announced, properties_size);
        wire::write_frame_end(properties + properties_size);
        write(header);
        for (std::size_t done = 0; done < body.size();) {
            const std::size_t part = std::min(body.size() - done, largest_body_frame);
            std::vector<std::byte> frame(wire::frame_overhead + part);
            std::byte* const payload = wire::write_frame_header(
                frame.data(), wire::FrameType::body, channel, static_cast<std::uint32_t>(part));
            const auto from = body.begin() + static_cast<std::ptrdiff_t>(done);
            wire::write_frame_end(
                std::copy(from, from + static_cast<std::ptrdiff_t>(part), payload));
            write(frame);
            done += part;
        }
    }
    void publish(std::uint64_t number, std::size_t size, std::uint16_t channel = 1) {
        std::vector<std::byte> body(size, std::byte{BENCH_STAMP_FILLER});
        bench_stamp(body.data(), size, number);
        send_content(body, size, channel);
    }
    void open_channel(std::uint16_t channel) {
        send(channel, wire::channel::Open{});
        EXPECT_EQ(next(), "channel.open-ok");
    }
    void declare(std::string_view queue, std::uint16_t channel = 1) {
        wire::queue::Declare method{};
        method.queue = {queue};
        send(channel, method);
        EXPECT_EQ(next(), "queue.declare-ok");
    }
    void consume(std::string_view queue, bool no_ack, std::uint16_t channel = 1) {
        wire::basic::Consume method{};
        method.queue = {queue};
        method.consumer_tag = {"tag"};
        method.no_ack = no_ack;
        send(channel, method);
        EXPECT_EQ(next(), "basic.consume-ok");
    }

    // The next frame: its method's name, "header", "body" or "end".
    std::string next() {
        in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(used_));
        used_ = 0;
        for (;;) {
            const wire::FrameParse parsed = wire::parse_frame(in_, 0);
            if (parsed.status == wire::FrameParse::Status::complete) {
                used_ = parsed.size;
                frame_ = parsed.frame;
                if (frame_.type == wire::FrameType::header) return "header";
                if (frame_.type == wire::FrameType::body) return "body";
                return std::string(wire::find_method(*wire::read_method_id(frame_.payload))->name);
            }
            std::byte buffer[4096];
            const ssize_t size = ::recv(fd_, buffer, sizeof buffer, 0);
            if (size <= 0) return "end";
            in_.insert(in_.end(), buffer, buffer + size);
        }
    }
    template <class Method>
    Method method() const {
        Method method{};
        EXPECT_TRUE(wire::decode_method(frame_.payload.subspan(wire::method_id_size), method));
        return method;
    }
    wire::Bytes payload() const { return frame_.payload; }
    std::uint16_t channel() const { return frame_.channel; }

  private:
    int fd_;
    std::vector<std::byte> in_;
    std::size_t used_ = 0;
    wire::Frame frame_;
};

TEST(LoopbackPeer, CountsPublishesAndConfirmsThem) {
    LoopbackPeer peer;
    RawConnection connection(peer);
    connection.send(1, wire::confirm::Select{});
    ASSERT_EQ(connection.next(), "confirm.select-ok");
    const std::size_t sizes[] = {16, 17, 1024, 100'000};
    std::uint64_t bytes = 0;
    for (std::uint64_t number = 1; number <= 1000; ++number) {
        const std::size_t size = sizes[number % 4];
        connection.publish(number, size);
        bytes += size;
    }
    std::uint64_t confirmed = 0;
    while (confirmed < 1000) {
        ASSERT_EQ(connection.next(), "basic.ack");
        const auto ack = connection.method<wire::basic::Ack>();
        EXPECT_TRUE(ack.multiple);
        ASSERT_GT(ack.delivery_tag, confirmed);
        confirmed = ack.delivery_tag;
    }
    EXPECT_EQ(confirmed, 1000U);
    connection.close();
    const PeerCounts counts = peer.counts();
    EXPECT_EQ(counts.published, 1000U);
    EXPECT_EQ(counts.body_bytes, bytes);
    EXPECT_EQ(counts.wrong, 0U);
}

TEST(LoopbackPeer, SeesWhatIsWrong) {
    LoopbackPeer peer;
    std::vector<std::byte> body(20, std::byte{BENCH_STAMP_FILLER});
    {
        RawConnection connection(peer);
        bench_stamp(body.data(), body.size(), 1);
        body.back() ^= std::byte{1};
        connection.send_content(body, body.size());  // damaged at its end
        connection.publish(3, 16);                   // the second is missing
        bench_stamp(body.data(), body.size(), 3);
        body[10] = std::byte{0};
        connection.send_content(body, body.size());  // damaged in its middle
        connection.publish(4, 16);
    }
    PeerCounts counts = peer.counts();
    EXPECT_EQ(counts.published, 4U);
    EXPECT_EQ(counts.wrong, 3U);
    {
        RawConnection connection(peer);
        connection.send_content(body, 100);  // announces more than comes
    }
    counts = peer.counts();
    EXPECT_EQ(counts.published, 0U);
    EXPECT_EQ(counts.body_bytes, 20U);
    {
        RawConnection connection(peer);
        connection.send_content(body, 10);  // and less
        connection.send(1, wire::basic::Ack{1, false});
    }
    counts = peer.counts();
    EXPECT_EQ(counts.published, 0U);
    EXPECT_EQ(counts.wrong, 3U);  // the body; a method where content is expected; what it acks
}

TEST(LoopbackPeer, DeliversWithinThePrefetchAndCountsAcks) {
    LoopbackPeer peer;
    constexpr std::size_t size = 1024;
    constexpr std::uint64_t count = 700;  // more than it encodes ahead
    RawConnection connection(peer);
    wire::basic::Qos qos{};
    qos.prefetch_count = 10;
    connection.send(1, qos);
    ASSERT_EQ(connection.next(), "basic.qos-ok");
    wire::basic::Consume consume{};
    consume.queue = {"consume:1024:700"};
    consume.consumer_tag = {"tag"};
    connection.send(1, consume);
    ASSERT_EQ(connection.next(), "basic.consume-ok");
    for (std::uint64_t number = 1; number <= count; ++number) {
        ASSERT_EQ(connection.next(), "basic.deliver");
        const auto deliver = connection.method<wire::basic::Deliver>();
        EXPECT_EQ(deliver.delivery_tag, number);
        EXPECT_EQ(deliver.consumer_tag.text, "tag");
        EXPECT_EQ(deliver.routing_key.text, "bench");
        ASSERT_EQ(connection.next(), "header");
        wire::ContentHeader header;
        ASSERT_TRUE(wire::parse_content_header(connection.payload(), header));
        EXPECT_EQ(header.body_size, size);
        ASSERT_EQ(connection.next(), "body");
        const wire::Bytes body = connection.payload();
        ASSERT_EQ(body.size(), size);
        EXPECT_NE(bench_stamped(body.data(), body.size(), number), 0) << number;
        // Nothing comes beyond the prefetch: a round trip later the answer is all there is.
        if (number == 10) {
            wire::queue::Declare declare{};
            declare.queue = {"between"};
            connection.send(1, declare);
            ASSERT_EQ(connection.next(), "queue.declare-ok");
        }
        if (number > 10 && number % 2 == 0) connection.send(1, wire::basic::Ack{number, true});
        if (number == 10) {
            for (std::uint64_t tag = 1; tag <= 10; ++tag)
                connection.send(1, wire::basic::Ack{tag, false});
        }
    }
    wire::connection::Close close{};
    connection.send(0, close);
    ASSERT_EQ(connection.next(), "connection.close-ok");
    connection.close();
    const PeerCounts counts = peer.counts();
    EXPECT_EQ(counts.delivered, count);
    EXPECT_EQ(counts.acked, count);
    EXPECT_EQ(counts.wrong, 0U);
}

TEST(LoopbackPeer, CountsWrongAcks) {
    LoopbackPeer peer;
    RawConnection connection(peer);
    wire::basic::Consume consume{};
    consume.queue = {"consume:16:3"};
    connection.send(1, consume);
    ASSERT_EQ(connection.next(), "basic.consume-ok");
    EXPECT_EQ(connection.method<wire::basic::ConsumeOk>().consumer_tag.text, "amq.ctag-1");
    for (int i = 0; i < 9; ++i)
        ASSERT_NE(connection.next(), "end");
    connection.send(1, wire::basic::Ack{1, false});
    connection.send(1, wire::basic::Ack{1, false});  // twice
    connection.send(1, wire::basic::Ack{3, false});  // the second is missing
    connection.send(1, wire::basic::Ack{4, true});   // was never delivered
    connection.close();
    const PeerCounts counts = peer.counts();
    EXPECT_EQ(counts.delivered, 3U);
    EXPECT_EQ(counts.wrong, 3U);
}

TEST(LoopbackPeer, MeasuresTheFloorWithTheSameOctets) {
    LoopbackPeer peer;
    for (const bool copied : {false, true}) {
        peer.write_floor(1024, 1000, copied);
        const PeerCounts counts = peer.counts();
        EXPECT_EQ(counts.published, 1000U);
        EXPECT_EQ(counts.body_bytes, 1024U * 1000);
        EXPECT_EQ(counts.wrong, 0U);
    }
    // deliver: ids, consumer tag, delivery tag, redelivered, exchange, routing key; header; body.
    const std::uint64_t deliver =
        8 + 4 + (1 + std::string_view("haigha-1.1").size()) + 8 + 1 + 1 + 6;
    EXPECT_EQ(peer.read_floor(1024, 1000), 1000 * (deliver + 8 + 14 + 8 + 1024));
}

TEST(LoopbackPeer, ServesManyConnectionsAtATime) {
    LoopbackPeer peer;
    std::vector<std::unique_ptr<RawConnection>> connections;
    for (int i = 0; i < 50; ++i)
        connections.push_back(std::make_unique<RawConnection>(peer));
    for (std::uint64_t number = 1; number <= 3; ++number) {
        for (const auto& connection : connections)
            connection->publish(number, 16);
    }
    for (auto& connection : connections) {
        connection->consume("consume:16:2", true);
        for (int i = 0; i < 6; ++i)
            ASSERT_NE(connection->next(), "end");
        connection = nullptr;
        const PeerCounts counts = peer.counts();
        EXPECT_EQ(counts.published, 3U);
        EXPECT_EQ(counts.delivered, 2U);
        EXPECT_EQ(counts.wrong, 0U);
    }
}

TEST(LoopbackPeer, KeepsPartsOfFramesApart) {
    LoopbackPeer peer;
    RawConnection one(peer);
    RawConnection other(peer);
    std::vector<std::byte> frame(wire::method_frame_size(wire::queue::Declare{}));
    wire::write_method_frame(frame.data(), 1, wire::queue::Declare{});
    const wire::Bytes whole(frame);
    for (int i = 0; i < 20; ++i) {
        const auto cut = static_cast<std::size_t>(1 + i) % frame.size();
        one.write(whole.first(cut));
        // Mostly read between the two parts of the first one.
        other.declare("between");
        one.write(whole.subspan(cut));
        ASSERT_EQ(one.next(), "queue.declare-ok");
    }
    one.close();
    EXPECT_EQ(peer.counts().wrong, 0U);
}

TEST(LoopbackPeer, ServesConsumersInTurn) {
    LoopbackPeer peer;
    RawConnection connection(peer);
    connection.open_channel(2);
    // None may be served before both are there.
    wire::basic::Qos qos{};
    qos.prefetch_count = 1;
    for (const std::uint16_t channel : {std::uint16_t{1}, std::uint16_t{2}}) {
        connection.send(channel, qos);
        ASSERT_EQ(connection.next(), "basic.qos-ok");
    }
    connection.consume("consume:16:3", false, 1);
    for (int frame = 0; frame < 3; ++frame)
        ASSERT_NE(connection.next(), "end");
    connection.consume("consume:16:2", true, 2);
    std::vector<std::uint64_t> last(3);
    last[1] = 1;
    for (int message = 0; message < 2; ++message) {
        ASSERT_EQ(connection.next(), "basic.deliver");
        ASSERT_EQ(connection.channel(), 2);
        EXPECT_EQ(connection.method<wire::basic::Deliver>().delivery_tag, ++last[2]);
        ASSERT_EQ(connection.next(), "header");
        ASSERT_EQ(connection.next(), "body");
        EXPECT_NE(bench_stamped(connection.payload().data(), connection.payload().size(), last[2]),
                  0);
    }
    connection.send(1, wire::basic::Ack{1, false});
    ASSERT_EQ(connection.next(), "basic.deliver");
    EXPECT_EQ(connection.channel(), 1);
    EXPECT_EQ(connection.method<wire::basic::Deliver>().delivery_tag, 2U);
    connection.close();
    const PeerCounts counts = peer.counts();
    EXPECT_EQ(counts.delivered, 4U);
    EXPECT_EQ(counts.acked, 1U);
    EXPECT_EQ(counts.wrong, 0U);
}

TEST(LoopbackPeer, WithholdsConfirmsUntilItIsAsked) {
    LoopbackPeer peer;
    RawConnection connection(peer);
    connection.send(1, wire::confirm::Select{});
    ASSERT_EQ(connection.next(), "confirm.select-ok");
    connection.declare("confirms:hold");
    std::uint64_t number = 0;
    const auto publish_three = [&] {
        for (int i = 0; i < 3; ++i)
            connection.publish(++number, 16);
    };
    const auto expect_ack = [&](std::uint64_t tag, bool multiple) {
        ASSERT_EQ(connection.next(), "basic.ack");
        const auto ack = connection.method<wire::basic::Ack>();
        EXPECT_EQ(ack.delivery_tag, tag);
        EXPECT_EQ(ack.multiple, multiple);
    };
    publish_three();
    connection.declare("confirms:multiple");
    expect_ack(3, true);
    publish_three();
    connection.declare("confirms:single");
    for (const std::uint64_t tag : {4U, 5U, 6U})
        expect_ack(tag, false);
    publish_three();
    connection.declare("confirms:backwards");
    for (const std::uint64_t tag : {9U, 8U, 7U})
        expect_ack(tag, false);
    connection.close();
    EXPECT_EQ(peer.counts().published, 9U);
}

TEST(LoopbackPeer, GivesBackWhatIsPublished) {
    LoopbackPeer peer;
    RawConnection connection(peer);
    connection.consume("echo", true);
    std::uint64_t number = 0;
    for (const std::size_t size : {std::size_t{64}, std::size_t{64}, std::size_t{100}}) {
        connection.publish(++number, size);
        ASSERT_EQ(connection.next(), "basic.deliver");
        EXPECT_EQ(connection.method<wire::basic::Deliver>().delivery_tag, number);
        ASSERT_EQ(connection.next(), "header");
        ASSERT_EQ(connection.next(), "body");
        ASSERT_EQ(connection.payload().size(), size);
        EXPECT_NE(bench_stamped(connection.payload().data(), size, number), 0);
    }
    const std::unique_ptr<bench::Wire> bare = peer.connect_raw("echo\n");
    char octets[] = "some octets";
    ASSERT_TRUE(bare->send_all(octets, sizeof octets));
    char back[sizeof octets];
    for (std::size_t got = 0; got < sizeof back;) {
        const ssize_t size = bare->receive(back + got, sizeof back - got);
        ASSERT_GT(size, 0);
        got += static_cast<std::size_t>(size);
    }
    EXPECT_STREQ(back, octets);
    connection.close();
    EXPECT_EQ(peer.counts().published, 3U);
}

TEST(LoopbackPeer, ChecksBodiesOfSeveralFrames) {
    LoopbackPeer peer;
    const std::size_t size = 3 * largest_body_frame - 100;
    {
        RawConnection connection(peer);
        connection.publish(1, size);
        connection.publish(1, size);  // begins and ends otherwise
        connection.publish(3, size, 1);
    }
    PeerCounts counts = peer.counts();
    EXPECT_EQ(counts.published, 3U);
    EXPECT_EQ(counts.body_bytes, 3 * size);
    EXPECT_EQ(counts.wrong, 2U);
    RawConnection connection(peer);
    connection.consume("consume:" + std::to_string(size) + ":2", true);
    for (std::uint64_t number = 1; number <= 2; ++number) {
        ASSERT_EQ(connection.next(), "basic.deliver");
        ASSERT_EQ(connection.next(), "header");
        std::vector<std::byte> body;
        while (body.size() < size) {
            ASSERT_EQ(connection.next(), "body");
            const wire::Bytes part = connection.payload();
            body.insert(body.end(), part.begin(), part.end());
        }
        EXPECT_NE(bench_stamped(body.data(), body.size(), number), 0);
    }
    connection.close();
    peer.write_floor(size, 3);
    (void)peer.counts();  // the connection before it
    counts = peer.counts();
    EXPECT_EQ(counts.published, 3U);
    EXPECT_EQ(counts.body_bytes, 3 * size);
    EXPECT_EQ(counts.wrong, 0U);
}

}  // namespace
