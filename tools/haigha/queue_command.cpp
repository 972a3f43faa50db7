// haigha queue: makes, shows, empties and deletes a queue.
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "command_line.h"
#include "commands.h"
#include "session.h"

namespace tool {

namespace {

struct QueueOptions {
    BrokerOptions broker;
    std::string name;
    bool transient = false;
    std::string type;
    std::vector<std::string> arguments;  // NAME=VALUE
    std::string exchange;
    std::string routing_key;
};

// A whole number as such, as RabbitMQ wants its limits; all else is text.
void add_argument(haigha_table* table, std::string_view argument) {
    const std::size_t equals = argument.find('=');
    if (equals == std::string_view::npos) {
        throw Failure(exit_usage, "--argument takes NAME=VALUE, not \"" + std::string(argument) +
                                      "\", which has no =");
    }
    const haigha_str name = to_str(argument.substr(0, equals));
    const std::string_view value = argument.substr(equals + 1);
    std::int64_t number = 0;
    const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
    ErrorSlot error;
    if (failed == std::errc() && end == value.data() + value.size()) {
        require(haigha_table_add_int(table, name, number, error), error);
    } else {
        require(haigha_table_add_string(table, name, to_str(value), error), error);
    }
}

// One operation on a channel of its own.
class QueueRun {
  public:
    explicit QueueRun(const QueueOptions& options)
        : options_(options),
          loop_(options.broker),
          session_(loop_, options.broker, "haigha queue"),
          channel_(session_.open_channel()) {}

    ExitStatus declare() {
        TableHandle arguments;
        require(haigha_table_new(out(arguments), error_), error_);
        if (!options_.type.empty()) {
            add_argument(arguments.get(), "x-queue-type=" + options_.type);
        }
        for (const std::string& argument : options_.arguments) {
            add_argument(arguments.get(), argument);
        }
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = to_str(options_.name);
        args.durable = options_.transient ? 0 : 1;
        args.arguments = arguments.get();
        ReplyHandle reply;
        require(haigha_queue_declare_wait(channel_.get(), &args, session_.timeout_ms(), out(reply),
                                          error_),
                error_);
        if (!options_.exchange.empty()) {
            haigha_queue_bind_args bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
            bind.queue = args.queue;
            bind.exchange = to_str(options_.exchange);
            bind.routing_key = to_str(options_.routing_key);
            require(haigha_queue_bind_wait(channel_.get(), &bind, session_.timeout_ms(), nullptr,
                                           error_),
                    error_);
        }
        return conclude();
    }

    ExitStatus show() {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = to_str(options_.name);
        args.passive = 1;
        ReplyHandle reply;
        require(haigha_queue_declare_wait(channel_.get(), &args, session_.timeout_ms(), out(reply),
                                          error_),
                error_);
        std::printf("%u messages ready, %u consumers\n", haigha_reply_message_count(reply.get()),
                    haigha_reply_consumer_count(reply.get()));
        return conclude();
    }

    ExitStatus purge() {
        ReplyHandle reply;
        require(haigha_queue_purge_wait(channel_.get(), to_str(options_.name),
                                        session_.timeout_ms(), out(reply), error_),
                error_);
        std::printf("%u messages purged\n", haigha_reply_message_count(reply.get()));
        return conclude();
    }

    ExitStatus remove() {
        haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        args.queue = to_str(options_.name);
        ReplyHandle reply;
        require(haigha_queue_delete_wait(channel_.get(), &args, session_.timeout_ms(), out(reply),
                                         error_),
                error_);
        std::printf("deleted, with %u messages\n", haigha_reply_message_count(reply.get()));
        return conclude();
    }

  private:
    ExitStatus conclude() {
        session_.close();
        return exit_ok;
    }

    const QueueOptions& options_;
    Loop loop_;
    Session session_;
    ChannelHandle channel_;
    ErrorSlot error_;
};

}  // namespace

void add_queue_command(CLI::App& app, Run& run) {
    CLI::App* const command = app.add_subcommand("queue", "Make, show, empty or delete a queue");
    command->require_subcommand(1);
    const auto options = std::make_shared<QueueOptions>();
    const auto add = [&](const char* verb, const char* meaning,
                         ExitStatus (QueueRun::*operation)()) {
        CLI::App* const sub = command->add_subcommand(verb, meaning);
        sub->add_option("name", options->name, "The queue's name")->option_text(" ")->required();
        add_broker_options(*sub, options->broker);
        sub->callback([options, operation, &run] {
            run = [options, operation] { return (QueueRun(*options).*operation)(); };
        });
        return sub;
    };
    CLI::App* const declare =
        add("declare", "Make it, unless there is one just like it", &QueueRun::declare);
    declare->add_flag("--transient", options->transient, "Gone after a restart of the broker");
    declare->add_option("--type", options->type, "The queue's type")
        ->option_text("classic|quorum|stream");
    declare
        ->add_option("--argument", options->arguments,
                     "For example x-max-length=1000; may be repeated")
        ->option_text("NAME=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    declare->add_option("-e,--exchange", options->exchange, "Bind it to this exchange")
        ->option_text("NAME");
    declare->add_option("-r,--routing-key", options->routing_key, "With this routing key")
        ->option_text("KEY");
    add("show", "Count its messages and consumers", &QueueRun::show);
    add("purge", "Empty it", &QueueRun::purge);
    add("delete", "Delete it with its messages", &QueueRun::remove);
    set_examples(*command,
                 "  haigha queue declare tasks\n"
                 "  haigha queue declare audit --type quorum -e logs -r '#'\n"
                 "  haigha queue show tasks && haigha queue delete tasks");
}

}  // namespace tool
