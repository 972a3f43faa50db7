// The command line's own description, for shells and for man.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace tool {

// A script for bash, zsh or fish that completes subcommands, options and the words that an option
// can be; empty for another shell.
std::string completion_script(const CLI::App& app, const std::string& shell);
// The page haigha(1), in roff.
std::string manual_page(const CLI::App& app, const std::string& version);

}  // namespace tool
