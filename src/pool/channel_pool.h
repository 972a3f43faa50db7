// What haigha_pool is: a schedule of messages, joined to the channels of a connection.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/busy_mutex.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "client/channel.h"
#include "client/completion.h"
#include "client/connection.h"
#include "client/handle_count.h"
#include "client/then.h"
#include "pool/pool_schedule.h"

namespace haigha::pool {

// One mutex guards the schedule, so that any thread may publish; it is held while a channel's or
// the connection's is taken, never the other way round, and not while user code runs. What is told
// is told on the loop's thread.
class ChannelPool final : public Counted<ChannelPool> {
  public:
    // On a connection in any state but closed; it holds a handle of it.
    static ErrorRef create(Ref<client::Connection> connection, client::Then events,
                           const PoolSettings& settings, bool correlate_returns,
                           Ref<ChannelPool>* pool);

    client::Connection& connection() const { return *connection_; }
    client::HandleCount& handles() { return handles_; }
    // The user has dropped the last handle: everything ends in silence.
    void abandon();

    // ok, would_block or closed. *number: of the message.
    // tells_room: refused for want of room, the events hear when there is some.
    Status publish(const Ref<PooledMessage>& message, std::uint64_t* number,
                   bool tells_room = true);
    // Waits for room, and for the outcome.
    ErrorRef publish_wait(const protocol::PublishRequest& request, std::int64_t timeout_ms,
                          Ref<client::Reply>* reply);
    // Why a call is refused with `status`.
    ErrorRef refusal(Status status) const;

    // Null: the completion will be answered. Otherwise nothing was taken.

    // When what was published before has its outcome.
    ErrorRef drain(client::Completion completion);
    // Nothing more is sent; answered when the channels are closed.
    ErrorRef close(client::Completion completion);
    ErrorRef drain_wait(std::int64_t timeout_ms);
    // Drains, then closes.
    ErrorRef close_wait(std::int64_t timeout_ms);

    // False for a name that is not known.
    bool info(std::string_view name, std::int64_t* value) const;

  private:
    friend class Counted<ChannelPool>;
    // A channel, as its events' receiver.
    struct Slot : Counted<Slot> {
        Slot(ChannelPool& of, PoolSchedule::Lane number) : pool(&of), lane(number) {}
        const Ref<ChannelPool> pool;
        const PoolSchedule::Lane lane;
        Ref<client::Channel> channel;  // null once it has ended
    };
    // A drain, or a close, which waits for the end.
    struct Wait {
        std::uint64_t id;
        bool for_end;
        std::uint64_t up_to;  // the number of the last message it waits for
        std::uint64_t left;   // how many of them have no outcome
        client::Completion completion;
    };
    // What is to be told when the mutex is free.
    struct Told {
        std::vector<PoolSchedule::Settled> settled;
        std::vector<client::Completion> completed;
        bool writable = false;
        bool ended = false;
        ErrorRef error;  // with ended
    };

    ChannelPool(Ref<client::Connection> connection, client::Then events,
                const PoolSettings& settings, bool correlate_returns);
    ~ChannelPool() = default;

    // Runs start(completion) and waits for its answer until `deadline`; `late`: what is said then.
    template <class Start>
    ErrorRef wait(Start start, Instant deadline, const char* late);
    static void on_event(client::Then::AnyFunction, const client::Event& event, void* slot);
    static void on_commit(client::Then::AnyFunction, const client::Event& event, void* slot);
    void channel_event(Slot& slot, const client::Event& event);
    void channel_state(Slot& slot, const client::Event& event);
    void connection_state(client::State now, const ErrorRef& error);
    static ErrorRef await(client::Waiter& waiter, Instant deadline, const char* late,
                          Ref<client::Reply>* reply);

    // ---- with the mutex held

    void pump();
    void write(const PoolSchedule::Assignment& given);
    Status write_to(client::Channel& channel, PooledMessage& message) const;
    void commit(PoolSchedule::Lane lane);
    void open_lane();
    void returned(PoolSchedule::Lane lane, const client::Event& event);
    // Not of a channel whose lane another has by now.
    bool is_current(const Slot& slot) const {
        return slot.lane < slots_.size() && slots_[slot.lane].get() == &slot;
    }
    void slot_gone(Slot& slot, const ErrorRef& error);
    void stop();
    void end(const ErrorRef& error);
    // Whether there is anything to tell.
    bool owes() const;
    void take_told(Told& told);

    // Without it, on the loop's thread: tells what is owed. Or has that done there.
    void tell();
    bool tell_soon();
    ErrorRef take_back(std::uint64_t id);
    void tell_outcome(PoolSchedule::Settled& one);

    const Ref<client::Connection> connection_;
    const bool correlate_returns_;
    client::HandleCount handles_;
    client::Then events_;
    std::atomic<bool> muted_{false};

    mutable BusyMutex mutex_;
    PoolSchedule schedule_;
    std::vector<Ref<Slot>> slots_;  // by lane; null where there is none
    client::State connection_state_ = client::State::fresh;
    bool refused_ = false;  // a publish was, for want of room: an event is owed
    bool closing_ = false;
    bool ended_ = false;
    bool end_told_ = false;
    ErrorRef end_error_;  // null: by close()
    std::uint64_t wait_ids_ = 0;
    std::vector<Wait> waits_;
    std::vector<Ref<client::Waiter>> room_waiters_;

    // Of the loop's thread: settled messages are told from here, so that their room is kept.
    std::vector<PoolSchedule::Settled> telling_;
};

}  // namespace haigha::pool
