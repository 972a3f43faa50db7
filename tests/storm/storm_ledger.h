// What became of each message of a storm: its attempts, their outcomes, its deliveries; and what of
// that must not be.
#pragma once

#include <haigha/haigha.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storm/findings.h"
#include "storm/storm_body.h"

namespace haigha::storm {

// Of one publisher, whose routable messages all go to one queue. From any thread.
class Account {
  public:
    // `capacity`: how many messages it may have; all memory is taken here.
    Account(unsigned publisher, unsigned queue, std::size_t capacity, Findings& findings);

    unsigned publisher() const { return publisher_; }
    unsigned queue() const { return queue_; }
    std::size_t capacity() const { return records_.size(); }

    // A message is about to be handed over; gives the attempt's number, from 1.
    std::uint32_t begin(std::uint64_t number, bool routable);
    // It was refused: that was no attempt.
    void refused(std::uint64_t number);
    // True when it has to be handed over again.
    bool ended(std::uint64_t number, std::uint32_t attempt, int outcome);
    // True when it had not been delivered before.
    bool delivered(const BodyLabel& label, unsigned queue);

    // How many attempts have no outcome, and how many messages of those that were begun are neither
    // confirmed nor, where that is right, returned.
    std::uint64_t outstanding() const;
    std::uint64_t unsettled() const;
    // How many that were confirmed have not been delivered.
    std::uint64_t undelivered() const;

    struct Totals {
        std::uint64_t messages = 0;
        std::uint64_t attempts = 0;
        std::uint64_t outcomes[6] = {};  // by HAIGHA_OUTCOME_*
        std::uint64_t deliveries = 0;
        std::uint64_t repeats = 0;
    };
    Totals totals() const;

    // At the end: adds what is lost or without an outcome to the findings.
    void judge();
    // A broker of several nodes returns a message while its queue has no leader.
    void allow_returns() { returns_allowed_ = true; }
    // Its messages go out on several channels.
    void allow_overtaking() { overtaking_allowed_ = true; }
    bool may_overtake() const { return overtaking_allowed_; }

  private:
    struct Record {
        std::uint16_t attempts = 0;
        bool routable = true;
        bool outstanding = false;
        bool confirmed = false;
        bool returned = false;
        std::uint16_t deliveries = 0;
    };
    std::string name(std::uint64_t number) const;
    void find(const char* kind, std::uint64_t number, const std::string& what);

    const unsigned publisher_;
    const unsigned queue_;
    Findings& findings_;
    bool returns_allowed_ = false;
    bool overtaking_allowed_ = false;
    mutable std::mutex mutex_;
    std::vector<Record> records_;
    std::size_t begun_ = 0;  // records in use
    std::uint64_t outstanding_ = 0;
    std::uint64_t unsettled_ = 0;
    std::uint64_t undelivered_ = 0;
    Totals totals_;
};

// The order in which one consumer was given the messages of each publisher that nobody has sent
// twice.
class OrderWatch {
  public:
    explicit OrderWatch(std::size_t publishers) : last_(publishers) {}
    // False when it comes behind a later one of the same epoch: a broker that was killed has
    // forgotten what it had delivered, and so does not say that it does so again.
    bool in_order(const BodyLabel& label, unsigned epoch);

  private:
    struct Last {
        std::uint64_t number = 0;
        unsigned epoch = 0;
    };
    std::vector<Last> last_;
};

}  // namespace haigha::storm
