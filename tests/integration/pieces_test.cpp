// Bodies in pieces on a real broker: as large as it takes, in little memory; and what ends them.
#include <gtest/gtest.h>
#include <haigha/pieces.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "support/api_fixture.h"
#include "support/broker_release.h"
#include "support/counting_allocator.h"
#include "support/fault_proxy.h"

namespace haigha::test {
namespace {

using WriterHandle = std::unique_ptr<haigha_body_writer, Drop<haigha_body_writer_unref>>;

// What every release takes, and more than sockets hold on the way.
constexpr std::uint64_t large = 16 * 1024 * 1024;

// The octet at a place of every body of these tests.
char octet_at(std::uint64_t place) {
    return static_cast<char>((place * 31 + place / 4096) & 0xFF);
}
void fill(std::string& piece, std::uint64_t from) {
    for (std::size_t i = 0; i < piece.size(); ++i)
        piece[i] = octet_at(from + i);
}

// What a consumer of pieces was told, and whether it was what it should be. Allocates nothing for a
// body.
class Taker {
  public:
    haigha_pieces_args args() {
        haigha_pieces_args args = HAIGHA_PIECES_ARGS_INIT;
        args.fn = [](const haigha_piece* piece, void* data) {
            static_cast<Taker*>(data)->on_piece(*piece);
        };
        args.user_data = this;
        args.release = [](void* data) {
            auto* const self = static_cast<Taker*>(data);
            const std::lock_guard lock(self->mutex_);
            ++self->releases;
            self->changed_.notify_all();
        };
        return args;
    }
    bool wait(std::uint32_t kind, std::size_t count = 1) {
        return wait_for([&] { return counts_[kind] >= count; });
    }
    bool wait_released() {
        return wait_for([&] { return releases > 0; });
    }
    std::size_t count(std::uint32_t kind) {
        const std::lock_guard lock(mutex_);
        return counts_[kind];
    }

    std::atomic<haigha_connection*> pause_at_once{nullptr};  // with the first octets
    std::uint64_t size = 0;                                  // of the last that began
    std::uint64_t octets = 0;                                // of all bodies
    haigha_status status = HAIGHA_OK;
    int releases = 0;
    bool in_order = true;

