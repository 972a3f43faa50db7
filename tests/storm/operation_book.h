// Counts that each operation which the library has taken completes once, and that each release hook
// runs once, after the last call.
#pragma once

#include <haigha/haigha.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "storm/findings.h"

namespace haigha::storm {

class OperationBook {
  public:
    explicit OperationBook(Findings& findings) : findings_(findings) {}

    // Starts an operation: `start` makes the call with the haigha_then and gives its status. What
    // it was answered goes to `done`, which may be empty.
    using Done = std::function<void(const haigha_event&)>;
    haigha_status start(const char* what,
                        const std::function<haigha_status(const haigha_then*)>& call,
                        Done done = {});
    // A registration for events of any number. It ends with its release hook.
    haigha_then listen(const char* what, Done each);
    // `then` was refused: its hook will not run.
    void refused(const haigha_then& then);

    std::uint64_t accepted() const { return accepted_; }
    // Operations that have not completed.
    std::int64_t open() const { return accepted_ - completed_; }
    // At the end, when all that there was is closed.
    void judge();

  private:
    struct Entry;
    void count_held(const char* what, std::int64_t change);
    static void on_event(const haigha_event* event, void* user_data);
    static void on_release(void* user_data);

    Findings& findings_;
    std::atomic<std::int64_t> accepted_{0};
    std::atomic<std::int64_t> completed_{0};
    mutable std::mutex mutex_;
    std::condition_variable released_;
    std::map<std::string, std::int64_t> held_;  // by what they are
};

}  // namespace haigha::storm
