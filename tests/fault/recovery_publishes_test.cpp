// Publishes that outlive their channel's incarnations, against a stub broker: rules 50, 51, 52.
#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/lent_bodies.h"
#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

class RecoveryPublishes : public RecoveryTest {
  protected:
    ChannelHandle open(haigha_connection* connection, std::uint8_t policy,
                       std::uint64_t max_in_flight = 0, std::uint8_t channel_policy = 0) {
        haigha_channel_args args = confirming(outcomes_, policy);
        args.max_in_flight = max_in_flight;
        args.recovery_policy = channel_policy;
        ChannelHandle channel = open_channel(connection, args);
        EXPECT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
        return channel;
    }
    // No attempt succeeds until go_on().
    void lose_for_a_while(EventLog& events) {
        script("stall start");
        lose();
        events.state(HAIGHA_STATE_RECOVERING);
    }
    void go_on(EventLog& events, std::size_t nth = 0) {
        script("stall none");
        script("reset");  // the attempt that got no answer
        step(events, HAIGHA_RECOVERY_RECOVERED, nth);
    }
    // What the queue holds: the bodies, with a ! where it may be a repeat.
    std::vector<std::string> taken(haigha_connection* connection) {
        const ChannelHandle channel = open_channel(connection);
        std::vector<std::string> bodies;
        while (true) {
            haigha_get_args args = HAIGHA_GET_ARGS_INIT;
            args.queue = str("jobs");
            args.no_ack = 1;
            ReplyHandle reply;
            EXPECT_EQ(HAIGHA_OK, haigha_get_wait(channel.get(), &args, -1, out(reply), error_))
                << error_;
            const haigha_message* const message = haigha_reply_message(reply.get());
            if (message == nullptr) return bodies;
            haigha_cursor cursor;
            haigha_field field;
            EXPECT_EQ(HAIGHA_OK, haigha_message_headers(message, &cursor, error_)) << error_;
            std::string body(view(haigha_message_body(message)));
            while (haigha_cursor_next(&cursor, &field) == 1) {
                if (view(field.name) == "x-haigha-republished") body += "!";
            }
            bodies.push_back(std::move(body));
        }
    }
    // By number; each has one.
    std::map<std::uint64_t, int> outcomes() const {
        std::map<std::uint64_t, int> found;
        for (const Recorded& event : outcomes_.events()) {
            if (event.type != HAIGHA_EVENT_OUTCOME) continue;
            EXPECT_TRUE(found.emplace(event.number, event.outcome).second)
                << event.number << " ends twice";
        }
        return found;
    }
    EventLog outcomes_;
};

TEST_F(RecoveryPublishes, ArePublishedWhileThereIsNoConnectionAndSentInOrder) {
    for (const std::uint8_t policy : {HAIGHA_PUBLISH_KEEP_UNSENT, HAIGHA_PUBLISH_RESEND}) {
        SCOPED_TRACE(int{policy});
        const bool resend = policy == HAIGHA_PUBLISH_RESEND;
        outcomes_ = EventLog();
        EventLog events;
        const haigha_then then = events.then();
        const ConnectionHandle connection = recovering(&then);
        const ChannelHandle channel = open(connection.get(), policy);
        const std::size_t before = broker_->count("basic.publish");
        script("on basic.publish no-reply");
        for (const char* body : {"a", "b"})
            ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", body));
        ASSERT_TRUE(saw("basic.publish", before + 2));
        script("clear");
        lose_for_a_while(events);
        for (const char* body : {"c", "d"})
            ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", body));
        go_on(events);
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str("jobs");
        std::uint64_t sequence = 0;
        ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str("e"), &sequence, error_));
        EXPECT_EQ(sequence, 5U);
        outcomes_.wait_count(HAIGHA_EVENT_OUTCOME, 5);
        const int first = resend ? HAIGHA_OUTCOME_CONFIRMED : HAIGHA_OUTCOME_UNKNOWN;
        EXPECT_EQ(outcomes(), (std::map<std::uint64_t, int>{{1, first},
                                                            {2, first},
                                                            {3, HAIGHA_OUTCOME_CONFIRMED},
                                                            {4, HAIGHA_OUTCOME_CONFIRMED},
                                                            {5, HAIGHA_OUTCOME_CONFIRMED}}));
        EXPECT_EQ(taken(connection.get()),
                  resend ? (std::vector<std::string>{"a!", "b!", "c", "d", "e"})
                         : (std::vector<std::string>{"c", "d", "e"}));
    }
}