  private:
    template <class Done>
    bool wait_for(Done done) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, done);
    }
    void on_piece(const haigha_piece& piece) {
        const std::lock_guard lock(mutex_);
        in_order = in_order && releases == 0;
        switch (piece.kind) {
            case HAIGHA_PIECE_BEGIN:
                in_order = in_order && place_ == 0 && piece.message != nullptr;
                size = piece.body_size;
                break;
            case HAIGHA_PIECE_OCTETS: {
                in_order = in_order && piece.offset == place_;
                const std::string_view got = view(piece.octets);
                for (std::size_t i = 0; i < got.size(); ++i)
                    in_order = in_order && got[i] == octet_at(place_ + i);
                place_ += got.size();
                octets += got.size();
                if (haigha_connection* const paused = pause_at_once.exchange(nullptr)) {
                    in_order = in_order && haigha_connection_pause_reading(paused, nullptr) == 0;
                }
                break;
            }
            case HAIGHA_PIECE_END:
                in_order = in_order && place_ == size && piece.offset == size;
                place_ = 0;
                if (haigha_ack(piece.channel, piece.delivery_tag, 0, nullptr) != HAIGHA_OK) {
                    in_order = false;
                }
                break;
            case HAIGHA_PIECE_ABORTED:
                in_order = in_order && piece.offset == place_;
                place_ = 0;
                status = haigha_error_status(piece.error);
                break;
            default:
                break;
        }
        ++counts_[piece.kind];
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t counts_[8] = {};
    std::uint64_t place_ = 0;
};

class Pieces : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (IsSkipped()) return;
        receiving_ = connect();
        receiver_ = open_channel(receiving_.get());
        queue_ = declare_queue(receiver_.get());
    }
    void connect_sender(std::initializer_list<IntOption> numbers = {}) {
        sending_ = connect(numbers);
        sender_ = open_channel(sending_.get(), confirming(sent_));
    }
    std::uint16_t port() const {
        return static_cast<std::uint16_t>(std::stoi(uri_.substr(uri_.rfind(':') + 1)));
    }
    // One that recovers.
    ConnectionHandle connect_by(const FaultProxy& proxy, const haigha_then* events = nullptr) {
        const std::string uri = uri_.substr(0, uri_.rfind(':') + 1) + std::to_string(proxy.port());
        ConnectionHandle connection =
            new_connection(loop_.get(), options_from(uri, {{"recovery", 1}}).get(), events);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }
    haigha_status consume_pieces() {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue_);
        const haigha_pieces_args pieces = taker_.args();
        return haigha_consume_pieces_wait(receiver_.get(), &args, &pieces, -1, nullptr, error_);
    }
    WriterHandle new_writer(std::uint64_t size, const haigha_then* events = nullptr,
                            std::string_view key = {}, bool mandatory = false) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = key.empty() ? str(queue_) : str(key);
        args.mandatory = mandatory ? 1 : 0;
        WriterHandle writer;
        EXPECT_EQ(HAIGHA_OK,
                  haigha_body_writer_new(sender_.get(), &args, size, events, out(writer), error_))
            << error_;
        return writer;
    }
    // A stretch of the body, waiting for room.
    haigha_status write(haigha_body_writer* writer, std::uint64_t from, std::uint64_t to) {
        std::string piece(64 * 1024, 0);
        while (from < to) {
            piece.resize(std::min<std::uint64_t>(piece.size(), to - from));
            fill(piece, from);
            std::size_t taken = 0;
            const haigha_status status =
                haigha_body_write_wait(writer, str(piece), 60'000, &taken, error_);
            if (status != HAIGHA_OK) return status;
            from += taken;
        }
        return HAIGHA_OK;
    }
    std::vector<int> outcomes(std::size_t count) {
        EXPECT_TRUE(sent_.wait_count(HAIGHA_EVENT_OUTCOME, count));
        std::vector<int> all;
        for (const Recorded& event : sent_.events()) {
            if (event.type == HAIGHA_EVENT_OUTCOME) all.push_back(event.outcome);
        }
        return all;
    }

    Taker taker_;
    EventLog sent_;
    ConnectionHandle receiving_;
    ChannelHandle receiver_;
    ConnectionHandle sending_;
    ChannelHandle sender_;
    std::string queue_;
};

// As large as the broker takes (max_message_size), both ways.
TEST_F(Pieces, CarriesTheLargestMessageInLittleMemory) {
    const bool takes_more = BrokerRelease(receiving_.get()).takes_more_than_16_mib();
    const std::uint64_t size = takes_more ? 128 * 1024 * 1024 : large;
    constexpr std::size_t added = 1024 * 1024;
    connect_sender();
    ASSERT_EQ(HAIGHA_OK, consume_pieces()) << error_;
    EventLog events;
    const haigha_then then = events.then();
    const std::size_t before = CountedMemory::held();
    CountedMemory::begin_peak();
    const WriterHandle writer = new_writer(size, &then);
    ASSERT_EQ(HAIGHA_OK, write(writer.get(), 0, size)) << error_;
    EXPECT_EQ(haigha_body_writer_sequence(writer.get()), 1U);
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_END));
    const std::size_t most = CountedMemory::peak() - before;
    EXPECT_TRUE(taker_.in_order);
    EXPECT_EQ(taker_.octets, size);
    EXPECT_LE(most, added);
    EXPECT_EQ(outcomes(1), std::vector<int>{HAIGHA_OUTCOME_CONFIRMED});
    EXPECT_FALSE(events.reply().failed);
    EXPECT_TRUE(events.wait_released(1));
}

// rule 83
TEST_F(Pieces, TellsBodiesOfEverySizeAlike) {
    connect_sender();
    ASSERT_EQ(HAIGHA_OK, consume_pieces()) << error_;
    std::uint64_t all = 0;
    std::size_t count = 0;
    for (const std::uint64_t size : {0, 1, 4096, 131'064, 131'065, 1'000'000}) {
        const WriterHandle writer = new_writer(size);
        std::size_t taken = 0;
        ASSERT_EQ(HAIGHA_OK, haigha_body_write(writer.get(), str(""), &taken, error_)) << error_;
        ASSERT_EQ(HAIGHA_OK, write(writer.get(), 0, size)) << error_;
        all += size;
        ++count;
    }
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_END, count));
    EXPECT_TRUE(taker_.in_order);
    EXPECT_EQ(taker_.octets, all);
    EXPECT_EQ(outcomes(count), std::vector<int>(count, HAIGHA_OUTCOME_CONFIRMED));
    receiver_.reset();
    receiving_.reset();
    EXPECT_TRUE(taker_.wait_released());
}

