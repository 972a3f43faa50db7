// Tests of a pool of channels on a real broker: each message has one outcome, and is there.
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <haigha/pool.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/api_fixture.h"
#include "support/fault_proxy.h"

namespace haigha::test {
namespace {

std::string mode_name(const testing::TestParamInfo<std::uint8_t>& mode) {
    return mode.param == HAIGHA_POOL_TX ? "Transactions" : "Confirms";
}

// Both modes: what is promised is the same.
class Pool : public ApiTest, public testing::WithParamInterface<std::uint8_t> {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        connection_ = connect();
        control_ = open_channel(connection_.get());
        queue_ = declare_queue(control_.get());
    }
    void TearDown() override {
        pool_.reset();
        control_.reset();
        connection_.reset();
        ApiTest::TearDown();
    }

    haigha_pool_args args() {
        haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
        args.mode = GetParam();
        return args;
    }
    void make(haigha_pool_args args) {
        args.events = events_.then();
        ASSERT_EQ(HAIGHA_OK, haigha_pool_new(connection_.get(), &args, out(pool_), error_))
            << error_;
    }
    haigha_status publish(std::string_view key, std::string_view body,
                          std::string_view exchange = {}, bool mandatory = false) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str(exchange);
        args.routing_key = str(key);
        args.mandatory = mandatory ? 1 : 0;
        return haigha_pool_publish(pool_.get(), &args, str(body), nullptr, error_);
    }
    void publish_numbers(int from, int to) {
        for (int number = from; number <= to; ++number)
            ASSERT_EQ(HAIGHA_OK, publish(queue_, std::to_string(number))) << error_;
    }
    void drain() {
        ASSERT_EQ(HAIGHA_OK, haigha_pool_drain_wait(pool_.get(), wait_ms, error_)) << error_;
    }
    // What became of each message; each ended once.
    std::vector<Recorded> outcomes(std::size_t count) {
        events_.wait_count(HAIGHA_EVENT_OUTCOME, count);
        std::vector<Recorded> by_number(count + 1);
        for (const Recorded& event : events_.events()) {
            if (event.type != HAIGHA_EVENT_OUTCOME) continue;
            EXPECT_EQ(by_number.at(event.number).outcome, 0) << event.number << " ended twice";
            by_number.at(event.number) = event;
        }
        return by_number;
    }
    void expect_outcomes(std::size_t count, int outcome) {
        const std::vector<Recorded> all = outcomes(count);
        for (std::size_t number = 1; number <= count; ++number)
            EXPECT_EQ(all[number].outcome, outcome) << number << ": " << all[number].error;
    }
    std::int64_t number_of(std::string_view name) {
        std::int64_t value = -1;
        EXPECT_EQ(HAIGHA_OK, haigha_pool_info(pool_.get(), str(name), &value, error_)) << error_;
        return value;
    }

    const std::int64_t wait_ms = std::chrono::milliseconds(patience).count();
    ConnectionHandle connection_;
    ChannelHandle control_;
    std::string queue_;
    EventLog events_;
    PoolHandle pool_;
};

INSTANTIATE_TEST_SUITE_P(Modes, Pool, testing::Values(HAIGHA_POOL_CONFIRM, HAIGHA_POOL_TX),
                         &mode_name);

// rules 63, 64
TEST_P(Pool, ManyThreadsPublishAndEachMessageIsConfirmedOnce) {
    haigha_pool_args given = args();
    given.max_channels = 3;
    given.max_in_flight = 50;
    ASSERT_NO_FATAL_FAILURE(make(given));
    constexpr std::size_t threads = 3;
    constexpr std::size_t each = 700;
    std::vector<std::thread> publishers;
    for (std::size_t i = 0; i < threads; ++i) {
        publishers.emplace_back([&] {
            haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
            args.routing_key = str(queue_);
            args.user_data = this;
            for (std::size_t n = 0; n < each; ++n) {
                EXPECT_EQ(HAIGHA_OK, haigha_pool_publish(pool_.get(), &args, str("some bytes"),
                                                         nullptr, nullptr));
            }
        });
    }
    for (std::thread& publisher : publishers)
        publisher.join();
    ASSERT_NO_FATAL_FAILURE(drain());
    expect_outcomes(threads * each, HAIGHA_OUTCOME_CONFIRMED);
    for (const Recorded& event : events_.events())
        EXPECT_EQ(event.user_data, this);
    EXPECT_TRUE(wait_messages(control_.get(), queue_, threads * each));
    EXPECT_GE(number_of("channels"), 1);
    EXPECT_LE(number_of("channels"), 3);
    EXPECT_EQ(number_of("published"), static_cast<std::int64_t>(threads * each));
    EXPECT_EQ(number_of("confirmed"), static_cast<std::int64_t>(threads * each));
    EXPECT_EQ(number_of("unsettled"), 0);
    EXPECT_EQ(number_of("unsettled_bytes"), 0);
}

