// The typed arguments on a real broker: what is refused here the broker refuses too, or takes and
// does not do; what is taken here it takes.
#include <gtest/gtest.h>
#include <haigha/queue_arguments.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/api_fixture.h"
#include "support/broker_release.h"

namespace haigha::test {
namespace {

constexpr std::uint64_t ten_years_ms = 315'360'000'000;

// How a queue is asked for: by type, and by what that stands for, unchecked.
struct Wanted {
    std::string what;
    haigha_queue_arguments typed = HAIGHA_QUEUE_ARGUMENTS_INIT;
    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    std::vector<std::pair<std::string, std::string>> texts{};
    std::vector<std::pair<std::string, std::int64_t>> numbers{};
    std::vector<std::string> truths{};
};

const char* name_of(std::uint8_t kind) {
    constexpr const char* names[] = {"", "classic", "quorum", "stream"};
    return names[kind];
}

// A queue of a kind, and one more thing.
Wanted wanted(std::uint8_t kind, const std::string& what) {
    Wanted one;
    one.what = std::string(name_of(kind)) + " " + what;
    one.typed.kind = kind;
    one.declare.durable = 1;
    if (kind != HAIGHA_QUEUE_KIND_DEFAULT) one.texts.emplace_back("x-queue-type", name_of(kind));
    return one;
}

// Each argument that has a value of its own, as its setter and as what the table says.
struct Argument {
    const char* name;
    std::vector<std::uint8_t> kinds;  // that take it
    void (*set)(haigha_queue_arguments&);
    std::int64_t number;  // or else:
    const char* text;
    std::vector<std::pair<std::string, std::string>> with{};  // what it needs besides
};

const std::vector<std::uint8_t> only_classic{HAIGHA_QUEUE_CLASSIC};
const std::vector<std::uint8_t> only_quorum{HAIGHA_QUEUE_QUORUM};
const std::vector<std::uint8_t> only_stream{HAIGHA_QUEUE_STREAM};
const std::vector<std::uint8_t> not_stream{HAIGHA_QUEUE_CLASSIC, HAIGHA_QUEUE_QUORUM};
const std::vector<std::uint8_t> all{HAIGHA_QUEUE_CLASSIC, HAIGHA_QUEUE_QUORUM, HAIGHA_QUEUE_STREAM};

const std::vector<Argument>& known_arguments() {
    using Args = haigha_queue_arguments;
    static const std::vector<Argument> known{
        {"x-max-priority", only_classic, [](Args& a) { a.max_priority = 5; }, 5, nullptr},
        {"x-max-priority", only_classic, [](Args& a) { a.max_priority = 255; }, 255, nullptr},
        {"x-queue-mode", only_classic, [](Args& a) { a.lazy = 1; }, 0, "lazy"},
        {"x-dead-letter-exchange", not_stream,
         [](Args& a) { a.dead_letter_exchange = haigha_text("dead"); }, 0, "dead"},
        {"x-dead-letter-exchange", not_stream,
         [](Args& a) { a.present = HAIGHA_QUEUE_HAS_DEAD_LETTER_EXCHANGE; }, 0, ""},
        {"x-dead-letter-routing-key",
         not_stream,
         [](Args& a) {
             a.dead_letter_exchange = haigha_text("dead");
             a.dead_letter_routing_key = haigha_text("key");
         },
         0,
         "key",
         {{"x-dead-letter-exchange", "dead"}}},
        {"x-dead-letter-strategy", only_quorum,
         [](Args& a) { a.dead_letter_strategy = HAIGHA_DEAD_LETTER_AT_MOST_ONCE; }, 0,
         "at-most-once"},
        {"x-message-ttl", not_stream, [](Args& a) { a.message_ttl_ms = 1000; }, 1000, nullptr},
        {"x-message-ttl", not_stream, [](Args& a) { a.present = HAIGHA_QUEUE_HAS_MESSAGE_TTL; }, 0,
         nullptr},
        {"x-message-ttl", not_stream, [](Args& a) { a.message_ttl_ms = ten_years_ms; },
         ten_years_ms, nullptr},
        {"x-expires", not_stream, [](Args& a) { a.expires_ms = ten_years_ms; }, ten_years_ms,
         nullptr},
        {"x-max-length", not_stream, [](Args& a) { a.max_length = 10; }, 10, nullptr},
        {"x-max-length", not_stream, [](Args& a) { a.present = HAIGHA_QUEUE_HAS_MAX_LENGTH; }, 0,
         nullptr},
        {"x-max-length-bytes", all, [](Args& a) { a.max_length_bytes = std::uint64_t{1} << 40; },
         std::int64_t{1} << 40, nullptr},
        {"x-overflow", not_stream, [](Args& a) { a.overflow = HAIGHA_OVERFLOW_DROP_HEAD; }, 0,
         "drop-head"},
        {"x-overflow", not_stream, [](Args& a) { a.overflow = HAIGHA_OVERFLOW_REJECT_PUBLISH; }, 0,
         "reject-publish"},
        {"x-delivery-limit", only_quorum, [](Args& a) { a.delivery_limit = 5; }, 5, nullptr},
        {"x-delivery-limit", only_quorum,
         [](Args& a) { a.present = HAIGHA_QUEUE_HAS_DELIVERY_LIMIT; }, 0, nullptr},
        {"x-quorum-initial-group-size", only_quorum,
         [](Args& a) { a.quorum_initial_group_size = 3; }, 3, nullptr},
        {"x-max-age", only_stream, [](Args& a) { a.stream_max_age = haigha_text("7D"); }, 0, "7D"},
        {"x-stream-max-segment-size-bytes", only_stream,
         [](Args& a) { a.stream_max_segment_bytes = 3'000'000'000; }, 3'000'000'000, nullptr},
    };
    return known;
}

Wanted wanted(std::uint8_t kind, const Argument& argument) {
    Wanted one = wanted(kind, argument.name);
    argument.set(one.typed);
    for (const auto& more : argument.with)
        one.texts.push_back(more);
    if (argument.text != nullptr) {
        one.texts.emplace_back(argument.name, argument.text);
    } else {
        one.numbers.emplace_back(argument.name, argument.number);
    }
    return one;
}

class TypedArgumentsBroker : public ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        if (!IsSkipped()) connection_ = connect();
    }
    void TearDown() override {
        connection_.reset();
        ApiTest::TearDown();
    }