// Without waiting: what is refused is asked for again by WRITABLE, as a producer on a loop does.
TEST_F(Pieces, AsksForMoreWhenThereIsRoom) {
    constexpr std::uint64_t size = large;
    connect_sender();
    ASSERT_EQ(HAIGHA_OK, consume_pieces()) << error_;
    struct Producer {
        haigha_body_writer* writer = nullptr;
        std::uint64_t written = 0;
        std::atomic<bool> failed{false};
        std::string piece = std::string(50'000, 0);
        void produce() {
            while (written < size) {
                piece.resize(std::min<std::uint64_t>(50'000, size - written));
                fill(piece, written);
                std::size_t taken = 0;
                const haigha_status status = haigha_body_write(writer, str(piece), &taken, nullptr);
                written += taken;
                if (status == HAIGHA_ERR_WOULD_BLOCK || taken < piece.size()) return;
                failed = failed || status != HAIGHA_OK;
            }
        }
    } producer;
    // The first piece is written on the loop's thread too: nothing else writes.
    EventLog events([&](const haigha_event& event) {
        if (event.type == HAIGHA_EVENT_WRITABLE) producer.produce();
    });
    const haigha_then then = events.then();
    const WriterHandle writer = new_writer(size, &then);
    producer.writer = writer.get();
    EventLog first([&](const haigha_event&) { producer.produce(); });
    const haigha_then begin = first.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_flush(sending_.get(), &begin, error_)) << error_;
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_END));
    EXPECT_FALSE(producer.failed);
    EXPECT_TRUE(taker_.in_order);
    EXPECT_EQ(taker_.octets, size);
    EXPECT_FALSE(events.reply().failed);
    EXPECT_GT(events.count(HAIGHA_EVENT_WRITABLE), 0U);
}

