#include "storm/operation_book.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace haigha::storm {

struct OperationBook::Entry {
    OperationBook& book;
    const char* what;
    bool once;
    Done done;
    std::atomic<int> events{0};
};

void OperationBook::count_held(const char* what, std::int64_t change) {
    const std::lock_guard lock(mutex_);
    held_[what] += change;
    released_.notify_all();
}

void OperationBook::on_event(const haigha_event* event, void* user_data) {
    auto* const entry = static_cast<Entry*>(user_data);
    const int before = entry->events.fetch_add(1);
    if (entry->once) {
        if (before != 0) entry->book.findings_.add("completed twice", entry->what);
        if (event->type != HAIGHA_EVENT_REPLY) {
            entry->book.findings_.add("completed wrongly", entry->what);
        }
        ++entry->book.completed_;
    }
    if (entry->done) entry->done(*event);
}

void OperationBook::on_release(void* user_data) {
    auto* const entry = static_cast<Entry*>(user_data);
    if (entry->once && entry->events != 1) {
        entry->book.findings_.add("released without completion", entry->what);
    }
    entry->book.count_held(entry->what, -1);
    delete entry;
}

haigha_then OperationBook::listen(const char* what, Done each) {
    count_held(what, 1);
    return {&on_event, new Entry{*this, what, false, std::move(each)}, &on_release, nullptr, 0};
}

void OperationBook::refused(const haigha_then& then) {
    auto* const entry = static_cast<Entry*>(then.user_data);
    count_held(entry->what, -1);
    delete entry;
}

haigha_status OperationBook::start(const char* what,
                                   const std::function<haigha_status(const haigha_then*)>& call,
                                   Done done) {
    haigha_then then = listen(what, std::move(done));
    static_cast<Entry*>(then.user_data)->once = true;
    // It may complete before the call returns.
    ++accepted_;
    const haigha_status status = call(&then);
    if (status != HAIGHA_OK) {
        --accepted_;
        refused(then);
    }
    return status;
}

void OperationBook::judge() {
    if (open() != 0) {
        findings_.add("never completed", std::to_string(open()) + " operations that were taken");
    }
    std::unique_lock lock(mutex_);
    // The release hook of what has just completed follows its callback.
    (void)released_.wait_for(lock, std::chrono::seconds(5), [this] {
        return std::all_of(held_.begin(), held_.end(),
                           [](const auto& held) { return held.second == 0; });
    });
    for (const auto& [what, count] : held_) {
        if (count != 0) findings_.add("never released", std::to_string(count) + " of " + what);
    }
}

}  // namespace haigha::storm