// The connection ends at one place after the other: within the handshake, a publish, the confirms.
TEST_F(RecoveryPublishes, NothingIsLostOrEndsTwiceWhereverTheConnectionEnds) {
    for (const std::uint8_t policy : {HAIGHA_PUBLISH_KEEP_UNSENT, HAIGHA_PUBLISH_RESEND}) {
        SCOPED_TRACE(int{policy});
        outcomes_ = EventLog();
        EventLog events;
        const haigha_then then = events.then();
        const ConnectionHandle connection =
            recovering(&then, {{"recovery_stable_ms", 0}, {"frame_max", 8192}});
        const ChannelHandle channel = open(connection.get(), policy);
        std::size_t published = 0;
        const auto publish_some = [&](std::size_t count) {
            for (; count > 0; --count) {
                // Of one frame, and of several.
                std::string body = std::to_string(++published) + " ";
                body.resize(published % 7 == 0 ? 30'000 : 10, '.');
                ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", body));
            }
        };
        for (std::size_t round = 0; round < 30; ++round) {
            if (round % 2 == 0) {
                script("on basic.publish#" + std::to_string(1 + round % 9) + " reset");
                publish_some(10);
            } else {
                // The next connection does not get far, or ends among its first confirms.
                script("reset-after " + std::to_string(300 + 41 * round));
                script("reset");
                publish_some(5);
                script("reset-after 0");
            }
        }
        script("clear");
        ASSERT_TRUE(outcomes_.wait(
            [&](const auto& all) {
                return static_cast<std::size_t>(
                           std::count_if(all.begin(), all.end(), [](const Recorded& event) {
                               return event.type == HAIGHA_EVENT_OUTCOME;
                           })) >= published;
            },
            "all outcomes"));
        // Until it has been steady for a while.
        const ConnectionHandle other = connect();
        std::map<std::uint64_t, int> seen;
        std::uint64_t last = 0;
        for (const std::string& body : taken(other.get())) {
            const std::uint64_t number = std::stoull(body);
            const bool marked = body.back() == '!';
            ++seen[number];
            if (policy == HAIGHA_PUBLISH_KEEP_UNSENT) {
                EXPECT_FALSE(marked) << number;
                EXPECT_EQ(seen[number], 1) << number;
            }
            if (marked) continue;
            EXPECT_GT(number, last);
            last = number;
        }
        const std::map<std::uint64_t, int> ended = outcomes();
        EXPECT_EQ(ended.size(), published);
        for (const auto& [number, outcome] : ended) {
            EXPECT_TRUE(policy != HAIGHA_PUBLISH_RESEND || outcome == HAIGHA_OUTCOME_CONFIRMED);
            EXPECT_TRUE(outcome != HAIGHA_OUTCOME_CONFIRMED || seen[number] >= 1) << number;
            EXPECT_NE(outcome, HAIGHA_OUTCOME_NOT_SENT) << number;
        }
        haigha_queue_delete_args gone = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        gone.queue = str("jobs");
        EXPECT_EQ(HAIGHA_OK, haigha_queue_delete_wait(open_channel(other.get()).get(), &gone, -1,
                                                      nullptr, error_))
            << error_;
    }
}

TEST_F(RecoveryPublishes, ACloseMeanwhileEndsThem) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open(connection.get(), HAIGHA_PUBLISH_RESEND);
    const ChannelHandle other = open(connection.get(), HAIGHA_PUBLISH_KEEP_UNSENT);
    script("on basic.publish no-reply");
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "a"));
    ASSERT_TRUE(saw("basic.publish"));
    lose_for_a_while(events);
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "b"));
    ASSERT_EQ(HAIGHA_OK, publish(other.get(), "jobs", "c"));
    // One by its channel, one by the connection.
    EXPECT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel.get(), -1, error_)) << error_;
    EXPECT_EQ(outcomes(), (std::map<std::uint64_t, int>{{1, HAIGHA_OUTCOME_UNKNOWN},
                                                        {2, HAIGHA_OUTCOME_NOT_SENT}}));
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(channel.get(), "jobs", "late"));
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    outcomes_.wait_count(HAIGHA_EVENT_OUTCOME, 3);
    EXPECT_EQ(outcomes_.wait_for(HAIGHA_EVENT_OUTCOME, 2).outcome, HAIGHA_OUTCOME_NOT_SENT);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(other.get(), "jobs", "late"));
}

