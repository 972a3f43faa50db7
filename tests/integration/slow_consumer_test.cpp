// One slow consumer must not stall its connection: others on it, acks and calls go on.
#include <gtest/gtest.h>
#include <poll.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

class SlowConsumer : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        ASSERT_EQ(HAIGHA_OK, haigha_inbox_new(capacity, out(inbox_), error_)) << error_;
        connection_ = connect();
        slow_ = open_channel(connection_.get());
        quick_ = open_channel(connection_.get(), nullptr, true);
        queue_ = declare_queue(slow_.get());
        quick_queue_ = declare_queue(quick_.get());
        ASSERT_EQ(HAIGHA_OK, consume(quick_.get(), quick_queue_, quick_deliveries_.then(), true))
            << error_;
    }
    // Nobody reads the inbox.
    void fill(std::uint64_t count, bool no_ack, bool pause_when_full) {
        const ConnectionHandle other = connect();
        const ChannelHandle publisher = open_channel(other.get(), nullptr, true);
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::string body = std::to_string(i) + std::string(4000, ' ');
            while (true) {
                const haigha_status status = publish(publisher.get(), queue_, body);
                if (status == HAIGHA_OK) break;
                ASSERT_EQ(HAIGHA_ERR_WOULD_BLOCK, status);
                ASSERT_EQ(HAIGHA_OK, haigha_connection_flush_wait(other.get(), -1, error_));
            }
        }
        ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(other.get(), -1, error_)) << error_;
        ASSERT_TRUE(wait_messages(quick_.get(), queue_, static_cast<std::uint32_t>(count)));
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue_);
        args.consumer_tag = str("slow");
        args.no_ack = no_ack ? 1 : 0;
        args.pause_when_full = pause_when_full ? 1 : 0;
        args.deliveries.inbox = inbox_.get();
        ASSERT_EQ(HAIGHA_OK, haigha_consume_wait(slow_.get(), &args, -1, nullptr, error_))
            << error_;
    }
    void others_go_on() {
        for (std::size_t i = 0; i < 50; ++i) {
            ASSERT_EQ(HAIGHA_OK, publish(quick_.get(), quick_queue_, "quick"));
            quick_deliveries_.wait_count(HAIGHA_EVENT_DELIVERY, ++quick_came_);
        }
    }
    // All of it comes, in order.
    void read(std::uint64_t count, bool ack) {
        std::vector<haigha_event> events(64);
        for (std::uint64_t seen = 0; seen < count;) {
            std::size_t came = 0;
            const std::int64_t limit_ms = std::chrono::milliseconds(patience).count();
            ASSERT_EQ(HAIGHA_OK,
                      haigha_inbox_poll(inbox_.get(), events.data(), sizeof(haigha_event),
                                        events.size(), limit_ms, &came, error_))
                << error_;
            ASSERT_GT(came, 0U) << "nothing came after " << seen;
            for (std::size_t i = 0; i < came; ++i) {
                ASSERT_EQ(events[i].type, static_cast<std::uint32_t>(HAIGHA_EVENT_DELIVERY));
                ASSERT_EQ(std::stoull(std::string(events[i].body.data, events[i].body.size)), seen);
                ++seen;
                if (ack) {
                    ASSERT_EQ(HAIGHA_OK, haigha_ack(slow_.get(), events[i].number, 0, error_))
                        << error_;
                }
            }
        }
    }

    static constexpr std::size_t capacity = 10;
    InboxHandle inbox_;
    ConnectionHandle connection_;
    ChannelHandle slow_;
    ChannelHandle quick_;
    std::string queue_;
    std::string quick_queue_;
    EventLog quick_deliveries_;
    std::size_t quick_came_ = 0;
};

// rule 82
TEST_F(SlowConsumer, AFinitePrefetchHoldsItBackAndNobodyElse) {
    constexpr std::uint64_t count = 1000;
    fill(count, false, false);
    others_go_on();
    read(count, true);
}

TEST_F(SlowConsumer, OneWithoutAcksIsPausedAndGoesOn) {
    constexpr std::uint64_t count = 5000;
    fill(count, true, true);
    others_go_on();
    read(count, false);
    others_go_on();
}

TEST_F(SlowConsumer, OneThatIsPausedCanBeCancelled) {
    fill(1000, false, true);
    others_go_on();
    ASSERT_EQ(HAIGHA_OK, haigha_cancel_wait(slow_.get(), str("slow"), -1, nullptr, error_))
        << error_;
    std::vector<haigha_event> events(1000);
    std::uint32_t last = 0;
    while (last != HAIGHA_EVENT_CONSUMER_CANCELLED) {
        std::size_t came = 0;
        const std::int64_t limit_ms = std::chrono::milliseconds(patience).count();
        ASSERT_EQ(HAIGHA_OK, haigha_inbox_poll(inbox_.get(), events.data(), sizeof(haigha_event),
                                               events.size(), limit_ms, &came, error_))
            << error_;
        ASSERT_GT(came, 0U);
        last = events[came - 1].type;
    }
    others_go_on();
}

}  // namespace
}  // namespace haigha::test
