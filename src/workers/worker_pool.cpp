#include "workers/worker_pool.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "base/insist.h"
#include "base/named_number.h"

namespace haigha::workers {

using client::Completion;
using client::Event;
using client::EventType;
using client::KeptEvent;
using client::Then;
using client::Waiter;

namespace {

// The pool whose thread this is.
constinit thread_local const WorkerPool* own_pool = nullptr;

constexpr Duration for_ever{std::numeric_limits<std::int64_t>::max() / 4};

}  // namespace

// A delivery, or a consumer's end.
struct WorkerPool::Item final : Work {
    Item(Ref<WorkConsumer> whose, KeptEvent what, std::size_t weight)
        : consumer(std::move(whose)), event(std::move(what)), bytes(weight) {}
    bool is_delivery() const { return event.event().type == EventType::delivery; }
    Ref<WorkConsumer> consumer;
    KeptEvent event;
    std::size_t bytes;
    bool was_handled = false;
};

// What the channel's consumer has: when it goes nothing more is told.
class WorkerPool::Subscription final : public Counted<Subscription> {
  public:
    explicit Subscription(Ref<WorkConsumer> consumer) : consumer_(std::move(consumer)) {}
    const Ref<WorkConsumer>& consumer() const { return consumer_; }

  private:
    friend class Counted<Subscription>;
    ~Subscription() { consumer_->pool()->unsubscribed(consumer_); }
    const Ref<WorkConsumer> consumer_;
};

WorkerPool::WorkerPool(Ref<client::EventLoop> loop, const WorkerSettings& settings)
    : loop_(std::move(loop)),
      settings_(settings),
      schedule_(settings.in_a_row, settings.threads_per_channel > 0
                                       ? settings.threads_per_channel
                                       : std::max<std::size_t>(1, settings.threads - 1)) {}

WorkerPool::~WorkerPool() = default;

// ---- from any thread

ErrorRef WorkerPool::create(Ref<client::EventLoop> loop, const WorkerSettings& settings,
                            Ref<WorkerPool>* made) {
    Ref<WorkerPool> pool = Ref<WorkerPool>::adopt(new WorkerPool(std::move(loop), settings));
    if (ErrorRef failed = pool->start_threads()) return failed;
    pool->loop_->handles().add();
    *made = std::move(pool);
    return nullptr;
}

ErrorRef WorkerPool::start_threads() {
    threads_.reserve(settings_.threads);
    // As the loop's thread: no signal handler of the program ever runs on them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ErrorRef why;
    bool no_memory = false;
    try {
        const std::lock_guard lock(mutex_);
        while (threads_.size() < settings_.threads) {
            threads_.emplace_back([self = Ref<WorkerPool>(this)] { self->run(); });
            ++threads_alive_;
        }
    } catch (const std::system_error& failure) {
        why = insist([&] {
            return make_error(Status::io, std::string("cannot start a thread: ") + failure.what());
        });
    } catch (const std::bad_alloc&) {
        no_memory = true;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (!why && !no_memory) return nullptr;
    {
        const std::lock_guard lock(mutex_);
        closing_ = stopping_ = ended_ = true;
    }
    work_came_.notify_all();
    join_threads();
    if (no_memory) throw std::bad_alloc();
    return why;
}

void WorkerPool::abandon() {
    if (forked()) return;
    insist([this] { stop(); });
}

ErrorRef WorkerPool::consume(client::Channel& channel, const wire::basic::Consume& method,
                             Handler handler, Order order, Completion completion,
                             std::int64_t timeout_ms) {
    const Ref<WorkConsumer> consumer = Ref<WorkConsumer>::adopt(new WorkConsumer(
        Ref<WorkerPool>(this), Ref<client::Channel>(&channel), handler, order, method.no_ack));
    const Ref<Subscription> subscription = Ref<Subscription>::adopt(new Subscription(consumer));
    {
        const std::lock_guard lock(mutex_);
        if (closing_) {
            completion.disarm();
            consumer->disarm();
            return make_error(Status::closed, "the workers are closed");
        }
        consumers_.emplace(consumer.get(), consumer);
    }
    std::string tag;
    ErrorRef refused;
    try {
        refused = channel.consume(method, {.tag = &tag}, client::then_to(*subscription, &on_event),
                                  std::move(completion), timeout_ms);
    } catch (const std::bad_alloc&) {
        consumer->disarm();
        throw;
    }
    if (refused) {
        consumer->disarm();
        subscription->release();  // what the channel was to have
        return refused;
    }
    bool closed = false;
    {
        const std::lock_guard lock(mutex_);
        consumer->tag.swap(tag);
        closed = closing_;
    }
    if (closed) stop_consumers({consumer});
    return nullptr;
}

ErrorRef WorkerPool::drain(Completion completion) {
    Completions done;
    {
        const std::lock_guard lock(mutex_);
        const std::size_t left = schedule_.waiting() + schedule_.running();
        if (left > 0) {
            drains_.push_back({schedule_.last(), left, std::move(completion)});
        } else {
            done.push_back(std::move(completion));
        }
    }
    if (!done.empty()) answer(std::move(done));
    return nullptr;
}

ErrorRef WorkerPool::close(Completion completion) {
    Completions done;
    {
        const std::lock_guard lock(mutex_);
        (ended_ ? done : closings_).push_back(std::move(completion));
    }
    if (done.empty()) {
        insist([this] { stop(); });
    } else {
        answer(std::move(done));
    }
    return nullptr;
}

ErrorRef WorkerPool::may_wait() const {
    if (own_pool == this) {
        return make_error(Status::wrong_thread,
                          "this thread is one of the workers that would have to finish");
    }
    if (!loop_->transport().on_thread()) return nullptr;
    return make_error(Status::wrong_thread,
                      "this is the loop's thread, which would have to answer");
}

ErrorRef WorkerPool::drain_wait(std::int64_t timeout_ms) {
    if (ErrorRef refused = may_wait()) return refused;
    {
        const std::lock_guard lock(mutex_);
        if (schedule_.waiting() + schedule_.running() == 0) return nullptr;
    }
    const Ref<Waiter> waiter = Ref<Waiter>::adopt(new Waiter);
    if (ErrorRef refused = drain(Completion(waiter))) return refused;
    if (waiter->wait_for(timeout_ms < 0 ? for_ever : milliseconds(timeout_ms))) return nullptr;
    return make_error(Status::timeout, "handlers are not finished in time");
}

ErrorRef WorkerPool::close_wait(std::int64_t timeout_ms) {
    if (ErrorRef refused = may_wait()) return refused;
    const Ref<Waiter> waiter = Ref<Waiter>::adopt(new Waiter);
    std::vector<Ref<WorkConsumer>> known;
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return nullptr;
        known = consumers();
        closing_ = true;
    }
    const Instant deadline =
        timeout_ms < 0 ? Instant::never() : transport::Loop::real_now() + milliseconds(timeout_ms);
    stop_consumers(known);
    ErrorRef late = drain_wait(timeout_ms);
    if (ErrorRef refused = close(Completion(waiter))) return refused;
    const Duration left = timeout_ms < 0 ? for_ever : deadline - transport::Loop::real_now();
    const bool ended = waiter->wait_for(left.nanoseconds > 0 ? left : Duration{});
    if (!late && !ended) late = make_error(Status::timeout, "the workers have not ended in time");
    return late;
}

bool WorkerPool::info(std::string_view name, std::int64_t* value) const {
    const std::lock_guard lock(mutex_);
    std::size_t held_back = 0;
    for (const auto& [key, consumer] : consumers_)
        held_back += consumer->go_on ? 1 : 0;
    return find_number(
        {
            {"threads", threads_alive_},
            {"consumers", consumers_.size()},
            {"held_back", held_back},
            {"queued", schedule_.waiting()},
            {"queued_bytes", waiting_bytes_},
            {"running", schedule_.running()},
            {"handled", handled_},
            {"stale", stale_},
            {"requeued", requeued_},
        },
        name, value);
}

// ---- of the loop's thread

void WorkerPool::on_event(Then::AnyFunction, const Event& event, void* data) {
    const Ref<WorkConsumer>& consumer = static_cast<Subscription*>(data)->consumer();
    WorkerPool& pool = *consumer->pool();
    if (event.type == EventType::delivery) {
        pool.delivered(consumer, event);
    } else if (event.type == EventType::consumer_cancelled) {
        pool.ended(consumer, event);
    }
}

void WorkerPool::delivered(const Ref<WorkConsumer>& consumer, const Event& event) {
    const std::size_t bytes = event.body.size;
    const LaneKey lane = consumer->lane_of(event);
    bool too_much = false;
    bool taken = false;
    insist([&] {
        auto item = std::make_unique<Item>(consumer, KeptEvent(event), bytes);
        item->source = &consumer->channel();
        item->lane = lane;
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        schedule_.add(std::move(item));
        taken = true;
        ++consumer->unfinished;
        ++consumer->waiting;
        consumer->waiting_bytes += bytes;
        waiting_bytes_ += bytes;
        too_much = !consumer->go_on && (consumer->waiting > settings_.waiting ||
                                        consumer->waiting_bytes > settings_.waiting_bytes);
    });
    if (!taken) {
        // It was asked for before the pool was closed, or came back with its channel.
        stop_consumers({consumer});
        consumer->requeue(event);
        const std::lock_guard lock(mutex_);
        ++requeued_;
        return;
    }
    work_came_.notify_one();
    if (!too_much) return;
    std::function<void()> go_on = consumer->channel().hold_back(std::string(event.consumer_tag));
    if (!go_on) return;
    {
        const std::lock_guard lock(mutex_);
        consumer->go_on = std::move(go_on);
        go_on = take_go_on(*consumer);  // the workers were faster
    }
    if (go_on) go_on();
}

void WorkerPool::ended(const Ref<WorkConsumer>& consumer, const Event& event) {
    insist([&] {
        std::unique_ptr<Item> item =
            std::make_unique<Item>(consumer, KeptEvent(event), std::size_t{0});
        item->source = &consumer->channel();
        item->lane = consumer->last_lane();
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        if (consumer->unfinished > 0) {
            consumer->last.emplace(std::move(item->event));
        } else {
            schedule_.add(std::move(item));
        }
    });
    work_came_.notify_one();
}

void WorkerPool::unsubscribed(const Ref<WorkConsumer>& consumer) {
    Ref<WorkConsumer> kept;
    std::function<void()> go_on;
    const std::lock_guard lock(mutex_);
    const auto found = consumers_.find(consumer.get());
    if (found == consumers_.end()) return;
    kept = std::move(found->second);
    consumers_.erase(found);
    go_on.swap(consumer->go_on);
}

// ---- with the mutex held

std::function<void()> WorkerPool::take_go_on(WorkConsumer& consumer) const {
    std::function<void()> go_on;
    if (consumer.waiting <= settings_.waiting / 2 &&
        consumer.waiting_bytes <= settings_.waiting_bytes / 2) {
        go_on.swap(consumer.go_on);
    }
    return go_on;
}

std::vector<Ref<WorkConsumer>> WorkerPool::consumers() const {
    std::vector<Ref<WorkConsumer>> all;
    for (const auto& [key, consumer] : consumers_)
        all.push_back(consumer);
    return all;
}

// A worker has it in hand.
void WorkerPool::begin(Item& item) {
    if (!item.is_delivery()) return;
    WorkConsumer& consumer = *item.consumer;
    --consumer.waiting;
    consumer.waiting_bytes -= item.bytes;
    waiting_bytes_ -= item.bytes;
}

void WorkerPool::finish(Item& item, Finished& finished) {
    WorkConsumer& consumer = *item.consumer;
    for (Drain& drain : drains_) {
        if (item.number > drain.up_to || --drain.left > 0) continue;
        insist([&] { finished.drained.push_back(std::move(drain.completion)); });
    }
    std::erase_if(drains_, [](const Drain& drain) { return drain.left == 0; });
    if (!item.is_delivery()) return;
    ++(item.was_handled ? handled_ : stale_);
    finished.go_on = take_go_on(consumer);
    if (--consumer.unfinished > 0 || !consumer.last || stopping_) return;
    // Each step leaves what it was given when there is no memory for it.
    std::unique_ptr<Work> last = insist([&] {
        return std::make_unique<Item>(item.consumer, std::move(*consumer.last), std::size_t{0});
    });
    last->source = &consumer.channel();
    last->lane = consumer.last_lane();
    insist([&] { schedule_.add(std::move(last)); });
    consumer.last.reset();
}

// ---- of the workers' threads

void WorkerPool::run() {
    own_pool = this;
    std::unique_lock lock(mutex_);
    while (true) {
        WorkSchedule::Turn turn = schedule_.take();
        if (!turn.work) {
            if (stopping_) break;
            work_came_.wait(lock);
            continue;
        }
        while (turn.work) {
            auto& item = static_cast<Item&>(*turn.work);
            begin(item);
            if (schedule_.ready()) work_came_.notify_one();
            lock.unlock();
            handle(item);
            Finished finished;
            lock.lock();
            finish(item, finished);
            std::unique_ptr<Work> done = std::exchange(turn.work, schedule_.next(*turn.lane));
            lock.unlock();
            done = nullptr;  // and with it perhaps its consumer, whose release hook runs
            if (finished.go_on) finished.go_on();
            if (!finished.drained.empty()) answer(std::move(finished.drained));
            lock.lock();
        }
    }
    const bool last = --threads_alive_ == 0 && !ended_;
    lock.unlock();
    own_pool = nullptr;
    if (last) all_threads_ended();
}

void WorkerPool::handle(Item& item) {
    if (!item.is_delivery()) {
        item.consumer->tell_end(item.event.event());
        return;
    }
    item.was_handled = item.consumer->handle(item.event.event());
}

// ---- ending

void WorkerPool::stop_consumers(const std::vector<Ref<WorkConsumer>>& consumers) const {
    for (const Ref<WorkConsumer>& consumer : consumers) {
        const std::string tag = insist([&] {
            const std::lock_guard lock(mutex_);
            return consumer->tag;
        });
        if (tag.empty()) continue;  // its consume() will see
        // Refused it has ended, or its channel is away. A consumer that comes back with its channel
        // is cancelled when it is told of a delivery.
        (void)insist([&] {
            return consumer->channel().stop_consumer(protocol::CallKind::cancel, tag, Completion(),
                                                     -1);
        });
    }
}

void WorkerPool::stop() {
    std::vector<Ref<WorkConsumer>> known;
    std::vector<std::unique_ptr<Work>> rest;
    Completions drained;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        known = consumers();
        drained.reserve(drains_.size());
        rest = schedule_.take_all();
        // Nothing throws any more.
        closing_ = stopping_ = true;
        for (const std::unique_ptr<Work>& work : rest) {
            auto& item = static_cast<Item&>(*work);
            begin(item);
            for (Drain& drain : drains_)
                drain.left -= item.number <= drain.up_to ? 1 : 0;
            if (!item.is_delivery()) continue;
            --item.consumer->unfinished;
            ++requeued_;
        }
        for (Drain& drain : drains_)
            if (drain.left == 0) drained.push_back(std::move(drain.completion));
        std::erase_if(drains_, [](const Drain& drain) { return drain.left == 0; });
    }
    work_came_.notify_all();
    // First, so that none of what is given back comes here again.
    stop_consumers(known);
    for (const std::unique_ptr<Work>& work : rest) {
        const auto& item = static_cast<const Item&>(*work);
        if (item.is_delivery()) item.consumer->requeue(item.event.event());
    }
    if (!drained.empty()) answer(std::move(drained));
}

// By a thread that is none of them, or by the last of them.
void WorkerPool::join_threads() {
    std::vector<std::thread> threads;
    {
        const std::lock_guard lock(mutex_);
        threads.swap(threads_);
    }
    for (std::thread& thread : threads) {
        if (thread.get_id() == std::this_thread::get_id()) {
            thread.detach();
        } else {
            thread.join();
        }
    }
}

void WorkerPool::complete(Completions& completions) {
    for (Completion& completion : completions) {
        Event told;
        completion.complete(told, nullptr, nullptr, false);
    }
}

void WorkerPool::all_threads_ended() {
    const auto end = [self = Ref<WorkerPool>(this)] {
        self->join_threads();
        Completions done;
        {
            const std::lock_guard lock(self->mutex_);
            self->ended_ = true;
            done.swap(self->closings_);
        }
        complete(done);
        client::drop_handle(*self->loop_);
    };
    if (!insist([&] { return loop_->transport().post(end); })) end();
}

void WorkerPool::answer(Completions completions) {
    const auto shared = insist([] { return std::make_shared<Completions>(); });
    shared->swap(completions);
    const auto tell = [shared] { complete(*shared); };
    if (!insist([&] { return loop_->transport().post(tell); })) tell();
}

}  // namespace haigha::workers
