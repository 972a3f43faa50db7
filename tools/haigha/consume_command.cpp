// haigha consume: prints messages as they come, and acknowledges what was printed.
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "command_line.h"
#include "commands.h"
#include "interruption.h"
#include "message_output.h"
#include "progress.h"
#include "session.h"
#include "terminal.h"

namespace tool {

namespace {

using Clock = std::chrono::steady_clock;

struct ConsumeOptions {
    BrokerOptions broker;
    std::string queue;
    std::uint64_t count = 0;  // 0: no end
    bool no_ack = false;
    std::uint16_t prefetch = 100;
    double idle_seconds = 0;  // 0: no end
    MessageFormat format = MessageFormat::line;
    ProgressWish progress;
};

class ConsumeRun {
  public:
    explicit ConsumeRun(const ConsumeOptions& options)
        : options_(options),
          // Between the messages on one terminal it would be in the way.
          progress_(options.progress, !is_terminal(stdout)),
          loop_(options.broker),
          session_(loop_, options.broker, "haigha consume") {
        ErrorSlot error;
        require(haigha_inbox_new(0, out(inbox_), error), error);
        channel_ = session_.open_channel();
        start();
    }

    ExitStatus run() {
        Clock::time_point last_message = Clock::now();
        while (!finished() && !interrupted()) {
            if (progress_.is_due()) show_progress();
            if (collect(200)) {
                last_message = Clock::now();
            } else if (options_.idle_seconds > 0 &&
                       std::chrono::duration<double>(Clock::now() - last_message).count() >=
                           options_.idle_seconds) {
                break;
            }
        }
        const bool cut_short = interrupted() && !finished();
        progress_.clear();
        stop();
        progress_.finish({{"consumed", printed_}});
        if (cut_short) return exit_interrupted;
        const bool enough = options_.count > 0 ? printed_ >= options_.count : printed_ > 0;
        return enough ? exit_ok : exit_empty;
    }

  private:
    void start() {
        ErrorSlot error;
        if (!options_.no_ack) {
            // Never more than are wanted: the rest is for other consumers.
            haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
            qos.prefetch_count = options_.prefetch;
            if (options_.count > 0 &&
                (qos.prefetch_count == 0 || options_.count < qos.prefetch_count)) {
                qos.prefetch_count =
                    static_cast<std::uint16_t>(std::min<std::uint64_t>(options_.count, 65535));
            }
            require(haigha_qos_wait(channel_.get(), &qos, session_.timeout_ms(), nullptr, error),
                    error);
        }
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = to_str(options_.queue);
        args.no_ack = options_.no_ack ? 1 : 0;
        args.deliveries.inbox = inbox_.get();
        ReplyHandle reply;
        require(
            haigha_consume_wait(channel_.get(), &args, session_.timeout_ms(), out(reply), error),
            error);
        consumer_tag_ = to_view(haigha_reply_consumer_tag(reply.get()));
    }

    void show_progress() {
        std::optional<double> done;
        if (options_.count > 0) {
            done = static_cast<double>(printed_) / static_cast<double>(options_.count);
        }
        progress_.show({{"consumed", printed_}}, done);
    }

    bool finished() const {
        return cancelled_ || (options_.count > 0 && printed_ >= options_.count);
    }