    TableHandle table() {
        TableHandle made;
        EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(made), error_)) << error_;
        return made;
    }
    haigha_status check(const Wanted& one, haigha_table* into) {
        return haigha_queue_arguments_add(&one.typed, &one.declare, connection_.get(), into,
                                          error_);
    }
    // Declares it, on a channel of its own, and deletes it: 0, or the broker's code.
    int declare(const Wanted& one, const haigha_table* arguments) {
        const ChannelHandle channel = open_channel(connection_.get());
        const std::string name = unique_name("typed");
        haigha_queue_declare_args args = one.declare;
        args.queue = str(name);
        args.arguments = arguments;
        if (haigha_queue_declare_wait(channel.get(), &args, -1, nullptr, error_) != HAIGHA_OK) {
            const int code = error_.code();
            if (code >= 500) connection_ = connect();
            return code;
        }
        delete_queue(channel.get(), name);
        return 0;
    }
    // As it is written by hand.
    int declare_unchecked(const Wanted& one) {
        const TableHandle arguments = table();
        for (const auto& [name, value] : one.texts) {
            haigha_table_add_string(arguments.get(), str(name), str(value), nullptr);
        }
        for (const auto& [name, value] : one.numbers) {
            haigha_table_add_int(arguments.get(), str(name), value, nullptr);
        }
        for (const std::string& name : one.truths) {
            haigha_table_add_bool(arguments.get(), str(name), 1, nullptr);
        }
        return declare(one, arguments.get());
    }
    void expect_taken(const Wanted& one) {
        const TableHandle arguments = table();
        EXPECT_EQ(HAIGHA_OK, check(one, arguments.get())) << one.what << ": " << error_;
        EXPECT_EQ(0, declare(one, arguments.get())) << one.what << ": " << error_;
        EXPECT_EQ(0, declare_unchecked(one)) << one.what << ": " << error_;
    }
    // By both, for the argument that the sentence names.
    void expect_refused(const Wanted& one, const std::string& name) {
        const TableHandle arguments = table();
        EXPECT_EQ(HAIGHA_ERR_ARGUMENT, check(one, arguments.get())) << one.what;
        EXPECT_TRUE(error_.message().starts_with(name)) << one.what << ": " << error_;
        const int code = declare_unchecked(one);
        // 541: RabbitMQ 3.10 fails on an age without a number.
        EXPECT_TRUE(code == 406 || code == 541) << one.what << ": " << code;
    }

    ConnectionHandle connection_;
};

