// What the commands' option parsers share.
#pragma once

#include <CLI/CLI.hpp>

#include "session.h"

namespace tool {

// --uri, --password-file, --timeout, --verbose, in a group of their own.
void add_broker_options(CLI::App& command, BrokerOptions& options);

// A command's examples, below its options.
void set_examples(CLI::App& command, const std::string& examples);

// Overwrites what the process list shows of the passwords in the arguments (rule 102).
void hide_passwords(int argc, char** argv);

}  // namespace tool
