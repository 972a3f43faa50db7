// Tests of haigha.hpp, pool.hpp and rpc.hpp on a real broker: each operation in each of its forms,
// callables that are let go, and errors.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <haigha/haigha.hpp>
#include <haigha/pool.hpp>
#include <haigha/rpc.hpp>
#include <haigha/statistics.hpp>
#include <haigha/task.hpp>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <vector>

namespace haigha::test {
namespace {

using namespace std::chrono_literals;

class Cpp : public testing::Test {
  protected:
    void SetUp() override {
        const char* const uri = std::getenv("HAIGHA_TEST_URI");
        if (uri == nullptr) GTEST_SKIP() << "HAIGHA_TEST_URI is not set: there is no broker";
        uri_ = uri;
        connection_ = Connection::connect(uri_).value();
        channel_ = connection_.open_channel({.confirm = true}).wait().value();
        queue_ = channel_.declare_queue({.exclusive = true}).wait().value().queue;
    }
    PublishResult publish(std::string_view body) {
        return channel_.publish_confirmed({.routing_key = queue_}, body).wait().value();
    }

    std::string uri_;
    Connection connection_;
    Channel channel_;
    std::string queue_;
};

// A callable's captured member: tells when the callable is gone.
class Gone {
  public:
    Gone() : state_(std::make_shared<State>()) {}
    std::shared_ptr<void> held() const {
        return {nullptr, [state = state_](void*) { state->promise.set_value(); }};
    }
    void wait() { state_->promise.get_future().get(); }

