// haigha-stub-broker: the stub broker as a program, for tests in any language.
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "stub_broker/stub_broker.h"
#include "stub_broker/stub_output.h"
#include "stub_broker/stub_script.h"

namespace {

using haigha::test::StubBroker;
using haigha::test::StubLine;
using haigha::test::StubOptions;
using haigha::test::StubOutput;

constexpr char usage[] =
    R"(usage: haigha-stub-broker [--port N] [--user NAME] [--password WORD] [--vhost NAME]
                          [--channel-max N] [--frame-max N] [--heartbeat SECONDS]
                          [--mechanisms NAMES] [--multiple-acks] [--socket-buffer BYTES]
                          [--memory MIB] [--script FILE] [--stay]

A small AMQP 0-9-1 broker in memory, on the loopback interface, for tests: honest, strict with its
clients, and misbehaving where a script says so. The first line on stdout is its URI. Then each line
of stdin is a command, answered by a line: `ok`, `ok VALUE` or `error SENTENCE`. In between, a line
  fired CONNECTION CHANNEL RULE
tells each time that a rule of the script is followed. A script holds commands that are executed
before the first line; a wrong one ends the program with 2. Ends on SIGTERM, and when stdin closes,
unless it is to --stay.

Questions:
  count METHOD             how often it came; also connect, disconnect, heartbeat, protocol-header,
                           and fired: how often a rule was followed
  wait METHOD N MS         waits until it has come N times: ok, or error when the time is up
  violations               what clients did against the protocol: their number, and each on a line
  methods                  their number, and for each a line: CONNECTION CHANNEL METHOD [ignored]
  queue NAME               how many messages are ready in it
  port                     the port's number

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
    if (verb == "port") {
        return " " + std::to_string(broker.port());
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

// What is not the broker's.
struct Programme {
    std::string script;
    bool stay = false;
};

StubOptions parse_options(int argc, char** argv, Programme& programme) {
    StubOptions options;
    for (int at = 1; at < argc; ++at) {
        const std::string_view name = argv[at];
        if (name == "--multiple-acks") {
            options.multiple_acks = true;
            continue;
        }
        if (name == "--stay") {
            programme.stay = true;
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
        } else if (name == "--mechanisms") {
            options.mechanisms = value;
        } else if (name == "--memory") {
            options.most_memory = std::size_t{number<std::uint16_t>(value)} << 20;
        } else if (name == "--script") {
            programme.script = value;
        } else {
            throw std::invalid_argument("there is no option " + std::string(name));
        }
    }
    return options;
}

// As it stands in a URI.
std::string encoded(std::string_view text) {
    constexpr std::string_view plain = "-._~";
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char character : text) {
        const auto octet = static_cast<unsigned char>(character);
        const bool word = (character >= '0' && character <= '9') ||
                          (character >= 'A' && character <= 'Z') ||
                          (character >= 'a' && character <= 'z');
        if (word || plain.find(character) != std::string_view::npos) {
            out += character;
        } else {
            out += {'%', digits[octet >> 4], digits[octet & 15U]};
        }
    }
    return out;
}

void execute_script(StubBroker& broker, const std::string& name) {
    std::ifstream file(name);
    if (!file) throw std::invalid_argument("cannot read " + name);
    std::string line;
    for (std::size_t number = 1; std::getline(file, line); ++number) {
        try {
            broker.command(line);
        } catch (const std::invalid_argument& error) {
            throw std::invalid_argument(name + ":" + std::to_string(number) + ": " + error.what());
        }
    }
}

int serve(int argc, char** argv) {
    StubOutput output;
    Programme programme;
    StubOptions options = parse_options(argc, argv, programme);
    const std::string login = encoded(options.user) + ":" + encoded(options.password);
    const std::string vhost = options.vhost == "/" ? "" : "/" + encoded(options.vhost);
    options.on_fired = [&output](const std::string& rule) { output.line("fired " + rule); };
    StubBroker broker(std::move(options));
    if (!programme.script.empty()) execute_script(broker, programme.script);
    output.line("amqp://" + login + "@127.0.0.1:" + std::to_string(broker.port()) + vhost);
    std::string line;
    while (std::getline(std::cin, line)) {
        try {
            const std::string value = answer(broker, line);
            output.line("ok" + value);
        } catch (const std::exception& error) {
            output.line(std::string("error ") + error.what());
        }
    }
    while (programme.stay)
        ::pause();
    return 0;
}

// The system frees the port; there is nothing else to put in order. A thread waits for the signal:
// a handler may come late, or between a look and the sleep that it was to end. Before other
// threads.
void end_by(int signal) {
    sigset_t ends;
    ::sigemptyset(&ends);
    ::sigaddset(&ends, signal);
    ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    std::thread([ends] {
        int came = 0;
        ::sigwait(&ends, &came);
        ::_exit(0);
    }).detach();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "--help") {
        std::cout << usage << haigha::test::stub_script_help;
        return 0;
    }
    std::signal(SIGPIPE, SIG_IGN);
    try {
        end_by(SIGTERM);
        return serve(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "haigha-stub-broker: " << error.what() << "\n";
        return 2;
    }
}
