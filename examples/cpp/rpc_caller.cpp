// examples/cpp/rpc_caller.cpp: remote procedure calls: asks for a Fibonacci number.
#include <chrono>
#include <haigha/rpc.hpp>

#include "tutorial.hpp"

static void rpc_client(int argc, char** argv) {
    const std::string_view number = argc > 1 ? argv[1] : "30";
    const haigha::Connection connection = connected();
    const haigha::RpcClient client = haigha::RpcClient::create(connection).value();

    std::cout << " [x] Requesting fib(" << number << ")\n";
    // Ten seconds; when nobody serves the queue, at once.
    const haigha::Message answer =
        client.call({.routing_key = "rpc_queue"}, number, std::chrono::seconds(10)).wait().value();
    std::cout << " [.] Got " << answer.text() << '\n';

    connection.close().wait().value();
}

int main(int argc, char** argv) {
    return run(rpc_client, argc, argv);
}
