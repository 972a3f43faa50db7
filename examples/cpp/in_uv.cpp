// examples/cpp/in_uv.cpp: coroutines in a libuv loop that the program runs: no thread but its own,
// and nothing that waits, though it reads as if it did.
//
//     c++ -std=c++20 in_uv.cpp $(pkg-config --cflags --libs haigha libuv) -o in_uv
#include <uv.h>

#include <haigha/haigha.hpp>
#include <haigha/task.hpp>
#include <iostream>
#include <string>

static haigha::Task<> ten_messages(haigha::Connection connection) {
    constexpr int messages = 10;
    (co_await connection.open()).value();
    const haigha::Channel channel = (co_await connection.open_channel({.confirm = true})).value();
    const std::string queue = (co_await channel.declare_queue({.exclusive = true})).value().queue;
    for (int i = 0; i < messages; ++i)
        (co_await channel.publish_confirmed({.routing_key = queue}, "tick")).value();
    int received = 0;
    while ((co_await channel.get({.queue = queue, .no_ack = true})).value())
        ++received;
    std::cout << received << " messages came back\n";
    (co_await connection.close()).value();
}

static haigha::Task<> reported(haigha::Connection connection, int& status) {
    try {
        co_await ten_messages(connection);
        status = 0;
    } catch (const haigha::Exception& exception) {
        std::cerr << exception.what() << '\n';
    }
    // With the last handle the connection leaves the loop, which ends then.
}

int main(int argc, char** argv) {
    int status = 1;
    {
        const auto loop = haigha::Loop::attach(uv_default_loop(), uv_run);
        const auto connection = haigha::Connection::create(
            loop.value(), argc > 1 ? argv[1] : "amqp://guest:guest@localhost");
        reported(connection.value(), status).detach();
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return status;
}
