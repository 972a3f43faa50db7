// Bodies that are lent, which fill themselves with rubbish when they are given back: whoever still
// looks at one after that sends what the other end will not take for it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "support/event_log.h"

namespace haigha::test {

class LentBodies {
  public:
    struct Body {
        LentBodies* lender;
        std::string octets;
        int released = 0;
        haigha_str str() const { return {octets.data(), octets.size()}; }
    };

    // To be released after the library has no more of them.
    ~LentBodies() {
        for (const Body& body : bodies_)
            EXPECT_LE(body.released, 1) << "a body of " << body.octets.size() << " bytes";
    }

    Body& add(std::string octets) {
        const std::lock_guard lock(mutex_);
        return bodies_.emplace_back(Body{this, std::move(octets)});
    }
    static void release(void* data) {
        Body& body = *static_cast<Body*>(data);
        LentBodies& lender = *body.lender;
        const std::lock_guard lock(lender.mutex_);
        ++body.released;
        body.octets.assign(body.octets.size(), '?');
        lender.changed_.notify_all();
    }

    std::size_t released() const {
        const std::lock_guard lock(mutex_);
        return count();
    }
    void wait_released(std::size_t wanted) {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(changed_.wait_for(lock, patience, [&] { return count() >= wanted; }))
            << count() << " of " << wanted << " were given back";
    }

  private:
    std::size_t count() const {
        std::size_t count = 0;
        for (const Body& body : bodies_)
            count += body.released > 0 ? 1 : 0;
        return count;
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Body> bodies_;
};

}  // namespace haigha::test
