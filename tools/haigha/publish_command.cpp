// haigha publish: messages from the command line, each with a known outcome.
#include <array>
#include <chrono>
#include <memory>

#include "body_source.h"
#include "command_line.h"
#include "commands.h"
#include "failure.h"
#include "interruption.h"
#include "property_options.h"
#include "session.h"

namespace tool {

namespace {

// Confirms that may be outstanding: enough to hide the round trip, few enough to name them all.
constexpr std::uint64_t window = 500;
// Failures that are told one by one; the rest is only counted.
constexpr std::uint64_t most_told = 10;

struct PublishOptions {
    BrokerOptions broker;
    std::string exchange;
    std::string routing_key;
    bool mandatory = false;
    bool confirm = true;
    PropertyOptions properties;
    BodyOptions body;
};

class PublishRun {
  public:
    explicit PublishRun(const PublishOptions& options)
        : options_(options),
          loop_(options.broker),
          session_(loop_, options.broker, "haigha publish") {
        ErrorSlot error;
        require(haigha_inbox_new(0, out(inbox_), error), error);
        haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
        args.events.inbox = inbox_.get();
        args.confirm = options.confirm ? 1 : 0;
        channel_ = session_.open_channel(&args);
    }

    ExitStatus run() {
        const PropertySet properties(options_.properties);
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = to_str(options_.exchange);
        args.routing_key = to_str(options_.routing_key);
        args.properties = properties.get();
        args.mandatory = options_.mandatory ? 1 : 0;

        BodySource bodies(options_.body);
        while (const std::string* body = bodies.next()) {
            if (!publish(args, *body)) break;
        }
        settle();
        return conclude();
    }

  private:
    // False once the channel has ended. What was read is published, interrupted or not.
    bool publish(const haigha_publish_args& args, const std::string& body) {
        heard_ = Clock::now();
        while (settled_ + window <= sent_ && options_.confirm) {
            if (!wait()) return false;
        }
        for (;;) {
            ErrorSlot error;
            const haigha_status status =
                haigha_publish(channel_.get(), &args, to_str(body), nullptr, error);
            if (status == HAIGHA_OK) {
                ++sent_;
                return true;
            }
            if (status == HAIGHA_ERR_WOULD_BLOCK) {
                if (!wait()) return false;
                continue;
            }
            if (status != HAIGHA_ERR_CLOSED) require(status, error);
            return false;
        }
    }

    // Waits for events; false when there is no sense in going on. Throws after a silence that is
    // longer than the timeout.
    bool wait() {
        if (ended_) return false;
        collect(200);
        if (Clock::now() - heard_ > std::chrono::milliseconds(session_.timeout_ms())) {
            throw Failure(exit_failed, "the broker answered nothing for " +
                                           std::to_string(session_.timeout_ms()) + " ms; " +
                                           std::to_string(sent_ - settled_) +
                                           " messages are unconfirmed");
        }
        return true;
    }

    // The outcome of everything that was sent.
    void settle() {
        heard_ = Clock::now();
        if (options_.confirm) {
            // Interrupted, too, the outcomes are worth a moment: each is told.
            while (settled_ < sent_ && !ended_) {
                collect(200);
                if (Clock::now() - heard_ > std::chrono::milliseconds(session_.timeout_ms())) break;
            }
        }
        // Its answer comes after whatever the broker has to say about the messages.
        haigha_channel_close_wait(channel_.get(), session_.timeout_ms(), nullptr);
        collect(0);
        haigha_connection_close_wait(session_.connection(), session_.timeout_ms(), nullptr);
        collect(0);
    }

    void collect(std::int64_t timeout_ms) {
        std::size_t count = 0;
        do {
            ErrorSlot error;
            require(haigha_inbox_poll(inbox_.get(), events_.data(), sizeof events_[0],
                                      events_.size(), timeout_ms, &count, error),
                    error);
            for (std::size_t i = 0; i < count; ++i)
                handle(events_[i]);
            if (count > 0) heard_ = Clock::now();
            timeout_ms = 0;
        } while (count == events_.size());
    }

