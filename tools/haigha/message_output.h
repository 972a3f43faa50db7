// Received messages on standard output.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "owned_handles.h"

namespace tool {

enum class MessageFormat {
    line,  // the body and a newline
    raw,   // the body and nothing else
    json,  // one JSON object a line, with exchange, routing key, properties and headers
};

void add_format_option(CLI::App& command, MessageFormat& format);

// Writes to standard output's buffer.
void print_message(const haigha_message* message, MessageFormat format);

// Throws when anything that was printed since the last time could not be written.
void flush_output();

}  // namespace tool
