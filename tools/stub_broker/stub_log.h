// What the stub broker has seen, and how a test's thread waits for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "stub_broker/stub_broker.h"

namespace haigha::test {

class StubLog {
  public:
    // Names are static: those of the method table, or literals.
    void add(const StubReceived& received) {
        {
            const std::lock_guard lock(mutex_);
            if (received_.size() < most_) received_.push_back(received);
            ++counts_[received.method];
        }
        changed_.notify_all();
    }
    void add_violation(std::string text) {
        const std::lock_guard lock(mutex_);
        if (violations_.size() < most_) violations_.push_back(std::move(text));
    }
    void add_secret(std::string secret) {
        const std::lock_guard lock(mutex_);
        if (secrets_.size() < most_) secrets_.push_back(std::move(secret));
    }
    // A rule of the script was followed.
    void add_fired(std::string text) {
        {
            const std::lock_guard lock(mutex_);
            ++counts_["fired"];
            if (fired_.size() < most_) fired_.push_back(std::move(text));
        }
        changed_.notify_all();
    }
    std::vector<std::string> fired() const {
        const std::lock_guard lock(mutex_);
        return fired_;
    }
    bool wait(std::string_view method, std::size_t count, std::chrono::milliseconds limit) const {
        std::unique_lock lock(mutex_);
        return changed_.wait_until(lock, std::chrono::steady_clock::now() + limit,
                                   [&] { return counted(method) >= count; });
    }
    std::size_t count(std::string_view method) const {
        const std::lock_guard lock(mutex_);
        return counted(method);
    }
    std::vector<StubReceived> received() const {
        const std::lock_guard lock(mutex_);
        return received_;
    }
    std::vector<std::string> violations() const {
        const std::lock_guard lock(mutex_);
        return violations_;
    }

    std::vector<std::string> secrets() const {
        const std::lock_guard lock(mutex_);
        return secrets_;
    }

  private:
    // Entries of each list: what a client sends cannot fill the memory. The counts go on.
    static constexpr std::size_t most_ = 1'000'000;

    std::size_t counted(std::string_view method) const {
        const auto found = counts_.find(method);
        return found == counts_.end() ? 0 : found->second;
    }

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<StubReceived> received_;
    std::map<std::string_view, std::size_t> counts_;
    std::vector<std::string> violations_;
    std::vector<std::string> secrets_;
    std::vector<std::string> fired_;
};

}  // namespace haigha::test
