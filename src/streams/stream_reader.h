// What haigha_stream_reader is: a consumer of a stream whose place is kept in a queue of the
// broker.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/busy_mutex.h"
#include "base/clock.h"
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
#include "streams/offset_tracker.h"
#include "transport/loop.h"

namespace haigha::streams {

struct ReaderSettings {
    std::string stream;
    std::string offsets;  // the queue where the place is kept
    bool quorum = false;  // that queue
    std::uint64_t save_every = 1000;
    std::int64_t save_interval_ms = 5000;
};

// The place is kept as the one message of a queue that holds no more than one: publishing the next
// place drops the one before. The mutex is taken before the pool's, never the other way round, and
// not held while user code runs; answers are told on the loop's thread.
class StreamReader final : public Counted<StreamReader>, public client::DeliveryObserver {
  public:
    // On a channel in any state but closed; it holds a handle of it.
    static ErrorRef create(Ref<client::Channel> channel, ReaderSettings settings,
                           Ref<StreamReader>* made);

    void add_ref() const override { Counted<StreamReader>::add_ref(); }
    void release() const override { Counted<StreamReader>::release(); }

    client::Connection& connection() const { return channel_->connection(); }
    bool forked() const { return connection().forked(); }
    client::HandleCount& handles() { return handles_; }
    // The user has dropped the last handle: what is under way ends in silence, and deliveries go on
    // without anything being kept of them.
    void abandon();

    // Null: the completion will be answered. Otherwise nothing was taken.

    // Declares the queue, reads what it holds, and consumes behind that. `method`: without a queue.
    ErrorRef consume(const wire::basic::Consume& method, bool pause_when_full,
                     client::Then deliveries, client::Completion completion,
                     std::int64_t timeout_ms);
    // When everything that is handled by now is kept.
    ErrorRef save(client::Completion completion);

    // Done with: acknowledged, and not to be read again.
    ErrorRef handled(const client::Message& message);

    // False for a name that is not known.
    bool info(std::string_view name, std::int64_t* value) const;

  private:
    friend class Counted<StreamReader>;
    // A consume on its way.
    struct Start;
    struct Wait {
        std::int64_t up_to;
        client::Completion completion;
    };
    using Waits = std::vector<Wait>;
    using Step = void (StreamReader::*)(const client::Event& event);

    StreamReader(Ref<client::Channel> channel, ReaderSettings settings);
    ~StreamReader();

    void delivered(const client::Message& message) override;

    // ---- of the loop's thread

    template <Step step>
    static void on_step(client::Then::AnyFunction, const client::Event& event, void* self);
    static void on_saved(client::Then::AnyFunction, const client::Event& event, void* self);
    void declared(const client::Event& event);
    void got(const client::Event& event);
    void started(const client::Event& event);
    ErrorRef get();
    ErrorRef begin();
    void end_start(const ErrorRef& error, const Ref<client::Reply>& reply);
    void saved(const client::Event& event);
    void acknowledge_read();
    void tell_saved();
    void arm();
    void on_time();
    void complete(Waits& waits, const ErrorRef& error) const;

    std::int64_t left(Instant deadline) const;

    // ---- with the mutex held

    // Publishes the place, unless that is on its way, or there is nothing new.
    Status save_now();
    bool is_saved(std::int64_t position) const { return position <= saved_ && !unconfirmed_; }

    const Ref<client::Channel> channel_;
    const ReaderSettings settings_;
    client::HandleCount handles_;
    std::atomic<bool> muted_{false};

    mutable BusyMutex mutex_;
    Ref<pool::ChannelPool> pool_;   // null once it was abandoned
    std::unique_ptr<Start> start_;  // null: there is none on its way
    bool reads_ = false;            // it has a consumer, or is to have one
    OffsetTracker tracker_;
    std::int64_t saved_ = OffsetTracker::none;
    bool unconfirmed_ = false;         // saved_ was read, and that copy has to be replaced
    std::uint64_t saving_number_ = 0;  // of the pool; 0: nothing is on its way
    std::int64_t saving_ = OffsetTracker::none;
    std::uint64_t since_saved_ = 0;  // handled
    bool armed_ = false;
    Waits waits_;
    std::uint64_t handled_ = 0;
    std::uint64_t saves_ = 0;
    std::uint64_t failed_saves_ = 0;

    // ---- of the loop's thread
    std::vector<std::uint64_t> read_;  // delivery tags of places that were read
    std::unique_ptr<transport::Timer> timer_;
};

}  // namespace haigha::streams
