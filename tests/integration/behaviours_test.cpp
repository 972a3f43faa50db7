// tests/conformance/behaviours.json, as this library's C API has them: on the stub broker, and on a
// real one what takes no faults.
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <haigha/rpc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "stub_broker/stub_script.h"
#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

using Json = nlohmann::json;

Json document(const std::string& name) {
    const char* const folder = std::getenv("HAIGHA_CONFORMANCE");
    if (folder == nullptr) throw std::runtime_error("HAIGHA_CONFORMANCE names no folder");
    std::ifstream file(std::string(folder) + "/" + name);
    return Json::parse(file);
}

const Json& behaviour(const std::string& name) {
    static const Json all = document("behaviours.json");
    for (const Json& one : all.at("behaviours")) {
        if (one.at("name") == name) return one;
    }
    throw std::runtime_error("there is no behaviour " + name);
}

struct Place {
    std::string name;
    bool real;
};

class Behaviours : public RecoveryTest, public testing::WithParamInterface<Place> {
  public:
    void publish_confirmed();
    void publish_nacked();
    void publish_returned();
    void publish_unknown();
    void consume_and_ack();
    void prefetch();
    void requeued();
    void cancel();
    void cancelled_by_broker();
    void not_found();
    void connection_closed();
    void broker_killed_while_waiting();
    void answer_in_time();
    void late_answer();
    void reconnect();
    void bad_password();
    void blocked();
    void bad_frame();
    void direct_reply();
    void exit_with_live_connection();
    void hundred_thousand();
    void every_header();
    void large_body();

  protected:
    void SetUp() override {
        testing::GTEST_FLAG(death_test_style) = "threadsafe";
        RecoveryTest::SetUp();
        const Place& place = GetParam();
        if (place.real) {
            const char* const uri = std::getenv("HAIGHA_TEST_URI");
            if (uri == nullptr || *uri == '\0') GTEST_SKIP() << "HAIGHA_TEST_URI names no broker";
            real_ = uri;
            queue_ = "behaviours." + place.name + "." + std::to_string(::getpid());
            return;
        }
        for (const Json& line : behaviour(place.name).at("script"))
            script(line.get<std::string>());
    }
    void command(std::size_t nth) {
        script(behaviour(GetParam().name).at("commands").at(nth).get<std::string>());
    }
    ConnectionHandle connect(std::initializer_list<IntOption> numbers = {},
                             const haigha_then* events = nullptr) {
        if (real_.empty()) return RecoveryTest::connect(numbers, events);
        ConnectionHandle connection =
            new_connection(loop_.get(), options_from(real_, numbers).get(), events);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }
    // A connection with a channel and the queue q.
    void open(const haigha_channel_args& args) {
        connection_ = connect();
        channel_ = open_channel(connection_.get(), args);
        ASSERT_EQ(HAIGHA_OK, declare_q(channel_.get())) << error_;
    }
    void open() { open(HAIGHA_CHANNEL_ARGS_INIT); }
    haigha_status declare_q(haigha_channel* channel) {
        haigha_queue_declare_args args = declare_args(queue_);
        args.exclusive = 1;
        return haigha_queue_declare_wait(channel, &args, -1, nullptr, error_);
    }
    // How many messages wait in it.
    std::uint32_t left() {
        const ChannelHandle other = open_channel(connection_.get());
        haigha_queue_declare_args args = declare_args(queue_);
        args.passive = 1;
        ReplyHandle reply;
        EXPECT_EQ(HAIGHA_OK, haigha_queue_declare_wait(other.get(), &args, -1, out(reply), error_))
            << error_;
        return haigha_reply_message_count(reply.get());
    }
    std::uint64_t deliver(std::size_t nth) {
        return deliveries_.wait_for(HAIGHA_EVENT_DELIVERY, nth).number;
    }
    MessageHandle get() {
        haigha_get_args args = HAIGHA_GET_ARGS_INIT;
        args.queue = str(queue_);
        args.no_ack = 1;
        ReplyHandle reply;
        EXPECT_EQ(HAIGHA_OK, haigha_get_wait(channel_.get(), &args, -1, out(reply), error_))
            << error_;
        return MessageHandle(haigha_message_ref(haigha_reply_message(reply.get())));
    }

    std::string real_;  // its URI, where that is the broker
    std::string queue_ = "q";
    EventLog outcomes_;
    EventLog deliveries_;
    ConnectionHandle connection_;
    ChannelHandle channel_;
};

