// Tests of pieces.hpp on a real broker: main use, errors, and release.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <haigha/pieces.hpp>
#include <haigha/task.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace haigha::test {
namespace {

using namespace std::chrono_literals;

class CppPieces : public testing::Test {
  protected:
    void SetUp() override {
        const char* const uri = std::getenv("HAIGHA_TEST_URI");
        if (uri == nullptr) GTEST_SKIP() << "HAIGHA_TEST_URI is not set: there is no broker";
        connection_ = Connection::connect(uri).value();
        channel_ = connection_.open_channel().wait().value();
        queue_ = channel_.declare_queue({.exclusive = true}).wait().value().queue;
    }

    Connection connection_;
    Channel channel_;
    std::string queue_;
};

// Writes all of it, waiting for room without a thread.
Task<Status> write_all(BodyWriter writer, std::string body) {
    std::string_view rest = body;
    while (!rest.empty()) {
        const Result<std::size_t> taken = writer.write(rest);
        if (!taken && taken.status() != Status::would_block) co_return taken.status();
        rest.remove_prefix(*taken);
        if (rest.empty()) break;
        const Result<void> room = co_await writer.room();
        if (!room) co_return room.status();
    }
    co_return (co_await writer.end()).status();
}

TEST_F(CppPieces, ABodyIsWrittenAndReadInPieces) {
    const std::string body(3'000'000, 'p');
    std::string read;
    std::promise<void> whole;
    std::promise<void> cancelled;
    std::promise<void> gone;
    std::shared_ptr<void> tells(nullptr, [&](void*) { gone.set_value(); });
    const Consumer consumer =
        consume_pieces(channel_, {.queue = queue_},
                       [&, held = std::move(tells)](const Piece& piece) {
                           switch (piece.kind()) {
                               case Piece::Kind::begin:
                                   EXPECT_EQ(piece.body_size(), body.size());
                                   EXPECT_EQ(piece.message().properties().value().type, "large");
                                   break;
                               case Piece::Kind::octets:
                                   EXPECT_EQ(piece.offset(), read.size());
                                   read += piece.text();
                                   break;
                               case Piece::Kind::end:
                                   EXPECT_TRUE(piece.ack());
                                   whole.set_value();
                                   break;
                               case Piece::Kind::aborted:
                                   ADD_FAILURE() << piece.error().message();
                                   break;
                               case Piece::Kind::cancelled:
                                   cancelled.set_value();
                           }
                       })
            .wait()
            .value();
    const Channel by = connection_.open_channel().wait().value();
    const BodyWriter writer =
        BodyWriter::create(by, {.routing_key = queue_}, body.size(), {.type = "large"}).value();
    EXPECT_EQ(write_all(writer, body).wait(), Status::ok);
    whole.get_future().get();
    EXPECT_EQ(read, body);
    EXPECT_EQ(writer.write("more").status(), Status::closed);
    consumer.cancel().wait().value();
    cancelled.get_future().get();
    gone.get_future().get();
    EXPECT_EQ(consume_pieces(channel_, {.queue = queue_, .pause_when_full = true},
                             [](const Piece&) { FAIL(); })
                  .start()
                  .status(),
              Status::argument);
}

TEST_F(CppPieces, AWriterThatWaitsAndOneThatHasNotBegun) {
    const std::string body(1'000'000, 'w');
    {
        const BodyWriter writer =
            BodyWriter::create(channel_, {.routing_key = queue_}, body.size()).value();
        EXPECT_EQ(writer.write_wait(body).value(), body.size());
        EXPECT_EQ(writer.sequence(), 0U);
    }
    EXPECT_EQ(channel_.get({.queue = queue_, .no_ack = true}).wait().value()->body().size(),
              body.size());
    const BodyWriter forgotten = BodyWriter::create(channel_, {.routing_key = queue_}, 1).value();
    EXPECT_TRUE(forgotten.abort());
    EXPECT_EQ(forgotten.write("x").status(), Status::closed);
    EXPECT_EQ(BodyWriter::create(channel_, {}, std::uint64_t{1} << 41).status(), Status::argument);
    channel_.qos({.prefetch_count = 1}).wait().value();  // the connection goes on
}

// What pausing holds back is tested in pieces_test.cpp; here, that both calls arrive.
TEST_F(CppPieces, ReadingIsPausedAndResumed) {
    EXPECT_TRUE(pause_reading(connection_));
    std::promise<void> answered;
    ASSERT_TRUE(channel_.qos({.prefetch_count = 1}).then([&](Result<void> result) {
        EXPECT_TRUE(result);
        answered.set_value();
    }));
    EXPECT_TRUE(resume_reading(connection_));
    answered.get_future().get();
    EXPECT_EQ(pause_reading(Connection()).status(), Status::argument);
}

}  // namespace
}  // namespace haigha::test