TEST_F(RecoveryPublishes, EndWhenRecoveryIsGivenUp) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then, {{"recovery_attempts", 3}});
    const ChannelHandle channel = open(connection.get(), HAIGHA_PUBLISH_RESEND);
    script("on basic.publish no-reply");
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "a"));
    ASSERT_TRUE(saw("basic.publish"));
    lose_for_a_while(events);
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "b"));
    script("banner HTTP/1.1 400 Bad Request\\r\\n\\r\\n");
    script("stall none");
    script("reset");
    outcomes_.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(outcomes(), (std::map<std::uint64_t, int>{{1, HAIGHA_OUTCOME_UNKNOWN},
                                                        {2, HAIGHA_OUTCOME_NOT_SENT}}));
    for (const Recorded& event : outcomes_.events()) {
        if (event.type != HAIGHA_EVENT_OUTCOME) continue;
        EXPECT_NE(event.error.find("the channel has ended: "), std::string::npos) << event.error;
    }
    // They are told before their channel's end.
    EXPECT_EQ(outcomes_.events().back().type, HAIGHA_EVENT_CHANNEL_STATE);
}

TEST_F(RecoveryPublishes, AreBoundedMeanwhileAndWhoWaitsIsTold) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open(connection.get(), HAIGHA_PUBLISH_KEEP_UNSENT, 4);
    lose_for_a_while(events);
    for (int i = 0; i < 4; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "x"));
    EXPECT_EQ(HAIGHA_ERR_WOULD_BLOCK, publish(channel.get(), "jobs", "x"));
    // One that waits for room has it when the first are confirmed.
    EventLog waited;
    std::thread waiting([&] {
        Err error;
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str("jobs");
        ReplyHandle reply;
        EXPECT_EQ(HAIGHA_OK, haigha_publish_wait(channel.get(), &args, str("waited"), 60'000,
                                                 out(reply), error))
            << error;
        EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_CONFIRMED);
    });
    go_on(events);
    waiting.join();
    outcomes_.wait_for(HAIGHA_EVENT_WRITABLE);
    EXPECT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "y"));
    outcomes_.wait_count(HAIGHA_EVENT_OUTCOME, 5);
    EXPECT_EQ(broker_->queue_size("jobs"), 6U);
}

TEST_F(RecoveryPublishes, ChannelsThatTheBrokerClosesSendThemToo) {
    for (const std::uint8_t policy : {HAIGHA_CHANNEL_REPORT, HAIGHA_CHANNEL_REOPEN}) {
        SCOPED_TRACE(int{policy});
        outcomes_ = EventLog();
        const ConnectionHandle connection = connect();
        const ChannelHandle channel = open(connection.get(), HAIGHA_PUBLISH_RESEND, 0, policy);
        const std::size_t before = broker_->count("basic.publish");
        script("on basic.publish no-reply");
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "a"));
        ASSERT_TRUE(saw("basic.publish", before + 1));
        script("clear");
        script("close-channel 1 406 PRECONDITION_FAILED - delivery timed out");
        EXPECT_EQ(outcomes_.wait_for(HAIGHA_EVENT_OUTCOME).outcome, policy == HAIGHA_CHANNEL_REPORT
                                                                        ? HAIGHA_OUTCOME_UNKNOWN
                                                                        : HAIGHA_OUTCOME_CONFIRMED);
        if (policy == HAIGHA_CHANNEL_REPORT) continue;
        // One that the broker closes the channel over does not do so again and again.
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str("there is none");
        ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str("bad"), nullptr, error_));
        EXPECT_EQ(outcomes_.wait_for(HAIGHA_EVENT_OUTCOME, 1).outcome, HAIGHA_OUTCOME_UNKNOWN);
        ReplyHandle reply;
        args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str("jobs");
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(channel.get(), &args, str("good"), -1, out(reply), error_))
            << error_;
        EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_CONFIRMED);
        EXPECT_EQ(taken(connection.get()), (std::vector<std::string>{"a!", "good"}));
    }
}

