// Tests of Outbox: a byte queue whose frames can be taken back, against a plain model.
#include "protocol/outbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <random>

#include "support/machine_peer.h"
#include "support/octets.h"

namespace haigha::protocol {
namespace {

using test::body_frame;
using test::header_frame;
using test::joined;
using test::Lines;
using test::method_frame;
using test::Octets;

// Lends bodies and counts how often each is given back.
class Lender {
  public:
    Ref<HeldBody> lend(std::size_t size, char filler) {
        Loan& loan = *loans_.emplace_back(std::make_unique<Loan>());
        loan.octets.assign(size, static_cast<std::byte>(filler));
        return HeldBody::lend(
            loan.octets, [](void* data) { ++static_cast<Loan*>(data)->returned; }, &loan,
            returned_);
    }
    // Has those given back that are not needed any more; returns how many that are by now.
    std::size_t returned() {
        { const ReturnedBodies now = std::move(returned_); }
        std::size_t count = 0;
        for (const auto& loan : loans_) {
            EXPECT_LE(loan->returned, 1);
            count += loan->returned > 0 ? 1 : 0;
        }
        return count;
    }
    std::size_t lent() const { return loans_.size(); }

  private:
    struct Loan {
        Octets octets;
        int returned = 0;
    };
    std::vector<std::unique_ptr<Loan>> loans_;
    ReturnedBodies returned_;
};

// With bodies that are copied, and with bodies that are written from where they are.
class OutboxTest : public testing::Test {
  protected:
    void append(const Octets& frames) {
        std::memcpy(outbox_.append(frames.size()), frames.data(), frames.size());
    }
    void publish(std::uint16_t channel, std::size_t size, std::size_t pieces = 1) {
        const Octets head =
            joined(method_frame(channel, wire::basic::Publish{}), header_frame(channel, size));
        if (lend_ && size > 0) {
            std::byte* const at = outbox_.append_held(
                head.size(), HeldFrames(lender_.lend(size, 'x'), 0, size, size / pieces, channel));
            std::memcpy(at, head.data(), head.size());
            return;
        }
        append(head);
        for (std::size_t i = 0; i < pieces; ++i)
            append(body_frame(channel, std::string(size / pieces, 'x')));
    }
    void ack(std::uint16_t channel) { append(method_frame(channel, wire::basic::Ack{})); }
    void take(std::size_t size) {
        while (size > 0) {
            std::array<Outbox::Segment, 3> segments;
            ASSERT_GT(outbox_.gather(segments, size), 0U);
            const std::size_t piece = std::min(size, segments[0].size);
            wire_.insert(wire_.end(), segments[0].data, segments[0].data + piece);
            outbox_.consume(piece);
            size -= piece;
        }
    }
    Lines rest() {
        take(outbox_.size());
        return test::frame_lines(wire_);
    }
    std::uint64_t unsent(std::uint16_t channel) const {
        std::vector<std::uint64_t> counts(channel + 1u);
        outbox_.count_unsent(counts);
        return counts[channel];
    }
    static std::size_t head_size() {
        return method_frame(1, wire::basic::Publish{}).size() + header_frame(1, 0).size();
    }

