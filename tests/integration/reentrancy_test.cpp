// Closing, dropping and waiting inside every callback.
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

// What the test does in the callback under test.
enum class Deed {
    close_channel,
    close_connection,
    drop_channel,
    drop_connection,
    drop_everything,
    close_loop
};
// The callback in which it does it.
enum class Place {
    opened,
    channel_opened,
    declared,
    delivery,
    outcome,
    returned,
    got,
    cancelled,
    channel_closed,
    connection_closed,
    flushed
};

// Everything is called on the loop's thread, where a handle can be dropped for good in the middle.
class Reentrancy : public ApiTest, public testing::WithParamInterface<std::tuple<Place, Deed>> {
  protected:
    void act(Place here) {
        if (here != std::get<0>(GetParam()) || acted_.exchange(true)) return;
        switch (std::get<1>(GetParam())) {
            case Deed::close_channel:
                haigha_channel_close(channel_.get(), nullptr, nullptr);
                break;
            case Deed::close_connection:
                haigha_connection_close(connection_.get(), nullptr, nullptr);
                break;
            case Deed::drop_channel:
                channel_.reset();
                break;
            case Deed::drop_connection:
                connection_.reset();
                break;
            case Deed::drop_everything:
                loop_.reset();
                connection_.reset();
                channel_.reset();
                break;
            case Deed::close_loop:
                haigha_loop_close(loop_.get(), nullptr, nullptr);
                break;
        }
        done_acting_.set_value();
    }
    EventLog log_at(Place place) {
        return EventLog([this, place](const haigha_event& event) {
            if (event.type == HAIGHA_EVENT_REPLY) act(place);
        });
    }
    // Counts what was accepted, and so has to be released.
    bool note(EventLog& log, haigha_status status) {
        EXPECT_EQ(status, HAIGHA_OK);
        accepted_.push_back(&log);
        return status == HAIGHA_OK;
    }

    void start_everything() {
        haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
        args.events = channel_events_.then();
        args.confirm = 1;
        haigha_then then = channel_opened_.then();
        note(channel_opened_,
             haigha_channel_open(connection_.get(), &args, &then, out(channel_), nullptr));
        haigha_channel* const ch = channel_.get();
        const std::string queue = unique_name("reentrancy");
        haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        declare.queue = str(queue);
        declare.exclusive = 1;
        then = declared_.then();
        note(declared_, haigha_queue_declare(ch, &declare, &then, nullptr));
        haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
        publish.routing_key = str(queue);
        for (int i = 0; i < 3; ++i)
            EXPECT_EQ(HAIGHA_OK, haigha_publish(ch, &publish, str("body"), nullptr, nullptr));
        publish.routing_key = str("haigha-test-nowhere");
        publish.mandatory = 1;
        EXPECT_EQ(HAIGHA_OK, haigha_publish(ch, &publish, str("body"), nullptr, nullptr));
        haigha_get_args get = HAIGHA_GET_ARGS_INIT;
        get.queue = str(queue);
        then = got_.then();
        note(got_, haigha_get(ch, &get, &then, nullptr));
        haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
        consume.queue = str(queue);
        consume.consumer_tag = str("c");
        consume.deliveries = deliveries_.then();
        note(deliveries_, haigha_consume(ch, &consume, nullptr, nullptr));
        then = flushed_.then();
        note(flushed_, haigha_connection_flush(connection_.get(), &then, nullptr));
        // Answered behind the deliveries.
        haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
        then = done_.then();
        note(done_, haigha_qos(ch, &qos, &then, nullptr));
    }
    // The broker has answered all of it, the outcomes too: the end begins.
    void finish() {
        if (!channel_ || !connection_ || finishing_) return;
        if (!served_ || outcomes_ < 4) return;
        finishing_ = true;
        haigha_then then = done_.then();
        if (haigha_channel_close(channel_.get(), &then, nullptr) == HAIGHA_OK)
            accepted_.push_back(&done_);
        if (!connection_) return;
        then = done_.then();
        if (haigha_connection_close(connection_.get(), &then, nullptr) == HAIGHA_OK)
            accepted_.push_back(&done_);
    }

