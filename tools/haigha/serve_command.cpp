// haigha serve: answers requests with what a program prints.
#include <haigha/rpc.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "child_process.h"
#include "command_line.h"
#include "commands.h"
#include "interruption.h"
#include "session.h"

namespace tool {

namespace {

struct ServeOptions {
    BrokerOptions broker;
    std::string queue;
    std::uint64_t count = 0;  // 0: no end
    std::vector<std::string> command;
};

class ServeRun {
  public:
    explicit ServeRun(const ServeOptions& options)
        : options_(options),
          loop_(options.broker),
          session_(loop_, options.broker, "haigha serve"),
          channel_(session_.open_channel()) {
        ErrorSlot error;
        require(haigha_inbox_new(0, out(inbox_), error), error);
        // The others are for other servers of the queue.
        haigha_qos_args one = HAIGHA_QOS_ARGS_INIT;
        one.prefetch_count = 1;
        require(haigha_qos_wait(channel_.get(), &one, session_.timeout_ms(), nullptr, error),
                error);
        haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
        consume.queue = to_str(options.queue);
        consume.deliveries.inbox = inbox_.get();
        require(
            haigha_consume_wait(channel_.get(), &consume, session_.timeout_ms(), nullptr, error),
            error);
    }

    ExitStatus run() {
        while (!interrupted() && (options_.count == 0 || served_ < options_.count)) {
            ErrorSlot error;
            MessageHandle request;
            const haigha_status status =
                haigha_inbox_next_message(inbox_.get(), 200, out(request), error);
            if (status == HAIGHA_ERR_TIMEOUT) continue;
            require(status, error);
            serve(request.get());
            ++served_;
        }
        // A request that came meanwhile goes to another server.
        session_.close();
        return interrupted() ? exit_interrupted : exit_ok;
    }

  private:
    void serve(const haigha_message* request) {
        ErrorSlot error;
        const std::uint64_t tag = haigha_message_delivery_tag(request);
        const ChildResult answer =
            run_child(options_.command, to_view(haigha_message_body(request)));
        if (answer.status != 0) {
            complain(options_.command.front() + " ended with status " +
                     std::to_string(answer.status) + ": the request is rejected, unanswered");
            require(haigha_reject(channel_.get(), tag, 0, error), error);
            return;
        }
        const haigha_status status =
            haigha_rpc_reply(channel_.get(), request, nullptr, to_str(answer.output), error);
        if (status == HAIGHA_ERR_MALFORMED) {
            complain("a request names no reply_to: it was served, and is not answered");
        } else {
            require(status, error);
        }
        require(haigha_ack(channel_.get(), tag, 0, error), error);
    }

    const ServeOptions& options_;
    Loop loop_;
    Session session_;
    ChannelHandle channel_;
    InboxHandle inbox_;
    std::uint64_t served_ = 0;
};

}  // namespace

void add_serve_command(CLI::App& app, Run& run) {
    CLI::App* const command =
        app.add_subcommand("serve", "Answer requests with what a program prints");
    const auto options = std::make_shared<ServeOptions>();
    command->add_option("-q,--queue", options->queue, "The queue of requests")
        ->option_text("NAME")
        ->required();
    command->add_option("-n,--count", options->count, "End after N requests")
        ->option_text("N")
        ->check(CLI::PositiveNumber);
    command
        ->add_option("command", options->command,
                     "The program and its arguments, behind --: it reads the\nrequest's body from "
                     "standard input")
        ->option_text(" ")
        ->required();
    add_broker_options(*command, options->broker);
    set_examples(*command,
                 "  haigha serve -q upper -- tr a-z A-Z\n"
                 "  haigha serve -q resize -- convert - -resize 200x200 -\n\n"
                 "One request at a time; start several for more. A program that fails has its\n"
                 "request rejected: dead-lettered, where the queue has that.\n"
                 "Ctrl-C answers the request in hand, and closes.\n"
                 "Exit status: 0 done; 1 the consumer ended early; 130 interrupted.");
    command->callback([options, &run] { run = [options] { return ServeRun(*options).run(); }; });
}

}  // namespace tool