void Behaviours::publish_confirmed() {
    open(confirming(outcomes_));
    EXPECT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "one"));
    EXPECT_EQ(outcomes_.wait_for(HAIGHA_EVENT_OUTCOME).outcome, HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(left(), 1U);
}

void Behaviours::publish_nacked() {
    open(confirming(outcomes_));
    EXPECT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "one"));
    EXPECT_EQ(outcomes_.wait_for(HAIGHA_EVENT_OUTCOME).outcome, HAIGHA_OUTCOME_NACKED);
    EXPECT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "two"));
    EXPECT_EQ(outcomes_.wait_for(HAIGHA_EVENT_OUTCOME, 1).outcome, HAIGHA_OUTCOME_CONFIRMED);
    EXPECT_EQ(view(haigha_message_body(get().get())), "two");
    EXPECT_EQ(get(), nullptr);
}

void Behaviours::publish_returned() {
    open(confirming(outcomes_));
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str("nowhere");
    args.mandatory = 1;
    EXPECT_EQ(HAIGHA_OK, haigha_publish(channel_.get(), &args, str("one"), nullptr, error_));
    const Recorded outcome = outcomes_.wait_for(HAIGHA_EVENT_OUTCOME);
    EXPECT_EQ(outcome.outcome, HAIGHA_OUTCOME_RETURNED);
    EXPECT_EQ(outcome.reply_code, 312);
    EXPECT_EQ(outcome.reply_text, "NO_ROUTE");
}

void Behaviours::publish_unknown() {
    open(confirming(outcomes_));
    EXPECT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "one"));
    const Recorded outcome = outcomes_.wait_for(HAIGHA_EVENT_OUTCOME);
    EXPECT_EQ(outcome.outcome, HAIGHA_OUTCOME_UNKNOWN);
    EXPECT_EQ(outcome.status, HAIGHA_ERR_IO) << outcome.error;  // how the connection ended
}

void Behaviours::consume_and_ack() {
    open();
    consume(channel_.get(), queue_, deliveries_.then());
    const std::vector<std::string> bodies = {"one", "two", "three"};
    for (const std::string& body : bodies)
        EXPECT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, body));
    for (std::size_t at = 0; at < bodies.size(); ++at) {
        const Recorded delivery = deliveries_.wait_for(HAIGHA_EVENT_DELIVERY, at);
        EXPECT_EQ(delivery.body, bodies[at]);
        EXPECT_EQ(delivery.number, at + 1);
        EXPECT_EQ(HAIGHA_OK, haigha_ack(channel_.get(), delivery.number, 0, error_)) << error_;
    }
    EXPECT_EQ(HAIGHA_OK, haigha_channel_close_wait(channel_.get(), -1, error_)) << error_;
    EXPECT_EQ(left(), 0U);
}

void Behaviours::prefetch() {
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    open(args);
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = 2;
    ASSERT_EQ(HAIGHA_OK, haigha_qos_wait(channel_.get(), &qos, -1, nullptr, error_)) << error_;
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "x"));
    consume(channel_.get(), queue_, deliveries_.then());
    const std::uint64_t first = deliver(0);
    (void)deliver(1);
    // What the broker had sent would have come before the answer to this.
    ASSERT_EQ(HAIGHA_OK, declare_q(channel_.get())) << error_;
    EXPECT_EQ(deliveries_.count(HAIGHA_EVENT_DELIVERY), 2U);
    EXPECT_EQ(HAIGHA_OK, haigha_ack(channel_.get(), first, 0, error_)) << error_;
    (void)deliver(2);
}

void Behaviours::requeued() {
    open();
    consume(channel_.get(), queue_, deliveries_.then());
    EXPECT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "x"));
    EXPECT_EQ(deliveries_.wait_for(HAIGHA_EVENT_DELIVERY).flags & HAIGHA_FLAG_REDELIVERED, 0U);
    EXPECT_EQ(HAIGHA_OK, haigha_reject(channel_.get(), 1, HAIGHA_REQUEUE, error_)) << error_;
    const Recorded again = deliveries_.wait_for(HAIGHA_EVENT_DELIVERY, 1);
    EXPECT_NE(again.flags & HAIGHA_FLAG_REDELIVERED, 0U);
    EXPECT_EQ(HAIGHA_OK, haigha_ack(channel_.get(), again.number, 0, error_)) << error_;
}

