// Which channel of a pool takes which message, and what becomes of those whose channel dies. No
// channel, lock or clock is known here: a channel is a lane, known by its number. Only add() can
// find no memory: what was taken is not given up for want of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/queue.h"
#include "base/ref.h"
#include "pool/pooled_message.h"

namespace haigha::pool {

// The numbers of HAIGHA_OUTCOME_*.
enum class PoolOutcome : std::int32_t {
    confirmed = 1,
    nacked = 2,
    returned = 3,
    not_sent = 4,
    unknown = 5,
    refused = 6,
};

// What is written once more when its channel has died.
enum class Retry : std::uint8_t {
    all,   // everything
    safe,  // what certainly has not arrived
    none,
};

struct PoolSettings {
    bool transactions = false;  // else publisher confirms
    Retry retry = Retry::all;
    std::uint32_t channels = 16;         // at most
    std::uint32_t in_flight = 1024;      // on each of them
    std::uint64_t messages = 65'536;     // without an outcome, together
    std::uint64_t bytes = 64ULL << 20U;  // of their bodies
    std::uint32_t attempts = 0;          // of one message that may have arrived; 0: any number
};

class PoolSchedule {
  public:
    using Lane = std::uint32_t;
    struct Settled {
        Ref<PooledMessage> message;
        PoolOutcome outcome = PoolOutcome::confirmed;
        ErrorRef error;
    };
    struct Assignment {
        Ref<PooledMessage> message;
        Lane lane = 0;
    };
    struct Counts {
        std::uint64_t by_outcome[7] = {};  // by PoolOutcome
        std::uint64_t retried = 0;
        std::uint64_t lost_lanes = 0;
    };

    explicit PoolSchedule(const PoolSettings& settings) : settings_(settings) {}

    // ---- messages

    // Whether one more, of so many bytes, is within the limits. One that is larger than all of them
    // together is taken by a pool that is empty.
    bool has_room(std::size_t bytes) const;
    // Takes one, behind those that wait.
    void add(const Ref<PooledMessage>& message);
    // The message whose turn it is and the lane that is to take it; none when there is no message,
    // or no lane for it. It stays where it is until it is taken or refused.
    std::optional<Assignment> next() const;
    void taken(const Assignment& given);
    // No lane will ever take it.
    void refused(const Assignment& given, ErrorRef error);

    // ---- lanes. A new one is being opened, and takes nothing yet.

    // Whether one more would be of use, and may be.
    bool wants_lane() const;
    Lane add_lane();
    void lane_open(Lane lane);
    // It takes nothing until it is open again. In a transaction what it had is lost: the broker
    // will not commit it unless it was asked to. `error`: why.
    void lane_lost(Lane lane, const ErrorRef& error);
    void lane_gone(Lane lane, const ErrorRef& error);
    void lane_flow(Lane lane, bool active) { lanes_[lane].stopped = !active; }
    void lane_full(Lane lane, bool full) { lanes_[lane].full = full; }

    // ---- outcomes, of publisher confirms. not_sent and unknown: `error` is why its channel died.

    void settle(PooledMessage& message, PoolOutcome outcome, const ErrorRef& error);

    // ---- transactions

    // The open lanes that have something to commit, and nothing more to take.
    std::vector<Lane> due_commits() const;
    void committing(Lane lane) { lanes_[lane].committing = true; }
    void committed(Lane lane);
    // A message of that lane's, mandatory and like this one, was returned.
    void returned(Lane lane, const protocol::PublishRequest& like, const ErrorRef& error);

    // ---- the end

    // What waits is not sent any more, and what is lost is not sent again.
    void stop(const ErrorRef& error);
    // Nothing more will be heard of any lane.
    void end(const ErrorRef& error);
    bool stopped() const { return stopped_; }

    // Those that were settled since, in that order, into an empty list.
    void take_settled(std::vector<Settled>& settled) { settled_.swap(settled); }
    std::size_t untold() const { return settled_.size(); }

    std::uint64_t last() const { return last_; }
    std::uint64_t unsettled() const { return unsettled_; }
    std::uint64_t unsettled_bytes() const { return unsettled_bytes_; }
    std::uint64_t waiting() const { return waiting_.size() + again_.size(); }
    std::uint32_t lanes() const { return live_lanes_; }
    std::uint32_t open_lanes() const;
    const Counts& counts() const { return counts_; }
    const PoolSettings& settings() const { return settings_; }
    // A quarter of each limit is free.
    bool is_roomy() const {
        return unsettled_ <= settings_.messages / 4 * 3 &&
               unsettled_bytes_ <= settings_.bytes / 4 * 3;
    }

  private:
    enum class Status : std::uint8_t { unused, opening, open, lost };
    struct LaneState {
        Status status = Status::unused;
        bool stopped = false;     // by channel.flow
        bool full = false;        // it would have blocked
        bool committing = false;  // tx.commit is on its way
        bool alone = false;       // it has one that is suspect, and takes no other meanwhile
        std::size_t in_flight = 0;
        std::uint64_t given_at = 0;
        Queue<Ref<PooledMessage>> carried{};  // in the order of writing; some are settled
    };

    bool can_take(const LaneState& lane) const {
        return lane.status == Status::open && !lane.stopped && !lane.full && !lane.committing &&
               !lane.alone && !all_alone_ && lane.in_flight < settings_.in_flight;
    }
    // Whether the broker's words blame this message and no other.
    bool is_to_blame(const LaneState& lane, Suspect over) const {
        return over == Suspect::of_channel ? lane.alone
                                           : over == Suspect::of_connection && all_alone_;
    }
    const Ref<PooledMessage>* front() const;
    void pop_front();
    void leave(LaneState& lane, std::size_t messages);
    void compact(LaneState& lane);
    // Its channel has died, over a publish of this or another message's or over nothing of them.
    void lose(const Ref<PooledMessage>& message, PoolOutcome outcome, Suspect over,
              const ErrorRef& error);
    void lose_all(LaneState& lane, const ErrorRef& error);
    void conclude(Ref<PooledMessage> message, PoolOutcome outcome, ErrorRef error);

    const PoolSettings settings_;
    std::vector<LaneState> lanes_;
    std::uint32_t live_lanes_ = 0;
    Queue<Ref<PooledMessage>> waiting_;
    std::map<std::uint64_t, Ref<PooledMessage>> again_;  // they go first
    std::vector<Settled> settled_;
    std::uint64_t last_ = 0;
    std::uint64_t turns_ = 0;
    std::uint64_t in_flight_ = 0;
    bool all_alone_ = false;  // one is in flight that is suspect of_connection, and so is no other
    std::uint64_t unsettled_ = 0;
    std::uint64_t unsettled_bytes_ = 0;
    bool stopped_ = false;
    ErrorRef stop_error_;
    Counts counts_;
};

}  // namespace haigha::pool
