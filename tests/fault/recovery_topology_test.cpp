// Recovery of exchanges, queues and bindings against a stub broker that may refuse them.
#include <algorithm>
#include <string>
#include <vector>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

class RecoveryTopology : public RecoveryTest {
  protected:
    void declare_exchange(haigha_channel* channel, std::string_view name,
                          std::string_view type = "fanout") {
        haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        args.exchange = str(name);
        args.type = str(type);
        EXPECT_EQ(HAIGHA_OK, haigha_exchange_declare_wait(channel, &args, -1, nullptr, error_))
            << error_;
    }
    void bind(haigha_channel* channel, std::string_view exchange, std::string_view queue,
              std::string_view key = {}) {
        haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
        args.queue = str(queue);
        args.exchange = str(exchange);
        args.routing_key = str(key);
        EXPECT_EQ(HAIGHA_OK, haigha_queue_bind_wait(channel, &args, -1, nullptr, error_)) << error_;
    }
    std::string declare_exclusive(haigha_channel* channel, std::string_view name = {}) {
        haigha_queue_declare_args args = declare_args(name);
        args.exclusive = 1;
        ReplyHandle reply;
        EXPECT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel, &args, -1, out(reply), error_))
            << error_;
        return std::string(view(haigha_reply_queue(reply.get())));
    }
    haigha_status publish_to(haigha_channel* channel, std::string_view exchange,
                             std::string_view body) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str(exchange);
        return haigha_publish(channel, &args, str(body), nullptr, error_);
    }
};

// rule 45: declared once, renamed everywhere, told.
TEST_F(RecoveryTopology, AQueueThatTheBrokerNamesHasANewNameEverywhere) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then, {{"recovery_stable_ms", 0}});
    const ChannelHandle channel = open_channel(connection.get());
    declare_exchange(channel.get(), "news");
    std::string queue = declare_exclusive(channel.get());
    bind(channel.get(), "news", "");  // the last one declared
    EventLog deliveries;
    consume(channel.get(), "", deliveries.then(), true);
    EXPECT_EQ(info(connection.get(), "topology_records"), 3);
    for (std::size_t round = 0; round < 20; ++round) {
        lose();
        step(events, HAIGHA_RECOVERY_RECOVERED, round);
        const Recorded renamed = events.wait_for(HAIGHA_EVENT_QUEUE_RENAMED, round);
        EXPECT_EQ(renamed.routing_key, queue);
        EXPECT_NE(renamed.name, queue);
        queue = renamed.name;
        ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), "news", std::to_string(round)));
        EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY, round).body, std::to_string(round));
        EXPECT_EQ(broker_->count("queue.declare"), round + 2) << "declared exactly once";
        EXPECT_EQ(broker_->count("basic.consume"), round + 2);
    }
    EXPECT_EQ(info(connection.get(), "topology_records"), 3);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 0U);
}

// One pass: nothing of the topology but queues to be named is answered.
TEST_F(RecoveryTopology, IsSaidAtOnce) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    for (int i = 0; i < 50; ++i) {
        const std::string name = "e" + std::to_string(i);
        declare_exchange(channel.get(), name);
        declare_exclusive(channel.get(), "q" + std::to_string(i));
        bind(channel.get(), name, "q" + std::to_string(i));
    }
    haigha_exchange_bind_args args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    args.destination = str("e1");
    args.source = str("e0");
    ASSERT_EQ(HAIGHA_OK, haigha_exchange_bind_wait(channel.get(), &args, -1, nullptr, error_));
    EXPECT_EQ(info(connection.get(), "topology_records"), 151);
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(broker_->count("exchange.declare"), 100U);
    EXPECT_EQ(broker_->count("queue.declare"), 100U);
    EXPECT_EQ(broker_->count("queue.bind"), 100U);
    EXPECT_EQ(broker_->count("exchange.bind"), 2U);
    // The user's channel, and one for all of that.
    EXPECT_EQ(broker_->count("channel.open"), 3U);
    EXPECT_EQ(broker_->count("channel.close"), 1U);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 0U);
    ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), "e0", "x"));
    ASSERT_EQ(HAIGHA_OK, declare_passively(channel.get(), "q1")) << error_;  // after it
    EXPECT_EQ(broker_->queue_size("q0"), 1U);
    EXPECT_EQ(broker_->queue_size("q1"), 1U);
}

TEST_F(RecoveryTopology, CanBeLeftOut) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then, {{"recovery_topology", 0}});
    const ChannelHandle channel = open_channel(connection.get());
    declare_exchange(channel.get(), "news");
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(broker_->count("exchange.declare"), 1U);
    EXPECT_EQ(broker_->count("queue.declare"), 1U);
    EXPECT_EQ(broker_->count("basic.consume"), 2U);
}