void Behaviours::cancel() {
    open();
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str(queue_);
    args.consumer_tag = str("c");
    args.deliveries = deliveries_.then();
    ASSERT_EQ(HAIGHA_OK, haigha_consume_wait(channel_.get(), &args, -1, nullptr, error_));
    ASSERT_EQ(HAIGHA_OK, haigha_cancel_wait(channel_.get(), str("c"), -1, nullptr, error_))
        << error_;
    EXPECT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, "x"));
    ASSERT_EQ(HAIGHA_OK, declare_q(channel_.get())) << error_;
    EXPECT_EQ(deliveries_.count(HAIGHA_EVENT_DELIVERY), 0U);
    EXPECT_EQ(left(), 1U);
}

void Behaviours::cancelled_by_broker() {
    open();
    consume(channel_.get(), queue_, deliveries_.then());
    command(0);
    deliveries_.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    EXPECT_EQ(haigha_channel_state(channel_.get()), HAIGHA_STATE_OPEN);
}

void Behaviours::not_found() {
    open();
    const ChannelHandle first = open_channel(connection_.get());
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, declare_passively(first.get(), "nowhere"));
    EXPECT_EQ(error_.code(), 404);
    EXPECT_NE(error_.text().find("NOT_FOUND"), std::string::npos);
    EXPECT_EQ(haigha_channel_state(first.get()), HAIGHA_STATE_CLOSED);
    EXPECT_EQ(HAIGHA_OK, declare_q(channel_.get())) << error_;
}

void Behaviours::connection_closed() {
    connection_ = connect();
    channel_ = open_channel(connection_.get());
    EXPECT_EQ(HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER, declare(channel_.get(), "q"));
    EXPECT_EQ(error_.code(), 320);
    EXPECT_EQ(error_.text(), "CONNECTION_FORCED - by script");
    EXPECT_EQ(haigha_connection_state(connection_.get()), HAIGHA_STATE_CLOSED);
}

void Behaviours::broker_killed_while_waiting() {
    connection_ = connect({{"rpc_timeout_ms", 3'600'000}});
    channel_ = open_channel(connection_.get());
    EXPECT_EQ(HAIGHA_ERR_IO, declare(channel_.get(), "q")) << error_;
}

void Behaviours::answer_in_time() {
    connection_ = connect();
    channel_ = open_channel(connection_.get());
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, declare(channel_.get(), "q", 100)) << error_;
}

void Behaviours::late_answer() {
    connection_ = connect();
    channel_ = open_channel(connection_.get());
    EventLog log;
    declare_soon(channel_.get(), "first", log.then(1));
    ASSERT_TRUE(saw("fired"));
    command(0);
    EXPECT_EQ(log.reply(1).queue, "first");
}

void Behaviours::reconnect() {
    EventLog events;
    const haigha_then then = events.then();
    connection_ = recovering(&then);
    channel_ = open_channel(connection_.get());
    ASSERT_EQ(HAIGHA_OK, declare(channel_.get(), "q")) << error_;
    consume(channel_.get(), "q", deliveries_.then(), true);
    command(0);
    step(events, HAIGHA_RECOVERY_RECOVERED);
    command(1);
    EXPECT_EQ(deliveries_.wait_for(HAIGHA_EVENT_DELIVERY).body, "found");
}

void Behaviours::bad_password() {
    connection_ = new_connection(loop_.get(), options().get());
    EXPECT_EQ(HAIGHA_ERR_AUTH, haigha_connection_open_wait(connection_.get(), -1, error_));
    EXPECT_NE(error_.message().find("ACCESS_REFUSED"), std::string::npos) << error_;
    EXPECT_EQ(error_.message().find("guest:guest"), std::string::npos) << error_;
}

void Behaviours::blocked() {
    EventLog states;
    const haigha_then events = states.then();
    connection_ = connect({}, &events);
    command(0);
    EXPECT_EQ(states.wait_for(HAIGHA_EVENT_BLOCKED).reply_text, "low on memory");
    command(1);
    states.wait_for(HAIGHA_EVENT_UNBLOCKED);
}

void Behaviours::bad_frame() {
    connection_ = connect();
    channel_ = open_channel(connection_.get());
    EXPECT_EQ(HAIGHA_ERR_PROTOCOL, declare(channel_.get(), "q")) << error_;
    EXPECT_TRUE(saw("connection.close"));  // its code: ConformanceFrames
}

void Behaviours::direct_reply() {
    open();
    EventLog requests([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        EXPECT_EQ(HAIGHA_OK,
                  haigha_rpc_reply(event.channel, event.message, nullptr, event.body, nullptr));
    });
    consume(channel_.get(), queue_, requests.then(), true);
    RpcClientHandle client;
    ASSERT_EQ(HAIGHA_OK, haigha_rpc_client_new(connection_.get(), nullptr, out(client), error_))
        << error_;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue_);
    ReplyHandle reply;
    ASSERT_EQ(HAIGHA_OK,
              haigha_rpc_call_wait(client.get(), &args, str("ping"), -1, out(reply), error_))
        << error_;
    EXPECT_EQ(view(haigha_message_body(haigha_reply_message(reply.get()))), "ping");
}

