#include "topology/retrier.h"

#include <utility>

#include "base/insist.h"
#include "base/named_number.h"
#include "pool/unconfirmed.h"
#include "topology/application.h"

namespace haigha::topology {

using client::Channel;
using client::Completion;
using client::Event;
using client::EventType;
using client::Then;
using pool::ChannelPool;
using pool::PooledMessage;
using pool::PoolOutcome;

namespace {

constexpr std::uint32_t most_channels = 4;

ErrorRef not_confirmed(const Event& event, const std::string& queue) {
    return pool::unconfirmed_error(
        event, "the message could not be given to \"" + queue + "\" and is still unsettled: ");
}

}  // namespace

ErrorRef Retrier::create(Ref<client::Connection> connection, RetryLadder ladder,
                         Ref<Retrier>* made) {
    const Ref<Retrier> retrier =
        Ref<Retrier>::adopt(new Retrier(std::move(connection), std::move(ladder)));
    pool::PoolSettings settings;
    settings.channels = most_channels;
    ErrorRef refused =
        ChannelPool::create(retrier->connection_, client::then_to(*retrier, &Retrier::on_event),
                            settings, false, &retrier->pool_);
    if (refused) {
        retrier->release();  // what the events had
        return refused;
    }
    retrier->connection_->handles().add();
    *made = retrier;
    return nullptr;
}

void Retrier::abandon() {
    if (connection_->forked()) return;
    muted_.store(true, std::memory_order_release);
    Ref<ChannelPool> pool;
    OpenOnes dropped;
    {
        const std::lock_guard lock(mutex_);
        pool = std::move(pool_);
        dropped.swap(open_);
    }
    if (pool) client::drop_handle(*pool.leak());
    client::drop_handle(*connection_);
}

// ---- from any thread

ErrorRef Retrier::retry(Channel& channel, const client::Message& message, std::string_view reason,
                        bool to_quarantine, Completion completion) {
    RetriedMessage again;
    if (ErrorRef unreadable = again.read(message)) {
        completion.disarm();
        return unreadable;
    }
    // A node that has its place already: with the message published nothing may fail any more.
    OpenOnes prepared;
    Open& open = prepared[0];
    open.channel = Ref<Channel>(&channel);
    open.delivery_tag = message.delivery_tag;
    open.queue = to_quarantine ? ladder_.quarantine() : ladder_.step(again.retries());
    protocol::PublishRequest request;
    ErrorRef refused = again.write(open.queue, reason, request);
    if (refused) {
        completion.disarm();
        return refused;
    }
    const auto pooled = Ref<PooledMessage>::adopt(new PooledMessage(request));
    {
        const std::lock_guard lock(mutex_);
        std::uint64_t number = 0;
        const Status status = pool_ ? pool_->publish(pooled, &number) : Status::closed;
        if (status == Status::ok) {
            open.completion = std::move(completion);
            auto node = prepared.extract(prepared.begin());
            node.key() = number;
            open_.insert(std::move(node));
            return nullptr;
        }
        if (pool_) refused = pool_->refusal(status);
    }
    completion.disarm();
    return refused ? refused : make_error(Status::closed, "the ladder was dropped");
}

ErrorRef Retrier::declare_wait(std::int64_t timeout_ms) {
    if (ErrorRef refused = connection_->may_wait()) return refused;
    Description description;
    const std::string why = ladder_.add_to(description);
    if (!why.empty()) return make_error(Status::argument, why);
    Application application(description, *connection_, timeout_ms);
    return application.apply(false);
}

bool Retrier::info(std::string_view name, std::int64_t* value) const {
    const std::lock_guard lock(mutex_);
    return find_number(
        {
            {"open", open_.size()},
            {"retried", retried_},
            {"quarantined", quarantined_},
            {"unacknowledged", unacknowledged_},
            {"failed", failed_},
        },
        name, value);
}

// ---- on the loop's thread

void Retrier::on_event(Then::AnyFunction, const Event& event, void* self) {
    const Ref<Retrier> kept(static_cast<Retrier*>(self));
    if (event.type == EventType::outcome) kept->outcome(event);
}

ErrorRef Retrier::acknowledge(Open& open) {
    wire::basic::Ack method{};
    method.delivery_tag = open.delivery_tag;
    const Status status = insist([&] { return open.channel->settle(method); });
    if (status == Status::ok) return nullptr;
    return insist([&] {
        const Ref<Error> error =
            edit_error(*open.channel->settle_refusal(status, open.delivery_tag));
        error->message =
            "the message is in \"" + open.queue +
            "\", but its delivery could not be acknowledged and comes again: " + error->message;
        return ErrorRef(error.get());
    });
}

void Retrier::outcome(const Event& event) {
    OpenOnes::node_type node;
    {
        const std::lock_guard lock(mutex_);
        node = open_.extract(event.number);
    }
    if (!node) return;  // it was abandoned
    Open& open = node.mapped();
    const bool confirmed = static_cast<PoolOutcome>(event.outcome) == PoolOutcome::confirmed;
    const ErrorRef error =
        confirmed ? acknowledge(open) : insist([&] { return not_confirmed(event, open.queue); });
    const Ref<client::Reply> reply = insist([&] {
        Ref<client::Reply> made = Ref<client::Reply>::adopt(new client::Reply);
        made->outcome = event.outcome;
        if (confirmed) made->queue = open.queue;
        return made;
    });
    {
        const std::lock_guard lock(mutex_);
        if (!confirmed) {
            ++failed_;
        } else {
            ++(open.queue == ladder_.quarantine() ? quarantined_ : retried_);
            if (error) ++unacknowledged_;
        }
    }
    Event answer;
    answer.connection = connection_.get();
    answer.channel = open.channel.get();
    answer.channel_id = open.channel->number();
    open.completion.complete(answer, error, reply, muted_);
}

}  // namespace haigha::topology
