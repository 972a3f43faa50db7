// examples/cpp/publisher_confirms.cpp: that messages have arrived: known one by one, of many at
// once in coroutines, or left to a pool of channels.
#include <haigha/pool.hpp>
#include <haigha/task.hpp>
#include <string>

#include "tutorial.hpp"

// Simple, and slow: a round trip for each.
static void one_by_one(const haigha::Channel& channel, const std::string& queue) {
    int confirmed = 0;
    for (int i = 0; i < 100; ++i)
        confirmed +=
            channel.publish_confirmed({.routing_key = queue}, "x").wait().value().confirmed();
    std::cout << "one by one: " << confirmed << " confirmed\n";
}

// The same, written as simply, without a thread that waits: any number of these go on at once.
static haigha::Task<int> in_a_coroutine(haigha::Channel channel, std::string queue) {
    int confirmed = 0;
    for (int i = 0; i < 100; ++i)
        confirmed +=
            (co_await channel.publish_confirmed({.routing_key = queue}, "x")).value().confirmed();
    co_return confirmed;
}

// A pool keeps what it cannot send yet, sends what its channels have lost again, and tells what has
// become of each.
static void by_a_pool(const haigha::Connection& connection, const std::string& queue) {
    int confirmed = 0;  // of the loop's thread, until it is waited for
    const auto pool =
        haigha::ChannelPool::create(connection, {}, [&](const haigha::Published& one) {
            // Otherwise one.number() says which it is and one.error() why.
            confirmed += one.outcome() == haigha::Outcome::confirmed;
        }).value();
    for (int i = 0; i < 1000; ++i)
        pool.publish({.routing_key = queue}, "x").value();
    pool.close().wait(std::chrono::seconds(30)).value();
    std::cout << "by a pool: " << confirmed << " confirmed\n";
}

static void publisher_confirms(int, char**) {
    const haigha::Connection connection = connected();
    const haigha::Channel channel = connection.open_channel({.confirm = true}).wait().value();
    const std::string queue = channel.declare_queue({.exclusive = true}).wait().value().queue;

    one_by_one(channel, queue);
    std::cout << "in a coroutine: " << in_a_coroutine(channel, queue).wait() << " confirmed\n";
    by_a_pool(connection, queue);

    connection.close().wait().value();
}

int main(int argc, char** argv) {
    return run(publisher_confirms, argc, argv);
}
