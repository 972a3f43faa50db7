// examples/cpp/send.cpp: "Hello World!", one half: puts a message into a queue.
#include "tutorial.hpp"

static void send(int, char**) {
    const haigha::Connection connection = connected();
    const haigha::Channel channel = connection.open_channel().wait().value();

    channel.declare_queue({.queue = "hello"}).wait().value();
    // The default exchange routes to the queue whose name is the routing key.
    channel.publish({.routing_key = "hello"}, "Hello World!").value();
    std::cout << " [x] Sent 'Hello World!'\n";

    // Closing writes what was published before.
    connection.close().wait().value();
}

int main(int argc, char** argv) {
    return run(send, argc, argv);
}
