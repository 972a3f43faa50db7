// A connection of a storm: it recovers, and how long it was away is kept.
#pragma once

#include <haigha/haigha.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "storm/operation_book.h"
#include "support/api_handles.h"

namespace haigha::storm {

// Milliseconds of a clock that only goes on.
std::int64_t now_ms();

// Rung by events; who waits for one says which rings it has heard.
class Bell {
  public:
    std::uint64_t rings() const;
    void ring();
    // False when none came for so long.
    bool wait_beyond(std::uint64_t heard, std::int64_t timeout_ms);

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t rings_ = 0;
};

struct LinkHistory {
    std::int64_t losses = 0;
    std::int64_t attempts = 0;
    std::int64_t blocked = 0;
    std::int64_t refused_entities = 0;
    std::vector<std::int64_t> outages_ms;     // from lost to usable
    std::vector<std::int64_t> recoveries_ms;  // from when the way was free to everything back
};

class StormLink {
  public:
    // `free_since` tells since when nothing stands in the way of a connection.
    StormLink(std::string name, OperationBook& book, Findings& findings,
              std::function<std::int64_t()> free_since)
        : name_(std::move(name)),
          book_(book),
          findings_(findings),
          free_since_(std::move(free_since)) {}

    // False, and a finding, when it cannot.
    bool open(haigha_loop* loop, const haigha_options* options);
    void close(std::int64_t timeout_ms);

    haigha_connection* get() const { return connection_.get(); }
    const std::string& name() const { return name_; }
    bool usable() const { return haigha_connection_state(get()) == HAIGHA_STATE_OPEN; }
    // Everything is back, and nothing is under way.
    bool recovered() const;
    LinkHistory history() const;

  private:
    void on_event(const haigha_event& event);

    const std::string name_;
    OperationBook& book_;
    Findings& findings_;
    const std::function<std::int64_t()> free_since_;
    test::ConnectionHandle connection_;
    mutable std::mutex mutex_;
    LinkHistory history_;
    std::int64_t lost_at_ = 0;
    bool back_ = false;  // since it was lost last
    bool closing_ = false;
};

}  // namespace haigha::storm