    // Of the loop's thread, until the loop has ended.
    std::atomic<bool> acted_{false};
    std::promise<void> done_acting_;
    bool finishing_ = false;
    bool served_ = false;
    int outcomes_ = 0;
    std::vector<EventLog*> accepted_;
    EventLog connection_events_{[this](const haigha_event& event) {
        if (event.state == HAIGHA_STATE_CLOSED) act(Place::connection_closed);
    }};
    EventLog channel_events_{[this](const haigha_event& event) {
        if (event.type == HAIGHA_EVENT_OUTCOME) {
            ++outcomes_;
            act(Place::outcome);
            finish();
        }
        if (event.type == HAIGHA_EVENT_RETURN) act(Place::returned);
        if (event.type == HAIGHA_EVENT_CHANNEL_STATE && event.state == HAIGHA_STATE_CLOSED)
            act(Place::channel_closed);
    }};
    EventLog deliveries_{[this](const haigha_event& event) {
        if (event.type == HAIGHA_EVENT_DELIVERY) act(Place::delivery);
        if (event.type == HAIGHA_EVENT_CONSUMER_CANCELLED) act(Place::cancelled);
    }};
    EventLog done_{[this](const haigha_event&) {
        served_ = true;
        finish();
    }};
    EventLog channel_opened_ = log_at(Place::channel_opened);
    EventLog declared_ = log_at(Place::declared);
    EventLog got_ = log_at(Place::got);
    EventLog flushed_ = log_at(Place::flushed);
    EventLog opened_{[this](const haigha_event&) {
        start_everything();
        act(Place::opened);
    }};
    ConnectionHandle connection_;
    ChannelHandle channel_;
};

// rules 19, 121: whatever is done in a callback, every release hook runs.
TEST_P(Reentrancy, AnythingMayBeDoneInACallback) {
    const LoopHandle loop(haigha_loop_ref(loop_.get()));
    haigha_then then = connection_events_.then();
    connection_ = new_connection(loop_.get(), options().get(), &then);
    then = opened_.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open(connection_.get(), &then, error_)) << error_;
    // From here on the handles are the loop's thread's.
    ASSERT_EQ(done_acting_.get_future().wait_for(patience), std::future_status::ready)
        << "the callback never came";
    // A consumer outlives its channel's handle, and ends with the connection.
    if (std::get<1>(GetParam()) == Deed::drop_channel) {
        EXPECT_EQ(HAIGHA_OK, haigha_connection_close(connection_.get(), nullptr, error_)) << error_;
    }
    opened_.wait_released(1);
    for (EventLog* log : {&channel_opened_, &declared_, &got_, &deliveries_, &flushed_})
        log->wait_released(1);
    EXPECT_TRUE(done_.wait_released(1));
    if (std::get<0>(GetParam()) == Place::connection_closed)
        connection_events_.state(HAIGHA_STATE_CLOSED);
    close_loop(loop.get());
    connection_.reset();
    channel_.reset();
    std::map<EventLog*, std::size_t> counts;
    for (EventLog* log : accepted_)
        ++counts[log];
    for (const auto& [log, count] : counts)
        EXPECT_TRUE(log->wait_released(count));
    EXPECT_TRUE(channel_events_.wait_released(1));
    EXPECT_TRUE(connection_events_.wait_released(1));
}

