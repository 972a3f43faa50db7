#include "storm/storm.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace haigha::storm {

using test::ChannelHandle;
using test::Err;
using test::LoopHandle;
using test::OptionsHandle;
using test::out;
using test::str;
using test::TableHandle;

namespace {

constexpr unsigned queues = 4;
constexpr unsigned publishers = 8;
constexpr unsigned consumers_of_a_queue = 2;
constexpr std::int64_t heartbeat_ms = 1000;
constexpr std::int64_t calm_ms = 2000;
// How long what has to come about may take. Only a failure takes so long.
constexpr std::int64_t patience_ms = 120'000;

constexpr std::string_view exchange = "storm";

// The first two are classic where there is one node: a classic queue goes with its node.
bool is_quorum(unsigned queue, const StormSetting& setting) {
    return setting.nodes > 1 || queue >= 2;
}

std::string queue_name(unsigned queue) {
    return "storm-" + std::to_string(queue);
}

// Two publishers each: for two queues by the default exchange, for the others, where the second one
// is a pool, by an exchange and a binding.
unsigned queue_of(unsigned publisher) {
    constexpr unsigned of[publishers] = {0, 0, 2, 2, 1, 3, 1, 3};
    return of[publisher];
}

class Storm {
  public:
    Storm(const StormSetting& setting, StormResult& result)
        : setting_(setting),
          result_(result),
          findings_(result.findings),
          book_(findings_),
          brokers_(setting.nodes),
          weather_(targets_, findings_, setting.tells) {}

    void run();

  private:
    bool begin();
    bool open_links();
    bool declare();
    bool start_traffic();
    void warm_up();
    OptionsHandle options(unsigned path);
    // Has the publishers finish what they have begun, and the consumers get it.
    bool settle();
    void end();
    void close_loop(LoopHandle& loop);
    void sum_up();
    void judge();
    Holdings holdings_when_closed();

