#include "storm/storm_weather.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <sstream>
#include <string>
#include <thread>

namespace haigha::storm {

void StormWeather::sleep_ms(std::int64_t time) {
    std::this_thread::sleep_for(std::chrono::milliseconds(time));
}

std::int64_t StormWeather::free_since(unsigned path) const {
    const std::lock_guard lock(mutex_);
    return in_the_way_[path] != 0 ? 0 : free_since_[path];
}

void StormWeather::stand_in_the_way(unsigned path, bool on) {
    const std::lock_guard lock(mutex_);
    in_the_way_[path] += on ? 1 : -1;
    if (in_the_way_[path] == 0) free_since_[path] = now_ms();
}

void StormWeather::run(const FaultPlan& plan) {
    began_ms_ = now_ms();
    std::vector<std::thread> threads;
    for (const std::vector<Fault>& lane : plan.lane)
        threads.emplace_back([this, &lane] { run_lane(lane); });
    for (std::thread& thread : threads)
        thread.join();
}

void StormWeather::note_lateness(std::int64_t late_ms, FaultKind after) {
    const std::lock_guard lock(mutex_);
    if (late_ms <= latest_ms_) return;
    latest_ms_ = late_ms;
    latest_after_ = after;
}

void StormWeather::run_lane(const std::vector<Fault>& faults) {
    FaultKind before = FaultKind::delay;
    for (const Fault& fault : faults) {
        const std::int64_t left = began_ms_ + fault.at_ms - now_ms();
        if (left > 0) sleep_ms(left);
        note_lateness(-left, before);
        before = fault.kind;
        if (tells_) {
            std::printf("%7lld  %s\n", static_cast<long long>(now_ms() - began_ms_),
                        describe(fault).c_str());
            std::fflush(stdout);
        }
        strike(fault);
        ++counts_[static_cast<int>(fault.kind)];
    }
}

void StormWeather::strike(const Fault& fault) {
    const std::string amount = std::to_string(fault.amount);
    switch (fault.kind) {
        case FaultKind::delay:
            passing(fault, "delay", amount.c_str(), false);
            return;
        case FaultKind::throttle:
            passing(fault, "throttle", amount.c_str(), false);
            return;
        case FaultKind::split:
            passing(fault, "split", amount.c_str(), false);
            return;
        case FaultKind::truncate:
            passing(fault, "truncate-after", amount.c_str(), true);
            return;
        case FaultKind::reset_late:
            passing(fault, "reset-after", amount.c_str(), true);
            return;
        case FaultKind::corrupt:
            passing(fault, "corrupt-at", amount.c_str(), true);
            return;
        case FaultKind::half_close:
            on_network(fault, "half-close", "");
            return;
        case FaultKind::reset:
            on_network(fault, "reset", "");
            return;
        case FaultKind::black_hole:
            passing(fault, "black-hole", "on", false);
            return;
        case FaultKind::refuse:
            passing(fault, "refuse", "on", true);
            return;
        case FaultKind::kill_node:
        case FaultKind::stop_node:
            take_node(fault);
            return;
        case FaultKind::close_connection:
        case FaultKind::close_all_connections:
            close_some(fault);
            return;
        case FaultKind::memory_alarm:
            raise_alarm(fault);
            return;
        case FaultKind::channel_error:
            upset_channel(fault);
            return;
        case FaultKind::pause_consumer: {
            StormConsumer& consumer = *targets_.consumers.at(fault.target);
            consumer.pause();
            sleep_ms(fault.lasts_ms);
            consumer.resume(60'000);
            return;
        }
    }
}

// ---- the network

void StormWeather::on_network(const Fault& fault, const char* verb, const std::string& value) {
    for (const auto& proxy : targets_.proxies[fault.target])
        proxy->command(std::string(verb) + " " + value);
}

// One that lasts. What only new connections have needs that there are some.
void StormWeather::passing(const Fault& fault, const char* verb, const char* begin_value,
                           bool end_connections) {
    const bool stops = end_connections || fault.kind == FaultKind::black_hole;
    const bool is_switch = fault.kind == FaultKind::black_hole || fault.kind == FaultKind::refuse;
    if (stops) stand_in_the_way(fault.target, true);
    on_network(fault, verb, begin_value);
    if (end_connections) on_network(fault, "reset", "");
    sleep_ms(fault.lasts_ms);
    on_network(fault, verb, is_switch ? "off" : "0");
    if (stops) stand_in_the_way(fault.target, false);
}

// ---- the broker

void StormWeather::take_node(const Fault& fault) {
    test::BrokerNodes& brokers = *targets_.brokers;
    const bool alone = brokers.nodes() == 1;
    for (unsigned path = 0; alone && path < paths; ++path)
        stand_in_the_way(path, true);
    if (fault.kind == FaultKind::kill_node) {
        brokers.kill(fault.target);
    } else {
        brokers.stop(fault.target);
    }
    const std::uint64_t before = confirmed_();
    sleep_ms(fault.lasts_ms);
    if (!alone) {
        const auto confirmed = static_cast<std::int64_t>(confirmed_() - before);
        fewest_ = fewest_ < 0 ? confirmed : std::min(fewest_.load(), confirmed);
    }
    for (const auto& consumer : targets_.consumers) {
        if (fault.kind == FaultKind::kill_node) consumer->note_killed();
    }
    if (!brokers.start_again(fault.target)) {
        findings_.add("the broker did not start again", describe(fault));
    }
    for (unsigned path = 0; alone && path < paths; ++path)
        stand_in_the_way(path, false);
}

void StormWeather::close_some(const Fault& fault) {
    test::BrokerNodes& brokers = *targets_.brokers;
    if (fault.kind == FaultKind::close_all_connections) {
        brokers.ctl(fault.target, "close_all_connections 'a storm'");
        return;
    }
    std::istringstream listed(brokers.ctl(fault.target, "list_connections pid"));
    std::vector<std::string> pids;
    for (std::string line; std::getline(listed, line);) {
        if (line.rfind('<', 0) == 0) pids.push_back(line);
    }
    if (pids.empty()) return;
    const std::string& pid = pids[static_cast<std::size_t>(fault.amount) % pids.size()];
    brokers.ctl(fault.target, "close_connection '" + pid + "' 'a storm'");
}

void StormWeather::raise_alarm(const Fault& fault) {
    targets_.brokers->ctl(fault.target, "set_vm_memory_high_watermark 0.00001");
    sleep_ms(fault.lasts_ms);
    targets_.brokers->ctl(fault.target, "set_vm_memory_high_watermark 0.4");
}

// ---- the program

void StormWeather::upset_channel(const Fault& fault) {
    const std::size_t publishers = targets_.publishers.size();
    if (fault.target < publishers) {
        targets_.publishers[fault.target]->provoke();
    } else {
        targets_.consumers.at(fault.target - publishers)->provoke();
    }
}

}  // namespace haigha::storm
