#include "storm/storm_ledger.h"

#include <limits>

namespace haigha::storm {

Account::Account(unsigned publisher, unsigned queue, std::size_t capacity, Findings& findings)
    : publisher_(publisher), queue_(queue), findings_(findings), records_(capacity) {}

std::string Account::name(std::uint64_t number) const {
    return "message " + std::to_string(number) + " of publisher " + std::to_string(publisher_);
}

void Account::find(const char* kind, std::uint64_t number, const std::string& what) {
    findings_.add(kind, name(number) + " " + what);
}

std::uint32_t Account::begin(std::uint64_t number, bool routable) {
    const std::lock_guard lock(mutex_);
    Record& record = records_.at(number);
    if (record.attempts == 0) {
        ++unsettled_;
        ++totals_.messages;
    }
    if (number >= begun_) begun_ = number + 1;
    record.routable = routable;
    record.outstanding = true;
    ++outstanding_;
    ++totals_.attempts;
    return ++record.attempts;
}

void Account::refused(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    Record& record = records_.at(number);
    record.outstanding = false;
    --outstanding_;
    --totals_.attempts;
    if (--record.attempts == 0) {
        --unsettled_;
        --totals_.messages;
    }
}

bool Account::ended(std::uint64_t number, std::uint32_t attempt, int outcome) {
    const std::lock_guard lock(mutex_);
    if (number >= begun_) {
        find("invented outcomes", number, "was never published");
        return false;
    }
    Record& record = records_[number];
    if (!record.outstanding || attempt != record.attempts) {
        find("outcomes beyond one", number, "had an outcome already");
        return false;
    }
    record.outstanding = false;
    --outstanding_;
    if (outcome >= 1 && outcome <= 5) {
        ++totals_.outcomes[outcome];
    } else {
        find("wrong outcomes", number, "ended as " + std::to_string(outcome));
    }
    if (outcome == HAIGHA_OUTCOME_CONFIRMED) {
        if (!record.routable) find("wrong outcomes", number, "has no queue and is confirmed");
        record.confirmed = true;
        --unsettled_;
        if (record.deliveries == 0) ++undelivered_;
        return false;
    }
    if (outcome == HAIGHA_OUTCOME_RETURNED) {
        if (record.routable && !returns_allowed_) {
            find("wrong outcomes", number, "has a queue and is returned");
        }
        if (!record.routable) {
            record.returned = true;
            --unsettled_;
            return false;
        }
    }
    return true;
}

bool Account::delivered(const BodyLabel& label, unsigned queue) {
    const std::lock_guard lock(mutex_);
    ++totals_.deliveries;
    if (label.number >= begun_ || label.attempt == 0 ||
        label.attempt > records_[label.number].attempts) {
        find("invented", label.number, "was never published");
        return false;
    }
    Record& record = records_[label.number];
    if (queue != queue_ || !record.routable) {
        find("invented", label.number, "came from another queue");
        return false;
    }
    const bool first = record.deliveries == 0;
    if (record.deliveries != std::numeric_limits<std::uint16_t>::max()) ++record.deliveries;
    if (!first) ++totals_.repeats;
    if (first && record.confirmed) --undelivered_;
    return first;
}

std::uint64_t Account::outstanding() const {
    const std::lock_guard lock(mutex_);
    return outstanding_;
}

std::uint64_t Account::unsettled() const {
    const std::lock_guard lock(mutex_);
    return unsettled_;
}

std::uint64_t Account::undelivered() const {
    const std::lock_guard lock(mutex_);
    return undelivered_;
}

Account::Totals Account::totals() const {
    const std::lock_guard lock(mutex_);
    return totals_;
}

void Account::judge() {
    const std::lock_guard lock(mutex_);
    for (std::size_t number = 0; number < begun_; ++number) {
        const Record& record = records_[number];
        if (record.outstanding) find("without an outcome", number, "was taken");
        if (record.confirmed && record.routable && record.deliveries == 0) {
            find("lost", number, "was confirmed and has come to no consumer");
        }
        if (record.attempts != 0 && !record.outstanding && !record.confirmed && !record.returned) {
            find("unsettled", number, "was not confirmed before the end");
        }
    }
}

bool OrderWatch::in_order(const BodyLabel& label, unsigned epoch) {
    Last& last = last_.at(label.publisher);
    if (epoch == last.epoch && label.number < last.number) return false;
    last = {label.number, epoch};
    return true;
}

}  // namespace haigha::storm
