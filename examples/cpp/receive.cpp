// examples/cpp/receive.cpp: "Hello World!", the other half: takes messages as they come.
#include "tutorial.hpp"

static void receive(int, char**) {
    const haigha::Connection connection = connected();
    const haigha::Channel channel = connection.open_channel().wait().value();
    haigha::Inbox inbox = haigha::Inbox::create().value();

    channel.declare_queue({.queue = "hello"}).wait().value();
    channel.consume({.queue = "hello", .no_ack = true}, haigha::Into{inbox}).wait().value();

    std::cout << " [*] Waiting for messages. To exit press CTRL+C" << std::endl;
    while (true) {
        // However long it takes; how the consumer ends is thrown.
        const haigha::Message message = inbox.next_message(haigha::default_timeout).value();
        std::cout << " [x] Received '" << message.text() << "'" << std::endl;
    }
}

int main(int argc, char** argv) {
    return run(receive, argc, argv);
}
