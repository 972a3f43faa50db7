// A libuv loop, on a thread of its own or the caller's: tasks from any thread, work at a turn's
// end.
#pragma once

#include <uv.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "base/slab.h"
#include "transport/fork_guard.h"

namespace haigha::transport {

// Something that has output to write once the current turn of the loop has done its work.
class Flushable {
  public:
    // True when user code ran: a program that waits for it by uv_run(UV_RUN_ONCE) must get its
    // turn.
    virtual bool flush() = 0;
    virtual void add_ref() const = 0;
    virtual void release() const = 0;

  protected:
    ~Flushable() = default;
};

class Timer;

// Lives while it is attached or running; its memory lives while it is referred to. Users (handles
// and connections) keep it going: with the last drop_user() it winds itself up.
class Loop : public Counted<Loop> {
  public:
    using Task = std::function<void()>;

    // Both return with one user, the caller's.
    static Ref<Loop> start(ErrorRef* error);
    static Ref<Loop> attach(uv_loop_t* uv, ErrorRef* error);
    // Whether `uv_run` is that of the libuv used here: a second copy's loops must not be touched.
    static bool same_libuv(void (*callers_uv_run)()) {
        return callers_uv_run == reinterpret_cast<void (*)()>(&uv_run);
    }

    void add_user();
    void drop_user();

    uv_loop_t* uv() { return uv_; }
    bool on_thread() const {
        return std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed);
    }
    // Whether this is the thread of some loop that the library has started.
    static bool on_own_thread();
    bool forked() const { return fork_guard_.forked(); }
    // What the loop's deadlines are measured by. Any thread.
    Instant now() const {
        const std::int64_t told = virtual_now_.load(std::memory_order_relaxed);
        return told < 0 ? real_now() : Instant{told};
    }
    // What threads wait by.
    static Instant real_now() { return Instant{static_cast<std::int64_t>(uv_hrtime())}; }

    // From here on the loop's clock stands still but for advance(). For timers made from now on.
    // False when it does already. Any thread.
    bool stop_clock();
    // How far it has gone since then.
    Duration advanced() const;
    bool clock_stands_still() const { return virtual_now_.load(std::memory_order_relaxed) >= 0; }
    // Told with false when the loop ends before the clock is there.
    using Advanced = std::function<void(bool)>;
    // Sets the clock forward, from timer to timer; `done` is told when every timer up to there has
    // fired, and what came of that was written. Not before an earlier advance() is done. Of the
    // loop's thread.
    void advance(Duration by, Advanced done);

    const Ref<SlabPool>& slabs() const { return slabs_; }

    // Runs the task on the loop's thread, soon. False when the loop has ended: it will not run.
    bool post(Task task);
    // Calls item.flush() before the loop next waits.
    void flush_soon(Flushable& item);

    // Leaves the uv loop without waiting for the last user, and then runs `closed`. Of the loop's
    // thread; everything else on the loop must be closing already.
    void close(Task closed);
    // It is leaving, and nothing new may start on it. Of the loop's thread.
    bool closing() const { return shutting_down_; }

  private:
    friend class Counted<Loop>;
    friend class Timer;
    struct Advance {
        Duration by;
        Instant target;
        Advanced done;
    };
    Loop() = default;
    ~Loop() = default;

    void open_handles();
    void run_thread();
    void turn();
    void wake();  // who counted itself among the wakers
    void run_posted();
    void run_flushes();
    void shut_down();
    void begin_advance();
    void step_clock();
    void end_advances();
    // The loop goes round, so that it writes what there is to write and reads what there is to
    // read, before it takes the next step.
    void turn_and_step(int turns);

    ForkGuard fork_guard_;
    std::unique_ptr<uv_loop_t> own_;
    uv_loop_t* uv_ = nullptr;
    uv_async_t async_{};
    uv_prepare_t prepare_{};
    std::atomic<std::thread::id> thread_id_;
    std::atomic<std::uint32_t> users_{1};
    Ref<SlabPool> slabs_ = Ref<SlabPool>::adopt(new SlabPool);

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    Instant clock_stopped_;
    bool ended_ = false;
    std::vector<Task> posted_;
    std::vector<Ref<Flushable>> posted_flushes_;
    // Counted up with mutex_ held and the loop not ended. The wake-up is closed when none is left.
    std::atomic<int> wakers_{0};

    // Of the loop's thread.
    bool shutting_down_ = false;
    int open_handles_ = 0;
    std::vector<Ref<Flushable>> flushes_;
    std::vector<Ref<Flushable>> running_flushes_;
    std::vector<Task> closed_;

    // The clock that stands still, since the origin of the real one; negative: there is none.
    std::atomic<std::int64_t> virtual_now_{-1};
    // Of the loop's thread: the timers that wait for it, those of one instant as they were set.
    std::multimap<Instant, Timer*> virtual_timers_;
    std::vector<Advance> advances_;
};

// A one-shot timer. Of the loop's thread only.
class Timer {
  public:
    Timer(Loop& loop, std::function<void()> fire);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    // Fires at `at` or soon after; never() stops it.
    void set(Instant at);
    Instant at() const { return at_; }

  private:
    friend class Loop;
    struct Handle;
    void fire();
    void wait_for_clock();
    void leave_clock();

    Handle* handle_;
    Loop& loop_;
    Instant at_ = Instant::never();
    // Whether it is one of the loop's timers that no real time brings.
    const bool virtual_;
    bool waits_for_clock_ = false;
    std::multimap<Instant, Timer*>::iterator place_{};
};

}  // namespace haigha::transport