// Through a publisher and lent: given back once, when the outcome is known.
TEST_F(RecoveryPublishes, LentBodiesAreLentUntilTheirOutcome) {
    LentBodies bodies;
    for (const bool drop : {false, true}) {
        SCOPED_TRACE(drop);
        outcomes_ = EventLog();
        EventLog events;
        const haigha_then then = events.then();
        ConnectionHandle connection = recovering(&then);
        ChannelHandle channel = open(connection.get(), HAIGHA_PUBLISH_RESEND);
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str("jobs");
        PublisherHandle publisher;
        ASSERT_EQ(HAIGHA_OK, haigha_publisher_new(channel.get(), &args, out(publisher), error_))
            << error_;
        const std::size_t before = broker_->count("basic.publish");
        const std::size_t given_back = bodies.released();
        script("on basic.publish no-reply");
        LentBodies::Body& first = bodies.add(std::string(20'000, 'a'));
        ASSERT_EQ(HAIGHA_OK, haigha_publish_lent(channel.get(), &args, first.str(),
                                                 &LentBodies::release, &first, nullptr, error_))
            << error_;
        LentBodies::Body& second = bodies.add(std::string(300'000, 'b'));
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publisher_publish_lent(publisher.get(), second.str(), &LentBodies::release,
                                                &second, nullptr, nullptr, error_))
            << error_;
        ASSERT_TRUE(saw("basic.publish", before + 2));
        // To the last octet: what has not left whole is not marked as a repeat.
        ASSERT_EQ(HAIGHA_OK, haigha_connection_flush_wait(connection.get(), -1, error_)) << error_;
        script("clear");
        lose_for_a_while(events);
        LentBodies::Body& third = bodies.add(std::string(30'000, 'c'));
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publisher_publish_lent(publisher.get(), third.str(), &LentBodies::release,
                                                &third, nullptr, nullptr, error_))
            << error_;
        EXPECT_EQ(bodies.released(), given_back);
        if (drop) {
            // The last reference: silence, and everything back.
            publisher.reset();
            channel.reset();
            connection.reset();
            bodies.wait_released(given_back + 3);
            EXPECT_EQ(outcomes_.count(HAIGHA_EVENT_OUTCOME), 0U);
            script("stall none");
            continue;
        }
        go_on(events);
        outcomes_.wait_count(HAIGHA_EVENT_OUTCOME, 3);
        bodies.wait_released(given_back + 3);
        EXPECT_EQ(
            taken(connection.get()),
            (std::vector<std::string>{std::string(20'000, 'a') + "!",
                                      std::string(300'000, 'b') + "!", std::string(30'000, 'c')}));
    }
}

TEST_F(RecoveryPublishes, WrongArgumentsAreRefused) {
    const ConnectionHandle connection = connect();
    ChannelHandle channel;
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.confirm = 1;
    args.publish_policy = 3;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_channel_open_wait(connection.get(), &args, -1, out(channel), error_));
    args.publish_policy = HAIGHA_PUBLISH_RESEND;
    args.confirm = 0;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_channel_open_wait(connection.get(), &args, -1, out(channel), error_));
    args = HAIGHA_CHANNEL_ARGS_INIT;
    args.confirm = 1;
    args.publish_max_age_ms = 5;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_channel_open_wait(connection.get(), &args, -1, out(channel), error_));
    EXPECT_NE(error_.message().find("publish_policy"), std::string::npos) << error_;
}

// Where a channel cannot come back nothing is kept.
TEST_F(RecoveryPublishes, WithoutRecoveryTheyEndAsEver) {
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open(connection.get(), HAIGHA_PUBLISH_RESEND);
    script("on basic.publish no-reply");
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "a"));
    ASSERT_TRUE(saw("basic.publish"));
    lose();
    EXPECT_EQ(outcomes_.wait_for(HAIGHA_EVENT_OUTCOME).outcome, HAIGHA_OUTCOME_UNKNOWN);
    outcomes_.state(HAIGHA_STATE_CLOSED);
    EXPECT_EQ(HAIGHA_ERR_CLOSED, publish(channel.get(), "jobs", "b"));
}

}  // namespace
}  // namespace haigha::test