std::string name_of(const testing::TestParamInfo<std::tuple<Place, Deed>>& info) {
    static const char* const places[] = {
        "Opened", "ChannelOpened", "Declared",      "Delivery",         "Outcome", "Returned",
        "Got",    "Cancelled",     "ChannelClosed", "ConnectionClosed", "Flushed"};
    static const char* const deeds[] = {"CloseChannel",   "CloseConnection", "DropChannel",
                                        "DropConnection", "DropEverything",  "CloseLoop"};
    return std::string(deeds[static_cast<int>(std::get<1>(info.param))]) + "In" +
           places[static_cast<int>(std::get<0>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(
    All, Reentrancy,
    testing::Combine(testing::Values(Place::opened, Place::channel_opened, Place::declared,
                                     Place::delivery, Place::outcome, Place::returned, Place::got,
                                     Place::cancelled, Place::channel_closed,
                                     Place::connection_closed, Place::flushed),
                     testing::Values(Deed::close_channel, Deed::close_connection,
                                     Deed::drop_channel, Deed::drop_connection,
                                     Deed::drop_everything, Deed::close_loop)),
    name_of);

class WaitingInCallbacks : public ApiTest {};

// Callbacks run from consistent state: who hears that the end has failed a call, sees the end.
TEST_F(WaitingInCallbacks, AFailedCallSeesThatItsChannelHasEnded) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    int state = -1;
    int code = -1;
    EventLog log([&](const haigha_event& event) {
        state = haigha_channel_state(event.channel);
        const ErrorHandle cause(haigha_channel_last_error(event.channel));
        code = haigha_error_reply_code(cause.get());
    });
    EventLog channel_events;
    haigha_then then = channel_events.then();
    ASSERT_EQ(HAIGHA_OK, haigha_channel_set_events(channel.get(), &then, error_)) << error_;
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str("haigha-test-missing");
    args.passive = 1;
    then = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare(channel.get(), &args, &then, error_)) << error_;
    EXPECT_EQ(log.reply().reply_code, 404);
    EXPECT_EQ(state, HAIGHA_STATE_CLOSED);
    EXPECT_EQ(code, 404);
    EXPECT_EQ(channel_events.state(HAIGHA_STATE_CLOSED).previous_state, HAIGHA_STATE_OPEN);
}

TEST_F(WaitingInCallbacks, AFailedCallSeesThatItsConnectionHasEnded) {
    EventLog events;
    haigha_then then = events.then();
    const ConnectionHandle connection = connect({}, &then);
    const ChannelHandle channel = open_channel(connection.get());
    int state = -1;
    int channel_state = -1;
    int code = -1;
    EventLog log([&](const haigha_event& event) {
        state = haigha_connection_state(event.connection);
        channel_state = haigha_channel_state(event.channel);
        const ErrorHandle cause(haigha_connection_last_error(event.connection));
        code = haigha_error_reply_code(cause.get());
    });
    then = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_channel_flow(channel.get(), 0, &then, error_)) << error_;
    EXPECT_EQ(log.reply().reply_code, 540);
    EXPECT_EQ(state, HAIGHA_STATE_CLOSED);
    EXPECT_EQ(channel_state, HAIGHA_STATE_CLOSED);
    EXPECT_EQ(code, 540);
    EXPECT_EQ(events.state(HAIGHA_STATE_CLOSED).previous_state, HAIGHA_STATE_OPEN);
}

// rule 19: the waiting forms refuse at once on the loop's thread.
TEST_F(WaitingInCallbacks, IsRefused) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get(), nullptr, true);
    haigha_channel* const ch = channel.get();
    const ConnectionHandle fresh = new_connection(loop_.get(), options().get());
    std::vector<haigha_status> answers;
    EventLog log([&](const haigha_event&) {
        haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        haigha_exchange_declare_args exchange = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
        haigha_get_args get = HAIGHA_GET_ARGS_INIT;
        haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
        EventLog nobody;
        haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
        consume.deliveries = nobody.then();
        haigha_channel* none = nullptr;
        answers = {
            haigha_connection_open_wait(fresh.get(), -1, nullptr),
            haigha_connection_close_wait(connection.get(), -1, nullptr),
            haigha_connection_flush_wait(connection.get(), -1, nullptr),
            haigha_channel_open_wait(connection.get(), nullptr, -1, &none, nullptr),
            haigha_channel_close_wait(ch, -1, nullptr),
            haigha_channel_flow_wait(ch, 1, -1, nullptr, nullptr),
            haigha_exchange_declare_wait(ch, &exchange, -1, nullptr, nullptr),
            haigha_queue_declare_wait(ch, &declare, -1, nullptr, nullptr),
            haigha_queue_purge_wait(ch, str("q"), -1, nullptr, nullptr),
            haigha_publish_wait(ch, &publish, str("x"), -1, nullptr, nullptr),
            haigha_confirm_select_wait(ch, -1, nullptr, nullptr),
            haigha_tx_commit_wait(ch, -1, nullptr, nullptr),
            haigha_qos_wait(ch, &qos, -1, nullptr, nullptr),
            haigha_consume_wait(ch, &consume, -1, nullptr, nullptr),
            haigha_cancel_wait(ch, str("c"), -1, nullptr, nullptr),
            haigha_get_wait(ch, &get, -1, nullptr, nullptr),
            haigha_recover_wait(ch, 1, -1, nullptr, nullptr),
        };
        EXPECT_EQ(nobody.released(), 0U);
    });
    const haigha_then then = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_flush(connection.get(), &then, error_)) << error_;
    log.reply();
    for (std::size_t i = 0; i < answers.size(); ++i)
        EXPECT_EQ(answers[i], HAIGHA_ERR_WRONG_THREAD) << i;
    EXPECT_EQ(haigha_channel_state(ch), HAIGHA_STATE_OPEN);
}

}  // namespace
}  // namespace haigha::test
