// Bodies that are lent to a publish: written from where they are, and given back once, however the
// publish ends (rule 118).
#include <gtest/gtest.h>

#include <string>

#include "support/lent_bodies.h"
#include "support/stub_fixture.h"

namespace haigha::test {
namespace {

constexpr std::size_t held_size = 16 * 1024;  // from here on it is not copied
constexpr std::size_t large = 600 * 1024;     // waits its turn

class Lending : public StubTest {
  protected:
    haigha_status lend(haigha_channel* channel, std::string_view queue, LentBodies::Body& body) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue);
        return haigha_publish_lent(channel, &args, body.str(), &LentBodies::release, &body, nullptr,
                                   error_);
    }
    MessageHandle get(haigha_channel* channel, std::string_view queue) {
        haigha_get_args args = HAIGHA_GET_ARGS_INIT;
        args.queue = str(queue);
        args.no_ack = 1;
        ReplyHandle reply;
        EXPECT_EQ(HAIGHA_OK, haigha_get_wait(channel, &args, -1, out(reply), error_)) << error_;
        return MessageHandle(haigha_message_ref(haigha_reply_message(reply.get())));
    }
    LentBodies bodies_;
};

TEST_F(Lending, ASmallBodyIsGivenBackAtOnce) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, held_size - 1}) {
        LentBodies::Body& body = bodies_.add(std::string(size, 'a'));
        ASSERT_EQ(HAIGHA_OK, lend(channel.get(), "q", body)) << error_;
        EXPECT_EQ(body.released, 1);
    }
}

TEST_F(Lending, ARefusedBodyIsNotGivenBack) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    LentBodies::Body& body = bodies_.add(std::string(large, 'a'));
    const std::string name(256, 'n');
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, lend(channel.get(), name, body));
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_publish_lent(channel.get(), &args, body.str(), nullptr,
                                                       &body, nullptr, error_));
    EXPECT_EQ(error_.message(), "release is NULL");
    ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel.get(), -1, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_CLOSED, lend(channel.get(), "q", body));
    EXPECT_EQ(bodies_.released(), 0U);
}

// While the peer reads nothing they are kept; what else is said stays whole around them.
TEST_F(Lending, TheyAreKeptUntilTheyAreWritten) {
    StubOptions small;
    small.socket_buffer = 4096;
    start(small);
    const ConnectionHandle connection = connect({{"outbox_high_water_bytes", 256 * 1024 * 1024}});
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    script("stop-reading");
    // More than any socket's buffer takes.
    constexpr std::size_t count = 64;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = i % 2 == 0 ? held_size * (1 + i % 5) : large;
        ASSERT_EQ(HAIGHA_OK, lend(channel.get(), "q",
                                  bodies_.add(std::string(size, static_cast<char>('a' + i % 26)))))
            << error_;
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", "between"));
    }
    EXPECT_LT(bodies_.released(), count);
    script("resume");
    bodies_.wait_released(count);
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    EXPECT_EQ(broker_->queue_size("q"), 2 * count);
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = i % 2 == 0 ? held_size * (1 + i % 5) : large;
        const MessageHandle message = get(channel.get(), "q");
        ASSERT_TRUE(message);
        EXPECT_TRUE(view(haigha_message_body(message.get())) ==
                    std::string(size, static_cast<char>('a' + i % 26)))
            << i;
        const MessageHandle between = get(channel.get(), "q");
        ASSERT_TRUE(between);
        EXPECT_EQ(view(haigha_message_body(between.get())), "between");
    }
}

TEST_F(Lending, WhatAChannelLeavesIsGivenBack) {
    StubOptions small;
    small.socket_buffer = 4096;
    start(small);
    const ConnectionHandle connection = connect({{"outbox_high_water_bytes", 256 * 1024 * 1024}});
    const ChannelHandle channel = open_channel(connection.get());
    const ChannelHandle other = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
    script("stop-reading");
    constexpr std::size_t count = 40;
    for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(HAIGHA_OK, lend(channel.get(), "q",
                                  bodies_.add(std::string(i % 2 == 0 ? held_size : large, 'x'))))
            << error_;
    }
    script("close-channel " + std::to_string(haigha_channel_id(channel.get())) + " 406 gone");
    script("resume");
    bodies_.wait_released(count);
    EXPECT_EQ(HAIGHA_OK, declare(other.get(), "still-there")) << error_;
}

TEST_F(Lending, WhatAConnectionLeavesIsGivenBack) {
    for (const bool drop : {false, true}) {
        StubOptions small;
        small.socket_buffer = 4096;
        start(small);
        const std::size_t before = bodies_.released();
        constexpr std::size_t count = 40;
        {
            const ConnectionHandle connection =
                connect({{"outbox_high_water_bytes", 256 * 1024 * 1024}});
            const ChannelHandle channel = open_channel(connection.get());
            ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
            script("stop-reading");
            for (std::size_t i = 0; i < count; ++i) {
                ASSERT_EQ(HAIGHA_OK,
                          lend(channel.get(), "q",
                               bodies_.add(std::string(i % 2 == 0 ? held_size : large, 'x'))))
                    << error_;
            }
            if (!drop) {
                EXPECT_EQ(HAIGHA_ERR_TIMEOUT,
                          haigha_connection_close_wait(connection.get(), 0, error_));
            }
        }
        bodies_.wait_released(before + count);
        script("resume");
    }
}

}  // namespace
}  // namespace haigha::test