  private:
    struct State {
        std::promise<void> promise;
    };
    std::shared_ptr<State> state_;
};

TEST_F(Cpp, WhatIsPublishedComesBackAsItWas) {
    const Table nested{{"depth", 1.5}, {"list", Table::array({1, "two", false})}};
    const PublishResult published =
        channel_
            .publish_confirmed({.routing_key = queue_}, "hello",
                               {.content_type = "text/plain",
                                .headers = {{"name", "value"},
                                            {"count", std::int64_t{1} << 40},
                                            {"flag", true},
                                            {"nested", nested}},
                                .delivery_mode = persistent,
                                .expiration = 60s,
                                .timestamp = std::chrono::sys_seconds(1'700'000'000s)})
            .wait()
            .value();
    EXPECT_TRUE(published.confirmed());
    const std::optional<Message> got = channel_.get({.queue = queue_}).wait().value();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->text(), "hello");
    EXPECT_EQ(got->routing_key(), queue_);
    const Properties properties = got->properties().value();
    EXPECT_EQ(properties.content_type, "text/plain");
    EXPECT_EQ(properties.delivery_mode, persistent);
    EXPECT_EQ(properties.expiration, 60'000ms);
    EXPECT_EQ(properties.timestamp, std::chrono::sys_seconds(1'700'000'000s));
    EXPECT_FALSE(properties.reply_to);
    const Fields headers = got->headers();
    EXPECT_TRUE(headers.is_whole());
    EXPECT_EQ(headers.find("name")->text(), "value");
    EXPECT_EQ(headers.find("count")->integer(), std::int64_t{1} << 40);
    EXPECT_EQ(headers.find("flag")->boolean(), true);
    EXPECT_FALSE(headers.find("flag")->integer());
    EXPECT_EQ(headers.find("nested")->fields().find("depth")->real(), 1.5);
    std::vector<std::uint32_t> types;
    for (const Field& field : headers.find("nested")->fields().find("list")->fields())
        types.push_back(field.type());
    EXPECT_EQ(types, (std::vector<std::uint32_t>{HAIGHA_FIELD_INT32, HAIGHA_FIELD_STRING,
                                                 HAIGHA_FIELD_BOOL}));
    EXPECT_TRUE(channel_.ack(*got));
    EXPECT_FALSE(channel_.get({.queue = queue_}).wait().value());
}

TEST_F(Cpp, StatisticsAsAValueAndAsText) {
    EXPECT_TRUE(publish("x").confirmed());
    const Statistics now = statistics(connection_).value();
    EXPECT_EQ(now.published, 1U);
    EXPECT_EQ(now.confirmed, 1U);
    Metrics metrics = Metrics::make().value();
    metrics.add(now, {{"connection", "orders"}}).value();
    EXPECT_FALSE(metrics.add(now, {{"connection", "orders"}}));
    EXPECT_NE(metrics.prometheus().value().find(
                  "haigha_publish_outcomes_total{connection=\"orders\",outcome=\"confirmed\"} 1\n"),
              std::string_view::npos);
    EXPECT_FALSE(statistics(Connection()));
}

TEST_F(Cpp, ExchangesAndQueues) {
    const std::string exchange = "of " + queue_;
    channel_.declare_exchange({.exchange = exchange, .type = "topic", .auto_delete = true})
        .wait()
        .value();
    channel_.bind_queue({.queue = queue_, .exchange = exchange, .routing_key = "a.*"})
        .wait()
        .value();
    channel_.bind_exchange({.destination = exchange, .source = "amq.direct", .routing_key = "a.b"})
        .wait()
        .value();
    EXPECT_TRUE(channel_.publish_confirmed({.exchange = "amq.direct", .routing_key = "a.b"}, "1")
                    .wait()
                    .value()
                    .confirmed());
    EXPECT_EQ(
        channel_.declare_queue({.queue = queue_, .passive = true}).wait().value().message_count,
        1U);
    EXPECT_EQ(channel_.purge_queue(queue_).wait().value(), 1U);
    channel_
        .unbind_exchange({.destination = exchange, .source = "amq.direct", .routing_key = "a.b"})
        .wait()
        .value();
    channel_.unbind_queue({.queue = queue_, .exchange = exchange, .routing_key = "a.*"})
        .wait()
        .value();
    EXPECT_EQ(channel_.delete_queue({.queue = queue_}).wait().value(), 0U);
}

// What a mandatory message comes back for is its outcome, with the broker's words.
TEST_F(Cpp, AMessageThatNoQueueTakes) {
    const PublishResult result =
        channel_.publish_confirmed({.routing_key = "nobody", .mandatory = true}, "x")
            .wait()
            .value();
    EXPECT_EQ(result.outcome, Outcome::returned);
    EXPECT_EQ(result.reason.reply_code(), 312);
    EXPECT_EQ(result.reason.reply_text(), "NO_ROUTE");
}

TEST_F(Cpp, AnErrorIsAValueOrAnException) {
    const Result<QueueDeclared> failed =
        channel_.declare_queue({.queue = "there is no such queue", .passive = true}).wait();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.status(), Status::channel_closed_by_broker);
    EXPECT_EQ(failed.error().reply_code(), 404);
    EXPECT_EQ(failed.error().method(), "queue.declare");
    EXPECT_NE(failed.error().message().find("no queue"), std::string_view::npos);
    try {
        (void)failed.value();
        ADD_FAILURE() << "value() gives nothing where there is none";
    } catch (const Exception& exception) {
        EXPECT_EQ(exception.what(), failed.error().message());
        EXPECT_EQ(exception.error().reply_code(), 404);
    }
    EXPECT_EQ(channel_.state(), State::closed);
    EXPECT_EQ(channel_.last_error().reply_code(), 404);
    EXPECT_EQ(channel_.publish({.routing_key = queue_}, "x").status(), Status::closed);
}

// What could not be set, or added, is refused where it is used, in words that name it.
TEST_F(Cpp, ArgumentsThatCannotBe) {
    const Result<Connection> no_option = Connection::connect({"amqp://", {{"no_such_option", 1}}});
    ASSERT_FALSE(no_option);
    EXPECT_EQ(no_option.status(), Status::argument);
    EXPECT_NE(no_option.error().message().find("no_such_option"), std::string_view::npos);

    const Result<QueueDeclared> bad_table =
        channel_.declare_queue({.exclusive = true, .arguments = {{std::string(256, 'n'), 1}}})
            .wait();
    EXPECT_EQ(bad_table.status(), Status::argument);
    EXPECT_EQ(channel_.publish({}, "x", {.headers = {{std::string(256, 'n'), 1}}}).status(),
              Status::argument);
    EXPECT_EQ(channel_.publish({.routing_key = std::string(256, 'k')}, "x").status(),
              Status::argument);
    EXPECT_EQ(channel_.state(), State::open);
}

TEST_F(Cpp, ACallableHearsTheAnswer) {
    std::promise<QueueDeclared> declared;
    ASSERT_TRUE(channel_.declare_queue({.queue = queue_, .passive = true})
                    .then([&](Result<QueueDeclared> result) {
                        declared.set_value(std::move(result).value());
                    }));
    EXPECT_EQ(declared.get_future().get().queue, queue_);

    std::promise<Outcome> outcome;
    ASSERT_TRUE(channel_.publish_confirmed({.routing_key = queue_}, "x")
                    .then([&](Result<PublishResult> result) {
                        outcome.set_value(result.value().outcome);
                    }));
    EXPECT_EQ(outcome.get_future().get(), Outcome::confirmed);

    ASSERT_TRUE(channel_.select_confirm().start());
    std::promise<Error> error;
    ASSERT_TRUE(channel_.get({.queue = "there is no such queue"})
                    .then([&](const Result<std::optional<Message>>& result) {
                        error.set_value(result.error());
                    }));
    EXPECT_EQ(error.get_future().get().reply_code(), 404);
}

TEST_F(Cpp, AConsumerIsCalledAndEnds) {
    std::promise<void> three;
    std::promise<Error> ended;
    int count = 0;
    const Consumer consumer =
        channel_
            .consume({.queue = queue_},
                     overloaded{[&](const Delivery& delivery) {
                                    EXPECT_EQ(delivery.text(), std::to_string(++count));
                                    EXPECT_TRUE(delivery.ack());
                                    if (count == 3) three.set_value();
                                },
                                [&](const ConsumerEnded& end) { ended.set_value(end.error()); }})
            .wait()
            .value();
    for (int i = 1; i <= 3; ++i)
        EXPECT_TRUE(publish(std::to_string(i)).confirmed());
    three.get_future().get();
    consumer.pause().wait().value();
    consumer.resume().wait().value();
    EXPECT_EQ(consumer.drain(10s).wait().value(), 0U);
    EXPECT_FALSE(ended.get_future().get());
}

TEST_F(Cpp, AnInboxIsFetchedFrom) {
    Inbox inbox = Inbox::create().value();
    const Consumer consumer = channel_.consume({.queue = queue_}, Into{inbox, 7}).wait().value();
    publish("one");
    const Message message = inbox.next_message(10s).value();
    EXPECT_EQ(message.text(), "one");
    EXPECT_TRUE(channel_.ack(message));
    EXPECT_EQ(inbox.next_message(0ms).status(), Status::timeout);

    ASSERT_TRUE(consumer.cancel().then(Into{inbox, 8}));
    std::vector<std::uint64_t> tags;
    std::vector<haigha_event> events(4);
    while (tags.size() < 2) {
        for (const haigha_event& event : inbox.poll(events, 10s).value())
            tags.push_back(event.tag);
    }
    EXPECT_EQ(tags, (std::vector<std::uint64_t>{7, 8}));
}

TEST_F(Cpp, AnInboxCallsWhenItIsReady) {
    std::binary_semaphore ready(0);
    auto share = std::make_shared<int>(1);
    Inbox inbox = Inbox::create().value();
    ASSERT_TRUE(inbox.on_ready([&ready, share] { ready.release(); }));
    const Consumer consumer = channel_.consume({.queue = queue_}, Into{inbox, 7}).wait().value();
    publish("one");
    ASSERT_TRUE(ready.try_acquire_for(60s));
    EXPECT_EQ(inbox.next_message(0ms).value().text(), "one");
    EXPECT_EQ(inbox.next_message(1ms).status(), Status::argument);
    ASSERT_TRUE(inbox.on_ready([] {}));
    EXPECT_EQ(share.use_count(), 1);
}

Task<int> echo(Connection connection, std::string queue) {
    const Channel channel = (co_await connection.open_channel({.confirm = true})).value();
    int taken = 0;
    for (const char* text : {"a", "b", "c"}) {
        const PublishResult result =
            (co_await channel.publish_confirmed({.routing_key = queue}, text)).value();
        if (!result.confirmed()) co_return -1;
        const std::optional<Message> got = (co_await channel.get({.queue = queue})).value();
        if (!got || got->text() != text || !channel.ack(*got)) co_return -2;
        ++taken;
    }
    const Result<QueueDeclared> missing =
        co_await channel.declare_queue({.queue = "there is no such queue", .passive = true});
    if (missing.error().reply_code() != 404) co_return -3;
    // Refused at once: it goes on without having waited.
    if ((co_await channel.qos({.prefetch_count = 1})).status() != Status::closed) co_return -4;
    co_return taken;
}

TEST_F(Cpp, ACoroutineAwaitsEachAnswer) {
    EXPECT_EQ(echo(connection_, queue_).wait(), 3);
}

Task<> throws_after(Connection connection) {
    (co_await connection.flush()).value();
    throw std::runtime_error("of the coroutine");
}

TEST_F(Cpp, WhatACoroutineThrowsIsThrownByWait) {
    EXPECT_THROW(throws_after(connection_).wait(), std::runtime_error);
}

TEST_F(Cpp, ManyCoroutinesAtOnce) {
    constexpr int many = 200;
    std::atomic<int> confirmed{0};
    std::promise<void> all;
    for (int i = 0; i < many; ++i) {
        [](Channel channel, std::string queue, std::atomic<int>& count,
           std::promise<void>& done) -> Task<> {
            const auto result = co_await channel.publish_confirmed({.routing_key = queue}, "x");
            EXPECT_TRUE(result.value().confirmed());
            if (++count == many) done.set_value();
        }(channel_, queue_, confirmed, all)
                                            .detach();
    }
    all.get_future().get();
    EXPECT_EQ(channel_.purge_queue(queue_).wait().value(), 200U);
}

// It may hold handles, also of what it hears of.
TEST_F(Cpp, ACallableIsLetGoWithItsLastEvent) {
    Gone of_answer;
    ASSERT_TRUE(channel_.qos({.prefetch_count = 10})
                    .then([held = of_answer.held(), channel = channel_](Result<void>) {}));
    of_answer.wait();

    Gone of_outcome;
    ASSERT_TRUE(
        channel_.publish_confirmed({.routing_key = queue_}, "x")
            .then([held = of_outcome.held(), channel = channel_](Result<PublishResult>) {}));
    of_outcome.wait();

    Gone of_consumer;
    const Consumer consumer =
        channel_
            .consume({.queue = queue_, .no_ack = true},
                     [held = of_consumer.held(), channel = channel_](const Delivery&) {})
            .wait()
            .value();
    consumer.cancel().wait().value();
    of_consumer.wait();

    Gone of_channel;
    const auto own = std::make_shared<Channel>();
    *own = connection_
               .open_channel({.confirm = true},
                             [held = of_channel.held(), own](const StateChanged&) {})
               .wait()
               .value();
    own->close().wait().value();
    of_channel.wait();

    Gone of_connection;
    Connection other = Connection::connect(uri_, [held = of_connection.held(),
                                                  connection = connection_](const StateChanged&) {
                       }).value();
    other.close().wait().value();
    of_connection.wait();
}

TEST_F(Cpp, ACallableThatIsRefusedIsLetGoAtOnce) {
    channel_.close().wait().value();
    Gone of_answer;
    EXPECT_FALSE(channel_.qos({}).then([held = of_answer.held()](Result<void>) { FAIL(); }));
    of_answer.wait();
    Gone of_outcome;
    EXPECT_FALSE(channel_.publish_confirmed({.routing_key = queue_}, "x")
                     .then([held = of_outcome.held()](Result<PublishResult>) { FAIL(); }));
    of_outcome.wait();
    Gone of_consumer;
    EXPECT_FALSE(
        channel_
            .consume({.queue = queue_}, [held = of_consumer.held()](const Delivery&) { FAIL(); })
            .wait());
    of_consumer.wait();
    // Accepted, and refused by the broker.
    const Channel another = connection_.open_channel().wait().value();
    Gone of_refused;
    EXPECT_EQ(another
                  .consume({.queue = "there is no such queue"},
                           [held = of_refused.held()](const Delivery&) { FAIL(); })
                  .wait()
                  .error()
                  .reply_code(),
              404);
    of_refused.wait();
}

// The connection goes in silence: nothing is told, and nothing is kept.
TEST_F(Cpp, WhatIsUnderWayWhenTheConnectionIsDroppedIsLetGo) {
    Gone of_answer;
    Gone of_outcome;
    Gone of_pool;
    {
        const Loop loop = Loop::start().value();
        Connection connection = Connection::create(loop, uri_).value();
        connection.open().wait().value();
        const Channel channel = connection.open_channel({.confirm = true}).wait().value();
        ChannelPool pool = ChannelPool::create(connection).value();
        std::promise<void> busy;
        std::promise<void> go_on;
        // Holds the loop up, so that no answer comes first.
        ASSERT_TRUE(channel.qos({}).then([&busy, until = go_on.get_future()](Result<void>) mutable {
            busy.set_value();
            until.get();
        }));
        busy.get_future().get();
        ASSERT_TRUE(
            channel.qos({}).then([held = of_answer.held()](Result<void>) { ADD_FAILURE(); }));
        ASSERT_TRUE(
            channel.publish_confirmed({.routing_key = "nobody"}, "x")
                .then([held = of_outcome.held()](Result<PublishResult>) { ADD_FAILURE(); }));
        ASSERT_TRUE(pool.publish_settled({.routing_key = "nobody"}, "x")
                        .then([held = of_pool.held()](Result<PublishResult>) { ADD_FAILURE(); }));
        pool = {};
        connection = {};
        go_on.set_value();
    }
    of_answer.wait();
    of_outcome.wait();
    of_pool.wait();
}

TEST_F(Cpp, EventsGoToWhoTakesThem) {
    std::promise<std::string> blamed;
    std::promise<std::uint64_t> published;
    std::promise<std::string> returned;
    const Channel channel =
        connection_
            .open_channel(
                {.confirm = true},
                overloaded{
                    [&](const StateChanged& change) {
                        if (change.now() == State::closed) {
                            blamed.set_value(std::string(change.error().method()));
                        }
                    },
                    [&](const Published& one) { published.set_value(one.number()); },
                    [&](const Returned& one) { returned.set_value(std::string(one.text())); }})
            .wait()
            .value();
    const std::uint64_t number =
        channel.publish({.routing_key = "nobody", .mandatory = true}, "back").value();
    EXPECT_EQ(published.get_future().get(), number);
    EXPECT_EQ(returned.get_future().get(), "back");
    EXPECT_FALSE(channel.delete_exchange({.exchange = "amq.direct"}).wait());
    EXPECT_EQ(blamed.get_future().get(), "exchange.delete");
}

TEST_F(Cpp, ABodyIsLentUntilItIsReleased) {
    const std::vector<std::byte> body(100'000, std::byte{'b'});
    Gone released;
    const auto held = std::make_shared<std::shared_ptr<void>>(released.held());
    ASSERT_TRUE(channel_.publish_lent({.routing_key = queue_}, body, [held] { held->reset(); }));
    released.wait();
    EXPECT_EQ(channel_.publish_lent({.routing_key = std::string(256, 'k')}, body, [] { FAIL(); })
                  .status(),
              Status::argument);
}

TEST_F(Cpp, APreparedPublishAndATransaction) {
    const Channel channel = connection_.open_channel().wait().value();
    channel.select_tx().wait().value();
    const Publisher publisher = channel.publisher({.routing_key = queue_}).value();
    EXPECT_TRUE(publisher.publish("dropped"));
    channel.rollback().wait().value();
    EXPECT_TRUE(publisher.publish("kept"));
    channel.commit().wait().value();
    EXPECT_EQ(channel.get({.queue = queue_, .no_ack = true}).wait().value()->text(), "kept");
}

TEST_F(Cpp, APoolAnswersForEachMessage) {
    std::atomic<int> told{0};
    const ChannelPool pool =
        ChannelPool::create(connection_, {.max_channels = 2}, [&](const Published& one) {
            EXPECT_EQ(one.outcome(), Outcome::confirmed);
            ++told;
        }).value();
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(pool.publish({.routing_key = queue_}, "x"));
    EXPECT_TRUE(pool.publish_settled({.routing_key = queue_}, "x").wait().value().confirmed());
    const auto awaits = [](ChannelPool of, std::string queue) -> Task<bool> {
        const PublishResult missing =
            (co_await of.publish_settled({.exchange = "no such exchange"}, "x")).value();
        if (missing.outcome != Outcome::refused || missing.reason.reply_code() != 404) {
            co_return false;
        }
        co_return (co_await of.publish_settled({.routing_key = queue}, "x")).value().confirmed();
    };
    EXPECT_TRUE(awaits(pool, queue_).wait());
    pool.drain().wait().value();
    EXPECT_EQ(told, 10);
    EXPECT_EQ(pool.info("confirmed").value(), 12);
    pool.close().wait().value();
}

TEST_F(Cpp, RequestsAreAnswered) {
    const Consumer server =
        channel_
            .consume({.queue = queue_, .no_ack = true},
                     [](const Delivery& request) {
                         EXPECT_TRUE(reply(request, "re: " + std::string(request.text())));
                     })
            .wait()
            .value();
    const RpcClient client = RpcClient::create(connection_).value();
    EXPECT_EQ(client.call({.routing_key = queue_}, "one").wait().value().text(), "re: one");
    const auto calls = [](RpcClient by, std::string queue) -> Task<std::string> {
        const Message answer = (co_await by.call({.routing_key = queue}, "two", 10s)).value();
        co_return std::string(answer.text());
    };
    EXPECT_EQ(calls(client, queue_).wait(), "re: two");
    EXPECT_EQ(client.call({.routing_key = "nobody"}, "x").wait().status(), Status::returned);
}

TEST_F(Cpp, AConnectionStopsAndTellsWhatWasLeft) {
    const Consumer consumer =
        channel_.consume({.queue = queue_}, [](const Delivery&) {}).wait().value();
    publish("never settled");
    const Result<Leftovers> stopped = connection_.stop({.settle = 1ms}).wait();
    EXPECT_EQ(stopped.status(), Status::timeout);
    EXPECT_EQ(stopped->unsettled, 1U);
    EXPECT_EQ(connection_.state(), State::closed);
}

TEST_F(Cpp, CredentialsAreAskedFor) {
    const Loop loop = Loop::start().value();
    const Connection connection = Connection::create(loop, uri_).value();
    ASSERT_TRUE(connection.set_auth(
        [](const AuthQuestion& question) { EXPECT_TRUE(question.refuse("nobody is at home")); }));
    const Result<void> opened = connection.open().wait();
    EXPECT_EQ(opened.status(), Status::auth);
    EXPECT_NE(opened.error().message().find("nobody is at home"), std::string_view::npos);
}

TEST_F(Cpp, WhatIsKnownOfAConnection) {
    EXPECT_EQ(connection_.server_properties().value().fields().find("product")->text(), "RabbitMQ");
    EXPECT_EQ(connection_.peer_info().value().fields().find("security")->text(), "none");
    EXPECT_GE(connection_.info("channels").value(), 1);
    EXPECT_EQ(connection_.info("no such number").status(), Status::argument);
    Options options(uri_);
    options.set("heartbeat", 7).set("rpc_timeout_ms", 3s);
    EXPECT_EQ(options.number("heartbeat").value(), 7);
    EXPECT_EQ(options.number("rpc_timeout_ms").value(), 3000);
    EXPECT_FALSE(options.error());
}

}  // namespace
}  // namespace haigha::test
