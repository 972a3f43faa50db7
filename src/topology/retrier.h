// What haigha_retry is: deliveries that are published to a ladder, and acknowledged when that is
// confirmed.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/busy_mutex.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "client/channel.h"
#include "client/completion.h"
#include "client/connection.h"
#include "client/handle_count.h"
#include "client/message.h"
#include "client/then.h"
#include "pool/channel_pool.h"
#include "topology/retry_ladder.h"

namespace haigha::topology {

// The mutex is taken before the pool's, never the other way round, and not held while user code
// runs; answers are told on the loop's thread.
class Retrier final : public Counted<Retrier> {
  public:
    // On a connection in any state but closed; it holds a handle of it.
    static ErrorRef create(Ref<client::Connection> connection, RetryLadder ladder,
                           Ref<Retrier>* made);

    client::Connection& connection() const { return *connection_; }
    client::HandleCount& handles() { return handles_; }
    const RetryLadder& ladder() const { return ladder_; }
    // The user has dropped the last handle: what is under way ends in silence.
    void abandon();

    // Null: the completion will be answered. Otherwise nothing was taken.
    ErrorRef retry(client::Channel& channel, const client::Message& message,
                   std::string_view reason, bool to_quarantine, client::Completion completion);
    // Of the ladder alone.
    ErrorRef declare_wait(std::int64_t timeout_ms);

    // False for a name that is not known.
    bool info(std::string_view name, std::int64_t* value) const;

  private:
    friend class Counted<Retrier>;
    // A delivery whose publish has no outcome yet.
    struct Open {
        Ref<client::Channel> channel;
        std::uint64_t delivery_tag = 0;
        std::string queue;
        client::Completion completion;
    };
    using OpenOnes = std::map<std::uint64_t, Open>;  // by the pool's number

    Retrier(Ref<client::Connection> connection, RetryLadder ladder)
        : connection_(std::move(connection)), ladder_(std::move(ladder)) {}
    ~Retrier() = default;

    static void on_event(client::Then::AnyFunction, const client::Event& event, void* self);
    void outcome(const client::Event& event);
    ErrorRef acknowledge(Open& open);

    const Ref<client::Connection> connection_;
    const RetryLadder ladder_;
    client::HandleCount handles_;
    std::atomic<bool> muted_{false};

    mutable BusyMutex mutex_;
    Ref<pool::ChannelPool> pool_;  // null once it was abandoned
    OpenOnes open_;
    std::uint64_t retried_ = 0;
    std::uint64_t quarantined_ = 0;
    std::uint64_t unacknowledged_ = 0;
    std::uint64_t failed_ = 0;
};

}  // namespace haigha::topology