    template <class Done>
    bool wait_until(Done done) {
        const std::int64_t end = now_ms() + patience_ms;
        while (!done()) {
            if (now_ms() > end) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        return true;
    }

    const StormSetting& setting_;
    StormResult& result_;
    Findings& findings_;
    OperationBook book_;
    test::BrokerNodes brokers_;
    StormTargets targets_;
    StormWeather weather_;
    StormConsumer::Accounts accounts_;
    LoopHandle loops_[paths];
    std::vector<std::unique_ptr<StormLink>> links_[paths];
};

OptionsHandle Storm::options(unsigned path) {
    std::string uri = "amqp://guest:guest@";
    for (const auto& proxy : targets_.proxies[path])
        uri += (uri.back() == '@' ? "127.0.0.1:" : ",127.0.0.1:") + std::to_string(proxy->port());
    // What a fault has made of the broker's words is no reason to give up.
    uri += "?recovery=1&recovery_permanent=retry&host_order=shuffled";
    const std::pair<const char*, std::int64_t> numbers[] = {
        {"recovery_delay_ms", 50},
        {"recovery_max_delay_ms", 500},
        {"recovery_stable_ms", 1000},
        {"heartbeat", heartbeat_ms / 1000},
        {"connection_timeout", 5000},
        {"rpc_timeout_ms", 5000},
        {"outbox_high_water_bytes", 2 * 1024 * 1024},
    };
    OptionsHandle made;
    Err error;
    haigha_status status = haigha_options_new(out(made), error);
    if (status == HAIGHA_OK) status = haigha_options_set_uri(made.get(), str(uri), error);
    for (const auto& [name, value] : numbers) {
        if (status == HAIGHA_OK) {
            status = haigha_options_set_int(made.get(), str(name), value, error);
        }
    }
    if (status != HAIGHA_OK) findings_.add("cannot set options", error.message());
    return made;
}

bool Storm::open_links() {
    for (unsigned path = 0; path < paths; ++path) {
        Err error;
        if (haigha_loop_start(out(loops_[path]), error) != HAIGHA_OK) {
            findings_.add("cannot start a loop", error.message());
            return false;
        }
        for (unsigned node = 0; node < brokers_.nodes(); ++node) {
            targets_.proxies[path].push_back(
                std::make_unique<test::FaultProxy>(brokers_.port(node)));
        }
        const OptionsHandle chosen = options(path);
        for (int i = 0; i < 2; ++i) {
            links_[path].push_back(std::make_unique<StormLink>(
                (path == 0 ? "publishers " : "consumers ") + std::to_string(i), book_, findings_,
                [this, path] { return weather_.free_since(path); }));
            if (!links_[path].back()->open(loops_[path].get(), chosen.get())) return false;
        }
    }
    return true;
}

// By the connections that use it, so that it is theirs to bring back.
bool Storm::declare() {
    Err error;
    ChannelHandle channel;
    const auto failed = [&](haigha_status status) {
        if (status == HAIGHA_OK) return false;
        findings_.add("cannot declare", error.message());
        return true;
    };
    for (unsigned path = 0; path < paths; ++path) {
        if (failed(haigha_channel_open_wait(links_[path][0]->get(), nullptr, -1, out(channel),
                                            error))) {
            return false;
        }
        haigha_exchange_declare_args topic = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        topic.exchange = str(exchange);
        topic.type = str("topic");
        topic.durable = 1;
        if (failed(haigha_exchange_declare_wait(channel.get(), &topic, -1, nullptr, error))) {
            return false;
        }
    }
    for (unsigned queue = 0; queue < queues; ++queue) {
        const std::string name = queue_name(queue);
        TableHandle arguments;
        if (failed(haigha_table_new(out(arguments), error))) return false;
        if (is_quorum(queue, setting_)) {
            haigha_table_add_string(arguments.get(), str("x-queue-type"), str("quorum"), nullptr);
            if (setting_.quorum_limits) {
                haigha_table_add_int(arguments.get(), str("x-delivery-limit"), -1, nullptr);
            }
        }
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(name);
        args.durable = 1;
        args.arguments = arguments.get();
        if (failed(haigha_queue_declare_wait(channel.get(), &args, -1, nullptr, error))) {
            return false;
        }
        haigha_queue_bind_args bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
        bind.queue = str(name);
        bind.exchange = str(exchange);
        bind.routing_key = str(name);
        if (failed(haigha_queue_bind_wait(channel.get(), &bind, -1, nullptr, error))) return false;
    }
    return true;
}

bool Storm::start_traffic() {
    const std::int64_t most_seconds = (setting_.duration_ms + calm_ms + 2 * patience_ms) / 1000;
    for (unsigned i = 0; i < publishers; ++i) {
        accounts_.push_back(std::make_unique<Account>(
            i, queue_of(i), static_cast<std::size_t>(most_seconds * setting_.per_second),
            findings_));
        if (setting_.nodes > 1) accounts_.back()->allow_returns();
        if (!outlet_keeps_order(i)) accounts_.back()->allow_overtaking();
    }
    for (unsigned i = 0; i < queues * consumers_of_a_queue; ++i) {
        const unsigned queue = i / consumers_of_a_queue;
        const unsigned which = i % consumers_of_a_queue;
        targets_.consumers.push_back(std::make_unique<StormConsumer>(
            ConsumerSetting{queue, queue_name(queue), "consumer-" + std::to_string(i), which == 1,
                            (queue + which) % 2 == 1},
            *links_[1][which], accounts_, book_, findings_));
        if (!targets_.consumers.back()->start()) return false;
    }
    for (unsigned i = 0; i < publishers; ++i) {
        const unsigned queue = queue_of(i);
        PublisherSetting publisher;
        publisher.index = i;
        if (queue % 2 == 1) publisher.exchange = exchange;
        publisher.routing_key = queue_name(queue);
        publisher.per_second = setting_.per_second;
        targets_.publishers.push_back(std::make_unique<StormPublisher>(
            publisher, *links_[0][i % 2], *accounts_[i], book_, findings_));
        if (!targets_.publishers.back()->start()) return false;
    }
    return true;
}

bool Storm::settle() {
    for (const auto& publisher : targets_.publishers)
        publisher->produce(StormPublisher::Pace::none);
    const bool settled = wait_until([&] {
        return std::all_of(targets_.publishers.begin(), targets_.publishers.end(),
                           [](const auto& publisher) { return publisher->idle(); });
    });
    const bool delivered =
        settled && wait_until([&] {
            return std::all_of(accounts_.begin(), accounts_.end(),
                               [](const auto& account) { return account->undelivered() == 0; });
        });
    if (!settled) findings_.add("does not calm down", "publishes are not settled");
    if (settled && !delivered) findings_.add("does not calm down", "consumers miss messages");
    const bool back = wait_until([&] {
        return std::all_of(std::begin(links_), std::end(links_), [](const auto& links) {
            return std::all_of(links.begin(), links.end(),
                               [](const auto& link) { return link->recovered(); });
        });
    });
    if (!back) findings_.add("does not calm down", "a connection is not back");
    for (const auto& consumer : targets_.consumers)
        consumer->settle_rest();
    return settled && delivered && back;
}

// What is kept for re-use is there, as much as is kept, and everything has come back once: what is
// held when it is calm again is the measure.
void Storm::warm_up() {
    const auto tell = [&](const char* what) {
        for (const auto& proxies : targets_.proxies) {
            for (const auto& proxy : proxies)
                proxy->command(what);
        }
    };
    tell("black-hole on");
    for (const auto& publisher : targets_.publishers)
        publisher->produce(StormPublisher::Pace::flood);
    std::this_thread::sleep_for(std::chrono::milliseconds(heartbeat_ms));
    for (const auto& publisher : targets_.publishers)
        publisher->produce(StormPublisher::Pace::none);
    tell("black-hole off");
    std::this_thread::sleep_for(std::chrono::milliseconds(calm_ms));
    tell("reset");
}

bool Storm::begin() {
    if (!brokers_.start()) {
        findings_.add("no broker", "tools/broker did not start one");
        return false;
    }
    targets_.brokers = &brokers_;
    weather_.set_confirmed([this] {
        std::uint64_t sum = 0;
        for (const auto& account : accounts_)
            sum += account->totals().outcomes[HAIGHA_OUTCOME_CONFIRMED];
        return sum;
    });
    if (!open_links() || !declare() || !start_traffic()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(calm_ms));
    warm_up();
    if (!wait_until([&] {
            return links_[0][0]->history().losses != 0 && links_[1][0]->history().losses != 0;
        }) ||
        !settle()) {
        return false;
    }
    result_.before = holdings_now();
    return true;
}

void Storm::close_loop(LoopHandle& loop) {
    if (!loop) return;
    Bell closed;
    if (book_.start(
            "loop close",
            [&](const haigha_then* then) { return haigha_loop_close(loop.get(), then, nullptr); },
            [&](const haigha_event&) { closed.ring(); }) == HAIGHA_OK &&
        !closed.wait_beyond(0, patience_ms)) {
        findings_.add("cannot close", "a loop");
    }
    loop.reset();
}

void Storm::end() {
    for (const auto& publisher : targets_.publishers)
        publisher->stop();
    for (const auto& consumer : targets_.consumers)
        consumer->stop();
    for (auto& links : links_) {
        for (const auto& link : links)
            link->close(-1);
    }
    for (LoopHandle& loop : loops_)
        close_loop(loop);
}

void Storm::sum_up() {
    for (int kind = 0; kind < fault_kinds; ++kind)
        result_.faults[kind] = weather_.count(static_cast<FaultKind>(kind));
    result_.latest_ms = weather_.latest_ms();
    result_.latest_after = weather_.latest_after();
    result_.fewest_without_a_node = weather_.fewest_confirmed_without_a_node();
    result_.operations = book_.accepted();
    for (const auto& account : accounts_) {
        const Account::Totals totals = account->totals();
        result_.totals.messages += totals.messages;
        result_.totals.attempts += totals.attempts;
        result_.totals.deliveries += totals.deliveries;
        result_.totals.repeats += totals.repeats;
        for (int outcome = 1; outcome <= 5; ++outcome)
            result_.totals.outcomes[outcome] += totals.outcomes[outcome];
    }
    for (const auto& publisher : targets_.publishers) {
        result_.refusals += publisher->refusals();
        result_.channel_losses += publisher->channel_losses();
        result_.longest_silence_ms =
            std::max(result_.longest_silence_ms, publisher->longest_silence_ms());
    }
    for (const auto& consumer : targets_.consumers) {
        result_.redelivered += consumer->redelivered();
        result_.republished += consumer->republished();
        result_.stale_acks += consumer->stale();
        result_.consumer_restarts += consumer->restarts();
        result_.channel_losses += consumer->channel_losses();
    }
    LinkHistory& all = result_.links;
    for (const auto& links : links_) {
        for (const auto& link : links) {
            const LinkHistory one = link->history();
            all.losses += one.losses;
            all.attempts += one.attempts;
            all.blocked += one.blocked;
            all.refused_entities += one.refused_entities;
            all.outages_ms.insert(all.outages_ms.end(), one.outages_ms.begin(),
                                  one.outages_ms.end());
            all.recoveries_ms.insert(all.recoveries_ms.end(), one.recoveries_ms.begin(),
                                     one.recoveries_ms.end());
        }
    }
    std::sort(all.outages_ms.begin(), all.outages_ms.end());
    std::sort(all.recoveries_ms.begin(), all.recoveries_ms.end());
}

void Storm::judge() {
    for (const auto& account : accounts_)
        account->judge();
    book_.judge();
    for (const auto& publisher : targets_.publishers) {
        if (publisher->lent_bodies_out() != 0) {
            findings_.add("not given back",
                          std::to_string(publisher->lent_bodies_out()) + " lent bodies");
        }
    }
    const Holdings& before = result_.before;
    const Holdings& first = result_.first;
    const Holdings& after = result_.after;
    const auto grown = [&](const char* what, std::int64_t from, std::int64_t to,
                           std::int64_t most) {
        if (to <= from + most) return;
        findings_.add(what, std::to_string(from) + ", and then " + std::to_string(to));
    };
    grown("descriptors", before.descriptors, after.descriptors, 0);
    grown("heap", before.heap_bytes, first.heap_bytes, heap_filled);
    grown("heap", first.heap_bytes, after.heap_bytes, heap_tolerance);
    if (after.heap_bytes != 0) {
        grown("memory", before.resident_bytes, after.resident_bytes, resident_tolerance);
    }
}

Holdings Storm::holdings_when_closed() {
    // What the faults have torn is closed by its other end, in its time.
    const std::int64_t end = now_ms() + 10'000;
    while (true) {
        const Holdings now = holdings_now();
        if (now.descriptors <= result_.before.descriptors || now_ms() > end) return now;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

void Storm::run() {
    bool calm = begin();
    for (unsigned round = 0; calm && round < rounds_of(setting_); ++round) {
        for (const auto& publisher : targets_.publishers)
            publisher->produce(StormPublisher::Pace::steady);
        weather_.run(plan_faults(plan_setting(setting_, round)));
        const std::int64_t over = now_ms();
        calm = settle();
        result_.drained_in_ms = std::max(result_.drained_in_ms, now_ms() - over);
        result_.after = holdings_when_closed();
        if (round == 0) result_.first = result_.after;
    }
    for (const auto& consumer : targets_.consumers) {
        if (calm) consumer->drain(10'000);
    }
    sum_up();
    end();
    judge();
}

}  // namespace

unsigned rounds_of(const StormSetting& setting) {
    constexpr std::int64_t round_ms = 60'000;
    return static_cast<unsigned>(std::max<std::int64_t>(1, setting.duration_ms / round_ms));
}

PlanSetting plan_setting(const StormSetting& setting, unsigned round) {
    PlanSetting plan;
    plan.seed = setting.seed + 1'000'000'007 * std::uint64_t{round};
    plan.duration_ms = setting.duration_ms / rounds_of(setting);
    plan.nodes = setting.nodes;
    plan.channels = publishers + queues * consumers_of_a_queue;
    plan.consumers = queues * consumers_of_a_queue;
    plan.heartbeat_ms = heartbeat_ms;
    return plan;
}

void run_storm(const StormSetting& setting, StormResult* result) {
    result->setting = setting;
    Storm(setting, *result).run();
}

}  // namespace haigha::storm