TEST_P(Pool, OfOneChannelKeepsTheOrder) {
    haigha_pool_args given = args();
    given.max_channels = 1;
    given.max_in_flight = 7;
    ASSERT_NO_FATAL_FAILURE(make(given));
    constexpr int count = 500;
    publish_numbers(1, count);
    ASSERT_NO_FATAL_FAILURE(drain());
    EXPECT_EQ(number_of("channels"), 1);
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(control_.get(), queue_, deliveries.then(), true)) << error_;
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, count);
    int next = 0;
    for (const Recorded& event : deliveries.events())
        EXPECT_EQ(event.body, std::to_string(++next));
}

TEST_P(Pool, LargeAndEmptyBodiesArriveWhole) {
    ASSERT_NO_FATAL_FAILURE(make(args()));
    const std::string large(3'000'000, 'x');
    const std::string middle(20'000, 'y');
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(control_.get(), queue_, deliveries.then(), true)) << error_;
    for (const std::string& body : {large, std::string(), middle})
        ASSERT_EQ(HAIGHA_OK, publish(queue_, body)) << error_;
    expect_outcomes(3, HAIGHA_OUTCOME_CONFIRMED);
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, 3);
    std::size_t bytes = 0;
    for (const Recorded& event : deliveries.events()) {
        bytes += event.body.size();
        EXPECT_TRUE(event.body.empty() || event.body == large || event.body == middle);
    }
    EXPECT_EQ(bytes, large.size() + middle.size());
}

// rule 67
TEST_P(Pool, WhatNoQueueTakesIsReturned) {
    ASSERT_NO_FATAL_FAILURE(make(args()));
    ASSERT_EQ(HAIGHA_OK, publish(queue_, "taken", {}, true)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish("haigha-test-no-such-queue", "nobody's", {}, true)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish("haigha-test-no-such-queue", "dropped")) << error_;
    const std::vector<Recorded> all = outcomes(3);
    EXPECT_EQ(all[1].outcome, HAIGHA_OUTCOME_CONFIRMED) << all[1].error;
    EXPECT_EQ(all[2].outcome, HAIGHA_OUTCOME_RETURNED);
    EXPECT_EQ(all[2].reply_code, 312) << all[2].error;
    EXPECT_EQ(all[3].outcome, HAIGHA_OUTCOME_CONFIRMED) << all[3].error;
}

// The broker ends a channel over a message, and takes with it what is under way there: all of that
// arrives all the same.
TEST_P(Pool, OneMessageThatChannelsDieOfIsRefusedAndNoOther) {
    haigha_pool_args given = args();
    given.max_channels = 2;
    ASSERT_NO_FATAL_FAILURE(make(given));
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(control_.get(), queue_, deliveries.then(), true)) << error_;
    constexpr int count = 60;
    publish_numbers(1, count / 2);
    for (int i = 0; i < 2; ++i)
        ASSERT_EQ(HAIGHA_OK, publish(queue_, "never", "haigha-test-no-such-exchange")) << error_;
    publish_numbers(count / 2 + 1, count);
    const std::vector<Recorded> all = outcomes(count + 2);
    for (std::size_t number = 1; number <= count + 2; ++number) {
        const bool wrong = number == count / 2 + 1 || number == count / 2 + 2;
        EXPECT_EQ(all[number].outcome, wrong ? HAIGHA_OUTCOME_REFUSED : HAIGHA_OUTCOME_CONFIRMED)
            << number << ": " << all[number].error;
        if (!wrong) continue;
        EXPECT_EQ(all[number].reply_code, 404) << all[number].error;
        EXPECT_EQ(all[number].method, "basic.publish");
    }
    deliveries.wait_numbered(count);
    EXPECT_GE(number_of("channels_lost"), 2);
    EXPECT_EQ(number_of("refused"), 2);
}

