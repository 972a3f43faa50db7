#include "transport/loop.h"

#include <pthread.h>

#include <csignal>
#include <utility>

#include "base/insist.h"

namespace haigha::transport {

namespace {
ErrorRef uv_error(const char* what, int code) {
    const Ref<Error> error = edit_error(
        *make_error(code == UV_ENOMEM ? Status::no_memory : Status::io,
                    std::string(what) + ": " + uv_strerror(code) + " (" + uv_err_name(code) + ")"));
    error->os_errno = -code;
    return ErrorRef(error.get());
}
}  // namespace

Ref<Loop> Loop::attach(uv_loop_t* uv, ErrorRef* error) {
    Ref<Loop> loop = Ref<Loop>::adopt(new Loop);
    loop->uv_ = uv;
    if (const int code = uv_async_init(
            uv, &loop->async_,
            [](uv_async_t* handle) { static_cast<Loop*>(handle->data)->run_posted(); });
        code != 0) {
        *error = uv_error("cannot make a wake-up for the loop", code);
        return nullptr;
    }
    loop->open_handles();
    return loop;
}

Ref<Loop> Loop::start(ErrorRef* error) {
    Ref<Loop> loop = Ref<Loop>::adopt(new Loop);
    loop->own_ = std::make_unique<uv_loop_t>();
    if (const int code = uv_loop_init(loop->own_.get()); code != 0) {
        *error = uv_error("cannot make a loop", code);
        return nullptr;
    }
    loop->uv_ = loop->own_.get();
    if (const int code = uv_async_init(
            loop->uv_, &loop->async_,
            [](uv_async_t* handle) { static_cast<Loop*>(handle->data)->run_posted(); });
        code != 0) {
        uv_loop_close(loop->uv_);
        *error = uv_error("cannot make a wake-up for the loop", code);
        return nullptr;
    }
    loop->open_handles();
    // The thread inherits the mask: no signal handler of the program ever runs on it.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        std::thread([raw = loop.get()] { raw->run_thread(); }).detach();
    } catch (const std::exception& failure) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        loop->shut_down();
        uv_run(loop->uv_, UV_RUN_DEFAULT);
        uv_loop_close(loop->uv_);
        *error = make_error(Status::io, std::string("cannot start a thread: ") + failure.what());
        return nullptr;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return loop;
}

// The handles share ownership of this object until they are closed.
void Loop::open_handles() {
    thread_id_.store(own_ ? std::thread::id() : std::this_thread::get_id());
    async_.data = this;
    uv_prepare_init(uv_, &prepare_);
    prepare_.data = this;
    uv_prepare_start(&prepare_,
                     [](uv_prepare_t* handle) { static_cast<Loop*>(handle->data)->turn(); });
    uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
    open_handles_ = 2;
    add_ref();
}

namespace {
thread_local bool is_own_thread = false;
}  // namespace

bool Loop::on_own_thread() {
    return is_own_thread;
}

void Loop::run_thread() {
    is_own_thread = true;
    thread_id_.store(std::this_thread::get_id());
#ifdef __linux__
    pthread_setname_np(pthread_self(), "haigha");
#endif
    // The handles' share goes with their close callbacks; this one is for the end of the function.
    const Ref<Loop> self(this);
    uv_run(uv_, UV_RUN_DEFAULT);
    uv_loop_close(uv_);
}

void Loop::add_user() {
    users_.fetch_add(1, std::memory_order_relaxed);
}

void Loop::drop_user() {
    if (users_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (forked()) return;  // the thread is not in this process, and the uv loop is the parent's
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        insist([this] { posted_.emplace_back([this] { shut_down(); }); });
        ++wakers_;
    }
    wake();
}

void Loop::wake() {
    // Before libuv 1.53 uv_async_send orders nothing. The mutex does: its caller has put something
    // in with the mutex held, and the loop takes everything with it held after it has been woken.
    uv_async_send(&async_);
    --wakers_;
}

bool Loop::post(Task task) {
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return false;
        insist([&] { posted_.push_back(std::move(task)); });
        ++wakers_;
    }
    wake();
    return true;
}

