// Bodies of a gibibyte, larger than any broker takes, against a peer that keeps nothing of them.
#include <gtest/gtest.h>
#include <haigha/pieces.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>

#include "support/amqp_greeting.h"
#include "support/counting_allocator.h"
#include "support/sanitizers.h"
#include "support/tcp_peer.h"

namespace haigha::test {
namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;
constexpr std::uint64_t huge = (address_sanitizer || thread_sanitizer ? 64 : 1024) * mebibyte;
// What fits into a frame of 128 KiB, whose octets repeat from frame to frame.
constexpr std::size_t frame_octets = 131'064;
constexpr unsigned channel_number = 1;

const std::string& pattern() {
    static const std::string octets = [] {
        std::string made(frame_octets, 0);
        for (std::size_t i = 0; i < made.size(); ++i)
            made[i] = static_cast<char>((i * 31 + i / 4096) & 0xFF);
        return made;
    }();
    return octets;
}
bool is_right(std::uint64_t place, std::string_view octets) {
    while (!octets.empty()) {
        const auto at = static_cast<std::size_t>(place % frame_octets);
        const std::size_t size = std::min(octets.size(), frame_octets - at);
        if (std::memcmp(octets.data(), pattern().data() + at, size) != 0) return false;
        octets.remove_prefix(size);
        place += size;
    }
    return true;
}

std::string content_header(std::uint64_t size) {
    return frame(2, channel_number,
                 big_endian(60, 2) + big_endian(0, 2) + big_endian(size, 8) + big_endian(0, 2));
}

// The broker's half of a channel that is opened.
void open_channel_for(TcpPeer::Client& client) {
    client.read_frame();
    client.send(method(channel_number, 20, 11, big_endian(0, 4)));
}

class HugeBodies : public testing::Test {
  protected:
    void SetUp() override { loop_ = start_loop(); }
    void TearDown() override { close_loop(loop_.get()); }

    ConnectionHandle connect(const TcpPeer& peer) {
        ConnectionHandle connection =
            new_connection(loop_.get(), peer.options({{"heartbeat", 0}}).get());
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }

    Err error_;
    LoopHandle loop_;
};

TEST_F(HugeBodies, AreWrittenInLittleMemory) {
    std::atomic<std::uint64_t> came{0};
    std::atomic<bool> right{true};
    TcpPeer peer([&](TcpPeer::Client& client) {
        greet(client);
        open_channel_for(client);
        client.read_frame();
        client.send(method(channel_number, 85, 11));
        client.read_frame();  // basic.publish
        client.read_frame();  // and its header
        std::string octets(64 * 1024, 0);
        while (came < huge) {
            std::uint64_t left = client.read_frame_head();
            if (left == 0) return;
            while (left > 0) {
                const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left, 65'536));
                if (!client.read_into(octets.data(), part)) return;
                right = right && is_right(came, {octets.data(), part});
                left -= part;
                came += part;
            }
            if (!client.read_into(octets.data(), 1)) return;
        }
        client.send(method(channel_number, 60, 80, big_endian(1, 8) + std::string(1, '\0')));
        client.hold();
    });
    const ConnectionHandle connection = connect(peer);
    EventLog outcomes;
    const haigha_then then = outcomes.then();
    const ChannelHandle channel = open_channel(connection.get(), &then, true);
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("q");
    haigha_body_writer* writer = nullptr;
    ASSERT_EQ(HAIGHA_OK,
              haigha_body_writer_new(channel.get(), &args, huge, nullptr, &writer, error_))
        << error_;
    const std::size_t before = CountedMemory::held();
    CountedMemory::begin_peak();
    for (std::uint64_t written = 0; written < huge;) {
        const auto at = static_cast<std::size_t>(written % frame_octets);
        const auto size =
            static_cast<std::size_t>(std::min<std::uint64_t>(huge - written, frame_octets - at));
        std::size_t taken = 0;
        ASSERT_EQ(HAIGHA_OK, haigha_body_write_wait(writer, {pattern().data() + at, size}, 60'000,
                                                    &taken, error_))
            << error_;
        written += taken;
    }
    EXPECT_EQ(outcomes.wait_for(HAIGHA_EVENT_OUTCOME).outcome, HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_LE(CountedMemory::peak() - before, mebibyte);
    EXPECT_EQ(came, huge);
    EXPECT_TRUE(right);
    haigha_body_writer_unref(writer);
}

struct Taken {
    std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t octets = 0;
    bool right = true;
    bool ended = false;

    void on_piece(const haigha_piece& piece) {
        const std::lock_guard lock(mutex);
        if (piece.kind == HAIGHA_PIECE_OCTETS) {
            right = right && piece.offset == octets && is_right(octets, view(piece.octets));
            octets += piece.octets.size;
        }
        ended = ended || piece.kind == HAIGHA_PIECE_END;
        changed.notify_all();
    }
};

TEST_F(HugeBodies, AreTakenInLittleMemory) {
    const std::string one = frame(3, channel_number, pattern());
    TcpPeer peer([&](TcpPeer::Client& client) {
        greet(client);
        open_channel_for(client);
        client.read_frame();  // basic.qos, for which nothing was said
        client.send(method(channel_number, 60, 11));
        client.read_frame();  // basic.consume
        client.send(method(channel_number, 60, 21, std::string("\1c", 2)));
        client.send(method(channel_number, 60, 60,
                           std::string("\1c", 2) + big_endian(1, 8) + std::string("\0\0\1q", 4)));
        client.send(content_header(huge));
        std::uint64_t sent = 0;
        for (; huge - sent >= frame_octets; sent += frame_octets)
            client.send(one);
        client.send(frame(3, channel_number, pattern().substr(0, huge - sent)));
        client.hold();
    });
    const ConnectionHandle connection = connect(peer);
    const ChannelHandle channel = open_channel(connection.get());
    Taken taken;
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str("q");
    args.consumer_tag = str("c");
    haigha_pieces_args pieces = HAIGHA_PIECES_ARGS_INIT;
    pieces.fn = [](const haigha_piece* piece, void* data) {
        static_cast<Taken*>(data)->on_piece(*piece);
    };
    pieces.user_data = &taken;
    const std::size_t before = CountedMemory::held();
    CountedMemory::begin_peak();
    ASSERT_EQ(HAIGHA_OK,
              haigha_consume_pieces_wait(channel.get(), &args, &pieces, -1, nullptr, error_))
        << error_;
    {
        std::unique_lock lock(taken.mutex);
        ASSERT_TRUE(taken.changed.wait_for(lock, patience, [&] { return taken.ended; }));
        EXPECT_TRUE(taken.right);
        EXPECT_EQ(taken.octets, huge);
    }
    EXPECT_LE(CountedMemory::peak() - before, mebibyte);
}

}  // namespace
}  // namespace haigha::test