void Behaviours::exit_with_live_connection() {
    EXPECT_EXIT(
        {
            open();
            consume(channel_.get(), queue_, deliveries_.then(), true);
            std::quick_exit(7);
        },
        testing::ExitedWithCode(7), "");
}

// The number, and the same number another way.
std::string numbered(std::uint64_t number) {
    return std::to_string(number) + " " + std::to_string(number * 0x9e3779b97f4a7c15U);
}

void Behaviours::hundred_thousand() {
    constexpr std::size_t count = 100'000;
    open(confirming(outcomes_));
    std::size_t wrong = 0;
    std::size_t came = 0;
    EventLog told([&](const haigha_event& event) {
        if (event.type != HAIGHA_EVENT_DELIVERY) return;
        if (view(event.body) != numbered(came++)) ++wrong;
    });
    consume(channel_.get(), queue_, told.then(), true);
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue_);
    for (std::size_t i = 0; i < count; ++i) {
        const std::string body = numbered(i);
        haigha_status status = HAIGHA_OK;
        do {
            status = haigha_publish(channel_.get(), &args, str(body), nullptr, nullptr);
            if (status == HAIGHA_ERR_WOULD_BLOCK) {
                (void)haigha_connection_flush_wait(connection_.get(), -1, nullptr);
            }
        } while (status == HAIGHA_ERR_WOULD_BLOCK);
        ASSERT_EQ(HAIGHA_OK, status);
    }
    outcomes_.wait_count(HAIGHA_EVENT_OUTCOME, count);
    told.wait_count(HAIGHA_EVENT_DELIVERY, count);
    EXPECT_EQ(wrong, 0U);
}

// As text, with everything that a field has, in the order of the names: RabbitMQ 4 has one of its
// own. Those of an array have none, and keep theirs.
std::string spelled(haigha_cursor cursor) {
    std::vector<std::pair<std::string, std::string>> fields;
    haigha_field field;
    while (haigha_cursor_next(&cursor, &field) == 1) {
        std::string value = " " + std::string(1, static_cast<char>(field.type)) + " ";
        if (field.type == HAIGHA_FIELD_TABLE || field.type == HAIGHA_FIELD_ARRAY) {
            haigha_cursor nested;
            EXPECT_EQ(HAIGHA_OK, haigha_cursor_enter(&cursor, &field, &nested));
            value += "(" + spelled(nested) + ")";
        } else {
            value += std::string(view(field.bytes)) + " " + std::to_string(field.integer) + " " +
                     std::to_string(field.real) + " " + std::to_string(field.scale) + "; ";
        }
        fields.emplace_back(view(field.name), std::move(value));
    }
    std::stable_sort(fields.begin(), fields.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string text;
    for (const auto& [name, value] : fields)
        text += name + value;
    return text;
}

TableHandle table_from(const Json& fields, bool array = false) {
    TableHandle table;
    EXPECT_EQ(HAIGHA_OK, (array ? haigha_table_new_array : haigha_table_new)(out(table), nullptr));
    for (const Json& one : fields) {
        const std::string name = one.value("name", "");
        const Json& value = one.at("value");
        haigha_field field{};
        field.name = str(name);
        field.type = static_cast<std::uint32_t>(one.at("type").get<std::string>().at(0));
        std::string bytes;
        if (field.type == HAIGHA_FIELD_TABLE || field.type == HAIGHA_FIELD_ARRAY) {
            const TableHandle nested = table_from(value, field.type == HAIGHA_FIELD_ARRAY);
            EXPECT_EQ(HAIGHA_OK,
                      haigha_table_add_table(table.get(), str(name), nested.get(), nullptr));
            continue;
        }
        if (value.is_object() && value.contains("hex")) {
            const std::vector<std::byte> octets =
                parse_stub_hex(value.at("hex").get<std::string>());
            bytes.assign(reinterpret_cast<const char*>(octets.data()), octets.size());
        } else if (value.is_object()) {
            field.scale = value.at("scale").get<std::uint32_t>();
            field.integer = value.at("unscaled").get<std::int64_t>();
        } else if (value.is_string() && field.type != HAIGHA_FIELD_STRING) {
            field.integer = std::stoll(value.get<std::string>());  // 64 bits are text
        } else if (value.is_string()) {
            bytes = value.get<std::string>();
        } else if (value.is_boolean()) {
            field.integer = value.get<bool>() ? 1 : 0;
        } else if (value.is_number_float()) {
            field.real = value.get<double>();
        } else if (value.is_number()) {
            field.integer = value.get<std::int64_t>();
        }
        field.bytes = str(bytes);
        EXPECT_EQ(HAIGHA_OK, haigha_table_add(table.get(), &field, nullptr)) << one;
    }
    return table;
}

void Behaviours::every_header() {
    open();
    const Json headers = [] {
        const Json all = document("headers.json");
        for (const Json& vector : all.at("valid")) {
            if (vector.at("name") != "headers of every type") continue;
            return vector.at("properties").at(0).at("value");
        }
        return Json();
    }();
    ASSERT_GT(headers.size(), 15U);
    const TableHandle table = table_from(headers);
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = table.get();
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue_);
    args.properties = &properties;
    ASSERT_EQ(HAIGHA_OK, haigha_publish(channel_.get(), &args, str("x"), nullptr, error_));
    const MessageHandle message = get();
    haigha_cursor came;
    haigha_cursor went;
    ASSERT_EQ(HAIGHA_OK, haigha_message_headers(message.get(), &came, error_)) << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_table_cursor(table.get(), &went));
    EXPECT_EQ(spelled(came), spelled(went));
}

