// haigha get: at most one message of a queue.
#include <memory>

#include "command_line.h"
#include "commands.h"
#include "message_output.h"
#include "session.h"

namespace tool {

namespace {

struct GetOptions {
    BrokerOptions broker;
    std::string queue;
    bool no_ack = false;
    bool requeue = false;
    MessageFormat format = MessageFormat::line;
};

ExitStatus get(const GetOptions& options) {
    const Loop loop(options.broker);
    Session session(loop, options.broker, "haigha get");
    const ChannelHandle channel = session.open_channel();

    haigha_get_args args = HAIGHA_GET_ARGS_INIT;
    args.queue = to_str(options.queue);
    args.no_ack = options.no_ack ? 1 : 0;
    ReplyHandle reply;
    ErrorSlot error;
    require(haigha_get_wait(channel.get(), &args, session.timeout_ms(), out(reply), error), error);
    const haigha_message* const message = haigha_reply_message(reply.get());
    if (message == nullptr) {
        session.close();
        complain("the queue " + options.queue + " is empty");
        return exit_empty;
    }
    print_message(message, options.format);
    // Settled only once it is out of our hands.
    flush_output();
    const std::uint64_t tag = haigha_message_delivery_tag(message);
    if (options.requeue) {
        require(haigha_nack(channel.get(), tag, HAIGHA_REQUEUE, error), error);
    } else if (!options.no_ack) {
        require(haigha_ack(channel.get(), tag, 0, error), error);
    }
    session.close();
    return exit_ok;
}

}  // namespace

void add_get_command(CLI::App& app, Run& run) {
    CLI::App* const command = app.add_subcommand("get", "Take one message from a queue");
    const auto options = std::make_shared<GetOptions>();
    command->add_option("-q,--queue", options->queue, "The queue")->option_text("NAME")->required();
    auto* const no_ack = command->add_flag("--no-ack", options->no_ack,
                                           "The broker forgets the message when it has sent it");
    command
        ->add_flag("--requeue", options->requeue, "Only look: give the message back to the queue")
        ->option_text(" ")
        ->excludes(no_ack);
    no_ack->option_text(" ");
    add_format_option(*command, options->format);
    add_broker_options(*command, options->broker);
    set_examples(*command,
                 "  haigha get --queue tasks\n"
                 "  haigha get -q tasks --requeue --format json\n"
                 "  while haigha get -q tasks >> tasks.txt; do :; done\n\n"
                 "Exit status: 0 a message was printed, and then acknowledged;\n"
                 "4 the queue is empty.");
    command->callback([options, &run] { run = [options] { return get(*options); }; });
}

}  // namespace tool