// A full queue that rejects: one by one what it took is told from what it did not.
TEST_P(Pool, WhatAQueueRejectsIsNackedAndNothingElse) {
    haigha_pool_args given = args();
    given.max_channels = 1;
    ASSERT_NO_FATAL_FAILURE(make(given));
    TableHandle arguments;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new(out(arguments), error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_int(arguments.get(), str("x-max-length"), 2, error_));
    ASSERT_EQ(HAIGHA_OK, haigha_table_add_string(arguments.get(), str("x-overflow"),
                                                 str("reject-publish"), error_));
    const std::string full = declare_queue(control_.get(), arguments.get());
    for (const char* const body : {"1", "2"}) {
        ASSERT_EQ(HAIGHA_OK, publish(full, body)) << error_;
        ASSERT_NO_FATAL_FAILURE(drain());
    }
    for (const char* const body : {"3", "4"})
        ASSERT_EQ(HAIGHA_OK, publish(full, body)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(queue_, "5")) << error_;
    const std::vector<Recorded> all = outcomes(5);
    for (const std::size_t taken : {1, 2, 5})
        EXPECT_EQ(all[taken].outcome, HAIGHA_OUTCOME_CONFIRMED) << taken << all[taken].error;
    for (const std::size_t rejected : {3, 4})
        EXPECT_EQ(all[rejected].outcome, HAIGHA_OUTCOME_NACKED) << rejected << all[rejected].error;
    EXPECT_EQ(count_messages(control_.get(), full), 2U);
}

TEST_P(Pool, WaitsForTheOutcome) {
    ASSERT_NO_FATAL_FAILURE(make(args()));
    haigha_publish_args given = HAIGHA_PUBLISH_ARGS_INIT;
    given.routing_key = str(queue_);
    given.mandatory = 1;
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK,
              haigha_pool_publish_wait(pool_.get(), &given, str("x"), wait_ms, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_CONFIRMED);
    given.routing_key = str("haigha-test-no-such-queue");
    ASSERT_EQ(HAIGHA_OK,
              haigha_pool_publish_wait(pool_.get(), &given, str("x"), wait_ms, out(reply), error_))
        << error_;
    EXPECT_EQ(haigha_reply_outcome(reply.get()), HAIGHA_OUTCOME_RETURNED);
    EXPECT_EQ(haigha_error_reply_code(haigha_reply_return_reason(reply.get())), 312);
    EXPECT_EQ(events_.count(HAIGHA_EVENT_OUTCOME), 0U);
}

