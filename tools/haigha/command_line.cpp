#include "command_line.h"

#include <algorithm>
#include <cstring>

#include "failure.h"

namespace tool {

void add_broker_options(CLI::App& command, BrokerOptions& options) {
    const char* const group = "Broker";
    command
        .add_option("-u,--uri", options.uri,
                    "amqp://user:password@host:port/vhost?option=value\n"
                    "Without it AMQP_URL of the environment, or else\n"
                    "amqp://guest:guest@localhost:5672")
        ->option_text("URI")
        ->group(group);
    command
        .add_option("--password-file", options.password_file,
                    "Read the password from the first line of FILE (-: standard\n"
                    "input), so that it is in no command line")
        ->option_text("FILE")
        ->group(group);
    command
        .add_option("--timeout", options.timeout_seconds,
                    "Seconds to wait for the broker, to connect and for each\nanswer (10)")
        ->option_text("SECONDS")
        ->check(CLI::Range(0.001, 3600.0))
        ->group(group);
    command
        .add_flag("-v,--verbose", options.verbosity,
                  "The library's log on stderr; twice: every frame, too")
        ->group(group);
}

void set_examples(CLI::App& command, const std::string& examples) {
    command.footer("Examples:\n" + examples);
}

void hide_passwords(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::size_t size = std::strlen(argv[i]);
        const std::string clean = without_passwords({argv[i], size});
        if (clean == std::string_view(argv[i], size)) continue;
        // In place: what the process list shows is this very memory.
        const std::size_t kept = std::min(size, clean.size());
        std::memcpy(argv[i], clean.data(), kept);
        std::memset(argv[i] + kept, 0, size - kept);
    }
}

}  // namespace tool
