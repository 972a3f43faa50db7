// haigha rpc: a request, and its answer.
#include <haigha/rpc.h>

#include <memory>

#include "body_source.h"
#include "command_line.h"
#include "commands.h"
#include "interruption.h"
#include "message_output.h"
#include "property_options.h"
#include "session.h"

namespace tool {

namespace {

using RpcClientHandle = std::unique_ptr<haigha_rpc_client, Releaser<haigha_rpc_client_unref>>;

struct RpcOptions {
    BrokerOptions broker;
    std::string exchange;
    std::string routing_key;
    PropertyOptions properties;
    BodyOptions body;
    MessageFormat format = MessageFormat::line;
};

ExitStatus call(const RpcOptions& options) {
    const PropertySet properties(options.properties);
    BodySource bodies(options.body);
    const Loop loop(options.broker);
    Session session(loop, options.broker, "haigha rpc");
    ErrorSlot error;
    RpcClientHandle client;
    require(haigha_rpc_client_new(session.connection(), nullptr, out(client), error), error);
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.exchange = to_str(options.exchange);
    args.routing_key = to_str(options.routing_key);
    args.properties = properties.get();
    while (const std::string* const body = bodies.next()) {
        ReplyHandle reply;
        require(haigha_rpc_call_wait(client.get(), &args, to_str(*body), session.timeout_ms(),
                                     out(reply), error),
                error);
        print_message(haigha_reply_message(reply.get()), options.format);
        flush_output();
    }
    session.close();
    return interrupted() ? exit_interrupted : exit_ok;
}

}  // namespace

void add_rpc_command(CLI::App& app, Run& run) {
    CLI::App* const command =
        app.add_subcommand("rpc", "Publish a request, and print the answer to it");
    const auto options = std::make_shared<RpcOptions>();
    auto* const body = command->add_option(
        "body", options->body.text, "The request's body; otherwise --file, or standard input");
    command
        ->add_option("-e,--exchange", options->exchange, "The exchange; by default that of queues")
        ->option_text("NAME");
    command->add_option("-r,--routing-key", options->routing_key, "The queue of who serves")
        ->option_text("KEY")
        ->required();
    auto* const file =
        command->add_option("-f,--file", options->body.file, "Read the body from FILE");
    body->option_text(" ");
    file->option_text("FILE")->excludes(body);
    command
        ->add_flag("--lines", options->body.lines,
                   "Each line of the input is a request, made when the one\nbefore is answered")
        ->option_text(" ")
        ->excludes(body);
    add_property_options(*command, options->properties);
    add_format_option(*command, options->format);
    add_broker_options(*command, options->broker);
    set_examples(*command,
                 "  haigha rpc -r rpc_queue 30\n"
                 "  haigha rpc -r resize --format raw --timeout 60 -f large.jpg > small.jpg\n\n"
                 "The answer comes by direct reply-to, within --timeout.\n"
                 "Exit status: 0 it was answered; 1 it was not in time, or nobody serves.");
    command->callback([options, &run] { run = [options] { return call(*options); }; });
}

}  // namespace tool