TEST_P(Pool, FullItRefusesAndTellsWhenThereIsRoom) {
    haigha_pool_args given = args();
    given.max_messages = 8;
    ASSERT_NO_FATAL_FAILURE(make(given));
    // Faster than any broker confirms.
    std::size_t taken = 0;
    haigha_status status = HAIGHA_OK;
    while (status == HAIGHA_OK) {
        status = publish(queue_, "x");
        if (status == HAIGHA_OK) ++taken;
    }
    EXPECT_EQ(status, HAIGHA_ERR_WOULD_BLOCK) << error_;
    EXPECT_GE(taken, 8U);
    events_.wait_for(HAIGHA_EVENT_WRITABLE);
    // Waiting for room, more threads than it has.
    std::vector<std::thread> publishers;
    for (int i = 0; i < 12; ++i) {
        publishers.emplace_back([&] {
            haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
            args.routing_key = str(queue_);
            EXPECT_EQ(HAIGHA_OK, haigha_pool_publish_wait(pool_.get(), &args, str("y"), wait_ms,
                                                          nullptr, nullptr));
        });
    }
    for (std::thread& publisher : publishers)
        publisher.join();
    expect_outcomes(taken, HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_TRUE(wait_messages(control_.get(), queue_, static_cast<std::uint32_t>(taken) + 12));
}

TEST_P(Pool, ClosesWithEverythingSettled) {
    ASSERT_NO_FATAL_FAILURE(make(args()));
    publish_numbers(1, 100);
    ASSERT_EQ(HAIGHA_OK, haigha_pool_close_wait(pool_.get(), wait_ms, error_)) << error_;
    expect_outcomes(100, HAIGHA_OUTCOME_CONFIRMED);
    const Recorded closed = events_.wait_for(HAIGHA_EVENT_POOL_STATE);
    EXPECT_EQ(closed.state, HAIGHA_STATE_CLOSED);
    EXPECT_FALSE(closed.failed) << closed.error;
    EXPECT_EQ(publish(queue_, "late"), HAIGHA_ERR_CLOSED);
    EXPECT_EQ(number_of("channels"), 0);
    // It has ended: what asks for that is answered at once.
    ASSERT_EQ(HAIGHA_OK, haigha_pool_close_wait(pool_.get(), wait_ms, error_)) << error_;
    ASSERT_NO_FATAL_FAILURE(drain());
    EXPECT_EQ(events_.count(HAIGHA_EVENT_POOL_STATE), 1U);
    EXPECT_TRUE(wait_messages(control_.get(), queue_, 100));
}

TEST_P(Pool, ClosedAtOnceItSettlesWhatWaits) {
    ASSERT_NO_FATAL_FAILURE(make(args()));
    EventLog done;
    publish_numbers(1, 100);
    const haigha_then then = done.then();
    ASSERT_EQ(HAIGHA_OK, haigha_pool_close(pool_.get(), &then, error_)) << error_;
    done.wait_for(HAIGHA_EVENT_REPLY);
    const std::vector<Recorded> all = outcomes(100);
    std::uint32_t confirmed = 0;
    std::uint32_t unknown = 0;
    for (std::size_t number = 1; number <= 100; ++number) {
        confirmed += all[number].outcome == HAIGHA_OUTCOME_CONFIRMED ? 1 : 0;
        unknown += all[number].outcome == HAIGHA_OUTCOME_UNKNOWN ? 1 : 0;
        if (all[number].outcome == HAIGHA_OUTCOME_NOT_SENT) {
            EXPECT_EQ(all[number].status, HAIGHA_ERR_CLOSED) << all[number].error;
        }
    }
    const std::uint32_t there = count_messages(control_.get(), queue_);
    EXPECT_GE(there, confirmed);
    EXPECT_LE(there, confirmed + unknown);
}

TEST_P(Pool, PublishesFromItsOwnEvents) {
    haigha_pool* pool = nullptr;
    const std::string queue = queue_;
    EventLog events([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_OUTCOME || event.number >= 50) return;
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue);
        std::uint64_t number = 0;
        EXPECT_EQ(HAIGHA_OK, haigha_pool_publish(pool, &args, str("next"), &number, nullptr));
        EXPECT_EQ(number, event.number + 1);
        EXPECT_EQ(HAIGHA_ERR_WRONG_THREAD,
                  haigha_pool_publish_wait(pool, &args, str("x"), 1000, nullptr, nullptr));
    });
    haigha_pool_args given = args();
    given.events = events.then();
    ASSERT_EQ(HAIGHA_OK, haigha_pool_new(connection_.get(), &given, out(pool_), error_)) << error_;
    pool = pool_.get();
    ASSERT_EQ(HAIGHA_OK, publish(queue_, "first")) << error_;
    events.wait_count(HAIGHA_EVENT_OUTCOME, 50);
    ASSERT_NO_FATAL_FAILURE(drain());
    EXPECT_TRUE(wait_messages(control_.get(), queue_, 50));
}

TEST_P(Pool, MadeBeforeItsConnectionIsOpen) {
    const ConnectionHandle later = new_connection(loop_.get(), options().get(), nullptr);
    haigha_pool_args given = args();
    given.events = events_.then();
    ASSERT_EQ(HAIGHA_OK, haigha_pool_new(later.get(), &given, out(pool_), error_)) << error_;
    publish_numbers(1, 10);
    EXPECT_EQ(number_of("waiting"), 10);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(later.get(), -1, error_)) << error_;
    expect_outcomes(10, HAIGHA_OUTCOME_CONFIRMED);
}

