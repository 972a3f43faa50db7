#include "publish_run.h"

#include <algorithm>

#include "interruption.h"

namespace tool {

namespace {

// Confirms that may be outstanding: enough to hide the round trip, few enough to name them all.
constexpr std::uint64_t window = 500;
// Failures that are told one by one; the rest is only counted.
constexpr std::uint64_t most_told = 10;

}  // namespace

PublishRun::PublishRun(const PublishOptions& options)
    : options_(options),
      properties_(options.properties),
      bodies_(options.body),
      progress_(options.progress),
      loop_(options.broker),
      session_(loop_, options.broker, "haigha publish") {
    ErrorSlot error;
    require(haigha_inbox_new(0, out(inbox_), error), error);
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.events.inbox = inbox_.get();
    args.confirm = options.confirm ? 1 : 0;
    channel_ = session_.open_channel(&args);
}

ExitStatus PublishRun::run() {
    publish_all();
    settle();
    return conclude();
}

void PublishRun::publish_all() {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    if (options_.exchange) args.exchange = to_str(*options_.exchange);
    if (options_.routing_key) args.routing_key = to_str(*options_.routing_key);
    args.properties = properties_.get();
    args.mandatory = options_.mandatory ? 1 : 0;
    try {
        while (const std::string* const body = bodies_.next()) {
            ++line_;
            if (!(options_.json ? publish_json(args, *body) : publish(args, *body))) return;
            if (progress_.is_due()) show_progress();
        }
    } catch (const JsonProblem& problem) {
        stopped_ = "line " + std::to_string(line_) + ": " + problem.what();
    } catch (const UnreadInput& failure) {
        stopped_ = failure.what();
    }
}

bool PublishRun::publish_json(const haigha_publish_args& given, std::string_view line) {
    // An empty one stands between messages, or at the end.
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return true;
    const JsonMessage message(line);
    TableHandle headers;
    const haigha_properties properties = properties_.over(message.properties(), headers);
    haigha_publish_args args = given;
    if (!options_.exchange && message.exchange()) args.exchange = to_str(*message.exchange());
    if (!options_.routing_key && message.routing_key()) {
        args.routing_key = to_str(*message.routing_key());
    }
    args.properties = &properties;
    try {
        return publish(args, message.body());
    } catch (const ApiFailure& failure) {
        if (failure.status() != HAIGHA_ERR_ARGUMENT) throw;
        throw JsonProblem(failure.what());
    }
}

bool PublishRun::publish(const haigha_publish_args& args, std::string_view body) {
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

bool PublishRun::wait() {
    if (ended_) return false;
    collect(200);
    if (progress_.is_due()) show_progress();
    if (Clock::now() - heard_ > std::chrono::milliseconds(session_.timeout_ms())) {
        throw Failure(exit_failed,
                      "the broker answered nothing for " + std::to_string(session_.timeout_ms()) +
                          " ms; " + std::to_string(sent_ - settled_) + " messages are unconfirmed");
    }
    return true;
}

void PublishRun::settle() {
    heard_ = Clock::now();
    if (options_.confirm) {
        // Interrupted, too, the outcomes are worth a moment: each is told.
        while (settled_ < sent_ && !ended_) {
            collect(200);
            if (progress_.is_due()) show_progress();
            if (Clock::now() - heard_ > std::chrono::milliseconds(session_.timeout_ms())) break;
        }
    }
    // Its answer comes after whatever the broker has to say about the messages.
    haigha_channel_close_wait(channel_.get(), session_.timeout_ms(), nullptr);
    collect(0);
    haigha_connection_close_wait(session_.connection(), session_.timeout_ms(), nullptr);
    collect(0);
}

void PublishRun::collect(std::int64_t timeout_ms) {
    std::size_t count = 0;
    do {
        ErrorSlot error;
        require(haigha_inbox_poll(inbox_.get(), events_.data(), sizeof events_[0], events_.size(),
                                  timeout_ms, &count, error),
                error);
        for (std::size_t i = 0; i < count; ++i)
            handle(events_[i]);
        if (count > 0) heard_ = Clock::now();
        timeout_ms = 0;
    } while (count == events_.size());
}

void PublishRun::handle(const haigha_event& event) {
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
                    progress_.clear();
                    complain(describe(haigha_error_status(event.error), event.error));
                }
            }
            break;
        default:
            break;
    }
}

void PublishRun::tell(const std::string& sentence) {
    if (++told_ > most_told) return;
    progress_.clear();
    complain(sentence);
}

void PublishRun::show_progress() {
    std::vector<ProgressCount> counts = {{"published", sent_}};
    if (options_.confirm) counts.push_back({"confirmed", settled_});
    progress_.show(counts, bodies_.done());
}

ExitStatus PublishRun::conclude() {
    progress_.finish(
        {{options_.confirm ? "confirmed" : "published", options_.confirm ? settled_ : sent_}});
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
    if (!stopped_.empty()) complain(stopped_);
    if (!parts.empty() || interrupted() || failed_ || (!stopped_.empty() && sent_ > 0)) {
        complain("of " + std::to_string(sent_) + (sent_ == 1 ? " message: " : " messages: ") +
                 (parts.empty() ? std::string("none failed") : parts));
    }
    if (interrupted()) return exit_interrupted;
    return parts.empty() && !failed_ && stopped_.empty() ? exit_ok : exit_failed;
}

}  // namespace tool
