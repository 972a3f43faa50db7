#include "storm/storm_publisher.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "storm/storm_body.h"

namespace haigha::storm {

using test::Err;
using test::out;
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

struct LentBody {
    std::string bytes;
    std::atomic<std::int64_t>& given_back;
};

void give_back(void* data) {
    const std::unique_ptr<LentBody> body(static_cast<LentBody*>(data));
    ++body->given_back;
}

}  // namespace

StormPublisher::StormPublisher(PublisherSetting setting, StormLink& link, Account& account,
                               OperationBook& book, Findings& findings)
    : setting_(std::move(setting)),
      link_(link),
      account_(account),
      book_(book),
      findings_(findings) {}

StormPublisher::~StormPublisher() {
    stop();
}

bool StormPublisher::start() {
    Err error;
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.events =
        book_.listen("channel's events", [this](const haigha_event& event) { on_event(event); });
    args.confirm = 1;
    args.recovery_policy = HAIGHA_CHANNEL_REOPEN;
    // Each policy has its publishers; what the library gives up is sent again by this program.
    if (setting_.index == 2) args.publish_policy = HAIGHA_PUBLISH_KEEP_UNSENT;
    if (setting_.index >= 4) args.publish_policy = HAIGHA_PUBLISH_RESEND;
    if (setting_.index % 3 == 0) args.max_in_flight = 200;
    if (haigha_channel_open_wait(link_.get(), &args, -1, out(channel_), error) != HAIGHA_OK) {
        findings_.add("cannot open a channel", error.message());
        return false;
    }
    if (setting_.index % 3 == 1) {
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_DELIVERY_MODE;
        properties.delivery_mode = 2;
        haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
        publish.exchange = str(setting_.exchange);
        publish.routing_key = str(setting_.routing_key);
        publish.properties = &properties;
        publish.mandatory = setting_.index % 2;
        if (haigha_publisher_new(channel_.get(), &publish, out(prepared_), error) != HAIGHA_OK) {
            findings_.add("cannot prepare a publisher", error.message());
            return false;
        }
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
    prepared_.reset();
    if (channel_) {
        haigha_channel_close_wait(channel_.get(), -1, nullptr);
        channel_.reset();
    }
}

void StormPublisher::provoke() {
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str("there is no such queue");
    args.passive = 1;
    book_.start("a bad declare", [&](const haigha_then* then) {
        return haigha_queue_declare(channel_.get(), &args, then, nullptr);
    });
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
    const BodyLabel label{setting_.index, attempt, number};
    void* const user_data = label_of(number, attempt);
    std::string body = make_body(label, shape.size);
    if (prepared_ && shape.routable) {
        return haigha_publisher_publish(prepared_.get(), str(body), user_data, nullptr, error);
    }
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_DELIVERY_MODE;
    properties.delivery_mode = 2;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    if (shape.routable) args.exchange = str(setting_.exchange);
    args.routing_key = shape.routable ? str(setting_.routing_key) : str("nobody's queue");
    args.properties = &properties;
    args.user_data = user_data;
    args.mandatory = setting_.index % 2;
    if (setting_.index % 3 != 2) {
        return haigha_publish(channel_.get(), &args, str(body), nullptr, error);
    }
    auto lent = std::make_unique<LentBody>(LentBody{std::move(body), given_back_});
    ++lent_;
    const haigha_status status = haigha_publish_lent(channel_.get(), &args, str(lent->bytes),
                                                     &give_back, lent.get(), nullptr, error);
    if (status == HAIGHA_OK) {
        (void)lent.release();
    } else {
        --lent_;
    }
    return status;
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
        case HAIGHA_EVENT_OUTCOME: {
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
