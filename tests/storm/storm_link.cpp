#include "storm/storm_link.h"

#include <algorithm>
#include <chrono>

namespace haigha::storm {

using test::Err;
using test::out;
using test::view;

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::uint64_t Bell::rings() const {
    const std::lock_guard lock(mutex_);
    return rings_;
}

void Bell::ring() {
    const std::lock_guard lock(mutex_);
    ++rings_;
    changed_.notify_all();
}

bool Bell::wait_beyond(std::uint64_t heard, std::int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                             [&] { return rings_ > heard; });
}

bool StormLink::open(haigha_loop* loop, const haigha_options* options) {
    Err error;
    const haigha_then then =
        book_.listen("connection's events", [this](const haigha_event& event) { on_event(event); });
    if (haigha_connection_new(loop, options, &then, out(connection_), error) != HAIGHA_OK) {
        book_.refused(then);
        findings_.add("cannot connect", name_ + ": " + error.message());
        return false;
    }
    if (haigha_connection_open_wait(connection_.get(), -1, error) != HAIGHA_OK) {
        findings_.add("cannot connect", name_ + ": " + error.message());
        return false;
    }
    const std::lock_guard lock(mutex_);
    back_ = true;
    return true;
}

void StormLink::close(std::int64_t timeout_ms) {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    Err error;
    if (connection_ &&
        haigha_connection_close_wait(connection_.get(), timeout_ms, error) != HAIGHA_OK) {
        findings_.add("cannot close", name_ + ": " + error.message());
    }
    connection_.reset();
}

bool StormLink::recovered() const {
    const std::lock_guard lock(mutex_);
    return back_ && usable();
}

LinkHistory StormLink::history() const {
    const std::lock_guard lock(mutex_);
    return history_;
}

void StormLink::on_event(const haigha_event& event) {
    const std::lock_guard lock(mutex_);
    const std::int64_t now = now_ms();
    switch (event.type) {
        case HAIGHA_EVENT_CONNECTION_STATE:
            if (event.state == HAIGHA_STATE_RECOVERING) {
                ++history_.losses;
                // One that is lost again before everything was back has not come back.
                if (back_) lost_at_ = now;
                back_ = false;
            } else if (event.state == HAIGHA_STATE_OPEN && lost_at_ != 0) {
                history_.outages_ms.push_back(now - lost_at_);
            } else if (event.state == HAIGHA_STATE_CLOSED && !closing_) {
                findings_.add("a connection ended",
                              name_ + ": " + haigha_error_message(event.error));
            }
            return;
        case HAIGHA_EVENT_RECOVERY:
            if (event.state == HAIGHA_RECOVERY_ATTEMPT) ++history_.attempts;
            if (event.state == HAIGHA_RECOVERY_ENTITY) ++history_.refused_entities;
            if (event.state == HAIGHA_RECOVERY_RECOVERED) {
                back_ = true;
                history_.recoveries_ms.push_back(now - std::clamp(free_since_(), lost_at_, now));
            }
            return;
        case HAIGHA_EVENT_BLOCKED:
            ++history_.blocked;
            return;
        default:
            return;
    }
}

}  // namespace haigha::storm