// Each argument, of each kind of queue.
TEST_F(TypedArgumentsBroker, EachIsTakenByBothOrRefusedByBoth) {
    for (const std::uint8_t kind : all)
        expect_taken(wanted(kind, "alone"));
    for (const Argument& argument : known_arguments()) {
        for (const std::uint8_t kind : all) {
            const bool takes = std::find(argument.kinds.begin(), argument.kinds.end(), kind) !=
                               argument.kinds.end();
            const Wanted one = wanted(kind, argument);
            if (takes) {
                expect_taken(one);
            } else {
                // Of a stream with a dead-letter routing key the exchange is refused first.
                expect_refused(one, argument.with.empty() ? argument.name : "x-dead-letter-");
            }
        }
    }
}

TEST_F(TypedArgumentsBroker, ASingleActiveConsumerIsNotForStreams) {
    for (const std::uint8_t kind : all) {
        Wanted one = wanted(kind, "a single active consumer");
        one.typed.single_active_consumer = 1;
        one.truths.emplace_back("x-single-active-consumer");
        if (kind == HAIGHA_QUEUE_STREAM) {
            expect_refused(one, "x-single-active-consumer");
        } else {
            expect_taken(one);
        }
    }
}

TEST_F(TypedArgumentsBroker, HowAQueueIsDeclaredHasToSuitItsKind) {
    for (const std::uint8_t kind : all) {
        Wanted transient = wanted(kind, "not durable");
        transient.declare.durable = 0;
        Wanted exclusive = wanted(kind, "exclusive");
        exclusive.declare.exclusive = 1;
        Wanted passing = wanted(kind, "auto-delete");
        passing.declare.auto_delete = 1;
        if (kind == HAIGHA_QUEUE_CLASSIC) {
            exclusive.declare.durable = 0;  // 4.3 permits no other
            for (const Wanted& one : {exclusive, passing})
                expect_taken(one);
            continue;
        }
        expect_refused(transient, "durable is 0");
        expect_refused(exclusive, "exclusive");
        expect_refused(passing, "auto_delete");
    }
}

