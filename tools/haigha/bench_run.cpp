#include "bench_run.h"

#include <algorithm>
#include <chrono>

#include "bench_progress.h"
#include "failure.h"
#include "interruption.h"

namespace tool {

namespace {

double seconds_of(const timeval& after, const timeval& before) {
    return static_cast<double>(after.tv_sec - before.tv_sec) +
           static_cast<double>(after.tv_usec - before.tv_usec) / 1e6;
}

}  // namespace

BenchRun::BenchRun(const BenchOptions& options)
    : options_(options), state_(options), exchange_(options.exchange), result_(options) {
    result_.confirm_latency = &state_.confirm_latency;
    result_.deliver_latency = &state_.deliver_latency;
    result_.timeline = &timeline_;
    loop_.emplace(options.broker);
}

BenchResult BenchRun::run() {
    try {
        prepare();
    } catch (const Failure&) {
        if (queue_) queue_->remove();
        throw;
    }
    getrusage(RUSAGE_SELF, &cpu_before_);
    state_.begin(now_ns());
    const std::string given_up = watch();
    finish();
    result_.failure = state_.failure().empty() ? given_up : state_.failure();
    return result_;
}

std::unique_ptr<Session> BenchRun::connect(std::string_view purpose) {
    haigha_then events = {};
    events.fn = on_connection_event;
    events.user_data = this;
    return std::make_unique<Session>(*loop_, options_.broker, purpose, &events);
}

void BenchRun::prepare() {
    if (options_.channels > 0) publishing_ = connect("haigha bench, publishing");
    if (options_.consumers > 0) consuming_ = connect("haigha bench, consuming");
    const Session& home = consuming_ ? *consuming_ : *publishing_;
    result_.broker = broker_name(home);
    queue_.emplace(options_, home);
    result_.queue = queue_->description();
    routing_key_ = options_.routing_key.empty() ? queue_->name() : options_.routing_key;
    for (std::uint32_t i = 0; i < options_.channels; ++i) {
        producers_.push_back(
            std::make_unique<BenchProducer>(state_, *publishing_, exchange_, routing_key_));
    }
}

std::string BenchRun::watch() {
    // The connections and channels are ready; from here on everything is measured.
    for (std::uint32_t i = 0; i < options_.consumers; ++i) {
        consumers_.push_back(std::make_unique<BenchConsumer>(state_, *consuming_, queue_->name()));
    }
    post_pump();

    // To publish at a rate, the loop's thread is woken often enough that a turn is a few messages.
    const auto slice = std::chrono::microseconds(
        options_.rate > 0 ? static_cast<int>(std::clamp(1e6 / options_.rate, 1000.0, 20000.0))
                          : 50000);
    BenchProgress progress(state_);
    last_event_ns_ = state_.start_ns();
    while (!state_.wait_for_end(slice)) {
        const std::uint64_t at_ns = now_ns();
        progress.update(at_ns);
        timeline_.note(sample(at_ns));
        const double elapsed = static_cast<double>(at_ns - state_.start_ns()) / 1e9;
        const bool over = options_.duration_seconds > 0 && elapsed >= options_.duration_seconds;
        if (interrupted()) result_.interrupted = true;
        if (over || interrupted()) {
            state_.stop_publishing();
            if (options_.channels == 0) return "";
        }
        // Also to see that everything has come to its end when nothing else happens.
        if (options_.rate > 0 || state_.production_ended()) post_pump();
        if (is_stalled(at_ns)) {
            return "nothing has moved for " + std::to_string(options_.broker.timeout_ms()) +
                   " ms: given up";
        }
    }
    return "";
}

bool BenchRun::is_stalled(std::uint64_t at_ns) {
    const BenchTallies& tallies = state_.tallies;
    const std::uint64_t events = tallies.published.get() + tallies.confirmed.get() +
                                 tallies.consumed.get() + tallies.foreign.get();
    const bool blocked = tallies.blocked.load(std::memory_order_relaxed) && !interrupted();
    if (events != last_events_ || blocked) {
        last_events_ = events;
        last_event_ns_ = at_ns;
    }
    // Between the messages of a slow rate nothing moves either.
    const double pause_ms = options_.rate > 0 ? 2000 / options_.rate : 0;
    return static_cast<double>(at_ns - last_event_ns_) / 1e6 >=
           static_cast<double>(options_.broker.timeout_ms()) + pause_ms;
}

void BenchRun::post_pump() {
    if (!publishing_ || pump_posted_.exchange(true)) return;
    // Whatever completes runs on the loop's thread, and a flush asks nothing of the broker.
    haigha_then then = {};
    then.fn = on_turn;
    then.user_data = this;
    if (haigha_connection_flush(publishing_->connection(), &then, nullptr) != HAIGHA_OK) {
        pump_posted_ = false;
    }
}

void BenchRun::on_turn(const haigha_event*, void* self) {
    auto& run = *static_cast<BenchRun*>(self);
    run.pump_posted_ = false;
    for (const auto& producer : run.producers_)
        producer->pump();
    run.state_.check_end();
}

void BenchRun::on_connection_event(const haigha_event* event, void* self) {
    auto& run = *static_cast<BenchRun*>(self);
    if (event->type == HAIGHA_EVENT_BLOCKED) {
        run.state_.tallies.blocked = true;
    } else if (event->type == HAIGHA_EVENT_UNBLOCKED) {
        run.state_.tallies.blocked = false;
    } else if (event->type == HAIGHA_EVENT_CONNECTION_STATE &&
               event->state == HAIGHA_STATE_CLOSED && event->error != nullptr) {
        run.state_.fail(describe(haigha_error_status(event->error), event->error));
    }
}

BenchTimeline::Sample BenchRun::sample(std::uint64_t at_ns) const {
    const BenchTallies& tallies = state_.tallies;
    return {static_cast<double>(at_ns - state_.start_ns()) / 1e9, tallies.published.get(),
            tallies.confirmed.get(), tallies.consumed.get()};
}

void BenchRun::finish() {
    state_.finish();
    timeline_.finish(sample(now_ns()));
    const std::int64_t timeout_ms = options_.broker.timeout_ms();
    const bool unanswered = !options_.confirm && options_.transaction == 0;
    if (unanswered && options_.consumers == 0) {
        // Published is what the broker has taken: it answers after it has handled them all.
        for (const auto& producer : producers_)
            producer->close(timeout_ms);
        state_.tallies.last_published_ns.set(now_ns());
    }
    rusage cpu_after{};
    getrusage(RUSAGE_SELF, &cpu_after);
    result_.user_seconds = seconds_of(cpu_after.ru_utime, cpu_before_.ru_utime);
    result_.system_seconds = seconds_of(cpu_after.ru_stime, cpu_before_.ru_stime);

    for (const auto& consumer : consumers_)
        consumer->close(timeout_ms);
    queue_->remove();
    for (const Session* session : {publishing_.get(), consuming_.get()}) {
        if (session == nullptr) continue;
        add_connection(session);
        haigha_connection_close_wait(session->connection(), timeout_ms, nullptr);
    }

    const BenchTallies& tallies = state_.tallies;
    const auto stream = [this](const Tally& messages, const Tally& last_ns) {
        const std::uint64_t last = std::max(last_ns.get(), state_.start_ns());
        return BenchResult::Stream{messages.get(),
                                   static_cast<double>(last - state_.start_ns()) / 1e9};
    };
    result_.published = stream(tallies.published, tallies.last_published_ns);
    result_.confirmed = stream(tallies.confirmed, tallies.last_confirmed_ns);
    result_.consumed = stream(tallies.consumed, tallies.last_consumed_ns);
    result_.nacked = tallies.nacked.get();
    result_.not_sent = tallies.not_sent.get();
    result_.unknown = tallies.unknown.get();
    result_.duplicate = tallies.duplicate.get();
    result_.corrupt = tallies.corrupt.get();
    result_.foreign = tallies.foreign.get();
    result_.missing = state_.missing();
}

void BenchRun::add_connection(const Session* session) {
    const auto number = [session](std::string_view name) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(0, session->info(name)));
    };
    result_.writes += number("writes");
    result_.reads += number("reads");
    result_.bytes_sent += number("bytes_sent");
    result_.bytes_received += number("bytes_received");
}

}  // namespace tool