// AMQP 0-9-1, 4.2.6, and rule 18
TEST_F(Pieces, HoldsBackItsOwnChannelAndNoOther) {
    connect_sender();
    const ChannelHandle other = open_channel(sending_.get());
    const WriterHandle writer = new_writer(200'000);
    ASSERT_EQ(HAIGHA_OK, write(writer.get(), 0, 100'000)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(sender_.get(), queue_, "behind")) << error_;
    // The other channel's message arrives while this one's waits.
    ASSERT_EQ(HAIGHA_OK, publish(other.get(), queue_, "between")) << error_;
    ASSERT_TRUE(wait_messages(receiver_.get(), queue_, 1));
    ASSERT_EQ(HAIGHA_OK, write(writer.get(), 100'000, 200'000)) << error_;
    ASSERT_TRUE(wait_messages(receiver_.get(), queue_, 3));
    EXPECT_EQ(view(haigha_message_body(get(receiver_.get(), queue_).get())), "between");
    EXPECT_EQ(haigha_message_body(get(receiver_.get(), queue_).get()).size, 200'000U);
    EXPECT_EQ(view(haigha_message_body(get(receiver_.get(), queue_).get())), "behind");
}

TEST_F(Pieces, EndsTheConnectionForABodyThatIsAbandoned) {
    connect_sender({{"recovery", 1}});
    EventLog states;
    const haigha_then watch = states.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_set_events(sending_.get(), &watch, error_)) << error_;
    EventLog events;
    const haigha_then then = events.then();
    WriterHandle writer = new_writer(200'000, &then);
    ASSERT_EQ(HAIGHA_OK, write(writer.get(), 0, 100'000)) << error_;
    ASSERT_EQ(HAIGHA_OK, publish(sender_.get(), queue_, "behind")) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_body_writer_abort(writer.get(), error_)) << error_;
    EXPECT_EQ(outcomes(2), (std::vector<int>{HAIGHA_OUTCOME_NOT_SENT, HAIGHA_OUTCOME_NOT_SENT}));
    EXPECT_TRUE(events.reply().failed);
    EXPECT_TRUE(events.wait_released(1));
    std::size_t taken = 0;
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_body_write(writer.get(), str("x"), &taken, error_));
    writer.reset();
    EXPECT_EQ(states.state(HAIGHA_STATE_RECOVERING).status, HAIGHA_ERR_IO);
    states.state(HAIGHA_STATE_OPEN);
    EXPECT_EQ(events.size(), 1U);
    // Nothing of it came, and the channel serves again.
    const WriterHandle again = new_writer(10);
    haigha_status status = HAIGHA_OK;
    do {
        status = write(again.get(), 0, 10);
    } while (status == HAIGHA_ERR_RECOVERING);
    ASSERT_EQ(HAIGHA_OK, status) << error_;
    EXPECT_EQ(outcomes(3).back(), HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(count_messages(receiver_.get(), queue_), 1U);
}

TEST_F(Pieces, ForgetsAMessageThatHasNotBegun) {
    connect_sender();
    EventLog events;
    const haigha_then then = events.then();
    WriterHandle writer = new_writer(10, &then);
    writer.reset();
    EXPECT_TRUE(events.wait_released(1));
    EXPECT_EQ(events.size(), 0U);
    ASSERT_EQ(HAIGHA_OK, publish(sender_.get(), queue_, "m")) << error_;
    EXPECT_EQ(outcomes(1), std::vector<int>{HAIGHA_OUTCOME_CONFIRMED});
}

TEST_F(Pieces, EndsWithTheConnectionOnceWhenThatIsClosed) {
    connect_sender();
    EventLog events;
    const haigha_then then = events.then();
    const WriterHandle writer = new_writer(200'000, &then);
    ASSERT_EQ(HAIGHA_OK, write(writer.get(), 0, 100'000)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(sending_.get(), -1, error_)) << error_;
    EXPECT_EQ(events.reply().status, HAIGHA_ERR_CLOSED);
    EXPECT_TRUE(events.wait_released(1));
    EXPECT_EQ(events.size(), 1U);
    EXPECT_EQ(outcomes(1), std::vector<int>{HAIGHA_OUTCOME_NOT_SENT});
}

TEST_F(Pieces, IsHeldBackWhileReadingIsPaused) {
    constexpr std::uint64_t size = large;
    connect_sender();
    taker_.pause_at_once = receiving_.get();
    const std::int64_t before = info(receiving_.get(), "bytes_received");
    ASSERT_EQ(HAIGHA_OK, consume_pieces()) << error_;
    const WriterHandle writer = new_writer(size);
    ASSERT_EQ(HAIGHA_OK, write(writer.get(), 0, size)) << error_;
    EXPECT_EQ(outcomes(1), std::vector<int>{HAIGHA_OUTCOME_CONFIRMED});
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_OCTETS));
    EXPECT_LT(info(receiving_.get(), "bytes_received") - before, 1024 * 1024);
    EXPECT_EQ(taker_.count(HAIGHA_PIECE_END), 0U);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_resume_reading(receiving_.get(), error_)) << error_;
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_END));
    EXPECT_TRUE(taker_.in_order);
    EXPECT_EQ(taker_.octets, size);
}

TEST_F(Pieces, TellsThatADeliveryIsCutShort) {
    constexpr std::uint64_t size = large;
    connect_sender();
    taker_.pause_at_once = receiving_.get();
    ASSERT_EQ(HAIGHA_OK, consume_pieces()) << error_;
    const WriterHandle writer = new_writer(size);
    ASSERT_EQ(HAIGHA_OK, write(writer.get(), 0, size)) << error_;
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_OCTETS));
    // The broker's answer stands behind the rest of the body, which is not read.
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, haigha_connection_close_wait(receiving_.get(), 1, error_));
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_CANCELLED));
    EXPECT_EQ(taker_.count(HAIGHA_PIECE_ABORTED), 1U);
    EXPECT_EQ(taker_.count(HAIGHA_PIECE_END), 0U);
    EXPECT_TRUE(taker_.wait_released());
    EXPECT_TRUE(taker_.in_order);
}