void Behaviours::large_body() {
    open();
    std::string body;
    for (std::uint64_t i = 0; body.size() < 1024 * 1024; ++i)
        body += numbered(i);
    EXPECT_EQ(HAIGHA_OK, publish(channel_.get(), queue_, body));
    EXPECT_TRUE(view(haigha_message_body(get().get())) == body);
}

const std::map<std::string, void (Behaviours::*)()> functions = {
    {"publish-confirmed", &Behaviours::publish_confirmed},
    {"publish-nacked", &Behaviours::publish_nacked},
    {"publish-returned", &Behaviours::publish_returned},
    {"publish-unknown", &Behaviours::publish_unknown},
    {"consume-and-ack", &Behaviours::consume_and_ack},
    {"prefetch", &Behaviours::prefetch},
    {"requeued", &Behaviours::requeued},
    {"cancel", &Behaviours::cancel},
    {"cancelled-by-broker", &Behaviours::cancelled_by_broker},
    {"not-found", &Behaviours::not_found},
    {"connection-closed", &Behaviours::connection_closed},
    {"broker-killed-while-waiting", &Behaviours::broker_killed_while_waiting},
    {"answer-in-time", &Behaviours::answer_in_time},
    {"late-answer", &Behaviours::late_answer},
    {"reconnect", &Behaviours::reconnect},
    {"bad-password", &Behaviours::bad_password},
    {"blocked", &Behaviours::blocked},
    {"bad-frame", &Behaviours::bad_frame},
    {"direct-reply", &Behaviours::direct_reply},
    {"exit-with-live-connection", &Behaviours::exit_with_live_connection},
    {"hundred-thousand", &Behaviours::hundred_thousand},
    {"every-header", &Behaviours::every_header},
    {"large-body", &Behaviours::large_body},
};

TEST_P(Behaviours, IsAsItIsWritten) {
    (this->*functions.at(GetParam().name))();
}

std::vector<Place> places() {
    std::vector<Place> all;
    for (const auto& [name, function] : functions) {
        all.push_back({name, false});
        const Json& written = behaviour(name);
        if (written.at("script").empty() && !written.contains("commands")) {
            all.push_back({name, true});
        }
    }
    return all;
}

INSTANTIATE_TEST_SUITE_P(Each, Behaviours, testing::ValuesIn(places()), [](const auto& tested) {
    std::string name = tested.param.name + (tested.param.real ? "_on_a_real_broker" : "");
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

TEST(BehavioursFile, HasNoneThatIsNotTested) {
    std::set<std::string> wanted;
    const Json all = document("behaviours.json");
    for (const Json& one : all.at("behaviours")) {
        if (!one.contains("unless")) wanted.insert(one.at("name").get<std::string>());
        EXPECT_FALSE(one.at("do").empty());
        EXPECT_FALSE(one.at("expect").empty());
    }
    std::set<std::string> tested;
    for (const auto& [name, function] : functions)
        tested.insert(name);
    EXPECT_EQ(wanted, tested);
    EXPECT_GE(wanted.size(), 20U);
}

}  // namespace
}  // namespace haigha::test
