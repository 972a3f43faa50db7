#include "message_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "failure.h"
#include "message_json.h"

namespace tool {

void add_format_option(CLI::App& command, MessageFormat& format) {
    static const std::map<std::string, MessageFormat> names = {
        {"line", MessageFormat::line}, {"raw", MessageFormat::raw}, {"json", MessageFormat::json}};
    command
        .add_option("--format", format,
                    "line: the body and a newline (the default)\n"
                    "raw:  the body alone, for a file or a pipe\n"
                    "json: an object a line, with properties and headers")
        ->option_text("line|raw|json")
        ->transform(CLI::CheckedTransformer(names, CLI::ignore_case));
    command
        .add_flag_callback(
            "--json", [&format] { format = MessageFormat::json; }, "The same as --format json")
        ->option_text(" ");
}

void print_message(const haigha_message* message, MessageFormat format) {
    if (format == MessageFormat::json) {
        const std::string text = to_json(message).dump() + "\n";
        std::fwrite(text.data(), 1, text.size(), stdout);
        return;
    }
    const std::string_view body = to_view(haigha_message_body(message));
    std::fwrite(body.data(), 1, body.size(), stdout);
    if (format == MessageFormat::line) std::fputc('\n', stdout);
}

void flush_output() {
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        throw Failure(exit_failed,
                      std::string("cannot write to standard output: ") + std::strerror(errno));
    }
}

}  // namespace tool
