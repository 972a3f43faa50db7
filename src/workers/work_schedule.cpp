#include "workers/work_schedule.h"

#include <new>
#include <utility>

namespace haigha::workers {

WorkSchedule::Lane& WorkSchedule::lane_of(const Work& work) {
    const auto [at, is_new] = lanes_.try_emplace(work.lane);
    Lane& lane = at->second;
    if (!is_new) return lane;
    try {
        Source& source = sources_[work.source];
        source.key = work.source;
        lane.key = work.lane;
        lane.source = &source;
        ++source.lanes;
    } catch (const std::bad_alloc&) {
        lanes_.erase(at);
        throw;
    }
    return lane;
}

void WorkSchedule::add(std::unique_ptr<Work>&& work) {
    Lane& lane = lane_of(*work);
    try {
        lane.waiting.reserve_one();
    } catch (const std::bad_alloc&) {
        if (lane.waiting.empty() && !lane.running) forget(lane);
        throw;
    }
    work->number = ++last_;
    const bool becomes_ready = lane.waiting.empty() && !lane.running;
    lane.waiting.push(std::move(work));
    ++waiting_;
    if (becomes_ready) {
        lane.source->ready.push(lane);
        offer(*lane.source);
    }
}

WorkSchedule::Turn WorkSchedule::take() {
    if (offered_.empty()) return {};
    Source& source = offered_.pop();
    source.is_offered = false;
    Lane& lane = source.ready.pop();
    lane.running = true;
    lane.in_a_row = 1;
    ++source.running;
    ++running_;
    offer(source);
    --waiting_;
    return {&lane, lane.waiting.pop()};
}

std::unique_ptr<Work> WorkSchedule::next(Lane& lane) {
    const bool others_wait = !offered_.empty() || !lane.source->ready.empty();
    if (!lane.waiting.empty() && (lane.in_a_row < most_in_a_row_ || !others_wait)) {
        ++lane.in_a_row;
        --waiting_;
        return lane.waiting.pop();
    }
    leave(lane);
    return nullptr;
}

std::vector<std::unique_ptr<Work>> WorkSchedule::take_all() {
    std::vector<std::unique_ptr<Work>> all;
    all.reserve(waiting_);
    // Nothing throws any more.
    while (!offered_.empty()) {
        Source& source = offered_.pop();
        source.is_offered = false;
    }
    for (auto at = lanes_.begin(); at != lanes_.end();) {
        Lane& lane = at->second;
        lane.source->ready.clear();
        while (!lane.waiting.empty())
            all.push_back(lane.waiting.pop());
        if (lane.running) {
            ++at;
            continue;
        }
        Source& source = *lane.source;
        at = lanes_.erase(at);
        if (--source.lanes == 0) sources_.erase(source.key);
    }
    waiting_ = 0;
    return all;
}

void WorkSchedule::offer(Source& source) {
    if (source.is_offered || source.ready.empty() || source.running >= most_at_once_) return;
    source.is_offered = true;
    offered_.push(source);
}

void WorkSchedule::leave(Lane& lane) {
    Source& source = *lane.source;
    lane.running = false;
    --source.running;
    --running_;
    if (lane.waiting.empty()) {
        // It is not offered while nothing of it is ready, so that it may go with its last lane.
        if (source.lanes > 1) offer(source);
        forget(lane);
        return;
    }
    source.ready.push(lane);
    offer(source);
}

void WorkSchedule::forget(Lane& lane) {
    Source& source = *lane.source;
    const LaneKey key = lane.key;
    lanes_.erase(key);
    if (--source.lanes == 0) {
        const void* const gone = source.key;
        sources_.erase(gone);
    }
}

}  // namespace haigha::workers
