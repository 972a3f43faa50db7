// The stub broker as a program, for tests in other languages.
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

#include "support/stub_broker.h"
#include "support/stub_script.h"

namespace {

using haigha::test::StubBroker;
using haigha::test::StubLine;
using haigha::test::StubOptions;

constexpr char usage[] =
    R"(usage: stub_broker [--port N] [--user NAME] [--password WORD] [--vhost NAME]
                   [--channel-max N] [--frame-max N] [--heartbeat SECONDS]
                   [--multiple-acks] [--socket-buffer BYTES] [--script FILE]

A scripted AMQP 0-9-1 peer on the loopback interface. The first line on stdout is the port; then
each line of stdin is a command, answered by a line: `ok`, `ok VALUE` or `error SENTENCE`. A script
holds commands that are executed first. Ends on SIGTERM and when stdin closes.

Questions:
  count METHOD             how often it came; also connect, disconnect, heartbeat, protocol-header
  wait METHOD N MS         waits until it has come N times: ok, or error when the time is up
  violations               their number, and each on a line of its own
  methods                  their number, and for each a line: CONNECTION CHANNEL METHOD [ignored]
  queue NAME               how many messages are ready in it

)";

// One command. The answer, without "ok".
std::string answer(StubBroker& broker, const std::string& text) {
    StubLine line(text);
    if (line.empty() || text.starts_with('#')) return "";
    const std::string_view verb = line.word();
    if (verb == "count") {
        return " " + std::to_string(broker.count(line.word()));
    }
    if (verb == "queue") {
        return " " + std::to_string(broker.queue_size(line.rest()));
    }
    if (verb == "wait") {
        const std::string_view method = line.word();
        const std::size_t count = line.number(SIZE_MAX);
        const std::chrono::milliseconds limit(line.number(3'600'000));
        if (broker.wait_for_method(method, count, limit)) return "";
        throw std::invalid_argument(std::string(method) + " came " +
                                    std::to_string(broker.count(method)) + " times");
    }
    if (verb == "violations") {
        const auto violations = broker.violations();
        std::string all = " " + std::to_string(violations.size());
        for (const std::string& violation : violations)
            all += "\n" + violation;
        return all;
    }
    if (verb == "methods") {
        const auto received = broker.received();
        std::string all = " " + std::to_string(received.size());
        for (const haigha::test::StubReceived& one : received) {
            all += "\n" + std::to_string(one.connection) + " " + std::to_string(one.channel) + " " +
                   std::string(one.method) + (one.ignored ? " ignored" : "");
        }
        return all;
    }
    broker.command(text);
    return "";
}

template <class Number>
Number number(const char* text) {
    Number value{};
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
    if (error != std::errc() || *end != '\0') {
        throw std::invalid_argument(std::string("not a number here: ") + text);
    }
    return value;
}

StubOptions parse_options(int argc, char** argv, std::string& script) {
    StubOptions options;
    for (int at = 1; at < argc; ++at) {
        const std::string_view name = argv[at];
        if (name == "--multiple-acks") {
            options.multiple_acks = true;
            continue;
        }
        if (at + 1 == argc) throw std::invalid_argument("what about " + std::string(name) + "?");
        const char* const value = argv[++at];
        if (name == "--port") {
            options.port = number<std::uint16_t>(value);
        } else if (name == "--user") {
            options.user = value;
        } else if (name == "--password") {
            options.password = value;
        } else if (name == "--vhost") {
            options.vhost = value;
        } else if (name == "--channel-max") {
            options.channel_max = number<std::uint16_t>(value);
        } else if (name == "--frame-max") {
            options.frame_max = number<std::uint32_t>(value);
        } else if (name == "--heartbeat") {
            options.heartbeat = number<std::uint16_t>(value);
        } else if (name == "--socket-buffer") {
            options.socket_buffer = number<int>(value);
        } else if (name == "--script") {
            script = value;
        } else {
            throw std::invalid_argument("there is no option " + std::string(name));
        }
    }
    return options;
}

int serve(int argc, char** argv) {
    std::string script;
    StubBroker broker(parse_options(argc, argv, script));
    std::string line;
    if (!script.empty()) {
        std::ifstream file(script);
        if (!file) throw std::invalid_argument("cannot read " + script);
        while (std::getline(file, line))
            broker.command(line);
    }
    std::cout << broker.port() << std::endl;
    while (std::getline(std::cin, line)) {
        try {
            const std::string value = answer(broker, line);
            std::cout << "ok" << value << std::endl;
        } catch (const std::exception& error) {
            std::cout << "error " << error.what() << std::endl;
        }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "--help") {
        std::cout << usage << haigha::test::stub_script_help;
        return 0;
    }
    std::signal(SIGPIPE, SIG_IGN);
    // The system frees the port; there is nothing else to put in order.
    std::signal(SIGTERM, [](int) { ::_exit(0); });
    try {
        return serve(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "stub_broker: " << error.what() << "\n";
        return 2;
    }
}
