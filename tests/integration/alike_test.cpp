// The stub broker beside RabbitMQ: what a client asks of both is answered alike, to the word.
#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "stub_broker/stub_broker.h"
#include "support/api_fixture.h"

namespace haigha::test {
namespace {

// One broker, with a connection and a channel for one case. Each call is noted with its result.
// Queues and exchanges are its own: other tests use the broker at the same time.
class Side {
  public:
    Side(std::string uri, haigha_loop* loop, std::string prefix)
        : uri_(std::move(uri)), loop_(loop), prefix_(std::move(prefix)) {
        connection_ = connect();
        channel_ = open_channel(connection_.get());
    }

    std::string name(std::string_view what) const { return prefix_ + std::string(what); }
    const std::vector<std::string>& notes() const { return notes_; }
    void note(std::string text) {
        // Names are each side's own.
        for (auto at = text.find(prefix_); at != std::string::npos; at = text.find(prefix_, at))
            text.erase(at, prefix_.size());
        notes_.push_back(std::move(text));
    }
    void note(std::string_view what, haigha_status status) {
        std::string text = std::string(what) + ": " + haigha_status_name(status);
        if (status != HAIGHA_OK && error_.code() != 0) {
            text +=
                " " + std::to_string(error_.code()) + " " + error_.text() + " " + error_.method();
        }
        note(text);
    }

    // ---- what is asked
    void declare(std::string_view queue,
                 std::function<void(haigha_queue_declare_args&)> more = {}) {
        const std::string called = queue.empty() ? "" : name(queue);
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue.starts_with("amq.") ? queue : called);
        if (more) more(args);
        ReplyHandle reply;
        const haigha_status status =
            haigha_queue_declare_wait(channel_.get(), &args, -1, out(reply), error_);
        note("declare", status);
        if (status != HAIGHA_OK) return;
        made_ = view(haigha_reply_queue(reply.get()));
        note(std::to_string(haigha_reply_message_count(reply.get())) + " messages, " +
             std::to_string(haigha_reply_consumer_count(reply.get())) + " consumers");
    }
    void exchange(std::string_view exchange, std::string_view type,
                  std::function<void(haigha_exchange_declare_args&)> more = {}) {
        const std::string called = name(exchange);
        haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        args.exchange = str(exchange.starts_with("amq.") ? exchange : called);
        args.type = str(type);
        if (more) more(args);
        note("exchange", haigha_exchange_declare_wait(channel_.get(), &args, -1, nullptr, error_));
    }
    void delete_exchange(std::string_view exchange, bool if_unused = false) {
        const std::string called = name(exchange);
        haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
        args.exchange = str(exchange.starts_with("amq.") ? exchange : called);
        args.if_unused = if_unused ? 1 : 0;
        note("delete exchange",
             haigha_exchange_delete_wait(channel_.get(), &args, -1, nullptr, error_));
    }
    void bind(std::string_view queue, std::string_view exchange, std::string_view key,
              const haigha_table* arguments = nullptr) {
        const std::string called = name(queue);
        const std::string from = exchange.empty() || exchange.starts_with("amq.")
                                     ? std::string(exchange)
                                     : name(exchange);
        haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
        args.queue = str(called);
        args.exchange = str(from);
        args.routing_key = str(key);
        args.arguments = arguments;
        note("bind", haigha_queue_bind_wait(channel_.get(), &args, -1, nullptr, error_));
    }
    void remove(std::string_view queue, bool if_unused, bool if_empty) {
        const std::string called = name(queue);
        haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        args.queue = str(called);
        args.if_unused = if_unused ? 1 : 0;
        args.if_empty = if_empty ? 1 : 0;
        ReplyHandle reply;
        const haigha_status status =
            haigha_queue_delete_wait(channel_.get(), &args, -1, out(reply), error_);
        note("delete", status);
        if (status == HAIGHA_OK) {
            note(std::to_string(haigha_reply_message_count(reply.get())) + " deleted");
        }
    }
    void publish(std::string_view exchange, std::string_view key, std::string_view body,
                 const haigha_properties* properties = nullptr) {
        const std::string to = exchange.empty() || exchange.starts_with("amq.")
                                   ? std::string(exchange)
                                   : name(exchange);
        const std::string with = exchange.empty() ? name(key) : std::string(key);
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str(to);
        args.routing_key = str(with);
        args.properties = properties;
        note("publish", haigha_publish(channel_.get(), &args, str(body), nullptr, error_));
    }
    // What is confirmed is in its queues, and what is refused has ended its channel: what is asked
    // next meets neither halfway.
    void confirm() {
        note("confirm", haigha_confirm_select_wait(channel_.get(), -1, nullptr, error_));
    }
    void publish_confirmed(std::string_view exchange, std::string_view key, std::string_view body,
                           const haigha_properties* properties = nullptr, bool mandatory = false) {
        const std::string to = exchange.empty() || exchange.starts_with("amq.")
                                   ? std::string(exchange)
                                   : name(exchange);
        const std::string with = exchange.empty() ? name(key) : std::string(key);
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str(to);
        args.routing_key = str(with);
        args.properties = properties;
        args.mandatory = mandatory ? 1 : 0;
        ReplyHandle reply;
        const haigha_status status =
            haigha_publish_wait(channel_.get(), &args, str(body), -1, out(reply), error_);
        note("publish", status);
        note("outcome " + std::to_string(haigha_reply_outcome(reply.get())));
    }
    // Gets until the queue is empty.
    void get_all(std::string_view queue, bool no_ack = true) {
        const std::string called = name(queue);
        haigha_get_args args = HAIGHA_GET_ARGS_INIT;
        args.queue = str(called);
        args.no_ack = no_ack ? 1 : 0;
        while (true) {
            ReplyHandle reply;
            const haigha_status status =
                haigha_get_wait(channel_.get(), &args, -1, out(reply), error_);
            if (status != HAIGHA_OK) return note("get", status);
            haigha_message* const message = haigha_reply_message(reply.get());
            if (message == nullptr) return note("empty");
            note("got " + std::string(view(haigha_message_body(message))) + " from " +
                 std::string(view(haigha_message_exchange(message))) + " by " +
                 std::string(view(haigha_message_routing_key(message))) + ", tag " +
                 std::to_string(haigha_message_delivery_tag(message)) +
                 (haigha_message_redelivered(message) != 0 ? ", again" : "") + ", then " +
                 std::to_string(haigha_reply_message_count(reply.get())));
        }
    }
    void consume(std::string_view queue, std::string_view tag = "", bool exclusive = false) {
        const std::string called = name(queue);
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(called);
        args.consumer_tag = str(tag);
        args.exclusive = exclusive ? 1 : 0;
        args.deliveries = deliveries.then();
        note("consume", haigha_consume_wait(channel_.get(), &args, -1, nullptr, error_));
    }
    void passive(std::string_view queue) {
        declare(queue, [](haigha_queue_declare_args& args) { args.passive = 1; });
    }
    void reopen() { channel_ = open_channel(connection_.get()); }
    void other_connection() {
        connections_.push_back(std::move(connection_));
        connection_ = connect();
        reopen();
    }
    void state() {
        note("channel " + std::to_string(haigha_channel_state(channel_.get())) + ", connection " +
             std::to_string(haigha_connection_state(connection_.get())));
    }
    ConnectionHandle connect() {
        ConnectionHandle connection = new_connection(loop_, options_from(uri_).get());
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }

    haigha_channel* channel() { return channel_.get(); }
    haigha_error** error() { return error_; }
    const std::string& uri() const { return uri_; }
    std::string made() const { return made_; }

    EventLog deliveries;

  private:
    const std::string uri_;
    haigha_loop* const loop_;
    const std::string prefix_;
    std::vector<std::string> notes_;
    std::string made_;
    Err error_;
    std::vector<ConnectionHandle> connections_;
    ConnectionHandle connection_;
    ChannelHandle channel_;
};

void exclusive(haigha_queue_declare_args& args) {
    args.exclusive = 1;
}

TableHandle header(std::string_view match, std::string_view key, std::string_view value) {
    TableHandle table;
    EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(table), nullptr));
    if (!match.empty()) {
        (void)haigha_table_add_string(table.get(), str("x-match"), str(match), nullptr);
    }
    (void)haigha_table_add_string(table.get(), str(key), str(value), nullptr);
    (void)haigha_table_add_int(table.get(), str("n"), 5, nullptr);
    return table;
}

using Case = std::pair<const char*, void (*)(Side&)>;

const std::vector<Case> cases = {
    {"queues",
     [](Side& s) {
         s.passive("missing");
         s.state();
         s.reopen();
         s.declare("q", exclusive);
         s.passive("q");
         s.publish("", "q", "one");
         s.get_all("q");
         s.declare("q", exclusive);
         s.declare("q");
         s.reopen();
         s.declare("q", [](haigha_queue_declare_args& args) {
             args.exclusive = 1;
             args.durable = 1;
         });
         s.reopen();
         s.declare("q", [](haigha_queue_declare_args& args) {
             args.exclusive = 1;
             args.auto_delete = 1;
         });
         s.reopen();
         s.declare("amq.mine", exclusive);
         s.reopen();
         s.declare("", exclusive);
         s.note(s.made().starts_with("amq.gen-") ? "made a name" : "no name: " + s.made());
         s.remove("never was", false, false);
     }},
    {"exclusive queues",
     [](Side& s) {
         s.declare("q", exclusive);
         s.other_connection();
         s.passive("q");
         s.reopen();
         s.declare("q");
         s.reopen();
         s.get_all("q");
         s.reopen();
         s.consume("q");
         s.reopen();
         s.remove("q", false, false);
         s.state();
     }},
    {"deleting queues",
     [](Side& s) {
         s.confirm();
         s.declare("q", exclusive);
         s.publish_confirmed("", "q", "one");
         s.remove("q", false, true);
         s.reopen();
         s.consume("q", "c");
         s.remove("q", true, false);
         s.reopen();
         s.remove("q", false, false);
     }},
    {"exchanges",
     [](Side& s) {
         for (const char* type : {"direct", "fanout", "topic", "headers"})
             s.exchange(type, type, [](haigha_exchange_declare_args& a) { a.auto_delete = 1; });
         s.exchange("direct", "fanout", [](haigha_exchange_declare_args& a) { a.auto_delete = 1; });
         s.reopen();
         s.exchange("direct", "direct");
         s.reopen();
         s.exchange("direct", "direct", [](haigha_exchange_declare_args& a) {
             a.auto_delete = 1;
             a.durable = 1;
         });
         s.reopen();
         s.exchange("missing", "direct", [](haigha_exchange_declare_args& a) { a.passive = 1; });
         s.reopen();
         s.exchange("amq.mine", "direct");
         s.reopen();
         s.exchange("amq.direct", "direct", [](haigha_exchange_declare_args& a) { a.durable = 1; });
         s.delete_exchange("amq.direct");
         s.reopen();
         s.declare("q", exclusive);
         s.bind("q", "fanout", "");
         s.delete_exchange("fanout", true);
         s.reopen();
         for (const char* name : {"direct", "fanout", "topic", "headers", "never was"})
             s.delete_exchange(name);
         s.confirm();
         s.publish_confirmed("fanout", "", "nowhere");
         s.declare("later");
         s.state();
     }},
    {"internal and auto-delete exchanges",
     [](Side& s) {
         s.exchange("inner", "fanout", [](haigha_exchange_declare_args& a) { a.internal = 1; });
         s.confirm();
         s.publish_confirmed("inner", "", "x");
         s.declare("later");
         s.reopen();
         s.delete_exchange("inner");
         s.exchange("going", "fanout", [](haigha_exchange_declare_args& a) { a.auto_delete = 1; });
         s.declare("q", exclusive);
         s.bind("q", "going", "");
         s.remove("q", false, false);
         s.exchange("going", "fanout", [](haigha_exchange_declare_args& a) { a.passive = 1; });
     }},
    {"bindings",
     [](Side& s) {
         s.declare("q", exclusive);
         s.bind("q", "missing", "k");
         s.reopen();
         s.bind("missing", "amq.direct", "k");
         s.reopen();
         s.bind("q", "", "k");
         s.reopen();
         s.exchange("direct", "direct");
         s.bind("q", "direct", "k");
         s.bind("q", "direct", "k");
         s.confirm();
         s.publish_confirmed("direct", "k", "once");
         s.publish_confirmed("direct", "other", "lost");
         s.get_all("q");
         s.delete_exchange("direct");
     }},
    {"topics",
     [](Side& s) {
         s.confirm();
         s.exchange("topic", "topic");
         for (const char* pattern :
              {"#", "*", "a.*", "a.#", "#.b", "*.*", "a.*.b", "a.#.b", "#.a.#", "a.b.c"}) {
             s.declare("q", exclusive);
             s.bind("q", "topic", pattern);
             for (const char* key : {"", "a", "b", "a.b", "a.b.c", "a.x.b", "a.x.y.b", "b.a", "a."})
                 s.publish_confirmed("topic", key, key);
             s.note(pattern);
             s.get_all("q");
             s.remove("q", false, false);
         }
         s.delete_exchange("topic");
     }},
    {"headers",
     [](Side& s) {
         s.confirm();
         s.exchange("headers", "headers");
         for (const char* match : {"all", "any", ""}) {
             s.declare("q", exclusive);
             const TableHandle wanted = header(match, "colour", "red");
             s.bind("q", "headers", "", wanted.get());
             for (const char* colour : {"red", "blue"}) {
                 const TableHandle given = header("", "colour", colour);
                 haigha_properties properties = HAIGHA_PROPERTIES_INIT;
                 properties.present = HAIGHA_PROPERTY_HEADERS;
                 properties.headers = given.get();
                 s.publish_confirmed("headers", "", colour, &properties);
             }
             s.publish_confirmed("headers", "", "none");
             s.note(match);
             s.get_all("q");
             s.remove("q", false, false);
         }
         s.delete_exchange("headers");
     }},
    {"mandatory",
     [](Side& s) {
         s.confirm();
         s.declare("q", exclusive);
         s.publish_confirmed("", "q", "one", nullptr, true);
         s.publish_confirmed("", "nowhere", "two", nullptr, true);
         s.publish_confirmed("amq.direct", "nowhere", "three", nullptr, true);
         s.get_all("q");
     }},
    {"acknowledgements",
     [](Side& s) {
         s.confirm();
         s.declare("q", exclusive);
         for (const char* body : {"one", "two", "three", "four"})
             s.publish_confirmed("", "q", body);
         s.get_all("q", false);
         s.note("ack", haigha_ack(s.channel(), 2, HAIGHA_MULTIPLE, s.error()));
         s.note("nack", haigha_nack(s.channel(), 3, HAIGHA_REQUEUE, s.error()));
         s.note("reject", haigha_reject(s.channel(), 4, 0, s.error()));
         s.get_all("q", false);
         s.note("recover", haigha_recover_wait(s.channel(), 1, -1, nullptr, s.error()));
         s.get_all("q");
     }},
    {"what a channel leaves",
     [](Side& s) {
         s.confirm();
         s.declare("q", exclusive);
         s.publish_confirmed("", "q", "one");
         s.get_all("q", false);
         s.note("close", haigha_channel_close_wait(s.channel(), -1, s.error()));
         s.reopen();
         s.get_all("q");
     }},
    {"consumers",
     [](Side& s) {
         s.declare("q", exclusive);
         s.consume("q", "c", true);
         s.reopen();
         s.consume("q", "d");
         s.reopen();
         s.consume("missing", "e");
     }},
    {"transactions",
     [](Side& s) {
         s.declare("q", exclusive);
         s.note("commit", haigha_tx_commit_wait(s.channel(), -1, nullptr, s.error()));
         s.reopen();
         s.note("select", haigha_tx_select_wait(s.channel(), -1, nullptr, s.error()));
         s.publish("", "q", "taken back");
         s.passive("q");
         s.note("rollback", haigha_tx_rollback_wait(s.channel(), -1, nullptr, s.error()));
         s.publish("", "q", "one");
         s.note("commit", haigha_tx_commit_wait(s.channel(), -1, nullptr, s.error()));
         s.get_all("q", false);
         s.note("ack", haigha_ack(s.channel(), 1, 0, s.error()));
         s.note("rollback", haigha_tx_rollback_wait(s.channel(), -1, nullptr, s.error()));
         s.note("close", haigha_channel_close_wait(s.channel(), -1, s.error()));
         s.reopen();
         s.get_all("q");
         s.note("select", haigha_tx_select_wait(s.channel(), -1, nullptr, s.error()));
         s.note("close", haigha_channel_close_wait(s.channel(), -1, s.error()));
     }},
    {"methods that are not implemented",
     [](Side& s) {
         haigha_qos_args args = HAIGHA_QOS_ARGS_INIT;
         args.prefetch_bytes = 1;
         s.note("qos", haigha_qos_wait(s.channel(), &args, -1, nullptr, s.error()));
         s.state();
     }},
};

class Alike : public ApiTest, public testing::WithParamInterface<std::size_t> {};

TEST_P(Alike, InWhatTheyAnswer) {
    const auto& [what, run] = cases[GetParam()];
    StubBroker stub;
    const std::string prefix = unique_name("alike") + "-";
    std::vector<std::vector<std::string>> notes;
    for (const std::string& uri :
         {uri_, "amqp://guest:guest@127.0.0.1:" + std::to_string(stub.port())}) {
        Side side(uri, loop_.get(), prefix);
        run(side);
        notes.push_back(side.notes());
    }
    EXPECT_EQ(notes[0], notes[1]) << what;
    EXPECT_GT(notes[0].size(), 1U);
    EXPECT_EQ(stub.violations(), std::vector<std::string>());
}

INSTANTIATE_TEST_SUITE_P(
    Each, Alike, testing::Range(std::size_t{0}, cases.size()), [](const auto& tested) {
        std::string name = cases[tested.param].first;
        std::replace_if(
            name.begin(), name.end(),
            [](char character) { return character == ' ' || character == '-'; }, '_');
        return name;
    });

}  // namespace
}  // namespace haigha::test