TEST_F(TypedArgumentsBroker, ValuesThatNoBrokerTakes) {
    const auto number = [](std::uint8_t kind, const char* name, std::int64_t value) {
        Wanted one = wanted(kind, name);
        one.numbers.emplace_back(name, value);
        return one;
    };
    for (const std::uint8_t kind : not_stream) {
        Wanted ttl = number(kind, "x-message-ttl", ten_years_ms + 1);
        ttl.typed.message_ttl_ms = ten_years_ms + 1;
        expect_refused(ttl, "x-message-ttl");
        Wanted expires = number(kind, "x-expires", ten_years_ms + 1);
        expires.typed.expires_ms = ten_years_ms + 1;
        expect_refused(expires, "x-expires");
        Wanted key = wanted(kind, "a key alone");
        key.typed.dead_letter_routing_key = haigha_text("key");
        key.texts.emplace_back("x-dead-letter-routing-key", "key");
        expect_refused(key, "x-dead-letter-routing-key");
    }
    Wanted segment = number(HAIGHA_QUEUE_STREAM, "x-stream-max-segment-size-bytes", 3'000'000'001);
    segment.typed.stream_max_segment_bytes = 3'000'000'001;
    expect_refused(segment, "x-stream-max-segment-size-bytes");
    for (const char* const age : {"0s", "7", "7X", "D"}) {
        Wanted stream = wanted(HAIGHA_QUEUE_STREAM, age);
        stream.typed.stream_max_age = haigha_text(age);
        stream.texts.emplace_back("x-max-age", age);
        expect_refused(stream, "x-max-age");
    }
    for (const char* const age : {"1Y", "2M", "3D", "4h", "5m", "6s"}) {
        Wanted stream = wanted(HAIGHA_QUEUE_STREAM, age);
        stream.typed.stream_max_age = haigha_text(age);
        stream.texts.emplace_back("x-max-age", age);
        expect_taken(stream);
    }
}

// Together, as they are meant to be used.
TEST_F(TypedArgumentsBroker, AllThatGoTogetherAreTakenTogether) {
    Wanted quorum = wanted(HAIGHA_QUEUE_QUORUM, "with everything");
    quorum.typed.dead_letter_exchange = haigha_text("dead");
    quorum.typed.dead_letter_routing_key = haigha_text("key");
    quorum.typed.dead_letter_strategy = HAIGHA_DEAD_LETTER_AT_LEAST_ONCE;
    quorum.typed.overflow = HAIGHA_OVERFLOW_REJECT_PUBLISH;
    quorum.typed.delivery_limit = 3;
    quorum.typed.single_active_consumer = 1;
    quorum.typed.message_ttl_ms = 60'000;
    quorum.typed.max_length = 1000;
    expect_taken(quorum);
    Wanted classic = wanted(HAIGHA_QUEUE_CLASSIC, "with everything");
    classic.typed.max_priority = 4;
    classic.typed.single_active_consumer = 1;
    classic.typed.overflow = HAIGHA_OVERFLOW_REJECT_PUBLISH_DLX;
    classic.typed.present = HAIGHA_QUEUE_HAS_DEAD_LETTER_EXCHANGE;
    classic.typed.dead_letter_routing_key = haigha_text("dead");
    classic.typed.expires_ms = 60'000;
    expect_taken(classic);
}

// What the broker takes and does not do: a publisher whose message is dropped is told that it is
// confirmed.
TEST_F(TypedArgumentsBroker, AQuorumQueueTakesRejectPublishDlxAndDropsTheHead) {
    Wanted one = wanted(HAIGHA_QUEUE_QUORUM, "reject-publish-dlx");
    one.typed.overflow = HAIGHA_OVERFLOW_REJECT_PUBLISH_DLX;
    one.texts.emplace_back("x-overflow", "reject-publish-dlx");
    const TableHandle refused = table();
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, check(one, refused.get()));
    EXPECT_TRUE(error_.message().starts_with("x-overflow is reject-publish-dlx")) << error_;
    EXPECT_EQ(0, declare_unchecked(one)) << error_;

    const TableHandle arguments = table();
    haigha_table_add_string(arguments.get(), str("x-queue-type"), str("quorum"), nullptr);
    haigha_table_add_string(arguments.get(), str("x-overflow"), str("reject-publish-dlx"), nullptr);
    haigha_table_add_int(arguments.get(), str("x-max-length"), 1, nullptr);
    const ChannelHandle channel = open_channel(connection_.get(), nullptr, true);
    const std::string queue = unique_name("overflow");
    haigha_queue_declare_args declare = one.declare;
    declare.queue = str(queue);
    declare.arguments = arguments.get();
    ASSERT_EQ(HAIGHA_OK, haigha_queue_declare_wait(channel.get(), &declare, -1, nullptr, error_))
        << error_;
    haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
    publish.routing_key = str(queue);
    for (int sent = 0; sent < 5; ++sent) {
        ReplyHandle reply;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_publish_wait(channel.get(), &publish, str("x"), -1, out(reply), error_))
            << error_;
        EXPECT_EQ(HAIGHA_OUTCOME_CONFIRMED, haigha_reply_outcome(reply.get()));
    }
    EXPECT_TRUE(wait_messages(channel.get(), queue, 1));
    delete_queue(channel.get(), queue);
}

