// haigha, the command-line tool of libhaigha.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "command_line.h"
#include "commands.h"
#include "failure.h"
#include "interruption.h"

namespace {

std::string version_text() {
    const std::string header = std::to_string(HAIGHA_VERSION_MAJOR) + "." +
                               std::to_string(HAIGHA_VERSION_MINOR) + "." +
                               std::to_string(HAIGHA_VERSION_PATCH);
    const std::string library = haigha_version_string();
    return library == header ? "haigha " + header
                             : "haigha " + header + ", with libhaigha " + library;
}

tool::ExitStatus run(int argc, char** argv) {
    using namespace tool;
    CLI::App app("Talks to an AMQP 0-9-1 broker, such as RabbitMQ.", "haigha");
    app.get_formatter()->column_width(28);
    app.set_help_flag("-h,--help", "This help; haigha COMMAND --help tells more");
    app.set_version_flag("--version", version_text());
    app.require_subcommand(1);
    // So that a script may append to a command line: the later option wins.
    app.option_defaults()->take_last();
    app.footer(
        "Exit status:\n"
        "  0    done\n"
        "  1    the operation failed\n"
        "  2    the command line is wrong\n"
        "  3    no connection: unreachable, or not let in\n"
        "  4    there was no message\n"
        "  130  interrupted\n\n"
        "Environment:\n"
        "  AMQP_URL   the broker's URI, where no --uri is given\n\n"
        "Example:\n"
        "  export AMQP_URL=amqp://guest:guest@localhost\n"
        "  haigha check && haigha bench");
    Run command;
    add_publish_command(app, command);
    add_consume_command(app, command);
    add_get_command(app, command);
    add_rpc_command(app, command);
    add_serve_command(app, command);
    add_ping_command(app, command);
    add_queue_command(app, command);
    add_bench_command(app, command);
    add_check_command(app, command);
    add_description_commands(app, command);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        // Help or version.
        app.exit(success);
        return exit_ok;
    } catch (const CLI::ParseError& error) {
        complain(error.what());
        const auto chosen = app.get_subcommands();
        std::fprintf(stderr, "Run `haigha %s%s--help` for more.\n",
                     chosen.empty() ? "" : chosen.front()->get_name().c_str(),
                     chosen.empty() ? "" : " ");
        return exit_usage;
    }
    // The parser has its copies.
    hide_passwords(argc, argv);
    install_interruption();
    return command();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const tool::Failure& failure) {
        tool::complain(failure.what());
        return failure.exit_status();
    } catch (const std::exception& failure) {
        tool::complain(failure.what());
        return tool::exit_failed;
    }
}
