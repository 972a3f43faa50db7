#include "client/connection_strategy.h"

#include <algorithm>
#include <utility>

namespace haigha::client {

bool is_permanent(const Error& error) {
    if (error.status == Status::auth || error.status == Status::tls) return true;
    // connection.open was refused: the virtual host does not exist, or not for this user.
    return error.status == Status::connection_closed_by_broker && error.stage == Stage::open &&
           (error.reply_code == 530 || error.reply_code == 403 || error.reply_code == 402);
}

ConnectionStrategy::ConnectionStrategy(std::size_t hosts, StrategySettings settings,
                                       std::uint64_t seed, Choose choose)
    : settings_(settings), choose_(std::move(choose)), random_state_(seed), hosts_(hosts) {}

void ConnectionStrategy::connected(std::size_t host, Instant now) {
    current_ = host;
    connected_ = true;
    connected_at_ = now;
}

void ConnectionStrategy::lost(Instant now) {
    const bool was_stable = connected_ && now - connected_at_ >= settings_.stable_after;
    connected_ = false;
    if (was_stable) {
        for (HostState& host : hosts_)
            host.failures = 0;
        in_outage_ = false;
    }
    if (!in_outage_) {
        in_outage_ = true;
        outage_began_ = now;
        attempts_ = 0;
    }
    // What has just gone is the last to be tried again, where there is another.
    if (!was_stable) ++hosts_[current_].failures;
    pass_.clear();
}

void ConnectionStrategy::failed(bool permanent) {
    ++hosts_[current_].failures;
    if (!permanent) return;
    switch (settings_.permanent) {
        case PermanentPolicy::stop:
            stopped_ = true;
            return;
        case PermanentPolicy::skip:
            hosts_[current_].refused = true;
            return;
        case PermanentPolicy::retry:
            return;
    }
}

// splitmix64, by Sebastiano Vigna, in the public domain.
std::uint64_t ConnectionStrategy::random(std::uint64_t limit) {
    random_state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t mixed = random_state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
    mixed ^= mixed >> 31;
    return limit + 1 == 0 ? mixed : mixed % (limit + 1);
}

// Never above the largest, however the dice fall (rule 60).
Duration ConnectionStrategy::delay_of(const HostState& host) {
    std::int64_t window = std::min(settings_.base_delay, settings_.largest_delay).nanoseconds;
    for (std::uint32_t i = 0; i < host.failures && window < settings_.largest_delay.nanoseconds;
         ++i) {
        window = std::min(window * 2, settings_.largest_delay.nanoseconds);
    }
    return Duration{static_cast<std::int64_t>(random(static_cast<std::uint64_t>(window)))};
}

void ConnectionStrategy::begin_pass() {
    // From behind the host that was tried last, so that it comes last itself.
    for (std::size_t i = 0; i < hosts_.size(); ++i)
        pass_.push_back((current_ + hosts_.size() - i) % hosts_.size());
    if (settings_.order == HostOrder::shuffled) {
        for (std::size_t left = pass_.size() - 1; left > 1; --left)
            std::swap(pass_[left], pass_[1 + random(left - 1)]);
    }
    std::erase_if(pass_, [this](std::size_t host) { return hosts_[host].refused; });
}

std::size_t ConnectionStrategy::take_host() {
    if (settings_.order == HostOrder::chosen && choose_) {
        const std::size_t wanted = choose_(hosts_);
        if (wanted < hosts_.size() && !hosts_[wanted].refused) return wanted;
    }
    std::erase_if(pass_, [this](std::size_t host) { return hosts_[host].refused; });
    if (pass_.empty()) begin_pass();
    const std::size_t host = pass_.back();
    pass_.pop_back();
    return host;
}

ConnectionStrategy::Next ConnectionStrategy::next(Instant now) {
    Next next;
    const bool none_left =
        std::all_of(hosts_.begin(), hosts_.end(), [](const HostState& h) { return h.refused; });
    if (stopped_ || none_left) {
        next.give_up = Why::permanent;
        return next;
    }
    if (settings_.attempts != 0 && attempts_ >= settings_.attempts) {
        next.give_up = Why::attempts;
        return next;
    }
    const std::size_t host = take_host();
    const Instant at = now + delay_of(hosts_[host]);
    const bool limited = settings_.deadline.nanoseconds > 0;
    if (limited && at > outage_began_ + settings_.deadline) {
        next.give_up = Why::deadline;
        return next;
    }
    hosts_[host].not_before = at;
    current_ = host;
    next.host = host;
    next.at = at;
    next.attempt = ++attempts_;
    return next;
}

}  // namespace haigha::client