// rule 54: one 406 queue among ten.
TEST_F(RecoveryTopology, OneThatIsRefusedDoesNotKeepTheOthersBack) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    declare_exchange(channel.get(), "news");
    for (int i = 0; i < 10; ++i) {
        const std::string name = "q" + std::to_string(i);
        declare_exclusive(channel.get(), name);
        bind(channel.get(), "news", name);
    }
    // Of the flight the fourth, and again where it is the fourth of those that are asked for one by
    // one.
    script("on queue.declare#4 close-channel 406 PRECONDITION_FAILED - flight");
    script("on queue.declare#8 close-channel 406 PRECONDITION_FAILED - alone");
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    const Recorded failed = step(events, HAIGHA_RECOVERY_ENTITY);
    EXPECT_EQ(failed.number, 2U);
    EXPECT_EQ(failed.name, "q3");
    EXPECT_EQ(failed.reply_code, 406);
    EXPECT_EQ(failed.reply_text, "PRECONDITION_FAILED - alone");
    // Its binding finds no queue; what it is bound to is declared once more, which helps.
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 1U);
    ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), "news", "x"));
    ASSERT_EQ(HAIGHA_OK, declare_passively(channel.get(), "q9")) << error_;
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(broker_->queue_size("q" + std::to_string(i)), 1U) << i;
}

// rule 54: one over which the broker ends the whole connection is found, told and left out.
TEST_F(RecoveryTopology, OneThatEndsTheConnectionIsLeftOut) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    declare_exchange(channel.get(), "good");
    declare_exchange(channel.get(), "plugin");
    declare_exclusive(channel.get(), "q");
    bind(channel.get(), "good", "q");
    // The second in the flight, and again when it is asked for alone.
    script("on exchange.declare#2 close-connection 503 COMMAND_INVALID - unknown exchange type");
    script("on exchange.declare#4 close-connection 503 COMMAND_INVALID - unknown exchange type");
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ATTEMPT), 3U);
    const Recorded failed = step(events, HAIGHA_RECOVERY_ENTITY);
    EXPECT_EQ(failed.name, "plugin");
    EXPECT_EQ(failed.number, 1U);
    EXPECT_EQ(failed.reply_code, 503);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 1U);
    ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), "good", "x"));
    ASSERT_EQ(HAIGHA_OK, declare_passively(channel.get(), "q")) << error_;
    EXPECT_EQ(broker_->queue_size("q"), 1U);
}

// rule 55: the queue goes between declare-ok and bind.
TEST_F(RecoveryTopology, AQueueThatVanishesInBetweenIsDeclaredAgain) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    declare_exchange(channel.get(), "news");
    declare_exclusive(channel.get(), "auto");
    bind(channel.get(), "news", "auto");
    script("on queue.bind#1 close-channel 404 NOT_FOUND - no queue 'auto'");
    script("on queue.bind#2 close-channel 404 NOT_FOUND - no queue 'auto'");
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 0U);
    ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), "news", "x"));
    ASSERT_EQ(HAIGHA_OK, declare_passively(channel.get(), "auto")) << error_;
    EXPECT_EQ(broker_->queue_size("auto"), 1U);
}

// The broker has not noticed yet that the connection before is gone, and holds its queues.
TEST_F(RecoveryTopology, AnExclusiveQueueThatIsStillLockedIsAskedForAgain) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    declare_exchange(channel.get(), "news");
    for (const char* name : {"a", "b", "c"}) {
        declare_exclusive(channel.get(), name);
        bind(channel.get(), "news", name);
    }
    const std::size_t declared = broker_->count("queue.declare");
    script("on queue.declare close-channel 405 RESOURCE_LOCKED - cannot obtain exclusive access");
    lose();
    ASSERT_TRUE(saw("queue.declare", declared + 20));
    script("clear");
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 0U);
    ASSERT_EQ(HAIGHA_OK, publish_to(channel.get(), "news", "x"));
    ASSERT_EQ(HAIGHA_OK, declare_passively(channel.get(), "a")) << error_;
    for (const char* name : {"a", "b", "c"})
        EXPECT_EQ(broker_->queue_size(name), 1U) << name;
}

