// examples/cpp/emit_log.cpp: publish/subscribe, routing and topics: says something to whoever
// listens.
//
//     emit_log fanout '' "to everybody"
//     emit_log direct error "to who wants errors"
//     emit_log topic kern.critical "to who wants kern.* or *.critical"
#include <string>

#include "tutorial.hpp"

static void emit_log(int argc, char** argv) {
    if (argc != 4) {
        std::cerr << "usage: emit_log fanout|direct|topic KEY TEXT\n";
        std::exit(2);
    }
    const std::string exchange = std::string(argv[1]) + "_logs";
    const haigha::Connection connection = connected();
    const haigha::Channel channel = connection.open_channel().wait().value();

    channel.declare_exchange({.exchange = exchange, .type = argv[1]}).wait().value();
    channel.publish({.exchange = exchange, .routing_key = argv[2]}, argv[3]).value();
    std::cout << " [x] Sent '" << argv[2] << "':'" << argv[3] << "'\n";

    connection.close().wait().value();
}

int main(int argc, char** argv) {
    return run(emit_log, argc, argv);
}