    Lender lender_;
    Outbox outbox_;
    Octets wire_;
    bool lend_ = false;
};

// What is purged behind a mark does not count as sent before it.
TEST_F(OutboxTest, SaysWhatHasLeftNeverTooEarly) {
    EXPECT_TRUE(outbox_.has_left(outbox_.mark()));
    publish(1, 100);
    const std::uint64_t mark = outbox_.mark();
    const std::size_t before = outbox_.size();
    publish(2, 5000);
    (void)outbox_.purge(2, false);
    EXPECT_FALSE(outbox_.has_left(mark));
    take(before - 1);
    EXPECT_FALSE(outbox_.has_left(mark));
    take(1);
    EXPECT_TRUE(outbox_.has_left(mark));
    publish(1, 100);
    publish(2, 100);
    const std::uint64_t second = outbox_.mark();
    (void)outbox_.purge(2, false);
    EXPECT_FALSE(outbox_.has_left(second));
    take(outbox_.size());
    EXPECT_TRUE(outbox_.has_left(second));
    EXPECT_EQ(outbox_.sent(), outbox_.mark());
}

TEST_F(OutboxTest, GivesBackWhatWasPutInWhateverThePieces) {
    std::mt19937 random(3);
    std::size_t put = 0;
    std::size_t taken = 0;
    for (int step = 0; step < 4000; ++step) {
        const std::size_t size = 1 + random() % (random() % 20 == 0 ? 100'000 : 900);
        std::byte* at = outbox_.append(size);
        for (std::size_t i = 0; i < size; ++i)
            at[i] = static_cast<std::byte>(put + i);
        put += size;
        if (random() % 2 == 0) continue;
        std::array<Outbox::Segment, 4> segments;
        const std::size_t count = outbox_.gather(segments, 1 + random() % 200'000);
        std::size_t gathered = 0;
        std::size_t position = taken;
        for (std::size_t i = 0; i < count; ++i) {
            gathered += segments[i].size;
            for (std::size_t k = 0; k < segments[i].size; ++k, ++position)
                ASSERT_EQ(segments[i].data[k], static_cast<std::byte>(position));
        }
        const std::size_t piece = random() % (gathered + 1);
        outbox_.consume(piece);
        taken += piece;
        ASSERT_EQ(outbox_.size(), put - taken);
        ASSERT_EQ(outbox_.sent(), taken);
        ASSERT_EQ(outbox_.empty(), put == taken);
    }
}

TEST_F(OutboxTest, KeepsWhatWasGatheredInPlaceWhileMoreIsAppended) {
    append(test::octets("010203"));
    std::array<Outbox::Segment, 2> segments;
    ASSERT_EQ(outbox_.gather(segments, 100), 1U);
    for (int i = 0; i < 100; ++i)
        append(Octets(3000, std::byte{9}));
    EXPECT_EQ(test::copy_of({segments[0].data, 3}), test::octets("010203"));
}

TEST_F(OutboxTest, TakesOutTheFramesOfOneChannelAndNoOther) {
    publish(1, 5);
    ack(2);
    publish(2, 3);
    ack(1);
    publish(1, 0, 0);
    const Outbox::Purged purged = outbox_.purge(1, false);
    EXPECT_EQ(purged.messages, 2U);
    EXPECT_FALSE(purged.channel_close);
    EXPECT_EQ(rest(), (Lines{"2 basic.ack", "2 basic.publish", "2 header 3", "2 body 3"}));
}

TEST_F(OutboxTest, SaysThatAChannelCloseWasTakenOut) {
    append(method_frame(3, wire::channel::Close{}));
    EXPECT_FALSE(outbox_.purge(2, false).channel_close);
    EXPECT_TRUE(outbox_.purge(3, true).channel_close);
    EXPECT_TRUE(outbox_.empty());
}

// rule 30: what was begun has to be whole on the wire, as a frame, or as a message if it is to be
// followed by something
TEST_F(OutboxTest, KeepsTheRestOfWhatWasBegun) {
    const std::size_t head = head_size();
    struct Row {
        std::size_t taken;
        bool keep_begun;
        Lines left;
        std::uint64_t messages;
    };
    const Lines all{"1 basic.publish", "1 header 20", "1 body 10", "1 body 10"};
    const Row rows[] = {
        {0, true, {}, 2},
        {1, true, all, 1},
        {1, false, {"1 basic.publish"}, 2},
        {head, true, all, 1},
        {head, false, {"1 basic.publish", "1 header 20"}, 2},
        {head + 3, false, {"1 basic.publish", "1 header 20", "1 body 10"}, 2},
        {head + 18, true, all, 1},
        {head + 19, false, all, 1},  // its last frame will be whole: the message may arrive
        {head + 19, true, all, 1},
        {head + 36, true, all, 1},
        {head + 36, false, all, 1},
    };
    for (const bool lend : {false, true}) {
        lend_ = lend;
        for (const Row& row : rows) {
            wire_.clear();
            outbox_.clear();
            publish(1, 20, 2);
            publish(1, 1);
            take(row.taken);
            EXPECT_EQ(outbox_.purge(1, row.keep_begun).messages, row.messages) << row.taken;
            EXPECT_EQ(rest(), row.left) << row.taken << row.keep_begun;
            EXPECT_EQ(lender_.returned(), lender_.lent()) << row.taken;
        }
    }
}

// What is left of a held body that was cut is followed by a chunk of its own.
TEST_F(OutboxTest, GoesOnBehindABodyThatWasCut) {
    lend_ = true;
    publish(1, 400, 4);
    take(head_size() + 3);
    EXPECT_EQ(outbox_.purge(1, false).messages, 1U);
    ack(1);
    publish(2, 5);
    EXPECT_EQ(rest(), (Lines{"1 basic.publish", "1 header 400", "1 body 100", "1 basic.ack",
                             "2 basic.publish", "2 header 5", "2 body 5"}));
    EXPECT_EQ(lender_.returned(), lender_.lent());
}

TEST_F(OutboxTest, GivesALentBodyBackOnceItsLastOctetHasLeft) {
    lend_ = true;
    publish(1, 30, 3);
    ack(1);
    const std::size_t ack_size = method_frame(1, wire::basic::Ack{}).size();
    take(outbox_.size() - ack_size - 1);
    EXPECT_EQ(lender_.returned(), 0U);
    take(1);
    EXPECT_EQ(lender_.returned(), 1U);
    // Whether it is the last of all or not, and also when nothing of it leaves.
    publish(1, 5);
    take(outbox_.size());
    EXPECT_EQ(lender_.returned(), 2U);
    publish(1, 5);
    (void)outbox_.purge(1, false);
    EXPECT_EQ(lender_.returned(), 3U);
    publish(1, 5);
    outbox_.clear();
    EXPECT_EQ(lender_.returned(), 4U);
}

// A large content goes in frame by frame, so its beginning may have left altogether.
TEST_F(OutboxTest, KnowsAMessageWhoseBeginningIsGoneByItsBodies) {
    append(joined(method_frame(1, wire::basic::Publish{}), header_frame(1, 30)));
    take(outbox_.size());
    append(body_frame(1, std::string(10, 'x')));
    append(body_frame(1, std::string(20, 'x')));
    publish(1, 4);
    EXPECT_EQ(unsent(1), 2U);
    EXPECT_EQ(outbox_.purge(1, true).messages, 1U);
    (void)test::frame_lines(wire_);
    EXPECT_EQ(rest(), (Lines{"1 body 10", "1 body 20"}));
}

// What of it was begun stays; without the rest it will never be whole.
TEST_F(OutboxTest, KnowsThatSuchAMessageIsCut) {
    append(joined(method_frame(1, wire::basic::Publish{}), header_frame(1, 30)));
    take(outbox_.size());
    append(body_frame(1, std::string(10, 'x')));
    append(body_frame(1, std::string(20, 'x')));
    publish(1, 4);
    take(1);
    EXPECT_EQ(outbox_.purge(1, false).messages, 2U);
    (void)test::frame_lines(wire_);
    EXPECT_EQ(rest(), (Lines{"1 body 10"}));
}

TEST_F(OutboxTest, LetsTheProtocolHeaderStand) {
    append(test::copy_of(wire::protocol_header));
    publish(1, 5);
    ack(2);
    EXPECT_EQ(unsent(1), 1U);
    EXPECT_EQ(outbox_.purge(1, false).messages, 1U);
    EXPECT_EQ(rest(), (Lines{"AMQP", "2 basic.ack"}));
}

TEST_F(OutboxTest, TakesOutEveryChannelButZero) {
    publish(1, 5);
    append(method_frame(0, wire::connection::TuneOk{}));
    publish(3, 5);
    publish(3, 5);
    publish(9, 5);  // not among those asked for: goes all the same
    std::vector<std::uint64_t> messages(4);
    outbox_.purge_channels(messages);
    EXPECT_EQ(messages, (std::vector<std::uint64_t>{0, 1, 0, 2}));
    EXPECT_EQ(rest(), (Lines{"0 connection.tune-ok"}));
}

TEST_F(OutboxTest, IsUsableAfterClear) {
    publish(1, 70'000);
    outbox_.clear();
    EXPECT_TRUE(outbox_.empty());
    ack(1);
    EXPECT_EQ(rest(), (Lines{"1 basic.ack"}));
}

// rule 51, against a model: each channel's messages by the position of their last octet
TEST_F(OutboxTest, CountsAndTakesBackMessagesAsTheModelDoes) {
    std::mt19937 random(11);
    for (int round = 0; round < 300; ++round) {
        Lender lender;
        Outbox outbox;
        struct Message {
            std::uint16_t channel;
            std::size_t begin;
            std::size_t end;
        };
        std::vector<Message> messages;
        std::size_t put = 0;
        std::size_t taken = 0;
        const auto add = [&](const Octets& frame) {
            std::memcpy(outbox.append(frame.size()), frame.data(), frame.size());
            put += frame.size();
        };
        for (int step = 0; step < 40; ++step) {
            const auto channel = static_cast<std::uint16_t>(1 + random() % 3);
            if (random() % 4 == 0) {
                add(method_frame(channel, wire::basic::Ack{}));
            } else {
                const std::size_t begin = put;
                const std::size_t pieces = random() % 4;
                const std::size_t piece = 1 + random() % (random() % 8 == 0 ? 60'000 : 50);
                add(method_frame(channel, wire::basic::Publish{}));
                add(header_frame(channel, pieces * piece));
                if (pieces > 0 && random() % 2 == 0) {
                    const Ref<HeldBody> body = lender.lend(pieces * piece, 'y');
                    // All its frames at once, or one after the other.
                    const std::size_t part = random() % 2 == 0 ? pieces * piece : piece;
                    for (std::size_t from = 0; from < pieces * piece; from += part) {
                        const HeldFrames frames(body, from, part, piece, channel);
                        put += frames.size();
                        (void)outbox.append_held(0, frames);
                    }
                } else {
                    for (std::size_t i = 0; i < pieces; ++i)
                        add(body_frame(channel, std::string(piece, 'y')));
                }
                messages.push_back({channel, begin, put});
            }
            if (random() % 3 != 0) continue;
            std::array<Outbox::Segment, 1> segment;
            if (outbox.gather(segment, 1) == 0) continue;
            const std::size_t piece = random() % (segment[0].size + 1);
            outbox.consume(piece);
            taken += piece;
        }
        std::vector<std::uint64_t> expected(3);  // channel 3 is not asked for
        for (const Message& one : messages) {
            if (one.channel < 3 && one.end > taken) ++expected[one.channel];
        }
        std::vector<std::uint64_t> counts(3);
        outbox.count_unsent(counts);
        ASSERT_EQ(counts, expected) << "round " << round;

        // With what was begun kept, exactly the messages go of which nothing has left.
        std::uint64_t untouched = 0;
        for (const Message& one : messages) {
            if (one.channel == 1 && one.begin >= taken) ++untouched;
        }
        ASSERT_EQ(outbox.purge(1, true).messages, untouched) << "round " << round;
        // Nothing of the others is lost, and what remains is whole frames.
        std::vector<std::uint64_t> after(3);
        outbox.count_unsent(after);
        ASSERT_EQ(after[2], expected[2]);
        ASSERT_EQ(after[1], expected[1] - untouched);
        // All of it goes, as whole frames of which the first has begun, and so does what was lent.
        Octets left;
        while (!outbox.empty()) {
            std::array<Outbox::Segment, 1> segment;
            ASSERT_EQ(outbox.gather(segment, 1), 1U);
            left.insert(left.end(), segment[0].data, segment[0].data + segment[0].size);
            outbox.consume(segment[0].size);
        }
        ASSERT_EQ(lender.returned(), lender.lent()) << "round " << round;
        if (messages.empty() || left.size() < wire::frame_overhead) continue;
        ASSERT_EQ(left.back(), wire::frame_end);
    }
}

// What one connection has sent the next one fills.
TEST(OutboxChunks, GoBackWhenTheyAreEmpty) {
    const auto chunks = Ref<ChunkPool>::adopt(new ChunkPool);
    Outbox one(chunks);
    Outbox other(chunks);
    const std::size_t size = Outbox::small_chunk_capacity + 1;
    const std::byte* const first = one.append(size);
    one.consume(size - 1);
    EXPECT_NE(other.append(size), first);
    one.consume(1);
    EXPECT_EQ(other.append(Outbox::chunk_capacity), first);
    EXPECT_NE(one.append(1), nullptr);
}

}  // namespace
}  // namespace haigha::protocol
