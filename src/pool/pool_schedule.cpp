#include "pool/pool_schedule.h"

#include <algorithm>
#include <utility>

#include "base/insist.h"
#include "wire/methods_basic.h"
#include "wire/methods_modes.h"

namespace haigha::pool {

namespace {

bool is_over(const ErrorRef& error, wire::MethodId method) {
    return error && error->class_id == method.class_id && error->method_id == method.method_id;
}

// RabbitMQ ends a channel over a commit when a queue has rejected one of its messages.
bool is_over_a_commit(const ErrorRef& error) {
    return is_over(error, wire::tx::Commit::id);
}

// What was under way when the broker ended something over a publish is to blame, or was beside it.
Suspect suspicion(const ErrorRef& error) {
    if (is_over_a_commit(error)) return Suspect::of_channel;
    if (!is_over(error, wire::basic::Publish::id)) return Suspect::no;
    return error->status == Status::connection_closed_by_broker ? Suspect::of_connection
                                                                : Suspect::of_channel;
}

// So many are kept before it is worth looking which of them are settled.
constexpr std::size_t least_carried = 64;

bool is_alike(const PooledMessage& message, const protocol::PublishRequest& like) {
    if (!message.head.mandatory()) return false;
    wire::Properties properties;
    const protocol::PublishRequest request = message.head.request(&properties);
    return request.exchange == like.exchange && request.routing_key == like.routing_key &&
           std::equal(message.body.begin(), message.body.end(), like.body.begin(),
                      like.body.end()) &&
           properties.message_id == like.properties->message_id &&
           properties.correlation_id == like.properties->correlation_id;
}

}  // namespace

// ---- messages

bool PoolSchedule::has_room(std::size_t bytes) const {
    return unsettled_ == 0 || (unsettled_ < settings_.messages && bytes <= settings_.bytes &&
                               unsettled_bytes_ <= settings_.bytes - bytes);
}

void PoolSchedule::add(const Ref<PooledMessage>& message) {
    waiting_.push(message);
    message->number = ++last_;
    ++unsettled_;
    unsettled_bytes_ += message->body.size();
}

const Ref<PooledMessage>* PoolSchedule::front() const {
    // What is sent again was taken before anything that was never sent.
    if (!again_.empty()) return &again_.begin()->second;
    return waiting_.empty() ? nullptr : &waiting_.front();
}

void PoolSchedule::pop_front() {
    if (!again_.empty()) {
        again_.erase(again_.begin());
    } else {
        (void)waiting_.pop();
    }
}

std::optional<PoolSchedule::Assignment> PoolSchedule::next() const {
    const Ref<PooledMessage>* const message = front();
    if (message == nullptr) return std::nullopt;
    const LaneState* best = nullptr;
    for (const LaneState& lane : lanes_) {
        if (!can_take(lane)) continue;
        if (best == nullptr || lane.in_flight < best->in_flight ||
            (lane.in_flight == best->in_flight && lane.given_at < best->given_at)) {
            best = &lane;
        }
    }
    if (best == nullptr) return std::nullopt;
    const Suspect suspect = (*message)->suspect;
    if ((suspect != Suspect::no && best->in_flight > 0) ||
        (suspect == Suspect::of_connection && in_flight_ > 0)) {
        return std::nullopt;
    }
    return Assignment{*message, static_cast<Lane>(best - lanes_.data())};
}

void PoolSchedule::taken(const Assignment& given) {
    LaneState& lane = lanes_[given.lane];
    insist([&] { lane.carried.push(given.message); });
    pop_front();
    ++lane.in_flight;
    ++in_flight_;
    lane.given_at = ++turns_;
    lane.alone = given.message->suspect != Suspect::no;
    all_alone_ = given.message->suspect == Suspect::of_connection;
    given.message->lane = given.lane;
}

void PoolSchedule::refused(const Assignment& given, ErrorRef error) {
    pop_front();
    conclude(given.message, given.message->unsure ? PoolOutcome::unknown : PoolOutcome::not_sent,
             std::move(error));
}

// ---- lanes

bool PoolSchedule::wants_lane() const {
    if (stopped_ || live_lanes_ >= settings_.channels || front() == nullptr) return false;
    // A suspect waits for a lane that is idle, and others wait behind it.
    const bool needs_idle = (*front())->suspect == Suspect::of_channel;
    std::size_t coming = 0;  // room that will be there
    for (const LaneState& lane : lanes_) {
        if (lane.status == Status::opening) coming += settings_.in_flight;
        if (can_take(lane) && (!needs_idle || lane.in_flight == 0)) return false;
    }
    return coming < (needs_idle ? 1 : waiting());
}

PoolSchedule::Lane PoolSchedule::add_lane() {
    auto unused = std::find_if(lanes_.begin(), lanes_.end(), [](const LaneState& lane) {
        return lane.status == Status::unused && lane.in_flight == 0;
    });
    if (unused == lanes_.end()) {
        unused = insist([this] { return lanes_.emplace(lanes_.end()); });
    }
    *unused = LaneState();
    unused->status = Status::opening;
    ++live_lanes_;
    return static_cast<Lane>(unused - lanes_.begin());
}

void PoolSchedule::lane_open(Lane lane) {
    LaneState& state = lanes_[lane];
    if (state.status == Status::unused) return;
    state.status = Status::open;
    state.stopped = state.full = state.committing = false;
}

void PoolSchedule::lane_lost(Lane lane, const ErrorRef& error) {
    LaneState& state = lanes_[lane];
    if (state.status == Status::open) ++counts_.lost_lanes;
    if (state.status != Status::unused) state.status = Status::lost;
    if (settings_.transactions) lose_all(state, error);
}

void PoolSchedule::lane_gone(Lane lane, const ErrorRef& error) {
    if (lanes_[lane].status == Status::unused) return;
    lane_lost(lane, error);
    lanes_[lane].status = Status::unused;
    --live_lanes_;
}

std::uint32_t PoolSchedule::open_lanes() const {
    return static_cast<std::uint32_t>(
        std::count_if(lanes_.begin(), lanes_.end(),
                      [](const LaneState& lane) { return lane.status == Status::open; }));
}

// ---- outcomes

void PoolSchedule::settle(PooledMessage& message, PoolOutcome outcome, const ErrorRef& error) {
    if (message.settled) return;
    LaneState& lane = lanes_[message.lane];
    const Ref<PooledMessage> self(&message);
    const Suspect over = outcome == PoolOutcome::unknown ? suspicion(error) : Suspect::no;
    const bool to_blame = is_to_blame(lane, over);
    message.settled = true;
    while (!lane.carried.empty() && lane.carried.front()->settled)
        (void)lane.carried.pop();
    leave(lane, 1);
    // One that stays without an outcome does not keep those behind it that have theirs.
    if (lane.carried.size() > 2 * lane.in_flight + least_carried) compact(lane);
    if (to_blame) {
        conclude(self, PoolOutcome::refused, error);
    } else if (outcome == PoolOutcome::not_sent || outcome == PoolOutcome::unknown) {
        lose(self, outcome, over, error);
    } else {
        conclude(self, outcome, error);
    }
}

void PoolSchedule::compact(LaneState& lane) {
    Queue<Ref<PooledMessage>> open;
    insist([&] { open.reserve(lane.in_flight); });
    for (const Ref<PooledMessage>& message : lane.carried) {
        if (!message->settled) open.push(message);
    }
    lane.carried = std::move(open);
}

void PoolSchedule::leave(LaneState& lane, std::size_t messages) {
    lane.in_flight -= messages;
    in_flight_ -= messages;
    if (lane.in_flight == 0) lane.alone = false;
    if (in_flight_ == 0) all_alone_ = false;
}

void PoolSchedule::lose(const Ref<PooledMessage>& message, PoolOutcome outcome, Suspect over,
                        const ErrorRef& error) {
    if (outcome == PoolOutcome::unknown) {
        message->unsure = true;
        ++message->attempts;
    }
    const bool arrived = message->unsure;
    const bool spent = settings_.attempts > 0 && message->attempts >= settings_.attempts;
    if (stopped_ || spent || settings_.retry == Retry::none ||
        (settings_.retry == Retry::safe && arrived)) {
        conclude(message, arrived ? PoolOutcome::unknown : PoolOutcome::not_sent,
                 error ? error : stop_error_);
        return;
    }
    message->suspect = std::max(message->suspect, over);
    message->settled = false;
    insist([&] { again_.emplace(message->number, message); });
    ++counts_.retried;
}

void PoolSchedule::conclude(Ref<PooledMessage> message, PoolOutcome outcome, ErrorRef error) {
    message->settled = true;
    --unsettled_;
    unsettled_bytes_ -= message->body.size();
    ++counts_.by_outcome[static_cast<std::size_t>(outcome)];
    insist([this] { settled_.reserve(settled_.size() + 1); });
    settled_.push_back({std::move(message), outcome, std::move(error)});
}

// ---- transactions

std::vector<PoolSchedule::Lane> PoolSchedule::due_commits() const {
    std::vector<Lane> due;
    if (!settings_.transactions) return due;
    insist([&] { due.reserve(lanes_.size()); });
    for (Lane lane = 0; lane < lanes_.size(); ++lane) {
        const LaneState& state = lanes_[lane];
        if (state.status == Status::open && !state.committing && state.in_flight > 0) {
            due.push_back(lane);
        }
    }
    return due;
}

void PoolSchedule::committed(Lane lane) {
    LaneState& state = lanes_[lane];
    state.committing = false;
    leave(state, state.in_flight);
    while (!state.carried.empty()) {
        Ref<PooledMessage> message = state.carried.pop();
        ErrorRef returned = std::exchange(message->returned, nullptr);
        const PoolOutcome outcome = returned ? PoolOutcome::returned : PoolOutcome::confirmed;
        conclude(std::move(message), outcome, std::move(returned));
    }
}

void PoolSchedule::returned(Lane lane, const protocol::PublishRequest& like,
                            const ErrorRef& error) {
    for (const Ref<PooledMessage>& message : lanes_[lane].carried) {
        if (message->returned || !is_alike(*message, like)) continue;
        message->returned = error;
        return;
    }
}

void PoolSchedule::lose_all(LaneState& lane, const ErrorRef& error) {
    const Suspect over = suspicion(error);
    // What was published on a channel comes before its commit, and so did the end of it over that.
    const bool before = over == Suspect::of_channel && !is_over_a_commit(error);
    const bool asked = std::exchange(lane.committing, false) && !before;
    const PoolOutcome blamed = is_over_a_commit(error) ? PoolOutcome::nacked : PoolOutcome::refused;
    const bool to_blame = is_to_blame(lane, over);
    leave(lane, lane.in_flight);
    while (!lane.carried.empty()) {
        const Ref<PooledMessage> message = lane.carried.pop();
        message->returned = nullptr;
        if (to_blame) {
            conclude(message, blamed, error);
        } else {
            lose(message, asked ? PoolOutcome::unknown : PoolOutcome::not_sent, over, error);
        }
    }
}

// ---- the end

void PoolSchedule::stop(const ErrorRef& error) {
    stopped_ = true;
    stop_error_ = error;
    while (front() != nullptr) {
        const Ref<PooledMessage> message = *front();
        pop_front();
        conclude(message, message->unsure ? PoolOutcome::unknown : PoolOutcome::not_sent, error);
    }
}

void PoolSchedule::end(const ErrorRef& error) {
    stop(error);
    for (LaneState& state : lanes_) {
        while (!state.carried.empty()) {
            const Ref<PooledMessage> message = state.carried.pop();
            if (!message->settled) conclude(message, PoolOutcome::unknown, error);
        }
        state = LaneState();
    }
    live_lanes_ = 0;
    in_flight_ = 0;
    all_alone_ = false;
}

}  // namespace haigha::pool
