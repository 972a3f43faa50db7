// haigha completion and haigha manual: what the command line says of itself.
#include <cstdio>
#include <memory>
#include <string>

#include "command_line.h"
#include "commands.h"
#include "message_output.h"
#include "self_description.h"

namespace tool {

void add_description_commands(CLI::App& app, Run& run) {
    CLI::App* const completion =
        app.add_subcommand("completion", "Print a script that completes command lines");
    const auto shell = std::make_shared<std::string>();
    completion->add_option("shell", *shell, "bash, zsh or fish")
        ->option_text(" ")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    set_examples(*completion,
                 "  source <(haigha completion bash)\n"
                 "  haigha completion fish > ~/.config/fish/completions/haigha.fish");
    completion->callback([shell, &app, &run] {
        run = [shell, &app] {
            std::fputs(completion_script(app, *shell).c_str(), stdout);
            flush_output();
            return exit_ok;
        };
    });

    CLI::App* const manual = app.add_subcommand("manual", "Print the manual page, for man -l -");
    set_examples(*manual, "  haigha manual | man -l -");
    manual->callback([&app, &run] {
        run = [&app] {
            const std::string version = "haigha " + std::string(haigha_version_string());
            std::fputs(manual_page(app, version).c_str(), stdout);
            flush_output();
            return exit_ok;
        };
    });
}

}  // namespace tool