void Loop::flush_soon(Flushable& item) {
    if (on_thread()) {
        insist([&] { flushes_.emplace_back(&item); });
        return;
    }
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        first = posted_flushes_.empty();
        insist([&] { posted_flushes_.emplace_back(&item); });
        if (first) ++wakers_;
    }
    if (first) wake();
}

void Loop::close(Task closed) {
    insist([&] { closed_.push_back(std::move(closed)); });
    shut_down();
}

void Loop::turn() {
    if (!on_thread()) thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    run_flushes();
}

void Loop::run_flushes() {
    // What is added meanwhile is for the next turn, or a flush could keep the loop for ever.
    running_flushes_.swap(flushes_);
    bool called_back = false;
    for (const Ref<Flushable>& item : running_flushes_)
        called_back |= item->flush();
    running_flushes_.clear();
    // The loop is about to wait, but there is a reason for it to go round once more.
    if (called_back || !flushes_.empty()) uv_async_send(&async_);
}

void Loop::run_posted() {
    if (!on_thread()) thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    std::vector<Task> tasks;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(posted_);
        if (flushes_.empty()) {
            flushes_.swap(posted_flushes_);
        } else {
            for (const Ref<Flushable>& item : posted_flushes_)
                insist([&] { flushes_.push_back(item); });
            posted_flushes_.clear();
        }
    }
    for (const Task& task : tasks)
        task();
}

void Loop::shut_down() {
    if (shutting_down_) return;
    shutting_down_ = true;
    std::vector<Task> late;
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        late.swap(posted_);
        posted_flushes_.clear();
    }
    for (const Task& task : late)
        task();
    flushes_.clear();
    // Whoever was overtaken on the way to the wake-up is about to write to its descriptor.
    while (wakers_ != 0)
        std::this_thread::yield();
    const auto closed = [](uv_handle_t* handle) {
        auto* loop = static_cast<Loop*>(handle->data);
        if (--loop->open_handles_ > 0) return;
        const std::vector<Task> tasks = std::move(loop->closed_);
        for (const Task& task : tasks)
            task();
        loop->release();
    };
    uv_close(reinterpret_cast<uv_handle_t*>(&async_), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), closed);
}

struct Timer::Handle {
    uv_timer_t timer{};
    std::function<void()> fire;
};

Timer::Timer(Loop& loop, std::function<void()> fire)
    : handle_(new Handle), loop_(loop), virtual_(loop.clock_stands_still()) {
    handle_->fire = std::move(fire);
    uv_timer_init(loop.uv(), &handle_->timer);
    handle_->timer.data = this;
}

Timer::~Timer() {
    leave_clock();
    handle_->timer.data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&handle_->timer),
             [](uv_handle_t* handle) { delete reinterpret_cast<Handle*>(handle); });
}

void Timer::set(Instant at) {
    leave_clock();
    at_ = at;
    const std::int64_t left = at == Instant::never() ? 0 : (at - loop_.now()).nanoseconds;
    if (at == Instant::never() || (virtual_ && left > 0)) {
        uv_timer_stop(&handle_->timer);
        if (at != Instant::never()) wait_for_clock();
        return;
    }
    const std::uint64_t wait_ms =
        left <= 0 ? 0 : static_cast<std::uint64_t>(left + 999'999) / 1'000'000;
    uv_update_time(handle_->timer.loop);
    uv_timer_start(
        &handle_->timer, [](uv_timer_t* timer) { static_cast<Timer*>(timer->data)->fire(); },
        wait_ms, 0);
}

// `this` may be gone afterwards.
void Timer::fire() {
    at_ = Instant::never();
    handle_->fire();
}

void Timer::wait_for_clock() {
    place_ = insist([this] { return loop_.virtual_timers_.emplace(at_, this); });
    waits_for_clock_ = true;
}

void Timer::leave_clock() {
    if (std::exchange(waits_for_clock_, false)) loop_.virtual_timers_.erase(place_);
}

}  // namespace haigha::transport