// Dropping things in any order, at any time: each release hook runs once, and nothing is told after
// the pool was dropped.
TEST_P(Pool, HandlesGoInAnyOrder) {
    for (int order = 0; order < 4; ++order) {
        EventLog events;
        ConnectionHandle connection = connect();
        haigha_pool_args given = args();
        given.events = events.then();
        PoolHandle pool;
        ASSERT_EQ(HAIGHA_OK, haigha_pool_new(connection.get(), &given, out(pool), error_))
            << error_;
        haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
        message.routing_key = str(queue_);
        for (int i = 0; i < 20; ++i) {
            ASSERT_EQ(HAIGHA_OK,
                      haigha_pool_publish(pool.get(), &message, str("x"), nullptr, error_))
                << error_;
        }
        switch (order) {
            case 0:
                pool.reset();
                connection.reset();
                break;
            case 1:  // the pool keeps it
                connection.reset();
                ASSERT_EQ(HAIGHA_OK, haigha_pool_drain_wait(pool.get(), wait_ms, error_)) << error_;
                EXPECT_EQ(events.count(HAIGHA_EVENT_OUTCOME), 20U);
                pool.reset();
                break;
            case 2:
                ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_))
                    << error_;
                events.wait_count(HAIGHA_EVENT_POOL_STATE, 1);
                EXPECT_EQ(events.count(HAIGHA_EVENT_OUTCOME), 20U);
                pool.reset();
                break;
            default:
                ASSERT_EQ(HAIGHA_OK, haigha_pool_close(pool.get(), nullptr, error_)) << error_;
                pool.reset();
                break;
        }
        EXPECT_TRUE(events.wait_released(1)) << order;
    }
}

TEST_P(Pool, TheLoopClosesUnderIt) {
    ASSERT_NO_FATAL_FAILURE(make(args()));
    publish_numbers(1, 50);
    std::thread waiter([&] {
        haigha_publish_args given = HAIGHA_PUBLISH_ARGS_INIT;
        given.routing_key = str(queue_);
        haigha_status status = HAIGHA_OK;
        while (status == HAIGHA_OK) {
            status =
                haigha_pool_publish_wait(pool_.get(), &given, str("x"), wait_ms, nullptr, nullptr);
        }
        EXPECT_EQ(status, HAIGHA_ERR_CLOSED);
    });
    events_.wait_count(HAIGHA_EVENT_OUTCOME, 1);
    close_loop(loop_.get());
    loop_.reset();
    waiter.join();
    EXPECT_EQ(publish(queue_, "late"), HAIGHA_ERR_CLOSED) << error_;
}

// ---- what the network does

class PoolFaults : public Pool {
  protected:
    void SetUp() override {
        Pool::SetUp();
        if (IsSkipped()) return;
        const std::size_t colon = uri_.rfind(':');
        proxy_ = std::make_unique<FaultProxy>(
            static_cast<std::uint16_t>(std::stoi(uri_.substr(colon + 1))));
    }
    // A pool on a connection through the proxy.
    void make_through(haigha_pool_args args, bool recovers) {
        const std::size_t colon = uri_.rfind(':');
        const OptionsHandle chosen =
            options_from(uri_.substr(0, colon + 1) + std::to_string(proxy_->port()),
                         {{"recovery", recovers ? 1 : 0},
                          {"recovery_delay_ms", 10},
                          {"recovery_max_delay_ms", 100}});
        through_ = new_connection(loop_.get(), chosen.get(), nullptr);
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(through_.get(), -1, error_)) << error_;
        args.events = events_.then();
        ASSERT_EQ(HAIGHA_OK, haigha_pool_new(through_.get(), &args, out(pool_), error_)) << error_;
    }
    void TearDown() override {
        pool_.reset();
        through_.reset();
        Pool::TearDown();
    }

    std::unique_ptr<FaultProxy> proxy_;
    ConnectionHandle through_;
};

INSTANTIATE_TEST_SUITE_P(Modes, PoolFaults, testing::Values(HAIGHA_POOL_CONFIRM, HAIGHA_POOL_TX),
                         &mode_name);

// rules 50, 51: at least once, through any number of lost connections.
TEST_P(PoolFaults, NothingIsLostWithConnections) {
    haigha_pool_args given = args();
    given.max_channels = 3;
    given.max_in_flight = 20;
    ASSERT_NO_FATAL_FAILURE(make_through(given, true));
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(control_.get(), queue_, deliveries.then(), true)) << error_;
    constexpr int rounds = 4;
    constexpr int each = 300;
    for (int round = 0; round < rounds; ++round) {
        publish_numbers(round * each + 1, (round + 1) * each);
        events_.wait_count(HAIGHA_EVENT_OUTCOME, static_cast<std::size_t>(round * each + 1));
        proxy_->command(round == 1 ? "reset" : "half-close");
    }
    expect_outcomes(rounds * each, HAIGHA_OUTCOME_CONFIRMED);
    deliveries.wait_numbered(rounds * each);
    EXPECT_GE(number_of("channels_lost"), 1);
}

