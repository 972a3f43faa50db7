#include "stub_broker/stub_output.h"

#include <iostream>
#include <utility>

namespace haigha::test {

StubOutput::StubOutput() : thread_([this] { write_on(); }) {}

StubOutput::~StubOutput() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void StubOutput::line(std::string text) {
    {
        const std::lock_guard lock(mutex_);
        if (lines_.size() >= most_) {
            ++lost_;
            return;
        }
        lines_.push_back(std::move(text));
    }
    changed_.notify_all();
}

void StubOutput::write_on() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return !lines_.empty() || ending_; });
        if (lines_.empty()) return;
        std::deque<std::string> going = std::exchange(lines_, {});
        if (const std::size_t lost = std::exchange(lost_, 0); lost > 0) {
            going.push_back("lost " + std::to_string(lost));
        }
        lock.unlock();
        for (const std::string& line : going)
            std::cout << line << '\n';
        std::cout << std::flush;
        lock.lock();
    }
}

}  // namespace haigha::test
