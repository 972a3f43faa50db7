// Tests of workers.hpp and streams.hpp on a real broker: main use, errors, and release.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <haigha/streams.hpp>
#include <haigha/task.hpp>
#include <haigha/workers.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace haigha::test {
namespace {

using namespace std::chrono_literals;

class CppMore : public testing::Test {
  protected:
    void SetUp() override {
        const char* const uri = std::getenv("HAIGHA_TEST_URI");
        if (uri == nullptr) GTEST_SKIP() << "HAIGHA_TEST_URI is not set: there is no broker";
        loop_ = Loop::start().value();
        connection_ = Connection::create(loop_, uri).value();
        connection_.open().wait().value();
        channel_ = connection_.open_channel({.confirm = true}).wait().value();
        queue_ = channel_.declare_queue({.exclusive = true}).wait().value().queue;
    }
    void publish(std::string_view body) const { publish_to(queue_, body); }
    void publish_to(std::string_view queue, std::string_view body) const {
        EXPECT_TRUE(
            channel_.publish_confirmed({.routing_key = queue}, body).wait().value().confirmed());
    }

    Loop loop_;
    Connection connection_;
    Channel channel_;
    std::string queue_;
};

// A callable's captured member, whose end the future tells.
std::shared_ptr<void> tells(std::promise<void>& gone) {
    return {nullptr, [&gone](void*) { gone.set_value(); }};
}

TEST_F(CppMore, WorkersHandleAndSettle) {
    const Workers workers = Workers::create(loop_, {.threads = 2}).value();
    std::promise<std::thread::id> where;
    std::promise<void> four;
    std::promise<void> ended;
    std::vector<std::string> texts;
    const Consumer consumer =
        workers
            .consume(channel_, {.queue = queue_},
                     overloaded{[&](const Delivery& delivery) {
                                    texts.emplace_back(delivery.text());
                                    if (texts.size() == 1)
                                        where.set_value(std::this_thread::get_id());
                                    if (texts.size() == 4) four.set_value();
                                    // Once again, last, and for good.
                                    if (delivery.text() == "2" && !delivery.redelivered()) {
                                        return Work::requeue;
                                    }
                                    return delivery.text() == "3" ? Work::drop : Work::ack;
                                },
                                [&](const ConsumerEnded&) { ended.set_value(); }})
            .wait()
            .value();
    for (const char* text : {"1", "2", "3"})
        publish(text);
    EXPECT_NE(where.get_future().get(), std::this_thread::get_id());
    four.get_future().get();
    workers.drain().wait().value();
    EXPECT_EQ(workers.info("handled").value(), 4);
    consumer.cancel().wait().value();
    ended.get_future().get();
    EXPECT_EQ(texts.size(), 4U);
    EXPECT_EQ(texts.front(), "1");
    EXPECT_FALSE(channel_.get({.queue = queue_}).wait().value());
    workers.close().wait().value();
}

TEST_F(CppMore, WorkersHandleKeysAtTheSameTime) {
    const Workers workers = Workers::create(loop_).value();
    std::promise<void> first;
    std::promise<void> second;
    std::promise<void> both;
    std::atomic<int> handled{0};
    // Each waits for the other one: they are handled at the same time.
    workers
        .consume(
            channel_, {.queue = queue_, .order = Order::key},
            [&](const Delivery& delivery) {
                const bool is_first = delivery.text() == "1";
                (is_first ? first : second).set_value();
                (is_first ? second : first).get_future().get();
                if (++handled == 2) both.set_value();
            },
            [](const Delivery& delivery) { return std::uint64_t(delivery.text()[0]); })
        .wait()
        .value();
    publish("1");
    publish("2");
    both.get_future().get();
    workers.close().wait(10s).value();
}

TEST_F(CppMore, AHandlerIsLetGoAndRefused) {
    const Workers workers = Workers::create(loop_).value();
    std::promise<void> gone;
    workers.consume(channel_, {.queue = queue_}, [held = tells(gone)](const Delivery&) {})
        .wait()
        .value();
    const auto closes = [](Workers of) -> Task<bool> { co_return bool(co_await of.close()); };
    EXPECT_TRUE(closes(workers).wait());
    gone.get_future().get();
    EXPECT_EQ(workers.info("threads").value(), 0);
    EXPECT_EQ(workers.info("no such number").status(), Status::argument);

    std::promise<void> refused;
    EXPECT_EQ(workers
                  .consume(channel_, {.queue = queue_},
                           [held = tells(refused)](const Delivery&) { FAIL(); })
                  .start()
                  .status(),
              Status::closed);
    refused.get_future().get();
    EXPECT_EQ(Workers::create(loop_, {.threads = 2000}).status(), Status::argument);
    // Accepted, and refused by the broker.
    const Workers others = Workers::create(loop_).value();
    std::promise<void> by_broker;
    EXPECT_EQ(others
                  .consume(channel_, {.queue = "there is no such queue"},
                           [held = tells(by_broker)](const Delivery&) {})
                  .wait()
                  .error()
                  .reply_code(),
              404);
    by_broker.get_future().get();
}

TEST_F(CppMore, AStreamReaderGoesOn) {
    const std::string stream = "stream of " + queue_;
    const std::string places = stream + ".offset.r";
    channel_
        .declare_queue(
            {.queue = stream, .durable = true, .arguments = {{"x-queue-type", "stream"}}})
        .wait()
        .value();
    for (const char* text : {"0", "1", "2"})
        publish_to(stream, text);
    {
        const Channel channel = connection_.open_channel().wait().value();
        channel.qos({.prefetch_count = 10}).wait().value();
        const StreamReader reader =
            StreamReader::create(channel, {.stream = stream, .name = "r"}).value();
        std::promise<void> two;
        std::promise<void> gone;
        reader
            .consume({.arguments = {{"x-stream-offset", "first"}}},
                     [&, held = tells(gone)](const Delivery& delivery) {
                         const std::uint64_t offset = stream_offset(delivery).value();
                         if (offset < 2) {
                             EXPECT_TRUE(reader.handled(delivery));
                         }
                         if (offset == 1) two.set_value();
                     })
            .wait()
            .value();
        two.get_future().get();
        reader.save().wait().value();
        EXPECT_EQ(reader.info("saved_offset").value(), 1);
        EXPECT_EQ(reader.consume({}, Nobody{}).wait().status(), Status::argument);
        channel.close().wait().value();
        gone.get_future().get();
    }
    const Channel channel = connection_.open_channel().wait().value();
    channel.qos({.prefetch_count = 10}).wait().value();
    const StreamReader reader =
        StreamReader::create(channel, {.stream = stream, .name = "r"}).value();
    Inbox inbox = Inbox::create().value();
    const Consumer consumer = reader.consume({}, Into{inbox, 1}).wait().value();
    const Message message = inbox.next_message(10s).value();
    EXPECT_EQ(stream_offset(message).value(), 2U);
    EXPECT_TRUE(reader.handled(message));
    EXPECT_EQ(reader.handled(message).status(), Status::argument);
    const auto saves = [](StreamReader of) -> Task<bool> { co_return bool(co_await of.save()); };
    EXPECT_TRUE(saves(reader).wait());
    EXPECT_EQ(reader.info("saved_offset").value(), 2);
    consumer.cancel().wait().value();
    channel_.delete_queue({.queue = stream}).wait().value();
    channel_.delete_queue({.queue = places}).wait().value();
    EXPECT_EQ(StreamReader::create(channel_, {.name = "r"}).status(), Status::argument);
}

}  // namespace
}  // namespace haigha::test