// What was written of a body when the connection goes is lost, and told; the rest is refused.
TEST_F(Pieces, AnOutageInTheMiddleEndsWhatIsWritten) {
    FaultProxy proxy(port());
    EventLog states;
    const haigha_then watch = states.then();
    sending_ = connect_by(proxy, &watch);
    sender_ = open_channel(sending_.get(), confirming(sent_));
    EventLog events;
    const haigha_then then = events.then();
    const WriterHandle writer = new_writer(200'000, &then);
    ASSERT_EQ(HAIGHA_OK, write(writer.get(), 0, 100'000)) << error_;
    proxy.command("reset");
    EXPECT_TRUE(events.reply().failed);
    EXPECT_NE(HAIGHA_OK, write(writer.get(), 100'000, 200'000));
    EXPECT_EQ(outcomes(1), std::vector<int>{HAIGHA_OUTCOME_NOT_SENT});
    states.wait_for(HAIGHA_EVENT_CONNECTION_STATE, 3);
    haigha_status again = HAIGHA_ERR_RECOVERING;
    while (again == HAIGHA_ERR_RECOVERING)
        again = publish(sender_.get(), queue_, "behind");
    ASSERT_EQ(HAIGHA_OK, again) << error_;
    EXPECT_EQ(outcomes(2).back(), HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(count_messages(receiver_.get(), queue_), 1U);
}

// What was taken of a delivery is void; it comes again, from its first octet.
TEST_F(Pieces, AnOutageInTheMiddleHasADeliveryComeAgain) {
    constexpr std::uint64_t size = large;
    connect_sender();
    const std::string queue = unique_name("pieces");
    declare_durable(sender_.get(), queue);
    queue_ = queue;
    FaultProxy proxy(port());
    const ConnectionHandle own = std::move(receiving_);
    receiver_.reset();
    receiving_ = connect_by(proxy);
    receiver_ = open_channel(receiving_.get());
    taker_.pause_at_once = receiving_.get();
    ASSERT_EQ(HAIGHA_OK, consume_pieces()) << error_;
    ASSERT_EQ(HAIGHA_OK, write(new_writer(size).get(), 0, size)) << error_;
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_OCTETS));
    proxy.command("reset");
    // Who does not read hears of an end with the next heartbeat.
    ASSERT_EQ(HAIGHA_OK, haigha_connection_resume_reading(receiving_.get(), error_)) << error_;
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_ABORTED));
    ASSERT_TRUE(taker_.wait(HAIGHA_PIECE_END));
    EXPECT_TRUE(taker_.in_order);
    EXPECT_EQ(taker_.size, size);
    EXPECT_EQ(taker_.count(HAIGHA_PIECE_BEGIN), 2U);
    EXPECT_NE(taker_.status, HAIGHA_OK);
    delete_queue(sender_.get(), queue);
}

// rule 66
TEST_F(Pieces, IsReturnedAsAnyOther) {
    sending_ = connect();
    haigha_channel_args args = confirming(sent_);
    sender_ = open_channel(sending_.get(), args);
    const WriterHandle refused = new_writer(300'000, nullptr, "nobody", true);
    std::size_t taken = 0;
    EXPECT_EQ(HAIGHA_ERR_UNSUPPORTED, haigha_body_write(refused.get(), str("x"), &taken, error_));
    args = confirming(sent_);
    args.correlate_returns = 1;
    sender_ = open_channel(sending_.get(), args);
    const WriterHandle writer = new_writer(300'000, nullptr, "nobody", true);
    ASSERT_EQ(HAIGHA_OK, write(writer.get(), 0, 300'000)) << error_;
    EXPECT_EQ(outcomes(1), std::vector<int>{HAIGHA_OUTCOME_RETURNED});
    EXPECT_EQ(sent_.wait_for(HAIGHA_EVENT_RETURN).body.size(), 300'000U);
}

TEST_F(Pieces, RefusesMoreThanItsSize) {
    connect_sender();
    const WriterHandle writer = new_writer(3);
    std::size_t taken = 9;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_body_write(writer.get(), str("four"), &taken, error_));
    EXPECT_EQ(taken, 0U);
    EXPECT_EQ(haigha_body_writer_sequence(writer.get()), 0U);
    EXPECT_EQ(HAIGHA_OK, haigha_body_write(writer.get(), str("abc"), &taken, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_body_write(writer.get(), str(""), &taken, error_));
}

}  // namespace
}  // namespace haigha::test
