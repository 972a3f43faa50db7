// The subcommands. Each adds itself to the parser; the one that the command line names sets `run`.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

#include "failure.h"

namespace tool {

using Run = std::function<ExitStatus()>;

void add_publish_command(CLI::App& app, Run& run);
void add_consume_command(CLI::App& app, Run& run);
void add_get_command(CLI::App& app, Run& run);
void add_rpc_command(CLI::App& app, Run& run);
void add_serve_command(CLI::App& app, Run& run);
void add_ping_command(CLI::App& app, Run& run);
void add_queue_command(CLI::App& app, Run& run);
void add_bench_command(CLI::App& app, Run& run);
void add_check_command(CLI::App& app, Run& run);
void add_description_commands(CLI::App& app, Run& run);

}  // namespace tool