    // One batch of events: prints, flushes, acknowledges. True when there was a delivery.
    bool collect(std::int64_t timeout_ms) {
        std::size_t count = 0;
        ErrorSlot error;
        require(haigha_inbox_poll(inbox_.get(), events_.data(), sizeof events_[0], events_.size(),
                                  timeout_ms, &count, error),
                error);
        const std::uint64_t printed_before = printed_;
        std::uint64_t last_tag = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const haigha_event& event = events_[i];
            if (event.type == HAIGHA_EVENT_CONSUMER_CANCELLED) {
                cancelled_ = true;
                if (event.error != nullptr) {
                    ended_ =
                        std::make_unique<ApiFailure>(haigha_error_status(event.error), event.error);
                }
            }
            if (event.type != HAIGHA_EVENT_DELIVERY) continue;
            if (options_.count > 0 && printed_ >= options_.count) continue;
            print_message(event.message, options_.format);
            ++printed_;
            last_tag = event.number;
        }
        if (printed_ == printed_before) return false;
        flush_output();
        // One ack for the batch, and only now that all of it is out of our hands. What came after
        // the last wanted one goes back to the queue with the end of the channel.
        if (!options_.no_ack && !ended_) {
            const haigha_status status =
                haigha_ack(channel_.get(), last_tag, HAIGHA_MULTIPLE, error);
            if (status != HAIGHA_ERR_CLOSED) require(status, error);
        }
        return true;
    }

    // Cancels and prints what was on its way. The inbox is emptied meanwhile: while it is full the
    // library reads nothing, and the answer could not arrive.
    void stop() {
        if (!cancelled_) {
            if (interrupted()) complain("interrupted; cancelling the consumer");
            ErrorSlot error;
            require(haigha_cancel(channel_.get(), to_str(consumer_tag_), nullptr, error), error);
            const auto deadline = Clock::now() + std::chrono::milliseconds(session_.timeout_ms());
            while (!cancelled_ && Clock::now() < deadline)
                collect(100);
        } else if (ended_) {
            throw ApiFailure(*ended_);
        } else {
            throw Failure(exit_failed, "the broker cancelled the consumer: the queue " +
                                           options_.queue + " was deleted, or its node went down");
        }
        session_.close();
    }

    const ConsumeOptions& options_;
    Progress progress_;
    Loop loop_;
    Session session_;
    InboxHandle inbox_;
    ChannelHandle channel_;
    std::string consumer_tag_;
    std::array<haigha_event, 256> events_;
    std::uint64_t printed_ = 0;
    bool cancelled_ = false;
    std::unique_ptr<ApiFailure> ended_;
};

}  // namespace

void add_consume_command(CLI::App& app, Run& run) {
    CLI::App* const command =
        app.add_subcommand("consume", "Print the messages of a queue as they come");
    const auto options = std::make_shared<ConsumeOptions>();
    command->add_option("-q,--queue", options->queue, "The queue")->option_text("NAME")->required();
    auto* const count = command->add_option("-n,--count", options->count, "End after N messages");
    count->option_text("N")->check(CLI::PositiveNumber);
    command
        ->add_flag("--no-ack", options->no_ack,
                   "The broker forgets messages when it has sent them; not with\n--count, since "
                   "it sends more than that")
        ->option_text(" ")
        ->excludes(count);
    command
        ->add_flag_callback(
            "--ack", [options] { options->no_ack = false; },
            "Acknowledge each once it was printed (the default)")
        ->option_text(" ");
    command
        ->add_option("--prefetch", options->prefetch,
                     "Messages that may wait here unprinted (100; 0: no limit)")
        ->option_text("N");
    command->add_option("--idle", options->idle_seconds, "End when none has come for so long")
        ->option_text("SECONDS")
        ->check(CLI::NonNegativeNumber);
    add_format_option(*command, options->format);
    add_progress_option(*command, options->progress);
    add_broker_options(*command, options->broker);
    set_examples(
        *command,
        "  haigha consume --queue tasks\n"
        "  haigha consume -q tasks --count 10 --json | jq .body\n"
        "  haigha consume -q backlog --idle 2 > backlog.txt\n\n"
        "A message is acknowledged once it has been printed. Ctrl-C cancels the consumer,\n"
        "prints what was on its way, and closes.\n"
        "Exit status: 0 done; 1 the consumer ended early; 4 with --idle: none, or fewer\n"
        "than --count; 130 interrupted.");
    command->callback([options, &run] { run = [options] { return ConsumeRun(*options).run(); }; });
}

}  // namespace tool
