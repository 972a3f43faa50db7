#include "topology/description.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

#include "wire/field_table.h"

namespace haigha::topology {
namespace {

// Reads text that is right.
Description read(std::string_view text) {
    Description description;
    EXPECT_EQ("", description.add_text(text));
    return description;
}
std::string fault(std::string_view text) {
    Description description;
    return description.add_text(text);
}
std::string told(const Contents& arguments) {
    return wire::describe_table(arguments);
}

TEST(Description, EntitiesInTheOrderOfTheLines) {
    const Description of = read(
        "# orders and who hears of them\n"
        "exchange orders topic durable alternate-exchange=unrouted\n"
        "\n"
        "  exchange unrouted fanout auto-delete internal\r\n"
        "queue billing durable x-queue-type=quorum x-delivery-limit=5\n"
        "\tqueue \"every order\" exclusive auto-delete\n"
        "bind billing from orders by order.paid\n"
        "bind \"every order\" from orders by #\n"
        "bind exchange unrouted from orders x-match=all\n"
        "bind billing from orders by order.paid");
    ASSERT_EQ(2U, of.exchanges().size());
    EXPECT_EQ("orders", of.exchanges()[0].name);
    EXPECT_EQ("topic", of.exchanges()[0].type);
    EXPECT_TRUE(of.exchanges()[0].durable);
    EXPECT_FALSE(of.exchanges()[0].internal);
    EXPECT_EQ(R"({alternate-exchange="unrouted"})", told(of.exchanges()[0].arguments));
    EXPECT_FALSE(of.exchanges()[1].durable);
    EXPECT_TRUE(of.exchanges()[1].auto_delete);
    EXPECT_TRUE(of.exchanges()[1].internal);
    ASSERT_EQ(2U, of.queues().size());
    EXPECT_EQ(R"({x-queue-type="quorum", x-delivery-limit=5})", told(of.queues()[0].arguments));
    EXPECT_TRUE(of.queues()[0].durable);
    EXPECT_EQ("every order", of.queues()[1].name);
    EXPECT_TRUE(of.queues()[1].exclusive);
    ASSERT_EQ(3U, of.bindings().size()) << "the same again is nothing new";
    EXPECT_TRUE(of.bindings()[0].to_queue);
    EXPECT_EQ("order.paid", of.bindings()[0].routing_key);
    EXPECT_EQ("#", of.bindings()[1].routing_key);
    EXPECT_FALSE(of.bindings()[2].to_queue);
    EXPECT_EQ("", of.bindings()[2].routing_key);
    EXPECT_EQ(R"({x-match="all"})", told(of.bindings()[2].arguments));
}

TEST(Description, ValuesOfArguments) {
    const Description of = read(
        R"(queue q a=1 b=-7 c=3000000000 d=true e=false f="1" g="tr ue" h= i="" j=1x "k l"=m)");
    EXPECT_EQ(R"({a=1, b=-7, c=3000000000, d=true, e=false, f="1", g="tr ue", h="", i="", )"
              R"(j="1x", "k l"="m"})",
              told(of.queues()[0].arguments));
}

TEST(Description, QuotesMakeANameOfAnything) {
    const Description of = read(
        "queue \"exchange\"\n"
        "queue \"a=b\"\n"
        "queue \"#\"\n"
        R"(queue "say \"hello\" \\ twice")"
        "\n"
        "exchange \"durable\" topic\n"
        "bind \"exchange\" from \"durable\" by \"\"\n"
        "bind \"a=b\" from \"durable\" by \"from\"");
    EXPECT_EQ("exchange", of.queues()[0].name);
    EXPECT_EQ("a=b", of.queues()[1].name);
    EXPECT_EQ("#", of.queues()[2].name);
    EXPECT_EQ(R"(say "hello" \ twice)", of.queues()[3].name);
    EXPECT_TRUE(of.bindings()[0].to_queue);
    EXPECT_EQ("from", of.bindings()[1].routing_key);
}

TEST(Description, AFaultNamesItsLine) {
    EXPECT_EQ("line 2: a line begins with exchange, queue or bind, not with \"queues\"",
              fault("queue a\nqueues b"));
    EXPECT_EQ("line 1: exchange is followed by NAME TYPE", fault("exchange orders"));
    EXPECT_EQ("line 1: queue is followed by NAME", fault("queue"));
    EXPECT_EQ("line 1: queue is followed by NAME", fault("queue x-max-length=4"));
    EXPECT_EQ("line 1: \"durabel\" is not known here", fault("queue a durabel"));
    EXPECT_EQ("line 1: \"internal\" is not known here", fault("queue a internal"));
    EXPECT_EQ("line 1: a double quote is not closed", fault("queue \"a"));
    EXPECT_EQ("line 1: a double quote is not closed", fault("queue \"a\\"));
    EXPECT_EQ("line 1: a space is missing behind \"a\"", fault("queue \"a\"b"));
    EXPECT_EQ("line 1: the queue has no name", fault("queue \"\""));
    EXPECT_EQ("line 1: by is followed by a routing key", fault("bind a from b by"));
    EXPECT_TRUE(fault("bind a to b").starts_with("line 1: bind is followed by QUEUE from"));
    EXPECT_EQ("line 1: a name has 256 bytes, over 255", fault("queue " + std::string(256, 'q')));
    EXPECT_EQ(
        "line 1: the argument " + std::string(256, 'x') + ": the name is longer than 255 bytes",
        fault("queue a " + std::string(256, 'x') + "=1"));
}

TEST(Description, OneNameIsOneThing) {
    EXPECT_EQ("line 2: the queue \"a\" is described already, in another way",
              fault("queue a durable\nqueue a"));
    EXPECT_EQ("line 2: the exchange \"a\" is described already, in another way",
              fault("exchange a topic\nexchange a fanout"));
    EXPECT_EQ(1U, read("queue a durable\nqueue a durable").queues().size());
}

TEST(Description, WithAFaultNothingIsAdded) {
    Description description = read("queue a");
    EXPECT_EQ("line 2: queue is followed by NAME", description.add_text("queue b\nqueue"));
    EXPECT_EQ(1U, description.queues().size());
}

TEST(Description, NothingIsBoundToTheDefaultExchange) {
    Description description;
    EXPECT_TRUE(description.add({.to_queue = true, .destination = "q", .source = ""})
                    .starts_with("a binding of \"q\" names no exchange"));
    EXPECT_EQ("a binding names no queue or exchange that it is of",
              description.add({.to_queue = true, .destination = "", .source = "x"}));
}

// Whatever the text, reading it ends, and what is refused leaves nothing behind.
TEST(Description, RandomText) {
    constexpr std::string_view pieces[] = {"exchange", "queue", "bind", "from",    "by",    " ",
                                           "\n",       "\"",    "\\",   "=",       "#",     "a",
                                           "durable",  "topic", "x=1",  "\t",      "\r",    "true",
                                           " a ",      " b ",   "é",    "\"a b\"", " from "};
    std::mt19937 random(20261127);
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (std::size_t left = random() % 24; left > 0; --left) {
            text += pieces[random() % std::size(pieces)];
        }
        Description description;
        const std::string why = description.add_text(text);
        const std::size_t entities = description.exchanges().size() + description.queues().size() +
                                     description.bindings().size();
        if (!why.empty()) {
            ASSERT_EQ(0U, entities) << text;
            ASSERT_TRUE(why.starts_with("line ")) << text;
        }
        ASSERT_LE(entities, text.size());
    }
}

}  // namespace
}  // namespace haigha::topology