    void handle(const haigha_event& event) {
        switch (event.type) {
            case HAIGHA_EVENT_OUTCOME:
                ++settled_;
                if (event.outcome == HAIGHA_OUTCOME_NACKED) {
                    ++nacked_;
                    tell("message " + std::to_string(event.number) +
                         " was refused by the broker (nack)");
                } else if (event.outcome == HAIGHA_OUTCOME_NOT_SENT) {
                    ++not_sent_;
                } else if (event.outcome == HAIGHA_OUTCOME_UNKNOWN) {
                    ++unknown_;
                }
                break;
            case HAIGHA_EVENT_RETURN:
                ++returned_;
                tell("a message came back: " + describe(HAIGHA_OK, event.error));
                break;
            case HAIGHA_EVENT_CHANNEL_STATE:
                if (event.state == HAIGHA_STATE_CLOSED) {
                    ended_ = true;
                    if (event.error != nullptr) {
                        failed_ = true;
                        complain(describe(haigha_error_status(event.error), event.error));
                    }
                }
                break;
            default:
                break;
        }
    }

    void tell(const std::string& sentence) {
        if (++told_ <= most_told) complain(sentence);
    }

    ExitStatus conclude() {
        const std::uint64_t unsettled = options_.confirm && sent_ > settled_ ? sent_ - settled_ : 0;
        std::string parts;
        const auto part = [&parts](std::uint64_t count, const char* what) {
            if (count == 0) return;
            if (!parts.empty()) parts += ", ";
            parts += std::to_string(count) + " " + what;
        };
        part(returned_, "returned");
        part(nacked_, "refused");
        part(not_sent_, "not sent");
        part(unknown_ + unsettled, "of unknown outcome");
        if (!parts.empty() || interrupted() || failed_) {
            complain("of " + std::to_string(sent_) + (sent_ == 1 ? " message: " : " messages: ") +
                     (parts.empty() ? std::string("none failed") : parts));
        }
        if (interrupted()) return exit_interrupted;
        return parts.empty() && !failed_ ? exit_ok : exit_failed;
    }

    using Clock = std::chrono::steady_clock;

    const PublishOptions& options_;
    Loop loop_;
    Session session_;
    InboxHandle inbox_;
    ChannelHandle channel_;
    std::array<haigha_event, 256> events_;
    Clock::time_point heard_ = Clock::now();
    std::uint64_t sent_ = 0;
    std::uint64_t settled_ = 0;
    std::uint64_t nacked_ = 0;
    std::uint64_t returned_ = 0;
    std::uint64_t not_sent_ = 0;
    std::uint64_t unknown_ = 0;
    std::uint64_t told_ = 0;
    bool ended_ = false;
    bool failed_ = false;
};

}  // namespace

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
        ->add_flag("!--no-confirm", options->confirm,
                   "Do not wait until the broker has confirmed each message")
        ->option_text(" ");
    command->add_flag("--confirm", options->confirm, "Do (the default)")->option_text(" ");
    auto* const file =
        command->add_option("-f,--file", options->body.file, "Read the body from FILE");
    body->option_text(" ");
    file->option_text("FILE")->excludes(body);
    auto* const lines =
        command->add_flag("--lines", options->body.lines, "Each line of the input is a message");
    lines->option_text(" ")->excludes(body);
    command->add_option("-n,--count", options->body.count, "Publish the message N times (1)")
        ->option_text("N")
        ->check(CLI::PositiveNumber)
        ->excludes(lines);
    add_property_options(*command, options->properties);
    add_broker_options(*command, options->broker);
    set_examples(
        *command,
        "  haigha publish --routing-key tasks 'resize 42.jpg'\n"
        "  haigha publish -e logs -r app.error --mandatory --persistent < report.txt\n"
        "  haigha publish -r tasks --header retries=3 --content-type application/json -f job.json\n"
        "  seq 1000 | haigha publish -r numbers --lines\n\n"
        "Ctrl-C reads no more, publishes what was read and waits for its confirms; a second\n"
        "one ends at once.\n"
        "Exit status: 0 all messages were confirmed (with --no-confirm: sent);\n"
        "1 one was returned, refused or not sent, or its outcome is unknown.");
    command->callback([options, &run] { run = [options] { return PublishRun(*options).run(); }; });
}

}  // namespace tool
