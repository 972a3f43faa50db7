// haigha publish: messages from the command line.
#include <memory>

#include "command_line.h"
#include "commands.h"
#include "publish_run.h"

namespace tool {

void add_publish_command(CLI::App& app, Run& run) {
    CLI::App* const command = app.add_subcommand("publish", "Publish messages");
    const auto options = std::make_shared<PublishOptions>();
    auto* const body = command->add_option(
        "body", options->body.text, "The message's body; otherwise --file, or standard input");
    command
        ->add_option("-e,--exchange", options->exchange,
                     "The exchange; the default one routes to the queue that\n--routing-key names")
        ->option_text("NAME");
    command->add_option("-r,--routing-key", options->routing_key, "The routing key")
        ->option_text("KEY");
    command->add_flag("--mandatory", options->mandatory, "Fail when no queue takes the message");
    command
        ->add_flag_callback(
            "--no-confirm", [options] { options->confirm = false; },
            "Do not wait until the broker has confirmed each message")
        ->option_text(" ");
    command
        ->add_flag_callback(
            "--confirm", [options] { options->confirm = true; }, "Do (the default)")
        ->option_text(" ");
    auto* const file =
        command->add_option("-f,--file", options->body.file, "Read the body from FILE");
    body->option_text(" ");
    file->option_text("FILE")->excludes(body);
    auto* const lines =
        command->add_flag("--lines", options->body.lines, "Each line of the input is a message");
    lines->option_text(" ")->excludes(body);
    auto* const json =
        command->add_flag("--json", options->json,
                          "Each line is a message as haigha consume --json prints it;\nits parts "
                          "give way to what options say");
    json->option_text(" ")->excludes(body)->excludes(lines);
    command->add_option("-n,--count", options->body.count, "Publish the message N times (1)")
        ->option_text("N")
        ->check(CLI::PositiveNumber)
        ->excludes(lines)
        ->excludes(json);
    add_progress_option(*command, options->progress);
    add_property_options(*command, options->properties);
    add_broker_options(*command, options->broker);
    set_examples(
        *command,
        "  haigha publish --routing-key tasks 'resize 42.jpg'\n"
        "  haigha publish -e logs -r app.error --mandatory --persistent < report.txt\n"
        "  haigha publish -r tasks --header retries=3 --content-type application/json -f job.json\n"
        "  seq 1000 | haigha publish -r numbers --lines\n"
        "  haigha consume -q a --idle 1 --json | haigha publish -r b --json\n\n"
        "Ctrl-C reads no more, publishes what was read and waits for its confirms; a second\n"
        "one ends at once.\n"
        "Exit status: 0 all messages were confirmed (with --no-confirm: sent);\n"
        "1 one was returned, refused or not sent, or its outcome is unknown, or a line was no\n"
        "message: what stood before it is published, what follows is not.");
    command->callback([options, &run] {
        // A message of JSON is a line, too.
        if (options->json) options->body.lines = true;
        run = [options] { return PublishRun(*options).run(); };
    });
}

}  // namespace tool