TEST_F(TypedArgumentsBroker, AtLeastOnceIsTakenWithoutRejectPublishAndRefusedHere) {
    Wanted one = wanted(HAIGHA_QUEUE_QUORUM, "at-least-once");
    one.typed.dead_letter_exchange = haigha_text("dead");
    one.typed.dead_letter_strategy = HAIGHA_DEAD_LETTER_AT_LEAST_ONCE;
    one.texts.emplace_back("x-dead-letter-exchange", "dead");
    one.texts.emplace_back("x-dead-letter-strategy", "at-least-once");
    const TableHandle refused = table();
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, check(one, refused.get()));
    EXPECT_TRUE(error_.message().starts_with("x-dead-letter-strategy is at-least-once"));
    EXPECT_EQ(0, declare_unchecked(one)) << error_;
}

// A limit that every message is over until 4.0: it is gone when it is first returned.
TEST_F(TypedArgumentsBroker, NoDeliveryLimitIsRefusedWhereItIsNotKnown) {
    Wanted one = wanted(HAIGHA_QUEUE_QUORUM, "without a limit");
    one.typed.delivery_limit = HAIGHA_DELIVERY_UNLIMITED;
    one.numbers.emplace_back("x-delivery-limit", -1);
    const bool known = BrokerRelease(connection_.get()).knows_no_delivery_limit();
    const TableHandle arguments = table();
    EXPECT_EQ(known ? HAIGHA_OK : HAIGHA_ERR_ARGUMENT, check(one, arguments.get())) << error_;
    EXPECT_EQ(0, declare_unchecked(one)) << error_;
    const TableHandle unasked = table();
    EXPECT_EQ(HAIGHA_OK,
              haigha_queue_arguments_add(&one.typed, nullptr, nullptr, unasked.get(), error_))
        << "without a connection the version is not known: " << error_;
}

// ---- consumers

struct Consuming {
    std::string what;
    std::uint8_t queue;  // its kind
    haigha_consumer_arguments typed = HAIGHA_CONSUMER_ARGUMENTS_INIT;
    bool no_ack = false;
    // Unchecked; type 0: none.
    haigha_field field{};
    int refused = 0;  // the broker's code
};

class TypedConsumers : public TypedArgumentsBroker {
  protected:
    void SetUp() override {
        TypedArgumentsBroker::SetUp();
        if (IsSkipped()) return;
        channel_ = open_channel(connection_.get());
        for (const std::uint8_t kind : all) {
            const Wanted one = wanted(kind, "to consume from");
            const TableHandle arguments = table();
            ASSERT_EQ(HAIGHA_OK, check(one, arguments.get())) << error_;
            names_[kind] = unique_name(name_of(kind));
            haigha_queue_declare_args args = one.declare;
            args.queue = str(names_[kind]);
            args.arguments = arguments.get();
            ASSERT_EQ(HAIGHA_OK,
                      haigha_queue_declare_wait(channel_.get(), &args, -1, nullptr, error_))
                << error_;
        }
    }
    void TearDown() override {
        for (const std::uint8_t kind : all) {
            if (!names_[kind].empty()) delete_queue(channel_.get(), names_[kind]);
        }
        channel_.reset();
        TypedArgumentsBroker::TearDown();
    }

    // 0, or the broker's code.
    int consume_with(const Consuming& one, const haigha_table* arguments) {
        EventLog log;
        const ChannelHandle channel = open_channel(connection_.get());
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(names_[one.queue]);
        args.no_ack = one.no_ack ? 1 : 0;
        args.arguments = arguments;
        args.deliveries = log.then();
        // Streams want one, also where there are no acks.
        haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
        qos.prefetch_count = 10;
        EXPECT_EQ(HAIGHA_OK, haigha_qos_wait(channel.get(), &qos, -1, nullptr, error_)) << error_;
        const haigha_status status = haigha_consume_wait(channel.get(), &args, -1, nullptr, error_);
        const int code = status == HAIGHA_OK ? 0 : error_.code();
        haigha_channel_close_wait(channel.get(), -1, nullptr);
        if (code >= 500) connection_ = connect(), channel_ = open_channel(connection_.get());
        return code;
    }

    ChannelHandle channel_;
    std::string names_[4];
};

