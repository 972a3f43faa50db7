// examples/cpp/receive_logs.cpp: publish/subscribe, routing and topics: listens for what it is told
// to.
//
//     receive_logs fanout ''
//     receive_logs direct warning error
//     receive_logs topic 'kern.*' '*.critical'
#include <string>

#include "tutorial.hpp"

static void receive_logs(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: receive_logs fanout|direct|topic KEY...\n";
        std::exit(2);
    }
    const std::string exchange = std::string(argv[1]) + "_logs";
    const haigha::Connection connection = connected();
    const haigha::Channel channel = connection.open_channel().wait().value();
    haigha::Inbox inbox = haigha::Inbox::create().value();

    channel.declare_exchange({.exchange = exchange, .type = argv[1]}).wait().value();
    // The broker chooses its name, and deletes it with the connection.
    const std::string queue = channel.declare_queue({.exclusive = true}).wait().value().queue;
    for (int i = 2; i < argc; ++i) {
        channel.bind_queue({.queue = queue, .exchange = exchange, .routing_key = argv[i]})
            .wait()
            .value();
    }
    channel.consume({.queue = queue, .no_ack = true}, haigha::Into{inbox}).wait().value();

    std::cout << " [*] Waiting for logs. To exit press CTRL+C" << std::endl;
    while (true) {
        const haigha::Message message = inbox.next_message(haigha::default_timeout).value();
        std::cout << " [x] " << message.routing_key() << ":" << message.text() << std::endl;
    }
}

int main(int argc, char** argv) {
    return run(receive_logs, argc, argv);
}
