// What haigha_workers is: threads that run the handlers of deliveries.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "client/channel.h"
#include "client/completion.h"
#include "client/event_loop.h"
#include "client/handle_count.h"
#include "workers/work_consumer.h"
#include "workers/work_schedule.h"

namespace haigha::workers {

struct WorkerSettings {
    std::size_t threads = 4;
    std::size_t in_a_row = 16;
    std::size_t threads_per_channel = 0;  // 0: all but one
    std::size_t waiting = 65'536;         // of one consumer
    std::size_t waiting_bytes = 64U * 1024 * 1024;
};

// Deliveries are told on a loop's thread, put into the schedule, and handled on a thread of the
// pool's. The mutex guards the schedule and what a WorkConsumer says it does; with it held nothing
// is called that could take another, and no user code. Threads end with the pool, and are joined by
// the loop's thread, which nothing can have wait.
class WorkerPool final : public Counted<WorkerPool> {
  public:
    // On a loop that its caller has a handle of; it takes one of its own.
    static ErrorRef create(Ref<client::EventLoop> loop, const WorkerSettings& settings,
                           Ref<WorkerPool>* made);

    client::HandleCount& handles() { return handles_; }
    bool forked() const { return loop_->transport().forked(); }
    // The user has dropped the last handle.
    void abandon();

    // Null: the completion will be answered. Otherwise nothing was taken.
    ErrorRef consume(client::Channel& channel, const wire::basic::Consume& method, Handler handler,
                     Order order, client::Completion completion, std::int64_t timeout_ms);
    ErrorRef drain(client::Completion completion);
    ErrorRef close(client::Completion completion);
    // timeout_ms: -1 for as long as it takes.
    ErrorRef drain_wait(std::int64_t timeout_ms);
    ErrorRef close_wait(std::int64_t timeout_ms);

    // False for a name that is not known.
    bool info(std::string_view name, std::int64_t* value) const;

  private:
    friend class Counted<WorkerPool>;
    struct Item;
    class Subscription;
    // Answered when what had come before it is finished.
    struct Drain {
        std::uint64_t up_to;
        std::size_t left;
        client::Completion completion;
    };
    using Completions = std::vector<client::Completion>;

    WorkerPool(Ref<client::EventLoop> loop, const WorkerSettings& settings);
    ~WorkerPool();

    static void on_event(client::Then::AnyFunction, const client::Event& event, void* data);
    void delivered(const Ref<WorkConsumer>& consumer, const client::Event& event);
    void ended(const Ref<WorkConsumer>& consumer, const client::Event& event);
    void unsubscribed(const Ref<WorkConsumer>& consumer);

    ErrorRef start_threads();
    void run();
    static void handle(Item& item);
    void join_threads();
    void all_threads_ended();
    static void complete(Completions& completions);
    ErrorRef may_wait() const;

    // ---- with the mutex held
    void begin(Item& item);
    // What has to be called, or answered, without it.
    struct Finished {
        std::function<void()> go_on;
        Completions drained;
    };
    std::function<void()> take_go_on(WorkConsumer& consumer) const;
    void finish(Item& item, Finished& finished);
    std::vector<Ref<WorkConsumer>> consumers() const;

    // Without it.
    void stop_consumers(const std::vector<Ref<WorkConsumer>>& consumers) const;
    void stop();
    // On the loop's thread, if there still is one.
    void answer(Completions completions);

    const Ref<client::EventLoop> loop_;
    const WorkerSettings settings_;
    client::HandleCount handles_;

    mutable std::mutex mutex_;
    std::condition_variable work_came_;
    // ---- guarded by mutex_
    WorkSchedule schedule_;
    // That are told of deliveries, or will be.
    std::map<const WorkConsumer*, Ref<WorkConsumer>> consumers_;
    std::vector<Drain> drains_;
    Completions closings_;
    std::vector<std::thread> threads_;
    std::size_t threads_alive_ = 0;
    bool closing_ = false;   // takes no more consumers
    bool stopping_ = false;  // handles nothing more
    bool ended_ = false;     // its threads are gone
    std::size_t waiting_bytes_ = 0;
    std::uint64_t handled_ = 0;
    std::uint64_t stale_ = 0;
    std::uint64_t requeued_ = 0;
};

}  // namespace haigha::workers
