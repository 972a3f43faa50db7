// Records the events of callbacks, lets a test wait for them with a deadline, and counts releases.
#pragma once

#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/api_handles.h"

namespace haigha::test {

// How long a test waits for what has to come. Only a failure takes so long; whoever looks for one
// can set HAIGHA_TEST_PATIENCE_S.
inline const std::chrono::seconds patience{[] {
    const char* const seconds = std::getenv("HAIGHA_TEST_PATIENCE_S");
    return seconds != nullptr ? std::atoi(seconds) : 60;
}()};

// A copy of an event that outlives it.
struct Recorded {
    std::uint32_t type = 0;
    std::uint32_t flags = 0;
    std::uint64_t tag = 0;
    std::uint64_t number = 0;
    void* user_data = nullptr;
    bool failed = false;
    haigha_status status = HAIGHA_OK;
    int reply_code = 0;
    std::string reply_text;
    std::string error;
    std::string method;
    std::string stage;
    std::string queue;
    std::uint32_t message_count = 0;
    std::uint32_t consumer_count = 0;
    bool has_reply = false;
    bool has_message = false;
    std::string exchange;
    std::string routing_key;
    std::string consumer_tag;
    std::string name;
    std::string body;
    std::string headers;  // the names of the message's, with a space between
    std::uint32_t channel_id = 0;
    int outcome = 0;
    int state = 0;
    int previous_state = 0;
    std::thread::id thread;
};

inline Recorded recorded(const haigha_event& event) {
    Recorded copy;
    copy.type = event.type;
    copy.flags = event.flags;
    copy.tag = event.tag;
    copy.number = event.number;
    copy.user_data = event.user_data;
    copy.failed = event.error != nullptr;
    copy.status = haigha_error_status(event.error);
    copy.reply_code = haigha_error_reply_code(event.error);
    copy.reply_text = view(haigha_error_reply_text(event.error));
    copy.error = haigha_error_message(event.error);
    copy.method = haigha_error_method_name(event.error);
    copy.stage = haigha_error_stage_name(event.error);
    copy.has_reply = event.reply != nullptr;
    copy.queue = view(haigha_reply_queue(event.reply));
    copy.message_count = haigha_reply_message_count(event.reply);
    copy.consumer_count = haigha_reply_consumer_count(event.reply);
    copy.has_message = event.message != nullptr;
    copy.exchange = view(event.exchange);
    copy.routing_key = view(event.routing_key);
    copy.consumer_tag = event.type == HAIGHA_EVENT_REPLY
                            ? view(haigha_reply_consumer_tag(event.reply))
                            : view(event.consumer_tag);
    copy.name = view(event.name);
    copy.body = view(event.body);
    haigha_cursor cursor;
    haigha_field field;
    if (event.message != nullptr &&
        haigha_message_headers(event.message, &cursor, nullptr) == HAIGHA_OK) {
        while (haigha_cursor_next(&cursor, &field) == 1)
            copy.headers += (copy.headers.empty() ? "" : " ") + std::string(view(field.name));
    }
    copy.channel_id = event.channel_id;
    copy.outcome = event.outcome;
    copy.state = event.state;
    copy.previous_state = event.previous_state;
    copy.thread = std::this_thread::get_id();
    return copy;
}

class EventLog {
  public:
    // Runs in the callback, before the event is recorded.
    using Hook = std::function<void(const haigha_event&)>;

    EventLog() : state_(std::make_shared<State>()) { keep(state_); }
    explicit EventLog(Hook hook) : EventLog() { state_->hook = std::move(hook); }

    haigha_then then(std::uint64_t tag = 0) {
        const std::lock_guard lock(state_->mutex);
        auto& registration = state_->registrations.emplace_back(new Registration{state_.get()});
        return {&on_event, registration.get(), &on_release, nullptr, tag};
    }

