// Tests of publishes that are kept for a channel's next incarnation: rules 50, 51, 52.
#include "protocol/kept_publishes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/return_stamp.h"
#include "support/machine_peer.h"
#include "wire/field_table.h"

namespace haigha::protocol {
namespace {

using test::Lines;
using test::MachinePeer;

struct Message {
    std::string key;
    std::string body;
    bool marked = false;
    bool operator==(const Message&) const = default;
};

// The messages that are whole in what the machine said; what is left is a part of one.
std::vector<Message> messages(test::Octets& wire) {
    std::vector<Message> all;
    Message message;
    std::uint64_t left = 0;
    std::size_t whole = 0;
    for (std::size_t at = 0;;) {
        const auto parsed = wire::parse_frame(std::span(wire).subspan(at), 0);
        if (parsed.status != wire::FrameParse::Status::complete) break;
        at += parsed.size;
        if (parsed.frame.type == wire::FrameType::method) {
            wire::basic::Publish method{};
            if (wire::read_method_id(parsed.frame.payload) == wire::basic::Publish::id &&
                wire::decode_method(parsed.frame.payload.subspan(wire::method_id_size), method)) {
                message = {std::string(method.routing_key.text), {}, false};
            } else {
                whole = at;
            }
            continue;
        }
        if (parsed.frame.type == wire::FrameType::header) {
            wire::ContentHeader header;
            wire::Properties properties;
            EXPECT_TRUE(wire::parse_content_header(parsed.frame.payload, header));
            EXPECT_TRUE(wire::parse_properties(header.properties, properties));
            left = header.body_size;
            wire::TableCursor fields(properties.headers.bytes);
            wire::Field field;
            while (fields.next(field) == wire::FieldStatus::field)
                message.marked |= field.name == republished_name && field.integer == 1;
        } else {
            message.body.append(reinterpret_cast<const char*>(parsed.frame.payload.data()),
                                parsed.frame.payload.size());
            left -= parsed.frame.payload.size();
        }
        if (left > 0) continue;
        all.push_back(message);
        whole = at;
    }
    wire.erase(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(whole));
    return all;
}

std::string numbers(const std::vector<Message>& messages) {
    std::string text;
    for (const Message& one : messages)
        text += (text.empty() ? "" : " ") + one.key + (one.marked ? "!" : "");
    return text;
}

// One channel of a user's, over its incarnations.
class KeptChannel {
  public:
    explicit KeptChannel(KeepSettings settings)
        : ring_(Ref<ConfirmRing>::adopt(new ConfirmRing)), limit_(settings.limit) {
        ring_->keep(std::make_unique<KeptPublishes>(*ring_, settings, returned_));
        come_back();
    }
    void come_back(std::uint32_t frame_max = 131072) {
        ConnectionParameters parameters = test::without_heartbeats();
        parameters.keeps_channels = true;
        peer_ = std::make_unique<MachinePeer>(parameters);
        peer_->now = now;
        peer_->handshake(test::tune_method(2047, frame_max));
        number_ = peer_->open_channel();
        peer_->machine.limit_in_flight(peer_->id(number_), limit_);
        peer_->confirming(number_);
        peer_->continue_publishes(number_, ring_);
        down_ = false;
    }
    void lose() {
        peer_->transport_fails();
        down_ = true;
    }
    // The routing key is the number that it ought to get.
    Status publish(std::string_view body, bool mandatory = false) {
        const std::string key = std::to_string(ring_->last() + 1);
        PublishRequest request;
        request.routing_key = key;
        request.mandatory = mandatory;
        request.body = std::as_bytes(std::span(body));
        return publish(request);
    }
    Status publish(const PublishRequest& request) {
        std::uint64_t sequence = 0;
        const std::uint64_t expected = ring_->last() + 1;
        Status status = Status::ok;
        if (!down_) {
            status = peer_->machine.publish_kept(peer_->id(number_), now, &sequence, request);
        } else if (ring_->kept()->is_full()) {
            ring_->kept()->refused = true;
            return Status::would_block;
        } else {
            status = ring_->kept()->take(
                request, now, [](const KeptPublish&) {}, &sequence);
        }
        EXPECT_EQ(sequence, status == Status::ok ? expected : 0);
        return status;
    }
    std::vector<Message> sent() {
        peer_->machine.pump(256 * 1024);
        return messages(peer_->wire);
    }
    std::vector<Message> send_all() {
        while (true) {
            peer_->machine.pump(256 * 1024);
            if (peer_->machine.outbox().empty()) break;
            peer_->take(peer_->machine.outbox().size());
        }
        return messages(peer_->wire);
    }
    void ack(std::uint64_t tag, bool multiple = false) {
        peer_->send(number_, wire::basic::Ack{tag, multiple});
    }
    MachinePeer& peer() { return *peer_; }
    std::uint16_t number() const { return number_; }
    ConfirmRing& ring() { return *ring_; }
    Lines told() { return peer_->told(); }
    // Nobody brings it back.
    Lines give_up() {
        std::vector<Settled> settled(1000);
        OutcomeCounts counts;
        Lines lines;
        for (std::size_t ranges = ring_->end(UINT64_MAX); ranges > 0; --ranges) {
            bool done = false;
            const std::size_t count = ring_->take(settled, &done, counts);
            for (std::size_t i = 0; i < count; ++i) {
                lines.push_back(
                    std::to_string(settled[i].sequence) +
                    (settled[i].outcome == Outcome::unknown ? "=unknown" : "=not_sent"));
            }
        }
        return lines;
    }
    Instant now{1'000'000'000};

  private:
    ReturnedBodies returned_;
    Ref<ConfirmRing> ring_;
    InFlightLimit limit_;
    std::unique_ptr<MachinePeer> peer_;
    std::uint16_t number_ = 0;
    bool down_ = false;
};

KeepSettings unsent() {
    return {};
}
KeepSettings again() {
    KeepSettings settings;
    settings.again = true;
    return settings;
}

TEST(KeptPublishes, AreNotTakenByWhatKeepsNothing) {
    KeptChannel channel(unsent());
    PublishRequest request;
    std::uint64_t sequence = 0;
    EXPECT_EQ(
        channel.peer().machine.publish(channel.peer().id(channel.number()), request, &sequence),
        Status::unsupported);
    const std::uint16_t plain = channel.peer().open_channel();
    EXPECT_EQ(channel.peer().machine.publish_kept(channel.peer().id(plain), channel.now, &sequence,
                                                  request),
              Status::unsupported);
}

TEST(KeptPublishes, WhatNeverLeftIsSentByTheNextIncarnation) {
    KeptChannel channel(unsent());
    for (int i = 1; i <= 3; ++i)
        ASSERT_EQ(channel.publish("m"), Status::ok);
    EXPECT_EQ(numbers(channel.send_all()), "1 2 3");
    channel.ack(2);
    EXPECT_EQ(channel.told(), Lines{"1 outcomes 2=confirmed"});
    ASSERT_EQ(channel.publish("m"), Status::ok);
    ASSERT_EQ(channel.publish("m"), Status::ok);
    channel.peer().take(10);  // a part of it
    channel.lose();
    EXPECT_EQ(channel.told(), (Lines{"1 outcomes 1=unknown 3=unknown", "1 lost: HAIGHA_ERR_IO",
                                     "closed: HAIGHA_ERR_IO"}));
    ASSERT_EQ(channel.publish("m"), Status::ok);
    channel.come_back();
    ASSERT_EQ(channel.publish("m"), Status::ok);
    EXPECT_EQ(numbers(channel.send_all()), "4 5 6 7");
    channel.ack(3, true);
    channel.ack(4);
    EXPECT_EQ(channel.told(),
              (Lines{"1 outcomes 4=confirmed 5=confirmed 6=confirmed", "1 outcomes 7=confirmed"}));
    EXPECT_EQ(channel.ring().kept()->size(), 0U);
}

TEST(KeptPublishes, WhatHasNoOutcomeIsSentAgainAndMarked) {
    KeptChannel channel(again());
    for (int i = 1; i <= 4; ++i)
        ASSERT_EQ(channel.publish("m"), Status::ok);
    EXPECT_EQ(numbers(channel.send_all()), "1 2 3 4");
    channel.ack(2);
    ASSERT_EQ(channel.publish("m"), Status::ok);
    (void)channel.told();
    channel.lose();
    EXPECT_EQ(channel.told(), (Lines{"1 lost: HAIGHA_ERR_IO", "closed: HAIGHA_ERR_IO"}));
    ASSERT_EQ(channel.publish("m"), Status::ok);
    channel.come_back();
    // Lost again when the second of them is on its way: what was on the wire once stays marked.
    channel.peer().take(channel.peer().machine.outbox().size() / 2);
    EXPECT_EQ(numbers(channel.sent()), "1! 3!");
    channel.lose();
    channel.come_back();
    ASSERT_EQ(channel.publish("m"), Status::ok);
    EXPECT_EQ(numbers(channel.send_all()), "1! 3! 4! 5 6 7");
    // The tags are of this incarnation, the numbers those that were told.
    channel.ack(2);
    channel.peer().send(channel.number(), wire::basic::Nack{4, true, false});
    channel.ack(6);
    channel.ack(0, true);
    EXPECT_EQ(channel.told(),
              (Lines{"1 outcomes 3=confirmed", "1 outcomes 1=nacked 4=nacked 5=nacked",
                     "1 outcomes 7=confirmed", "1 outcomes 6=confirmed"}));
    channel.ack(7);
    EXPECT_TRUE(channel.told().empty());
}

// rule 51, also where there is no next time.
TEST(KeptPublishes, EndAsUnknownOrNotSentWhenTheyAreGivenUp) {
    for (const bool resend : {false, true}) {
        KeptChannel channel(resend ? again() : unsent());
        ASSERT_EQ(channel.publish("m"), Status::ok);
        ASSERT_EQ(channel.publish("m"), Status::ok);
        (void)channel.send_all();
        ASSERT_EQ(channel.publish("m"), Status::ok);
        channel.lose();
        ASSERT_EQ(channel.publish("m"), Status::ok);
        EXPECT_EQ(channel.give_up(),
                  resend ? (Lines{"1=unknown", "2=unknown", "3=not_sent", "4=not_sent"})
                         : (Lines{"3=not_sent", "4=not_sent"}));
        EXPECT_EQ(channel.ring().kept()->size(), 0U);
    }
}

TEST(KeptPublishes, ACloseThatIsAskedForIsTheEndOfThem) {
    KeptChannel channel(again());
    ASSERT_EQ(channel.publish("m"), Status::ok);
    (void)channel.send_all();
    channel.lose();
    ASSERT_EQ(channel.publish("m"), Status::ok);
    channel.come_back();
    ASSERT_EQ(channel.peer().close_channel(channel.number(), 5), Status::ok);
    channel.peer().transport_fails();
    EXPECT_EQ(channel.told().front(), "1 outcomes 1=unknown");
    EXPECT_EQ(channel.ring().outstanding(), 0U);
}

// Otherwise the same message would end each incarnation.
TEST(KeptPublishes, APublishThatTheBrokerClosesOverIsNotSentAgain) {
    KeptChannel channel(again());
    channel.peer().machine.keep_when_closed(channel.peer().id(channel.number()), true);
    ASSERT_EQ(channel.publish("m"), Status::ok);
    ASSERT_EQ(channel.publish("m"), Status::ok);
    (void)channel.send_all();
    ASSERT_EQ(channel.publish("m"), Status::ok);
    wire::channel::Close close = test::channel_close(404, "NOT_FOUND - no exchange");
    close.class_id = 60;
    close.method_id = 40;
    channel.peer().send(channel.number(), close);
    EXPECT_EQ(channel.told(), (Lines{"1 outcomes 1=unknown 2=unknown",
                                     "1 lost: HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER 404"}));
    channel.come_back();
    EXPECT_EQ(numbers(channel.send_all()), "3");
}

TEST(KeptPublishes, ThoseThatAreTooOldEnd) {
    KeepSettings settings = again();
    settings.max_age = seconds(10);
    KeptChannel channel(settings);
    ASSERT_EQ(channel.publish("m"), Status::ok);
    (void)channel.send_all();
    ASSERT_EQ(channel.publish("m"), Status::ok);
    channel.lose();
    channel.now = channel.now + seconds(5);
    ASSERT_EQ(channel.publish("m"), Status::ok);
    channel.now = channel.now + seconds(5);
    channel.come_back();
    EXPECT_EQ(channel.told(), (Lines{"1 outcomes 1=unknown", "1 outcomes 2=not_sent"}));
    EXPECT_EQ(numbers(channel.send_all()), "3");
    channel.ack(1);
    EXPECT_EQ(channel.told(), Lines{"1 outcomes 3=confirmed"});
}

// They are encoded again: in frames of this connection's size.
TEST(KeptPublishes, BodiesOfEverySizeFitTheNextConnectionsFrames) {
    KeptChannel channel(again());
    std::vector<std::string> bodies;
    for (const std::size_t size : {0, 1, 4088, 4089, 16383, 16384, 262144, 262145, 600000})
        bodies.emplace_back(size, static_cast<char>('a' + bodies.size()));
    for (const std::string& body : bodies)
        ASSERT_EQ(channel.publish(body), Status::ok);
    EXPECT_EQ(channel.send_all().size(), bodies.size());
    channel.lose();
    channel.come_back(4096);
    const std::vector<Message> sent = channel.send_all();
    ASSERT_EQ(sent.size(), bodies.size());
    for (std::size_t i = 0; i < bodies.size(); ++i)
        EXPECT_EQ(sent[i], (Message{std::to_string(i + 1), bodies[i], true})) << i;
}

TEST(KeptPublishes, HeadersThatDoNotFitTheNextConnectionsFramesEnd) {
    KeptChannel channel(again());
    wire::FieldTable table;
    ASSERT_EQ(table.add_string("long", std::string(5000, 'x')), wire::FieldError::none);
    wire::Properties properties;
    properties.present = wire::property_headers;
    properties.headers = {table.contents()};
    PublishRequest request;
    request.properties = &properties;
    ASSERT_EQ(channel.publish(request), Status::ok);
    ASSERT_EQ(channel.publish("m"), Status::ok);
    channel.lose();
    channel.come_back(4096);
    EXPECT_EQ(channel.told(), Lines{"1 outcomes 1=not_sent"});
    EXPECT_EQ(channel.publish(request), Status::argument);
    EXPECT_EQ(numbers(channel.send_all()), "2");
}

// rule 73: the same limit while there is no connection.
TEST(KeptPublishes, NoMoreAreKeptThanMayBeInFlight) {
    for (const InFlightLimit& limit : {InFlightLimit{4, 0}, InFlightLimit{0, 400}}) {
        KeepSettings settings = again();
        settings.limit = limit;
        KeptChannel channel(settings);
        const std::string body(100, 'b');
        ASSERT_EQ(channel.publish(body), Status::ok);
        (void)channel.send_all();
        channel.lose();
        for (int i = 0; i < 3; ++i)
            ASSERT_EQ(channel.publish(body), Status::ok);
        EXPECT_EQ(channel.publish(body), Status::would_block);
        channel.come_back();
        EXPECT_TRUE(channel.told().empty());
        EXPECT_EQ(channel.publish(body), Status::would_block);
        (void)channel.send_all();
        channel.ack(2, true);
        EXPECT_EQ(channel.told(),
                  (Lines{"1 outcomes 1=confirmed 2=confirmed", "1 writable", "writable"}));
        EXPECT_EQ(channel.publish(body), Status::ok);
    }
}

TEST(KeptPublishes, WhoeverWasRefusedIsToldWhenTheChannelIsBack) {
    KeptChannel channel(unsent());
    channel.peer().send(0, wire::connection::Blocked{{"low"}});
    EXPECT_EQ(channel.publish("m"), Status::would_block);
    channel.lose();
    channel.come_back();
    EXPECT_EQ(channel.told(), (Lines{"1 writable", "writable"}));
}

// A body that is lent is lent until its outcome.
TEST(KeptPublishes, GiveALentBodyBackOnce) {
    const std::string body(20000, 'l');
    int released = 0;
    PublishRequest request;
    request.routing_key = "k";
    request.body = std::as_bytes(std::span(body));
    request.release = [](void* data) { ++*static_cast<int*>(data); };
    request.release_data = &released;
    ReturnedBodies returned;
    const Ref<ConfirmRing> ring = Ref<ConfirmRing>::adopt(new ConfirmRing);
    ring->keep(std::make_unique<KeptPublishes>(*ring, again(), returned));
    ring->kept()->frame_max = 131072;
    std::uint64_t sequence = 0;
    ASSERT_EQ(ring->kept()->take(
                  request, Instant{}, [](const KeptPublish&) {}, &sequence),
              Status::ok);
    ASSERT_EQ(ring->kept()->take(
                  request, Instant{}, [](const KeptPublish&) {}, &sequence),
              Status::ok);
    EXPECT_EQ(ring->restart([](std::uint64_t, bool) { return true; }), 0U);
    ASSERT_TRUE(ring->settle(1, false, Outcome::confirmed));
    std::vector<Settled> settled(4);
    OutcomeCounts counts;
    bool done = false;
    EXPECT_EQ(ring->take(settled, &done, counts), 1U);
    EXPECT_EQ(released, 0);  // not where a lock may be held
    { const ReturnedBodies gone = std::move(returned); }
    EXPECT_EQ(released, 1);
    EXPECT_EQ(ring->end(UINT64_MAX), 1U);
    EXPECT_EQ(ring->take(settled, &done, counts), 1U);
    { const ReturnedBodies gone = std::move(returned); }
    EXPECT_EQ(released, 2);
    // One that is refused is not.
    EXPECT_THROW(
        (void)ring->kept()->take(
            request, Instant{}, [](const KeptPublish&) { throw std::bad_alloc(); }, &sequence),
        std::bad_alloc);
    { const ReturnedBodies gone = std::move(returned); }
    EXPECT_EQ(released, 2);
    EXPECT_EQ(ring->outstanding(), 0U);
    EXPECT_EQ(ring->kept()->size(), 0U);
}

// rules 66, 67
TEST(KeptPublishes, ReturnsAreThoseOfTheNumbers) {
    for (const bool stamped : {false, true}) {
        KeepSettings settings = again();
        settings.stamps = stamped;
        KeptChannel channel(settings);
        for (int i = 1; i <= 4; ++i)
            ASSERT_EQ(channel.publish("m" + std::to_string(i), true), Status::ok);
        (void)channel.send_all();
        channel.ack(1);
        if (stamped) channel.peer().machine.correlate_returns(channel.peer().id(channel.number()));
        const auto returns = [&](const std::string& number) {
            wire::basic::Return method{};
            method.reply_code = 312;
            method.reply_text = {"NO_ROUTE"};
            method.routing_key = {number};
            const std::string body = "m" + number;
            if (!stamped) {
                channel.peer().feed(test::content(channel.number(), method, body));
                return;
            }
            const Stamped stamp_of =
                stamp(wire::Properties{}, static_cast<std::uint64_t>(std::atoi(number.c_str())));
            const std::size_t size = wire::properties_size(stamp_of.properties);
            test::Octets header(wire::content_header_frame_size(size));
            std::byte* at =
                wire::write_content_header(header.data(), channel.number(), 60, body.size(), size);
            wire::write_frame_end(wire::write_properties(stamp_of.properties, at));
            channel.peer().feed(
                test::joined(test::joined(test::method_frame(channel.number(), method), header),
                             test::body_frame(channel.number(), body)));
        };
        returns("2");
        channel.told();
        channel.lose();
        // What was returned has its outcome.
        EXPECT_EQ(channel.told(), (Lines{"1 outcomes 2=returned", "1 lost: HAIGHA_ERR_IO",
                                         "closed: HAIGHA_ERR_IO"}));
        channel.come_back();
        if (stamped) channel.peer().machine.correlate_returns(channel.peer().id(channel.number()));
        EXPECT_EQ(numbers(channel.send_all()), "3! 4!");
        returns("4");
        channel.ack(2, true);
        EXPECT_EQ(channel.told(),
                  (Lines{"1 returned 'm4': HAIGHA_OK 312", "1 outcomes 3=confirmed 4=returned"}));
    }
}

// Everything at random: each has one outcome, order holds, and nothing is sent again but what may
// be with the broker, and is marked.
TEST(KeptPublishes, AgreeWithAModel) {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        const auto below = [&](unsigned limit) { return random() % limit; };
        const bool resend = seed % 2 == 0;
        KeptChannel channel(resend ? again() : unsent());
        std::map<std::uint64_t, std::string> outcomes;
        std::map<std::uint64_t, int> whole;  // how often it left whole
        std::vector<std::uint64_t> on_wire;  // of this incarnation, by tag
        std::uint64_t last = 0;
        const auto note = [&](const Lines& lines) {
            for (const std::string& line : lines) {
                std::istringstream words(line);
                std::string word;
                words >> word >> word;
                if (word != "outcomes") continue;
                while (words >> word) {
                    const std::uint64_t number = std::stoull(word);
                    EXPECT_TRUE(outcomes.emplace(number, word.substr(word.find('=') + 1)).second)
                        << number << " ends twice";
                }
            }
        };
        const auto note_sent = [&](const std::vector<Message>& sent) {
            for (const Message& one : sent) {
                const std::uint64_t number = std::stoull(one.key);
                EXPECT_GT(number, on_wire.empty() ? 0 : on_wire.back());
                on_wire.push_back(number);
                EXPECT_EQ(one.marked, whole[number] > 0) << number;
                ++whole[number];
                EXPECT_TRUE(resend || whole[number] == 1) << number << " is sent twice";
                EXPECT_EQ(one.body,
                          std::string(one.body.size(), static_cast<char>('a' + number % 26)));
            }
        };
        const auto publish = [&] {
            static constexpr unsigned sizes[] = {1, 100, 5000, 20000, 300000};
            const std::string body(below(sizes[below(5)]) + 1,
                                   static_cast<char>('a' + (last + 1) % 26));
            if (channel.publish(body) == Status::ok) ++last;
        };
        for (int incarnation = 0; incarnation < 6; ++incarnation) {
            for (unsigned step = below(40); step > 0; --step) {
                switch (below(4)) {
                    case 0:
                    case 1:
                        publish();
                        break;
                    case 2:
                        channel.peer().machine.pump(256 * 1024);
                        if (const std::size_t size = channel.peer().machine.outbox().size();
                            size > 0)
                            channel.peer().take(below(static_cast<unsigned>(size)) + 1);
                        note_sent(channel.sent());
                        break;
                    case 3:
                        if (on_wire.empty()) break;
                        channel.ack(below(static_cast<unsigned>(on_wire.size())) + 1,
                                    below(3) == 0);
                        break;
                }
                note(channel.told());
            }
            if (incarnation == 5) break;
            channel.lose();
            note(channel.told());
            for (std::uint64_t number = 1; number <= last; ++number) {
                const bool ends = outcomes.contains(number);
                EXPECT_TRUE(resend || ends == (whole[number] > 0)) << number;
            }
            for (unsigned more = below(5); more > 0; --more)
                publish();
            on_wire.clear();
            channel.come_back(below(2) == 0 ? 4096 : 131072);
            note(channel.told());
        }
        note_sent(channel.send_all());
        channel.ack(0, true);
        note(channel.told());
        EXPECT_EQ(outcomes.size(), last);
        for (const auto& [number, outcome] : outcomes)
            EXPECT_EQ(outcome == "confirmed" || !resend, true) << number << " " << outcome;
        EXPECT_EQ(channel.ring().kept()->size(), 0U);
    }
}

}  // namespace
}  // namespace haigha::protocol