TEST_P(PoolFaults, TellsWhatMayHaveArrivedWhereItMayNotRepeat) {
    haigha_pool_args given = args();
    given.retry = HAIGHA_POOL_RETRY_SAFE;
    ASSERT_NO_FATAL_FAILURE(make_through(given, true));
    EventLog deliveries;
    ASSERT_EQ(HAIGHA_OK, consume(control_.get(), queue_, deliveries.then(), true)) << error_;
    constexpr std::size_t count = 1000;
    publish_numbers(1, count);
    events_.wait_count(HAIGHA_EVENT_OUTCOME, 1);
    proxy_->command("reset");
    const std::vector<Recorded> all = outcomes(count);
    std::vector<int> came(count + 1);
    std::size_t confirmed = 0;
    for (std::size_t number = 1; number <= count; ++number)
        confirmed += all[number].outcome == HAIGHA_OUTCOME_CONFIRMED ? 1 : 0;
    deliveries.wait_count(HAIGHA_EVENT_DELIVERY, confirmed);
    for (const Recorded& event : deliveries.events())
        ++came.at(std::stoul(event.body));
    for (std::size_t number = 1; number <= count; ++number) {
        EXPECT_LE(came[number], 1) << number;
        if (all[number].outcome == HAIGHA_OUTCOME_CONFIRMED) continue;
        EXPECT_EQ(all[number].outcome, HAIGHA_OUTCOME_UNKNOWN);
        EXPECT_TRUE(all[number].failed) << "without a reason";
    }
}

TEST_P(PoolFaults, EndsWithAConnectionThatDoesNotRecover) {
    ASSERT_NO_FATAL_FAILURE(make_through(args(), false));
    ASSERT_EQ(HAIGHA_OK, publish(queue_, "0")) << error_;
    events_.wait_count(HAIGHA_EVENT_OUTCOME, 1);
    proxy_->command("black-hole on");
    publish_numbers(1, 99);
    proxy_->command("reset");
    const Recorded ended = events_.wait_for(HAIGHA_EVENT_POOL_STATE);
    EXPECT_EQ(ended.state, HAIGHA_STATE_CLOSED);
    EXPECT_EQ(ended.status, HAIGHA_ERR_IO) << ended.error;
    const std::vector<Recorded> all = outcomes(100);
    for (std::size_t number = 2; number <= 100; ++number) {
        EXPECT_TRUE(all[number].outcome == HAIGHA_OUTCOME_UNKNOWN ||
                    all[number].outcome == HAIGHA_OUTCOME_NOT_SENT)
            << all[number].outcome;
        EXPECT_EQ(all[number].status, HAIGHA_ERR_IO) << all[number].error;
    }
    EXPECT_EQ(publish(queue_, "late"), HAIGHA_ERR_CLOSED);
    EXPECT_NE(error_.message().find("the pool has ended with its connection"), std::string::npos)
        << error_;
}

// RabbitMQ ends the connection over immediate (540), and with it what other channels have.
TEST_P(PoolFaults, AMessageThatConnectionsDieOfIsRefusedAndNoOther) {
    haigha_pool_args given = args();
    given.max_channels = 2;
    ASSERT_NO_FATAL_FAILURE(make_through(given, true));
    publish_numbers(1, 20);
    haigha_publish_args wrong = HAIGHA_PUBLISH_ARGS_INIT;
    wrong.routing_key = str(queue_);
    wrong.immediate = 1;
    ASSERT_EQ(HAIGHA_OK, haigha_pool_publish(pool_.get(), &wrong, str("x"), nullptr, error_))
        << error_;
    publish_numbers(21, 40);
    const std::vector<Recorded> all = outcomes(41);
    for (std::size_t number = 1; number <= 41; ++number) {
        EXPECT_EQ(all[number].outcome,
                  number == 21 ? HAIGHA_OUTCOME_REFUSED : HAIGHA_OUTCOME_CONFIRMED)
            << number << ": " << all[number].error;
    }
    EXPECT_EQ(all[21].reply_code, 540) << all[21].error;
}

}  // namespace
}  // namespace haigha::test
