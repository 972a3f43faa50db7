// examples/cpp/rpc_server.cpp: remote procedure calls: answers with Fibonacci numbers.
#include <haigha/rpc.hpp>
#include <string>

#include "tutorial.hpp"

static unsigned long fibonacci(unsigned long n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void rpc_server(int, char**) {
    const haigha::Connection connection = connected();
    const haigha::Channel channel = connection.open_channel().wait().value();
    haigha::Inbox inbox = haigha::Inbox::create().value();

    // It goes with its last server.
    channel.declare_queue({.queue = "rpc_queue", .auto_delete = true}).wait().value();
    // So that several servers share the requests.
    channel.qos({.prefetch_count = 1}).wait().value();
    channel.consume({.queue = "rpc_queue"}, haigha::Into{inbox}).wait().value();

    std::cout << " [x] Awaiting RPC requests" << std::endl;
    while (true) {
        const haigha::Message request = inbox.next_message(haigha::default_timeout).value();
        const unsigned long n = std::strtoul(std::string(request.text()).c_str(), nullptr, 10);
        haigha::reply(channel, request, std::to_string(fibonacci(n % 40))).value();
        channel.ack(request).value();
    }
}

int main(int argc, char** argv) {
    return run(rpc_server, argc, argv);
}
