#include "storm/storm_consumer.h"

#include <chrono>
#include <utility>

#include "storm/storm_body.h"

namespace haigha::storm {

using test::Err;
using test::out;
using test::str;
using test::view;

namespace {

// By the library, of a channel whose publish_policy is to send again.
bool is_republished(const haigha_message* message) {
    haigha_cursor headers{};
    if (haigha_message_headers(message, &headers, nullptr) != HAIGHA_OK) return false;
    haigha_field field;
    while (haigha_cursor_next(&headers, &field) == 1) {
        if (view(field.name) == "x-haigha-republished") return true;
    }
    return false;
}
constexpr unsigned acked_at_once = 10;
}  // namespace

StormConsumer::StormConsumer(ConsumerSetting setting, StormLink& link, Accounts& accounts,
                             OperationBook& book, Findings& findings)
    : setting_(std::move(setting)),
      link_(link),
      accounts_(accounts),
      book_(book),
      findings_(findings),
      order_(accounts.size()) {}

StormConsumer::~StormConsumer() {
    stop();
}

bool StormConsumer::start() {
    Err error;
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.events =
        book_.listen("channel's events", [this](const haigha_event& event) { on_event(event); });
    args.recovery_policy = HAIGHA_CHANNEL_RESUBSCRIBE;
    if (haigha_channel_open_wait(link_.get(), &args, -1, out(channel_), error) != HAIGHA_OK) {
        findings_.add("cannot open a channel", error.message());
        return false;
    }
    haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    qos.prefetch_count = 50;
    if (haigha_qos_wait(channel_.get(), &qos, -1, nullptr, error) != HAIGHA_OK) {
        findings_.add("cannot set a prefetch", error.message());
        return false;
    }
    if (setting_.by_inbox) {
        if (haigha_inbox_new(64, out(inbox_), error) != HAIGHA_OK) {
            findings_.add("cannot make an inbox", error.message());
            return false;
        }
        thread_ = std::thread([this] { poll(); });
    }
    consume();
    return true;
}

void StormConsumer::consume() {
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str(setting_.queue_name);
    args.consumer_tag = str(setting_.tag);
    if (inbox_) {
        args.deliveries.inbox = inbox_.get();
    } else {
        args.deliveries =
            book_.listen("deliveries", [this](const haigha_event& event) { on_event(event); });
    }
    const haigha_status status = book_.start(
        "consume",
        [&](const haigha_then* then) {
            return haigha_consume(channel_.get(), &args, then, nullptr);
        },
        [this](const haigha_event& event) {
            if (event.error != nullptr) to_consume_ = true;
        });
    if (status != HAIGHA_OK) {
        if (!inbox_) book_.refused(args.deliveries);
        to_consume_ = true;
    }
}

void StormConsumer::settle_rest() {
    haigha_ack(channel_.get(), 0, HAIGHA_MULTIPLE, nullptr);
}

void StormConsumer::drain(std::int64_t timeout_ms) {
    ending_ = true;
    settle_rest();
    Err error;
    test::ReplyHandle reply;
    const haigha_status status = haigha_consumer_drain_wait(channel_.get(), str(setting_.tag),
                                                            timeout_ms, out(reply), error);
    if (status != HAIGHA_OK) {
        findings_.add("cannot drain", setting_.tag + ": " + error.message());
    } else if (haigha_reply_message_count(reply.get()) != 0) {
        findings_.add("cannot drain", setting_.tag + ": " +
                                          std::to_string(haigha_reply_message_count(reply.get())) +
                                          " deliveries are open");
    }
}

void StormConsumer::stop() {
    ending_ = true;
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    if (channel_) {
        haigha_channel_close_wait(channel_.get(), -1, nullptr);
        channel_.reset();
    }
}

void StormConsumer::pause() {
    haigha_consumer_pause_wait(channel_.get(), str(setting_.tag), -1, nullptr, nullptr);
}

void StormConsumer::resume(std::int64_t timeout_ms) {
    const std::int64_t end = now_ms() + timeout_ms;
    Err error;
    while (now_ms() < end) {
        const haigha_status status =
            haigha_consumer_resume_wait(channel_.get(), str(setting_.tag), -1, nullptr, error);
        // Not paused: the pause has failed, or the resuming before has not.
        if (status == HAIGHA_OK || status == HAIGHA_ERR_ARGUMENT) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    findings_.add("cannot resume", setting_.tag + ": " + error.message());
}

void StormConsumer::provoke() {
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str("there is no such queue");
    args.passive = 1;
    book_.start("a bad declare", [&](const haigha_then* then) {
        return haigha_queue_declare(channel_.get(), &args, then, nullptr);
    });
}

// ---- events

void StormConsumer::on_event(const haigha_event& event) {
    switch (event.type) {
        case HAIGHA_EVENT_DELIVERY:
            on_delivery(event);
            return;
        case HAIGHA_EVENT_CONSUMER_CANCELLED:
            on_cancelled();
            return;
        case HAIGHA_EVENT_CHANNEL_STATE:
            if (event.state == HAIGHA_STATE_RECOVERING) ++channel_losses_;
            if (event.state == HAIGHA_STATE_OPEN && to_consume_.exchange(false)) consume();
            if (event.state == HAIGHA_STATE_CLOSED && !ending_) {
                findings_.add("a channel ended",
                              setting_.tag + ": " + haigha_error_message(event.error));
            }
            return;
        default:
            return;
    }
}

void StormConsumer::on_delivery(const haigha_event& event) {
    const bool redelivered = (event.flags & HAIGHA_FLAG_REDELIVERED) != 0;
    if (redelivered) ++redelivered_;
    const bool republished = is_republished(event.message);
    if (republished) ++republished_;
    BodyLabel label;
    bool back = false;
    if (!read_body(view(event.body), &label) || label.publisher >= accounts_.size()) {
        findings_.add("corrupted", setting_.tag + " got " + std::to_string(event.body.size) +
                                       " octets that nobody has published");
    } else {
        const bool first = accounts_[label.publisher]->delivered(label, setting_.queue);
        if (first && !redelivered && !republished && label.attempt == 1 &&
            !accounts_[label.publisher]->may_overtake() && !order_.in_order(label, epoch_)) {
            findings_.add("out of order", setting_.tag + ": message " +
                                              std::to_string(label.number) + " of publisher " +
                                              std::to_string(label.publisher));
        }
        back = first && !redelivered && label.number % 97 == 13;
    }
    settle(event, back);
}

void StormConsumer::settle(const haigha_event& event, bool back) {
    haigha_status status = HAIGHA_OK;
    Err error;
    if (back) {
        status = haigha_nack(event.channel, event.number, HAIGHA_REQUEUE, error);
    } else if (!setting_.acks_multiple) {
        status = haigha_ack(event.channel, event.number, 0, error);
    } else if (++unsettled_ >= acked_at_once || ending_) {
        unsettled_ = 0;
        status = haigha_ack(event.channel, event.number, HAIGHA_MULTIPLE, error);
    }
    if (status == HAIGHA_ERR_STALE) ++stale_;
    if (status != HAIGHA_OK && status != HAIGHA_ERR_STALE && status != HAIGHA_ERR_RECOVERING) {
        findings_.add("cannot settle", setting_.tag + ": " + error.message());
    }
}

void StormConsumer::on_cancelled() {
    if (ending_) return;
    ++restarts_;
    consume();
}

void StormConsumer::poll() {
    constexpr std::size_t batch = 64;
    std::vector<haigha_event> events(batch);
    while (!stopping_) {
        std::size_t count = 0;
        haigha_inbox_poll(inbox_.get(), events.data(), sizeof(haigha_event), batch, 100, &count,
                          nullptr);
        for (std::size_t i = 0; i < count; ++i)
            on_event(events[i]);
    }
}

}  // namespace haigha::storm
