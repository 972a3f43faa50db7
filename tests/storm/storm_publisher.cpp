#include "storm/storm_publisher.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "storm/storm_body.h"

namespace haigha::storm {

using test::Err;
using test::str;

namespace {

// What a message is follows from its number alone.
struct Shape {
    std::size_t size;
    bool routable;
};

constexpr std::size_t huge = 300 * 1024;  // over what is written in one piece

Shape shape_of(unsigned publisher, std::uint64_t number) {
    const std::uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15 + publisher;
    Shape shape{least_body + (mixed >> 40) % 1500, true};
    if (number % 101 == 50) shape.size = huge + (mixed >> 40) % 1000;
    if (number % 17 == 3) shape.size = 20'000 + (mixed >> 40) % 20'000;
    // Mandatory messages that no queue takes, of half the publishers.
    if (publisher % 2 == 1 && number % 31 == 7) shape = {least_body, false};
    return shape;
}

// An attempt within a user_data.
void* label_of(std::uint64_t number, std::uint32_t attempt) {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number << 16 | attempt));
}

}  // namespace

StormPublisher::StormPublisher(PublisherSetting setting, StormLink& link, Account& account,
                               OperationBook& book, Findings& findings)
    : setting_(std::move(setting)),
      link_(link),
      account_(account),
      book_(book),
      findings_(findings),
      outlet_(outlet_of(setting_.index)) {
    properties_.present = HAIGHA_PROPERTY_DELIVERY_MODE;
    properties_.delivery_mode = 2;
    usual_.exchange = str(setting_.exchange);
    usual_.routing_key = str(setting_.routing_key);
    usual_.properties = &properties_;
    usual_.mandatory = setting_.index % 2;
}

StormPublisher::~StormPublisher() {
    stop();
}

bool StormPublisher::start() {
    Err error;
    const haigha_then events =
        book_.listen("publisher's events", [this](const haigha_event& event) { on_event(event); });
    if (outlet_->open(link_.get(), events, usual_, error) != HAIGHA_OK) {
        findings_.add("cannot publish at all", error.message());
        return false;
    }
    produce(Pace::steady);
    thread_ = std::thread([this] { run(); });
    return true;
}

void StormPublisher::produce(Pace pace) {
    const std::lock_guard lock(mutex_);
    pace_ = pace;
    next_due_ms_ = last_confirm_ms_ = now_ms();
    changed_.notify_all();
}

bool StormPublisher::idle() const {
    const std::lock_guard lock(mutex_);
    return !busy_ && again_.empty() && account_.unsettled() == 0;
}

void StormPublisher::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }
    bell_.ring();
    if (thread_.joinable()) thread_.join();
    outlet_->close();
}

void StormPublisher::provoke() {
    outlet_->provoke(book_);
}

// ---- the publisher's thread

void StormPublisher::run() {
    std::uint64_t number = 0;
    while (next(&number) && hand_over(number)) {
    }
}

bool StormPublisher::next(std::uint64_t* number) {
    std::unique_lock lock(mutex_);
    busy_ = false;
    while (!stopping_) {
        if (!again_.empty()) {
            *number = again_.front();
            again_.pop_front();
            return busy_ = true;
        }
        const std::int64_t left = pace_ == Pace::flood ? 0 : next_due_ms_ - now_ms();
        const bool more = pace_ != Pace::none && next_number_ < account_.capacity();
        if (more && left <= 0) {
            *number = next_number_++;
            next_due_ms_ += 1000 / setting_.per_second;
            // What could not be published in time is not made up for.
            if (left < -200) next_due_ms_ = now_ms();
            return busy_ = true;
        }
        if (more) {
            changed_.wait_for(lock, std::chrono::milliseconds(left));
        } else {
            changed_.wait(lock);
        }
    }
    return false;
}

bool StormPublisher::hand_over(std::uint64_t number) {
    const bool routable = shape_of(setting_.index, number).routable;
    while (true) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return false;
        }
        const std::uint64_t heard = bell_.rings();
        const std::uint32_t attempt = account_.begin(number, routable);
        Err error;
        const haigha_status status = publish(number, attempt, error);
        if (status == HAIGHA_OK) return true;
        account_.refused(number);
        ++refusals_;
        if (status != HAIGHA_ERR_WOULD_BLOCK && status != HAIGHA_ERR_RECOVERING) {
            findings_.add("cannot publish", error.message());
            return false;
        }
        if (!bell_.wait_beyond(heard, setting_.patience_ms)) {
            const std::lock_guard lock(mutex_);
            if (!stopping_) findings_.add("never told to go on", error.message());
        }
    }
}

haigha_status StormPublisher::publish(std::uint64_t number, std::uint32_t attempt,
                                      haigha_error** error) {
    const Shape shape = shape_of(setting_.index, number);
    haigha_publish_args args = usual_;
    args.user_data = label_of(number, attempt);
    if (!shape.routable) {
        args.exchange = str("");
        args.routing_key = str("nobody's queue");
    }
    return outlet_->publish(args, make_body({setting_.index, attempt, number}, shape.size),
                            shape.routable, error);
}

// ---- the loop's thread

void StormPublisher::on_event(const haigha_event& event) {
    switch (event.type) {
        case HAIGHA_EVENT_WRITABLE:
            bell_.ring();
            return;
        case HAIGHA_EVENT_CHANNEL_STATE:
            if (event.state == HAIGHA_STATE_RECOVERING) ++channel_losses_;
            if (event.state == HAIGHA_STATE_CLOSED) {
                const std::lock_guard lock(mutex_);
                if (!stopping_) {
                    findings_.add("a channel ended", std::string("a publisher's: ") +
                                                         haigha_error_message(event.error));
                }
            }
            bell_.ring();
            return;
        case HAIGHA_EVENT_POOL_STATE:
            if (event.error != nullptr) {
                findings_.add("a pool ended", haigha_error_message(event.error));
            }
            return;
        case HAIGHA_EVENT_OUTCOME: {
            if (event.user_data == nullptr) {
                note_provocation(event);
                return;
            }
            const auto label = reinterpret_cast<std::uintptr_t>(event.user_data);
            const std::uint64_t number = label >> 16;
            const bool again = account_.ended(number, label & 0xffff, event.outcome);
            note_outcome(event.outcome);
            // Here a program that leaves sending again to the library would do nothing.
            if (!again) return;
            const std::lock_guard lock(mutex_);
            again_.push_back(number);
            changed_.notify_all();
            return;
        }
        default:
            return;
    }
}

// Refused, or not sent when the storm ends.
void StormPublisher::note_provocation(const haigha_event& event) {
    if (event.outcome == HAIGHA_OUTCOME_REFUSED) return;
    const std::lock_guard lock(mutex_);
    if (!stopping_) findings_.add("wrong outcomes", "a bad message is not refused");
}

void StormPublisher::note_outcome(int outcome) {
    if (outcome != HAIGHA_OUTCOME_CONFIRMED) return;
    const std::lock_guard lock(mutex_);
    const std::int64_t now = now_ms();
    if (pace_ == Pace::steady) {
        longest_silence_ms_ = std::max(longest_silence_ms_.load(), now - last_confirm_ms_);
    }
    last_confirm_ms_ = now;
}

}  // namespace haigha::storm