// rule 54: a consumer that is refused ends; the others on its channel come back.
TEST_F(RecoveryTopology, AConsumerThatIsRefusedIsToldAndTheOthersGoOn) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    EventLog channel_events;
    const haigha_then channel_then = channel_events.then();
    const ChannelHandle channel = open_channel(connection.get(), &channel_then);
    EventLog first;
    EventLog second;
    EventLog third;
    EventLog* const logs[] = {&first, &second, &third};
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q" + std::to_string(i))) << error_;
        consume(channel.get(), "q" + std::to_string(i), logs[i]->then(), true);
    }
    script("on basic.consume#2 close-channel 403 ACCESS_REFUSED - not for this user");
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    const Recorded failed = step(events, HAIGHA_RECOVERY_ENTITY);
    EXPECT_EQ(failed.number, 4U);
    EXPECT_EQ(failed.reply_code, 403);
    const std::string refused = failed.name;
    std::size_t ended = 0;
    for (int i = 0; i < 3; ++i) {
        const std::string queue = "q" + std::to_string(i);
        if (queue == refused) {
            EXPECT_EQ(logs[i]->wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED).reply_code, 403);
            ++ended;
            continue;
        }
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, "x"));
        EXPECT_EQ(logs[i]->wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
        EXPECT_EQ(logs[i]->count(HAIGHA_EVENT_CONSUMER_CANCELLED), 0U);
    }
    EXPECT_EQ(ended, 1U);
    EXPECT_EQ(haigha_channel_state(channel.get()), HAIGHA_STATE_OPEN);
}

// The consumer of the connection before is still there for the broker.
TEST_F(RecoveryTopology, AConsumerWhoseQueueIsStillInExclusiveUseIsTriedAgain) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    EventLog deliveries;
    consume(channel.get(), "jobs", deliveries.then(), true);
    script(
        "on basic.consume close-channel 403 ACCESS_REFUSED - queue 'jobs' in vhost '/' in "
        "exclusive use");
    lose();
    ASSERT_TRUE(saw("basic.consume", 10));
    script("clear");
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 0U);
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "jobs", "x"));
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
}

// rule 55: a 404 of a consumer has the topology declared again first.
TEST_F(RecoveryTopology, AConsumerWhoseQueueIsNotThereYetIsTriedAgain) {
    EventLog events;
    const haigha_then then = events.then();
    const ConnectionHandle connection = recovering(&then);
    const ChannelHandle channel = open_channel(connection.get());
    declare_exclusive(channel.get(), "auto");
    EventLog deliveries;
    consume(channel.get(), "auto", deliveries.then(), true);
    script("on basic.consume#1 close-channel 404 NOT_FOUND - no queue 'auto'");
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    EXPECT_EQ(steps(events, HAIGHA_RECOVERY_ENTITY), 0U);
    ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "auto", "x"));
    EXPECT_EQ(deliveries.wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
    EXPECT_EQ(broker_->count("queue.declare"), 3U);
}

// rule 53, end to end.
TEST_F(RecoveryTopology, RecordsGoWithWhatTheyAreOf) {
    const ConnectionHandle connection = recovering(nullptr);
    for (int i = 0; i < 200; ++i) {
        const ChannelHandle channel = open_channel(connection.get());
        const std::string name = "q" + std::to_string(i);
        haigha_queue_declare_args args = declare_args(name);
        args.auto_delete = 1;
        ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel.get(), &args, -1, nullptr, error_));
        declare_exclusive(channel.get(), "plain");
        declare_exchange(channel.get(), "x");
        bind(channel.get(), "x", name);
        bind(channel.get(), "x", "plain");
        EventLog deliveries;
        consume(channel.get(), name, deliveries.then(), true);
        haigha_queue_delete_args gone = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        gone.queue = str("plain");
        ASSERT_EQ(HAIGHA_OK, haigha_queue_delete_wait(channel.get(), &gone, -1, nullptr, error_));
        haigha_exchange_delete_args removed = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
        removed.exchange = str("x");
        ASSERT_EQ(HAIGHA_OK,
                  haigha_exchange_delete_wait(channel.get(), &removed, -1, nullptr, error_));
        ASSERT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel.get(), -1, error_)) << error_;
        deliveries.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
        ASSERT_EQ(info(connection.get(), "topology_records"), 0) << i;
    }
}

// What is asked about is not declared, and what failed is not recorded.
TEST_F(RecoveryTopology, OnlyWhatTheBrokerAgreedToIsRecorded) {
    const ConnectionHandle connection = recovering(nullptr);
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "jobs")) << error_;
    ASSERT_EQ(HAIGHA_OK, declare_passively(channel.get(), "jobs")) << error_;
    EXPECT_EQ(info(connection.get(), "topology_records"), 1);
    script("on queue.declare close-channel 406 PRECONDITION_FAILED - other arguments");
    EXPECT_NE(HAIGHA_OK, declare(channel.get(), "refused"));
    EXPECT_EQ(info(connection.get(), "topology_records"), 1);
}

}  // namespace
}  // namespace haigha::test