TEST_F(TypedConsumers, EachIsTakenByBothOrRefusedByBoth) {
    const auto text = [](const char* value) {
        haigha_field field{};
        field.name = haigha_text("x-stream-offset");
        field.type = HAIGHA_FIELD_STRING;
        field.bytes = haigha_text(value);
        return field;
    };
    const auto number = [](const char* name, std::uint32_t type, std::int64_t value) {
        haigha_field field{};
        field.name = haigha_text(name);
        field.type = type;
        field.integer = value;
        return field;
    };
    std::vector<Consuming> all_of_them;
    const auto add = [&](const char* what, std::uint8_t queue, int refused,
                         const std::function<void(Consuming&)>& set) {
        Consuming one{.what = what, .queue = queue, .refused = refused};
        one.typed.kind = queue;
        set(one);
        all_of_them.push_back(one);
    };
    for (const std::uint8_t kind : all) {
        add("a priority", kind, kind == HAIGHA_QUEUE_STREAM ? 406 : 0, [&](Consuming& one) {
            one.typed.priority = -5;
            one.field = number("x-priority", HAIGHA_FIELD_INT32, -5);
        });
        add("from the first", kind, kind == HAIGHA_QUEUE_STREAM ? 0 : 406, [&](Consuming& one) {
            one.typed.stream_from = HAIGHA_STREAM_OFFSET_FIRST;
            one.field = text("first");
        });
        add("without acks", kind, kind == HAIGHA_QUEUE_STREAM ? 540 : 0,
            [&](Consuming& one) { one.no_ack = true; });
    }
    const auto stream = HAIGHA_QUEUE_STREAM;
    add("from the last", stream, 0, [&](Consuming& one) {
        one.typed.stream_from = HAIGHA_STREAM_OFFSET_LAST;
        one.field = text("last");
    });
    add("from the next", stream, 0, [&](Consuming& one) {
        one.typed.stream_from = HAIGHA_STREAM_OFFSET_NEXT;
        one.field = text("next");
    });
    add("from a number", stream, 0, [&](Consuming& one) {
        one.typed.stream_from = HAIGHA_STREAM_OFFSET_NUMBER;
        one.typed.stream_offset = std::numeric_limits<std::int64_t>::max();
        one.field =
            number("x-stream-offset", HAIGHA_FIELD_INT64, std::numeric_limits<std::int64_t>::max());
    });
    add("from a time", stream, 0, [&](Consuming& one) {
        one.typed.stream_from = HAIGHA_STREAM_OFFSET_TIMESTAMP;
        one.typed.stream_offset = 1'700'000'000;
        one.field = number("x-stream-offset", HAIGHA_FIELD_TIMESTAMP, 1'700'000'000);
    });
    for (const char* const interval : {"1h", "7D", "0s", "7", "7X"}) {
        const bool right = interval == std::string("1h") || interval == std::string("7D");
        add(interval, stream, right ? 0 : 406, [&](Consuming& one) {
            one.typed.stream_from = HAIGHA_STREAM_OFFSET_INTERVAL;
            one.typed.stream_interval = haigha_text(interval);
            one.field = text(interval);
        });
    }
    for (const Consuming& one : all_of_them) {
        const std::string what = std::string(name_of(one.queue)) + " " + one.what;
        haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
        consume.no_ack = one.no_ack ? 1 : 0;
        const TableHandle typed = table();
        const haigha_status status =
            haigha_consumer_arguments_add(&one.typed, &consume, typed.get(), error_);
        EXPECT_EQ(one.refused == 0 ? HAIGHA_OK : HAIGHA_ERR_ARGUMENT, status) << what << error_;
        if (status == HAIGHA_OK) {
            EXPECT_EQ(0, consume_with(one, typed.get())) << what << error_;
        }
        const TableHandle unchecked = table();
        if (one.field.type != 0) haigha_table_add(unchecked.get(), &one.field, nullptr);
        EXPECT_EQ(one.refused, consume_with(one, unchecked.get())) << what << ": " << error_;
    }
}

}  // namespace
}  // namespace haigha::test