    // Waits until `done`, which sees all events so far; fails the test when it takes too long.
    template <class Done>
    bool wait(Done done, const char* what, std::chrono::milliseconds limit = patience) {
        std::unique_lock lock(state_->mutex);
        const bool came =
            state_->changed.wait_for(lock, limit, [&] { return done(state_->events); });
        EXPECT_TRUE(came) << "waited for " << what << "; " << state_->events.size()
                          << " events came";
        return came;
    }
    bool wait_count(std::uint32_t type, std::size_t count) {
        return wait([&](const auto&) { return count_of(type) >= count; },
                    "a number of events of a type");
    }
    // The nth event that is one of those, from 0; an empty one when it does not come.
    template <class Which>
    Recorded nth(std::size_t number, const Which& which, const std::string& what) {
        Recorded found;
        wait(
            [&](const std::vector<Recorded>& events) {
                std::size_t seen = 0;
                for (const Recorded& event : events) {
                    if (!which(event) || seen++ < number) continue;
                    found = event;
                    return true;
                }
                return false;
            },
            what.c_str());
        return found;
    }
    Recorded wait_for(std::uint32_t type, std::size_t number = 0) {
        return nth(
            number, [&](const Recorded& event) { return event.type == type; },
            "an event of type " + std::to_string(type));
    }
    Recorded reply(std::uint64_t tag = 0) {
        return nth(
            0,
            [&](const Recorded& event) {
                return event.type == HAIGHA_EVENT_REPLY && event.tag == tag;
            },
            "the reply with tag " + std::to_string(tag));
    }
    Recorded state(int wanted) {
        return nth(
            0,
            [&](const Recorded& event) {
                return (event.type == HAIGHA_EVENT_CONNECTION_STATE ||
                        event.type == HAIGHA_EVENT_CHANNEL_STATE) &&
                       event.state == wanted;
            },
            "the state " + std::to_string(wanted));
    }
    // A step of a recovery, HAIGHA_RECOVERY_*.
    Recorded recovery(int step, std::size_t number = 0) {
        return nth(
            number,
            [&](const Recorded& event) {
                return event.type == HAIGHA_EVENT_RECOVERY && event.state == step;
            },
            "a recovery event of kind " + std::to_string(step));
    }

    std::size_t count(std::uint32_t type) const {
        const std::lock_guard lock(state_->mutex);
        return count_of(type);
    }
    std::size_t size() const {
        const std::lock_guard lock(state_->mutex);
        return state_->events.size();
    }
    std::vector<Recorded> events() const {
        const std::lock_guard lock(state_->mutex);
        return state_->events;
    }

    // How many release hooks have run.
    std::size_t released() const {
        const std::lock_guard lock(state_->mutex);
        return state_->released;
    }
    // Deliveries whose bodies are the numbers from 1 to `count`, in any order and more than once.
    bool wait_numbered(std::size_t count) {
        return wait(
            [count](const std::vector<Recorded>& events) {
                std::vector<bool> came(count + 1);
                std::size_t left = count;
                for (const Recorded& event : events) {
                    if (event.type != HAIGHA_EVENT_DELIVERY) continue;
                    const std::size_t number = std::stoul(event.body);
                    if (!came.at(number)) came[number] = true, --left;
                }
                return left == 0;
            },
            "a delivery of each number");
    }
    bool wait_released(std::size_t count) {
        return wait([&](const auto&) { return state_->released >= count; }, "release hooks");
    }

  private:
    struct State;
    struct Registration {
        State* state;
        int releases = 0;
    };
    struct State {
        mutable std::mutex mutex;
        std::condition_variable changed;
        std::vector<Recorded> events;
        std::map<std::uint32_t, std::size_t> counts;  // of each type
        std::vector<std::unique_ptr<Registration>> registrations;
        std::size_t released = 0;
        Hook hook;
    };

    static void on_event(const haigha_event* event, void* user_data) {
        auto* const registration = static_cast<Registration*>(user_data);
        State* const state = registration->state;
        if (state->hook) state->hook(*event);
        Recorded copy = recorded(*event);
        const std::lock_guard lock(state->mutex);
        EXPECT_EQ(registration->releases, 0) << "an event after its release hook ran";
        ++state->counts[copy.type];
        state->events.push_back(std::move(copy));
        state->changed.notify_all();
    }
    static void on_release(void* user_data) {
        auto* const registration = static_cast<Registration*>(user_data);
        State* const state = registration->state;
        const std::lock_guard lock(state->mutex);
        EXPECT_EQ(++registration->releases, 1) << "a release hook ran twice";
        ++state->released;
        state->changed.notify_all();
    }

    std::size_t count_of(std::uint32_t type) const {
        const auto found = state_->counts.find(type);
        return found != state_->counts.end() ? found->second : 0;
    }

    // A log is kept to the end of the process: a hook that runs too late is then a failed test and
    // not a crash.
    static void keep(const std::shared_ptr<State>& state) {
        static auto& mutex = *new std::mutex;
        static auto& all = *new std::vector<std::shared_ptr<State>>;
        const std::lock_guard lock(mutex);
        all.push_back(state);
    }

    std::shared_ptr<State> state_;
};

}  // namespace haigha::test
